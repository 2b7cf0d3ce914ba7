"""Preselection inside a sealed gallery: templates are turned so that their first coordinates are principal components.

Scores do not change when templates and probes are turned alike. So the first blocks of each group are the codes of
`preselection`, nothing more is stored, and enrolling, forgetting and rotating are what they were. A first round asks with the
probe's first blocks; the key holder names the groups of the best rows, and a second round compares those in full.

The turn follows from the templates that were sealed. It lies encrypted in the gallery's head, for whoever holds the record key.
"""

from __future__ import annotations

import functools
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import EvidenceError, UsageError
from mien.gallery.sealed.preselection import BATCH, Hits, components
from mien.types import F32

F64 = NDArray[np.float64]
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # shortlists that are measured
PROBES = 1_000  # most that are tried
LARGEST = 90_000  # components times dimensions, so that the turn fits a record


@dataclass(frozen=True, eq=False)
class Coarse:
    """A turn, and what shortlists by its first `size` coordinates lose."""

    reflections: NDArray[np.float16]  # (size, d)
    hits: tuple[Hits, ...]

    @property
    def size(self) -> int:
        """Coordinates of a code."""
        return len(self.reflections)

    @functools.cached_property
    def _unit(self) -> F64:
        """Of unit length in double precision, so that the turn is a turn however coarsely it is kept."""
        wide = self.reflections.astype(np.float64)
        return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))

    def on(self, rows: F32) -> F32:
        """(n, d) turned."""
        return self._reflected(rows, self._unit)

    def off(self, rows: NDArray[np.floating[Any]]) -> F32:
        """(n, d) turned back."""
        return self._reflected(rows, self._unit[::-1])

    def _reflected(self, rows: NDArray[np.floating[Any]], unit: F64) -> F32:
        if rows.shape[1] != unit.shape[1]:
            raise UsageError(
                f"The gallery's preselection is for {unit.shape[1]} dimensions, not {rows.shape[1]}.", "Seal it anew."
            )
        wide = rows.astype(np.float64)
        for axis in unit:
            wide -= 2 * (wide @ axis)[:, None] * axis
        return wide.astype(np.float32)

    def told(self, shortlist: int) -> str:
        """What a shortlist of that size loses: the sentence to print with any use."""
        known = [one for one in self.hits if one.size <= shortlist]
        measured = "when the gallery was sealed, on the last template of everybody who had several"
        words = (
            f"{known[-1]} (Measured {measured}.)" if known else "What it loses was not measured: too few are enrolled."
        )
        return (
            f"{words} The matcher learns, search by search, which groups are like the probe: whom it resembles, and which "
            "searches were for the same person."
        )

    def note(self) -> dict[str, Any]:
        """As JSON."""
        turn = b64encode(self.reflections.astype("<f2").tobytes()).decode()
        return {"size": self.size, "turn": turn, "hits": [[one.size, one.found, one.of] for one in self.hits]}

    @classmethod
    def of(cls, note: Mapping[str, Any] | None) -> Coarse | None:
        """What `note` was made from."""
        if note is None:
            return None
        turn = np.frombuffer(b64decode(note["turn"]), "<f2").reshape(note["size"], -1)
        return cls(turn, tuple(Hits(*one) for one in note["hits"]))


def fitted(vectors: F32, owners: Sequence[str], size: int) -> Coarse:
    """For a gallery of templates (n, d) and whose each is, with what its shortlists lose.

    The last template of everybody who has several is taken away and asked with; the rest is what the turn is fitted on and what
    is searched. Raises UsageError for a size that does not fit, EvidenceError where nobody has two templates."""
    if not 0 < size < vectors.shape[1] or size % 64 or size * vectors.shape[1] > LARGEST:
        raise UsageError(
            f"{size} components of {vectors.shape[1]} dimensions are no preselection.",
            f"Take 64 or another multiple of it below {min(vectors.shape[1], LARGEST // vectors.shape[1] + 1)}.",
        )
    names, who = np.unique(np.array(owners), return_inverse=True)
    last = np.zeros(len(names), np.int64)
    last[who] = np.arange(len(who))  # the last row of each
    asked = last[np.bincount(who) > 1]
    if not len(asked):
        raise EvidenceError(
            "What a preselection loses cannot be measured: nobody here has two templates.",
            "Enrol a second picture of some people, or seal without --preselect.",
        )
    rest = np.ones(len(vectors), bool)
    rest[asked] = False
    kept = vectors[rest]
    basis = components(kept, min(size, len(kept))).basis
    assert basis is not None  # components have one
    coarse = Coarse(_reflections(basis, size), ())
    chosen = np.random.default_rng(0).permutation(asked)[:PROBES]
    return Coarse(coarse.reflections, _hits(coarse, kept, who[rest], vectors[chosen], who[chosen]))


def _reflections(basis: F32, size: int) -> NDArray[np.float16]:
    """Householder's: one after the other they bring column i of the basis (d, m) to axis i; more columns by chance."""
    dimension = len(basis)
    more = np.random.default_rng(1).standard_normal((dimension, size - basis.shape[1]))
    work, found = np.hstack([basis.astype(np.float64), more]), np.zeros((size, dimension))
    for number in range(size):
        axis = np.zeros(dimension)
        axis[number:] = work[number:, number]
        axis[number] += np.copysign(np.linalg.norm(axis), axis[number])
        axis /= np.linalg.norm(axis)
        work -= 2 * np.outer(axis, axis @ work)
        found[number] = axis
    return found.astype(np.float16)


def _hits(coarse: Coarse, kept: F32, who: NDArray[np.intp], probes: F32, mates: NDArray[np.intp]) -> tuple[Hits, ...]:
    """Of the probes whose own person comes first in full, how many have a row of that person on the shortlist."""
    codes, ranks = coarse.on(kept)[:, : coarse.size], []
    for start in range(0, len(probes), BATCH):
        part, own = probes[start : start + BATCH], mates[start : start + BATCH, None] == who
        whole = part @ kept.T
        first = np.where(own, whole, -2).max(1) > np.where(own, -2, whole).max(1)
        short = coarse.on(part)[:, : coarse.size] @ codes.T
        best = np.where(own, short, -2).max(1, keepdims=True)
        ranks.append((1 + (~own & (short >= best)).sum(1))[first])  # ties count against it
    counted = np.concatenate(ranks)
    if not len(counted):
        raise EvidenceError("No probe's right person comes first, so there is nothing that preselection could keep.")
    return tuple(Hits(size, int((counted <= size).sum()), len(counted)) for size in SIZES if size < len(kept))
