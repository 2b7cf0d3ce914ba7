"""The two collections of a gallery and their rows.

`people` holds templates: what is searched. `people__records` holds what is not: who somebody is, crops, and the notes by which
a write becomes whole (`batches`). Rows of it carry a vector of two numbers, because each collection must have one.

Keys: a subject is known by a digest of the name; a template by that, a digest of its bytes and the batch that brought it. So
a row that is sent twice is one row, and what is erased never comes back with what somebody else enrols at that moment.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from mien.errors import InputError
from mien.gallery.crops import pack_face, unpack_face
from mien.types import F32, Face, Sample, Template

FORMAT = "1"
OWNER, DIGEST, BATCH = 20, 20, 12  # characters of the parts of a key
CHUNK = 60_000  # characters of a crop in one row; the server takes 65,535
LONGEST_SOURCE = 60_000  # bytes
DUMMY = [1.0, 0.0]
_ODD = re.compile(r"\d{16}|\\u0000|\\ud[89a-f]")  # numbers beyond 53 bits, NUL, characters beyond the first plane
SAMPLE = ["id", "vector", "subject", "quality", "source", "place", "enrolled", "image", "seal"]
BRIEF = ["id", "subject", "place", "enrolled", "image"]
PERSON = ["id", "subject", "place", "enrolled", "text"]


def digest(*parts: bytes, size: int = 15) -> str:
    """Text of 4/3 `size` characters that stands for the parts."""
    summary = hashlib.blake2b(digest_size=size)
    for part in parts:
        summary.update(len(part).to_bytes(8, "little") + part)
    return base64.urlsafe_b64encode(summary.digest()).decode()


def owner_of(name: str) -> str:
    """The key of a subject."""
    return digest(name.encode())


@dataclass(frozen=True, slots=True)
class Key:
    """The parts of a template's key."""

    owner: str
    digest: str
    batch: str

    def __str__(self) -> str:
        return self.owner + self.digest + self.batch

    @staticmethod
    def of(text: str) -> Key:
        """The parts of a key that is written as one text."""
        return Key(text[:OWNER], text[OWNER : OWNER + DIGEST], text[OWNER + DIGEST :])


def key_of(owner: str, vector: bytes, batch: str) -> Key:
    """The key of a template."""
    return Key(owner, digest(owner.encode(), vector), batch)


def sample_row(key: Key, subject: str, sample: Sample, place: int, enrolled: str) -> tuple[dict[str, Any], list[str]]:
    """The row of a template, and its crop in pieces (none where none is kept)."""
    quality = sample.template.quality
    source = json.dumps(sample.source)[1:-1]  # the server takes no lone surrogates, as a file's name may hold
    if len(source) > LONGEST_SOURCE:
        raise InputError(
            f"The source of a sample of {subject!r} has {len(sample.source)} characters; {LONGEST_SOURCE} bytes fit.",
            "Shorten it.",
        )
    packed = "" if sample.face is None else _packed(sample.face)
    row: dict[str, Any] = {
        "id": str(key),
        "vector": sample.template.vector,
        "owner": key.owner,
        "batch": key.batch,
        "subject": subject,
        "quality": -1.0 if quality is None else float(quality),
        "source": source,
        "place": place,
        "enrolled": enrolled,
        "image": digest(packed.encode()) if packed else "",
    }
    row["seal"] = seal(row)
    return row, [packed[start : start + CHUNK] for start in range(0, len(packed), CHUNK)]


def seal(row: dict[str, Any]) -> str:
    """What the other fields of a template's row must agree with; the key covers the vector."""
    fields = [row[name] for name in ("id", "subject", "quality", "source", "place", "enrolled", "image")]
    return digest(json.dumps(fields).encode())


def vector_of(row: dict[str, Any]) -> F32:
    """The vector of a row, as it was enrolled."""
    return np.asarray(row["vector"], np.float32)


def intact(row: dict[str, Any]) -> bool:
    """Whether a template's row is as it was written."""
    key = Key.of(row["id"])
    same = key_of(key.owner, vector_of(row).tobytes(), key.batch) == key and owner_of(row["subject"]) == key.owner
    return same and row["seal"] == seal(row)


def sample_of(row: dict[str, Any], space: str, pieces: list[str]) -> Sample:
    """The sample of a row and the pieces of its crop."""
    quality = None if row["quality"] < 0 else float(row["quality"])
    vector = vector_of(row)
    vector.flags.writeable = False
    face = _unpacked("".join(pieces)) if row["image"] else None
    return Sample(Template(vector, space, quality), face, json.loads(f'"{row["source"]}"'))


def crop_fits(row: dict[str, Any], pieces: list[str]) -> bool:
    """Whether the pieces are the crop that was kept with a template."""
    return bool(row["image"] == (digest("".join(pieces).encode()) if pieces else ""))


def _packed(face: Face) -> str:
    png, geometry = pack_face(face)
    return base64.b64encode(len(geometry).to_bytes(4, "little") + geometry.encode() + png).decode()


def _unpacked(text: str) -> Face:
    packed = base64.b64decode(text)
    size = 4 + int.from_bytes(packed[:4], "little")
    return unpack_face(packed[size:], packed[4:size].decode())


def person_row(owner: str, batch: str, subject: str, metadata: str, noted: int, enrolled: str) -> dict[str, Any]:
    """Who somebody is. The newest note counts where there are several."""
    # The braces are left out: with them the longest metadata would be one byte too long for a text field.
    row = record("p" + owner + batch, "person", owner, batch)
    return row | {
        "subject": subject,
        "place": noted,
        "enrolled": enrolled,
        "text": metadata[1:-1],
        **_filterable(metadata),
    }


def crop_row(key: str, number: int, piece: str) -> dict[str, Any]:
    """One piece of a crop."""
    parts = Key.of(key)
    return record(f"c{key}{number:04d}", "crop", parts.owner, parts.batch) | {"place": number, "text": piece}


def record(key: str, kind: str, owner: str = "", batch: str = "") -> dict[str, Any]:
    """A row of the records with nothing in it yet."""
    blank = {"subject": "", "place": 0, "enrolled": "", "text": "", "metadata": "{}", "opaque": ""}
    return {"id": key, "vector": DUMMY, "kind": kind, "owner": owner, "batch": batch, **blank}


def _filterable(metadata: str) -> dict[str, str]:
    """Metadata that the server can look into. What it may read otherwise than it was meant is not shown to it."""
    import orjson

    plain = len(metadata) < CHUNK and not _ODD.search(metadata)
    with suppress(ValueError):
        if plain and orjson.loads(metadata) is not None:
            return {"metadata": metadata, "opaque": ""}
    return {"metadata": "{}", "opaque": "1"}
