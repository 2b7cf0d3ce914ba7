"""Frames to faces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mien import models
from mien.errors import UnknownModel, UsageError
from mien.protocols import Detector

if TYPE_CHECKING:
    from mien.detect.mtcnn import Mtcnn

__all__ = ["load"]

T = TypeVar("T")


def load(name: str = "mtcnn", threads: int = 1, **options: Any) -> Detector:
    """The detector of that card; frames of one call are shared among `threads`, with the same answers.

    `options` are the fields of the family's options: `MtcnnOptions`, `MmodOptions`, `YunetOptions`, `ScrfdOptions`.
    Raises UnknownModel when no card has the name or the card is no detector, ModelError when its files cannot be had,
    UsageError when an option is unknown or makes no sense."""
    if threads < 1:
        raise UsageError(f"Work cannot be shared among {threads} threads.", "Give 1 or more.")
    card = models.card(name)
    family = card.build or card.name.split("_")[0]
    if card.task != "detector" or family not in _FAMILIES:
        raise UnknownModel(
            f"The model {name!r} is no detector that mien can run.", "`mien models` lists the detectors."
        )
    return _FAMILIES[family](card, threads, options)


def _sessions(card: models.Card) -> dict[str, Any]:
    return {role: models.session(path) for role, path in models.ready(card).items()}


def _options(kind: type[T], values: Mapping[str, Any]) -> T:
    known = [item.name for item in fields(cast(Any, kind))]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"This detector has no option {unknown[0]!r}.", f"Choose among {', '.join(known)}.")
    return kind(**values)


def _mtcnn(card: models.Card, threads: int, values: Mapping[str, Any]) -> Mtcnn:
    from mien.detect.mtcnn import Mtcnn, MtcnnOptions

    return Mtcnn(_sessions(card), card.name, threads, _options(MtcnnOptions, values))


def _mmod(card: models.Card, threads: int, values: Mapping[str, Any]) -> Detector:
    from mien.detect.mmod import Mmod, MmodOptions

    pointer = _mtcnn(models.card("mtcnn"), 1, {})
    return Mmod(_sessions(card)["net"], pointer, card.name, threads, _options(MmodOptions, values))


def _yunet(card: models.Card, threads: int, values: Mapping[str, Any]) -> Detector:
    from mien.detect.yunet import Yunet, YunetOptions

    size = card.input.size if card.input else None
    return Yunet(_sessions(card)["model"], card.name, threads, _options(YunetOptions, values), size)


def _scrfd(card: models.Card, threads: int, values: Mapping[str, Any]) -> Detector:
    from mien.detect.scrfd import Scrfd, ScrfdOptions

    return Scrfd(_sessions(card)["model"], card.name, threads, _options(ScrfdOptions, values))


_FAMILIES: Mapping[str, Callable[[models.Card, int, Mapping[str, Any]], Detector]] = {
    "mtcnn": _mtcnn,
    "dlib_mmod": _mmod,
    "yunet": _yunet,
    "scrfd": _scrfd,
}
