"""Pictures of somebody to samples of a gallery: what can be used is enrolled, and what cannot is said why, one by one."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mien import media, wire
from mien.errors import InputError, MienError, SpaceMismatch, UsageError
from mien.gallery import BaseGallery
from mien.serve.people import CARE, cared, known, patched
from mien.serve.samples import sample_id
from mien.serve.uploads import Upload
from mien.types import Frame, Sample

if TYPE_CHECKING:
    from mien.serve.service import Service

Result = Sample | MienError
_TOGETHER = 8  # pictures that go through the models at once …
_PIXELS = 50_000_000  # … of at most so many px together
FIELDS: Mapping[str, Any] = {
    "keep_images": {"type": "boolean", "description": "Keep a crop of each face; else only its template."},
    "metadata": {"type": "object", "description": "What to note about the person, in place of what was noted."},
    "consent": {"type": "string", "description": "Where and when the person agreed."},
    "purpose": {"type": "string", "description": "What the person is enrolled for."},
    "expires": {"type": "string", "format": "date", "description": "The last day; after it the person is erased."},
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for, beside the pictures."""

    keep_images: bool
    metadata: Mapping[str, Any] | None  # in place of what was noted
    care: Mapping[str, Any]  # of CARE, those that are named


def wish(fields: Mapping[str, Any], keep_images: bool) -> Wish:
    """The fields of an upload. keep_images: unless they say otherwise. Raises UsageError, InputError."""
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise UsageError(f"There is no field {unknown[0][:60]!r} here.", f"The fields are: image, {', '.join(FIELDS)}.")
    metadata = fields.get("metadata")
    if isinstance(metadata, str) and metadata:
        try:
            metadata = json.loads(metadata)
        except (ValueError, RecursionError):
            raise InputError("'metadata' is no JSON.", 'Send an object such as {"badge": 17}.') from None
    if metadata is not None and not isinstance(metadata, dict):
        raise InputError("'metadata' is no JSON object.", 'Send one such as {"badge": 17}.')
    care = {name: fields[name] for name in CARE if fields.get(name) not in (None, "")}
    return Wish(truth(fields.get("keep_images"), keep_images), metadata and cared(metadata), cared(care))


def truth(value: Any, otherwise: bool) -> bool:
    """A field that is yes or no, also as text (forms have no other). Raises UsageError."""
    if value is None or value == "":
        return otherwise
    if isinstance(value, bool):
        return value
    found = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(str(value).lower())
    if found is None:
        raise UsageError(f"{str(value)[:40]!r} is neither true nor false.", "Write true or false.")
    return found


def metadata_of(wanted: Wish, old: Mapping[str, Any]) -> dict[str, Any] | None:
    """What to note about somebody of whom `old` is noted; None to leave that. Consent, purpose and expiry stay until they
    are named: other notes that are replaced do not take them away."""
    if wanted.metadata is None and not wanted.care:
        return None
    if wanted.metadata is None:
        return patched(old, wanted.care)
    kept = {name: old[name] for name in CARE if name in old}
    return patched(kept | dict(wanted.metadata), wanted.care)


def fits(service: Service, gallery: BaseGallery, name: str) -> None:
    """Raise SpaceMismatch now, rather than after the models have worked."""
    ours, space = service.engine.embedder, gallery.space
    if space not in (None, ours.space):
        raise SpaceMismatch(
            f"The gallery {name!r} holds templates of space {space}; {ours.name}, which serves, makes {ours.space}.",
            "Serve it with the embedder it was made with, or re-embed it with `mien migrate`.",
        )


def named(upload: Upload) -> list[tuple[str, bytes]]:
    """(what to call it, bytes) of each picture. Raises UsageError for none."""
    pictures, names = upload.pictures.get("image", ()), upload.names.get("image", ())
    if not pictures:
        raise UsageError("No picture came in 'image'.", "Send one, or several.")
    return [
        (_called(name) or (f"picture {place}" if len(pictures) > 1 else ""), data)
        for place, (name, data) in enumerate(zip(names, pictures, strict=True), 1)
    ]


async def made(service: Service, pictures: Sequence[tuple[str, bytes]], keep: bool) -> list[tuple[str, Result]]:
    """The sample of each picture, or why there is none. Goes through the engine's queue, some pictures at a time."""
    found: list[tuple[str, Result]] = []
    for start in range(0, len(pictures), _TOGETHER):
        found += await service.lines.run(_made, service, pictures[start : start + _TOGETHER], keep)
    return found


def _made(service: Service, pictures: Sequence[tuple[str, bytes]], keep: bool) -> list[tuple[str, Result]]:
    found: list[tuple[str, Result]] = []
    for some in _in_reach(service, pictures):
        good = [one for _, one in some if isinstance(one, Frame)]
        samples = iter(_samples(service, good, keep))
        found += [(name, next(samples) if isinstance(one, Frame) else one) for name, one in some]
    return found


def _in_reach(service: Service, pictures: Sequence[tuple[str, bytes]]) -> Iterator[list[tuple[str, Frame | MienError]]]:
    """Pictures as frames, a few at a time, so that memory is bounded."""
    some: list[tuple[str, Frame | MienError]] = []
    size = 0
    for name, data in pictures:
        one = _frame(service, name, data)
        size += one.width * one.height if isinstance(one, Frame) else 0
        some.append((name, one))
        if size >= _PIXELS:
            yield some
            some, size = [], 0
    yield some


def _frame(service: Service, name: str, data: bytes) -> Frame | MienError:
    try:
        return replace(media.read_image(data, max_pixels=int(service.settings.max_megapixels * 1e6)), source=name)
    except MienError as error:
        return error


def _samples(service: Service, frames: Sequence[Frame], keep: bool) -> list[Result]:
    try:
        return service.engine.samples(frames, keep_images=keep)
    except InputError:  # a face whose points fit none: then which one?
        return [_sample(service, one, keep) for one in frames]


def _sample(service: Service, frame: Frame, keep: bool) -> Result:
    try:
        return service.engine.sample(frame, keep_image=keep)
    except MienError as error:
        return error


def kept(
    service: Service, where: tuple[str, str], subject: str, found: Sequence[tuple[str, Result]], wanted: Wish
) -> dict[str, Any]:
    """Enrol what was made; durable on return. Raises as `BaseGallery.enrol`, and then nothing was added."""
    if wanted.metadata is None and not wanted.care:
        done = service.engine.take(service.galleries.open(*where), subject, found)
    else:
        with service.galleries.turn(*where) as gallery:  # what is noted is read and written
            person = known(gallery, subject)
            metadata = metadata_of(wanted, person.metadata if person else {})
            done = service.engine.take(gallery, subject, found, metadata)
    return told(subject, found) | {"added": done.added, "known": done.known, "warnings": list(done.warnings)}


def told(subject: str, found: Sequence[tuple[str, Result]]) -> dict[str, Any]:
    """What became of pictures, in their order: ids of samples, and refusals by place (from 0) and name."""
    return {
        "subject": subject,
        "samples": [sample_id(one.template) for _, one in found if isinstance(one, Sample)],
        "refused": refused(found),
    }


def refused(found: Sequence[tuple[str, Result]]) -> list[dict[str, Any]]:
    """The pictures that cannot be used."""
    return [
        {"picture": place, "name": name, "problem": wire.problem(one)}
        for place, (name, one) in enumerate(found)
        if isinstance(one, MienError)
    ]


def _called(name: str) -> str:
    """A client's name of a file, without folders and what cannot be seen."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(one for one in last if not unicodedata.category(one).startswith("C"))[:200]
