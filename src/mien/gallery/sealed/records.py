"""What a sealed gallery keeps beside its templates: rows that say nothing without the keys, and their marks.

A record (a name, metadata, where a picture came from) is AES-256-GCM under the record key, padded, and bound to the gallery and
to its own row, so that it cannot be moved to another. A mark is HMAC-SHA-256 under the MAC key over everything a row or a
packed group says. Whoever stores them can read neither and forge neither.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import GalleryCorrupt
from mien.gallery.sealed.draws import needs
from mien.gallery.sealed.profiles import Layout, profile

U32 = NDArray[np.uint32]
PADDING = 128  # bytes: records are filled up to a multiple of it, so that a name's length does not show
_NONCE, _TAG = 12, 16  # bytes, of AES-GCM


@dataclass(frozen=True, slots=True)
class Head:
    """The one row that speaks for all others. Only `sealed` is secret; the marks of all rows are in `digest`."""

    gallery: bytes  # 16 random bytes: which gallery
    identity: str  # of the keys
    profile: str
    door: bytes  # SHA-256 of what a writer must show to a matcher
    dimension: int = 0  # 0 while nobody is enrolled
    block: int = 0
    revision: int = 0  # grows with every change
    epoch: int = 0  # grows whenever rows go away; while it stands still, rows are only added or replaced
    last_sample: int = 0  # numbers are never used twice
    last_group: int = -1
    sealed: bytes = b""  # space and operating points
    digest: bytes = b""  # SHA-256 over the marks of all rows
    mark: bytes = b""

    @property
    def layout(self) -> Layout:
        """How templates are packed. Raises UsageError while nobody is enrolled."""
        return Layout(self.dimension, self.block)

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Of one group."""
        return self.layout.row_shape(profile(self.profile))

    def parts(self) -> tuple[Any, ...]:
        """What the mark covers."""
        return tuple(asdict(replace(self, mark=b"")).values())


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """Somebody, without a name."""

    id: bytes  # 16 random bytes
    record: bytes  # sealed: name, metadata, date
    mark: bytes = b""

    def parts(self) -> tuple[Any, ...]:
        """What the mark covers."""
        return (self.id, self.record)


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One template: whose, and in which slot of which group."""

    number: int
    subject: bytes
    group: int
    slot: int
    covered: int  # 1 where the group's canaries count it in (see `canaries`)
    record: bytes  # sealed: quality, source, fingerprint
    detail: bytes  # SHA-256 over the sealed vector and the sealed crop
    mark: bytes = b""

    def parts(self) -> tuple[Any, ...]:
        """What the mark covers."""
        return (self.number, self.subject, self.group, self.slot, self.covered, self.record, self.detail)


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One packed group of templates; the mark covers its bytes too.

    anchor: a digest of its public polynomial, which an answer must have been computed with (see `KeyHolder`)."""

    number: int
    version: int  # grows with every change of the group
    anchor: bytes = b""
    mark: bytes = b""


@dataclass(frozen=True, slots=True)
class Detail:
    """What is large and seldom wanted: both sealed, both possibly empty."""

    vector: bytes = b""
    picture: bytes = b""

    @property
    def digest(self) -> bytes:
        """What the sample's row holds against it."""
        return hashlib.sha256(hashlib.sha256(self.vector).digest() + hashlib.sha256(self.picture).digest()).digest()


@dataclass(frozen=True, slots=True)
class State:
    """Rows since some revision, or all of them."""

    head: Head
    subjects: Sequence[SubjectRow]
    samples: Sequence[SampleRow]
    groups: Sequence[GroupRow]
    whole: bool  # whether these are all there are


@dataclass(frozen=True, slots=True, eq=False)
class GroupWrite:
    """A group as it is to be: whole, or as ciphertexts at slot 0 that a matcher places and adds to what it has."""

    row: GroupRow
    whole: U32 | None = None  # of the head's `row_shape`
    rows: tuple[tuple[int, U32], ...] = ()  # (slot, ciphertext)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A step from one revision to the next: all of it happens or nothing."""

    head: Head  # as it will be
    subjects: tuple[SubjectRow, ...] = ()  # new or replaced
    samples: tuple[SampleRow, ...] = ()  # new
    details: Mapping[int, Detail] | None = None  # of the new samples, by number
    groups: tuple[GroupWrite, ...] = ()
    gone_subjects: tuple[bytes, ...] = ()
    gone_samples: tuple[int, ...] = ()
    gone_groups: tuple[int, ...] = ()

    @property
    def erases(self) -> bool:
        """Whether bytes that were there must be gone afterwards."""
        return bool(self.gone_subjects or self.gone_samples or self.gone_groups)


class Sealer:
    """AES-256-GCM under one key. Raises UsageError where the library for it is missing."""

    def __init__(self, key: bytes, gallery: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError:
            raise needs("cryptography") from None
        self._cipher = AESGCM(key)
        self._gallery = gallery

    def seal(self, data: bytes, about: bytes, pad: int = 1) -> bytes:
        """`data`, filled up to a multiple of `pad`, readable only with the key and only as what is called `about`."""
        filled = len(data).to_bytes(4, "little") + data
        filled += bytes(-len(filled) % pad)
        nonce = os.urandom(_NONCE)
        sealed: bytes = nonce + self._cipher.encrypt(nonce, filled, self._gallery + about)
        return sealed

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """What `seal` was given. Raises GalleryCorrupt for anything else."""
        from cryptography.exceptions import InvalidTag

        try:
            if len(sealed) < _NONCE + _TAG + 4:
                raise InvalidTag
            filled = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._gallery + about)
        except InvalidTag:
            raise GalleryCorrupt(
                "A record of the sealed gallery was changed, or sealed with other keys.", "Put a backup in its place."
            ) from None
        return bytes(filled[4 : 4 + int.from_bytes(filled[:4], "little")])

    def seal_json(self, value: Any, about: bytes) -> bytes:
        """A JSON value, padded."""
        return self.seal(json.dumps(value, allow_nan=False).encode(), about, PADDING)

    def open_json(self, sealed: bytes, about: bytes) -> Any:
        """What `seal_json` was given."""
        return json.loads(self.open(sealed, about))


class Marker:
    """Marks under one MAC key, of one gallery and one key identity."""

    def __init__(self, key: bytes, identity: str, gallery: bytes) -> None:
        self._key = hashlib.sha256(b"mien sealed marks\0" + key).digest()
        self._about = (identity, gallery)

    def of(self, kind: str, *parts: Any) -> bytes:
        """(32 bytes) mark of values; large ones are hashed first, so every length is told apart."""
        text = [_told(part) for part in (kind, *self._about, *parts)]
        return hmac.digest(self._key, "\n".join(text).encode(), "sha256")

    def subject(self, row: SubjectRow) -> SubjectRow:
        """The row with its mark."""
        return replace(row, mark=self.of("subject", *row.parts()))

    def sample(self, row: SampleRow) -> SampleRow:
        """The row with its mark."""
        return replace(row, mark=self.of("sample", *row.parts()))

    def group(self, number: int, version: int, body: U32) -> GroupRow:
        """The row of a group with these bytes."""
        public = anchor(body[:, 0] if body.ndim == 3 else body[0] if body.ndim == 2 else body[:0])
        whole = body.astype("<u4", copy=False).tobytes()
        return GroupRow(number, version, public, self.of("group", number, version, public, whole))

    def head(self, head: Head) -> Head:
        """The head with its mark."""
        return replace(head, mark=self.of("head", *head.parts()))

    def fingerprint(self, vector: bytes) -> str:
        """By which a template is known to be enrolled already; keyed, so that it cannot be guessed at."""
        return self.of("fingerprint", vector).hex()

    def token(self) -> bytes:
        """What a writer shows to a matcher; the matcher knows its SHA-256 only."""
        return self.of("door")


def anchor(public: U32) -> bytes:
    """SHA-256 of a group's public polynomial: (limbs, ring), in the profile open-probe (ring,); SEAL's groups have none."""
    return hashlib.sha256(np.ascontiguousarray(public).astype("<u4", copy=False).data).digest()


def digest_of(marks: Sequence[bytes]) -> bytes:
    """One digest for a set of marks, in no order."""
    return hashlib.sha256(b"".join(sorted(marks))).digest()


def _told(part: Any) -> str:
    if isinstance(part, (bytes, memoryview)):
        return f"bytes:{hashlib.sha256(part).hexdigest()}"
    return f"{type(part).__name__}:{part!r}"  # a repr holds no line break
