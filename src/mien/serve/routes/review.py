"""What somebody should look at: identifications in doubt and people who may be enrolled twice; merging and splitting."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from mien import wire
from mien.errors import Conflict, NotFound, PoorFace, Unavailable, UsageError
from mien.serve import people, samples
from mien.serve.access import Caller, needs
from mien.serve.cursors import LARGEST, USUAL
from mien.serve.doubles import Double
from mien.serve.enrolling import fits
from mien.serve.review import Doubt
from mien.serve.routes.subjects import PRIVATE
from mien.serve.service import Here, Service
from mien.serve.writers import writes

router = APIRouter(prefix="/v1/galleries/{gallery}", tags=["review"])
Reader: Any = needs("reader")
Operator: Any = needs("operator")
Limit = Annotated[int, Query(ge=1, le=LARGEST)]
Kind = Literal["seen", "duplicate"]


class Action(BaseModel):
    """What somebody found who looked."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["confirm", "not_this_person", "enrol_as", "dismiss"]
    subject: str | None = Field(
        default=None,
        description="Who: of an identification, the candidate meant (the best one, if none is named) or the name to enrol "
        "as; of a duplicate, the name that is left.",
    )


class Merge(BaseModel):
    """Two people to make one."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    into: str = Field(description="Who is left.")
    other: str = Field(alias="from", description="Whose samples and notes come along, and whose name goes.")


class Split(BaseModel):
    """Samples to give to somebody else."""

    model_config = ConfigDict(extra="forbid")

    subject: str
    samples: list[str] = Field(min_length=1, max_length=1000, description="Ids.")
    to: str = Field(description="A new name, or somebody enrolled.")


@router.get("/review")
def queue(
    gallery: str,
    service: Here,
    who: Caller = Reader,
    limit: Limit = USUAL,
    cursor: str | None = None,
    kind: Kind | None = None,
) -> dict[str, Any]:
    """What waits: on the first page the pairs who may be one person, then identifications in doubt, newest first.

    `duplicates` says how many of the pairs chance alone may bring, or why none were looked for."""
    where, of = (who.tenant, gallery), (who.tenant, gallery, "review", kind)
    before = service.cursors.take(cursor, *of) if cursor else None
    held = service.galleries.open(*where)
    items: list[dict[str, Any]] = []
    told: dict[str, Any] = {"expected": None, "why_none": None}
    if kind != "seen" and before is None:
        found = service.doubles.of(where, held)
        told = {"expected": found.expected, "why_none": found.why or None}
        items = [_pair(one) for one in _open_pairs(service, where, found.doubles)]
    seen = service.review.waiting(where, before, limit + 1) if kind != "duplicate" else []
    items += [_doubt(one) for one in seen[:limit]]
    service.log.add(who, "review.list", gallery=gallery, count=len(items))
    more = service.cursors.give(seen[limit - 1].number, *of) if len(seen) > limit else None
    return {"items": items, "next": more, "duplicates": told}


@router.post("/review/{item}")
@writes
def act(gallery: str, item: str, action: Action, service: Here, who: Caller = Operator) -> dict[str, Any]:
    """Settle something. Of an identification: confirm (it is that candidate; nothing is enrolled), not_this_person (it is
    not that candidate; it stays while there are others), enrol_as (the face becomes a sample), dismiss. Of a duplicate:
    confirm (they are merged), not_this_person or dismiss (they do not come again)."""
    where = (who.tenant, gallery)
    service.gate.again(who)
    told = (_act_on_pair if item.startswith("p") else _act_on_doubt)(service, where, item, action)
    facts = {"gallery": gallery, "item": item, "subject": told["subject"]}
    service.log.add(who, f"review.{action.action}", durable=True, **facts)
    return {"id": item, "action": action.action} | told


@router.get("/review/{item}/image", response_class=Response)
def image(gallery: str, item: str, service: Here, who: Caller = Reader) -> Response:
    """The face that was seen, as JPEG."""
    service.galleries.open(who.tenant, gallery)
    _, sample = service.review.one((who.tenant, gallery), item)
    service.log.add(who, "review.image", gallery=gallery, item=item)
    data = samples.jpeg(sample)
    if data is None:
        raise NotFound("No picture is kept of it.", "Set keep_images to have one.")
    return Response(data, media_type="image/jpeg", headers=PRIVATE)


@router.post("/merge")
@writes
def merge(gallery: str, wanted: Merge, service: Here, who: Caller = Operator) -> dict[str, Any]:
    """Make two people one. A kill at any moment loses nobody: at worst both are there until the service starts again."""
    service.gate.again(who)
    return _merged(service, who, gallery, (wanted.into, wanted.other))


@router.post("/split")
@writes
def split(gallery: str, wanted: Split, service: Here, who: Caller = Operator) -> dict[str, Any]:
    """Give some of a person's samples to somebody else, new or enrolled. As safe as a merge."""
    where = (who.tenant, gallery)
    service.gate.again(who)
    done = people.split(service.galleries, where, wanted.subject, wanted.samples, wanted.to)
    facts = {"subject": done.other, "into": done.subject, "moved": done.moved}
    service.log.add(who, "subject.split", durable=True, gallery=gallery, **facts)
    told: dict[str, Any] = wire.encode(done)
    return told


def _merged(service: Service, who: Caller, gallery: str, names: tuple[str, str]) -> dict[str, Any]:
    where = (who.tenant, gallery)
    done = people.merged(service.galleries, where, *names)
    if done.gone:
        service.review.renamed(where, done.other, done.subject)
    service.doubles.drop(where)
    facts = {"into": done.subject, "other": done.other, "moved": done.moved}
    service.log.add(who, "subject.merge", durable=True, gallery=gallery, **facts)
    told: dict[str, Any] = wire.encode(done)
    return told


def _act_on_doubt(service: Service, where: tuple[str, str], item: str, action: Action) -> dict[str, Any]:
    doubt, _ = service.review.one(where, item)
    names = [name for name, _ in doubt.candidates]
    if action.action == "dismiss":
        service.review.settle(where, item, "dismissed")
        return {"subject": None, "open": False}
    if action.action == "enrol_as":
        return _enrolled(service, where, item, people.addressed(action.subject or _missing()))
    subject = action.subject or (names[0] if names else _missing())
    if subject not in names:
        raise UsageError(f"{subject[:60]!r} is no candidate.", f"The candidates are {', '.join(names) or 'gone'}.")
    if action.action == "confirm":
        service.galleries.open(*where).person(subject)
        service.review.settle(where, item, "confirmed")
        return {"subject": subject, "open": False}
    service.review.part(where, f"face:{item}", f"name:{subject}")
    if names == [subject]:
        service.review.settle(where, item, "nobody")
    return {"subject": subject, "open": names != [subject]}


def _enrolled(service: Service, where: tuple[str, str], item: str, subject: str) -> dict[str, Any]:
    """A face seen becomes a sample of `subject`. First it is enrolled, then settled: after a kill in between it waits still."""
    parted = service.review.parted(where)
    if tuple(sorted((f"face:{item}", f"name:{subject}"))) in parted:
        raise Conflict(f"It was said that this is not {subject!r}.", "Choose somebody else, or dismiss it.")
    with service.galleries.turn(*where) as gallery:
        _, sample = service.review.one(where, item)
        quality = sample.template.quality or 0.0
        if quality < service.policies.of(*where).policy.floor:  # poor pictures of anybody look alike
            raise PoorFace(
                f"The face is too poor to know anybody by: quality {quality:.2f}.",
                "Confirm it, and enrol a better picture.",
            )
        fits(service, gallery, where[1])
        added = gallery.enrol(subject, [sample])
        service.review.settle(where, item, "enrolled")
    return {"subject": subject, "open": False, "added": added, "sample": samples.sample_id(sample.template)}


def _act_on_pair(service: Service, where: tuple[str, str], item: str, action: Action) -> dict[str, Any]:
    found = service.doubles.of(where, service.galleries.open(*where))
    if found.looking:
        raise Unavailable("People who may be enrolled twice are being looked for.", "Try again in a moment.")
    pair = next((one for one in _open_pairs(service, where, found.doubles) if one.id == item), None)
    if pair is None:
        raise NotFound(f"No duplicate {item[:40]!r} waits for review.", "See what does.")
    names = (pair.one, pair.other)
    if action.action == "dismiss":
        service.review.dismiss(where, item)
        return {"subject": None, "open": False}
    if action.action == "not_this_person":
        service.review.part(where, *(f"name:{name}" for name in names))
        return {"subject": None, "open": False}
    if action.action == "enrol_as":
        raise UsageError("Both of a pair are enrolled already.", "Confirm it, or say that it is not the same person.")
    into = action.subject or pair.one
    if into not in names:
        raise UsageError(f"{into[:60]!r} is neither of the two.", f"Name {pair.one} or {pair.other}.")
    done = people.merged(service.galleries, where, into, names[1 - names.index(into)])
    service.review.renamed(where, done.other, done.subject)
    service.doubles.drop(where)
    return {"subject": into, "open": False} | {"merged": wire.encode(done)}


def _open_pairs(service: Service, where: tuple[str, str], found: tuple[Double, ...]) -> list[Double]:
    """Those that nobody has settled."""
    parted, gone = service.review.parted(where), service.review.dismissed(where)
    return [
        one
        for one in found
        if one.id not in gone and tuple(sorted((f"name:{one.one}", f"name:{one.other}"))) not in parted
    ]


def _missing() -> str:
    raise UsageError("Nobody is named.", "Say who in `subject`.")


def _doubt(one: Doubt) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": "seen",
        "made": one.made,
        "verdict": one.verdict,
        "reasons": list(one.why),
        "candidates": [{"subject": name, "score": score} for name, score in one.candidates],
        "threshold": one.threshold,
        "image": one.image,
    }


def _pair(one: Double) -> dict[str, Any]:
    return {"kind": "duplicate"} | dict(wire.encode(one))
