"""The expression judge that mien ships: a small residual network on FER2013, trained here.

Labels of FER2013 are noisy (people agree with about two in three), so they are smoothed (Szegedy et al. 2016); pictures
are turned, scaled, lit and partly erased. The first epochs see smaller pictures, which costs less and does no harm
(Tan and Le 2021, progressive learning).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from mien.learn.augment import Geometry, erased, lit, mixed, moved
from mien.learn.data.example import Dataset, Split
from mien.learn.nets.deployed import GreyPictures
from mien.learn.nets.small import SmallNet, standardised
from mien.learn.recipe import Arrays, Batch, Mouth, Recipe
from mien.learn.stills import stills

LABELS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


@dataclass(frozen=True, kw_only=True)
class ExpressionFer(Recipe):
    """Seven expressions from grey crops of 48 px."""

    name = "expression_fer"
    task = "expression"
    about = "Small residual network with label smoothing and progressive picture size on FER2013."
    intended = (
        "A first reading of how a face looks, on frontal faces; several frames of one person are better than one."
    )
    limits: ClassVar[tuple[str, ...]] = (
        "It reads appearance, not what a person feels.",
        "Labels of FER2013 come from web search and are wrong or disputed in about one of three pictures.",
        "People, ages and groups in FER2013 are not known, so nothing can be said about fairness.",
    )

    epochs: int = 40
    batch: int = 128
    ema: float = 0.998
    select: str = "accuracy"
    rate: float = 0.08  # largest learning rate
    decay: float = 5e-4  # weight decay
    smoothing: float = 0.1
    mix: float = 0.0  # strength of mixup
    width: int = 24
    early: tuple[float, int] = (0.4, 32)  # share of the epochs that see pictures of so many px
    size: int = 40  # px afterwards; the deployed network sees all 48, which are then no larger than crops at training

    @property
    def labels(self) -> tuple[str, ...]:
        """As FER2013 calls them."""
        return LABELS

    @property
    def mouth(self) -> Mouth:
        """Crops of 48 px around the detector's box."""
        return Mouth((48, 48))

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Grey pictures."""
        return stills(source, split, self.labels, 48)

    def build(self) -> nn.Module:
        """2.4 M parameters at width 24."""
        return SmallNet(len(self.labels), self.width)

    def optimisers(self, net: nn.Module, steps: int) -> Sequence[tuple[Optimizer, LRScheduler | None]]:
        """One; nothing is decayed that has one dimension."""
        groups = [
            {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": self.decay},
            {"params": [p for p in net.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ]
        optimiser = SGD(groups, self.rate, momentum=0.9, nesterov=True)
        return [(optimiser, OneCycleLR(optimiser, self.rate, steps, pct_start=0.15, cycle_momentum=False))]

    def turned(self, net: nn.Module, data: Arrays, epoch: int) -> None:
        """Small pictures first."""
        share, small = self.early
        net.side = small if epoch < share * self.epochs else self.size  # type: ignore[assignment]

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Cross-entropy with smoothed labels."""
        x = batch["pixels"].permute(0, 3, 1, 2).float()
        y = functional.one_hot(batch["truth"], len(self.labels)).float()
        x = erased(standardised(lit(moved(x, getattr(net, "side", self.size), Geometry()))))
        x, y = mixed(x, y, self.mix)
        logits = net(x.contiguous(memory_format=torch.channels_last))
        return {"loss": functional.cross_entropy(logits.float(), y, label_smoothing=self.smoothing)}

    def deployed(self, net: nn.Module) -> nn.Module:
        """The crop and its mirror image."""
        return GreyPictures(net)
