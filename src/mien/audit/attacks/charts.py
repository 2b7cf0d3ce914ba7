"""What the audit of attacks draws: the DET curve per species, and bars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mien.audit.attacks.scores import Setting, Terms
from mien.audit.metrics import attacks as a
from mien.audit.metrics.recognition import F64
from mien.decide import supports
from mien.report import Bars, Chart, Line, Lines, Mark, Row
from mien.types import Metric

POINTS = 120  # of a curve


def det(judged: a.Presentations, able: tuple[int, ...], setting: Setting | None, terms: Terms) -> Iterator[Chart]:
    """The error of attacks against that of bona fide presentations, one curve per species, on probit axes."""
    if not able or len(judged.bona_fide) < a.LEAST:
        return
    thresholds = _thresholds(judged)
    refused = _below(judged.bona_fide, thresholds)
    curves = {judged.names[number]: 1 - _below(judged.of(number), thresholds) for number in able}
    lines = [Line(name, tuple(accepted.tolist()), tuple(refused.tolist())) for name, accepted in curves.items()]
    if setting:
        worst = a.max_apcer(judged, setting.threshold, able)[0]
        here = a.bpcer(judged.bona_fide, setting.threshold)
        lines.append(Line(f"max {terms.attack} at the threshold", (worst,), (here,), style="points"))
    yield Lines(
        f"{terms.attack} against {terms.bona_fide}",
        terms.attack,
        terms.bona_fide,
        tuple(lines),
        "probit",
        "probit",
        note=f"One curve per {terms.species}; nearer to the lower left is better. Zeros are drawn at the edge.",
    )


def bars(metrics: Mapping[str, Metric], target: float | None, terms: Terms) -> Iterator[Chart]:
    """The error of each species with its interval."""
    head = f"{terms.attack} "
    found = {
        name.removeprefix(head): metric
        for name, metric in metrics.items()
        if name.startswith(head) and not name.startswith(f"{head}of all")
    }
    if found:
        marks = () if target is None else (Mark("x", target, "aimed at in development"),)
        yield Bars(f"{terms.attack} by {terms.species}", terms.attack, found, marks=marks)
    whole = {name.removeprefix("IAPAR "): metric for name, metric in metrics.items() if name.startswith("IAPAR ")}
    if whole:
        yield Bars("IAPAR by species", "IAPAR: accepted by detection and comparison", whole)


def points_of_det(judged: a.Presentations, able: tuple[int, ...], terms: Terms) -> Iterator[Row]:
    """BPCER where the judged attacks' own worst APCER is 10, 5 and 1 %: for comparison with papers, no threshold to use."""
    if not able or len(judged.bona_fide) < a.LEAST:
        return
    some = judged.only(np.isin(judged.species, (*able, a.BONA_FIDE)))
    for rate in a.RATES.values():
        if all(supports(rate, len(some.of(number))) for number in able):
            threshold = a.threshold_at_apcer(some, rate)
            yield {f"max {terms.attack} at most": rate, terms.bona_fide: a.bpcer(some.bona_fide, threshold)}


def _thresholds(judged: a.Presentations) -> F64:
    """Scores at which a curve is drawn: spread over both kinds' ranks, and dense at the ends."""
    ends = np.geomspace(1e-4, 0.5, POINTS // 4)
    shares = np.concatenate([[0.0], ends, 1 - ends[::-1], [1.0]])
    found = [
        np.sort(kind)[np.round(shares * (len(kind) - 1)).astype(int)] for kind in (judged.bona_fide, judged.pooled)
    ]
    thresholds = np.unique(np.concatenate(found))
    finite: F64 = thresholds[np.isfinite(thresholds)]
    return finite


def _below(scores: F64, thresholds: F64) -> F64:
    below: F64 = np.searchsorted(np.sort(scores), thresholds, side="left") / len(scores)
    return below
