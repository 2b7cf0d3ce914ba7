"""The segments of one open gallery: read, made again where they are lost, wiped, added to. Runs inside the gallery's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.gallery import covered, segments
from mien.gallery.covered import Covered
from mien.gallery.rows import Rows, Vector
from mien.gallery.scan import Codes, encode
from mien.gallery.segments import Entry, Segment
from mien.gallery.store import Head, xor

MOST = 65_536  # rows of a segment that smaller ones are joined to: fewer files, and little is written again
_SPARSE = 0.25  # share of a segment's rows that may be erased before it is written anew
_LOST = -1  # checksum that no file has: a segment to be written again


class Shelf:
    """What the gallery's file says of segments, and those segments in memory. Changes run inside the gallery's own."""

    def __init__(self, folder: Path, rows: Rows) -> None:
        self._folder, self._rows = folder, rows
        self.covered = Covered()
        self.segments: list[Segment] = []
        self._old: list[Entry] = []

    @property
    def lost(self) -> bool:
        """Whether a segment's file is missing or damaged."""
        return any(segment.entry.checksum == _LOST for segment in self.segments)

    def pull(self, noted: Covered, head: Head) -> None:
        """Bring the segments to what the file says."""
        if noted.entries != self.covered.entries:
            have = {segment.entry: segment for segment in self.segments}
            self.segments = [have.get(entry) or self._segment(entry, head) for entry in noted.entries]
        self.covered = noted

    def _segment(self, entry: Entry, head: Head) -> Segment:
        """The codes that were kept, or, where those are lost or damaged, codes made anew from the templates."""
        kept = segments.read(self._folder, entry, head.dimension or 1)
        if kept is not None:
            return kept
        ids, vectors = _columns(self._rows.vectors_after(entry.first - 1, entry.last), head.dimension or 1)
        return Segment(entry._replace(checksum=_LOST), ids, encode(vectors))

    def cover(self, numbers: Sequence[int], codes: Codes, head: Head) -> None:
        """Add a segment: everything up to `head` is covered then. Small neighbours become one. Raises OSError."""
        kept, ids, parts = list(self.segments), [np.array(numbers, np.int64)], [codes]
        if kept and len(kept[-1].ids) + len(numbers) <= MOST:
            last = kept.pop()
            alive = np.flatnonzero(~np.isnan(last.codes.scales))
            ids, parts = [last.ids[alive], *ids], [_only(last.codes, alive), codes]
        fresh = self._written(np.concatenate(ids), _joined(parts))
        noted = Covered(head.last_subject, head.last_sample, head.subjects, head.samples, head.balance)
        self._note([*kept, fresh], noted)

    def mend(self) -> None:
        """Write again what was lost. Raises OSError."""
        mended = [
            self._written(one.ids, one.codes) if one.entry.checksum == _LOST else one
            for one in self.segments
            if len(one.ids)
        ]
        self._note(mended, self.covered)

    def wipe(self, gone: Sequence[int] | None = None) -> None:
        """Write zeroes over the codes of samples that are gone, in memory and on the disk; None: look which they are.

        Raises OSError."""
        if not self.segments:
            return
        if gone is None:
            ids = np.concatenate([segment.ids for segment in self.segments])
            gone = np.setdiff1d(ids, np.fromiter((number for number, _ in self._rows.owned()), np.int64)).tolist()
        numbers = np.array(gone, np.int64)
        kept, changed = [], False
        for segment in self.segments:
            dead = segment.places(numbers)
            dead = dead[~np.isnan(segment.codes.scales[dead])]
            left = int(np.count_nonzero(~np.isnan(segment.codes.scales))) - len(dead)
            changed |= bool(len(dead))
            if not len(dead):
                kept.append(segment)
            elif left or segment.entry.checksum == _LOST:
                kept.append(self._wiped(segment, dead))
            else:
                segments.wipe(self._folder, segment, dead)  # zeroes first: a name taken away leaves the bytes
        if changed:
            self._note(kept, self.covered)

    def _wiped(self, segment: Segment, dead: NDArray[np.intp]) -> Segment:
        if segment.entry.checksum == _LOST:
            segment.codes.wipe(dead)
            return self._written(segment.ids, segment.codes)
        entry = segments.wipe(self._folder, segment, dead)
        alive = np.flatnonzero(~np.isnan(segment.codes.scales))
        if len(alive) < (1 - _SPARSE) * len(segment.ids):
            return self._written(segment.ids[alive], _only(segment.codes, alive))
        return replace(segment, entry=entry)

    def _written(self, numbers: NDArray[np.int64], codes: Codes) -> Segment:
        return Segment(segments.write(self._folder, numbers, codes), numbers, codes)

    def _note(self, kept: list[Segment], noted: Covered) -> None:
        """Let the file speak of these segments. Only whoever writes to the gallery does so: leftovers are nobody's."""
        entries = tuple(segment.entry for segment in kept)
        covered.write(self._rows.db, replace(noted, entries=entries))
        # Until the change is on the disk the file speaks of the old ones.
        segments.sweep(self._folder, [*entries, *self.covered.entries])
        self._old += [entry for entry in self.covered.entries if entry.name not in {one.name for one in entries}]
        self.segments, self.covered = kept, replace(noted, entries=entries)

    def settle(self) -> None:
        """Take away what the file spoke of before a change that is on the disk now."""
        for entry in self._old:
            segments.remove(self._folder, entry)
        self._old.clear()

    def faults(self) -> list[str]:
        """Rows that segments cover, against their seals, and the codes against the rows."""
        noted = self.covered
        if not noted.last_sample:
            return []
        balance, subjects, samples, found = bytes(16), 0, 0, []
        for _, _, mark in self._rows.subjects_after(0, noted.last_subject):
            balance, subjects = xor(balance, mark), subjects + 1
        for segment in self.segments:
            rows = self._rows.vectors_after(segment.entry.first - 1, segment.entry.last)
            for row in rows:
                balance, samples = xor(balance, row.mark), samples + 1
            found += _faults_of(segment, rows)
        if (subjects, samples, balance) != (noted.subjects, noted.samples, noted.balance):
            found.append("Rows of the file are missing or doubled.")
        return found


def _faults_of(segment: Segment, rows: list[Vector]) -> list[str]:
    if segment.entry.checksum == _LOST:
        return ["A segment of codes is missing or damaged; whoever may write to the gallery makes it again."]
    if not rows:
        return []
    ids, vectors = _columns(rows, len(rows[0].vector) // 4)
    places = segment.places(ids)
    if len(places) == len(ids) and _same(_only(segment.codes, places), encode(vectors)):
        return []
    return ["A segment of codes does not belong to its templates: remove the folder of codes, and it is made again."]


def _columns(rows: list[Vector], dimension: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    vectors = np.frombuffer(b"".join(row.vector for row in rows), np.float32)
    return np.array([row.number for row in rows], np.int64), vectors.reshape(len(rows), dimension)


def _only(codes: Codes, places: NDArray[np.intp]) -> Codes:
    """A copy of some rows."""
    high, low, scales, residuals, coarse = codes.parts
    return Codes(high[places], low[places], scales[places], residuals[places], coarse[places])


def _joined(parts: Sequence[Codes]) -> Codes:
    high, low, scales, residuals, coarse = zip(*(part.parts for part in parts), strict=True)
    planes = np.concatenate(high), np.concatenate(low)
    return Codes(*planes, np.concatenate(scales), np.concatenate(residuals), np.concatenate(coarse))


def _same(one: Codes, other: Codes) -> bool:
    return all(bool(np.all(left == right)) for left, right in zip(one.parts, other.parts, strict=True))
