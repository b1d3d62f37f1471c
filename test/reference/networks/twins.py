"""The networks of lib/models in PyTorch, with the keys of torchvision's and GPT-2's; `build` takes what their constructors
take in TypeScript."""
import math

import torch
from torch import nn
from torch.nn import functional as F


def conv(i, o, k, stride=1, groups=1):
    return nn.Conv2d(i, o, k, stride, (k - 1) // 2, groups=groups, bias=False)


def mlp(widths, dropout=0):
    layers = []
    for i, o in zip(widths, widths[1:]):
        layers += [nn.Linear(i, o), nn.ReLU()] + ([nn.Dropout(dropout)] if dropout else [])
    return nn.Sequential(*layers[: -2 if dropout else -1])


class LeNet(nn.Module):
    def __init__(self, imageShape=(1, 28, 28), numClasses=10):
        super().__init__()
        channels, height, width = imageShape
        self.small = min(height, width) < 12
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5, padding=2 if self.small else 0)
        size = self.features(torch.zeros(1, *imageShape)).shape[1]
        self.fc1, self.fc2, self.fc3 = nn.Linear(size, 120), nn.Linear(120, 84), nn.Linear(84, numClasses)

    def features(self, x):
        x = torch.relu(self.conv2(F.max_pool2d(torch.relu(self.conv1(x)), 2)))
        return (x if self.small else F.max_pool2d(x, 2)).flatten(1)

    def forward(self, x):
        return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(self.features(x))))))


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(self, i, o, stride, downsample, plain=False):
        super().__init__()
        self.conv1, self.bn1 = conv(i, o, 3, stride), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv(o, o, 3), nn.BatchNorm2d(o)
        self.downsample, self.plain = downsample, plain

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y if self.plain else y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, i, o, stride, downsample):
        super().__init__()
        self.conv1, self.bn1 = conv(i, o, 1), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv(o, o, 3, stride), nn.BatchNorm2d(o)
        self.conv3, self.bn3 = conv(o, 4 * o, 1), nn.BatchNorm2d(4 * o)
        self.downsample = downsample

    def forward(self, x):
        y = torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))
        return torch.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self, block, layers, numClasses=1000, stem="imagenet", inChannels=3):
        super().__init__()
        self.large = stem == "imagenet"
        self.conv1 = nn.Conv2d(inChannels, 64, 7, 2, 3, bias=False) if self.large else conv(inChannels, 64, 3)
        self.bn1 = nn.BatchNorm2d(64)
        width = 64
        for i, (planes, count) in enumerate(zip([64, 128, 256, 512], layers)):
            blocks = []
            for j in range(count):
                stride, out = 2 if i > 0 and j == 0 else 1, planes * block.expansion
                fits = stride == 1 and width == out
                down = None if fits else nn.Sequential(conv(width, out, 1, stride), nn.BatchNorm2d(out))
                blocks.append(block(width, planes, stride, down))
                width = out
            setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(width, numClasses)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, 2, 1) if self.large else x
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3)))


class Padded(nn.Module):
    """Option A of He et al. 2016, section 4.2."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.channels // 2, self.channels - self.channels // 2))


class CifarNet(nn.Module):
    def __init__(self, depth, numClasses=10, inChannels=3, width=16, residual=True):
        super().__init__()
        self.conv1, self.bn1 = conv(inChannels, width, 3), nn.BatchNorm2d(width)
        for i, (a, b) in enumerate([(width, width), (width, 2 * width), (2 * width, 4 * width)]):
            first = BasicBlock(a, b, 1 if a == b else 2, None if a == b else Padded(b - a), not residual)
            others = [BasicBlock(b, b, 1, None, not residual) for _ in range((depth - 2) // 6 - 1)]
            setattr(self, f"layer{i + 1}", nn.Sequential(first, *others))
        self.fc = nn.Linear(4 * width, numClasses)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        return self.fc(x.mean((2, 3)))


STAGES = {11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4]}


def vgg_features(depth, batchNorm=False, inChannels=3):
    layers, i = [], inChannels
    for o, count in zip([64, 128, 256, 512, 512], STAGES[depth]):
        for _ in range(count):
            layers += [nn.Conv2d(i, o, 3, padding=1)] + ([nn.BatchNorm2d(o)] if batchNorm else []) + [nn.ReLU()]
            i = o
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


class VGG(nn.Module):
    def __init__(self, depth, batchNorm=False, numClasses=1000, inChannels=3):
        super().__init__()
        self.features = vgg_features(depth, batchNorm, inChannels)
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        hidden = lambda width: [nn.Linear(width, 4096), nn.ReLU(True), nn.Dropout()]
        self.classifier = nn.Sequential(*hidden(512 * 7 * 7), *hidden(4096), nn.Linear(4096, numClasses))

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


def conv6(i, o, k, stride=1, groups=1):
    return nn.Sequential(conv(i, o, k, stride, groups), nn.BatchNorm2d(o), nn.ReLU6())


class InvertedResidual(nn.Module):
    def __init__(self, i, o, stride, expansion):
        super().__init__()
        h = i * expansion
        first = [] if expansion == 1 else [conv6(i, h, 1)]
        self.conv = nn.Sequential(*first, conv6(h, h, 3, stride, h), conv(h, o, 1), nn.BatchNorm2d(o))
        self.shortcut = stride == 1 and i == o

    def forward(self, x):
        return x + self.conv(x) if self.shortcut else self.conv(x)


def divisible(value, divisor):
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


class MobileNetV2(nn.Module):
    def __init__(self, numClasses=1000, widthMult=1.0, roundNearest=8, inChannels=3):
        super().__init__()
        i = divisible(32 * widthMult, roundNearest)
        layers = [conv6(inChannels, i, 3, 2)]
        for expansion, channels, count, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                                   (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
            o = divisible(channels * widthMult, roundNearest)
            for j in range(count):
                layers.append(InvertedResidual(i, o, stride if j == 0 else 1, expansion))
                i = o
        last = divisible(1280 * max(1.0, widthMult), roundNearest)
        self.features = nn.Sequential(*layers, conv6(i, last, 1))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(last, numClasses))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class Norm(nn.Module):
    """PyTorch 1.13 has no layer normalisation without a bias."""

    def __init__(self, width, bias):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x):
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias)


class Attention(nn.Module):
    def __init__(self, width, heads, bias):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width, bias), nn.Linear(width, width, bias)
        self.heads = heads

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = [y.view(n, t, self.heads, -1).transpose(1, 2) for y in self.c_attn(x).split(c, 2)]
        scores = q @ k.transpose(2, 3) / math.sqrt(c / self.heads)
        hidden = torch.triu(torch.ones(t, t, dtype=torch.bool), 1)
        return self.c_proj((scores.masked_fill(hidden, -math.inf).softmax(-1) @ v).transpose(1, 2).reshape(n, t, c))


class Block(nn.Module):
    def __init__(self, width, heads, bias):
        super().__init__()
        self.ln_1, self.attn = Norm(width, bias), Attention(width, heads, bias)
        self.ln_2 = Norm(width, bias)
        inner, outer = nn.Linear(width, 4 * width, bias), nn.Linear(4 * width, width, bias)
        self.mlp = nn.ModuleDict({"c_fc": inner, "c_proj": outer})

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp["c_proj"](F.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, vocabSize, blockSize=1024, nLayer=12, nHead=12, nEmbd=768, dropout=0, bias=True):
        super().__init__()
        assert dropout == 0, "the twin drops nothing"
        self.wte, self.wpe = nn.Embedding(vocabSize, nEmbd), nn.Embedding(blockSize, nEmbd)
        self.h = nn.ModuleList([Block(nEmbd, nHead, bias) for _ in range(nLayer)])
        self.ln_f = Norm(nEmbd, bias)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        for block in self.h:
            x = block(x)
        return self.ln_f(x) @ self.wte.weight.T


BLOCKS = {"BasicBlock": BasicBlock, "Bottleneck": Bottleneck}
BUILDERS = {
    "mlp": mlp,
    "LeNet": LeNet,
    "CifarNet": CifarNet,
    "ResNet": lambda block, layers, **options: ResNet(BLOCKS[block], layers, **options),
    "resnet18": lambda **options: ResNet(BasicBlock, [2, 2, 2, 2], **options),
    "resnet34": lambda **options: ResNet(BasicBlock, [3, 4, 6, 3], **options),
    "resnet50": lambda **options: ResNet(Bottleneck, [3, 4, 6, 3], **options),
    "VGG": VGG,
    "VGG.features": vgg_features,
    "mobilenetV2": MobileNetV2,
    "GPT": GPT,
}


def build(name, args):
    """The network of a recipe: positional arguments, and as the last one, if it is an object, options."""
    options = args[-1] if args and isinstance(args[-1], dict) else {}
    return BUILDERS[name](*[arg for arg in args if arg is not options], **options)
