"""MobileNetV2: inverted residuals with linear bottlenecks.

Sandler, Howard, Zhu, Zhmoginov and Chen, MobileNetV2, CVPR 2018, table 2. With 1,000 classes and width 1 it has the
published 3.50 M parameters. Weights are drawn, never loaded.

The paper halves the picture five times, which leaves 2 px of a crop of 64 px. `small=True` skips the first two of the five.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Table 2 of the paper: expansion, channels, repeats, stride of the first of them.
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM, LENGTH = 32, 1280


class Inverted(nn.Module):
    """1x1 up, 3x3 on each channel by itself, 1x1 down without a non-linearity; a shortcut where shapes allow."""

    def __init__(self, before: int, after: int, expansion: int, stride: int) -> None:
        super().__init__()
        inside = before * expansion
        parts: list[nn.Module] = [*_convolved(before, inside, 1)] if expansion > 1 else []
        parts += _convolved(inside, inside, 3, stride, inside)
        parts += [nn.Conv2d(inside, after, 1, bias=False), nn.BatchNorm2d(after)]
        self.body = nn.Sequential(*parts)
        self.shortcut = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) to (n, after, h / stride, w / stride)."""
        out: Tensor = self.body(x)
        return x + out if self.shortcut else out


class MobileNetV2(nn.Module):
    """(n, channels, h, w) standardised pictures to (n, classes) logits. `features` stops before the classifier."""

    def __init__(
        self, classes: int, width: float = 1.0, channels: int = 3, small: bool = False, drop: float = 0.2
    ) -> None:
        """width: factor of all channels, rounded to eights; the last layer does not shrink below 1,280 channels, unless
        `small`, where it does. small: two halvings fewer, for crops under 100 px. drop: dropout before the classifier."""
        super().__init__()
        before = eights(STEM * width)
        parts: list[nn.Module] = _convolved(channels, before, 3, 1 if small else 2)
        for place, (expansion, after, repeats, stride) in enumerate(STAGES):
            first = 1 if small and place == 1 else stride
            for index in range(repeats):
                parts.append(Inverted(before, eights(after * width), expansion, first if index == 0 else 1))
                before = eights(after * width)
        self.length = eights(LENGTH * (width if small else max(1.0, width)))  # of the feature vector
        self.body = nn.Sequential(*parts, *_convolved(before, self.length, 1))
        self.head = nn.Sequential(nn.Dropout(drop), nn.Linear(self.length, classes))
        self.apply(_start)

    def features(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, length)."""
        pooled: Tensor = self.body(x).mean((2, 3))
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) to (n, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits


def eights(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and never more than a tenth below what was asked for."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _convolved(before: int, after: int, side: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, side, stride, side // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.ReLU6(inplace=True)]


def _start(part: nn.Module) -> None:
    if isinstance(part, nn.Conv2d):
        nn.init.kaiming_normal_(part.weight, mode="fan_out")
    elif isinstance(part, nn.Linear):
        torch.nn.init.normal_(part.weight, 0.0, 0.01)
        nn.init.zeros_(part.bias)
