"""Pictures that do not look like the person they are filed under: less like the others than strangers often are."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mien.dedupe.pairs import I64, Held
from mien.types import F32


def misfits(held: Held, bar: float) -> Iterator[tuple[int, float, bool]]:
    """(template, mean cosine to the person's other templates, whether it alone is to blame) of those below `bar`.

    The worst of a person goes first and is left out of the means of the rest, or one wrong picture would cast doubt on
    all. Of two that do not resemble each other nobody can say which is wrong."""
    order = np.argsort(held.owner, kind="stable")
    bounds = np.searchsorted(held.owner[order], np.arange(len(held.names) + 1))
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if end - start > 1:
            yield from _of_one(order[start:end], held.vectors, bar)


def _of_one(rows: I64, vectors: F32, bar: float) -> Iterator[tuple[int, float, bool]]:
    left = vectors[rows].astype(np.float64)
    rows = rows.copy()
    while len(rows) > 1:
        # The products with the sum hold each template's product with itself.
        means = (left @ left.sum(0) - (left * left).sum(1)) / (len(rows) - 1)
        worst = int(means.argmin())
        if means[worst] >= bar:
            return
        if len(rows) == 2:
            yield from ((int(row), float(means[0]), False) for row in rows)
            return
        yield int(rows[worst]), float(means[worst]), True
        left, rows = np.delete(left, worst, 0), np.delete(rows, worst)
