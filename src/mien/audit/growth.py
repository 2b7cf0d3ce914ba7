"""Thresholds for galleries of other sizes, and what false alarms become when the threshold stays as it is.

    for row in sizes(of_gallery(gallery), (1000, 10_000)).rows:
        print(row.size, row.point.threshold, row.fpir, row.missed)

Everybody enrolled is a stranger to the others (`audit.metrics.growth`): at the gallery's size and below it false alarms are
counted, above it they are predicted, up to ten times the people enrolled, and the words say which. How many mates would be
missed at each threshold is known where people have several templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mien.audit.metrics import F64, I64, Comparisons, bootstrap, fnmr
from mien.audit.metrics.growth import REACH, Growth, nearest
from mien.decide import expected_fpir, in_words
from mien.errors import EvidenceError, UsageError
from mien.protocols import Gallery
from mien.report import Line, Lines, Mark
from mien.types import F32, Metric, OperatingPoint

TIMES = (
    0.5,
    1.0,
    1.5,
    2.0,
    3.0,
    5.0,
    7.0,
    10.0,
)  # the sizes that --keep keeps thresholds for, times the people enrolled
RATES = (0.01, 0.001)
_DRAWN = 40  # points of a curve


@dataclass(frozen=True, slots=True)
class Sized:
    """A threshold for a gallery of one size."""

    size: int  # people enrolled
    point: OperatingPoint  # of a rate of searches; its `subjects` are the size, its `comparisons` the people searched
    fpir: Metric  # share of strangers named at this threshold and size
    unchanged: Metric | None  # the same at the threshold of the gallery's present size, were that left as it is
    missed: Metric | None  # share of mated comparisons below this threshold; None where nobody has two templates
    predicted: bool  # beyond the people enrolled, so not counted


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a gallery says about other sizes of itself."""

    people: int
    rise: float  # how much thresholds rise per unit of the logarithm of the size
    rows: tuple[Sized, ...]
    refused: tuple[tuple[int | None, float, str], ...]  # size (None: any), rate, why
    chart: Lines | None  # None where no rate is supported

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """For `Policy.sized`."""
        return tuple(row.point for row in self.rows)

    @property
    def words(self) -> tuple[str, ...]:
        """The same for a person to read."""
        return tuple(_in_words(row) for row in self.rows) + tuple(
            f"{in_words(rate)} strangers{f' among {size:,} people' if size else ''}: {why}"
            for size, rate, why in self.refused
        )


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The templates of a gallery."""

    vectors: F32  # (n, D) unit length
    owner: I64  # (n,) number of the person of each
    space: str
    data: str  # what to call the gallery


def of_gallery(gallery: Gallery, data: str = "this gallery") -> Held:
    """The templates of a gallery. Raises EvidenceError for fewer than two people."""
    names: dict[str, int] = {}
    vectors: list[F32] = []
    owner: list[int] = []
    for subject, sample in gallery.samples():
        owner.append(names.setdefault(subject, len(names)))
        vectors.append(sample.template.vector)
    if len(names) < 2:
        raise EvidenceError(
            f"Calibrating takes at least two people, and {len(names)} are enrolled.",
            "Enrol more people, or rely on the operating points of the model's card.",
        )
    return Held(np.stack(vectors).astype(np.float32), np.array(owner, np.int64), gallery.space or "", data)


def usual(people: int) -> tuple[int, ...]:
    """The sizes that thresholds are kept for: half the gallery to ten times as many, steps of half as many more or so."""
    return tuple(sorted({max(1, round(people * times)) for times in TIMES}))


def sizes(held: Held, wanted: Sequence[int] = (), rates: Sequence[float] = RATES, seed: int = 0) -> Sizes:
    """Thresholds for each of the sizes `wanted` (people) and rates of searches; those of `usual` where none are named.

    What the evidence does not reach is refused with its reason: rates that fewer than 3 / rate people could show, sizes
    beyond ten times the people enrolled. Raises UsageError for a size below 1, EvidenceError for fewer than 100 people."""
    if min(wanted, default=1) < 1:
        raise UsageError(f"A gallery holds at least one person, not {min(wanted)}.", "Give sizes such as 1000,10000.")
    growth = Growth(nearest(held.vectors, held.owner, seed=seed), seed=seed)
    mates = _mates(held)
    rows: list[Sized] = []
    refused: list[tuple[int | None, float, str]] = []
    drawn: dict[float, float] = {}
    for rate in sorted(set(rates), reverse=True):
        try:
            drawn[rate] = growth.threshold(growth.size, rate)
        except EvidenceError as error:
            refused.append((None, rate, str(error)))
            continue
        for size in sorted(set(wanted)) or usual(growth.people):
            try:
                rows.append(_row(growth, held, mates, (size, rate, drawn[rate])))
            except EvidenceError as error:
                refused.append((size, rate, str(error)))
    chart = _chart(growth, held, drawn) if drawn else None
    return Sizes(growth.people, growth.rise, tuple(rows), tuple(refused), chart)


def _row(growth: Growth, held: Held, mates: Comparisons | None, asked: tuple[int, float, float]) -> Sized:
    size, rate, now = asked
    threshold = growth.threshold(size, rate)
    seen = growth.fpir(size, threshold)
    point = OperatingPoint(
        threshold, None, seen.low, seen.high, seen.n, size, held.data, held.space, fpir=rate, score="cosine"
    )
    missed = None if mates is None else bootstrap(lambda w: fnmr(mates.scores, threshold, w), mates, rounds=200)
    return Sized(size, point, seen, growth.fpir(size, now), missed, predicted=size > growth.people)


def _mates(held: Held) -> Comparisons | None:
    """Each template of a person against the best other one of them."""
    best, owner = [], []
    for person in np.flatnonzero(np.bincount(held.owner) > 1):
        own = held.vectors[held.owner == person]
        scores = own @ own.T
        np.fill_diagonal(scores, -np.inf)
        best.append(scores.max(1))
        owner.append(np.full(len(own), person))
    if not best:
        return None
    numbers = np.unique(np.concatenate(owner), return_inverse=True)[1].reshape(-1).astype(np.int64)
    scored: F64 = np.concatenate(best).astype(np.float64)
    return Comparisons(scored, numbers, numbers)


def _chart(growth: Growth, held: Held, thresholds: dict[float, float]) -> Lines:
    """FPIR against size at today's thresholds: counted, predicted, and were comparisons independent."""
    at = np.unique(np.geomspace(max(2, growth.people / 10), growth.people * REACH, _DRAWN).astype(int))
    lines = []
    for rate, threshold in thresholds.items():
        found = [growth.fpir(int(size), threshold) for size in at]
        x = tuple(float(size) for size in at)
        y, low, high = (tuple(getattr(one, name) for one in found) for name in ("value", "low", "high"))
        lines.append(Line(f"threshold {threshold:.4f}, today {in_words(rate)}", x, y, low, high))
        fmr = growth.fpir(1, threshold).value
        if fmr > 0:
            alone = tuple(expected_fpir(fmr, int(size)) for size in at)
            lines.append(Line("the same, were comparisons independent", x, alone))
    note = (
        f"{held.data}. Left of the line counted, right of it predicted; the band is 95 %, people resampled. "
        "Nothing is drawn past ten times the people enrolled: beyond the evidence."
    )
    marks = (Mark("x", float(growth.people), f"{growth.people:,} people enrolled"),)
    title = "Strangers named as the gallery grows, thresholds left as they are"
    return Lines(title, "people enrolled", "share of strangers named (FPIR)", tuple(lines), "log", "log", marks, note)


def _in_words(row: Sized) -> str:
    how = f"predicted from {row.point.comparisons:,} people" if row.predicted else "counted"
    said = (
        f"{row.size:,} people, {in_words(row.point.fpir or 0)} strangers: threshold {row.point.threshold:.4f} ({how})"
    )
    if row.unchanged is not None and row.unchanged.value > 0:
        said += f"; left as it is, {in_words(row.unchanged.value)} would be named"
    return said if row.missed is None else f"{said}; {row.missed.value:.1%} of mates missed"
