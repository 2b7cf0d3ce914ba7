"""Preselection: score short codes first, and compare only a shortlist in full. Off by default.

The idea of "Privacy-preserving Preselection for Face Identification Based on Packing" (Xin et al., arXiv 2507.02414, 2025):
codes of fewer dimensions are encrypted and searched as templates are; the key holder decrypts their scores and names a
shortlist, whose whole templates the matcher then compares. Two kinds of code: principal components, and signs of coordinates.

What it costs, and why it is not the default:

- Hits. A person outside the shortlist cannot be found. `hits` counts how often that happens; it must be printed with any use.
- A leak. In the second round the key holder tells the matcher which groups to compare. The matcher so learns, search by
  search, which rows are like the probe: it can tell that two searches were for the same person, how often a person
  is searched for, and who looks like whom. An exhaustive search tells it nothing of the kind.
- The basis is not secret. It must be fitted on people who are not enrolled, or it tells about those who are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import EvidenceError, UsageError
from mien.types import F32

I64 = NDArray[np.int64]
Scores = NDArray[np.floating]
BATCH = 256  # probes scored at a time


@dataclass(frozen=True, slots=True, eq=False)
class Preselection:
    """How a template becomes a shorter or coarser code of unit length."""

    basis: F32 | None  # (d, m) orthonormal columns; None: signs

    def codes(self, vectors: F32) -> F32:
        """(n, m) codes of templates (n, d); inner products of codes are the coarse scores."""
        if self.basis is None:
            signs: F32 = np.where(vectors < 0, -1, 1).astype(np.float32) / np.float32(np.sqrt(vectors.shape[1]))
            return signs
        if vectors.shape[1] != len(self.basis):
            raise UsageError(
                f"The preselection is for {len(self.basis)} dimensions, and these templates have {vectors.shape[1]}.",
                "Fit one on templates of this model.",
            )
        short = vectors @ self.basis
        length = np.linalg.norm(short, axis=1, keepdims=True)
        codes: F32 = np.divide(short, length, out=np.zeros_like(short), where=length > 0)
        return codes


@dataclass(frozen=True, slots=True)
class Hits:
    """Of the probes for whom the whole templates put the right person first, how many keep them in the shortlist."""

    size: int  # of the shortlist
    found: int
    of: int

    def __str__(self) -> str:
        """The sentence to print wherever preselection is used."""
        missed = self.of - self.found
        return (
            f"A shortlist of {self.size:,} keeps the right person for {self.found:,} of {self.of:,} probes "
            f"({100 * self.found / self.of:.2f} %); {missed:,} could no longer be found."
        )


def components(vectors: F32, size: int) -> Preselection:
    """The first `size` principal components of templates (n, d) of people who are NOT enrolled.

    About the origin, not the mean: cosines are about the origin too. Raises UsageError for too few templates."""
    if not 0 < size <= min(vectors.shape):
        raise UsageError(
            f"{size} components cannot be fitted on {vectors.shape[0]:,} templates of {vectors.shape[1]} dimensions.",
            "Take fewer components or more templates.",
        )
    _, directions = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    return Preselection(np.ascontiguousarray(directions[:, ::-1][:, :size], np.float32))


def signs() -> Preselection:
    """One bit per coordinate. Encrypted, it takes as many bytes as the template: the modulus sets the size."""
    return Preselection(None)


def shortlist(scores: Scores, size: int) -> I64:
    """Rows of the `size` best coarse scores (n,), best first, ties by row."""
    size = min(size, len(scores))
    if size <= 0:
        return np.zeros(0, np.int64)
    best = np.flatnonzero(scores >= np.partition(scores, len(scores) - size)[len(scores) - size])
    return best[np.argsort(-scores[best], kind="stable")][:size].astype(np.int64)


def groups_of(rows: I64, slots: int) -> I64:
    """Which groups of `slots` templates hold these rows: what the matcher is told in the second round, in rising order
    so that it does not also learn who came first."""
    return np.unique(rows // slots)


def hits(preselection: Preselection, gallery: F32, probes: F32, mate: I64, sizes: Sequence[int]) -> tuple[Hits, ...]:
    """Measured on templates in the open: gallery (n, d), probes (p, d), mate (p,) the right row of each probe.

    A shortlist that holds the mate only by a tie counts as a miss. Raises EvidenceError where no probe's right person
    comes first with whole templates."""
    ranks, first = [], []
    codes = preselection.codes(gallery)
    for start in range(0, len(probes), BATCH):
        part, rows = probes[start : start + BATCH], mate[start : start + BATCH]
        first.append(_rank(part @ gallery.T, rows) == 1)
        ranks.append(_rank(preselection.codes(part) @ codes.T, rows))
    counted = np.concatenate(ranks)[np.concatenate(first)]
    if not len(counted):
        raise EvidenceError("No probe's right person comes first, so there is nothing that preselection could keep.")
    return tuple(Hits(size, int((counted <= size).sum()), len(counted)) for size in sizes)


def _rank(scores: Scores, mate: I64) -> I64:
    """(p,) rank of the mate among scores (p, n); ties count against it."""
    own = np.take_along_axis(scores, mate[:, None], 1)
    rank: I64 = (scores >= own).sum(1)
    return rank
