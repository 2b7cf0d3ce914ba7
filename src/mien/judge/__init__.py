"""Clips to readings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from mien.errors import UnknownModel
from mien.protocols import Judge

__all__ = ["load"]


def load(name: str | os.PathLike[str]) -> Judge:
    """The judge of that name, or of a classifier's card: its name, or the path of its TOML file.

    Raises UnknownModel, UsageError for a card that is not a classifier's, ModelError in its kinds."""
    if (ready := _JUDGES.get(str(name))) is not None:
        return ready()
    from mien import models

    try:
        card = models.card(name)
    except UnknownModel as error:
        if str(name).endswith(".toml"):
            raise
        known = f"Choose among {', '.join(sorted(_JUDGES))}, or give a classifier's card."
        raise UnknownModel(f"There is no judge {name!r}.", known) from error
    from mien.judge.onnx import OnnxJudge

    return OnnxJudge(card)


def _quality() -> Judge:
    from mien.judge.quality import Quality

    return Quality()


def _iso_quality() -> Judge:
    from mien.judge.iso_quality import IsoQuality

    return IsoQuality()


_JUDGES: Mapping[str, Callable[[], Judge]] = {"iso_quality": _iso_quality, "quality": _quality}
