"""A gallery that lives as long as the process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mien.gallery.base import BaseGallery, Newcomer, Removed, View
from mien.gallery.crops import own_face
from mien.gallery.listing import Page
from mien.gallery.matrix import Fusion, Matrix, check_samples
from mien.gallery.names import subject_name
from mien.types import Person, Sample

if TYPE_CHECKING:
    from mien.where import Where


@dataclass(slots=True)
class _Record:
    samples: dict[bytes, Sample]  # by the template's bytes, in the order they were enrolled
    metadata: str
    enrolled: str

    def person(self, name: str) -> Person:
        """As a listing shows it."""
        images = sum(sample.face is not None for sample in self.samples.values())
        return Person(name, len(self.samples), images, json.loads(self.metadata), self.enrolled)


class MemoryGallery(BaseGallery):
    """People in memory only. Gone at `close`, unless `backup` wrote them to a file."""

    def __init__(self, *, fusion: Fusion = "max") -> None:
        super().__init__(":memory:", fusion)
        self._matrix = Matrix(fusion)
        self._records: dict[str, _Record] = {}
        self._held_space: str | None = None
        self._kept_points = "[]"

    def samples(self, subject: str | None = None) -> Iterator[tuple[str, Sample]]:
        name = None if subject is None else subject_name(subject)
        with self._lock:
            self._refresh()
            if name is not None and name not in self._records:
                raise self._unknown(name)
            names = sorted(self._records) if name is None else [name]
            return iter([(each, sample) for each in names for sample in self._records[each].samples.values()])

    def verify(self) -> list[str]:
        with self._lock:
            self._refresh()
        return []

    @property
    def _space(self) -> str | None:
        return self._held_space

    @property
    def _points(self) -> str:
        return self._kept_points

    def _keep(self, points: str) -> None:
        self._kept_points = points

    def _refresh(self) -> None:
        self._usable()

    def _counts(self) -> tuple[int, int]:
        return self._matrix.subjects, self._matrix.templates

    def _has(self, name: str) -> bool:
        return name in self._matrix

    def _listed(self, page: Page) -> list[Person]:
        return [self._records[name].person(name) for name in page.cut(sorted(self._records), str)]

    def _person(self, name: str) -> Person | None:
        record = self._records.get(name)
        return None if record is None else record.person(name)

    @property
    def _dimension(self) -> int | None:
        return self._matrix.dimension

    def _view(self, where: Where | None) -> View:
        if where is None:
            return self._matrix.rows()
        return self._matrix.rows(
            name
            for name, record in self._records.items()
            if where.matches(name, json.loads(record.metadata), record.enrolled)
        )

    def _add(self, newcomers: Sequence[Newcomer]) -> int:
        space, dimension = self._held_space, self._matrix.dimension
        for one in newcomers:  # all are looked at before the first is taken in
            if one.samples or one.name not in self._records:
                space, dimension = check_samples(one.samples, space, dimension, self.where)
        return sum(self._take(one) for one in newcomers)

    def _take(self, one: Newcomer) -> int:
        name, samples, metadata, enrolled = one.name, one.samples, one.metadata, one.enrolled
        record = self._records.get(name)
        known = {} if record is None else record.samples
        fresh: dict[bytes, Sample] = {}
        for sample in samples:
            key = sample.template.vector.tobytes()
            if key not in known:
                fresh.setdefault(key, _own(sample, key))
        if fresh:
            self._held_space = next(iter(fresh.values())).template.space
            self._matrix.extend([name] * len(fresh), np.frombuffer(b"".join(fresh), np.float32).reshape(len(fresh), -1))
        if record is None:
            record = self._records[name] = _Record({}, "{}", enrolled)
        record.samples.update(fresh)
        if metadata is not None:
            record.metadata = metadata
        return len(fresh)

    def _remove(self, name: str, vector: bytes | None) -> Removed:
        record = self._records.get(name)
        if record is None:
            raise self._unknown(name)
        gone = list(record.samples) if vector is None else [key for key in record.samples if key == vector]
        images = sum(record.samples[key].face is not None for key in gone)
        for key in gone:
            del record.samples[key]
        if not record.samples:
            del self._records[name]
        if not self._records:
            self._held_space = None
        if gone:
            self._rebuild()
        return Removed(len(gone), images, hashlib.blake2b(b"".join(gone), digest_size=16).hexdigest())

    def _rebuild(self) -> None:
        self._matrix = Matrix(self._fusion)
        for name, record in self._records.items():
            rows = np.frombuffer(b"".join(record.samples), np.float32).reshape(len(record.samples), -1)
            self._matrix.extend([name] * len(rows), rows)

    def _release(self) -> None:
        self._records = {}
        self._held_space = None
        self._matrix = Matrix(self._fusion)


def _own(sample: Sample, key: bytes) -> Sample:
    """The same sample with arrays that nobody can write to from outside."""
    template = replace(sample.template, vector=np.frombuffer(key, np.float32))
    return replace(sample, template=template, face=None if sample.face is None else own_face(sample.face))
