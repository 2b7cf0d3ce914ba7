"""Samples on the wire: their ids, what is told of one, and its crop as a picture."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any

from mien import wire
from mien.errors import NotFound
from mien.protocols import Gallery
from mien.types import Sample, Template

ID_BYTES = 8


def sample_id(template: Template) -> str:
    """The id of a sample: 16 hex digits out of its template's bytes, from which nothing of the template can be had back."""
    return hashlib.blake2b(template.vector.tobytes(), digest_size=ID_BYTES).hexdigest()


def numbered(gallery: Gallery, subject: str) -> Iterator[tuple[str, Sample]]:
    """(id, sample) of each sample of a subject, in the order they were enrolled. Raises UnknownSubject."""
    for _, sample in gallery.samples(subject):
        yield sample_id(sample.template), sample


def sample(gallery: Gallery, subject: str, number: str) -> Sample:
    """The sample of a subject with this id. Raises UnknownSubject, NotFound."""
    found = next((one for each, one in numbered(gallery, subject) if each == number), None)
    if found is None:
        raise NotFound(f"{subject!r} has no sample {number[:40]!r}.", "See which there are in the list of samples.")
    return found


def shown(number: str, one: Sample) -> dict[str, Any]:
    """What a listing tells of a sample."""
    return {"id": number} | wire.sample(one)


def jpeg(one: Sample, side: int = 0) -> bytes | None:
    """The crop of a sample as JPEG, at most `side` px wide and high (0: as it is kept); None where none is kept."""
    from PIL import Image

    if one.face is None:
        return None
    image = Image.fromarray(one.face.frame.pixels)
    if side:
        image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
