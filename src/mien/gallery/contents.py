"""What an open gallery knows of its file: templates to search, who is enrolled, and up to which change that is true."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.gallery import covered, store
from mien.gallery.covered import Covered
from mien.gallery.matrix import CODED, Fusion, Matrix
from mien.gallery.roster import Roster
from mien.gallery.rows import Rows
from mien.gallery.shelf import Shelf
from mien.gallery.store import Head, xor
from mien.types import Person, Sample


class Contents:
    """Nothing is known until the first `pull`. Everything here runs inside the gallery's lock."""

    def __init__(self, db: sqlite3.Connection, path: Path, fusion: Fusion) -> None:
        self._db, self._path, self._fusion = db, path, fusion
        self.rows = Rows(db, path)
        self.shelf = Shelf(store.codes_folder(path), self.rows)
        self.head = Head()
        self._begin(Covered())

    def _begin(self, noted: Covered) -> None:
        """Know nothing but what segments cover."""
        self.matrix = Matrix(self._fusion, 1 if noted.entries else CODED)
        self.roster = Roster(self.rows, noted)
        self.later: list[int] = []  # samples of the matrix's rows
        self.owners: list[int] = []  # their subjects
        self._start = noted.last_sample
        self._read = replace(
            Head(), last_subject=noted.last_subject, last_sample=noted.last_sample, subjects=noted.subjects,
            samples=noted.samples, balance=noted.balance,
        )  # fmt: skip

    def everybody(self) -> list[Person]:
        """All subjects, by name; runs inside a transaction, as `people`."""
        rows, counts = self.rows.subjects(), self.roster.counts()
        self.rows.hold({number for number, *_ in rows} == set(counts), "subjects are missing")
        found = [
            Person(name, *counts[number], json.loads(metadata), enrolled) for number, name, metadata, enrolled in rows
        ]
        return sorted(found, key=lambda person: person.subject)

    def people(self, numbers: Iterable[int]) -> list[Person]:
        """Subjects with these ids, who are there."""
        found = []
        for number in numbers:
            name, metadata, enrolled = self.rows.subject(number)
            kept = self.roster.kept(number)
            found.append(Person(name, len(kept), sum(kept.values()), json.loads(metadata), enrolled))
        return found

    def samples(self, wanted: Sequence[tuple[str, int]]) -> list[tuple[str, Sample]]:
        """(name, sample) of those of some (name, id of a sample) that are there."""
        found = []
        for name, number in wanted:
            sample = self.rows.sample(number, self.head.space or "")
            if sample is not None:
                found.append((name, sample))
            else:
                still_here = number in self.roster.kept(self.roster.find(name) or 0)
                self.rows.hold(not still_here, f"sample {number} is missing")
        return found

    def pull(self) -> None:
        """Read what is not known yet; must run inside a transaction. Raises GalleryCorrupt."""
        head = store.read_head(self._db, self._path)
        if head == self.head:
            return
        noted = covered.read(self._db, self._path)
        if self._fusion != "max":
            noted = Covered()  # means are made of all templates
        if head.epoch != self.head.epoch or noted.last_sample != self._start:
            self._begin(noted)
        self.shelf.pull(noted, head)
        people = self.rows.subjects_after(self._read.last_subject)
        samples = self.rows.vectors_after(self._read.last_sample)
        balance = self._read.balance
        for mark in (*(mark for *_, mark in people), *(sample.mark for sample in samples)):
            balance = xor(balance, mark)
        counts = (self._read.subjects + len(people), self._read.samples + len(samples), balance)
        self.rows.hold(counts == (head.subjects, head.samples, head.balance), "rows are missing or doubled")
        for number, name, _ in people:
            self.roster.add(number, name)
        for sample in samples:
            self.roster.take(sample)
        if samples:
            vectors = np.frombuffer(b"".join(sample.vector for sample in samples), np.float32)
            owners = [self.roster.name(sample.subject) for sample in samples]
            self.matrix.extend(owners, vectors.reshape(len(samples), -1))
            self.later += [sample.number for sample in samples]
            self.owners += [sample.subject for sample in samples]
        self.head = self._read = head
