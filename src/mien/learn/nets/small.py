"""A residual network for small grey crops: 2.4 M parameters, about 0.18 G multiply-adds at 48 px.

Residual blocks after He et al. 2016 with the average-pool shortcut of He et al. 2019 ("Bag of tricks"), and channel
attention after Hu et al. 2018 (squeeze and excitation). Any input size from 24 px: the head pools over what is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Excite(nn.Module):
    """Channels weighted by what the whole picture holds."""

    def __init__(self, channels: int, ratio: int = 8) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // ratio, 1),
            nn.ReLU(),
            nn.Conv2d(channels // ratio, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to the same shape."""
        weighted: Tensor = x * self.gate(x)
        return weighted


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
            Excite(after),
        )
        self.past: nn.Module = nn.Identity()
        if before != after or stride > 1:
            pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
            self.past = nn.Sequential(pool, nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """(n, before, h, w) to (n, after, h / stride, w / stride)."""
        return torch.relu(self.body(x) + self.past(x))


class SmallNet(nn.Module):
    """(n, 1, h, w) standardised grey to (n, classes) logits. `features` stops before the classifier."""

    def __init__(
        self, classes: int, width: int = 24, depths: Sequence[int] = (2, 3, 3), drop: float = 0.2, channels: int = 1
    ) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        blocks: list[nn.Module] = [stem]
        before = width
        for depth in depths:
            for place in range(depth):
                after = before * 2 if place == 0 else before
                blocks.append(Block(before, after, 2 if place == 0 else 1))
                before = after
        self.body = nn.Sequential(*blocks)
        self.length = before  # of the feature vector
        self.head = nn.Sequential(nn.Dropout(drop), nn.Linear(before, classes))

    def features(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) to (n, length)."""
        pooled: Tensor = self.body(x).mean((2, 3))
        return pooled

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) to (n, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits


def standardised(x: Tensor) -> Tensor:
    """(n, 1, h, w) grey 0..255 with mean 0 and deviation 1 per picture, so that light and contrast do not matter."""
    mean = x.mean((2, 3), keepdim=True)
    spread = ((x - mean) ** 2).mean((2, 3), keepdim=True).sqrt()
    return (x - mean) / (spread + 8.0)  # 8 of 255: a flat picture is not blown up to noise
