"""What benchmarks/memory.mjs does, in PyTorch.

    /usr/bin/python3 torch_memory.py THREADS
"""
import resource
import sys

import torch

import torch_models

BATCH, STEPS = 32, 6


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


torch.set_num_threads(int(sys.argv[1]))
imported = peak()
model = torch_models.MODELS["resnet18"][0]().train()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
x = torch.randn(BATCH, 3, 32, 32)
labels = torch.arange(BATCH) % 10
for _ in range(STEPS):
    optimizer.zero_grad(set_to_none=True)
    loss = torch.nn.functional.cross_entropy(model(x), labels)
    loss.backward()
    optimizer.step()
    loss.item()
print(peak() - imported)
