"""PyTorch as a peer of the benchmarks.

    /usr/bin/python3 torch_peer.py THREADS
"""
import os
import re
import sys

from serve import Unsupported, missing, serve

try:
    import torch
except ImportError as error:
    missing(error)

import torch_kernels
import torch_models


def about():
    torch.mm(torch.ones(9, 9), torch.ones(9, 9))
    with open("/proc/self/maps") as maps:
        files = {os.path.basename(os.path.realpath(line.split()[-1])) for line in maps}
    # Debian's libblas.so.3 may be a shell around another one.
    blas = sorted(file for file in files if re.match("lib(openblas|blis|mkl_core|atlas)", file))
    blas = blas or sorted(file for file in files if file.startswith("libblas"))
    onednn = re.search(r"MKL-DNN v([\d.]+)", torch.__config__.show())
    return {
        "version": torch.__version__,
        "with": f"BLAS {', '.join(blas) or 'unknown'}; oneDNN {onednn.group(1) if onednn else 'none'}",
    }


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def train(request):
    model, step = torch_models.trainer(request["model"], request["batch"])
    return step, {"parameters": parameters(model)}


def infer(request):
    model = torch_models.build(request["model"]).eval()
    x, _ = torch_models.batch(request["model"], request["batch"])

    def call():
        with torch.no_grad():
            return model(x)

    return call, {"parameters": parameters(model)}


def add(request):
    x, y = torch.ones(request["size"]), torch.ones(request["size"])
    return lambda: torch.add(x, y), {}


def adam(request):
    parameter = torch.nn.Parameter(torch.full([request["size"]], 0.5))
    parameter.grad = torch.full([request["size"]], 0.25)
    return torch.optim.Adam([parameter], lr=1e-3).step, {}


def chain(request):
    """In place, as whoever wants it fast writes it."""
    x = torch.full([request["size"]], 0.5)

    def call():
        x.mul_(0.5).add_(0.25).neg_().abs_().mul_(0.9).add_(0.1).sub_(0.05).clamp_(min=0.2).clamp_(max=0.8).mul_(1.1)

    return call, {}


def export(request):
    model = torch_models.build(request["model"]).eval()
    x, _ = torch_models.batch(request["model"], request["batch"])
    partial = f"{request['file']}.{os.getpid()}"
    torch.onnx.export(model, x, partial, input_names=["x"], output_names=["logits"])
    os.replace(partial, request["file"])
    return {}


TASKS = {"train": train, "infer": infer, "add": add, "adam": adam, "chain": chain, "kernel": torch_kernels.kernel}


def open_task(request):
    if request["task"] not in TASKS:
        raise Unsupported(f"it has no task {request['task']}")
    return TASKS[request["task"]](request)


def numbers(request):
    return torch_models.numbers(request["model"], request["batch"], request["steps"])


torch.set_num_threads(int(sys.argv[1]))
serve(about, open_task, {"export": export, "numbers": numbers})
