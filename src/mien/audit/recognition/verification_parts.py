"""What a report on verification shows: tables, charts and sentences from what was measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.audit.metrics import F64, far, frr, gfar, gfrr
from mien.audit.metrics.curves import Det, Discard, Expected, Judged, Measured
from mien.audit.metrics.streaming import Reduced
from mien.audit.recognition.trial import Trial
from mien.decide import in_words
from mien.errors import InputError
from mien.report import Line, Lines, Mark, Row
from mien.types import Metric, OperatingPoint

if TYPE_CHECKING:
    from mien.audit.data import Labelled
    from mien.engine import Engine

SWAY = 0.2  # share of the genuine comparisons that one person may have unremarked
BINS = 60  # of a distribution of scores
TIMED = 21  # pictures that the pace is taken of

Halves = tuple[Det, Det, Measured]


def percent(value: float) -> str:
    """A share for people."""
    return f"{100 * value:.3g} %" if value < 0.995 else f"{100 * value:.2f} %"


def span(metric: Metric) -> str:
    """A share with its interval."""
    return f"{percent(metric.value)} ({percent(metric.low)} to {percent(metric.high)})"


def headline(det: Det, found: Measured, fta: Metric | None, wanted: float) -> str:
    """The number that matters: true accepts at the rate wanted, or at the strictest that the data support."""
    made = f"{det.genuine.total:,} genuine and {det.impostor.total:,} impostor comparisons of {det.people:,} people"
    failed = f"; {percent(fta.value)} of the pictures gave no template" if fta is not None else ""
    rates = sorted(found.tar)
    if not rates:
        return f"Too few people for an operating point: equal error rate {span(found.eer)}; {made}{failed}."
    rate = wanted if wanted in found.tar else max(rates[0], min(wanted, rates[-1]))
    rate = min(rates, key=lambda one: abs(one - rate))
    return f"Accepting {in_words(rate)} impostors, {span(found.tar[rate])} of genuine comparisons are accepted; {made}{failed}."


def operating(det: Det, found: Measured) -> tuple[Row, ...]:
    """One row per rate asked for, also for those refused."""
    rows = []
    for rate in sorted({*found.tar, *found.refused}, reverse=True):
        tar = found.tar.get(rate)
        rows.append(
            {
                "FMR": rate,
                "threshold": found.threshold.get(rate),
                "TAR": tar.value if tar else None,
                "low": tar.low if tar else None,
                "high": tar.high if tar else None,
                "FNMR": 1 - tar.value if tar else None,
                "genuine": det.genuine.total,
                "impostors": det.impostor.total,
                "pairs of people": det.pairs,
                "refused": found.refused.get(rate, ""),
            }
        )
    return tuple(rows)


def transactions(det: Det, found: Measured, fta: float) -> tuple[Row, ...]:
    """The same points under the names of ISO/IEC 19795-1 and Bob: comparisons made, transactions, with enrolment."""
    rows = []
    for rate, threshold in sorted(found.threshold.items(), reverse=True):
        lost = float(det.genuine.failed.sum())
        fmr = det.fmr(threshold) * det.impostor.total / max(det.impostor.made, 1)
        fnmr = (det.fnmr(threshold) * det.genuine.total - lost) / max(det.genuine.total - lost, 1)
        rows.append(
            {
                "at FMR": rate,
                "threshold": threshold,
                "FMR, comparisons made": fmr,
                "FNMR, comparisons made": fnmr,
                "FTA = FTE": fta,
                "FAR": far(fmr, fta),
                "FRR": frr(fnmr, fta),
                "GFAR": gfar(fmr, fta, fta),
                "GFRR": gfrr(fnmr, fta, fta),
                "FNMR, failures counted": det.fnmr(threshold),
            }
        )
    return tuple(rows)


def card(points: Sequence[OperatingPoint], found: Measured) -> tuple[Row, ...]:
    """Thresholds that were set on other data, and what they do here."""
    rows = zip(points, found.at, strict=True)
    return tuple(_judged(point.fmr, judged, _verdict(point.fmr, judged.fmr)) for point, judged in rows)


def halves(development: Det, judged: Measured) -> tuple[Row, ...]:
    """Thresholds set on one half of the people, and what they do to the other."""
    rows = []
    for one in judged.at:
        promised = development.fmr(one.threshold)
        rows.append(_judged(promised, one, _verdict(promised, one.fmr)))
    return tuple(rows)


def expected(found: Expected) -> tuple[Row, ...]:
    """The expected performance curve as a table."""
    return tuple(
        {"alpha": float(a), "threshold": float(t), "HTER": float(h)}
        for a, t, h in zip(found.alpha, found.threshold, found.hter, strict=True)
    )


def speed(det: Det, pairing: float, resampling: float, rounds: int) -> tuple[Row, ...]:
    """How long it took here; the machine stands in the provenance."""
    total = det.genuine.total + det.impostor.total
    return (
        {"step": "comparing and reducing", "comparisons": total, "s": pairing, "per second": total / pairing},
        {"step": f"{rounds} resamples", "comparisons": total, "s": resampling, "per second": total / resampling},
    )


def pace(engine: Engine, pictures: Sequence[Labelled]) -> tuple[Row, ...]:
    """How long a picture takes to become a template, one at a time on this machine: the median over a few of them."""
    taken = []
    searched = [picture for picture in pictures if picture.points is None]
    for picture in searched[:: max(1, len(searched) // TIMED)][:TIMED]:
        try:
            frame = picture.read()
            start = time.perf_counter()
            faces = engine.faces(frame)
            if faces:
                engine.shots(faces[:1])
                taken.append(time.perf_counter() - start)
        except InputError:  # listed as a failure already
            continue
    if not taken:
        return ()
    median = float(np.median(taken))
    step = f"a decoded picture to a template, median of {len(taken)}"
    return ({"step": step, "comparisons": None, "s": median, "per second": 1 / median},)


def det_chart(found: Measured, points: Sequence[OperatingPoint]) -> Lines:
    """The trade-off on probit axes, the operating points on it."""
    curve, tar = found.curve, sorted(found.tar.items())
    lines = [
        _band("this data", curve.fmr, curve.fnmr, curve.low, curve.high),
        Line("supported rates", tuple(rate for rate, _ in tar), tuple(1 - one.value for _, one in tar), style="points"),
    ]
    here = [(judged.fmr.value, judged.fnmr.value) for judged in found.at if judged.fmr.value > 0]
    if points and here:
        lines.append(
            Line("the card's thresholds", tuple(x for x, _ in here), tuple(y for _, y in here), style="points")
        )
    note = (
        "Lower is better; the band is 95 %, people resampled. It begins at the smallest rate that the people support."
    )
    return Lines(
        "Detection error trade-off", "FMR", "FNMR, failures counted", tuple(lines), "probit", "probit", note=note
    )


def distributions(det: Det, found: Measured) -> Lines:
    """How scores spread, genuine and impostor."""
    low, high = _range(det)
    at = np.linspace(low, high, BINS + 1)
    passed, missed = _cumulative(det.impostor, -at), _cumulative(det.genuine, at)
    middle = _numbers((at[1:] + at[:-1]) / 2)
    lines = (
        Line("genuine", middle, _numbers(np.maximum(np.diff(missed), 0))),
        Line("impostor", middle, _numbers(np.maximum(-np.diff(passed), 0))),
    )
    marks = tuple(Mark("x", threshold, f"FMR {rate:g}") for rate, threshold in found.threshold.items())
    note = f"Share of comparisons per {(high - low) / BINS:.3g} of score. Failures have no score and are not drawn."
    return Lines("Scores", "score", "share of comparisons", lines, marks=marks, note=note)


def expected_chart(found: Expected) -> Lines:
    """Error on the other half of the people, by the weight the threshold was chosen with."""
    line = Line("other half of the people", _numbers(found.alpha), _numbers(found.hter))
    note = "Each threshold minimises alpha FMR + (1 - alpha) FNMR on one half of the people and is judged on the other."
    return Lines("Expected performance curve", "alpha: weight of FMR", "HTER", (line,), note=note)


def discard_chart(found: Discard) -> Lines:
    """What setting poor pictures aside gains, between nothing at all and an oracle."""
    share, start = found.share, float(found.fnmr[0])
    perfect = np.maximum(start - share, 0) / (1 - share)
    lines = (
        _band("lowest quality first", share, found.fnmr, found.low, found.high),
        Line("quality that knows the errors", _numbers(share), _numbers(perfect)),
        Line("quality that knows nothing", _numbers(share), (start,) * len(share)),
    )
    note = "Comparisons that could be made; the quality of one is the lower one of its two pictures."
    return Lines("Error versus discard", "share set aside", "FNMR of the rest, comparisons made", lines, note=note)


def findings(
    trial: Trial,
    found: Measured,
    points: Sequence[OperatingPoint],
    split: Halves | None,
    discard: Discard | None,
) -> tuple[str, ...]:
    """What it means, in sentences."""
    det, said = trial.det, []
    if found.refused:
        rates = ", ".join(in_words(rate) for rate in found.refused)
        able = f"down to {in_words(3 / det.pairs)}" if det.pairs >= 30 else "only above 1 in 10"
        said.append(
            f"{det.pairs:,} {'pair' if det.pairs == 1 else 'pairs'} of people support false-match rates {able} (rule of "
            f"three). Refused: {rates}. Photos of the same people do not help; more people do."
        )
    most = float(det.own.max()) / det.genuine.total
    if det.mated > 1 / SWAY and most > SWAY:
        said.append(
            f"One person has {percent(most)} of all genuine comparisons: rates of misses are mostly theirs. "
            "The intervals know it; fewer pictures of that person would tell more about the others."
        )
    for point, judged in zip(points, found.at, strict=True):
        if point.fmr and _verdict(point.fmr, judged.fmr) == "looser than promised":
            said.append(
                f"The card's threshold {point.threshold:.4f} promises {in_words(point.fmr)} and lets through "
                f"{span(judged.fmr)} here: use a threshold of your own data."
            )
    if split is None:
        said.append("Not enough people to set thresholds on one half of them and judge them on the other.")
    elif any(_verdict(split[0].fmr(one.threshold), one.fmr) == "looser than promised" for one in split[2].at):
        said.append("Thresholds of one half of the people let more through on the other half: the halves differ.")
    if discard is not None:
        said.append(_gain(discard))
    return tuple(said)


def _gain(discard: Discard) -> str:
    first, place = float(discard.fnmr[0]), int(np.searchsorted(discard.share, 0.1))
    after = float(discard.fnmr[place])
    words = f"Without the tenth of genuine comparisons of lowest quality FNMR is {percent(after)} instead of {percent(first)}"
    if discard.gain.low > 0:
        return f"{words}: quality predicts misses here."
    return f"{words}; with this many people that may be chance."


def _judged(promised: float | None, one: Judged, verdict: str) -> Row:
    return {
        "FMR promised": promised,
        "threshold": one.threshold,
        "FMR": one.fmr.value,
        "FMR low": one.fmr.low,
        "FMR high": one.fmr.high,
        "FNMR": one.fnmr.value,
        "FNMR low": one.fnmr.low,
        "FNMR high": one.fnmr.high,
        "verdict": verdict,
    }


def _verdict(promised: float | None, seen: Metric) -> str:
    if promised is None:
        return ""
    if seen.low > promised:
        return "looser than promised"
    return "stricter than promised" if seen.high < promised else "as promised"


def _cumulative(side: Reduced, at: F64) -> F64:
    """(k,) share of the comparisons before each place of the axis, between edges as if spread evenly."""
    if not len(side.axis):
        return np.zeros(len(at))
    share: F64 = np.interp(at, side.axis, side.numbers[1:]) / side.total
    return share


def _range(det: Det) -> tuple[float, float]:
    sides = -det.impostor.axis, det.genuine.axis
    ends = np.concatenate([axis[[0, -1]] for axis in sides if len(axis)] or [np.empty(0)])
    low, high = (float(ends.min()), float(ends.max())) if len(ends) else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _numbers(values: F64) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _band(name: str, x: F64, y: F64, low: F64, high: F64) -> Line:
    return Line(name, _numbers(x), _numbers(y), _numbers(low), _numbers(high))
