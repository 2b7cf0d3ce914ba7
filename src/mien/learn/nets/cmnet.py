"""A whole face and its two halves through the same weights, added up, refined, classified.

After CMNet (arXiv 2605.04439) and its public code, which cuts a ResNet-18 after its third of four stages;
here any network of stages is cut before its last. The halves are not mirrored, as there. The two halves go through as one
batch, so batch normalisation sees them together (there: one after the other).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.errors import UsageError
from mien.learn.nets.small import SmallNet


class QuadrantGate(nn.Module):
    """Channels weighted by what each quarter of the map holds: mean and maximum of four quadrants, one small network."""

    def __init__(self, channels: int, ratio: int = 16) -> None:
        super().__init__()
        inside = max(4, channels // ratio)
        self.weigh = nn.Sequential(nn.Linear(4 * channels, inside), nn.ReLU(), nn.Linear(inside, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w), h and w even, to the same shape."""
        half = (x.shape[2] // 2, x.shape[3] // 2)
        mean, most = functional.avg_pool2d(x, half).flatten(1), functional.max_pool2d(x, half).flatten(1)
        gate = torch.sigmoid(self.weigh(mean) + self.weigh(most))
        return x * gate[:, :, None, None]


class TiledGate(nn.Module):
    """Places weighted by four groups of channels: maximum and mean of each group, laid side by side at twice the size."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Conv2d(2, 1, 7, padding=3)
        self.gather = nn.Conv2d(1, 1, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w), c a multiple of 4, to the same shape."""
        maps = [torch.cat([g.amax(1, keepdim=True), g.mean(1, keepdim=True)], 1) for g in x.chunk(4, 1)]
        tiled = torch.cat([torch.cat(maps[:2], 3), torch.cat(maps[2:], 3)], 2)
        return x * torch.sigmoid(self.gather(self.look(tiled)))


class CmNet(nn.Module):
    """(n, 1, h, w) standardised grey to (n, classes) logits."""

    def __init__(
        self,
        classes: int,
        width: int = 24,
        depths: Sequence[int] = (2, 3, 3),
        halves: bool = True,
        refined: bool = True,
    ) -> None:
        """halves: False leaves the backbone. refined: with the two gates behind it."""
        super().__init__()
        backbone = SmallNet(classes, width, depths)
        cut = 1 + sum(depths[:-1])
        self.halves = halves
        self.step = 2 ** len(depths)  # px of the picture per px of the last map, times two for the halves' cut
        self.lower, self.upper, self.head = backbone.body[:cut], backbone.body[cut:], backbone.head
        gates = (QuadrantGate(backbone.length), TiledGate()) if refined else ()
        self.refine = nn.Sequential(*gates)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, h, w) to (n, classes)."""
        return self.parts(x)[0]

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, and (n, length) of the picture's left and right half; both empty without halves.

        Raises UsageError for sides that the stages cannot halve."""
        if x.shape[2] % (2 * self.step) or x.shape[3] % (2 * self.step):
            raise UsageError(f"{x.shape[3]} x {x.shape[2]} px cannot be halved.", f"Use a multiple of {2 * self.step}.")
        found = self.lower(x)
        count = x.shape[0]  # not len(x): that would fix the batch of the exported graph
        left = right = found.new_zeros((count, 0))
        if self.halves:
            both = self.lower(torch.cat(x.chunk(2, 3)).contiguous(memory_format=torch.channels_last))
            one, other = both[:count], both[count:]
            found = found + torch.cat([one, other], 3)
            left, right = one.mean((2, 3)), other.mean((2, 3))
        logits: Tensor = self.head(self.refine(self.upper(found)).mean((2, 3)))
        return logits, left, right
