"""Models and their licences."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mien import models, wire
from mien.models import Card
from mien.models.licence import is_accepted
from mien.serve.access import Caller, needs
from mien.serve.service import Here, Service

router = APIRouter(prefix="/v1/models", tags=["models"])
Reader: Any = needs("reader")


@router.get("")
def listed(service: Here, who: Caller = Reader) -> dict[str, Any]:
    """Every card: what it is for, whether it is in use, its terms, what was measured, its limits. Files stay unnamed."""
    used = _used(service)
    cards = sorted(models.catalogue(), key=lambda card: (card.name not in used, card.task, card.name))
    return {"items": [_shown(card, used) for card in cards], "in_use": sorted(used), "next": None}


@router.get("/{name}")
def one(name: str, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """One card."""
    return _shown(models.card(_plain(name)), _used(service))


def _plain(name: str) -> str:
    """A name and no path: the library would read a card from any file."""
    from mien.errors import UnknownModel

    if name not in {card.name for card in models.catalogue()}:
        raise UnknownModel(f"There is no model {name[:60]!r}.", "See which there are at /v1/models.")
    return name


def _used(service: Service) -> set[str]:
    engine = service.engine
    return {engine.detector.name, engine.embedder.name, *(one.name for one in engine.judges)}


def _shown(card: Card, used: set[str]) -> dict[str, Any]:
    licence = card.licence
    return {
        "name": card.name,
        "task": card.task,
        "summary": card.summary,
        "in_use": card.name in used,
        "commercial": licence.commercial,
        "accepted": is_accepted(card),
        "licence": {
            "code": licence.code,
            "weights": licence.weights,
            "training_data": licence.training_data,
            "url": licence.url,
            "read_on": licence.read_on.isoformat(),
        },
        "training": card.training,
        "paper": card.paper,
        "limits": list(card.limits),
        "bytes": sum(file.size or 0 for file in card.files),
        "results": [wire.encode(result) for result in card.results],
        "operating_points": [wire.encode(point) for point in card.operating_points],
    }
