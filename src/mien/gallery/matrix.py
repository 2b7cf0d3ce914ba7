"""Templates in memory: one float32 matrix, the short codes by which it is searched, and who owns each row.

Few rows are scanned as they are (the rounding error of float32 is bounded); many by their codes, which are read faster.
Whatever the bound leaves in question is scored again without rounding (`ranking`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, SpaceMismatch, UsageError
from mien.gallery import ranking
from mien.gallery.scan import Candidates, Codes, candidates_many, encode, kernel
from mien.types import F32, Match, Sample, Template

Fusion = Literal["max", "mean"]
UNIT_TOLERANCE = 1e-4  # a unit vector's length may be off by this much; float32 rounding makes about 1e-7
CODED = 1024  # rows from which on codes pay: below it, a product of floats is over sooner


def check_template(template: Template, space: str | None, dimension: int | None, where: str) -> None:
    """Raise InputError for a vector that is no unit vector of `dimension`, SpaceMismatch for another space."""
    vector = template.vector
    if not template.space or not isinstance(template.space, str):
        raise InputError("A template names no space.", "Make templates with an embedder.")
    if space is not None and template.space != space:
        raise SpaceMismatch(
            f"The template is of space {template.space}, but the gallery {where} holds {space}.",
            f"Re-embed the gallery from its kept crops with `mien migrate {where}`, or use the model it was made with.",
        )
    if not isinstance(vector, np.ndarray) or vector.dtype != np.float32 or vector.ndim != 1 or vector.size == 0:
        raise InputError(
            f"A template's vector is {_describe(vector)}, not one row of float32.", "Make templates with an embedder."
        )
    if dimension is not None and vector.size != dimension:
        raise InputError(
            f"A template has {vector.size} dimensions, but the gallery {where} holds {dimension}.",
            "Make templates with the embedder that the gallery was made with.",
        )
    wide = vector.astype(np.float64)
    length = math.sqrt(np.dot(wide, wide))
    if not abs(length - 1.0) <= UNIT_TOLERANCE:  # written so that NaN fails too
        raise InputError(f"A template's vector has length {length:.6g}, not 1.", "Make templates with an embedder.")
    quality = template.quality
    if quality is not None and not 0.0 <= quality <= 1.0:
        raise InputError(
            f"A template's quality is {quality}, not within 0 and 1.", "Leave it out where it is not known."
        )


def check_samples(samples: Sequence[Sample], space: str | None, dimension: int | None, where: str) -> tuple[str, int]:
    """Check all samples against a gallery and against each other; returns their (space, dimension)."""
    if not samples:
        raise InputError("Nobody can be enrolled without a sample.", "Give at least one.")
    for sample in samples:
        check_template(sample.template, space, dimension, where)
        space, dimension = sample.template.space, sample.template.vector.size
    last = samples[-1].template
    return last.space, last.vector.size


def _describe(vector: Any) -> str:
    if not isinstance(vector, np.ndarray):
        return f"a {type(vector).__name__}"
    return f"{vector.dtype} of shape {vector.shape}"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A frozen view of a matrix: safe to search while the matrix grows in another thread."""

    vectors: F32  # (n, D) unit length
    owners: NDArray[np.intp]  # (n,) index into names
    names: Sequence[str]  # may grow at its end
    codes: Codes | None = None  # of the rows, where there are enough of them

    def __len__(self) -> int:
        return len(self.owners)

    @property
    def proof(self) -> str:
        """What makes a search exact."""
        return "float32 with its bound" if self.codes is None else "int8 codes with their bound"

    def search(self, probes: F32, k: int, floor: float | None = None) -> list[list[Match]]:
        """For each of the probes (q, D), unit length, the k best subjects (see `ranking`)."""
        return ranking.search(self, probes, k, floor) if len(self) else [[] for _ in probes]

    def candidates(self, probes: F32, m: int, floor: float | None) -> list[Candidates]:
        """All rows that may reach a threshold, and the threshold, for each probe."""
        if self.codes is not None:
            return candidates_many(self.codes, probes, m, floor)
        scores = np.clip(self.vectors @ probes.T, -1.0, 1.0)
        return [_possible(scores[:, place], m, floor, _slack(self.vectors.shape[1])) for place in range(len(probes))]

    def fetch(self, rows: NDArray[np.int64]) -> tuple[list[int], F32]:
        """Owners and vectors of rows."""
        return self.owners[rows].tolist(), self.vectors[rows]

    def named(self, owners: Sequence[int]) -> list[str]:
        """The owners' names."""
        return [self.names[owner] for owner in owners]


def _possible(scores: F32, m: int, floor: float | None, slack: float) -> Candidates:
    """As a scan of codes, from scores that are each within `slack` of the true one."""
    least = -math.inf if floor is None else floor
    if len(scores) > m:
        least = max(least, float(np.partition(scores, len(scores) - m)[len(scores) - m]) - slack)
    return Candidates(np.flatnonzero(scores >= least - slack), least)


def _slack(dimension: int) -> float:
    """Bound on a float32 dot product's error for unit vectors, in any order of summation (Higham, 2002, section 3.1).

    The few units above the dimension pay for lengths a little over 1 and for rounding in the comparison itself.
    """
    unit = 2.0**-24
    return (dimension + 8) * unit / (1 - dimension * unit)


class Matrix:
    """A float32 matrix of templates and who owns each row. Not locked: its gallery is.

    fusion: a subject's score is that of its best template ("max"), or of its templates' unit-normalised mean ("mean").
    coded: rows from which on there are codes of them, with 1 whatever the kernel is.
    """

    def __init__(self, fusion: Fusion = "max", coded: int = CODED) -> None:
        if fusion not in ("max", "mean"):
            raise UsageError(f"There is no fusion {fusion!r}.", "Use 'max' or 'mean'.")
        self._fusion = fusion
        self._coded = coded
        self._names: list[str] = []
        self._index: dict[str, int] = {}
        self._vectors: F32 = np.empty((0, 0), np.float32)
        self._owners: NDArray[np.intp] = np.empty(0, np.intp)
        self._count = 0
        self._everybody: Rows | None = None  # the whole, until a row comes
        self._codes: Codes | None = None

    @property
    def subjects(self) -> int:
        """Number of subjects with at least one row."""
        return len(self._names)

    @property
    def templates(self) -> int:
        """Number of templates behind a search. Means count as the templates they are made of: a mean of n photos is
        matched by strangers about n times as often as a photo (``docs/decisions/template-fusion.md``)."""
        return self._count

    @property
    def dimension(self) -> int | None:
        """Length of a row; None while there is none."""
        return self._vectors.shape[1] if self._count else None

    def __contains__(self, subject: str) -> bool:
        return subject in self._index

    def extend(self, subjects: Sequence[str], vectors: F32) -> None:
        """Append rows: `subjects` (n) own `vectors` (n, D)."""
        if not subjects:
            return
        end = self._count + len(subjects)
        if end > len(self._vectors):
            self._grow(max(end, 2 * len(self._vectors), 64), vectors.shape[1])
        self._vectors[self._count : end] = vectors
        self._code(end)
        for row, subject in enumerate(subjects, self._count):
            owner = self._index.setdefault(subject, len(self._names))
            if owner == len(self._names):
                self._names.append(subject)
            self._owners[row] = owner
        self._count = end
        self._everybody = None

    def _grow(self, rows: int, dimension: int) -> None:
        vectors = np.empty((rows, dimension), np.float32)
        owners = np.empty(rows, np.intp)
        if self._count:
            vectors[: self._count] = self._vectors[: self._count]
            owners[: self._count] = self._owners[: self._count]
        self._vectors, self._owners = vectors, owners

    def _code(self, end: int) -> None:
        """Codes of all rows before `end`, where there is a kernel that reads them faster than floats."""
        if self._fusion != "max" or end < self._coded or (kernel() == "numpy" and self._coded > 1):
            return
        old, done = self._codes, 0 if self._codes is None else self._count
        if old is None or len(old) < end:
            self._codes = Codes.empty(len(self._vectors), self._vectors.shape[1])
            if old is not None:
                for part in fields(Codes):
                    getattr(self._codes, part.name)[:done] = getattr(old, part.name)[:done]
        assert self._codes is not None
        encode(self._vectors[done:end], into=self._codes[done:end])

    def rows(self, among: Iterable[str] | None = None) -> Rows:
        """What a search looks at, of everybody or of some. Rows once written never change, so the view stays true."""
        whole = self._whole()
        if among is None:
            return whole
        kept = [name for name in among if name in self._index]
        place = np.full(len(self._names), -1, np.intp)
        place[[self._index[name] for name in kept]] = np.arange(len(kept))
        owners = place[whole.owners]
        return Rows(whole.vectors[owners >= 0], owners[owners >= 0], kept)

    def _whole(self) -> Rows:
        if self._everybody is None:
            vectors, owners = self._vectors[: self._count], self._owners[: self._count]
            if self._fusion == "max":
                codes = None if self._codes is None else self._codes[: self._count]
                self._everybody = Rows(vectors, owners, self._names, codes)
            else:
                subjects = len(self._names)
                self._everybody = Rows(_unit_means(vectors, owners, subjects), np.arange(subjects), self._names)
        return self._everybody


def _unit_means(vectors: F32, owners: NDArray[np.intp], subjects: int) -> F32:
    """(subjects, D) unit-normalised mean of each subject's rows, summed in float64 in row order."""
    sums = np.empty((subjects, vectors.shape[1]), np.float64)
    for column in range(vectors.shape[1]):
        sums[:, column] = np.bincount(owners, weights=vectors[:, column], minlength=subjects)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    # Templates that cancel out have no direction; such a subject resembles nobody.
    means: F32 = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0).astype(np.float32)
    return means
