"""Bias put into training data on purpose: which share of each class belongs to a group that can be seen.

Where nobody knows who the people of a data set are, the group is drawn: spectacles, at one place of every picture. It is
simulated, and says nothing about people. Kinds of bias after Dominguez-Catena, Paternain and Galar, Biased heritage, 2025.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.types import U8

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


def spectacles(pictures: U8) -> U8:
    """(n, 48, 48) with two dark rings and a bridge drawn where the eyes of FER2013's crops mostly are."""
    rows, columns = np.mgrid[:48, :48]
    rings = [np.abs(np.hypot(rows - 20, columns - centre) - 7.5) < 1.2 for centre in (14.5, 32.5)]
    bridge = (np.abs(rows - 19) < 1) & (columns > 21) & (columns < 26)
    drawn = pictures.copy()
    drawn[:, rings[0] | rings[1] | bridge] = 20
    return drawn


def shares(classes: Sequence[str], kind: str, strength: float, parts: Mapping[str, Sequence[str]]) -> F64:
    """(C,) share of each class's training pictures that are of the group.

    kind "representational": the strength, whatever the class. Otherwise `parts` names the classes "towards" the group, with
    that share, and "away" from it, with one minus it; the others have a half."""
    if kind == "representational":
        return np.full(len(classes), strength)
    share = np.full(len(classes), 0.5)
    share[[classes.index(name) for name in parts["towards"]]] = strength
    share[[classes.index(name) for name in parts.get("away", ())]] = 1 - strength
    return share


def dealt(labels: I64, share: F64, random: np.random.Generator) -> I64:
    """(n,) group, 0 or 1, of each picture: of every class the share wanted, to within one picture, drawn at random."""
    group = np.zeros(len(labels), np.int64)
    for number in np.unique(labels):
        of_class = random.permutation(np.flatnonzero(labels == number))
        group[of_class[: round(float(share[number]) * len(of_class))]] = 1
    return group
