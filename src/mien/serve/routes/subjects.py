"""The people of a gallery: enrol, list, change, replace, forget; their samples and pictures."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from mien import wire
from mien.errors import MienError, NotFound, UsageError
from mien.serve import enrolling, people, samples
from mien.serve.access import Caller, needs
from mien.serve.cursors import LARGEST, USUAL
from mien.serve.erasing import forgotten
from mien.serve.service import Here, Service
from mien.serve.uploads import received, taking
from mien.serve.writers import writes
from mien.types import Sample

router = APIRouter(prefix="/v1/galleries/{gallery}/subjects", tags=["subjects"])
Reader: Any = needs("reader")
Operator: Any = needs("operator")
Limit = Annotated[int, Query(ge=1, le=LARGEST)]
Side = Annotated[int, Query(ge=16, le=512, description="Longest side, px.")]
# A picture of somebody is for whoever asked, and stays nowhere on the way.
PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff"}
_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "The picture."}}


class Change(BaseModel):
    """What to change about a person. What is null in `metadata` is taken out."""

    model_config = ConfigDict(extra="forbid")

    subject: str | None = Field(default=None, description="A new name.")
    metadata: dict[str, Any] | None = None
    consent: str | None = None
    purpose: str | None = None
    expires: str | None = Field(default=None, description="The last day, such as 2027-12-31.")


@router.get("")
def listed(
    gallery: str,
    service: Here,
    who: Caller = Reader,
    limit: Limit = USUAL,
    cursor: str | None = None,
    containing: Annotated[str | None, Query(max_length=256, description="Only names that hold this text.")] = None,
) -> dict[str, Any]:
    """Everybody in a gallery, by name, page by page."""
    of = (who.tenant, gallery, "subjects", containing or None)
    after = service.cursors.take(cursor, *of) if cursor else None
    held = service.galleries.open(who.tenant, gallery)
    found = held.people(after=after, limit=limit + 1, containing=containing or None)
    service.log.add(who, "subject.list", gallery=gallery, count=min(limit, len(found)))
    more = service.cursors.give(found[limit - 1].subject, *of) if len(found) > limit else None
    return {"items": wire.encode(found[:limit]), "next": more}


@router.get("/{subject:name}")
def one(gallery: str, subject: str, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """One person."""
    person = service.galleries.open(who.tenant, gallery).person(subject)
    service.log.add(who, "subject.show", gallery=gallery, subject=person.subject)
    told: dict[str, Any] = wire.encode(person)
    return told


@router.post("/{subject:name}/samples", openapi_extra=taking("image", **enrolling.FIELDS))
async def enrol(
    gallery: str, subject: str, request: Request, response: Response, service: Here, who: Caller = Operator
) -> dict[str, Any]:
    """Add pictures to a person, who is made when new. Those that cannot be used are in `refused`, each with its reason and
    advice; the others are durable when this answers. 201 when something was added, else 200."""
    name, found, wanted = await _asked(gallery, subject, request, service, who)
    told = await service.writers.run(_enrolled, service, who, (gallery, name), found, wanted)
    response.status_code = 201 if told["added"] else 200
    return told


@router.put("/{subject:name}", openapi_extra=taking("image", **enrolling.FIELDS))
async def replace(
    gallery: str, subject: str, request: Request, service: Here, who: Caller = Operator
) -> dict[str, Any]:
    """Give a person these pictures in place of all others: all of them, or nothing changes."""
    name, found, wanted = await _asked(gallery, subject, request, service, who)
    if refused := enrolling.refused(found):
        first = next(one for _, one in found if isinstance(one, MienError))
        more = f" {len(refused) - 1} more cannot be used." if len(refused) > 1 else ""
        raise type(first)(f"Nothing was replaced. {first.message}{more}", first.remedy)
    return await service.writers.run(_replaced, service, who, (gallery, name), found, wanted)


@router.patch("/{subject:name}")
@writes
def change(gallery: str, subject: str, changes: Change, service: Here, who: Caller = Operator) -> dict[str, Any]:
    """Change what is noted about a person, or the name. Notes that are not named stay."""
    where, told = (who.tenant, gallery), changes.model_dump(exclude_unset=True)
    notes = dict(told.pop("metadata", None) or {}) | {name: told[name] for name in people.CARE if name in told}
    people.cared(notes)  # what cannot be is refused before the name changes
    wanted = told.get("subject")
    service.gate.again(who)
    person = service.galleries.open(*where).person(subject)
    if wanted is not None:
        old, person = person.subject, people.renamed(service.galleries, where, subject, wanted)
        service.review.renamed(where, old, person.subject)
        service.log.add(who, "subject.rename", durable=True, gallery=gallery, subject=person.subject, other=old)
    if notes:
        person = people.noted(service.galleries, where, person.subject, notes)
        service.log.add(who, "subject.change", durable=True, gallery=gallery, subject=person.subject)
    shown: dict[str, Any] = wire.encode(person)
    return shown


@router.delete("/{subject:name}")
@writes
def forget(gallery: str, subject: str, service: Here, who: Caller = Operator) -> dict[str, Any]:
    """Erase a person for good: templates, pictures, notes, and what else the service keeps. The answer is the receipt."""
    receipt: dict[str, Any] = wire.encode(forgotten(service, who, gallery, subject))
    return receipt


@router.get("/{subject:name}/samples")
def samples_of(
    gallery: str, subject: str, service: Here, who: Caller = Reader, limit: Limit = USUAL, cursor: str | None = None
) -> dict[str, Any]:
    """The samples of a person, in the order they were enrolled; never their templates' numbers."""
    of = (who.tenant, gallery, "samples", subject)
    start = service.cursors.take(cursor, *of) if cursor else 0
    held = list(samples.numbered(service.galleries.open(who.tenant, gallery), subject))
    service.log.add(who, "sample.list", gallery=gallery, subject=subject, count=len(held))
    more = service.cursors.give(start + limit, *of) if len(held) > start + limit else None
    return {"items": [samples.shown(*each) for each in held[start : start + limit]], "next": more}


@router.delete("/{subject:name}/samples/{sample}")
@writes
def forget_sample(gallery: str, subject: str, sample: str, service: Here, who: Caller = Operator) -> dict[str, Any]:
    """Erase one sample. With the last one the person is forgotten, and the answer has that receipt."""
    where, receipt = (who.tenant, gallery), None
    service.gate.again(who)
    try:
        left = people.sample_dropped(service.galleries, where, subject, sample)
    except UsageError:  # the last one
        left, receipt = 0, wire.encode(forgotten(service, who, gallery, subject))
    else:
        service.log.add(who, "sample.forget", durable=True, gallery=gallery, subject=subject, sample=sample)
    return {"subject": subject, "sample": sample, "left": left, "receipt": receipt}


@router.get("/{subject:name}/samples/{sample}/image", response_class=Response, responses=_JPEG)
def image(gallery: str, subject: str, sample: str, service: Here, who: Caller = Reader) -> Response:
    """The crop that a sample was made from, as JPEG."""
    found = samples.sample(service.galleries.open(who.tenant, gallery), subject, sample)
    service.log.add(who, "sample.image", gallery=gallery, subject=subject)
    return _picture(found, 0)


@router.get("/{subject:name}/thumbnail", response_class=Response, responses=_JPEG)
def thumbnail(gallery: str, subject: str, service: Here, who: Caller = Reader, size: Side = 160) -> Response:
    """The first crop kept of a person, made small, as JPEG."""
    held = service.galleries.open(who.tenant, gallery)
    found = next((one for _, one in samples.numbered(held, subject) if one.face is not None), None)
    service.log.add(who, "subject.thumbnail", gallery=gallery, subject=subject)
    return _picture(found, size)


async def _asked(
    gallery: str, subject: str, request: Request, service: Service, who: Caller
) -> tuple[str, list[tuple[str, enrolling.Result]], enrolling.Wish]:
    """What a request to enrol brings, seen through the models; what can be refused before is refused before."""
    name = people.addressed(subject)
    upload = await received(request, "image")
    wanted, pictures = enrolling.wish(upload.fields, service.settings.keep_images), enrolling.named(upload)
    held = await run_in_threadpool(service.galleries.open, who.tenant, gallery)
    await run_in_threadpool(enrolling.fits, service, held, gallery)
    return name, await enrolling.made(service, pictures, wanted.keep_images), wanted


def _enrolled(
    service: Service, who: Caller, whom: tuple[str, str], found: list[Any], wanted: enrolling.Wish
) -> dict[str, Any]:
    gallery, subject = whom
    service.gate.again(who)
    told = enrolling.kept(service, (who.tenant, gallery), subject, found, wanted)
    facts = {"added": told["added"], "known": told["known"], "refused": len(told["refused"])}
    service.log.add(who, "subject.enrol", durable=True, gallery=gallery, subject=subject, **facts)
    return told


def _replaced(
    service: Service, who: Caller, whom: tuple[str, str], found: list[Any], wanted: enrolling.Wish
) -> dict[str, Any]:
    (gallery, subject), where = whom, (who.tenant, whom[0])
    service.gate.again(who)
    new = [one for _, one in found if isinstance(one, Sample)]
    added, gone = people.replaced(service.galleries, where, subject, new, partial(enrolling.metadata_of, wanted))
    service.log.add(who, "subject.replace", durable=True, gallery=gallery, subject=subject, added=added, gone=gone)
    return enrolling.told(subject, found) | {"added": added, "gone": gone}


def _picture(one: Sample | None, side: int) -> Response:
    data = None if one is None else samples.jpeg(one, side)
    if data is None:
        raise NotFound("No picture is kept of it.", "Enrol with keep_images to have one.")
    return Response(data, media_type="image/jpeg", headers=PRIVATE)
