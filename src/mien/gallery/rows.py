"""People and samples as rows of the file, sealed on the way in and checked on the way out (see `store`)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mien.gallery import covered
from mien.gallery.crops import pack_face, unpack_face
from mien.gallery.listing import Page
from mien.gallery.store import Head, corrupt, seal, xor
from mien.gallery.where_sql import where_sql
from mien.types import Face, Sample, Template
from mien.where import Where

_ASKED = 100  # rows asked for in one statement
_TRACE = 48  # bytes
_LARGEST = (1 << 63) - 1  # id that SQLite can give
_SAMPLE = "id, subject, vector, quality, source, image_seal, seal"


class Vector(NamedTuple):
    """What the matrix wants to know of a sample."""

    number: int  # id of the sample
    subject: int
    vector: bytes
    image: bool  # whether a crop is kept
    mark: bytes


class Rows:
    """The rows of one open file. Every method runs inside the caller's transaction and lock.

    Rows are found by their ids alone: an index is covered by no seal, and a damaged one could hide rows. Only where a
    gallery is too large to be read as a whole are its indexes used; what they lead to is checked, and `verify` checks them."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self.db = db
        self._path = path

    def subjects_after(self, number: int, last: int = _LARGEST) -> list[tuple[int, str, bytes]]:
        """(id, name, seal) of subjects with a larger id, at most `last`, in order."""
        query = "SELECT id, name, enrolled, seal FROM subject WHERE id > ? AND id <= ? ORDER BY id"
        found = []
        for subject, name, enrolled, mark in self.db.execute(query, (number, last)):
            self.hold(seal(subject, name, enrolled) == mark, f"the row of subject {subject} does not match its seal")
            found.append((subject, name, mark))
        return found

    def vectors_after(self, number: int, last: int = _LARGEST) -> list[Vector]:
        """Templates with a larger id, at most `last`, in order."""
        query = f"SELECT {_SAMPLE} FROM sample WHERE id > ? AND id <= ? ORDER BY id"
        found = []
        for row in self.db.execute(query, (number, last)):
            self.hold(seal(*row[:-1]) == row[-1], f"the row of sample {row[0]} does not match its seal")
            found.append(Vector(row[0], row[1], row[2], row[5] is not None, row[-1]))
        return found

    def subjects(self) -> list[tuple[int, str, str, str]]:
        """(id, name, metadata, enrolled) of everybody."""
        query = "SELECT id, name, enrolled, seal, metadata, metadata_seal FROM subject ORDER BY id"
        found = []
        for number, name, enrolled, mark, metadata, metadata_mark in self.db.execute(query):
            good = mark == seal(number, name, enrolled) and metadata_mark == seal(number, metadata)
            self.hold(good, f"the row of subject {number} does not match its seal")
            found.append((number, name, metadata, enrolled))
        return found

    def subject(self, number: int) -> tuple[str, str, str]:
        """(name, metadata, enrolled) of a subject."""
        query = "SELECT id, name, enrolled, seal, metadata, metadata_seal FROM subject WHERE id = ?"
        row = self.db.execute(query, (number,)).fetchone()
        self.hold(row, f"subject {number} is missing")
        *true, metadata, mark = row
        self.hold(
            self._true(tuple(true)) == number and mark == seal(number, metadata),
            f"what is noted about subject {number} does not match its seal",
        )
        return row[1], metadata, row[2]

    def named(self, page: Page, last: int) -> Iterator[tuple[str, int]]:
        """(name, id) of subjects with an id of at most `last` that a listing wants, by name, without reading other rows."""
        query = "SELECT name, id FROM subject WHERE name > ? AND +id <= ?"
        values: list[str | int] = [page.after or "", last]
        if page.part:  # what SQLite can tell: it knows the cases of ASCII only, and only ASCII folds to other ASCII
            query += " AND (name GLOB '*[^ -~]*' OR instr(lower(name), ?))"
            values.append(page.part if page.part.isascii() else "\n")  # which no name holds
        return (
            (name, number) for name, number in self.db.execute(f"{query} ORDER BY name", values) if page.wants(name)
        )

    def find(self, name: str, last: int) -> int | None:
        """The id of a subject, if that is at most `last`."""
        query = "SELECT id, name, enrolled, seal FROM subject WHERE name = ? AND id <= ?"
        row = self.db.execute(query, (name, last)).fetchone()
        return None if row is None else int(self._true(row))

    def name(self, number: int) -> str:
        """The name of a subject."""
        row = self.db.execute("SELECT id, name, enrolled, seal FROM subject WHERE id = ?", (number,)).fetchone()
        self.hold(row, f"subject {number} is missing")
        self._true(row)
        return str(row[1])

    def names(self, last: int) -> list[tuple[str, int]]:
        """(name, id) of all subjects with an id of at most `last`."""
        query = "SELECT id, name, enrolled, seal FROM subject WHERE id <= ?"
        return [(row[1], self._true(row)) for row in self.db.execute(query, (last,))]

    def _true(self, row: tuple[Any, ...]) -> int:
        self.hold(seal(*row[:-1]) == row[-1], f"the row of subject {row[0]} does not match its seal")
        return int(row[0])

    def kept(self, subject: int, last: int) -> dict[int, bool]:
        """{sample: whether its crop is kept} of a subject, of the samples with an id of at most `last`."""
        query = "SELECT id, image_seal IS NOT NULL FROM sample WHERE subject = ? AND id <= ? ORDER BY id"
        return {number: bool(image) for number, image in self.db.execute(query, (subject, last))}

    def counts(self, last: int) -> dict[int, tuple[int, int]]:
        """{subject: (samples, crops)}, of the samples with an id of at most `last`."""
        query = (
            "SELECT subject, count(*), sum(image_seal IS NOT NULL) FROM sample INDEXED BY sample_subject "
            "WHERE id <= ? GROUP BY subject"
        )
        return {subject: (samples, images) for subject, samples, images in self.db.execute(query, (last,))}

    def owned(self) -> Iterator[tuple[int, int]]:
        """(sample, subject) of everything, in no order, without reading a template."""
        return iter(self.db.execute("SELECT id, subject FROM sample INDEXED BY sample_subject"))

    def templates(self, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """(subject, vector) of those of the samples that are there, checked; in no order."""
        for start in range(0, len(numbers), _ASKED):
            part = numbers[start : start + _ASKED]
            query = f"SELECT {_SAMPLE} FROM sample WHERE id IN ({', '.join('?' * len(part))})"
            for row in self.db.execute(query, part):
                self.hold(seal(*row[:-1]) == row[-1], f"the row of sample {row[0]} does not match its seal")
                yield row[1], row[2]

    def chosen(self, where: Where) -> list[tuple[int, str]]:
        """(id, name) of the subjects of whom a filter is true."""
        condition = where_sql(where)
        query = f"SELECT id, name, enrolled, metadata, {condition.certain} FROM subject WHERE {condition.possible} ORDER BY id"
        return [
            (number, name)
            for number, name, enrolled, metadata, certain in self.db.execute(query, condition.parameters)
            if certain or where.matches(name, json.loads(metadata), enrolled)
        ]

    def traces(self, number: int) -> list[bytes]:
        """What would tell that a sample is still somewhere in a file, parts of it that stand nowhere else."""
        row = self.db.execute("SELECT vector, source, image_seal, seal FROM sample WHERE id = ?", (number,)).fetchone()
        vector, source, image_mark, mark = row
        crops = [crop for (crop,) in self.db.execute("SELECT png FROM image WHERE sample = ?", (number,))]
        middles = [whole[len(whole) // 2 - _TRACE // 2 :][:_TRACE] for whole in (vector, *crops)]
        return [*middles, source[-_TRACE:] + (image_mark or mark)]  # as they stand in the row, one after the other

    def traces_of(self, subject: int) -> list[bytes]:
        """The same of a subject."""
        query = "SELECT name, enrolled, metadata, metadata_seal FROM subject WHERE id = ?"
        name, enrolled, metadata, mark = self.db.execute(query, (subject,)).fetchone()
        width = next(width for width in (1, 2, 3, 4, 6, 8) if subject < 1 << (8 * width - 1))  # of an id in an index
        in_index = name.encode() + subject.to_bytes(width, "big")
        return [(name + enrolled).encode(), in_index, metadata.encode()[-_TRACE:] + mark]

    def vector(self, number: int) -> bytes:
        """The bytes of one template."""
        found = self.db.execute("SELECT vector FROM sample WHERE id = ?", (number,)).fetchone()
        self.hold(found, f"sample {number} is missing")
        vector: bytes = found[0]
        return vector

    def sample(self, number: int, space: str) -> Sample | None:
        """One sample with its crop; None when it is gone."""
        row = self.db.execute(f"SELECT {_SAMPLE} FROM sample WHERE id = ?", (number,)).fetchone()
        if row is None:
            return None
        self.hold(seal(*row[:-1]) == row[-1], f"the row of sample {number} does not match its seal")
        _, _, vector, quality, source, image_mark, _ = row
        face = None if image_mark is None else self._face(number, image_mark)
        return Sample(
            Template(np.frombuffer(vector, np.float32), space, quality), face, source.decode("utf-8", "surrogatepass")
        )

    def _face(self, number: int, mark: bytes) -> Face:
        image = self.db.execute("SELECT png, geometry FROM image WHERE sample = ?", (number,)).fetchone()
        self.hold(image is not None and seal(*image) == mark, f"the crop of sample {number} does not match its seal")
        return unpack_face(*image)

    def add_subject(self, head: Head, name: str, enrolled: str) -> Head:
        """Insert a subject; its id is the new head's `last_subject`."""
        number = head.last_subject + 1
        mark = seal(number, name, enrolled)
        values = (number, name, enrolled, mark, "{}", seal(number, "{}"))
        self.db.execute("INSERT INTO subject VALUES (?, ?, ?, ?, ?, ?)", values)
        return replace(head, last_subject=number, subjects=head.subjects + 1, balance=xor(head.balance, mark))

    def note(self, head: Head, subject: int, metadata: str) -> Head:
        """Replace a subject's metadata."""
        values = (metadata, seal(subject, metadata), subject)
        self.db.execute("UPDATE subject SET metadata = ?, metadata_seal = ? WHERE id = ?", values)
        return replace(head, edits=head.edits + 1)

    def add_sample(self, head: Head, subject: int, sample: Sample) -> Head:
        """Insert a sample, and its crop if it has one."""
        number = head.last_sample + 1
        quality = sample.template.quality
        image = None if sample.face is None else pack_face(sample.face)
        values = (
            number,
            subject,
            sample.template.vector.tobytes(),
            None if quality is None else float(quality),
            sample.source.encode("utf-8", "surrogatepass"),
            None if image is None else seal(*image),
        )
        mark = seal(*values)
        self.db.execute("INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, mark))
        if image is not None:
            self.db.execute("INSERT INTO image VALUES (?, ?, ?)", (number, *image))
        return replace(head, last_sample=number, samples=head.samples + 1, balance=xor(head.balance, mark))

    def delete(self, head: Head, numbers: list[int], subject: int | None) -> Head:
        """Take out samples with their crops, then a subject who has none left."""
        marks: list[tuple[int, bytes]] = []
        for number in numbers:
            (mark,) = self.db.execute("SELECT seal FROM sample WHERE id = ?", (number,)).fetchone()
            self.db.execute("DELETE FROM image WHERE sample = ?", (number,))
            self.db.execute("DELETE FROM sample WHERE id = ?", (number,))
            marks.append((number, mark))
        leaver: tuple[int, bytes] | None = None
        if subject is not None:
            (mark,) = self.db.execute("SELECT seal FROM subject WHERE id = ?", (subject,)).fetchone()
            self.db.execute("DELETE FROM subject WHERE id = ?", (subject,))
            leaver = subject, mark
        held = covered.read(self.db, self._path)
        if held.last_sample:
            covered.write(self.db, held.without(marks, leaver))
        balance = head.balance
        for _, mark in (*marks, *([leaver] if leaver else [])):
            balance = xor(balance, mark)
        left = replace(
            head, subjects=head.subjects - (subject is not None), samples=head.samples - len(numbers), balance=balance
        )
        left = replace(left, epoch=head.epoch + 1, purge=1)
        return left if left.subjects else replace(left, space=None, dimension=None)

    def adopt(self, schema: str) -> None:
        """Replace all rows, head included, by those of an attached gallery."""
        self.db.execute("DELETE FROM main.covered")  # codes stay with the gallery they were made for
        tables = ("subject", "sample", "image", "head")
        for table in reversed(tables):
            self.db.execute(f"DELETE FROM main.{table}")
        for table in tables:
            self.db.execute(f"INSERT INTO main.{table} SELECT * FROM {schema}.{table}")

    def faults(self) -> list[str]:
        """What SQLite itself finds wrong."""
        found = [f"SQLite: {row[0]}" for row in self.db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [
            f"A row of table {row[0]} belongs to nobody." for row in self.db.execute("PRAGMA foreign_key_check")
        ]

    def hold(self, true: Any, otherwise: str) -> None:
        """Raise GalleryCorrupt unless true."""
        if not true:
            raise corrupt(self._path, otherwise)
