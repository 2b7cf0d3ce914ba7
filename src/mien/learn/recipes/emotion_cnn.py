"""Seven expressions from merged data sets, with rare classes drawn more often, topped up offline and varied online.

After Kirbiz, Facial emotion recognition on merged data sets, Journal of the Franklin Institute 362(7), 2025 (arXiv
2604.20307): CK+, FER+ and KDEF merged, RandAugment, random weighted sampling. The network and the exact augmentation of
the paper were not at hand: those here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from mien.learn.data.example import Dataset, Split
from mien.learn.data.merge import merged
from mien.learn.data.words import BASIC
from mien.learn.nets.deployed import GreyPictures
from mien.learn.nets.small import SmallNet, standardised
from mien.learn.offline import topped_up
from mien.learn.randaugment import randaugment
from mien.learn.recipe import Arrays, Batch, Mouth, Recipe
from mien.learn.stills import stills


@dataclass(frozen=True, kw_only=True)
class EmotionCnn(Recipe):
    """Seven expressions from grey crops; each remedy for rare classes can be switched off."""

    name = "emotion_cnn"
    task = "expression"
    about = "CNN on merged data sets with offline and online augmentation and weighted sampling. After Kirbiz, 2025."
    intended = "A first reading of how a face looks, where rare expressions matter as much as common ones."
    limits = (
        "It reads appearance, not what a person feels.",
        "It was taught to expect rare expressions more often than they come, so it sees disgust and fear too often.",
        "Labels of FER2013 come from web search and are wrong or disputed in about one of three pictures.",
    )

    epochs: int = 40
    batch: int = 64
    rate: float = 0.05  # largest learning rate
    decay: float = 5e-4  # weight decay
    width: int = 24
    depths: tuple[int, int, int] = (2, 3, 3)  # blocks of each stage
    size: int = 48  # px
    also: tuple[str, ...] = ()  # folders of further data sets, in official layouts
    balanced: bool = True  # draw every class equally often
    online: bool = True  # mirror and RandAugment
    changes: int = 2  # of RandAugment, per picture
    strength: float = 0.3  # of RandAugment, 0..1
    offline: bool = True  # top rare classes up to the median class

    @property
    def labels(self) -> tuple[str, ...]:
        """The six basic expressions and neutral; contempt is left out, as the paper does."""
        return BASIC

    @property
    def mouth(self) -> Mouth:
        """Square crops around the detector's box."""
        return Mouth((self.size, self.size))

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Grey pictures of one split; the training split with its copies, which no other ever has."""
        from mien.learn.data.layouts import read

        whole = merged([source, *(read(Path(folder)) for folder in self.also)], self.labels) if self.also else source
        found = stills(whole, split, self.labels, self.size)
        return topped_up(found, split, len(self.labels)) if self.offline and split not in ("dev", "test") else found

    def build(self) -> nn.Module:
        """2.4 M parameters at the usual width."""
        return SmallNet(len(self.labels), self.width, self.depths)

    def optimisers(self, net: nn.Module, steps: int) -> Sequence[tuple[Optimizer, LRScheduler | None]]:
        """One; nothing is decayed that has one dimension."""
        groups = [
            {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": self.decay},
            {"params": [p for p in net.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ]
        optimiser = SGD(groups, self.rate, momentum=0.9, nesterov=True)
        return [(optimiser, OneCycleLR(optimiser, self.rate, steps, pct_start=0.2, cycle_momentum=False))]

    def weights(self, data: Arrays) -> Tensor | None:
        """One over the size of its class, for each picture."""
        if not self.balanced:
            return None
        truth = data.tensors["truth"]
        return 1.0 / torch.bincount(truth, minlength=len(self.labels)).clamp_min(1)[truth]

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Cross-entropy."""
        x = batch["pixels"].permute(0, 3, 1, 2).float()
        if self.online:
            mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
            x = randaugment(torch.where(mirrored, x.flip(3), x), self.changes, self.strength)
        logits = net(standardised(x).contiguous(memory_format=torch.channels_last))
        return {"loss": functional.cross_entropy(logits.float(), batch["truth"])}

    def deployed(self, net: nn.Module) -> nn.Module:
        """The crop alone: its mirror image would be augmentation at test time, which is not what is asked here."""
        return GreyPictures(net, mirrored=False)
