"""Records every loss of torch.nn 1.13: outputs, gradients, and products with the Hessian, in float64.

    python3 test/reference/losses.py    # writes losses.json.gz beside this file

A case is a function with its tensors, options, a cotangent v of the output, the gradient of <v, output> with respect to
each float input, and, with one direction u for each of them, the gradient of <u, gradient>; null where PyTorch has none.
"""
import gzip
import json
import math
import os
import re

import torch
import torch.nn.functional as F

torch.manual_seed(1302)
torch.set_default_dtype(torch.float64)
DTYPES = {torch.float64: "float64", torch.int64: "int64", torch.int32: "int32", torch.bool: "bool"}

cases = []


def encode(x):
    if isinstance(x, torch.Tensor):
        data = [v if math.isfinite(v) else str(v) for v in x.detach().reshape(-1).tolist()]
        return {"shape": list(x.shape), "dtype": DTYPES[x.dtype], "data": data}
    return str(x) if isinstance(x, float) and not math.isfinite(x) else x


def short(x):
    """A copy whose floats have few digits and fit float32; where that would make them 0, only the latter."""
    x = x.detach().clone()
    rounded = (x * 1024).round() / 1024
    return torch.where(rounded == 0, x.float().double(), rounded) if x.is_floating_point() else x


def snake(name):
    return re.sub("[A-Z]", lambda capital: "_" + capital.group().lower(), name)


def hvp(grads, floats):
    """One direction for each gradient, and the gradient of their product; None where PyTorch has no rule."""
    directions = [short(torch.randn_like(x)) for x in floats]
    total = sum((u * g).sum() for u, g in zip(directions, grads) if g is not None)
    if not isinstance(total, torch.Tensor) or not total.requires_grad:
        return directions, [torch.zeros_like(x) for x in floats]
    try:
        seconds = torch.autograd.grad(total, floats, allow_unused=True, retain_graph=True)
    except RuntimeError:
        return directions, None
    return directions, [torch.zeros_like(x) if s is None or s._is_zerotensor() else s for x, s in zip(floats, seconds)]


def record(name, inputs, options=None, through=None, fixed=(), second=True, exact=False, **extra):
    """`fixed` are the inputs without gradient; exact ones are not shortened; through='logSoftmax' puts that before the first input."""
    shorter = torch.clone if exact else short
    tensors = [shorter(x) if isinstance(x, torch.Tensor) else x for x in inputs]
    options = {key: shorter(x) if isinstance(x, torch.Tensor) else x for key, x in (options or {}).items()}
    floats = []
    for i, x in enumerate(tensors):
        if isinstance(x, torch.Tensor) and x.is_floating_point() and i not in fixed:
            floats.append(x.requires_grad_())
    first = tensors[0].log_softmax(-1) if through == "logSoftmax" else tensors[0]
    function = extra.pop("function", None) or getattr(F, snake(name))
    output = function(first, *tensors[1:], **{snake(key): value for key, value in options.items()})
    v = short(torch.randn_like(output))
    grads = torch.autograd.grad((v * output).sum(), floats, create_graph=second, allow_unused=True)
    grads = [torch.zeros_like(x) if g is None else g for x, g in zip(floats, grads)]
    directions, seconds = hvp(grads, floats) if second else ([], None)
    cases.append({
        "name": name,
        "inputs": [encode(x) for x in tensors],
        "wanted": [i for i, x in enumerate(tensors) if any(x is y for y in floats)],
        "options": {key: encode(value) for key, value in options.items()},
        "through": through,
        "exact": exact,
        "v": encode(v),
        "output": encode(output),
        "grads": [encode(g) for g in grads],
        "directions": [] if seconds is None else [encode(u) for u in directions],
        "seconds": None if seconds is None else [encode(s) for s in seconds],
        **extra,
    })


def reductions(name, inputs, options=None, only=("mean", "sum", "none"), second=True, **rest):
    """The sum's second derivatives are the mean's but for a factor."""
    for reduction in only:
        record(name, inputs, {**(options or {}), "reduction": reduction}, second=second and reduction != "sum", **rest)


def signs(*shape):
    return torch.randint(0, 2, shape) * 2.0 - 1


def regression():
    for shape in ((), (1,), (5,), (3, 4), (2, 1, 3, 2)):
        x, y = torch.randn(shape), torch.randn(shape)
        record("l1Loss", [x, y])
        record("mseLoss", [x, y])
        record("huberLoss", [x, y])
        record("smoothL1Loss", [x, y])
    x, y = 2 * torch.randn(4, 3), torch.randn(4, 3)
    for name, options in (
        ("l1Loss", {}), ("mseLoss", {}), ("huberLoss", {"delta": 0.3}), ("huberLoss", {"delta": 2.5}),
        ("smoothL1Loss", {"beta": 0.4}), ("smoothL1Loss", {"beta": 3.0}), ("smoothL1Loss", {"beta": 0.0}),
    ):
        reductions(name, [x, y], options, second=name != "smoothL1Loss" or options["beta"] > 0)


def classes():
    weight = torch.tensor([0.5, 2.0, 3.0, 0.1, 1.0])
    for shape, dims in (((4, 5), ()), ((1, 5), ()), ((5,), None), ((2, 5, 3), (3,)), ((2, 5, 2, 3), (2, 3))):
        x = 2 * torch.randn(shape)
        labels = torch.randint(0, 5, () if dims is None else (shape[0], *dims))
        for options in ({}, {"weight": weight}, {"ignoreIndex": int(labels.reshape(-1)[0])}):
            # With all samples ignored the mean is NaN.
            only = ("sum", "none") if "ignoreIndex" in options and labels.numel() == 1 else ("mean", "sum", "none")
            reductions("nllLoss", [x, labels], options, through="logSoftmax", only=only)
            reductions("crossEntropy", [x, labels], options, only=only)
        record("crossEntropy", [x, labels], {"labelSmoothing": 0.2})
        record("crossEntropy", [x, labels], {"labelSmoothing": 1.0, "reduction": "none"})
        record("crossEntropy", [x, labels], {"labelSmoothing": 0.1, "weight": weight})
        record("crossEntropy", [x, labels], {"labelSmoothing": 0.3, "weight": weight, "reduction": "sum"})
        target = torch.randn(shape).softmax(0 if dims is None else 1)
        for options in ({}, {"weight": weight}, {"labelSmoothing": 0.3}, {"weight": weight, "labelSmoothing": 0.1}):
            reductions("crossEntropy", [x, target], options)
    x, labels = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 1])
    options = {"ignoreIndex": 1, "weight": weight, "labelSmoothing": 0.2}
    reductions("crossEntropy", [x, labels], options)
    record("crossEntropy", [x, torch.tensor([-100, 1, -100, 3, 4, 1])])


def binary():
    # The second derivatives that PyTorch gives to binary_cross_entropy are off by 2e-12 / p: p stays away from 0 and 1.
    probabilities = lambda *shape: 0.1 + 0.8 * torch.rand(shape)
    for shape in ((), (1,), (7,), (3, 4), (2, 3, 1, 2)):
        x, p, y = 3 * torch.randn(shape), probabilities(*shape), torch.rand(shape)
        hard = torch.randint(0, 2, shape).double()
        for target in (y, hard):
            record("binaryCrossEntropy", [p, target], fixed=(1,))
            record("binaryCrossEntropyWithLogits", [x, target], fixed=(1,))
        record("binaryCrossEntropy", [torch.rand(shape), y], second=False)
        record("binaryCrossEntropyWithLogits", [x, y])
    x, p, y = 3 * torch.randn(3, 4), probabilities(3, 4), torch.rand(3, 4)
    for weight in (torch.rand(3, 4), torch.rand(4), torch.rand(3, 1), torch.rand(1)):
        reductions("binaryCrossEntropy", [p, y], {"weight": weight}, fixed=(1,))
        reductions("binaryCrossEntropyWithLogits", [x, y], {"weight": weight}, fixed=(1,))
        reductions("binaryCrossEntropyWithLogits", [x, y], {"weight": weight, "posWeight": 3 * torch.rand(4)}, fixed=(1,))
    edge = torch.tensor([0.0, 0.0, 1.0, 1.0, 1e-13, 1 - 1e-13, 1e-60])
    for target in ([0.0, 1, 0, 1, 1, 0, 0.5], [0.3] * 7):
        reductions("binaryCrossEntropy", [edge, torch.tensor(target)], fixed=(1,), second=False, exact=True)


def likelihood():
    for shape in ((3, 4), (5,), (2, 3, 2)):
        x, y = torch.randn(shape).log_softmax(-1), torch.randn(shape).softmax(-1)
        only = ("mean", "sum", "none", "batchmean")
        reductions("klDiv", [x, y], only=only)
        reductions("klDiv", [x, y.log()], {"logTarget": True}, only=only)
    zeros = torch.tensor([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    reductions("klDiv", [torch.randn(2, 3).log_softmax(1), zeros], fixed=(1,))
    for shape in ((), (6,), (3, 4), (2, 1, 3)):
        x, rate, counts = torch.randn(shape), 4 * torch.rand(shape), torch.poisson(3 * torch.rand(shape))
        for full in (False, True):
            record("poissonNllLoss", [x, counts], {"full": full}, fixed=(1,))
            reductions("poissonNllLoss", [rate, counts], {"full": full, "logInput": False, "eps": 1e-3}, fixed=(1,))
    # No count at 1 or below: there the derivative of PyTorch's approximation jumps.
    reductions("poissonNllLoss", [torch.randn(3, 4), 1.5 + 5 * torch.rand(3, 4)], {"full": True})
    for shape, variance in (((), ()), ((5,), (5,)), ((3, 4), (3, 4)), ((3, 4), (3, 1)), ((3, 4), (3,)), ((2, 1, 3), (2, 1))):
        x, y, v = torch.randn(shape), torch.randn(shape), 0.1 + torch.rand(variance)
        for options in ({}, {"full": True}, {"eps": 0.5}):
            reductions("gaussianNllLoss", [x, y, v], options)


def margins():
    for shape in ((), (1,), (6,), (3, 4)):
        x, y = 2 * torch.randn(shape), signs(*shape)
        reductions("hingeEmbeddingLoss", [x, y], fixed=(1,))
        reductions("softMarginLoss", [x, y], fixed=(1,))
        for margin in (0.0, 0.7):
            reductions("marginRankingLoss", [x, torch.randn(shape), y], {"margin": margin}, fixed=(2,))
    reductions("hingeEmbeddingLoss", [torch.randn(8), torch.tensor([1.0, -1, 0, 2, 1, -1, 0.5, 1])], {"margin": 0.4}, fixed=(1,))
    weight = torch.tensor([0.5, 2.0, 3.0, 1.0])
    for x, labels in ((torch.randn(5, 4), torch.randint(0, 4, (5,))), (torch.randn(1, 4), torch.tensor([3])),
                      (torch.randn(4), torch.tensor(2))):
        for options in ({}, {"p": 2}, {"margin": 0.3}, {"p": 2, "margin": 2.0, "weight": weight}, {"weight": weight}):
            reductions("multiMarginLoss", [x, labels], options, second=False)
    for x, labels in (
        (torch.randn(4), torch.tensor([3, 0, -1, 1])),
        (torch.randn(3, 4), torch.tensor([[3, 0, -1, 1], [-1, 0, 1, 2], [0, 1, 2, 3]])),
        (torch.randn(2, 5), torch.tensor([[2, -1, -1, -1, -1], [4, 4, 1, -1, 0]])),
    ):
        reductions("multilabelMarginLoss", [x, labels], second=False)
    for shape in ((4,), (3, 4), (2, 3, 4)):
        x, y = 3 * torch.randn(shape), torch.rand(shape)
        for options in ({}, {"weight": weight}):
            reductions("multilabelSoftMarginLoss", [x, y], options)


def metric():
    for shape in ((5, 3), (1, 3), (3,), (4, 1)):
        y = signs(*shape[:-1])
        for margin in (0.0, 0.3):
            reductions("cosineEmbeddingLoss", [torch.randn(shape), torch.randn(shape), y], {"margin": margin}, fixed=(2,))
    y = torch.tensor([1.0, -1.0, 0.0])
    record("cosineEmbeddingLoss", [torch.randn(3, 2), torch.randn(3, 2), y], {"reduction": "none"}, fixed=(2,))
    for shape in ((5, 3), (1, 3), (3,)):
        triplet = [torch.randn(shape) for _ in range(3)]
        for options in ({}, {"margin": 3.0}, {"p": 1.0, "margin": 2.0}, {"p": 3.5, "margin": 2.0, "eps": 1e-3},
                        {"swap": True, "margin": 2.0}):
            reductions("tripletMarginLoss", triplet, options)
        for options in ({}, {"margin": 2.5, "swap": True}):
            reductions("tripletMarginWithDistanceLoss", triplet, options)
            distance = lambda a, b: 1 - F.cosine_similarity(a, b, dim=-1)
            function = lambda *inputs, **given: F.triplet_margin_with_distance_loss(
                *inputs, distance_function=distance, **given)
            reductions("tripletMarginWithDistanceLoss", triplet, options, distance="cosine", function=function)


def distances():
    for a, b in (((4, 3), (4, 3)), ((3,), (3,)), ((2, 1, 3), (5, 3)), ((4, 1), (4, 1))):
        for p in (2.0, 1.0, 3.0, 1.5, 0.5, math.inf, -math.inf, 0.0):
            record("pairwiseDistance", [torch.randn(a), torch.randn(b)], {"p": p, "keepdim": p == 3})
        record("pairwiseDistance", [torch.randn(a), torch.randn(b)], {"eps": 0.1})
    for a, b, dim in (((4, 3), (4, 3), 1), ((3,), (3,), 0), ((2, 3, 4), (2, 3, 4), 1), ((2, 1, 3), (5, 3), -1), ((5, 3), (1, 3), 0)):
        record("cosineSimilarity", [torch.randn(a), torch.randn(b)], {"dim": dim})
        record("cosineSimilarity", [1e-3 * torch.randn(a), torch.randn(b)], {"dim": dim, "eps": 0.5})


def ctc():
    def one(time, batch, classes, targets, frames, lengths, options):
        x = torch.randn((time, classes) if batch is None else (time, batch, classes))
        inputs = [x, targets, torch.tensor(frames), torch.tensor(lengths)]
        reductions("ctcLoss", inputs, options, through="logSoftmax", second=False)

    one(6, 3, 5, torch.tensor([[1, 2, 2], [3, 3, 1], [4, 0, 0]]), [6, 5, 4], [3, 2, 1], {})
    one(6, 3, 5, torch.tensor([1, 2, 2, 3, 3, 4]), [6, 5, 4], [3, 2, 1], {})
    one(7, 2, 4, torch.tensor([[0, 1, 1], [2, 0, 2]]), [7, 6], [3, 3], {"blank": 3})
    one(5, 2, 4, torch.tensor([[1, 2], [3, 1]]), [5, 3], [0, 2], {})
    one(5, None, 4, torch.tensor([1, 1, 3]), 5, 3, {})
    one(1, 1, 3, torch.tensor([[2]]), [1], [1], {})
    one(4, 2, 3, torch.tensor([[1, 1, 1], [2, 1, 2]]), [4, 4], [3, 3], {"zeroInfinity": True})
    one(30, 2, 8, torch.randint(1, 8, (2, 12)), [30, 28], [12, 10], {})


def focal():
    # Lin et al. 2017, equation 5; PyTorch itself has none.
    def formula(x, y, alpha=0.25, gamma=2.0, reduction="mean"):
        p = x.sigmoid()
        right, share = p * y + (1 - p) * (1 - y), 1 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
        # For targets between 0 and 1 the logarithm is that of the cross-entropy.
        losses = share * (1 - right) ** gamma * F.binary_cross_entropy_with_logits(x, y, reduction="none")
        return losses if reduction == "none" else getattr(losses, reduction)()

    for shape in ((), (5,), (3, 4), (2, 1, 3)):
        x = 2 * torch.randn(shape)
        for y in (torch.randint(0, 2, shape).double(), torch.rand(shape)):
            for options in ({}, {"alpha": 0.7, "gamma": 1.0}, {"alpha": None, "gamma": 3.5, "reduction": "none"},
                            {"gamma": 0.0, "reduction": "sum"}):
                record("focalLoss", [x, y], options, fixed=(1,), function=formula)


for part in (regression, classes, binary, likelihood, margins, metric, distances, ctc, focal):
    part()

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.json.gz")
text = json.dumps({"torch": torch.__version__, "cases": cases}, separators=(",", ":"))
with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
    packed.write(text.encode())
print(len(cases), "cases,", os.path.getsize(path), "bytes")
