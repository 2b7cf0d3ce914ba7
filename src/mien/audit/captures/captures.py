"""Pictures to captures: what a data set looks like once every picture has been through detector and embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import F64, I64
from mien.types import F32


@dataclass(frozen=True, slots=True, eq=False)
class Captures:
    """n labelled captures. One that gave no template keeps its row: zeros, and the reason why."""

    names: tuple[str, ...]  # of the pictures, unique
    subjects: tuple[str, ...]  # whose picture it is said to be
    vectors: F32  # (n, D) unit length; a row of zeros where there is no template
    quality: F64  # (n,) 0..1, NaN where there is no template
    failures: tuple[str, ...]  # why there is no template, in words; "" where there is one
    space: str = ""
    digests: tuple[str, ...] = ()  # (n,) SHA-256 of each picture; "" where it could not be read
    faces: tuple[int, ...] = ()  # (n,) faces found in each picture; the largest is the one captured

    @property
    def failed(self) -> NDArray[np.bool_]:
        """(n,) failures to acquire."""
        return np.array([bool(reason) for reason in self.failures], bool)

    @property
    def owner(self) -> I64:
        """(n,) number of the subject of each capture, subjects in sorted order."""
        return np.unique(np.array(self.subjects, np.str_), return_inverse=True)[1].astype(np.int64)

    def part(self, chosen: NDArray[np.bool_] | I64) -> Captures:
        """Some of the captures: (n,) whether each is, or the numbers of those."""
        rows = np.arange(len(self))[chosen]

        def some(values: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(values[row] for row in rows) if values else ()

        names, subjects, failures = some(self.names), some(self.subjects), some(self.failures)
        rest = self.space, some(self.digests), some(self.faces)
        return Captures(names, subjects, self.vectors[rows], self.quality[rows], failures, *rest)

    def __len__(self) -> int:
        return len(self.names)


def at_most(subjects: Sequence[str], most: int, seed: int = 0) -> I64:
    """Numbers of pictures, in their order, so that no subject has more than `most`; which of them is drawn.

    Somebody with 500 pictures has 124,750 genuine comparisons and would be most of the misses."""
    held: dict[str, int] = {}
    kept = []
    for number in np.random.default_rng(seed).permutation(len(subjects)):
        held[subjects[number]] = held.get(subjects[number], 0) + 1
        if held[subjects[number]] <= most:
            kept.append(number)
    return np.sort(np.array(kept, np.int64))
