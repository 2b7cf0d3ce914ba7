"""The rows of a sealed gallery as whoever holds the record key sees them: checked against their marks, names in clear."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import GalleryCorrupt
from mien.gallery.sealed.canaries import Members
from mien.gallery.sealed.coarse import Coarse
from mien.gallery.sealed.records import (
    Change,
    Detail,
    GroupRow,
    Head,
    Marker,
    SampleRow,
    Sealer,
    State,
    SubjectRow,
    digest_of,
)
from mien.types import F32


@dataclass(frozen=True, slots=True)
class Who:
    """A subject's record."""

    name: str  # "" for a canary
    metadata: str
    enrolled: str


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Which score of a response is whose. Flat positions are group * slots + slot, groups in order of their numbers."""

    revision: int
    numbers: tuple[int, ...]  # groups
    names: list[str]
    rows: NDArray[np.intp]  # (templates,) flat positions of people's templates
    owners: NDArray[np.intp]  # (templates,) index into names
    groups: tuple[Members, ...]  # with their canaries


class Index:
    """All rows, without templates. Not locked: its gallery is.

    Raises GalleryCorrupt for a row that was changed, is missing or doubled, or does not belong here."""

    def __init__(self, marker: Marker, sealer: Sealer, where: str, head: Head) -> None:
        self._marker, self._sealer, self.where = marker, sealer, where
        self.head = head
        self._begin()

    def _begin(self) -> None:
        self.subjects: dict[bytes, SubjectRow] = {}
        self.samples: dict[int, SampleRow] = {}
        self.groups: dict[int, GroupRow] = {}
        self.kept: dict[bytes, list[int]] = {}  # subject -> its samples, in the order they were enrolled
        self.people: dict[bytes, Who] = {}
        self.ids: dict[str, bytes] = {}
        self.canaries: dict[int, list[SampleRow]] = {}  # by group, in the order of their numbers
        self._members: dict[int, list[SampleRow]] = {}  # by group
        self._table: Table | None = None
        self._notes: tuple[bytes, Any] = (b"", {"space": None, "points": "[]", "coarse": None})
        self._coarse: tuple[Any, Coarse | None] = (None, None)

    def update(self, state: State) -> None:
        """Take in what a store told, and check that it is whole."""
        if state.head.mark != self._marker.head(state.head).mark:
            raise self._wrong("its head was changed, or written with other keys")
        if state.whole:
            self._begin()
        for group in state.groups:
            self.groups[group.number] = group
        for subject in state.subjects:
            self._take_subject(subject)
        for sample in state.samples:
            self._take_sample(sample)
        if digest_of(self._marks()) != state.head.digest:
            raise self._wrong("rows are missing, doubled or of another time")
        self.head = state.head

    def _take_subject(self, row: SubjectRow) -> None:
        if row != self._marker.subject(row):
            raise self._wrong("the row of a subject does not match its mark")
        self.subjects[row.id] = row
        self.kept.setdefault(row.id, [])
        who = Who(*self._sealer.open_json(row.record, b"subject" + row.id))
        self.people[row.id] = who
        if who.name:
            self.ids[who.name] = row.id

    def _take_sample(self, row: SampleRow) -> None:
        known = row.subject in self.subjects and row.group in self.groups
        if row != self._marker.sample(row) or not known:
            raise self._wrong(f"the row of sample {row.number} does not match its mark")
        self.samples[row.number] = row
        self.kept[row.subject].append(row.number)
        self._members.setdefault(row.group, []).append(row)
        if not self.people[row.subject].name:
            self.canaries.setdefault(row.group, []).append(row)
            self.canaries[row.group].sort(key=lambda canary: canary.number)

    def _marks(self, change: Change | None = None) -> list[bytes]:
        subjects: dict[bytes, bytes] = {row.id: row.mark for row in self.subjects.values()}
        samples: dict[int, bytes] = {row.number: row.mark for row in self.samples.values()}
        groups: dict[int, bytes] = {row.number: _versioned(row) for row in self.groups.values()}
        if change is not None:
            subjects |= {row.id: row.mark for row in change.subjects}
            samples |= {row.number: row.mark for row in change.samples}
            groups |= {write.row.number: _versioned(write.row) for write in change.groups}
            _drop(subjects, change.gone_subjects)
            _drop(samples, change.gone_samples)
            _drop(groups, change.gone_groups)
        return [*subjects.values(), *samples.values(), *groups.values()]

    def sealed_head(self, change: Change, space: str | None, points: str, coarse: Any = None) -> Change:
        """The change with a head that vouches for the state after it; its revision and epoch move on.

        coarse: the note of a preselection, where it is new; else what there was stays."""
        notes = {"space": space, "points": points, "coarse": coarse or self.notes["coarse"]}
        head = replace(
            change.head,
            revision=self.head.revision + 1,
            epoch=self.head.epoch + change.erases,
            sealed=self._sealer.seal_json(notes, b"head"),
            digest=digest_of(self._marks(change)),
        )
        return replace(change, head=self._marker.head(head))

    @property
    def notes(self) -> Mapping[str, Any]:
        """{"space", "points", "coarse"} of the gallery."""
        if self.head.sealed and self._notes[0] != self.head.sealed:
            self._notes = (self.head.sealed, self._sealer.open_json(self.head.sealed, b"head"))
        found: Mapping[str, Any] = self._notes[1]
        return found

    @property
    def coarse(self) -> Coarse | None:
        """The preselection that the gallery was sealed with."""
        note = self.notes["coarse"]
        if self._coarse[0] is not note:
            self._coarse = (note, Coarse.of(note))
        return self._coarse[1]

    def turned(self, rows: F32) -> F32:
        """Templates or probes (n, d) as they are encrypted."""
        return rows if self.coarse is None else self.coarse.on(rows)

    def straight(self, rows: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        """Decrypted templates (n, d) as they were enrolled."""
        return rows if self.coarse is None else self.coarse.off(rows)

    def record(self, row: SampleRow) -> dict[str, Any]:
        """What a sample's sealed record says: quality, source, fingerprint, image."""
        found: dict[str, Any] = self._sealer.open_json(row.record, about(row))
        return found

    def picture(self, row: SampleRow, detail: Detail | None) -> bytes:
        """The bytes of a sample's crop."""
        return self._sealer.open(self.checked(row, detail).picture, b"picture" + about(row))

    def checked(self, row: SampleRow, detail: Detail | None) -> Detail:
        """A detail that is the row's own."""
        if detail is None or detail.digest != row.detail:
            raise self._wrong(f"what is kept with sample {row.number} was changed or is missing")
        return detail

    def check_group(self, number: int, row: GroupRow, body: Any) -> None:
        """Hold a group's bytes against its mark."""
        if body is None or self.groups.get(number) != row or self._marker.group(number, row.version, body) != row:
            raise self._wrong(f"group {number} does not match its mark")

    def members(self, group: int) -> list[SampleRow]:
        """The samples in a group, canaries too."""
        return self._members.get(group, [])

    def others(self, group: int) -> list[SampleRow]:
        """The samples in a group that are people's."""
        return [row for row in self.members(group) if self.people[row.subject].name]

    def table(self, numbers: tuple[int, ...] | None = None) -> Table:
        """Whose score is where, at this revision, in all groups or in some."""
        if numbers is not None:
            return self._made(numbers)
        if self._table is None or self._table.revision != self.head.revision:
            self._table = self._made(tuple(sorted(self.groups)))
        return self._table

    def _made(self, numbers: tuple[int, ...]) -> Table:
        where = {number: position * self.head.layout.slots for position, number in enumerate(numbers)}
        rows = [row for number in numbers for row in self.others(number)]
        names = sorted({self.people[row.subject].name for row in rows})
        order = {self.ids[name]: number for number, name in enumerate(names)}
        return Table(
            self.head.revision,
            numbers,
            names,
            np.array([where[row.group] + row.slot for row in rows], np.intp),
            np.array([order[row.subject] for row in rows], np.intp),
            tuple(self._group(number, where[number]) for number in numbers),
        )

    def _group(self, number: int, position: int) -> Members:
        canaries, others = [row.slot for row in self.canaries.get(number, ())], self.others(number)
        covered = [row.slot for row in others if row.covered]
        return Members(number, position, canaries, covered, len(others) - len(covered))

    @property
    def templates(self) -> int:
        """Templates of people; canaries are none."""
        return len(self.samples) - sum(map(len, self.canaries.values()))

    def _wrong(self, what: str) -> GalleryCorrupt:
        return GalleryCorrupt(f"The sealed gallery {self.where} is damaged: {what}.", "Put a backup in its place.")


def about(row: SampleRow) -> bytes:
    """What a sample's sealed parts are bound to."""
    return b"sample" + row.number.to_bytes(8, "little") + row.subject


def _versioned(row: GroupRow) -> bytes:
    """A group's mark covers its bytes too, which are not at hand: so what is at hand is tied to it."""
    return b"%d %d " % (row.number, row.version) + row.anchor + row.mark


def _drop(marks: dict[Any, bytes], keys: Iterable[Any]) -> None:
    for key in keys:
        marks.pop(key, None)
