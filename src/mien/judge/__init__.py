"""Clips to readings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.errors import UnknownModel
from mien.protocols import Judge

__all__ = ["load"]


def load(name: str) -> Judge:
    """The judge of that name. Raises UnknownModel."""
    if name not in _JUDGES:
        raise UnknownModel(f"There is no judge {name!r}.", f"Choose among {', '.join(sorted(_JUDGES))}.")
    return _JUDGES[name]()


def _quality() -> Judge:
    from mien.judge.quality import Quality

    return Quality()


def _iso_quality() -> Judge:
    from mien.judge.iso_quality import IsoQuality

    return IsoQuality()


_JUDGES: Mapping[str, Callable[[], Judge]] = {"iso_quality": _iso_quality, "quality": _quality}
