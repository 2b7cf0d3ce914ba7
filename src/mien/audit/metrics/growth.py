"""How the share of strangers named grows with the gallery: counted at smaller sizes, predicted at larger ones.

Everybody enrolled is a stranger to the others. From the best scores of such searches the share named in a random part of
the gallery follows exactly, without drawing any: somebody with k scores at or above a threshold among m subjects is missed by
all of n drawn ones with the probability (1 - n/m)(1 - n/(m-1)) … of k factors (rarefaction: Hurlbert, Ecology 1971).

For a larger gallery the whole curve of FPIR against threshold is moved up by b log(n/m), and b is how fast thresholds rise
between a quarter of the gallery and all of it. That is the law of the best of n scores whose tail falls exponentially
(Gumbel; Fisher and Tippett, 1928), with the rate left to the data, because comparisons of one search are related: people
who look like many meet their likeness early, and more people add less to them than to others. Rates are never extrapolated,
sizes up to REACH times. What it is worth on real faces is in `benchmarks/growth.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.recognition import F64, I64, Bools
from mien.decide import comparisons_needed, in_words, supports
from mien.errors import EvidenceError, UsageError
from mien.types import F32, Metric

REACH = 10.0  # times the size measured, beyond which nothing is predicted
LEAST = 100  # people that a prediction takes
KEPT = 64  # best subjects of a search that are kept
MOST = 3000  # people searched in a large gallery
ROUNDS = 100  # halves drawn for an interval
_BLOCK = 128
_SPAN, _SIZES = 4.0, 6  # the part of the gallery's sizes that the rise is read from
_RATES = np.geomspace(0.02, 0.2, 5)  # and the rates: chosen on development people, `benchmarks/growth.py`
_SURE = 1.96  # standard deviations of a 95 % interval


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Searches by people who are strangers to all the others, reduced to the best subjects of each."""

    scores: F32  # (n, k) falling
    subjects: NDArray[np.int32]  # (n, k) number of each
    owner: I64  # (n,) number of who searches
    people: int  # enrolled; a search meets all of them but its owner

    @property
    def size(self) -> int:
        """Subjects that a search meets."""
        return self.people - 1


def nearest(vectors: F32, owner: I64, most: int = MOST, seed: int = 0) -> Nearest:
    """Search people among all the others: (n, D) unit vectors of `owner` (n,), people numbered 0 … p-1.

    most: so many people search, drawn, where more are enrolled; all are searched. A subject counts with its best template.
    Raises EvidenceError for fewer than two people."""
    people = int(owner.max()) + 1 if len(owner) else 0
    if people < 2:
        raise EvidenceError("Searching strangers takes at least two people.", "Enrol more people.")
    grouped = np.argsort(owner, kind="stable")
    held, starts = vectors[grouped], np.searchsorted(owner[grouped], np.arange(people))
    drawn = np.zeros(people, bool)
    drawn[np.random.default_rng(seed).permutation(people)[:most]] = True
    rows = np.flatnonzero(drawn[owner])
    count = min(KEPT, people - 1)
    scores, subjects = np.empty((len(rows), count), np.float32), np.empty((len(rows), count), np.int32)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        found = np.maximum.reduceat(vectors[block] @ held.T, starts, axis=1)
        found[np.arange(len(block)), owner[block]] = -np.inf
        best = np.argpartition(found, -count, axis=1)[:, -count:]
        values = np.take_along_axis(found, best, 1)
        order = np.argsort(-values, axis=1, kind="stable")
        scores[start : start + len(block)] = np.take_along_axis(values, order, 1)
        subjects[start : start + len(block)] = np.take_along_axis(best, order, 1)
    return Nearest(scores, subjects, owner[rows], people)


class Counted:
    """Shares of strangers named in random parts of a gallery, exactly, for all people searched or for some."""

    def __init__(self, searches: Nearest) -> None:
        self._searches = searches
        self._order = np.argsort(-searches.scores, axis=None, kind="stable")
        self._falling = searches.scores.reshape(-1)[self._order]
        self._numbers = np.unique(searches.owner, return_inverse=True)[1].reshape(-1)
        self._share = 1 / np.bincount(self._numbers)[self._numbers]  # of a person that one of their searches is
        self.people = int(self._numbers.max()) + 1

    def named(self, size: int, thresholds: F64) -> F64:
        """(t,) share of people named at each threshold in a random part of `size` subjects, no more than there are."""
        mass = np.concatenate([[0.0], np.cumsum(self._mass(size))])
        share: F64 = mass[np.searchsorted(-self._falling, -np.asarray(thresholds), side="right")] / self.people
        return np.minimum(share, 1.0)

    def thresholds(self, size: int, rates: F64, inside: Bools | None = None) -> F64:
        """(r,) scores at which a share of `rates` of the people are named: quantiles as they are.

        inside: (people enrolled,) only these are enrolled, and search."""
        mass = np.cumsum(self._mass(size, inside))
        at = np.searchsorted(mass, np.asarray(rates) * mass[-1])
        scores: F64 = self._falling[np.minimum(at, len(mass) - 1)].astype(np.float64)
        return scores

    def strict(self, size: int, rate: float) -> float:
        """The threshold at which one more stranger is named with a probability of `rate` at most (see `Impostors`)."""
        mass = np.cumsum(self._mass(size))
        at = int(np.searchsorted(mass, rate * (self.people + 1) - 1 + 1e-9, side="right"))
        return float(np.nextafter(self._falling[at], np.float32(2)))

    def _mass(self, size: int, inside: Bools | None = None) -> F64:
        """(n * k,) in falling order: people more named, were the threshold lowered to that score."""
        searches = self._searches
        if inside is None:
            chance = _chances(size, searches.size, searches.scores.shape[1])[None] * self._share[:, None]
        else:
            among = inside[searches.subjects] & inside[searches.owner][:, None]
            rank = np.cumsum(among, axis=1) - 1
            chances = _chances(size, int(inside.sum()) - 1, searches.scores.shape[1])
            chance = np.where(among, chances[np.maximum(rank, 0)], 0.0) * self._share[:, None]
        mass: F64 = np.ascontiguousarray(chance).reshape(-1)[self._order]
        return mass

    def rise(self, inside: Bools | None = None) -> float:
        """b: how much thresholds rise per unit of log size, mean over rates."""
        whole = (self._searches.people if inside is None else int(inside.sum())) - 1
        sizes = np.unique(np.geomspace(whole / _SPAN, whole, _SIZES).astype(int))
        at = np.stack([self.thresholds(int(size), _RATES, inside) for size in sizes])
        x = np.log(sizes) - np.log(sizes).mean()
        return float((x @ at / (x @ x)).mean())


def _chances(size: int, whole: int, count: int) -> F64:
    """(count,) chance that the best of `size` subjects drawn of `whole` is the one of that rank."""
    ranks = np.arange(min(count, whole))
    missed = np.cumprod(np.maximum(1 - size / (whole - ranks), 0.0))
    chances = np.zeros(count)
    chances[: len(ranks)] = -np.diff(missed, prepend=1.0)
    return chances


class Growth:
    """The share of strangers named at any threshold and size of gallery, with intervals. A search that leaves out its own
    person stands for one of the whole gallery.

    Raises EvidenceError for fewer than LEAST people. Intervals come from halves of the people, drawn without putting back:
    what differs between halves of a sample differs as much between samples of that size. Drawing with replacement would
    not do, because a second copy of somebody adds nobody to a gallery."""

    def __init__(self, searches: Nearest, rounds: int = ROUNDS, seed: int = 0) -> None:
        if searches.people < LEAST:
            raise EvidenceError(
                f"{searches.people:,} people cannot say how false alarms grow with a gallery.",
                f"It takes at least {LEAST}.",
            )
        self.people, self.size = searches.people, searches.size
        self._counted = Counted(searches)
        self.rise = self._counted.rise()
        self._rates = np.geomspace(2 / self._counted.people, 0.5, 8)
        self._halves = [self._half(np.random.default_rng([seed, index])) for index in range(rounds)]

    def fpir(self, size: int, threshold: float) -> Metric:
        """Share of strangers named at `threshold` in a gallery of `size` people; n: how many people were searched.

        Raises UsageError for a size below 1, EvidenceError for one beyond REACH."""
        self._within(size)
        value = self._share(size, threshold)
        spread = _SURE * self._spread(size, value)
        low, high = self._share(size, threshold + spread), self._share(size, threshold - spread)
        if value == 0:
            high = max(high, min(1.0, 3 / self._counted.people))
        return Metric(value, low, high, self._counted.people)

    def threshold(self, size: int, rate: float) -> float:
        """The cosine at which a share `rate` of strangers, at most, is named in a gallery of `size` people.

        Raises EvidenceError where fewer than 3 / rate people were searched, or the size is beyond REACH."""
        self._within(size)
        if not supports(rate, self._counted.people):
            raise EvidenceError(
                f"{self._counted.people:,} people cannot support naming {in_words(rate)} strangers.",
                f"It takes at least {comparisons_needed(rate):,} (rule of three).",
            )
        at = self._counted.strict(min(size, self.size), rate)
        return at + self._moved(size)

    def holds_until(self, threshold: float, rate: float) -> int:
        """The largest size at which `threshold` names a share of at most `rate`; 0 for none, REACH is the end."""
        least, most = 0, int(REACH * self.people)
        while least < most:
            middle = (least + most + 1) // 2
            least, most = (middle, most) if self._share(middle, threshold) <= rate else (least, middle - 1)
        return least

    def _share(self, size: int, threshold: float) -> float:
        at = np.array([threshold - self._moved(size)])
        return float(self._counted.named(min(size, self.size), at)[0])

    def _moved(self, size: int) -> float:
        return self.rise * float(np.log(max(size / self.people, 1.0)))

    def _spread(self, size: int, rate: float) -> float:
        """Standard deviation of the threshold that names a share `rate`."""
        further = float(np.log(max(size / self.people, 1.0)))
        moved = np.stack([at + rise * further for at, rise in self._halves])
        spread = moved.std(0, ddof=1)
        return float(np.interp(np.log(max(rate, 1e-9)), np.log(self._rates), spread))

    def _half(self, rng: np.random.Generator) -> tuple[F64, float]:
        inside = np.zeros(self.people, bool)
        inside[rng.permutation(self.people)[: self.people // 2]] = True
        size = int(inside.sum()) - 1
        return self._counted.thresholds(size, self._rates, inside), self._counted.rise(inside)

    def _within(self, size: int) -> None:
        if size < 1:
            raise UsageError(f"A gallery holds at least one person, not {size}.")
        if size > REACH * self.people:
            raise EvidenceError(
                f"{size:,} people are beyond the evidence of {self.people:,}: "
                f"nothing is predicted past {REACH:g} times as many.",
                "Calibrate again when more are enrolled.",
            )
