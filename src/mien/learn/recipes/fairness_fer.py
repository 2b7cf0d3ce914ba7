"""An expression model trained on data that were biased on purpose, to see what becomes of the bias.

After Dominguez-Catena, Paternain and Galar, Biased heritage, 2025 (arXiv 2503.03446): representational bias (a group has more
pictures) and stereotypical bias (a group has more pictures of some class). The group is drawn onto the pictures, as
`learn.induced_bias` says; every strength sees the same pictures and classes, and only who wears spectacles changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mien.errors import UsageError
from mien.learn.augment import Geometry, moved
from mien.learn.data.example import Dataset, Split
from mien.learn.induced_bias import dealt, shares, spectacles
from mien.learn.nets.small import SmallNet, standardised
from mien.learn.recipe import Arrays, Batch, Mouth
from mien.learn.recipes.expression_fer import ExpressionFer
from mien.learn.stills import stills
from mien.types import U8

FULL = 48  # px of the pictures that spectacles are drawn on
GENTLE = Geometry(turn=8.0, scale=(0.9, 1.05), move=0.05)
KINDS = ("representational", "one", "several")
PARTS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "one": {"towards": ("happiness",)},
    "several": {"towards": ("anger", "fear", "sadness"), "away": ("disgust", "happiness", "surprise")},
}


@dataclass(frozen=True, kw_only=True)
class FairnessFer(ExpressionFer):
    """The expression recipe in small, with `kind` and `strength` of bias in its training data."""

    name = "fairness_fer"
    about = "Expression network trained with induced bias (simulated groups), after Dominguez-Catena et al. 2025."
    intended = (
        "Showing what bias of training data does to a model. It is biased on purpose: never use it to read anybody."
    )
    limits: ClassVar[tuple[str, ...]] = (
        "Biased on purpose.",
        "The group is drawn onto the pictures and stands for no group of people.",
    )

    epochs: int = 8
    batch: int = 64
    ema: float = 0.0
    rate: float = 0.05
    width: int = 12
    depths: tuple[int, int, int] = (1, 1, 1)  # blocks of each stage
    size: int = 24  # px of all pictures, those that are judged too
    kind: str = "representational"
    strength: float = 0.5  # share of the group; 0.5 is balanced
    drawn: int = 8_000  # training pictures
    draw: int = 0  # of who wears spectacles, and of which pictures

    @property
    def mouth(self) -> Mouth:
        """Crops around the detector's box."""
        return Mouth((self.size, self.size))

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Training pictures with bias; those of other splits in both groups by turns, which is balanced."""
        if self.kind not in KINDS or not 0 <= self.strength <= 1:
            raise UsageError(
                f"There is no bias {self.kind} of strength {self.strength}.", f"Kinds: {', '.join(KINDS)}."
            )
        plain = stills(source, split, self.labels, FULL)
        labels = plain.tensors["truth"].numpy()
        if split == "train":
            random = np.random.default_rng(self.draw)
            rows = random.permutation(len(labels))[: self.drawn]
            share = shares(self.labels, self.kind, self.strength, PARTS.get(self.kind, {}))
            group = dealt(labels[rows], share, random)
        else:
            rows, group = np.arange(len(labels)), np.arange(len(labels)) % 2
        pixels = plain.tensors["pixels"].numpy()[rows, :, :, 0]
        tensors = {"pixels": self.shown(pixels, group), "group": torch.from_numpy(group)}
        subjects, names = ([held[row] for row in rows] for held in (plain.subjects, plain.names))
        return Arrays(tensors, torch.from_numpy(labels[rows]), subjects, names, plain.problems)

    def shown(self, pixels: U8, group: NDArray[np.int64]) -> Tensor:
        """(n, 48, 48) grey pictures with spectacles on those of group 1, as (n, size, size, 1) uint8.

        They are drawn on the large picture and made small with it, so that they look alike at every size."""
        worn = np.where(group[:, None, None] == 1, spectacles(pixels), pixels)
        small = functional.interpolate(torch.from_numpy(worn)[:, None].float(), (self.size, self.size), mode="area")
        return small.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def build(self) -> nn.Module:
        """0.15 M parameters at width 12."""
        return SmallNet(len(self.labels), self.width, self.depths)

    def turned(self, net: nn.Module, data: Arrays, epoch: int) -> None:
        """All epochs see one size."""

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Cross-entropy. Runs are short, so pictures are varied little, and nothing hides the spectacles."""
        x = standardised(moved(batch["pixels"].permute(0, 3, 1, 2).float(), self.size, GENTLE))
        logits = net(x.contiguous(memory_format=torch.channels_last))
        return {"loss": functional.cross_entropy(logits.float(), batch["truth"])}
