"""Clips mixed in pairs, frame by frame with one weight, and their soft labels with them.

After MIDAS (arXiv 2503.00202, 2025): mixup (Zhang et al. 2018) for videos whose labels are shares of raters. Its network and
its settings are not in the abstract; the small network, the strength of mixing and the rates here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from mien.learn.augment import Geometry, lit, mixed, moved
from mien.learn.data.example import Dataset, Split
from mien.learn.data.words import BASIC
from mien.learn.moving import moving
from mien.learn.moving import toy as toy_clips
from mien.learn.nets.clips import ClipNet, GreyClips
from mien.learn.recipe import Arrays, Batch, Mouth, Recipe

GENTLE = Geometry(turn=8.0, scale=(0.85, 1.05), move=0.06)


@dataclass(frozen=True, kw_only=True)
class Midas(Recipe):
    """Expressions of clips, with shares as labels."""

    name = "midas"
    task = "expression"
    about = "Mixup of clips frame by frame on soft labels. After MIDAS, arXiv 2503.00202, 2025."
    intended = (
        "Clips of one face whose expression people disagree on: its shares are meant to be read, not its top one."
    )
    limits = (
        "It reads appearance, not what a person feels.",
        "Its shares are those of the raters of its training data.",
    )

    epochs: int = 40
    batch: int = 32
    select: str = "accuracy"
    rate: float = 3e-3  # largest learning rate
    decay: float = 1e-2  # weight decay
    soft: bool = True  # shares of raters; False: the label alone
    mix: float = 0.4  # strength of mixing, of Beta(mix, mix); 0: none
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
        """Clips of square crops."""
        return Mouth((self.size, self.size), frames=self.frames)

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Grey clips, frames spread evenly over each."""
        return moving(source, split, self.labels, self.frames, self.size)

    def build(self) -> nn.Module:
        """One transformer layer over convolutional features of frames."""
        return ClipNet(len(self.labels), self.frames, self.width, self.length)

    def optimisers(self, net: nn.Module, steps: int) -> Sequence[tuple[Optimizer, LRScheduler | None]]:
        """One."""
        optimiser = AdamW(net.parameters(), self.rate, weight_decay=self.decay)
        return [(optimiser, OneCycleLR(optimiser, self.rate, max(2, steps), pct_start=0.2, cycle_momentum=False))]

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Cross-entropy with shares. Frames stand where a picture has channels, so a clip is moved and mixed as one."""
        y = batch["soft"] if self.soft else functional.one_hot(batch["truth"], len(self.labels)).float()
        x = lit(moved(batch["pixels"].squeeze(-1).float(), self.size, GENTLE))
        x, y = mixed(x, y, self.mix)
        return {"loss": functional.cross_entropy(net(x).float(), y)}

    def deployed(self, net: nn.Module) -> nn.Module:
        """The clip as it is."""
        assert isinstance(net, ClipNet)
        return GreyClips(net)

    def toy(self, folder: Path) -> Dataset:
        """Clips of spots that blend."""
        return toy_clips(folder, self.labels)
