"""What a search of a large gallery looks at: codes of what is in the file, and what came later as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien.gallery import ranking
from mien.gallery.matrix import Rows
from mien.gallery.scan import Candidates, Codes, candidates_many
from mien.gallery.segments import Segment
from mien.types import F32, U8, Match

Fetch = Callable[[Sequence[int]], tuple[list[int], list[bytes]]]


class Moved(Exception):
    """Something was erased while a search was under way: it is begun anew."""


@dataclass(frozen=True, slots=True, eq=False)
class Filed:
    """A frozen view, but for `fetch`, which reads the file as it is then and raises Moved if rows went away."""

    segments: Sequence[Segment]
    later: Rows  # in memory
    subjects: Sequence[int]  # owners of `later`
    fetch_samples: Fetch  # ids of samples to subjects and templates of those that are there
    named: Callable[[Sequence[int]], list[str]]  # subjects to names
    allowed: U8 | None = None  # (n,) 0 leaves a row out; segments first
    proof: str = field(default="int8 codes with their bound", init=False)

    def among(self, later: Sequence[int], mine: Sequence[int]) -> Self:
        """The same, of some samples only; later: the samples of `self.later`."""
        every = np.concatenate([*(segment.ids for segment in self.segments), np.array(later, np.int64)])
        return replace(self, allowed=np.isin(every, np.array(mine, np.int64)).astype(np.uint8))

    def __len__(self) -> int:
        return sum(len(segment.ids) for segment in self.segments) + len(self.later)

    def search(self, probes: F32, k: int, floor: float | None = None) -> list[list[Match]]:
        """As `Rows.search`."""
        return ranking.search(self, probes, k, floor)

    def candidates(self, probes: F32, m: int, floor: float | None) -> list[Candidates]:
        """All rows that may reach a threshold, and the threshold, for each probe."""
        return candidates_many(self._blocks(), probes, m, floor, self.allowed)

    def _blocks(self) -> list[Codes]:
        blocks = [segment.codes for segment in self.segments]
        return blocks if self.later.codes is None else [*blocks, self.later.codes]

    def fetch(self, rows: NDArray[np.int64]) -> tuple[list[int], F32]:
        """Owners and vectors of rows, those of segments from the file."""
        ends = np.cumsum([len(segment.ids) for segment in self.segments])
        filed, later = rows[rows < ends[-1]], rows[rows >= ends[-1]] - ends[-1]
        place = np.searchsorted(ends, filed, side="right")
        starts = np.concatenate([[0], ends])
        ids = [int(self.segments[one].ids[row - starts[one]]) for one, row in zip(place, filed, strict=True)]
        owners, templates = self.fetch_samples(ids)
        vectors = np.frombuffer(b"".join(templates), np.float32)
        if not len(later):
            return owners, vectors.reshape(len(owners), -1) if owners else np.empty((0, 1), np.float32)
        newer = self.later.vectors[later]
        owners = [*owners, *(self.subjects[row] for row in later.tolist())]
        return owners, np.concatenate([vectors.reshape(-1, newer.shape[1]), newer])
