"""Records recurrent, attention, transformer, embedding and bilinear layers of torch.nn 1.13 in float64: state-dict keys,
outputs, gradients of inputs and parameters, and products with the Hessian.

    python3 test/reference/sequence.py    # writes sequence.json.gz beside this file

A case names the class, its arguments and options as saddlepoint takes them, its state, its inputs, its outputs, a cotangent
of each output, and the gradients of <cotangents, outputs>; then, with entry i of the j-th direction sin(0.9 i + j), what
<directions, gradients> has as gradients: of inputs in full, of each parameter the sum and the sum of squares.
"""
import gzip
import json
import math
import os

import torch
from torch import nn

torch.manual_seed(1719)
torch.set_default_dtype(torch.float64)
DTYPES = {torch.float64: "float64", torch.int64: "int64", torch.int32: "int32", torch.bool: "bool"}
cases = []


def short(x):
    """A copy whose numbers take few digits."""
    return (x.detach() * 64).round() / 64 if x.is_floating_point() else x


def rand(*shape):
    return short(torch.randn(*shape)).requires_grad_()


def flat(x):
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, (list, tuple)):
        return [t for item in x for t in flat(item)]
    if isinstance(x, dict):
        return [t for item in x.values() for t in flat(item)]
    return []


def encode(x):
    if isinstance(x, torch.Tensor):
        data = [v if math.isfinite(v) else str(v) for v in x.detach().reshape(-1).tolist()]
        return {"shape": list(x.shape), "dtype": DTYPES[x.dtype], "data": data}
    if isinstance(x, (list, tuple)):
        return [encode(item) for item in x]
    if isinstance(x, dict):
        return {key: encode(value) for key, value in x.items()}
    return x


def second(grads, wanted, inputs, names):
    directions = [torch.sin(0.9 * torch.arange(x.numel()) + j).reshape(x.shape) for j, x in enumerate(wanted)]
    total = sum((u * g).sum() for u, g in zip(directions, grads) if g is not None)
    if not total.requires_grad:
        return None
    try:
        found = torch.autograd.grad(total, wanted, allow_unused=True)
    except RuntimeError:  # PyTorch has no rule for it.
        return None
    full = [g if g is not None else torch.zeros_like(x) for g, x in zip(found, wanted)]
    sums = {k: [g.sum().item(), (g**2).sum().item()] for k, g in zip(names, full[inputs:])}
    return {"inputs": encode(full[:inputs]), "parameters": sums}


def record(name, args, options, layer, inputs, call=None, key=None):
    """`inputs` are as saddlepoint's forward takes them, `call` passes them to PyTorch's."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(short(parameter * 1.5))
    state = {k: v.detach().clone() for k, v in layer.state_dict().items()}
    outputs = flat((call or layer)(*inputs))
    cotangents = [short(torch.randn_like(y)) for y in outputs]
    total = sum((y * v).sum() for y, v in zip(outputs, cotangents))
    leaves = [x for x in flat(inputs) if x.requires_grad]
    wanted = leaves + list(layer.parameters())
    grads = torch.autograd.grad(total, wanted, allow_unused=True, create_graph=True)
    hessian = second(grads, wanted, len(leaves), [k for k, _ in layer.named_parameters()])
    zero = [g if g is not None else torch.zeros_like(x) for g, x in zip(grads, wanted)]
    cases.append(
        {
            "title": key or name,
            "name": name,
            "args": args,
            "options": options,
            "state": encode(state),
            "inputs": encode(inputs),
            "outputs": encode(outputs),
            "cotangents": encode(cotangents),
            "inputGrads": encode(zero[: len(leaves)]),
            "parameterGrads": {k: encode(g) for (k, _), g in zip(layer.named_parameters(), zero[len(leaves) :])},
            "second": hessian,
            "stateAfter": encode(dict(layer.state_dict())) if "maxNorm" in options else None,
        }
    )


SNAKE = {"numLayers": "num_layers", "batchFirst": "batch_first", "projSize": "proj_size", "addBiasKv": "add_bias_kv",
         "addZeroAttn": "add_zero_attn", "dimFeedforward": "dim_feedforward", "normFirst": "norm_first",
         "layerNormEps": "layer_norm_eps", "paddingIdx": "padding_idx", "maxNorm": "max_norm", "normType": "norm_type",
         "scaleGradByFreq": "scale_grad_by_freq", "includeLastOffset": "include_last_offset", "dModel": "d_model",
         "numEncoderLayers": "num_encoder_layers", "numDecoderLayers": "num_decoder_layers"}


def make(name, args, options):
    return getattr(nn, name)(*args, **{SNAKE.get(k, k): v for k, v in options.items()})


# ---- recurrent layers

for name in ["RNN", "LSTM", "GRU"]:
    is_lstm = name == "LSTM"
    for options, unbatched, has_state in [
        ({}, False, False),
        ({"numLayers": 2, "bidirectional": True, "batchFirst": True}, False, True),
        ({"numLayers": 3, "bias": False}, False, True),
        ({"bidirectional": True}, True, True),
        ({"projSize": 2, "numLayers": 2, "bidirectional": True}, False, True),
        ({"nonlinearity": "relu", "numLayers": 2}, False, True),
    ]:
        if ("projSize" in options and not is_lstm) or ("nonlinearity" in options and name != "RNN"):
            continue
        layer = make(name, [3, 4], options)
        time, batch = 5, 2
        x = rand(time, 3) if unbatched else rand(batch, time, 3) if options.get("batchFirst") else rand(time, batch, 3)
        count = options.get("numLayers", 1) * (2 if options.get("bidirectional") else 1)
        middle = [] if unbatched else [batch]
        h = rand(count, *middle, options.get("projSize", 4))
        state = ([h, rand(count, *middle, 4)] if is_lstm else h) if has_state else None
        call = lambda x, s=None, layer=layer: layer(x, tuple(s) if isinstance(s, list) else s)
        inputs = [x, state] if has_state else [x]
        record(name, [3, 4], options, layer, inputs, call, f"{name} {json.dumps(options)} {'unbatched' if unbatched else ''}")

for name in ["RNNCell", "LSTMCell", "GRUCell"]:
    for options, middle in [({}, [3]), ({"bias": False}, [])]:
        layer = make(name, [3, 4], options)
        state = [rand(*middle, 4), rand(*middle, 4)] if name == "LSTMCell" else rand(*middle, 4)
        call = lambda x, s, layer=layer: layer(x, tuple(s) if isinstance(s, list) else s)
        record(name, [3, 4], options, layer, [rand(*middle, 3), state], call, f"{name} {json.dumps(options)}")

# ---- attention

NAMES = {"keyPaddingMask": "key_padding_mask", "attnMask": "attn_mask", "averageAttnWeights": "average_attn_weights",
         "needWeights": "need_weights"}


def attend(layer):
    return lambda q, k, v, o={}: [y for y in layer(q, k, v, **{NAMES[n]: t for n, t in o.items()}) if y is not None]


def attention(options, shapes, masks, title):
    layer = make("MultiheadAttention", [6, 3], options)
    for parameter in [layer.in_proj_bias, layer.out_proj.bias]:
        if parameter is not None:
            nn.init.normal_(parameter)
    inputs = [rand(*shape) for shape in shapes] + [masks]
    record("MultiheadAttention", [6, 3], options, layer, inputs, attend(layer), f"MultiheadAttention {title}")


padding = torch.tensor([[False, False, True, False], [False, True, False, False]])
pairs = torch.rand(5, 4) < 0.3
pairs[:, 0] = False
attention({}, [(5, 2, 6), (4, 2, 6), (4, 2, 6)], {}, "plain")
attention({"batchFirst": True, "bias": False}, [(2, 5, 6), (2, 4, 6), (2, 4, 6)],
          {"keyPaddingMask": padding, "averageAttnWeights": False}, "batchFirst, padding, each head")
attention({"kdim": 4, "vdim": 5}, [(5, 2, 6), (4, 2, 4), (4, 2, 5)], {"attnMask": pairs}, "kdim, vdim, bool mask")
attention({"addBiasKv": True, "addZeroAttn": True}, [(5, 2, 6), (4, 2, 6), (4, 2, 6)],
          {"attnMask": pairs, "keyPaddingMask": padding}, "bias and zeros, both masks")
attention({"addZeroAttn": True}, [(5, 2, 6), (4, 2, 6), (4, 2, 6)],
          {"attnMask": short(torch.randn(6, 5, 4)), "needWeights": False}, "float masks of each head")
attention({}, [(5, 6), (4, 6), (4, 6)], {"attnMask": pairs}, "unbatched")

# ---- transformers

causal = torch.triu(torch.full((4, 4), float("-inf")), diagonal=1)
tails = torch.tensor([[False] * 4, [False, False, False, True]])
ENCODER = {"mask": "src_mask", "srcKeyPaddingMask": "src_key_padding_mask"}
STACK = {"mask": "mask", "srcKeyPaddingMask": "src_key_padding_mask"}
DECODER = {"tgtMask": "tgt_mask", "memoryMask": "memory_mask", "tgtKeyPaddingMask": "tgt_key_padding_mask",
           "memoryKeyPaddingMask": "memory_key_padding_mask", "srcMask": "src_mask",
           "srcKeyPaddingMask": "src_key_padding_mask"}


def renamed(layer, names):
    return lambda *inputs: layer(*inputs[:-1], **{names[k]: v for k, v in inputs[-1].items()})


for options in [{}, {"normFirst": True, "activation": "gelu", "batchFirst": True, "layerNormEps": 1e-3}]:
    options = {"dimFeedforward": 5, "dropout": 0.0, **options}
    x = rand(2, 4, 6) if "batchFirst" in options else rand(4, 2, 6)
    memory = rand(2, 3, 6) if "batchFirst" in options else rand(3, 2, 6)
    layer = make("TransformerEncoderLayer", [6, 2], options)
    masks = {"mask": causal, "srcKeyPaddingMask": tails}
    record("TransformerEncoderLayer", [6, 2], options, layer, [x, masks], renamed(layer, ENCODER),
           f"TransformerEncoderLayer {json.dumps(options)}")
    layer = make("TransformerDecoderLayer", [6, 2], options)
    masks = {"tgtMask": causal, "memoryKeyPaddingMask": tails[:, 1:]}
    record("TransformerDecoderLayer", [6, 2], options, layer, [x, memory, masks], renamed(layer, DECODER),
           f"TransformerDecoderLayer {json.dumps(options)}")

options = {"dModel": 4, "nhead": 2, "numEncoderLayers": 2, "numDecoderLayers": 2, "dimFeedforward": 5, "dropout": 0.0}
layer = make("Transformer", [], options)
masks = {"tgtMask": causal, "srcKeyPaddingMask": tails[:, 1:]}
record("Transformer", [], options, layer, [rand(3, 2, 4), rand(4, 2, 4), masks], renamed(layer, DECODER), "Transformer")

# ---- embeddings and bilinear

index = torch.tensor([[1, 0, 4], [4, 4, 2]])
for options in [{}, {"paddingIdx": -1}, {"scaleGradByFreq": True, "paddingIdx": 1}, {"maxNorm": 1.0},
                {"maxNorm": 1.5, "normType": 1.0}, {"maxNorm": 0.5, "normType": float("inf")}]:
    given = {k: "inf" if v == float("inf") else v for k, v in options.items()}
    record("Embedding", [5, 3], given, make("Embedding", [5, 3], options), [index], None, f"Embedding {json.dumps(given)}")

words = torch.tensor([3, 1, 1, 4, 0, 2, 4])
for mode in ["sum", "mean", "max"]:
    layer = make("EmbeddingBag", [5, 3], {"mode": mode})
    record("EmbeddingBag", [5, 3], {"mode": mode}, layer, [index], None, f"EmbeddingBag {mode} rows")
    layer = make("EmbeddingBag", [5, 3], {"mode": mode})
    offsets = torch.tensor([0, 2, 2, 6])
    record("EmbeddingBag", [5, 3], {"mode": mode}, layer, [words, {"offsets": offsets}],
           lambda x, o, layer=layer: layer(x, o["offsets"]), f"EmbeddingBag {mode} offsets")
    options = {"mode": mode, "paddingIdx": 1, "includeLastOffset": True}
    layer = make("EmbeddingBag", [5, 3], options)
    ends = torch.tensor([0, 3, 5, 7])
    record("EmbeddingBag", [5, 3], options, layer, [words, {"offsets": ends}],
           lambda x, o, layer=layer: layer(x, o["offsets"]), f"EmbeddingBag {mode} padding and last offset")
layer = make("EmbeddingBag", [5, 3], {"mode": "sum"})
record("EmbeddingBag", [5, 3], {"mode": "sum"}, layer, [index, {"perSampleWeights": rand(2, 3)}],
       lambda x, o, layer=layer: layer(x, None, o["perSampleWeights"]), "EmbeddingBag per-sample weights")

record("Bilinear", [3, 2, 4], {}, make("Bilinear", [3, 2, 4], {}), [rand(5, 2, 3), rand(5, 2, 2)])
record("Bilinear", [3, 2, 4], {"bias": False}, make("Bilinear", [3, 2, 4], {"bias": False}), [rand(3), rand(2)], None,
       "Bilinear without bias")

# Stacks of layers, which saddlepoint makes from one: see `build` in sequence-recordings.test.ts.
small = {"dimFeedforward": 5, "dropout": 0.0}
encoder = nn.TransformerEncoder(make("TransformerEncoderLayer", [6, 2], small), 2, nn.LayerNorm(6))
record("TransformerEncoder", [6, 2], {**small, "numLayers": 2}, encoder, [rand(4, 2, 6), {"mask": causal}],
       renamed(encoder, STACK), "TransformerEncoder")
decoder = nn.TransformerDecoder(make("TransformerDecoderLayer", [6, 2], small), 2, nn.LayerNorm(6))
masks = {"tgtMask": causal, "memoryKeyPaddingMask": tails[:, 1:]}
record("TransformerDecoder", [6, 2], {**small, "numLayers": 2}, decoder, [rand(4, 2, 6), rand(3, 2, 6), masks],
       renamed(decoder, DECODER), "TransformerDecoder")

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sequence.json.gz")
text = json.dumps({"cases": cases}, separators=(",", ":")).encode()
with open(path, "wb") as file:
    file.write(gzip.compress(text, 9, mtime=0))
print(len(cases), "cases,", os.path.getsize(path), "bytes")
