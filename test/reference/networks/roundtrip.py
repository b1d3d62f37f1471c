"""Reads safetensors files that saddlepoint wrote into networks of PyTorch, and writes what these give. The metadata of a file
say which network it is, {"network": "[\\"resnet18\\", []]"}, and of what shape its input: {"input": "[1, 3, 32, 32]"}.

    /usr/bin/python3 test/reference/networks/roundtrip.py FILE.safetensors ...

Beside each FILE there are then FILE.outputs, with the tensor `y` that the network in evaluation mode gives for the input of
formula.py, and FILE.again, the network's own state dict, in the order and with the metadata of FILE. A key, a shape or a
dtype that PyTorch does not expect ends the command with its message.
"""
import json
import sys

import torch

import formula
import safetensors
import twins

for path in sys.argv[1:]:
    tensors, metadata = safetensors.read(path)
    name, args = json.loads(metadata["network"])
    shape = json.loads(metadata["input"])
    dtype = next(x.dtype for x in tensors.values() if x.is_floating_point())
    torch.set_default_dtype(dtype)
    model = twins.build(name, args).eval()
    for key, value in model.state_dict().items():
        if key in tensors and tensors[key].dtype != value.dtype:
            sys.exit(f"{path}: {key} is {tensors[key].dtype}, PyTorch has {value.dtype}")
    model.load_state_dict(tensors, strict=True)
    x = formula.tokens(shape, args[0]["vocabSize"]) if name == "GPT" else formula.images(shape).to(dtype)
    with torch.no_grad():
        safetensors.write(f"{path}.outputs", {"y": model(x)}, {})
    safetensors.write(f"{path}.again", model.state_dict(), metadata)
