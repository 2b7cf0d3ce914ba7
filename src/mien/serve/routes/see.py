"""Pictures to answers: detect, verify, identify, judge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from mien import edit, media, wire
from mien.decide import Policy
from mien.errors import MienError, UsageError
from mien.serve.access import Caller, needs
from mien.serve.identifying import FIELDS, Ask, identified
from mien.serve.policies import RATES, policy
from mien.serve.service import Here, Service
from mien.serve.uploads import received, taking
from mien.sighting import judged
from mien.types import Clip, Decision, Frame

router = APIRouter(prefix="/v1", tags=["see"])
Reader: Any = needs("reader")
KEPT = {
    "keep_known_in": {
        "type": "string",
        "description": "A gallery: whoever is accepted as one of its people stays to be seen.",
    }
}


@router.post("/detect", openapi_extra=taking("image"))
async def detect(request: Request, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """Every face of a picture, largest first, in px of the picture as displayed."""
    picture = (await received(request, "image")).one("image")
    frame, faces = await service.lines.run(_detected, service, picture)
    most = service.settings.max_faces
    service.log.add(who, "detect", count=len(faces))
    size = {"width": frame.width, "height": frame.height}
    return size | {"faces": [wire.face(one) for one in faces[:most]], "faces_left_out": max(0, len(faces) - most)}


@router.post("/verify", openapi_extra=taking("one", "other", **RATES))
async def verify(request: Request, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """Whether two pictures show the same person: accept, reject or abstain, with the evidence."""
    upload = await received(request, "one", "other")
    first, second, wanted = upload.one("one"), upload.one("other"), policy(upload.fields)
    decision = await service.lines.run(_verified, service, first, second, wanted)
    service.log.add(who, "verify", verdict=decision.verdict)
    return wire.decision(decision)


@router.post("/galleries/{gallery}/identify", openapi_extra=taking("image", **FIELDS))
async def identify(gallery: str, request: Request, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """Who is in the picture: one decision per face, with candidates, threshold and reasons."""
    upload = await received(request, "image")
    ask, picture = Ask.of(who.tenant, gallery, upload.fields), upload.one("image")
    found = await service.lines.together(("identify", ask), partial(identified, service, ask), picture)
    if isinstance(found, MienError):
        raise found
    for one in found:
        service.log.add(who, "identify", gallery=gallery, verdict=one.verdict, subject=one.subject)
    return {"decisions": [wire.decision(one) for one in found]}


@router.post("/judge/{kind}", openapi_extra=taking("image"))
async def judge(kind: str, request: Request, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """What a judge reads off each face of a picture."""
    picture = (await received(request, "image")).one("image")
    seen = await service.lines.run(_judged, service, kind, picture)
    service.log.add(who, "judge", kind=kind, count=len(seen))
    return {"faces": seen}


@router.post("/edit/{how}", openapi_extra=taking("image", **KEPT), response_class=Response)
async def change(how: str, request: Request, service: Here, who: Caller = Reader) -> Response:
    """The picture with its faces hidden (blur, pixelate or cover) and a mark of it: a PNG, or a JPEG when it came as one."""
    upload = await received(request, "image")
    editor, picture, gallery = edit.load(how), upload.one("image"), upload.fields.get("keep_known_in")
    if gallery is not None and not isinstance(gallery, str):
        raise UsageError("'keep_known_in' is no text.", "Name a gallery.")
    kept = None if gallery is None else (who.tenant, gallery)
    data, hidden, stayed = await service.lines.run(_hidden, service, editor, picture, kept)
    service.log.add(who, "edit", how=how, count=hidden)
    form = "image/jpeg" if data.startswith(b"\xff\xd8") else "image/png"
    return Response(data, media_type=form, headers={"x-faces-hidden": str(hidden), "x-faces-kept": str(stayed)})


@router.post("/quality", openapi_extra=taking("image"))
async def quality(request: Request, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """Whether a picture is good enough to enrol somebody from, and in words what to do about it."""
    picture = (await received(request, "image")).one("image")
    found: dict[str, Any] = await service.lines.run(_advised, service, picture)
    service.log.add(who, "quality", usable=found["usable"])
    return found


def opened(service: Service, data: bytes) -> Frame:
    """The picture in `data`, within the service's limit. Raises UnreadableMedia."""
    return media.read_image(data, max_pixels=int(service.settings.max_megapixels * 1e6))


def _detected(service: Service, data: bytes) -> tuple[Frame, Sequence[Any]]:
    frame = opened(service, data)
    return frame, service.engine.faces(frame)


def _verified(service: Service, one: bytes, other: bytes, wanted: Any) -> Decision:
    return service.engine.verify(opened(service, one), opened(service, other), wanted)


def _judged(service: Service, kind: str, data: bytes) -> list[dict[str, Any]]:
    one = service.judge(kind)
    frame = opened(service, data)
    clips = [Clip((face,)) for face in service.engine.faces(frame)[: service.settings.max_faces]]
    return [wire.seen(clip, judged(one, clip)) for clip in clips]


def _advised(service: Service, data: bytes) -> dict[str, Any]:
    """Advice rather than a refusal: nobody or several in the picture is an answer here."""
    frame = opened(service, data)
    faces = service.engine.faces(frame)
    if len(faces) != 1:
        told = "No face was found: come closer, and into the light." if not faces else "There are several faces."
        return {"usable": False, "quality": None, "faces": len(faces), "advice": [told], "face": None}
    shot = service.engine.shots(faces)[0]
    usable = shot.worth >= Policy().floor
    advice = list(shot.quality.reasons) or ([] if usable else ["The face is too poor to know anybody by."])
    if usable and shot.worth < Policy().quality:
        advice.append("It can be used, but a better picture will be recognised more often.")
    return {
        "usable": usable,
        "quality": wire.encode(shot.worth),
        "faces": 1,
        "advice": advice,
        "face": wire.face(faces[0]),
    }


def _hidden(service: Service, editor: edit.Hide, data: bytes, kept: tuple[str, str] | None) -> tuple[bytes, int, int]:
    """The edited picture, and how many faces were hidden and were left."""
    frame = opened(service, data)
    faces = service.engine.faces(frame)
    if kept is None:
        hide = faces
    else:
        (found,) = service.engine.identify_many([frame], service.galleries.open(*kept))
        if isinstance(found, MienError):
            raise found
        hide = [face for face, one in zip(faces, found, strict=True) if one.verdict != "accept"]
    suffix = ".jpg" if data.startswith(b"\xff\xd8") else ".png"
    done = media.encoded(editor.edit(frame, hide), suffix, mark=editor.name)
    return done, len(hide), len(faces) - len(hide)
