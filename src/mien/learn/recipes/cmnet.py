"""A whole face with its left and right half, and a loss that keeps the halves alike.

After CMNet, a cross-modal network with biological and structural information for facial expression recognition
(arXiv 2605.04439, IEEE TIP 2026) and its public code. The loss on the halves is written there as a variance of
log-softmax over the two; it equals the plain mean squared difference, which is used here. The backbone is small and starts
from drawn weights: the paper's is a ResNet-18 that has seen a million celebrities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from mien.learn.augment import Geometry, erased, moved
from mien.learn.data.example import Dataset, Split
from mien.learn.data.words import BASIC
from mien.learn.nets.cmnet import CmNet
from mien.learn.nets.deployed import GreyPictures
from mien.learn.nets.small import standardised
from mien.learn.recipe import Arrays, Batch, Mouth, Recipe
from mien.learn.stills import stills

GENTLE = Geometry(turn=8.0, scale=(0.9, 1.05), move=0.05)


@dataclass(frozen=True, kw_only=True)
class Cmnet(Recipe):
    """Seven expressions from a whole grey face and its halves."""

    name = "cmnet"
    task = "expression"
    about = (
        "Whole face and two halves through shared weights, half-face alignment, salient refinement. After CMNet, 2026."
    )
    intended = "A first reading of how a face looks; comparing what symmetry gives and takes."
    limits = (
        "It reads appearance, not what a person feels.",
        "Its halves are taught to look alike: one-sided expressions and palsies are what it is least made for.",
        "The halves are cut at the middle of the crop: a face that is turned or off centre is cut elsewhere.",
    )

    epochs: int = 40
    batch: int = 64
    select: str = "accuracy"
    rate: float = 0.05  # largest learning rate
    decay: float = 5e-4  # weight decay
    width: int = 24
    depths: tuple[int, int, int] = (2, 3, 3)  # blocks of each stage; halves join before the last
    size: int = 48  # px, a multiple of 16
    classes: tuple[str, ...] = BASIC
    halves: bool = True
    refined: bool = True
    align: float = 0.1  # weight of the halves' difference; the classes' loss weighs the rest to 1
    varied: bool = True  # pictures turned, scaled, moved, mirrored, partly erased
    gentle: bool = False  # less of that and nothing erased, for runs that see each picture a few times

    @property
    def labels(self) -> tuple[str, ...]:
        """The six basic expressions and neutral, unless told otherwise."""
        return self.classes

    @property
    def mouth(self) -> Mouth:
        """Square crops around the detector's box."""
        return Mouth((self.size, self.size))

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Grey pictures."""
        return stills(source, split, self.labels, self.size)

    def build(self) -> nn.Module:
        """The halves cost no parameter; refinement costs few."""
        return CmNet(len(self.labels), self.width, self.depths, self.halves, self.refined)

    def optimisers(self, net: nn.Module, steps: int) -> Sequence[tuple[Optimizer, LRScheduler | None]]:
        """One; nothing is decayed that has one dimension."""
        groups = [
            {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": self.decay},
            {"params": [p for p in net.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ]
        optimiser = SGD(groups, self.rate, momentum=0.9, nesterov=True)
        return [(optimiser, OneCycleLR(optimiser, self.rate, steps, pct_start=0.2, cycle_momentum=False))]

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Cross-entropy, and how far the halves' features are apart."""
        assert isinstance(net, CmNet)
        x = batch["pixels"].permute(0, 3, 1, 2).float()
        if self.varied:
            x = moved(x, self.size, GENTLE if self.gentle else Geometry())
        x = erased(standardised(x)) if self.varied and not self.gentle else standardised(x)
        logits, left, right = net.parts(x.contiguous(memory_format=torch.channels_last))
        found = functional.cross_entropy(logits.float(), batch["truth"])
        if not self.halves or self.align <= 0:
            return {"loss": found}
        return {
            "loss": (1 - self.align) * found,
            "halves": self.align * functional.mse_loss(left.float(), right.float()),
        }

    def deployed(self, net: nn.Module) -> nn.Module:
        """The crop alone: its mirror image would make both sides alike whatever was learnt."""
        return GreyPictures(net, mirrored=False)
