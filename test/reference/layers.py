"""Records the layers of torch.nn 1.13 and their functions: outputs, gradients, products with the Hessian, state dicts.

    python3 test/reference/layers.py    # writes layers.json.gz beside this file

`functions`: a function of torch.nn.functional with its arguments, options, a cotangent v of the output, the gradient of
<v, output> with respect to each float tensor, and, with one direction u for each of them, the gradient of <u, gradient>;
null where PyTorch has no rule. `modules`: arguments, options, the state dict, the inputs and the output, the state dict
afterwards, and gradients of the first input and of each parameter; then, with entry i of the j-th direction
sin(0.9 i + j), those of <directions, gradients>. All in float64.
"""
import gzip
import json
import math
import os
import re

import torch
import torch.nn.functional as F

torch.manual_seed(1305)
torch.set_default_dtype(torch.float64)
DTYPES = {torch.float64: "float64", torch.int64: "int64"}
functions, modules = [], []


def rounded(v):
    v = float(f"{v:.13g}") if isinstance(v, float) else v
    return int(v) if v == int(v) else v


def encode(x):
    if isinstance(x, torch.Tensor):
        # Three digits more than what is compared.
        data = [rounded(v) if math.isfinite(v) else str(v) for v in x.detach().reshape(-1).tolist()]
        return {"shape": list(x.shape), "dtype": DTYPES[x.dtype], "data": data}
    if isinstance(x, dict):
        return {key: encode(value) for key, value in x.items()}
    return x


def short(x):
    """Few digits, so that float32 holds them."""
    return (x.detach().clone() * 256).round() / 256


def randn(*shape):
    return short(torch.randn(*shape))


def rand(*shape):
    return (torch.rand(*shape) * 256).floor() / 256


def distinct(*shape):
    """In random order, none twice: the largest is always one."""
    count = math.prod(shape)
    return ((torch.randperm(count) - count / 2) / 8 + 1 / 16).reshape(shape)


def positive(*shape):
    return short(torch.rand(*shape) * 2 + 0.25)


def snake(name):
    return re.sub("[A-Z]", lambda capital: "_" + capital.group().lower(), name)


def record(family, name, args, options=None, call=None, second=True):
    options = options or {}
    floats = [x for x in [*args, *options.values()] if isinstance(x, torch.Tensor) and x.is_floating_point()]
    for x in floats:
        x.requires_grad_()
    if call is None:
        result = getattr(F, snake(name))(*args, **{snake(key): value for key, value in options.items()})
    else:
        result = call(*args, **options)
    output, indices = result if isinstance(result, tuple) else (result, None)
    v = randn(*output.shape)
    grads = torch.autograd.grad((v * output).sum(), floats, create_graph=True, allow_unused=True)
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(floats, grads)]
    u = [randn(*x.shape) for x in floats]
    functions.append({
        "family": family,
        "name": name,
        "args": [encode(x) for x in args],
        "options": encode(options),
        "output": encode(output),
        "indices": encode(indices),
        "v": encode(v),
        "grads": [encode(g) for g in grads],
        "u": [encode(x) for x in u],
        "seconds": seconds_of(floats, grads, u) if second else None,
    })


def seconds_of(floats, grads, u):
    total = sum((a * b).sum() for a, b in zip(u, grads))
    if not total.requires_grad:
        return [encode(torch.zeros_like(x)) for x in floats]
    try:
        seconds = torch.autograd.grad(total, floats, allow_unused=True)
    except RuntimeError:
        return None
    return [encode(torch.zeros_like(x) if s is None else s) for x, s in zip(floats, seconds)]


# Of its own, so that the numbers of all others stay when modules are added.
cotangents = torch.Generator().manual_seed(1306)


def derivatives(layer, x, output):
    """A cotangent of the output, the gradients of x and of the parameters, and those of their product with directions."""
    v = short(torch.randn(output.shape, generator=cotangents))
    names, wanted = ["x"], [x]
    for name, parameter in layer.named_parameters():
        names.append(name)
        wanted.append(parameter)
    try:
        grads = torch.autograd.grad((v * output).sum(), wanted, create_graph=True, allow_unused=True)
    except RuntimeError:
        return {"v": encode(v), "grads": None, "seconds": None}
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(wanted, grads)]
    u = [torch.sin(0.9 * torch.arange(x.numel()) + j).reshape(x.shape) for j, x in enumerate(wanted)]
    seconds = seconds_of(wanted, grads, u)
    named = lambda values: dict(zip(names, values))
    return {"v": encode(v), "grads": named([encode(g) for g in grads]), "seconds": seconds and named(seconds)}


def module(family, name, args, options, x, training=True, make=None, also=(), **known):
    layer = (make or getattr(torch.nn, name))(*args, **{known.get(k, snake(k)): v for k, v in options.items()})
    layer.train(training)
    for value in layer.state_dict().values():
        if value.is_floating_point():
            value.copy_(short(torch.rand_like(value) + 0.25 if value.dim() == 1 else torch.randn_like(value)))
    before = {key: encode(value) for key, value in layer.state_dict().items()}
    output = layer(x.requires_grad_(), *also)
    after = {key: encode(value) for key, value in layer.state_dict().items()}
    modules.append({
        "family": family, "name": name, "args": args, "options": options, "training": training,
        "before": before, "inputs": [encode(y) for y in (x, *also)], "output": encode(output), "after": after,
        **derivatives(layer, x, output),
    })


# ---- convolution

record("conv", "conv1d", [randn(2, 3, 9), randn(4, 3, 3), randn(4)], {"stride": 2, "padding": 1, "dilation": 2})
record("conv", "conv1d", [randn(4, 7), randn(6, 2, 2), None], {"groups": 2, "padding": 3})
record("conv", "conv1d", [randn(1, 2, 6), randn(3, 2, 4), randn(3)], {"padding": "same", "dilation": 1})
record("conv", "conv2d", [randn(2, 2, 5, 7), randn(4, 1, 3, 2), randn(4)],
       {"stride": [2, 1], "padding": [1, 2], "dilation": [1, 3], "groups": 2})
record("conv", "conv2d", [randn(1, 2, 4, 5), randn(2, 2, 2, 3), None], {"padding": "same"})
record("conv", "conv3d", [randn(2, 2, 4, 5, 3), randn(2, 2, 2, 3, 2), randn(2)], {"padding": [1, 0, 1]})
record("conv", "conv3d", [randn(1, 4, 5, 4, 5), randn(4, 2, 3, 2, 2), randn(4)],
       {"stride": [2, 1, 2], "padding": 1, "dilation": [1, 2, 1], "groups": 2})
record("conv", "conv3d", [randn(2, 4, 3, 3), randn(1, 2, 2, 2, 1), None], {"padding": "same"})
record("conv", "convTranspose1d", [randn(2, 3, 5), randn(3, 2, 4), randn(2)],
       {"stride": 3, "padding": 2, "outputPadding": 2})
record("conv", "convTranspose1d", [randn(4, 4), randn(4, 1, 3), None], {"groups": 2, "dilation": 3, "outputPadding": 2})
record("conv", "convTranspose2d", [randn(2, 4, 3, 4), randn(4, 2, 2, 3), randn(4)],
       {"stride": [2, 3], "padding": [0, 1], "outputPadding": [1, 2], "groups": 2, "dilation": [2, 1]})
record("conv", "convTranspose2d", [randn(1, 2, 3, 2), randn(2, 3, 3, 2), None],
       {"padding": 1, "dilation": [3, 2], "outputPadding": [2, 1]})
record("conv", "convTranspose3d", [randn(1, 2, 3, 2, 3), randn(2, 2, 2, 3, 2), randn(2)],
       {"stride": [2, 1, 2], "padding": [1, 1, 0], "outputPadding": [1, 0, 1]})
record("conv", "convTranspose3d", [randn(4, 2, 2, 2), randn(4, 1, 2, 2, 1), randn(2)],
       {"groups": 2, "dilation": [3, 1, 2], "padding": [1, 0, 0], "outputPadding": [2, 0, 1]})
for mode in ["zeros", "reflect", "replicate", "circular"]:
    module("conv", "Conv1d", [2, 4, 3], {"padding": 2, "paddingMode": mode, "groups": 2, "stride": 2}, randn(2, 2, 7))
    module("conv", "Conv2d", [2, 3, [2, 3]], {"padding": [1, 2], "paddingMode": mode, "bias": False}, randn(2, 2, 4, 5))
    module("conv", "Conv3d", [1, 2, [2, 1, 3]], {"padding": [1, 0, 2], "paddingMode": mode}, randn(1, 1, 3, 3, 4))
module("conv", "Conv1d", [2, 2, 4], {"padding": "same", "paddingMode": "circular"}, randn(1, 2, 6))
module("conv", "ConvTranspose1d", [4, 2, 3], {"stride": 2, "outputPadding": 1, "groups": 2}, randn(2, 4, 5))
module("conv", "ConvTranspose2d", [2, 3, [3, 2]], {"stride": [2, 1], "padding": 1, "bias": False}, randn(1, 2, 4, 4))
module("conv", "ConvTranspose3d", [2, 1, 2], {"stride": 2, "dilation": [1, 2, 1]}, randn(1, 2, 2, 3, 2))

# ---- pools

SPACES = {1: (2, 3, 10), 2: (1, 2, 7, 8), 3: (1, 2, 4, 5, 4)}
for d, space in SPACES.items():
    for options in [{}, {"stride": 2, "padding": 1}, {"stride": 2, "ceilMode": True, "padding": 1},
                    {"stride": 3, "ceilMode": True}]:
        record("pool", f"maxPool{d}dWithIndices", [distinct(*space), 3], dict(options),
               lambda x, k, ceilMode=False, d=d, **o: getattr(F, f"max_pool{d}d")(
                   x, k, ceil_mode=ceilMode, return_indices=True, **o))
        record("pool", f"avgPool{d}d", [randn(*space), 3], dict(options))
        record("pool", f"avgPool{d}d", [randn(*space[1:]), 3], {**options, "countIncludePad": False})
    record("pool", f"maxPool{d}d", [distinct(*space[1:]), 2], {"dilation": 2, "stride": 1, "padding": 1})
    if d > 1:
        record("pool", f"avgPool{d}d", [randn(*space), 2], {"divisorOverride": 3, "ceilMode": True})
    for size in [3, 4]:
        record("pool", f"adaptiveAvgPool{d}d", [randn(*space), size])
        record("pool", f"adaptiveMaxPool{d}dWithIndices", [distinct(*space), size], None,
               lambda x, n, d=d: getattr(F, f"adaptive_max_pool{d}d")(x, n, return_indices=True))
record("pool", "adaptiveAvgPool2d", [randn(3, 7, 5), [None, 2]])
record("pool", "adaptiveMaxPool2d", [distinct(3, 7, 5), [4, None]])
record("pool", "adaptiveAvgPool3d", [randn(2, 4, 3, 5), [2, None, 7]])
record("pool", "lpPool1d", [positive(2, 3, 9), 3, 2], {"stride": 3})
record("pool", "lpPool1d", [positive(2, 3, 9), 1.5, 4], {"ceilMode": True})
record("pool", "lpPool2d", [positive(2, 2, 5, 7), 2, [2, 3]], {"stride": [2, 1]})
record("pool", "lpPool2d", [positive(2, 2, 5, 7), 2.5, 3], {"ceilMode": True})


def fractional(d):
    def call(x, k, **o):
        samples = o.pop("randomSamples").detach()
        return getattr(F, f"fractional_max_pool{d}d")(
            x, k, return_indices=True, _random_samples=samples, **{snake(key): v for key, v in o.items()})
    return call


record("pool", "fractionalMaxPool2dWithIndices", [distinct(2, 2, 9, 11), [2, 3]],
       {"outputSize": [4, 5], "randomSamples": rand(2, 2, 2)}, fractional(2))
record("pool", "fractionalMaxPool2dWithIndices", [distinct(1, 2, 8, 7), 2],
       {"outputRatio": [0.7, 0.5], "randomSamples": rand(1, 2, 2)}, fractional(2))
record("pool", "fractionalMaxPool3dWithIndices", [distinct(1, 2, 6, 7, 8), [2, 1, 3]],
       {"outputSize": [3, 4, 5], "randomSamples": rand(1, 2, 3)}, fractional(3))
for d, space in SPACES.items():
    for kernel, options in [(2, {}), (2, {"stride": 3}), (2, {"padding": 1})]:
        values, indices = getattr(F, f"max_pool{d}d")(distinct(*space), kernel, return_indices=True, **options)
        record("pool", f"maxUnpool{d}d", [values, indices, kernel], {**options, "outputSize": list(space[2:])})
values, indices = F.max_pool2d(distinct(2, 2, 6, 8), 2, return_indices=True)
record("pool", "maxUnpool2d", [values, indices, 2])
module("pool", "MaxPool3d", [[1, 2, 3]], {"stride": 1, "padding": [0, 1, 1], "dilation": 2}, distinct(1, 2, 4, 5, 6))
module("pool", "AvgPool3d", [[1, 2, 3]], {"stride": 2, "padding": [0, 1, 1], "countIncludePad": False}, randn(1, 2, 4, 5, 6))
module("pool", "AdaptiveAvgPool1d", [4], {}, randn(1, 2, 7))
module("pool", "AdaptiveMaxPool3d", [[2, None, 3]], {}, distinct(1, 2, 5, 3, 4))
module("pool", "LPPool2d", [2, 2], {"ceilMode": True}, positive(1, 2, 5, 6))

# ---- padding

record("padding", "pad", [randn(2, 3, 4), [1, 2, 0, -1]], {"value": 2.5})
record("padding", "pad", [randn(2, 3, 4), [-1, 2, -1, 0, 1, 1]])
for mode in ["reflect", "replicate", "circular"]:
    record("padding", "pad", [randn(2, 3, 5), [3, 2]], {"mode": mode})
    record("padding", "pad", [randn(2, 3, 4, 5), [2, 1, 1, 3]], {"mode": mode})
    record("padding", "pad", [randn(1, 2, 3, 4, 3), [2, 1, 0, 3, 1, 2]], {"mode": mode})
record("padding", "pad", [randn(2, 4, 5), [-1, 2, 1, -2]], {"mode": "reflect"})
record("padding", "pad", [randn(2, 4, 5), [-1, 2, 1, -2]], {"mode": "replicate"})
for d, space in SPACES.items():
    sizes = [2, 1, 0, 1, 1, 2][:2 * d]
    module("padding", f"ConstantPad{d}d", [sizes, -1.5], {}, randn(*space))
    module("padding", f"ReflectionPad{d}d", [sizes], {}, randn(*space))
    module("padding", f"ReplicationPad{d}d", [sizes], {}, randn(*space[1:]))
module("padding", "ZeroPad2d", [[1, 2, 0, 3]], {}, randn(2, 3, 4))

# ---- activations: around their corners, and far from them

POINTS = torch.cat([torch.linspace(-8, 8, 27) + 1 / 128, torch.tensor([-60.0, -30.0, 25.0, 60.0])])


def points():
    return short(POINTS)[:30].reshape(2, 3, 5)


for name in ["relu", "relu6", "selu", "silu", "mish", "hardswish", "sigmoid", "softsign", "tanh",
             "tanhshrink", "elu", "celu", "leakyRelu", "gelu", "hardshrink", "softshrink", "hardtanh", "softplus"]:
    record("activation", name, [points()])
# PyTorch's own gradient has 1 / 6 as a float32.
record("activation", "hardsigmoid", [points()], None, lambda x: F.relu6(x + 3) / 6)
record("activation", "logSigmoid", [points()], None, F.logsigmoid)
record("activation", "elu", [points()], {"alpha": 0.3})
record("activation", "celu", [points()], {"alpha": 0.375})
record("activation", "leakyRelu", [points()], {"negativeSlope": -0.2})
record("activation", "gelu", [points()], {"approximate": "tanh"})
record("activation", "hardshrink", [points()], {"lambda": 1.2}, lambda x, **o: F.hardshrink(x, o["lambda"]))
record("activation", "softshrink", [points()], {"lambda": 1.2}, lambda x, **o: F.softshrink(x, o["lambda"]))
record("activation", "hardtanh", [points()], {"minValue": -3.5, "maxValue": 0.75},
       lambda x, minValue, maxValue: F.hardtanh(x, minValue, maxValue))
record("activation", "softplus", [points()], {"beta": 2, "threshold": 5})
record("activation", "threshold", [points(), 1.1, -7])
record("activation", "glu", [randn(4, 3, 6)])
record("activation", "glu", [randn(4, 3, 2)], {"dim": 0})
for name in ["softmin", "softmax", "logSoftmax"]:
    record("activation", name, [randn(3, 4, 2), 1])
record("activation", "prelu", [points(), torch.tensor([0.25, -0.5, 2.0])])
record("activation", "prelu", [points(), torch.tensor([0.375])])
record("activation", "prelu", [randn(7), torch.tensor([0.375])])
record("activation", "rrelu", [points()], {"lower": 0.1, "upper": 0.4})
for name, options, known in [
    ("ReLU6", {}, {}), ("SELU", {}, {}), ("Mish", {}, {}), ("Hardswish", {}, {}),
    ("LogSigmoid", {}, {}), ("Softsign", {}, {}), ("Tanhshrink", {}, {}), ("ELU", {"alpha": 0.5}, {}),
    ("CELU", {"alpha": 0.5}, {}), ("GELU", {"approximate": "tanh"}, {}), ("Hardshrink", {"lambda": 2}, {"lambda": "lambd"}),
    ("Softshrink", {"lambda": 2}, {"lambda": "lambd"}), ("Softplus", {"beta": 3, "threshold": 9}, {}),
    ("Hardtanh", {"minValue": -2, "maxValue": 0.5}, {"minValue": "min_val", "maxValue": "max_val"}),
    ("PReLU", {"numParameters": 3, "init": 0.1}, {}),
]:
    module("activation", name, [], options, points(), **known)


class Hardsigmoid(torch.nn.Module):
    def forward(self, x):
        return F.relu6(x + 3) / 6


module("activation", "Hardsigmoid", [], {}, points(), make=Hardsigmoid)
module("activation", "RReLU", [], {"lower": 0.2, "upper": 0.3}, points(), training=False)
module("activation", "Threshold", [0.5, -2], {}, points())
module("activation", "Softmin", [1], {}, points())
module("activation", "Softmax2d", [], {}, points())
module("activation", "GLU", [], {"dim": 0}, points())

# ---- normalisation

record("norm", "layerNorm", [randn(4, 5, 6), [6]], {"weight": randn(6), "bias": randn(6), "eps": 1e-3})
record("norm", "layerNorm", [randn(2, 3, 4, 5), [4, 5]], {"weight": randn(4, 5), "bias": randn(4, 5)})
record("norm", "layerNorm", [randn(3, 7), [7]])
record("norm", "groupNorm", [randn(2, 6, 3, 5), 3], {"weight": randn(6), "bias": randn(6), "eps": 0.01})
record("norm", "groupNorm", [randn(3, 4), 2])
record("norm", "groupNorm", [randn(2, 4, 5), 1], {"weight": randn(4)})
record("norm", "instanceNorm", [randn(2, 3, 7)], {"weight": randn(3), "bias": randn(3), "eps": 1e-3})
record("norm", "instanceNorm", [randn(2, 2, 3, 5)])
record("norm", "instanceNorm", [randn(1, 2, 3, 2, 3)], {"weight": randn(2), "bias": randn(2)})
record("norm", "batchNorm", [randn(3, 2, 2, 3, 2), None, None],
       {"weight": randn(2), "bias": randn(2), "training": True, "eps": 1e-3})
record("norm", "localResponseNorm", [randn(2, 7, 5), 3], {"alpha": 0.4, "beta": 0.6, "k": 1.5})
record("norm", "localResponseNorm", [randn(1, 6, 3, 4), 4], {"alpha": 0.2})
record("norm", "localResponseNorm", [randn(1, 5, 2, 3, 2), 2])


def rms_norm(x, shape, weight=None, eps=torch.finfo(torch.float64).eps):
    # torch 1.13 has none: the formula of Zhang and Sennrich 2019.
    dims = tuple(range(-len(shape), 0))
    y = x / (x.square().mean(dims, keepdim=True) + eps).sqrt()
    return y if weight is None else y * weight


record("norm", "rmsNorm", [randn(4, 5, 6), [6]], {"weight": randn(6), "eps": 1e-3}, rms_norm)
record("norm", "rmsNorm", [randn(2, 3, 4), [3, 4]], {}, rms_norm)
for d, space in SPACES.items():
    for training in [True, False]:
        module("norm", f"InstanceNorm{d}d", [space[1]], {"affine": True, "trackRunningStats": True, "momentum": 0.3},
               randn(*space), training)
    module("norm", f"InstanceNorm{d}d", [space[1]], {"eps": 0.1}, randn(*space[1:]), False)
    for training in [True, False]:
        module("norm", f"BatchNorm{d}d", [space[1]], {"momentum": 0.3}, randn(*space), training)
module("norm", "BatchNorm3d", [2], {"momentum": None, "affine": False}, randn(*SPACES[3]))
module("norm", "BatchNorm3d", [2], {"trackRunningStats": False, "eps": 0.2}, randn(*SPACES[3]), False)
module("norm", "LayerNorm", [[3, 4]], {"eps": 0.1}, randn(2, 3, 4))
module("norm", "LayerNorm", [4], {"elementwiseAffine": False}, randn(2, 3, 4))
module("norm", "GroupNorm", [2, 4], {"eps": 0.1}, randn(2, 4, 3, 3))
module("norm", "GroupNorm", [4, 4], {"affine": False}, randn(2, 4, 3))
module("norm", "LocalResponseNorm", [3], {"alpha": 0.5, "beta": 0.5, "k": 2}, randn(2, 4, 3, 3))

# ---- folding and shuffling

record("fold", "unfold", [randn(2, 3, 5, 6), [2, 3]], {"dilation": [2, 1], "padding": [1, 0], "stride": [1, 2]})
record("fold", "unfold", [randn(2, 4, 5), 3], {"padding": 1})
record("fold", "fold", [randn(2, 12, 12), [4, 5], [2, 2]])
record("fold", "pixelShuffle", [randn(2, 8, 3, 2), 2])
record("fold", "pixelShuffle", [randn(1, 2, 9, 1, 3), 3])
record("fold", "pixelUnshuffle", [randn(2, 2, 4, 6), 2])
# PyTorch has no gradient for channel_shuffle itself.
record("fold", "channelShuffle", [randn(2, 6, 3, 2), 3], None,
       lambda x, groups: x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2))


def folded(size, kernel, **options):
    """Columns of the number that fits, from unfolding an image of that size."""
    columns = F.unfold(torch.zeros(2, 2, *size), kernel, **options)
    record("fold", "fold", [randn(*columns.shape), size, kernel], options)


folded([6, 5], [2, 3], padding=[1, 2], stride=[2, 1], dilation=[3, 1])
folded([5, 7], 3, padding=1, stride=2)
module("fold", "Unfold", [[2, 1]], {"padding": [1, 0], "stride": 2}, randn(1, 2, 5, 4))
module("fold", "Fold", [[4, 5], [2, 2]], {}, randn(1, 8, 12))
module("fold", "PixelShuffle", [2], {}, randn(1, 4, 2, 3))
module("fold", "PixelUnshuffle", [2], {}, randn(1, 2, 4, 2))
module("fold", "ChannelShuffle", [2], {}, randn(1, 4, 2, 3))

# ---- interpolation


def interpolate(x, mode="nearest", **o):
    mode = {"nearestExact": "nearest-exact"}.get(mode, mode)
    return F.interpolate(x, mode=mode, **{snake(key): value for key, value in o.items()})


def resize(shape, **options):
    record("upsample", "interpolate", [randn(*shape)], options, interpolate)


for mode in ["nearest", "nearestExact", "area"]:
    resize((2, 3, 5), mode=mode, size=8)
    resize((1, 2, 4, 6), mode=mode, size=[8, 3])
    resize((1, 2, 3, 4, 3), mode=mode, scaleFactor=2)
    resize((1, 2, 7, 5), mode=mode, scaleFactor=[1.5, 0.7])
for align in [True, False]:
    resize((2, 3, 5), mode="linear", size=9, alignCorners=align)
    resize((2, 3, 7), mode="linear", scaleFactor=1.3, alignCorners=align)
    resize((1, 2, 4, 5), mode="bilinear", size=[7, 3], alignCorners=align)
    resize((1, 2, 4, 5), mode="bilinear", scaleFactor=[0.6, 2.2], alignCorners=align)
    resize((1, 2, 4, 5), mode="bicubic", size=[7, 3], alignCorners=align)
    resize((1, 2, 6, 5), mode="bicubic", scaleFactor=[0.6, 2.2], alignCorners=align)
    resize((1, 1, 2, 3, 4), mode="trilinear", size=[3, 5, 3], alignCorners=align)
    for mode in ["bilinear", "bicubic"]:
        resize((1, 2, 9, 7), mode=mode, size=[4, 10], alignCorners=align, antialias=True)
resize((1, 1, 3, 1), mode="bilinear", size=[1, 4], alignCorners=True)
resize((2, 1, 7), mode="linear", scaleFactor=1.3, recomputeScaleFactor=True)
resize((2, 1, 4, 7), mode="bicubic", scaleFactor=2.6, recomputeScaleFactor=True)
module("upsample", "Upsample", [{"scaleFactor": 1.7, "mode": "bicubic"}], {}, randn(1, 2, 4, 3),
       make=lambda o: torch.nn.Upsample(scale_factor=o["scaleFactor"], mode=o["mode"]))
module("upsample", "UpsamplingNearest2d", [{"size": [5, 3]}], {}, randn(1, 2, 4, 3),
       make=lambda o: torch.nn.UpsamplingNearest2d(size=o["size"]))
module("upsample", "UpsamplingBilinear2d", [{"scaleFactor": 2}], {}, randn(1, 2, 4, 3),
       make=lambda o: torch.nn.UpsamplingBilinear2d(scale_factor=o["scaleFactor"]))

# ---- what is left of the classes, each with options that are no defaults

for d, space in SPACES.items():
    sizes = [3, 4, 2][:d]
    module("pool", f"MaxPool{d}d", [3], {"stride": 2, "padding": 1, "ceilMode": True}, distinct(*space))
    module("pool", f"AvgPool{d}d", [3], {"stride": 2, "padding": 1, "ceilMode": True, "countIncludePad": False}, randn(*space))
    module("pool", f"AdaptiveAvgPool{d}d", [sizes], {}, randn(*space))
    module("pool", f"AdaptiveMaxPool{d}d", [sizes], {}, distinct(*space[1:]))
    full = {1: (2, 3, 9), 2: (1, 2, 6, 9), 3: (1, 2, 3, 6, 3)}[d]
    values, indices = getattr(F, f"max_pool{d}d")(distinct(*full), 2, 3, 1, return_indices=True)
    module("pool", f"MaxUnpool{d}d", [2], {"stride": 3, "padding": 1}, values, also=[indices])
    record("pool", f"adaptiveMaxPool{d}d", [distinct(*space), sizes])
module("pool", "LPPool1d", [1.5, 4], {"stride": 2}, positive(2, 3, 9))
for d, size, samples in [(2, [4, 5], rand(2, 2, 2)), (3, [3, 4, 3], rand(2, 2, 3))]:
    x = distinct(2, 2, 9, 7) if d == 2 else distinct(2, 2, 6, 7, 5)
    record("pool", f"fractionalMaxPool{d}d", [x, 2], {"outputSize": size, "randomSamples": samples},
           lambda x, k, d=d, **o: fractional(d)(x, k, **o)[0])
for d in [1, 3]:
    module("padding", f"ZeroPad{d}d", [[1, 2, 0, 3, 1, 0][:2 * d]], {}, randn(*SPACES[d]),
           make=lambda sizes, d=d: getattr(torch.nn, f"ConstantPad{d}d")(sizes, 0))
for name, args, options in [("ReLU", [], {}), ("SiLU", [], {}), ("Sigmoid", [], {}), ("Tanh", [], {}), ("Softmax", [1], {}),
                            ("LogSoftmax", [0], {}), ("LeakyReLU", [], {"negativeSlope": 0.3})]:
    module("activation", name, args, options, points())


class RMSNorm(torch.nn.Module):
    def __init__(self, shape, eps):
        super().__init__()
        self.weight, self.eps = torch.nn.Parameter(torch.ones(shape)), eps

    def forward(self, x):
        return rms_norm(x, self.weight.shape, self.weight, self.eps)


module("norm", "RMSNorm", [[3, 4]], {"eps": 0.1}, randn(2, 3, 4), make=RMSNorm)
module("plain", "Identity", [], {}, randn(2, 3))
module("plain", "Flatten", [], {"startDim": 2, "endDim": 3}, randn(2, 3, 2, 1, 4))
module("plain", "Flatten", [], {}, randn(3, 2, 1))
module("plain", "Unflatten", [-2, [3, 2]], {}, randn(2, 6, 5))
module("plain", "Linear", [5, 3], {}, randn(2, 1, 5))
module("plain", "Linear", [4, 1], {"bias": False}, randn(4))
record("plain", "linear", [randn(3, 2, 5), randn(4, 5), randn(4)])
record("plain", "linear", [randn(5), randn(3, 5), None])
record("plain", "bilinear", [randn(2, 3, 4), randn(2, 3, 2), randn(5, 4, 2), randn(5)])


def attention(q, k, v, attnMask=None, isCausal=False):
    # torch 1.13 has none: the formula of Vaswani et al. 2017.
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if isCausal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1), -math.inf)
    return (scores if attnMask is None else scores + attnMask).softmax(-1) @ v


record("plain", "scaledDotProductAttention", [randn(2, 3, 5, 4), randn(2, 3, 7, 4), randn(2, 3, 7, 2)], {}, attention)
record("plain", "scaledDotProductAttention", [randn(2, 5, 4), randn(2, 5, 4), randn(2, 5, 3)], {"isCausal": True}, attention)
record("plain", "scaledDotProductAttention", [randn(5, 4), randn(3, 4), randn(3, 1)], {"attnMask": randn(5, 3)}, attention)

# ---- distances and directions

for shape, options in [((4, 3), {}), ((5,), {"dim": 0}), ((2, 3, 4), {"p": 1, "dim": -1}), ((2, 3, 4), {"p": 3, "dim": 0}),
                       ((3, 4), {"eps": 2.5}), ((2, 1, 5), {}), ((2, 3, 4), {"dim": [1, 2]})]:
    record("distance", "normalize", [randn(*shape)], options)
# PyTorch's second derivative of the norm of zeros is NaN.
record("distance", "normalize", [torch.tensor([[0.0, 0, 0], [3, 4, 0]])], {"eps": 0.5}, second=False)
for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0]:
    record("distance", "pdist", [randn(5, 3)], {"p": p})
record("distance", "pdist", [randn(6, 2)])
record("distance", "pdist", [randn(2, 1)])
record("distance", "pdist", [randn(1, 3)], None, lambda x: F.pdist(x))
record("distance", "pdist", [torch.tensor([[1.0, 2], [1, 2], [0, 2]])])

# ---- sampling by grids

THETA = torch.tensor([[0.8, -0.5, 0.2], [0.4, 1.1, -0.3]])


def sampled(image, places, **options):
    """Places inside and, where there are several, up to a quarter of the image outside."""
    dims = len(places)
    grid = (torch.rand(image[0], *places, dims) * 3 - 1.5 if math.prod(places) > 1 else torch.zeros(image[0], *places, dims))
    # No halves: where it takes the nearest element, PyTorch rounds them to even in two dims, away from 0 in three.
    record("grid", "gridSample", [randn(*image), short(grid) + 1 / 1024], options,
           lambda x, g, mode="bilinear", paddingMode="zeros", alignCorners=False:
           F.grid_sample(x, g, mode, paddingMode, alignCorners))


for align in [False, True]:
    for padding in ["zeros", "border", "reflection"]:
        for mode in ["bilinear", "nearest", "bicubic"]:
            sampled((2, 3, 5, 4), (3, 6), mode=mode, paddingMode=padding, alignCorners=align)
            if mode != "bicubic":
                sampled((2, 2, 3, 4, 5), (2, 3, 4), mode=mode, paddingMode=padding, alignCorners=align)
        sampled((1, 2, 1, 6), (4, 1), paddingMode=padding, alignCorners=align)
sampled((1, 1, 7, 3), (1, 1))
for align in [False, True]:
    record("grid", "affineGrid", [THETA + randn(2, 2, 3), [2, 3, 4, 5]], {"alignCorners": align},
           lambda t, size, alignCorners: F.affine_grid(t, size, alignCorners))
    record("grid", "affineGrid", [randn(2, 3, 4), [2, 1, 3, 1, 4]], {"alignCorners": align},
           lambda t, size, alignCorners: F.affine_grid(t, size, alignCorners))

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "layers.json.gz")
text = json.dumps({"torch": torch.__version__, "functions": functions, "modules": modules}, separators=(",", ":"))
with open(path, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed:
    packed.write(text.encode())
print(len(functions), "functions,", len(modules), "modules,", os.path.getsize(path), "bytes")
