"""Enrolling and erasing, whole or not at all (see `batches`), and putting right what two writers at once leave behind."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mien.errors import GalleryBusy, GalleryError
from mien.gallery.base import Newcomer, Removed
from mien.gallery.matrix import check_samples
from mien.gallery.milvus.batches import LEASE, Batches, Intent, new_batch
from mien.gallery.milvus.holdings import Held, Holdings
from mien.gallery.milvus.layout import SAMPLE, Key, crop_row, key_of, owner_of, person_row, sample_row, vector_of
from mien.gallery.milvus.tables import STRONG, Head, Tables
from mien.types import Sample


@dataclass(slots=True)
class _Plan:
    """Rows of one batch."""

    templates: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    owners: list[str] = field(default_factory=list)


class Writer:
    """Changes of one gallery."""

    def __init__(self, tables: Tables, batches: Batches, holdings: Holdings) -> None:
        self._link, self._tables, self._batches, self._holdings = tables.link, tables, batches, holdings

    def enrol(self, newcomers: Sequence[Newcomer]) -> int:
        """Take people in; returns how many templates were new."""
        merged = _merged(newcomers)
        head = self._tables.head()
        held = self._holdings.of(list(merged), head, STRONG)
        self._room(merged, held, head)
        batch = new_batch()
        plan = self._plan(batch, merged, held)
        if not plan.owners:
            return 0
        self._batches.begin(batch)
        try:
            self._link.write(self._tables.records, plan.records)
            if plan.templates:
                self._link.write(self._tables.people, plan.templates)
            self._batches.commit(batch)
        except GalleryError:
            # Where the server is away this fails too; who comes after the lease takes the batch back.
            with suppress(GalleryError):
                self.take_back(batch)
            raise
        # It is kept. What follows is tidying, which the next writer would do.
        with suppress(GalleryBusy):
            self.settle(plan.owners)
            self._batches.end(batch)
        return len(plan.templates)

    def erase(self, owner: str, held: Held, vector: bytes | None) -> Removed:
        """Take out a subject's templates, or the one of these bytes, with crops; the last takes the notes along."""
        wanted = None if vector is None else key_of(owner, vector, "").digest
        gone = [row for row in held.rows if wanted in (None, Key.of(row["id"]).digest)]
        counted = Held(rows=gone).kept()
        if not gone:
            return Removed(0, 0, hashlib.blake2b(b"", digest_size=16).hexdigest())
        keys = {row["id"]: row for row in counted}
        full = self._link.rows(self._tables.people, f"id in {json.dumps(list(keys))}", SAMPLE, STRONG)
        vectors = [vector_of(row).tobytes() for row in sorted(full, key=lambda row: (row["place"], row["id"]))]
        batch = new_batch()
        self._batches.begin(batch, owner)
        self._link.delete(self._tables.people, [row["id"] for row in gone])
        self.settle([owner], erased=True)
        self._tables.settle_erased()
        self._batches.end(batch)
        digest = hashlib.blake2b(b"".join(vectors), digest_size=16).hexdigest()
        return Removed(len(counted), sum(bool(row["image"]) for row in counted), digest)

    def settle(self, owners: Sequence[str], *, erased: bool = False) -> None:
        """Take out what does not count any more: templates kept twice, older notes, notes and crops of nobody's template."""
        head = self._tables.head()
        doubled: list[str] = []
        stale: list[str] = []
        for held in self._holdings.of(owners, head, STRONG).values():
            note, kept = held.note(), {row["id"] for row in held.kept()}
            doubled += [row["id"] for row in held.rows if row["id"] not in kept]
            stale += [row["id"] for row in held.notes if not kept or row is not note]
        self._link.delete(self._tables.people, doubled)
        if erased or doubled:
            stale += self._orphans(owners, head)
        self._link.delete(self._tables.records, stale)

    def _orphans(self, owners: Sequence[str], head: Head | None) -> list[str]:
        """Pieces of crops whose template is gone; those of a batch that does not count yet are left alone."""
        asked = f"owner in {json.dumps(list(owners))}"
        pieces = [
            row["id"] for row in self._link.rows(self._tables.records, f'kind == "crop" and {asked}', ["id"], STRONG)
        ]
        if not pieces or head is None:
            return pieces
        there = {row["id"] for row in self._link.rows(self._tables.people, asked, ["id"], STRONG)}
        gone = {key for key in pieces if key[1:-4] not in there}
        counting = self._batches.counting({Key.of(key[1:-4]).batch for key in gone}, STRONG)
        return [key for key in gone if Key.of(key[1:-4]).batch in counting]

    def sweep(self, lease: float = LEASE) -> int:
        """Finish or take back what writers who died left; returns how many batches that were."""
        dead = [intent for intent in self._batches.open() if intent.began < time.time() - lease]
        for intent in dead:
            self._clear(intent)
        return len(dead)

    def _clear(self, intent: Intent) -> None:
        if intent.owner:  # an erasure: what was taken out stays out, and nothing of it may be left
            self.settle([intent.owner], erased=True)
            self._tables.settle_erased()
            self._batches.end(intent.batch)
        elif intent.batch in self._batches.counting([intent.batch], STRONG):
            rows = self._link.rows(
                self._tables.records, f'kind == "person" and batch == "{intent.batch}"', ["owner"], STRONG
            )
            self.settle([row["owner"] for row in rows])
            self._batches.end(intent.batch)
        else:
            self.take_back(intent.batch)

    def take_back(self, batch: str) -> None:
        """Take out the rows of a batch that does not count."""
        if not self._batches.abort(batch):
            return
        where = f'batch == "{batch}"'
        if self._tables.head() is not None:
            rows = self._link.rows(self._tables.people, where, ["id"], STRONG)
            self._link.delete(self._tables.people, [row["id"] for row in rows])
        rows = self._link.rows(self._tables.records, f'{where} and kind in ["person", "crop"]', ["id"], STRONG)
        self._link.delete(self._tables.records, [row["id"] for row in rows])
        self._batches.end(batch)

    def _room(self, merged: dict[str, Newcomer], held: dict[str, Held], head: Head | None) -> None:
        """Make the collection that newcomers go to; everything about them is checked before anything is written."""
        where = self._link.address.shown
        given = [sample for one in merged.values() for sample in one.samples]
        other = head is not None and any(sample.template.space != head.space for sample in given)
        empty = head is None or (other and not self._link.count(self._tables.people, "", STRONG))
        space, dimension = (None, None) if head is None or empty else (head.space, head.dimension)
        for owner, one in merged.items():
            if one.samples or owner not in held or not held[owner].rows:
                space, dimension = check_samples(one.samples, space, dimension, where)
        if space is None or dimension is None:
            return
        if head is None:
            head = self._tables.make(space, dimension)
        elif empty:
            head = self._tables.replace(head, space, dimension)
        if (head.space, head.dimension) != (space, dimension):
            check_samples(given, head.space, head.dimension, where)

    def _plan(self, batch: str, merged: dict[str, Newcomer], held: dict[str, Held]) -> _Plan:
        plan, now = _Plan(), time.time_ns()
        for owner, one in merged.items():
            mine = held.get(owner, Held())
            known = {Key.of(row["id"]).digest for row in mine.rows}
            fresh: dict[str, Sample] = {}
            for sample in one.samples:
                key = key_of(owner, sample.template.vector.tobytes(), batch)
                if key.digest not in known:
                    fresh.setdefault(str(key), sample)
            if not fresh and one.metadata is None:
                continue
            exists, note = bool(mine.rows), mine.note()
            enrolled = mine.enrolled() if exists else one.enrolled
            place = max([now, *(row["place"] + 1 for row in mine.rows)])
            for number, (text, sample) in enumerate(fresh.items()):
                row, pieces = sample_row(Key.of(text), one.name, sample, place + number, enrolled)
                plan.templates.append(row)
                plan.records += [crop_row(text, index, piece) for index, piece in enumerate(pieces)]
            # Written anew although nothing is new in it: somebody may be erasing the old one.
            metadata = one.metadata or (mine.metadata() if exists else "{}")
            noted = max(now, note["place"] + 1 if note else 0) if one.metadata else note["place"] if note else 0
            plan.records.append(person_row(owner, batch, one.name, metadata, noted, enrolled))
            plan.owners.append(owner)
        return plan


def _merged(newcomers: Sequence[Newcomer]) -> dict[str, Newcomer]:
    """One newcomer per owner, with the samples of all who have the name and the last metadata given."""
    merged: dict[str, Newcomer] = {}
    for one in newcomers:
        owner = owner_of(one.name)
        merged[owner] = merged[owner].joined(one) if owner in merged else one
    return merged
