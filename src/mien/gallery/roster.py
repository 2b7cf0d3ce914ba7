"""Who is enrolled, and which samples are whose. Runs inside its gallery's transaction and lock.

What segments cover is looked up in the file; the rest, all of a small gallery, is in memory, read and checked as a whole."""

from __future__ import annotations

from heapq import merge, nsmallest
from itertools import islice

from mien.gallery.covered import Covered
from mien.gallery.listing import Page
from mien.gallery.rows import Rows, Vector

_FEW = 1000  # subjects looked up one by one
_NAMES = 65_536  # looked-up names that are remembered


class Roster:
    """Names to subjects to samples."""

    def __init__(self, rows: Rows, covered: Covered) -> None:
        self._rows, self._covered = rows, covered
        self._ids: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._kept: dict[int, dict[int, bool]] = {}  # {subject: {sample: whether its crop is kept}}
        self._looked_up: dict[int, str] = {}

    def add(self, number: int, name: str) -> None:
        """Take in a subject."""
        self._ids[name], self._names[number] = number, name

    def take(self, sample: Vector) -> None:
        """Take in a sample."""
        self._kept.setdefault(sample.subject, {})[sample.number] = sample.image

    def find(self, name: str) -> int | None:
        """The id of a subject."""
        number = self._ids.get(name)
        if number is None and self._covered.last_subject:
            number = self._rows.find(name, self._covered.last_subject)
        return number

    def name(self, number: int) -> str:
        """The name of a subject. Raises GalleryCorrupt for an id that nobody has."""
        found = self._names.get(number) or self._looked_up.get(number)
        if found is None:
            found = self._rows.name(number)
            if len(self._looked_up) >= _NAMES:
                self._looked_up.clear()
            self._looked_up[number] = found
        return found

    def kept(self, subject: int) -> dict[int, bool]:
        """{sample: whether its crop is kept} of a subject, in the order they were enrolled."""
        held = self._kept.get(subject, {})
        if subject > self._covered.last_subject:
            return held
        return self._rows.kept(subject, self._covered.last_sample) | held

    def counts(self) -> dict[int, tuple[int, int]]:
        """{subject: (samples, crops)} of everybody."""
        found = self._rows.counts(self._covered.last_sample) if self._covered.last_subject else {}
        for subject, held in self._kept.items():
            samples, images = found.get(subject, (0, 0))
            found[subject] = samples + len(held), images + sum(held.values())
        return found

    def names(self) -> list[tuple[str, int]]:
        """(name, id) of everybody, by name."""
        looked_up = self._rows.names(self._covered.last_subject) if self._covered.last_subject else []
        return sorted([*looked_up, *self._ids.items()])

    def page(self, page: Page) -> list[int]:
        """Ids of those that a listing wants, by name."""
        wanted = (item for item in self._ids.items() if page.wants(item[0]))
        held = sorted(wanted) if page.limit is None else nsmallest(page.limit, wanted)
        looked_up = self._rows.named(page, self._covered.last_subject) if self._covered.last_subject else ()
        return [number for _, number in islice(merge(held, looked_up), page.limit)]

    def walk(self) -> list[tuple[str, int]]:
        """(name, sample) of everything, by name and then in the order they were enrolled."""
        return [(name, sample) for name, number in self.names() for sample in self.kept(number)]

    def samples_of(self, people: list[tuple[int, str]]) -> list[int]:
        """Ids of the samples of some (id, name)."""
        if len(people) < _FEW:
            return [sample for number, _ in people for sample in self.kept(number)]
        wanted = {number for number, _ in people}
        return [sample for sample, subject in self._rows.owned() if subject in wanted]
