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

from mien.errors import UsageError
from mien.learn.data.example import Dataset, Split
from mien.learn.induced_bias import dealt, shares, spectacles
from mien.learn.recipe import Arrays
from mien.learn.recipes.expression_fer import ExpressionFer

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

    epochs: int = 6
    ema: float = 0.98
    width: int = 8
    size: int = 24
    early: tuple[float, int] = (0.0, 24)
    kind: str = "representational"
    strength: float = 0.5  # share of the group; 0.5 is balanced
    drawn: int = 4_000  # training pictures
    draw: int = 0  # of who wears spectacles, and of which pictures

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Training pictures with bias; those of other splits in both groups by turns, which is balanced."""
        if self.kind not in KINDS or not 0 <= self.strength <= 1:
            raise UsageError(
                f"There is no bias {self.kind} of strength {self.strength}.", f"Kinds: {', '.join(KINDS)}."
            )
        plain = super().data(source, split)
        labels = plain.tensors["truth"].numpy()
        if split == "train":
            random = np.random.default_rng(self.draw)
            rows = random.permutation(len(labels))[: self.drawn]
            share = shares(self.labels, self.kind, self.strength, PARTS.get(self.kind, {}))
            group = dealt(labels[rows], share, random)
        else:
            rows, group = np.arange(len(labels)), np.arange(len(labels)) % 2
        pixels = plain.tensors["pixels"].numpy()[rows, :, :, 0]
        worn = np.where(group[:, None, None] == 1, spectacles(pixels), pixels)[..., None]
        tensors = {"pixels": torch.from_numpy(worn), "group": torch.from_numpy(group)}
        subjects, names = ([held[row] for row in rows] for held in (plain.subjects, plain.names))
        return Arrays(tensors, torch.from_numpy(labels[rows]), subjects, names, plain.problems)
