"""The file format safetensors by its definition (https://huggingface.co/docs/safetensors): eight bytes of length, a header in
JSON, data. The order is that of the format's own writer: wide dtypes first, then by name."""
import json

import torch

NAMES = {torch.float64: "F64", torch.int64: "I64", torch.float32: "F32", torch.int32: "I32", torch.bool: "BOOL"}
DTYPES = {name: dtype for dtype, name in NAMES.items()}


def write(path, tensors, metadata):
    header = {"__metadata__": metadata} if metadata else {}
    chunks, end = [], 0
    for name, x in sorted(tensors.items(), key=lambda pair: (-pair[1].element_size(), pair[0])):
        chunks.append(x.detach().contiguous().numpy().tobytes())
        begin, end = end, end + len(chunks[-1])
        header[name] = {"dtype": NAMES[x.dtype], "shape": list(x.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.writelines([len(text).to_bytes(8, "little"), text, *chunks])


def read(path):
    """Tensors by name, and the metadata."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = bytearray(file.read())
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        count = (end - begin) // torch.empty(0, dtype=dtype).element_size()
        flat = torch.frombuffer(data, dtype=dtype, count=count, offset=begin) if count else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(entry["shape"]).clone()
    return tensors, metadata
