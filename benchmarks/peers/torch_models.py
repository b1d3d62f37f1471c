"""The five models of benchmarks/models.ts in PyTorch, with the same weights and batches, and the numbers both must give."""
import numpy
import torch
from torch import nn
from torch.nn import functional as F


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet18(nn.Module):
    """He et al. 2016, with one 3 x 3 convolution as stem."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(BasicBlock(64, 64, 1), BasicBlock(64, 64, 1))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128, 1))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256, 1))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512, 1))
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def mlp(*widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convnet():
    layers = []
    for inputs, outputs, pooled in [(1, 32, False), (32, 32, True), (32, 64, False), (64, 64, True), (64, 128, False)]:
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pooled else []
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


# Name: how it is made, the shape of one input, the number of classes.
MODELS = {
    "mlp16": (lambda: mlp(16, 32, 32, 4), [16], 4),
    "mlp784": (lambda: mlp(784, 512, 256, 10), [784], 10),
    "lenet": (LeNet, [1, 28, 28], 10),
    "convnet": (convnet, [1, 28, 28], 10),
    "resnet18": (ResNet18, [3, 32, 32], 10),
}


def hashed(stream, count):
    """`count` numbers in [-1, 1), the same as in models.ts: murmur3's finalizer over a counter."""
    h = numpy.arange(count, dtype=numpy.uint32) + numpy.uint32(stream * 0x9E3779B9 & 0xFFFFFFFF)
    h = (h ^ (h >> 16)) * numpy.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * numpy.uint32(0xC2B2AE35)
    return (h ^ (h >> 16)) / 2.0**31 - 1


def build(name, dtype=torch.float32):
    """The model with hashed weights: value k of the state dict is stream k."""
    model = MODELS[name][0]().to(dtype)
    state = model.state_dict()
    for k, (key, value) in enumerate(state.items()):
        if key.endswith("num_batches_tracked"):
            continue
        u = torch.from_numpy(hashed(k, value.numel())).reshape(value.shape)
        if value.dim() > 1:
            u = u * (6 / (value.numel() / value.shape[0])) ** 0.5
        else:
            u = 0.1 * u + (1 if key.endswith(("weight", "running_var")) else 0)
        state[key] = u.to(value.dtype)
    model.load_state_dict(state)
    return model


def batch(name, size, dtype=torch.float32):
    """Inputs and labels: streams 1000 and 1001."""
    _, shape, classes = MODELS[name]
    count = size * int(numpy.prod(shape))
    x = torch.from_numpy(hashed(1000, count)).reshape([size] + shape).to(dtype)
    labels = torch.from_numpy(((hashed(1001, size) + 1) / 2 * classes).astype(numpy.int64))
    return x, labels


def trainer(name, size, dtype=torch.float32):
    """A function that takes one step of Adam and returns the loss."""
    model = build(name, dtype).train()
    x, labels = batch(name, size, dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, step


def numbers(name, size, steps):
    """What test/benchmarks/models.test.ts compares, in float64: logits, losses of training steps, and logits after them."""
    model, step = trainer(name, size, torch.float64)
    x, _ = batch(name, size, torch.float64)

    def logits():
        with torch.no_grad():
            return model.eval()(x).reshape(-1).tolist()

    before = logits()
    model.train()
    losses = [step() for _ in range(steps)]
    return {"keys": list(model.state_dict()), "before": before, "losses": losses, "after": logits()}
