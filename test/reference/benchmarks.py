"""Records what the models of the benchmarks give in float64: logits, losses of steps of Adam, logits after them.

    python3 test/reference/benchmarks.py    # writes benchmarks.json.gz beside this file
"""
import gzip
import json
import os
import sys

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "..", "benchmarks", "peers"))
import torch_models

BATCH, STEPS = 3, 3
models = {name: torch_models.numbers(name, BATCH, STEPS) for name in torch_models.MODELS}
recording = {"batch": BATCH, "steps": STEPS, "models": models}
with open(os.path.join(here, "benchmarks.json.gz"), "wb") as file:
    file.write(gzip.compress(json.dumps(recording).encode(), mtime=0))
