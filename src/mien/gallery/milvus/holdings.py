"""What is held of some subjects, as those see it who see only whole batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mien.gallery.milvus.batches import Batches
from mien.gallery.milvus.layout import BRIEF, OWNER, PERSON, SAMPLE, Key, sample_of
from mien.gallery.milvus.tables import Head, Tables
from mien.gallery.where_milvus import where_milvus
from mien.types import Person, Sample
from mien.where import Where

_OWNERS = 4_000  # asked about at a time
_PEOPLE = 32  # whose vectors and crops are read at a time


@dataclass(slots=True)
class Held:
    """One subject. Two who enrol at once may leave a template twice, or two notes: the first and the newest count."""

    rows: list[dict[str, Any]] = field(default_factory=list)  # of templates
    notes: list[dict[str, Any]] = field(default_factory=list)  # who it is

    def kept(self) -> list[dict[str, Any]]:
        """One row per template, in the order they were enrolled."""
        first: dict[str, dict[str, Any]] = {}
        for row in sorted(self.rows, key=lambda row: (row["place"], row["id"])):
            first.setdefault(Key.of(row["id"]).digest, row)
        return list(first.values())

    def note(self) -> dict[str, Any] | None:
        """The note that counts."""
        return max(self.notes, key=lambda row: (row["place"], row["id"]), default=None)

    def metadata(self) -> str:
        """JSON; {} where nobody noted anything."""
        note = self.note()
        return "{}" if note is None else "{" + note["text"] + "}"

    def enrolled(self) -> str:
        """When the subject was enrolled first."""
        note = self.note()
        return str(note["enrolled"] if note is not None else self.kept()[0]["enrolled"])

    def fits(self, where: Where) -> bool:
        """Whether a filter is true of the subject."""
        note = self.note()
        return note is not None and where.matches(note["subject"], json.loads(self.metadata()), note["enrolled"])

    def person(self) -> Person:
        """As a listing shows it."""
        rows = self.kept()
        images = sum(bool(row["image"]) for row in rows)
        return Person(rows[0]["subject"], len(rows), images, json.loads(self.metadata()), self.enrolled())


class Holdings:
    """Reads of one gallery."""

    def __init__(self, tables: Tables, batches: Batches) -> None:
        self._link, self._tables, self._batches = tables.link, tables, batches

    def of(self, owners: Sequence[str], head: Head | None, level: str) -> dict[str, Held]:
        """What is held of each of the owners who hold something. Notes are read first: where one counts, its rows are in."""
        found: dict[str, Held] = {}
        for start in range(0, len(owners), _OWNERS):
            asked = json.dumps(list(owners[start : start + _OWNERS]))
            notes = self._link.rows(self._tables.records, f'kind == "person" and owner in {asked}', PERSON, level)
            self._sort(found, notes, level, "notes")
            if head is not None:
                rows = self._link.rows(self._tables.people, f"owner in {asked}", BRIEF, level)
                self._sort(found, rows, level, "rows")
        return found

    def everybody(self, head: Head | None, level: str) -> dict[str, Held]:
        """What is held of all."""
        found: dict[str, Held] = {}
        for page in self._link.pages(self._tables.records, 'kind == "person"', PERSON, level):
            self._sort(found, page, level, "notes")
        if head is not None:
            for page in self._link.pages(self._tables.people, "", BRIEF, level):
                self._sort(found, page, level, "rows")
        return {owner: held for owner, held in found.items() if held.rows}

    def matching(self, where: Where, level: str) -> frozenset[str]:
        """Owners of whom a filter is true. The server is asked for those of whom it may be; here it is decided."""
        asked = where_milvus(where).text
        owners: set[str] = set()
        chosen = f'kind == "person" and ({asked} or opaque == "1")'
        for page in self._link.pages(self._tables.records, chosen, ["id"], level):
            owners |= {row["id"][1 : 1 + OWNER] for row in page}
        held = self.of(sorted(owners), None, level)  # somebody may have several notes, of which the newest counts
        return frozenset(owner for owner in held if held[owner].fits(where))

    def names(self, head: Head | None, level: str) -> dict[str, str]:
        """{owner: name} of all, by name."""
        found: dict[str, str] = {}
        if head is not None:
            for page in self._link.pages(self._tables.people, "", ["id", "subject"], level):
                found |= {row["id"][:OWNER]: row["subject"] for row in self._batches.seen(page, level)}
        return dict(sorted(found.items(), key=lambda item: item[1]))

    def samples(self, owners: Sequence[str], head: Head, level: str) -> Iterator[tuple[str, Sample]]:
        """(name, sample) of owners, in their order."""
        for start in range(0, len(owners), _PEOPLE):
            part = owners[start : start + _PEOPLE]
            held: dict[str, Held] = {}
            rows = self._link.rows(self._tables.people, f"owner in {json.dumps(list(part))}", SAMPLE, level)
            self._sort(held, rows, level, "rows")
            crops = self.crops([row for each in held.values() for row in each.rows if row["image"]], level)
            for owner in part:
                for row in held[owner].kept() if owner in held else ():
                    yield row["subject"], sample_of(row, head.space, crops.get(row["id"], []))

    def crops(self, rows: Sequence[dict[str, Any]], level: str) -> dict[str, list[str]]:
        """The pieces of the crops of some templates, by key."""
        wanted = {row["id"] for row in rows}
        if not wanted:
            return {}
        owners = json.dumps(sorted({key[:OWNER] for key in wanted}))
        found: dict[str, list[tuple[int, str]]] = {}
        fields = ["id", "place", "text"]
        for page in self._link.pages(
            self._tables.records, f'kind == "crop" and owner in {owners}', fields, level, size=512
        ):
            for row in page:
                key = row["id"][1:-4]
                if key in wanted:
                    found.setdefault(key, []).append((row["place"], row["text"]))
        return {key: [text for _, text in sorted(pieces)] for key, pieces in found.items()}

    def _sort(self, found: dict[str, Held], rows: list[dict[str, Any]], level: str, what: str) -> None:
        start = 1 if what == "notes" else 0  # keys of notes begin with a letter
        for row in self._batches.seen(rows, level):
            held = found.setdefault(row["id"][start : start + OWNER], Held())
            getattr(held, what).append(row)
