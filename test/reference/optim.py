"""Records torch.optim 1.13 in float64: trajectories of the optimizers, rates of the schedules, clipped gradients.

    python3 test/reference/optim.py    # writes optim.json.gz beside this file

An optimizer's case is 50 steps of two parameters, [3, 4] and [5], along gradients that are recorded too; the parameters
are kept after some of the steps. LBFGS follows the gradient of functions that the test has as well. A schedule's case is
the rate, and the momentum or beta 1 where there is one, of each of two groups at 100 steps. Refusals are the options of each
optimizer for which its constructor raises ValueError.
"""
import gzip
import json
import math
import os
import re

import torch
from torch.optim import lr_scheduler as schedules
from torch.optim.swa_utils import SWALR

torch.manual_seed(1304)
torch.set_default_dtype(torch.float64)

STEPS = 50
KEPT = [1, 2, 3, 7, 20, 50]
SHAPES = [[3, 4], [5]]


def short(x):
    """Numbers of few digits."""
    return (x * 1024).round() / 1024


def encode(x):
    return {"shape": list(x.shape), "dtype": "float64", "data": x.detach().reshape(-1).tolist()}


def snake(name):
    return re.sub("[A-Z]", lambda capital: "_" + capital.group().lower(), name)


starts = [short(torch.randn(shape)) for shape in SHAPES]
# Of all sizes, with a sign that keeps for some elements and changes for others; some are 0.
scales = [short(10 ** (2 * torch.rand(shape) - 1)) for shape in SHAPES]
gradients = []
for step in range(STEPS):
    drawn = [short((torch.randn(shape) + 0.7) * scale) for shape, scale in zip(SHAPES, scales)]
    drawn[1][4] = 0.0 if step < 3 else drawn[1][4]
    gradients.append(drawn)

CASES = {
    "SGD": [
        {"lr": 0.1},
        {"lr": 0.1, "momentum": 0.9},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.4, "weightDecay": 0.1},
        {"lr": 0.1, "momentum": 0.8, "nesterov": True, "maximize": True},
    ],
    "Adam": [{}, {"lr": 0.1, "betas": [0.5, 0.9], "eps": 1e-3, "weightDecay": 0.1}, {"lr": 0.1, "amsgrad": True, "maximize": True}],
    "AdamW": [{}, {"lr": 0.1, "betas": [0.5, 0.9], "eps": 1e-3, "weightDecay": 0.1}, {"lr": 0.1, "amsgrad": True, "maximize": True}],
    "Adagrad": [{}, {"lr": 0.1, "lrDecay": 0.05, "weightDecay": 0.1, "initialAccumulatorValue": 0.5, "eps": 1e-3}, {"lr": 0.1, "maximize": True}],
    "RMSprop": [
        {},
        {"lr": 0.05, "alpha": 0.8, "eps": 1e-3, "weightDecay": 0.1},
        {"lr": 0.05, "momentum": 0.9},
        {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "centered": True, "eps": 1e-2, "maximize": True},
    ],
    "Adamax": [{}, {"lr": 0.1, "betas": [0.5, 0.9], "eps": 1e-3, "weightDecay": 0.1, "maximize": True}],
    "NAdam": [{}, {"lr": 0.1, "betas": [0.5, 0.9], "eps": 1e-3, "weightDecay": 0.1, "momentumDecay": 0.1}],
    "RAdam": [{}, {"lr": 0.1, "betas": [0.5, 0.9], "eps": 1e-3, "weightDecay": 0.1}],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.5, "eps": 1e-3, "weightDecay": 0.1, "maximize": True}],
    "Rprop": [{}, {"lr": 0.1, "etas": [0.3, 1.7], "stepSizes": [0.02, 0.5], "maximize": True}],
    "ASGD": [{}, {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 10, "weightDecay": 0.1, "maximize": True}],
}
# Options of the second parameter's group, where it has one of its own.
SECOND = {name: all_options[1] for name, all_options in CASES.items()}
# PyTorch takes this one from the constructor alone.
SECOND["Adagrad"] = {key: value for key, value in SECOND["Adagrad"].items() if key != "initialAccumulatorValue"}
# Its plain form of 1.13 has a factor too much; the other one is the documented formula.
EXTRA = {"NAdam": {"foreach": True}}


def words(options):
    return {snake(key): tuple(value) if isinstance(value, list) else value for key, value in options.items()}


def trajectory(name, options, second=None):
    parameters = [torch.nn.Parameter(start.clone()) for start in starts]
    given = words(options)
    if name == "SGD":
        given.setdefault("lr", 1e-3)
    groups = [{"params": parameters[:1]}, {"params": parameters[1:], **words(second or {})}]
    optimizer = getattr(torch.optim, name)(parameters if second is None else groups, **given, **EXTRA.get(name, {}))
    kept = []
    for step, drawn in enumerate(gradients, 1):
        for parameter, gradient in zip(parameters, drawn):
            parameter.grad = gradient.clone()
        optimizer.step()
        if step in KEPT:
            kept.append([encode(parameter) for parameter in parameters])
    state = {
        key: float(value) if not torch.is_tensor(value) or value.dim() == 0 else encode(value)
        for key, value in optimizer.state_dict()["state"].get(0, {}).items()
        if value is not None
    }
    return {"name": name, "options": options, "second": second, "kept": kept, "state": state}


optimizers = [trajectory(name, options) for name, all_options in CASES.items() for options in all_options]
optimizers += [trajectory(name, all_options[0], SECOND[name]) for name, all_options in CASES.items()]


def refusals(name):
    """Every numeric option, and every element of those that are several numbers, set to what may be impossible."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    make = getattr(torch.optim, name)
    defaults = make([parameter], **({"lr": 0.1} if name == "SGD" else {})).defaults
    refused = []
    for key, default in defaults.items():
        if isinstance(default, bool) or not isinstance(default, (int, float, tuple)):
            continue
        several = isinstance(default, tuple)
        for index in range(len(default) if several else 1):
            for wrong in [-1.0, 1.0, math.nan]:
                value = tuple(wrong if i == index else old for i, old in enumerate(default)) if several else wrong
                try:
                    make([parameter], **{"lr": 0.1, key: value})
                except ValueError:
                    shown = lambda x: "nan" if math.isnan(x) else x
                    refused.append({"name": name, "option": key, "value": [shown(x) for x in value] if several else shown(value)})
    return refused


refused = [refusal for name in CASES for refusal in refusals(name)]


def valley(x, y):
    """Rosenbrock's function in x (two elements), and a quartic bowl in y (a 2 by 2 matrix)."""
    center = torch.tensor([[1.0, -2.0], [0.5, 3.0]])
    bowl = ((y - center) ** 2 * torch.tensor([[1.0, 10.0], [0.3, 2.0]])).sum() + ((y - center) ** 4).sum()
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2 + bowl


def bowl(x, y):
    """Strictly convex, with curvatures from 1 to some 20 times as much, in x (12 elements) and y (3 elements)."""
    steepness = torch.arange(1.0, 13.0)
    quartic = (x**4).sum() / 16 + ((y - 1) ** 4).sum() / 4
    return (steepness * (x - 1) ** 2).sum() / 2 + ((y + 2) ** 2).sum() + quartic + (x.sum() + y.sum()) ** 2 / 8


FUNCTIONS = {
    "valley": (valley, torch.tensor([-1.2, 1.0]), torch.tensor([[0.0, 0.5], [1.0, -1.0]])),
    "bowl": (bowl, torch.arange(-6.0, 6.0) / 4, torch.tensor([3.0, -1.0, 0.5])),
}


def lbfgs(function, options, steps, scale=1.0):
    f, first_x, first_y = FUNCTIONS[function]
    x, y = (torch.nn.Parameter(first * scale) for first in (first_x, first_y))
    given = {snake(key): snake(value) if isinstance(value, str) else value for key, value in options.items()}
    optimizer = torch.optim.LBFGS([x, y], **given)

    def closure():
        optimizer.zero_grad()
        loss = f(x, y)
        loss.backward()
        return loss

    kept = []
    for _ in range(steps):
        loss = float(optimizer.step(closure))
        kept.append({"loss": loss, "x": encode(x), "y": encode(y)})
    state = optimizer.state_dict()["state"][0]
    return {"function": function, "options": options, "kept": kept, "evaluations": state["func_evals"], "iterations": state["n_iter"]}


def distance(one, other):
    """Of all losses and parameters, relative to the largest element of each."""
    errors = []
    for a, b in zip(one["kept"], other["kept"]):
        errors.append(abs(a["loss"] - b["loss"]) / abs(a["loss"]))
        for name in "xy":
            p, q = torch.tensor(a[name]["data"]), torch.tensor(b[name]["data"])
            errors.append(float((p - q).abs().max() / p.abs().max()))
    return max(errors)


SEARCHES = [
    # Steep walls and a flat floor: differences of gradients cancel, so that each iteration multiplies what rounding did.
    ("valley", {"lr": 0.005, "maxIter": 4}, 6),
    ("valley", {"lr": 0.01, "maxIter": 3, "historySize": 2}, 6),
    ("valley", {"lineSearchFn": "strongWolfe", "maxIter": 4}, 5),
    ("valley", {"lineSearchFn": "strongWolfe", "maxIter": 20, "historySize": 3, "maxEval": 9}, 2),
    # Well conditioned: 50 steps are as exact as one.
    ("bowl", {"lr": 0.02, "maxIter": 1}, 50),
    ("bowl", {"lr": 0.02, "maxIter": 4, "maxEval": 3, "historySize": 2}, 50),
    ("bowl", {"lr": 0.05, "maxIter": 3, "toleranceGrad": 0.1, "toleranceChange": 0.01}, 50),
    ("bowl", {"lr": 0.5, "maxIter": 1, "historySize": 3, "lineSearchFn": "strongWolfe"}, 50),
    ("bowl", {"maxIter": 2, "maxEval": 5, "historySize": 1, "toleranceGrad": 1e-4, "lineSearchFn": "strongWolfe"}, 50),
]


def search(function, options, steps):
    """With how far a change of the last bit of where it starts moves PyTorch itself: what no other order of sums can beat."""
    recorded = lbfgs(function, options, steps)
    moved = max(distance(recorded, lbfgs(function, options, steps, 1 + sign * 2.3e-16)) for sign in (-1, 1))
    return {**recorded, "moved": moved}


searches = [search(*given) for given in SEARCHES]

RATES = {
    "LambdaLR": lambda o: schedules.LambdaLR(o, [lambda t: 0.95**t, lambda t: 1 / (1 + t)]),
    "MultiplicativeLR": lambda o: schedules.MultiplicativeLR(o, [lambda t: 0.95, lambda t: t / (t + 1)]),
    "StepLR": lambda o: schedules.StepLR(o, 7, gamma=0.5),
    "MultiStepLR": lambda o: schedules.MultiStepLR(o, [5, 5, 30, 71], gamma=0.3),
    "ConstantLR": lambda o: schedules.ConstantLR(o, factor=0.2, total_iters=11),
    "LinearLR": lambda o: schedules.LinearLR(o, start_factor=0.1, end_factor=0.7, total_iters=40),
    "ExponentialLR": lambda o: schedules.ExponentialLR(o, 0.97),
    "PolynomialLR": lambda o: schedules.PolynomialLR(o, total_iters=60, power=1.7),
    "CosineAnnealingLR": lambda o: schedules.CosineAnnealingLR(o, 23, eta_min=0.01),
    "CosineAnnealingWarmRestarts": lambda o: schedules.CosineAnnealingWarmRestarts(o, 9, T_mult=2, eta_min=0.01),
    "CosineAnnealingWarmRestarts equal": lambda o: schedules.CosineAnnealingWarmRestarts(o, 9),
    "CyclicLR": lambda o: schedules.CyclicLR(o, [0.01, 0.02], [0.5, 0.3], step_size_up=8, step_size_down=13),
    "CyclicLR triangular2": lambda o: schedules.CyclicLR(o, 0.01, 0.5, step_size_up=8, mode="triangular2", base_momentum=0.5, max_momentum=0.95),
    "CyclicLR expRange": lambda o: schedules.CyclicLR(o, 0.01, 0.5, step_size_up=8, mode="exp_range", gamma=0.98, cycle_momentum=False),
    "CyclicLR scaleFn": lambda o: schedules.CyclicLR(o, 0.01, 0.5, step_size_up=8, scale_fn=lambda t: 1 / (1 + t), scale_mode="iterations"),
    "OneCycleLR": lambda o: schedules.OneCycleLR(o, [0.5, 0.3], total_steps=100),
    "OneCycleLR threePhase": lambda o: schedules.OneCycleLR(
        o, 0.5, epochs=10, steps_per_epoch=10, pct_start=0.4, anneal_strategy="linear", three_phase=True, div_factor=10.0, final_div_factor=50.0
    ),
    "OneCycleLR Adam": lambda o: schedules.OneCycleLR(o, 0.5, total_steps=120, base_momentum=0.7, max_momentum=0.9),
    "OneCycleLR momentum kept": lambda o: schedules.OneCycleLR(o, 0.5, total_steps=100, cycle_momentum=False),
    "SequentialLR": lambda o: schedules.SequentialLR(
        o,
        [schedules.LinearLR(o, total_iters=10), schedules.CosineAnnealingLR(o, 40), schedules.ExponentialLR(o, 0.9)],
        [10, 50],
    ),
    "ChainedScheduler": lambda o: schedules.ChainedScheduler(
        [schedules.ConstantLR(o, factor=0.1, total_iters=20), schedules.ExponentialLR(o, 0.98), schedules.StepLR(o, 30)]
    ),
    "SWALR": lambda o: SWALR(o, [0.01, 0.7], anneal_epochs=15),
    "SWALR linear": lambda o: SWALR(o, 0.05, anneal_epochs=15, anneal_strategy="linear"),
}
PLATEAUS = {
    "min": {"factor": 0.5, "patience": 3, "cooldown": 2, "minLr": [0.01, 0.2]},
    "max abs": {"mode": "max", "thresholdMode": "abs", "threshold": 0.05, "patience": 0, "factor": 0.8},
    "eps": {"patience": 1, "eps": 0.01, "factor": 0.7},
}


def groups(kind="SGD"):
    a, b = (torch.nn.Parameter(torch.zeros(1)) for _ in range(2))
    parameters = [{"params": [a]}, {"params": [b], "lr": 0.4}]
    if kind == "Adam":
        return torch.optim.Adam(parameters, lr=0.1)
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def seen(optimizer):
    return [[group["lr"], group["betas"][0] if "betas" in group else group["momentum"]] for group in optimizer.param_groups]


rates = {}
for name, make in RATES.items():
    optimizer = groups("Adam" if "Adam" in name else "SGD")
    scheduler = make(optimizer)
    rates[name] = []
    for step in range(100):
        rates[name].append(seen(optimizer))
        optimizer.step()
        if step < 99:
            scheduler.step()

metrics = [round(math.exp(-0.05 * t) + 0.3 * math.sin(0.7 * t), 4) for t in range(100)]
plateaus = []
for options in PLATEAUS.values():
    optimizer = groups()
    scheduler = schedules.ReduceLROnPlateau(optimizer, **{snake(key): value for key, value in options.items()})
    row = []
    for metric in metrics:
        scheduler.step(metric)
        row.append([group["lr"] for group in optimizer.param_groups])
    plateaus.append({"options": options, "rates": row})


def clipped(max_norm, norm_type):
    parameters = [torch.nn.Parameter(start.clone()) for start in starts]
    for parameter, gradient in zip(parameters, gradients[7]):
        parameter.grad = gradient.clone()
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm, norm_type)
    grads = [encode(parameter.grad) for parameter in parameters]
    return {"maxNorm": max_norm, "normType": norm_type if math.isfinite(norm_type) else "inf", "norm": float(norm), "gradients": grads}


clips = [clipped(1.5, 2.0), clipped(1e3, 2.0), clipped(2.0, 1.0), clipped(0.5, math.inf), clipped(1.0, 3.5)]

recording = {
    "kept": KEPT,
    "starts": [encode(start) for start in starts],
    "gradients": [[encode(gradient) for gradient in drawn] for drawn in gradients],
    "optimizers": optimizers,
    "refused": refused,
    "searches": searches,
    "rates": rates,
    "metrics": metrics,
    "plateaus": plateaus,
    "clips": clips,
}
for row in searches:
    print(row["function"], row["options"], "moved by", row["moved"], "evaluations", row["evaluations"])
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "optim.json.gz")
with open(path, "wb") as file:
    with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(json.dumps(recording, separators=(",", ":")).encode())
