"""What recipes on clips have in common: what they read, which network there is, and how it is optimised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from mien.learn.augment import Geometry
from mien.learn.data.example import Dataset, Split
from mien.learn.data.words import BASIC
from mien.learn.moving import moving
from mien.learn.moving import toy as toy_clips
from mien.learn.nets.clips import ClipNet, GreyClips
from mien.learn.recipe import Arrays, Mouth, Recipe

GENTLE = Geometry(turn=8.0, scale=(0.85, 1.05), move=0.06)  # of a clip, all frames alike


@dataclass(frozen=True, kw_only=True)
class ClipRecipe(Recipe):
    """Expressions of clips of square grey crops."""

    task = "expression"
    epochs: int = 40
    batch: int = 32
    select: str = "accuracy"
    rate: float = 3e-3  # largest learning rate
    decay: float = 1e-2  # weight decay
    frames: int = 16  # of a clip
    size: int = 48  # px
    width: int = 8
    length: int = 32  # of a frame's features
    classes: tuple[str, ...] = BASIC

    @property
    def labels(self) -> tuple[str, ...]:
        """The six basic expressions and neutral, unless told otherwise."""
        return self.classes

    @property
    def mouth(self) -> Mouth:
        """Clips of square crops, so many frames spread evenly."""
        return Mouth((self.size, self.size), frames=self.frames)

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Grey clips."""
        return moving(source, split, self.labels, self.frames, self.size)

    def build(self) -> nn.Module:
        """One transformer layer over convolutional features of frames."""
        return ClipNet(len(self.labels), self.frames, self.width, self.length)

    def optimisers(self, net: nn.Module, steps: int) -> Sequence[tuple[Optimizer, LRScheduler | None]]:
        """One."""
        optimiser = AdamW(net.parameters(), self.rate, weight_decay=self.decay)
        return [(optimiser, OneCycleLR(optimiser, self.rate, max(2, steps), pct_start=0.2, cycle_momentum=False))]

    def deployed(self, net: nn.Module) -> nn.Module:
        """The clip as it is."""
        assert isinstance(net, ClipNet)
        return GreyClips(net)

    def toy(self, folder: Path) -> Dataset:
        """Clips of spots that blend."""
        return toy_clips(folder, self.labels)
