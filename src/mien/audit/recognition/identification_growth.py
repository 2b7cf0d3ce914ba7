"""One threshold at every size of gallery: what the enrolled people alone predict, beside what strangers' searches measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.audit.metrics import I64
from mien.audit.metrics.growth import LEAST, REACH, Growth, nearest
from mien.report import Line, Lines, Mark, Row
from mien.types import F32

_PARTS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 5, REACH)  # sizes, times the people enrolled


def predicted(gallery: tuple[F32, I64], threshold: float | None, seed: int = 0) -> tuple[Row, ...]:
    """Rows of size and FPIR at `threshold` from searching the enrolled among each other: (g, D) vectors, zeros where an
    enrolment failed, and (g,) subjects. None without a threshold, or for fewer than 100 people: they cannot say."""
    vectors, owner = gallery
    there = vectors.any(1)
    people, numbers = np.unique(owner[there], return_inverse=True)
    if threshold is None or len(people) < LEAST:
        return ()
    growth = Growth(nearest(vectors[there], numbers.reshape(-1).astype(np.int64), seed=seed), seed=seed)
    rows = []
    for part in _PARTS:
        size = round(len(people) * part)
        found = growth.fpir(size, threshold)
        rows.append(
            {
                "N": size,
                "threshold": threshold,
                "FPIR from the enrolled alone": found.value,
                "low": found.low,
                "high": found.high,
                "how": "counted" if size <= len(people) else "predicted",
            }
        )
    return tuple(rows)


def beside(foreseen: Sequence[Row], swept: Sequence[Row]) -> tuple[Row, ...]:
    """The same with what strangers' searches measured at the nearest size that was tried, if one is within a tenth."""
    known = {row["N"]: row["FPIR, fixed"] for row in swept if row["score"] == "cosine"}
    rows = []
    for row in foreseen:
        near = min(known, key=lambda size: abs(size - row["N"]), default=0)
        rows.append(
            {**row, "FPIR of strangers": known[near] if near and abs(near - row["N"]) <= row["N"] / 10 else None}
        )
    return tuple(rows)


def charts(foreseen: Sequence[Row], swept: Sequence[Row], people: int) -> list[Lines]:
    """FPIR against the gallery's size, predicted with its band, and measured."""
    if not foreseen:
        return []
    keys = ("N", "FPIR from the enrolled alone", "low", "high")
    x, y, low, high = (tuple(float(row[key]) for row in foreseen) for key in keys)
    lines = [Line("from the enrolled alone", x, y, low, high)]
    seen = [row for row in swept if row["score"] == "cosine" and row["FPIR, fixed"] is not None]
    if seen:
        keys = ("N", "FPIR, fixed", "FPIR, fixed, least", "FPIR, fixed, most")
        x, y, low, high = (tuple(float(row[key]) for row in seen) for key in keys)
        lines.append(Line("strangers' searches", x, y, low, high, "points"))
    note = (
        "Up to the people enrolled the line is counted, beyond them predicted; its band is 95 %. "
        "The points' range is that of the galleries drawn. Nothing is predicted past ten times the people enrolled."
    )
    title = "Strangers named as the gallery grows, one threshold"
    marks = (Mark("x", float(people), f"{people:,} enrolled"),)
    return [Lines(title, "people enrolled, N", "FPIR", tuple(lines), "log", "log", marks, note)]
