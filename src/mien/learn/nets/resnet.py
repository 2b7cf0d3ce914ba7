"""Residual networks of 18 and 50 layers: the usual yardsticks of recipes and of benchmarks.

He, Zhang, Ren and Sun, Deep residual learning for image recognition, CVPR 2016, table 1; the bottleneck strides in its
3x3 convolution, as everybody's ResNet-50 does since Goyal et al. 2017. With 1,000 classes and the usual width they have
the published 11.69 M and 25.56 M parameters. Weights are drawn, never loaded: no pretrained ones are used here.

The stem of the paper makes a quarter of the picture's sides before the first block, which leaves little of a crop of
48 px. `small=True` starts with one 3x3 convolution at full size instead, as the paper does for CIFAR-10.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Basic(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolved(before, width, 3, stride), nn.ReLU(inplace=True), *_convolved(width, width, 3, 1)
        )
        self.past = _past(before, width, stride)
        _start_as_shortcut(self.body)

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) to (n, width, h / stride, w / stride)."""
        return torch.relu(self.body(x) + self.past(x))


class Bottleneck(nn.Module):
    """1x1 down, 3x3, 1x1 up to four times the width, and a shortcut."""

    expansion = 4

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolved(before, width, 1, 1),
            nn.ReLU(inplace=True),
            *_convolved(width, width, 3, stride),
            nn.ReLU(inplace=True),
            *_convolved(width, 4 * width, 1, 1),
        )
        self.past = _past(before, 4 * width, stride)
        _start_as_shortcut(self.body)

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) to (n, 4 width, h / stride, w / stride)."""
        return torch.relu(self.body(x) + self.past(x))


DEPTHS: dict[int, tuple[type[Basic | Bottleneck], tuple[int, int, int, int]]] = {
    18: (Basic, (2, 2, 2, 2)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


class ResNet(nn.Module):
    """(n, channels, h, w) standardised pictures to (n, classes) logits. `features` stops before the classifier."""

    def __init__(
        self, depth: int, classes: int, width: int = 64, channels: int = 3, small: bool = False, drop: float = 0.0
    ) -> None:
        """depth: 18 or 50. width: channels of the first stage, the others have 2, 4 and 8 times as many. small: the stem
        for crops under 100 px. drop: dropout before the classifier. Raises KeyError for another depth."""
        super().__init__()
        block, repeats = DEPTHS[depth]
        first = _convolved(channels, width, 3, 1) if small else _convolved(channels, width, 7, 2)
        stem = [*first, nn.ReLU(inplace=True)]
        blocks: list[nn.Module] = stem if small else [*stem, nn.MaxPool2d(3, 2, 1)]
        before = width
        for stage, count in enumerate(repeats):
            for place in range(count):
                stride = 2 if stage > 0 and place == 0 else 1
                blocks.append(block(before, width << stage, stride))
                before = (width << stage) * block.expansion
        self.body = nn.Sequential(*blocks)
        self.length = before  # of the feature vector
        self.head = nn.Sequential(nn.Dropout(drop), nn.Linear(before, classes))
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, length)."""
        pooled: Tensor = self.body(x).mean((2, 3))
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits


def resnet18(classes: int, *, width: int = 64, channels: int = 3, small: bool = False, drop: float = 0.0) -> ResNet:
    """11.69 M parameters at 1,000 classes. The options are those of `ResNet`."""
    return ResNet(18, classes, width, channels, small, drop)


def resnet50(classes: int, *, width: int = 64, channels: int = 3, small: bool = False, drop: float = 0.0) -> ResNet:
    """25.56 M parameters at 1,000 classes. The options are those of `ResNet`."""
    return ResNet(50, classes, width, channels, small, drop)


def _convolved(before: int, after: int, side: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, side, stride, side // 2, bias=False), nn.BatchNorm2d(after)]


def _past(before: int, after: int, stride: int) -> nn.Module:
    return nn.Sequential(*_convolved(before, after, 1, stride)) if before != after or stride > 1 else nn.Identity()


def _start_as_shortcut(body: nn.Sequential) -> None:
    """The last normalisation at 0, so that a block starts as its shortcut and trains faster (Goyal et al. 2017)."""
    last = body[-1]
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)
