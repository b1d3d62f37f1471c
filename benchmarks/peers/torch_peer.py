"""PyTorch as a peer of the benchmarks: answers each line of stdin, a JSON object, by one on stdout. peer.ts has the protocol.

    /usr/bin/python3 torch_peer.py THREADS
"""
import json
import os
import re
import sys
import time

try:
    import torch
except ImportError as error:
    print(json.dumps({"missing": str(error)}), flush=True)
    sys.exit(0)

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
current = None


def answer(request):
    global current
    kind = request["call"]
    if kind == "about":
        return about()
    if kind == "open":
        current = None
        if request["task"] not in TASKS:
            return {"unsupported": f"it has no task {request['task']}"}
        current, result = TASKS[request["task"]](request)
        return result
    if kind == "time":
        # As measure.ts does it: more than one are preceded by one that does not count.
        if request["count"] > 1:
            current()
        start = time.perf_counter()
        for _ in range(request["count"]):
            current()
        return {"seconds": (time.perf_counter() - start) / request["count"]}
    if kind == "export":
        return export(request)
    if kind == "numbers":
        return torch_models.numbers(request["model"], request["batch"], request["steps"])
    raise ValueError(f"unknown call {kind}")


torch.set_num_threads(int(sys.argv[1]))
# Exporters and warnings may print: only answers go to the harness.
output, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    try:
        reply = answer(json.loads(line))
    except Exception as error:  # Whatever it is, the harness decides.
        reply = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(reply), file=output, flush=True)
