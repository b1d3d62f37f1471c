"""The kernels of benchmarks/kernels/kinds.ts, by their names there: what PyTorch does for each."""
import itertools

import torch
import torch.nn.functional as F

FUNCTIONS = {
    "add": lambda x: x + 1,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sigmoid": torch.sigmoid,
    "softplus": F.softplus,
    "sin": torch.sin,
    "cos": torch.cos,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "pow": lambda x: torch.pow(x, 1.7),
    "relu": torch.relu,
}


def swapped(x, swap):
    return x.transpose(-2, -1) if swap else x


def matmul(a, b, transposeA=False, transposeB=False):
    return swapped(a, transposeA) @ swapped(b, transposeB)


def conv2d(x, weight, stride, padding, groups):
    return torch.conv2d(x, weight, None, stride, padding, 1, groups)


def conv_backward(g, x, weight, stride, padding, groups, wanted):
    return torch.ops.aten.convolution_backward(
        g, x, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, wanted
    )


def conv2d_input_grad(g, weight, size, stride, padding, groups):
    x = torch.empty(g.shape[0], weight.shape[1] * groups, size, size)
    return lambda: conv_backward(g, x, weight, stride, padding, groups, [True, False, False])[0]


def conv2d_weight_grad(g, x, size, stride, padding, groups):
    weight = torch.empty(g.shape[1], x.shape[1] // groups, size, size)
    return lambda: conv_backward(g, x, weight, stride, padding, groups, [False, True, False])[1]


KINDS = {
    "matmul": matmul,
    "conv2d": conv2d,
    "batchNorm": lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True),
    "layerNorm": lambda x, weight, bias: F.layer_norm(x, x.shape[-1:], weight, bias),
    "maxPool2d": lambda x, size, stride, padding: F.max_pool2d(x, size, stride, padding),
    "avgPool2d": lambda x, size, stride, padding: F.avg_pool2d(x, size, stride, padding),
    "crossEntropy": lambda logits, labels, classes: F.cross_entropy(logits, labels),
    "sum": lambda x, dim: torch.sum(x, dim),
    "max": lambda x, dim: torch.amax(x, dim),
    "function": lambda x, function: FUNCTIONS[function](x),
}
# These need tensors that nobody looks at, made once.
GRADIENTS = {"conv2dInputGrad": conv2d_input_grad, "conv2dWeightGrad": conv2d_weight_grad}


def inputs_of(request):
    tensors = []
    for i, shape in enumerate(request["inputs"]):
        if request["kind"] == "crossEntropy" and i == 1:
            tensors.append(torch.arange(shape[0]) * 7919 % request["options"]["classes"])
        else:
            x = torch.randn(shape)
            tensors.append(x.abs() + 0.5 if request["kind"] == "function" else x)
    return tensors


def call_of(request):
    """One call on one set of inputs."""
    kind, options = request["kind"], request["options"]
    inputs = inputs_of(request)
    if kind in GRADIENTS:
        return GRADIENTS[kind](*inputs, **options)
    run = KINDS[kind]
    if not request["training"]:

        def forward():
            with torch.no_grad():
                return run(*inputs, **options)

        return forward
    floats = [x.requires_grad_() for x in inputs if x.is_floating_point()]

    def training():
        y = run(*inputs, **options)
        return torch.autograd.grad(y, floats, y.detach())

    return training


def kernel(request):
    calls = itertools.cycle([call_of(request) for _ in range(request["copies"])])
    return lambda: next(calls)(), {}
