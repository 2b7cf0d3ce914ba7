"""What a scan must answer, computed the slow way."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from mien.gallery.scan import Candidates, Codes, encode


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of unit length, float32; a row of zeros stays one."""
    wide = np.asarray(rows, np.float64)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    return np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0).astype(np.float32)


def score(row: np.ndarray, probe: np.ndarray) -> float:
    """The correctly rounded inner product, clipped as galleries clip it."""
    return max(-1.0, min(1.0, math.fsum((row.astype(np.float64) * probe.astype(np.float64)).tolist())))


def scores(rows: np.ndarray, probe: np.ndarray, near: float = -2.0) -> np.ndarray:
    """Scores of all rows: correctly rounded within 1e-9 of `near` (everywhere without it), else off by less than 1e-12."""
    found = np.clip(rows.astype(np.float64) @ probe.astype(np.float64), -1.0, 1.0)
    for row in range(len(rows)) if near == -2.0 else np.flatnonzero(np.abs(found - near) < 1e-9):
        found[row] = score(rows[row], probe)
    return found


def check(
    rows: np.ndarray,
    probe: np.ndarray,
    found: Candidates,
    m: int,
    floor: float | None,
    usable: np.ndarray,
) -> None:
    """Everything that `mien.gallery.scan` promises of one search."""
    kept, threshold, tops = found
    assert tops is not None and len(tops) == len(kept)
    assert all(score(rows[row], probe) <= max(float(top), -1.0) for row, top in zip(kept[:50], tops, strict=False))
    assert kept.dtype == np.int64
    assert np.all(np.diff(kept) > 0)
    assert np.all(usable[kept])
    true = scores(rows, probe, threshold if math.isfinite(threshold) else 0.0)
    missed = set(np.flatnonzero(usable & (true >= threshold)).tolist()) - set(kept.tolist())
    assert not missed, f"rows {sorted(missed)} reach {threshold} and were left out"
    lowest = -math.inf if floor is None or floor <= -1 else floor
    assert threshold >= lowest
    reached = int(np.count_nonzero(usable & (true >= threshold)))
    if threshold > lowest:
        assert reached >= m
    elif floor is None:
        assert np.count_nonzero(usable) < m or np.partition(true[usable], -m)[-m] <= 0.0
    # Whoever is among the m best, ties and all, is there.
    if np.count_nonzero(usable):
        best = np.sort(true[usable])[::-1]
        last = max(best[min(m, len(best)) - 1], lowest)
        assert set(np.flatnonzero(usable & (true >= last + 1e-12)).tolist()) <= set(kept.tolist())


def galleries(
    seed: int, count: int, most: int = 400
) -> Iterator[tuple[np.random.Generator, np.ndarray, Codes, np.ndarray]]:
    """(generator, rows, codes, which live): random galleries with people, duplicates, dead rows and awkward numbers."""
    rng = np.random.default_rng(seed)
    for case in range(count):
        n, dimension = int(rng.integers(1, most)), int(rng.integers(1, 601 if case % 6 else 6))
        people = rng.normal(size=(n // 3 + 1, dimension))
        raw = people[rng.integers(0, len(people), n)] + rng.normal(size=(n, dimension)) * rng.random()
        if case % 3 == 0:  # the same photo again
            raw[rng.integers(0, n, n // 2)] = raw[rng.integers(0, n, n // 2)]
        if case % 4 == 0:  # few dimensions carry everything
            raw[:, rng.random(dimension) < 0.9] *= 1e-3
        if case % 5 == 0:  # zeros, and numbers next to nothing
            raw[rng.random(raw.shape) < 0.3] = 0.0
            raw[rng.random(raw.shape) < 0.05] *= 1e-41
        rows = unit(raw)
        codes = encode(rows)
        live = np.ones(n, bool)
        if case % 2:
            gone = rng.integers(0, n, n // 4)
            codes.wipe(gone)
            live[gone] = False
        yield rng, rows, codes, live
