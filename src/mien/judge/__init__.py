"""Clips to readings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import ModelError, UnknownModel, UsageError
from mien.protocols import Judge

if TYPE_CHECKING:
    from mien.models import Card

__all__ = ["CARDS", "known", "load"]

# What people call a kind of reading -> the card that gives it unless another is named.
CARDS: Mapping[str, str] = {"expression": "expression_fer"}


def load(name: str | os.PathLike[str]) -> Judge:
    """A judge by what it reads ("expression", "quality", …), or by a classifier's card: its name, the path of its TOML
    file, or the folder of a training run that holds it.

    Raises UnknownModel, UsageError for a card that is not a classifier's, ModelError in its kinds."""
    if (ready := _JUDGES.get(str(name))) is not None:
        return ready()
    from mien import models
    from mien.judge.onnx import OnnxJudge

    ref: str | os.PathLike[str] = CARDS.get(str(name), name)
    if ref == name and str(name) and Path(name).is_dir():
        return OnnxJudge(_card_in(Path(name)))
    try:
        card = models.card(ref)
    except UnknownModel as error:
        if str(name).endswith(".toml"):
            raise
        known = ", ".join(sorted({*_JUDGES, *CARDS}))
        told = f"Choose among {known}, or give a classifier's card or the folder of a training run."
        raise UnknownModel(f"There is no judge {str(name)!r}.", told) from error
    return OnnxJudge(card)


def known(kind: str) -> bool:
    """Whether `load` has a judge for what this kind of reading is called."""
    return kind in _JUDGES or kind in CARDS


def _card_in(folder: Path) -> Card:
    """The one card of a classifier in a folder. Raises UnknownModel, UsageError; ModelError for a faulty card."""
    from mien import models
    from mien.judge.onnx import is_classifier

    found: list[Card] = []
    faulty: list[ModelError] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            found.append(models.card(path))
        except ModelError as error:
            faulty.append(error)
    found = [card for card in found if is_classifier(card)]
    if len(found) > 1:
        names = ", ".join(card.origin.name for card in found)
        raise UsageError(f"The folder {folder} holds several cards: {names}.", "Give the path of one.")
    if not found and faulty:
        raise faulty[0]
    if not found:
        remedy = "A training run writes it at its end; has it come to that?"
        raise UnknownModel(f"The folder {folder} holds no card of a classifier of faces.", remedy)
    return found[0]


def _liveness() -> Judge:
    from mien.judge.liveness import Liveness

    return Liveness()


def _quality() -> Judge:
    from mien.judge.quality import Quality

    return Quality()


def _iso_quality() -> Judge:
    from mien.judge.iso_quality import IsoQuality

    return IsoQuality()


_JUDGES: Mapping[str, Callable[[], Judge]] = {
    "iso_quality": _iso_quality,
    "liveness": _liveness,
    "quality": _quality,
}
