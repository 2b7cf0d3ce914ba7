"""What a gallery's own people say about thresholds."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query

from mien import wire
from mien.errors import EvidenceError
from mien.gallery import BaseGallery
from mien.serve import curves
from mien.serve.access import Caller, needs
from mien.serve.service import Here
from mien.types import OperatingPoint

router = APIRouter(prefix="/v1/galleries", tags=["galleries"])
Reader: Any = needs("reader")
_FRESH = 60.0  # s for which a curve is not drawn anew while as many are enrolled
_HELD = 64  # curves kept: numbers, no templates
_known: OrderedDict[tuple[Any, ...], tuple[float, dict[str, Any]]] = OrderedDict()
_lock = threading.Lock()  # one is drawn at a time: it is a second of work, and the second who asks needs the same


@router.get("/{gallery}/thresholds")
def thresholds(
    gallery: str,
    service: Here,
    who: Caller = Reader,
    searches_per_day: Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False)] = 1000.0,
) -> dict[str, Any]:
    """DET curve of the people enrolled, the thresholds in use and those of the model's card on it, and false alarms a day."""
    held = service.galleries.open(who.tenant, gallery)
    policy = service.policies.of(who.tenant, gallery).policy
    people, templates = held.count()
    try:
        now = service.engine.search_point(held, policy)
    except EvidenceError:
        now = None
    card = [one for one in service.engine.points if held.space in (None, service.engine.embedder.space)]
    own = [one for one in held.points if one.space == service.engine.embedder.space]
    cosines = {one.threshold for one in (*([now] if now else []), *card, *own) if one.score == "cosine"}
    known = _of((str(service.settings.data), who.tenant, gallery, people, templates), held, tuple(sorted(cosines)))
    shown = _Shown(dict(zip(sorted(cosines), known["at"], strict=False)), templates, searches_per_day)
    service.log.add(who, "thresholds", gallery=gallery)
    return {
        "gallery": {"people": people, "templates": templates},
        "searches_per_day": searches_per_day,
        "now": None if now is None else shown.point(now),
        "card": [shown.point(one) for one in card],
        "own": [shown.point(one) for one in own],
        "det": [shown.row(one) for one in known["det"]],
        **{name: known[name] for name in ("eer", "counts", "notes")},
        "assumption": curves.ALARMS,
    }


@dataclass(frozen=True, slots=True)
class _Shown:
    """Adds false alarms a day."""

    at: Mapping[float, dict[str, Any]]  # what thresholds do among the people enrolled
    templates: int
    per_day: float

    def row(self, row: dict[str, Any]) -> dict[str, Any]:
        """What a threshold does."""
        return row | {"false_alarms_per_day": curves.alarms(row["fmr"], self.templates, self.per_day)}

    def point(self, one: OperatingPoint) -> dict[str, Any]:
        """A point with what it does here (None: the people enrolled cannot say), and the alarms its own evidence promises."""
        here = self.at.get(one.threshold) if one.score == "cosine" else None
        rate = one.fpir or one.fmr
        promised = None
        if rate:
            rates = {"value": rate, "low": rate if one.low is None else one.low, "high": one.high or rate}
            promised = curves.alarms(rates, 1 if one.fpir else self.templates, self.per_day)
        return {
            "point": wire.encode(one),
            "here": None if here is None else self.row(here),
            "promised_false_alarms_per_day": promised,
        }


def _of(key: tuple[Any, ...], gallery: BaseGallery, thresholds: tuple[float, ...]) -> dict[str, Any]:
    key = (*key, thresholds)
    with _lock:
        since, found = _known.get(key, (0.0, None))
        if found is None or time.monotonic() - since > _FRESH:
            found = curves.curve(curves.drawn(gallery), thresholds)
            _known[key] = (time.monotonic(), found)
        _known.move_to_end(key)
        while len(_known) > _HELD:
            _known.popitem(last=False)
        return found
