"""Pictures to decisions in a gallery, under its policy; what is in doubt goes to the review queue where that is wanted."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mien import media
from mien.errors import MienError
from mien.serve import policies
from mien.serve.enrolling import truth
from mien.types import Decision, Frame
from mien.where import Where

if TYPE_CHECKING:
    from mien.serve.service import Service

log = logging.getLogger("mien.serve")
FIELDS: Mapping[str, Any] = (
    policies.RATES
    | policies.FILTER
    | {
        "review": {
            "type": "boolean",
            "description": "Put it into the review queue where it is in doubt, whatever the gallery's policy says.",
        }
    }
)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request wants to know. Equal ones may be answered together."""

    tenant: str
    gallery: str
    rates: tuple[tuple[str, float], ...] = ()  # in place of the gallery's policy
    filter: str = ""
    review: bool = False

    @classmethod
    def of(cls, tenant: str, gallery: str, fields: Mapping[str, Any]) -> Ask:
        """As the fields of a request say it. Raises UsageError."""
        only = policies.where(fields)
        rates = tuple(sorted(policies.asked(fields).items()))
        return cls(
            tenant, gallery, rates, "" if only is None else str(fields["where"]), truth(fields.get("review"), False)
        )

    @property
    def where(self) -> Where | None:
        """The filter."""
        return policies.where({"where": self.filter})


def identified(service: Service, ask: Ask, pictures: Sequence[bytes]) -> list[list[Decision] | MienError]:
    """The decisions for each picture, or why there are none. A worker's job.

    Raises GalleryNotFound, SpaceMismatch, EvidenceError, then for all."""
    gallery = service.galleries.open(ask.tenant, ask.gallery)
    standing = service.policies.of(ask.tenant, ask.gallery)
    policy = policies.policy(dict(ask.rates), standing.policy)
    frames = [_frame(service, one) for one in pictures]
    good = [one for one in frames if isinstance(one, Frame)]
    found = iter(service.engine.identify_many(good, gallery, policy, ask.where, service.settings.max_faces))
    decided = [next(found) if isinstance(one, Frame) else one for one in frames]
    if ask.review or standing.rules.review:
        seen = [one for each in decided if not isinstance(each, MienError) for one in each]
        _note(service, ask, seen, standing.rules.close)
    return decided


def _note(service: Service, ask: Ask, seen: Sequence[Decision], close: float) -> None:
    """The answer does not fail because the queue does."""
    try:
        service.review.note(ask.tenant, ask.gallery, seen, close)
    except MienError as error:
        log.error("the review queue could not be written", extra={"gallery": ask.gallery, "why": error.message})


def _frame(service: Service, data: bytes) -> Frame | MienError:
    try:
        return media.read_image(data, max_pixels=int(service.settings.max_megapixels * 1e6))
    except MienError as error:
        return error
