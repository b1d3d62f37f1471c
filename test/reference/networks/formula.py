"""Numbers that Python and TypeScript (test/reference/networks.ts) make alike, bit for bit, so that no weights are recorded."""
import math

import numpy as np
import torch

INPUT = 1 << 20  # Stands for the input where weights have their place in the state dict.


def scrambled(k, count):
    """`count` whole numbers below 2^32: the finalizer of MurmurHash3 (Appleby) of i + k 0x9e3779b9."""
    h = np.arange(count, dtype=np.uint32) + np.uint32(k * 0x9E3779B9 & 0xFFFFFFFF)
    for shift, factor in [(16, 0x85EBCA6B), (13, 0xC2B2AE35)]:
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    return h ^ (h >> np.uint32(16))


def spread(k, shape):
    """Numbers evenly spread in [-1, 1), multiples of 2^-19: float32 has them exactly."""
    count = int(np.prod(shape))
    return torch.from_numpy((scrambled(k, count) >> np.uint32(12)) / 2.0**19 - 1).reshape(tuple(shape))


def set_weights(model):
    """Weights of variance 2 / fan in (He et al. 2015), scales around 1, all else around 0."""
    with torch.no_grad():
        for k, (name, value) in enumerate(model.state_dict().items()):
            if not value.is_floating_point():
                continue
            if value.dim() > 1:
                value.copy_(spread(k, value.shape) * math.sqrt(6 / (value.numel() / value.shape[0])))
            elif name.endswith("weight") or name.endswith("running_var"):
                value.copy_(1 + 0.3 * spread(k, value.shape))
            else:
                value.copy_(0.1 * spread(k, value.shape))
    return model


def images(shape):
    return 2 * spread(INPUT, shape)


def tokens(shape, vocabulary):
    count = int(np.prod(shape))
    return torch.from_numpy((scrambled(INPUT, count) % vocabulary).astype(np.int64)).reshape(tuple(shape))
