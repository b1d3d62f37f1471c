"""Records what the networks of lib/models give in PyTorch 1.13 with float64: keys and shapes of the state dict, outputs, and
of small ones gradients of <cotangent, outputs>; and one small file of weights. Weights, inputs and cotangents come from
networks/formula.py, so none of them is recorded.

    /usr/bin/python3 test/reference/models.py    # writes models.json.gz and cifar8.safetensors beside this file
"""
import gzip
import json
import os

import torch

from networks import formula, safetensors, twins

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_default_dtype(torch.float64)
cases = []


def outputs(y, every=1):
    """Their shape and, of many, every so many-th number."""
    return {"shape": list(y.shape), "every": every, "data": y.detach().reshape(-1)[::every].tolist()}


def record(tier, name, args, shape, training=False, gradients=False):
    """`tier` says where it is cheap enough to run: 'both' backends, 'native', or 'full', the exhaustive tests."""
    model = formula.set_weights(twins.build(name, args)).train(training)
    x = formula.tokens(shape, args[0]["vocabSize"]) if name == "GPT" else formula.images(shape)
    with torch.set_grad_enabled(gradients):
        y = model(x)
    sums = None
    if gradients:
        (y * formula.spread(formula.INPUT + 1, y.shape)).sum().backward()
        # Of each parameter's gradient its sum and the sum of its squares.
        sums = {k: [p.grad.sum().item(), (p.grad**2).sum().item()] for k, p in model.named_parameters()}
    keys = [[key, list(value.shape)] for key, value in model.state_dict().items()]
    every = 1 if y.numel() <= 4096 else 101
    cases.append({"tier": tier, "name": name, "args": args, "shape": shape, "training": training, "keys": keys,
                  "y": outputs(y, every), "gradients": sums})
    print(tier, name, json.dumps(args), flush=True)


record("both", "mlp", [[12, 8, 8, 5]], [3, 12], gradients=True)
record("both", "LeNet", [], [2, 1, 28, 28], gradients=True)
record("both", "LeNet", [{"imageShape": [1, 8, 8]}], [2, 1, 8, 8], gradients=True)
record("both", "LeNet", [{"imageShape": [3, 17, 14], "numClasses": 5}], [2, 3, 17, 14], gradients=True)
for residual in [True, False]:
    record("both", "CifarNet", [14, {"width": 4, "residual": residual}], [2, 3, 9, 8], True, True)
    record("both", "CifarNet", [20, {"residual": residual}], [1, 3, 32, 32])
    record("both", "CifarNet", [56, {"residual": residual}], [1, 3, 32, 32])
for bias in [True, False]:
    options = {"vocabSize": 11, "blockSize": 6, "nLayer": 2, "nHead": 2, "nEmbd": 8, "dropout": 0, "bias": bias}
    record("both", "GPT", [options], [3, 5], True, True)
for stem, shape in [("imagenet", [2, 3, 33, 32]), ("cifar", [1, 3, 9, 8])]:
    for block in ["BasicBlock", "Bottleneck"]:
        record("native", "ResNet", [block, [1, 1, 1, 1], {"numClasses": 7, "stem": stem}], shape, gradients=True)
record("native", "VGG.features", [11], [1, 3, 32, 32])
record("native", "VGG.features", [11, {"batchNorm": True}], [1, 3, 32, 32])
record("native", "mobilenetV2", [{"widthMult": 0.25, "numClasses": 5}], [2, 3, 32, 32], gradients=True)

for name in ["resnet18", "resnet34", "resnet50"]:
    record("full", name, [], [1, 3, 224, 224])
    record("full", name, [{"stem": "cifar", "numClasses": 10}], [2, 3, 32, 32])
record("full", "VGG", [11], [1, 3, 224, 224])
for depth in [11, 13, 16, 19]:
    record("full", "VGG", [depth], [1, 3, 32, 32])
record("full", "VGG", [16, {"batchNorm": True}], [1, 3, 32, 32])
record("full", "mobilenetV2", [], [2, 3, 224, 224])
record("full", "GPT", [{"vocabSize": 50257, "dropout": 0}], [1, 8])

# A file as PyTorch's users have them: float32, statistics after a step of training.
recipe = ["CifarNet", [8, {"width": 2}]]
model = formula.set_weights(twins.build(*recipe).float()).train()
model(formula.images([2, 3, 8, 8]).float())
file = {"name": recipe[0], "args": recipe[1], "shape": [2, 3, 8, 8]}
safetensors.write(os.path.join(HERE, "cifar8.safetensors"), model.state_dict(), {"format": "pt"})
file["y"] = outputs(model.double().eval()(formula.images([2, 3, 8, 8])))

path = os.path.join(HERE, "models.json.gz")
text = json.dumps({"cases": cases, "file": file}, separators=(",", ":")).encode()
with open(path, "wb") as out:
    out.write(gzip.compress(text, 9, mtime=0))
print(len(cases), "networks,", os.path.getsize(path), "bytes")
