"""Comparing two faces, audited: what fails, what is missed, what is confused, and what the data cannot say.

In the order of the standards: failures first, then errors at operating points, then the curve; the equal error rate, which
nobody operates at, comes last (ISO/IEC 19795-1). Definitions are in `docs/concepts/metrics.md`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mien.audit.captures.captures import Captures
from mien.audit.data import Scores
from mien.audit.metrics import F64, ten_fold
from mien.audit.metrics import people as resampled
from mien.audit.metrics.curves import (
    Det,
    Discard,
    Measured,
    bounded,
    discard_curve,
    expected_performance,
    measure,
    require_both,
)
from mien.audit.recognition import verification_parts as parts
from mien.audit.recognition.trial import Paired, Trial, trial_of
from mien.errors import EvidenceError
from mien.report import Chart, Report, Row
from mien.types import Metric, OperatingPoint

RATES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
HEADLINE = 1e-3  # the rate a headline speaks of, where the data support it
MISSED = 0.05  # share of genuine comparisons missed where a discard curve starts when no rate is supported


@dataclass(frozen=True, slots=True)
class Verification:
    """Error rates of comparing two faces.

    Data: captures (then every genuine pair and every pair of different people is compared), captures with a list of pairs,
    or scores. Failures to acquire are errors of every genuine comparison they would be in."""

    rates: tuple[float, ...] = RATES  # false-match rates to report at
    points: tuple[OperatingPoint, ...] = ()  # thresholds to judge, such as those of the model's card
    rounds: int = 1000  # resamples of people
    seed: int = 0
    name: ClassVar[str] = "verification"

    def run(self, data: Captures | Paired | Scores) -> Report:
        """Measure. Raises EvidenceError without a genuine or without an impostor comparison."""
        start = time.perf_counter()
        trial = trial_of(data, self.points)
        require_both(trial.det)
        paired = time.perf_counter()
        points = tuple(p for p in self.points if not p.space or not trial.space or p.space == trial.space)
        points = tuple(p for p in points if p.score == "cosine")
        found = measure(trial.det, self.rates, [p.threshold for p in points], self.rounds, self.seed)
        speed = parts.speed(trial.det, paired - start, time.perf_counter() - paired, self.rounds)
        fta, halves, discard = self._fta(trial), self._halves(trial), self._discard(trial, found)
        metrics = self._metrics(trial, found, fta, discard)
        tables: dict[str, tuple[Row, ...]] = {"Operating points": parts.operating(trial.det, found)}
        charts: list[Chart] = [parts.det_chart(found, points), parts.distributions(trial.det, found)]
        if points:
            tables["The card's operating points, judged here"] = parts.card(points, found)
        if fta is not None:
            tables["Rates of transactions"] = parts.transactions(trial.det, found, fta.value)
        if halves is not None:
            development, evaluation, judged = halves
            tables["Thresholds of one half of the people, judged on the other"] = parts.halves(development, judged)
            expected = expected_performance(development, evaluation)
            tables["Expected performance"] = parts.expected(expected)
            charts.append(parts.expected_chart(expected))
        if discard is not None:
            charts.append(parts.discard_chart(discard))
        tables["Speed"] = speed
        return Report(
            self.name,
            metrics,
            trial.rows,
            made={"rates": list(self.rates), "space": trial.space},
            headline=parts.headline(trial.det, found, fta, HEADLINE),
            findings=parts.findings(trial, found, points, halves, discard),
            problems=trial.problems,
            tables=tables,
            charts=tuple(charts),
        )

    def _metrics(self, trial: Trial, found: Measured, fta: Metric | None, discard: Discard | None) -> dict[str, Metric]:
        metrics = {} if fta is None else {"FTA": fta}
        metrics |= {f"TAR at FMR {rate:g}": metric for rate, metric in found.tar.items()}
        if trial.protocol is not None:
            folds = ten_fold(trial.protocol.scores, trial.protocol.same, trial.protocol.fold)
            low, high = (folds.accuracy + side * 1.96 * folds.error for side in (-1, 1))
            accuracy = Metric(folds.accuracy, low, min(high, 1.0), len(trial.protocol.scores))
            metrics[f"accuracy over {len(folds.folds)} folds"] = accuracy
        if discard is not None:
            metrics["pAUC of error versus discard"] = discard.area
        return metrics | {"EER": found.eer}

    def _fta(self, trial: Trial) -> Metric | None:
        """Share of captures that gave no template; None where captures are not known."""
        if not len(trial.failed):
            return None
        owner = np.unique(trial.owner, return_inverse=True)[1].reshape(-1)
        all_of, lost_of = np.bincount(owner), np.bincount(owner, weights=trial.failed)

        def share(weights: F64) -> F64:
            return ((weights @ lost_of) / (weights @ all_of))[:, None]

        found = resampled.measure(share, len(all_of), {"FTA": len(owner)}, self.rounds, self.seed)
        return bounded(found["FTA"], len(all_of))

    def _halves(self, trial: Trial) -> tuple[Det, Det, Measured] | None:
        """Development half, the other half, and the other judged at the thresholds of the first; None: too few people."""
        order = np.random.default_rng(self.seed).permutation(trial.people)
        chosen = np.zeros(trial.people, bool)
        chosen[order[: trial.people // 2]] = True
        try:
            development, evaluation = trial.among(chosen), trial.among(~chosen)
            require_both(development)
            thresholds = supported_thresholds(development, self.rates)
            if not thresholds:
                return None
            return development, evaluation, measure(evaluation, (), thresholds, self.rounds, self.seed)
        except EvidenceError:
            return None

    def _discard(self, trial: Trial, found: Measured) -> Discard | None:
        if trial.genuine is None:
            return None
        genuine = trial.genuine()
        known = np.isfinite(genuine.quality)  # a failure has no quality: it is counted by the FTA, and not again here
        if not known.any() or np.ptp(genuine.quality[known]) == 0:
            return None
        scores, quality, person = genuine.scores[known], genuine.quality[known], genuine.person[known]
        rate = min((rate for rate in found.threshold if rate >= HEADLINE), default=None)
        threshold = found.threshold[rate] if rate is not None else float(np.quantile(scores, MISSED))
        return discard_curve(scores < threshold, quality, person, self.rounds, self.seed)


def supported_thresholds(det: Det, rates: Sequence[float]) -> list[float]:
    """The thresholds of those rates that the data support."""
    found = []
    for rate in rates:
        try:
            found.append(det.threshold(rate))
        except EvidenceError:
            continue
    return found
