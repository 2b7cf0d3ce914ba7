"""Genuine and impostor comparisons to what is reported of them: DET curve, operating points, EER, each with its interval.

Everything is measured in one pass over the resamples of people, so that all intervals belong together and a million
comparisons take seconds. The definitions are those of `recognition`; a test holds both against each other.

DET: detection error trade-off on probit axes (Martin et al., Eurospeech 1997). EPC: expected performance curve (Bengio,
Mariéthoz and Keller, ICML 2005). EDC: error versus discard (Grother and Tabassi, PAMI 2007; Schlett et al., 2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics.recognition import F64, I64, require_support
from mien.audit.metrics.streaming import Reduced
from mien.errors import EvidenceError
from mien.types import Metric

POINTS = 80  # of a curve
_LOOSEST = 0.9  # false-match rate where a curve ends


@dataclass(frozen=True, slots=True, eq=False)
class Det:
    """All comparisons of a data set, reduced: genuine ones and impostor ones."""

    genuine: Reduced
    impostor: Reduced
    people: int
    own: I64  # (p,) genuine comparisons of each person
    pairs: int  # pairs of different people compared: what a false-match rate rests on, however many photos each has

    @property
    def mated(self) -> int:
        """How many people have a genuine comparison."""
        return int((self.own > 0).sum())

    def threshold(self, rate: float) -> float:
        """The smallest threshold whose false-match rate is at most `rate`.

        Raises EvidenceError where there are fewer than 3 / rate pairs of people (rule of three)."""
        require_support(rate, self.pairs, "pairs of people")
        (place,) = _allowed(self.impostor.numbers, np.array([rate * self.impostor.total]))
        return float(self.impostor.thresholds()[place])

    def fmr(self, threshold: float) -> float:
        """Share of impostor comparisons at or above a threshold; failures never match."""
        return self.impostor.rate(threshold)

    def fnmr(self, threshold: float) -> float:
        """Share of genuine comparisons below a threshold; failures count."""
        return self.genuine.rate(threshold)

    def eer(self) -> float:
        """Equal error rate: mean of both rates at the score where they differ least."""
        return _Crossing(self).rate(self.impostor.numbers, self.genuine.numbers, self.impostor.total)

    def rates(self) -> F64:
        """(k,) false-match rates that a curve is drawn at: from the smallest that the pairs of people support."""
        return np.geomspace(min(3 / self.pairs, 0.1), _LOOSEST, POINTS)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a threshold does."""

    threshold: float
    fmr: Metric
    fnmr: Metric


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """FNMR at false-match rates, with its 95 % band."""

    fmr: F64  # (k,) rising
    threshold: F64  # (k,) the smallest that holds it
    fnmr: F64  # (k,)
    low: F64  # (k,)
    high: F64  # (k,)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A data set measured."""

    tar: dict[float, Metric]  # true-accept rate by the false-match rate it is at
    threshold: dict[float, float]  # and the threshold there
    refused: dict[float, str]  # false-match rates the data cannot support, and why
    at: tuple[Judged, ...]  # the thresholds asked about
    eer: Metric
    curve: Curve


def measure(
    det: Det, rates: Sequence[float], thresholds: Sequence[float] = (), rounds: int = 1000, seed: int = 0
) -> Measured:
    """Everything about `det` with intervals of a bootstrap over people: TAR at `rates`, both errors at `thresholds`, EER and
    the DET curve. The threshold of a rate is set anew in every resample.

    Raises EvidenceError where there is no genuine or no impostor comparison."""
    require_both(det)
    refused = {}
    for rate in rates:
        try:
            require_support(rate, det.pairs, "pairs of people")
        except EvidenceError as error:
            refused[rate] = str(error)
    supported = [rate for rate in rates if rate not in refused]
    values = _Resamples(det, np.concatenate([supported, det.rates()]), np.asarray(thresholds, np.float64))
    drawn = values.rounds(rounds, seed)
    whole = values.one(det.impostor.numbers, det.genuine.numbers, det.impostor.total, det.genuine.total)
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    of = values.parts
    genuine, impostor = det.genuine.total, det.impostor.total
    tar = {
        rate: bounded(Metric(1 - float(whole[i]), 1 - float(high[i]), 1 - float(low[i]), genuine), det.mated)
        for i, rate in enumerate(supported)
    }
    at = tuple(
        Judged(
            float(threshold),
            bounded(Metric(float(whole[i]), float(low[i]), float(high[i]), impostor), det.pairs),
            bounded(Metric(float(whole[j]), float(low[j]), float(high[j]), genuine), det.mated),
        )
        for threshold, i, j in zip(thresholds, of["fmr"], of["fnmr"], strict=True)
    )
    (e,) = of["eer"]
    shown = of["curve"]
    places = _allowed(det.impostor.numbers, det.rates() * impostor)
    curve = Curve(det.rates(), det.impostor.thresholds()[places], whole[shown], low[shown], high[shown])
    eer = bounded(Metric(float(whole[e]), float(low[e]), float(high[e]), genuine + impostor), min(det.mated, det.pairs))
    return Measured(tar, {rate: det.threshold(rate) for rate in supported}, refused, at, eer, curve)


def require_both(det: Det) -> None:
    """Raise EvidenceError where one of the two kinds of comparisons is missing."""
    if not det.genuine.total:
        raise EvidenceError(
            "There is no genuine comparison: no person has two pictures.", "Add a second picture of people."
        )
    if not det.impostor.total:
        raise EvidenceError("There is no impostor comparison: it takes at least two people.", "Add another person.")
    if not det.impostor.made:
        raise EvidenceError(
            "No comparison could be made: the captures failed.", "Look at the first of them: tight crops?"
        )


def draws(people: int, rounds: int, seed: int) -> NDArray[np.uint8]:
    """(rounds, people) how often each person is drawn, with replacement, as many as there are."""
    rng = np.random.default_rng(seed)
    drawn = np.empty((rounds, people), np.uint8)
    for row in drawn:
        row[:] = np.bincount(rng.integers(people, size=people), minlength=people)
    return drawn


class _Resamples:
    """One row of values per resample, computed from the masses of both kinds."""

    def __init__(self, det: Det, rates: F64, thresholds: F64) -> None:
        self._det, self._rates = det, rates
        self._missed_at = det.genuine.index(det.impostor.thresholds())  # place among impostors -> among genuine ones
        self._passed, self._missed = det.impostor.index(thresholds), det.genuine.index(thresholds)
        self._crossing = _Crossing(det)
        ends = np.cumsum([len(rates) - POINTS, POINTS, len(thresholds), len(thresholds), 1])
        names = ("tar", "curve", "fmr", "fnmr", "eer")
        starts = (0, *ends[:-1])
        self.parts = {name: range(a, b) for name, a, b in zip(names, starts, ends, strict=True)}

    def rounds(self, rounds: int, seed: int) -> F64:
        """(rounds, values)"""
        det = self._det
        drawn = draws(len(det.genuine.failed), rounds, seed)
        both = zip(drawn, det.impostor.masses(drawn), det.genuine.masses(drawn), strict=True)
        return np.stack(
            [
                self.one(passed, missed, det.impostor.weigh(counts), det.genuine.weigh(counts))
                for counts, passed, missed in both
            ]
        )

    def one(self, passed: I64, missed: I64, impostors: float, genuine: float) -> F64:
        """(values,) of masses; NaN where nothing of a kind was drawn."""
        if not impostors or not genuine:
            return np.full(self.parts["eer"].stop, np.nan)
        places = _allowed(passed, self._rates * impostors)
        fnmr = missed[self._missed_at[places]] / genuine
        at = passed[self._passed] / impostors, missed[self._missed] / genuine
        return np.concatenate([fnmr, *at, [self._crossing.rate(passed, missed, impostors, genuine)]])


class _Crossing:
    """Where FMR and FNMR meet, found by halving: one rises and the other falls."""

    def __init__(self, det: Det) -> None:
        self._genuine = det.genuine.total
        seen = np.unique(np.concatenate([-det.impostor.axis, det.genuine.axis]))
        self._passed, self._missed = det.impostor.index(seen), det.genuine.index(seen)

    def rate(self, passed: I64, missed: I64, impostors: float, genuine: float | None = None) -> float:
        """The equal error rate of masses."""
        genuine = self._genuine if genuine is None else genuine

        def both(place: int) -> tuple[float, float]:
            return passed[self._passed[place]] / impostors, missed[self._missed[place]] / genuine

        low, high = 0, len(self._passed)  # the first place where FNMR is not below FMR
        while low < high:
            middle = (low + high) // 2
            fmr, fnmr = both(middle)
            low, high = (low, middle) if fnmr >= fmr else (middle + 1, high)
        near = [both(place) for place in (low - 1, low) if 0 <= place < len(self._passed)]
        if not near:
            return float("nan")
        nearest = min(((round(abs(fmr - fnmr), 12), (fmr + fnmr) / 2) for fmr, fnmr in near), key=lambda pair: pair[0])
        return float(nearest[1])


def _allowed(numbers: I64, mass: F64) -> I64:
    """The last place with no more than each `mass` of errors before it."""
    whole = np.floor(mass * (1 + 1e-12)).astype(np.int64)  # numbers are whole; a float would make a copy of them
    return np.searchsorted(numbers, whole, side="right").astype(np.int64) - 1


def bounded(metric: Metric, independent: int) -> Metric:
    """A rate inside its interval. Where no error or nothing else was seen, resampling shows no doubt at all: the far end
    is 3 / independent units (rule of three)."""
    far = min(1.0, 3 / max(independent, 1))
    if metric.value == 0:
        return Metric(0.0, 0.0, max(metric.high, far), metric.n)
    if metric.value == 1:
        return Metric(1.0, min(metric.low, 1 - far), 1.0, metric.n)
    return Metric(metric.value, min(metric.low, metric.value), max(metric.high, metric.value), metric.n)


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Errors on evaluation people at thresholds chosen on development people."""

    alpha: F64  # (k,) weight of FMR against FNMR in the choice
    threshold: F64  # (k,) the one that minimises alpha FMR + (1 - alpha) FNMR on development people
    hter: F64  # (k,) on the others


def expected_performance(development: Det, evaluation: Det, count: int = 21) -> Expected:
    """The expected performance curve, as Bob draws it: a threshold per weight `alpha`, half total error elsewhere."""
    require_both(development)
    require_both(evaluation)
    seen = np.unique(np.concatenate([-development.impostor.axis, development.genuine.axis]))
    fmr = development.impostor.numbers[development.impostor.index(seen)] / development.impostor.total
    fnmr = development.genuine.numbers[development.genuine.index(seen)] / development.genuine.total
    alphas = np.linspace(0, 1, count)
    chosen = np.array([seen[int(np.argmin(alpha * fmr + (1 - alpha) * fnmr))] for alpha in alphas])
    hter = np.array([(evaluation.fmr(float(t)) + evaluation.fnmr(float(t))) / 2 for t in chosen])
    return Expected(alphas, chosen, hter)


@dataclass(frozen=True, slots=True, eq=False)
class Discard:
    """FNMR as the comparisons of lowest quality are set aside, at one threshold."""

    share: F64  # (k,) set aside
    fnmr: F64  # (k,) of the rest
    low: F64  # (k,)
    high: F64  # (k,)
    area: Metric  # mean FNMR over the shares: the partial area under the curve, divided by its width
    gain: Metric  # FNMR of all less that area, paired: 0 for a quality that tells nothing


def discard_curve(missed: NDArray[np.bool_], quality: F64, person: I64, rounds: int = 1000, seed: int = 0) -> Discard:
    """The error-versus-discard characteristic of genuine comparisons, for shares of 0 to 30 %.

    missed: (n,) those below the threshold; quality: (n,) the lower one of a comparison's two captures, -inf where a capture
    failed, so that failures go first; person: (n,) whose they are, numbered from 0."""
    if not len(missed):
        raise EvidenceError("An error rate needs at least one comparison.")
    order = np.argsort(quality, kind="stable")
    errors, owner = missed[order].astype(np.float64), person[order]
    share = np.linspace(0, 0.3, 31)

    def curve(weights: F64) -> F64:
        mass, wrong = np.cumsum(weights), np.cumsum(weights * errors)
        if mass[-1] == 0:
            return np.full(len(share), np.nan)
        gone = np.searchsorted(mass, share * mass[-1] * (1 + 1e-12), side="right")
        aside = np.concatenate([[0.0], mass])[gone], np.concatenate([[0.0], wrong])[gone]
        fnmr: F64 = (wrong[-1] - aside[1]) / np.maximum(mass[-1] - aside[0], 1e-300)
        return fnmr

    whole = curve(np.ones(len(errors)))
    drawn = np.stack([curve(counts[owner].astype(np.float64)) for counts in draws(int(person.max()) + 1, rounds, seed)])
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    area, areas = float(_mean_height(whole, share)), _mean_height(drawn, share)
    ends = _with_ends(area, areas, len(missed)), _with_ends(float(whole[0]) - area, drawn[:, 0] - areas, len(missed))
    return Discard(share, whole, low, high, *ends)


def _with_ends(value: float, drawn: F64, count: int) -> Metric:
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return Metric(value, float(low), float(high), count)


def _mean_height(heights: F64, at: F64) -> F64:
    """(…,) area under straight lines through (…, k) `heights`, over the width of `at` (k,)."""
    mean: F64 = ((heights[..., 1:] + heights[..., :-1]) / 2 * np.diff(at)).sum(-1) / (at[-1] - at[0])
    return mean
