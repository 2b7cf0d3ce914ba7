"""The audit: shares of pictures below what is wanted, the worst pictures, and whether quality predicts errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from mien.audit.metrics import F64, I64
from mien.audit.metrics.curves import bounded
from mien.audit.metrics.people import measure, tally
from mien.audit.quality import charts
from mien.audit.quality.discard import OVERALL, Predicted, predicted
from mien.audit.quality.looking import NAMES, Looked
from mien.audit.quality.sheet import Poor, poorest, sheet
from mien.decide import Policy, in_words
from mien.errors import EvidenceError
from mien.judge.iso_quality import COMPONENTS, Assessment
from mien.report import Chart, Report, Row
from mien.types import Metric

FEW = 10  # genuine comparisons below the threshold: with fewer, nothing is said about what predicts them
_ANY, _NO_FACE = "below: any component", "no face found"


@dataclass(frozen=True, slots=True)
class Quality:
    """Audits what `mien.audit.quality.look` saw."""

    fmr: float = 1e-3  # whose threshold genuine comparisons are held to
    worst: int = 12  # pictures named and shown; 0 shows nobody's face
    rounds: int = 1000
    seed: int = 0
    name: ClassVar[str] = "quality"

    def run(self, data: Looked) -> Report:
        """Measure. Raises EvidenceError where there is no picture."""
        if not len(data.captures):
            raise EvidenceError("There is no picture to judge.", "Give a folder with pictures.")
        assessments = [data.assessment(row) for row in range(len(data.captures))]
        shares = self._shares(data, assessments)
        found, why_not = self._predicted(data)
        poor = poorest(data, self.worst)
        gains = {f"gain: {name}": curve.gain for name, curve in found.curves.items()} if found else {}
        fnmr = {"fnmr": found.fnmr} if found else {}
        return Report(
            name=self.name,
            metrics={**shares, **fnmr, **gains},
            rows=tuple(_row(data, row, one) for row, one in enumerate(assessments)),
            headline=_headline(shares, len(data.captures)),
            findings=(*_findings(shares, data), *_discard_in_words(found, why_not, self.fmr)),
            tables=_tables(data, assessments, shares, found, poor),
            charts=_charts(data, assessments, shares, found, poor),
        )

    def _shares(self, data: Looked, assessments: list[Assessment]) -> dict[str, Metric]:
        """Shares of pictures, with intervals over subjects (over pictures where no subject is named)."""
        titles = {f"below: {name}": name for name in NAMES if any(name in one.values for one in assessments)}
        below = np.zeros((len(assessments), len(titles) + 2))
        counted = np.zeros_like(below)
        for row, one in enumerate(assessments):
            counted[row, 0] = 1
            below[row, 0] = not np.isfinite(data.captures.quality[row])
            counted[row, 1] = bool(one.values)
            below[row, 1] = any(value.verdict == "below" for value in one.values.values())
            for column, name in enumerate(titles.values(), 2):
                counted[row, column] = name in one.values
                below[row, column] = name in one.values and one.values[name].verdict == "below"
        units = _units(data)
        count = int(units.max()) + 1
        wrong, all_ = tally(below, units, count), tally(counted, units, count)

        def ratio(drawn: F64) -> F64:
            share: F64 = np.divide(drawn @ wrong, drawn @ all_, out=np.full((len(drawn), wrong.shape[1]), np.nan),
                                   where=drawn @ all_ > 0)  # fmt: skip
            return share

        n = dict(zip((_NO_FACE, _ANY, *titles), counted.sum(0).astype(int).tolist(), strict=True))
        found = measure(ratio, count, n, self.rounds, self.seed)
        return {name: bounded(metric, count) for name, metric in found.items()}

    def _predicted(self, data: Looked) -> tuple[Predicted | None, str]:
        """Error versus discard, or why there is none."""
        try:
            point = Policy(fmr=self.fmr).point(data.operating)
        except EvidenceError as error:
            return None, error.message
        found = predicted(data, point.threshold, self.rounds, self.seed)
        if found is None:
            return None, "no subject has two pictures with a face"
        if found.missed < FEW:
            few = f"{found.missed} of {found.comparisons:,} genuine comparisons fail at FMR {in_words(self.fmr)}"
            return None, f"{few}, and fewer than {FEW} errors show nothing"
        return found, ""


def _units(data: Looked) -> I64:
    """(n,) number of the independent unit of each picture: its subject, or itself where no subject is named."""
    names = [f"subject {subject}" if subject else f"picture {name}"
             for subject, name in zip(data.captures.subjects, data.captures.names, strict=True)]  # fmt: skip
    units: I64 = np.unique(np.array(names, np.str_), return_inverse=True)[1].reshape(-1).astype(np.int64)
    return units


def _row(data: Looked, row: int, one: Assessment) -> Row:
    captures = data.captures
    overall = captures.quality[row]
    line: dict[str, Any] = {
        "picture": captures.names[row],
        "subject": captures.subjects[row],
        "faces": captures.faces[row],
        "failure": captures.failures[row],
        OVERALL: float(overall) if np.isfinite(overall) else None,
        "words": list(one.words),
    }
    for name in NAMES:
        value = one.values.get(name)
        line[f"{name} native"] = None if value is None else value.native
        line[name] = None if value is None else value.score
    return line


def _tables(
    data: Looked,
    assessments: list[Assessment],
    shares: Mapping[str, Metric],
    found: Predicted | None,
    poor: tuple[Poor, ...],
) -> dict[str, tuple[Row, ...]]:
    tables = {"Components": tuple(_component(name, data, assessments, shares) for name in NAMES)}
    if found is not None:
        tables["Whether quality predicts false non-matches"] = tuple(
            {
                "quality": name,
                "fnmr of all": float(curve.fnmr[0]),
                "fnmr without the worst 10 %": float(curve.fnmr[10]),
                "mean fnmr, 0 to 30 % set aside": curve.area.value,
                "gain": curve.gain.value,
                "gain low": curve.gain.low,
                "gain high": curve.gain.high,
                "predicts": "yes" if curve.gain.low > 0 else "the wrong way" if curve.gain.high < 0 else "not shown",
            }
            for name, curve in found.curves.items()
        )
    if poor:
        tables["The worst pictures"] = tuple(
            {"picture": one.name, "subject": one.subject, OVERALL: one.overall, "what to do": list(one.words)}
            for one in poor
        )
    return tables


def _component(name: str, data: Looked, assessments: list[Assessment], shares: Mapping[str, Metric]) -> Row:
    component = COMPONENTS[name]
    values = [one.values[name] for one in assessments if name in one.values]
    scores = np.array([value.score for value in values], np.float64)
    natives = np.array([value.native for value in values], np.float64)
    wanted = component.wanted
    ends = [] if wanted is None else [(">=", wanted.low), ("<=", wanted.high)]
    return {
        "component": component.title,
        "name": name,
        "basis": "given" if name in data.given else component.basis,
        "rests on": "measured by the reference software" if name in data.given else component.how,
        "wanted": " and ".join(f"{sign} {end:.3g}" for sign, end in ends if np.isfinite(end)),
        "says who": "" if wanted is None else wanted.source,
        "pictures": len(values),
        "median native": float(np.median(natives)) if len(values) else None,
        "native in": component.unit,
        "median score": float(np.median(scores)) if len(values) else None,
        "5 % score": float(np.quantile(scores, 0.05)) if len(values) else None,
        **_spread("below", shares.get(f"below: {name}")),
        "cannot tell": float(np.mean([value.verdict == "cannot tell" for value in values])) if len(values) else None,
    }


def _spread(title: str, metric: Metric | None) -> dict[str, float | None]:
    """A metric as three cells."""
    low, high = f"{title} low", f"{title} high"
    return (
        {title: None, low: None, high: None}
        if metric is None
        else {title: metric.value, low: metric.low, high: metric.high}
    )


def _charts(
    data: Looked,
    assessments: list[Assessment],
    shares: Mapping[str, Metric],
    found: Predicted | None,
    poor: tuple[Poor, ...],
) -> tuple[Chart, ...]:
    drawn: list[Chart | None] = [
        charts.below(shares),
        charts.spread(assessments),
        charts.discard(found) if found is not None else None,
        sheet(poor),
    ]
    return tuple(chart for chart in drawn if chart is not None)


def _headline(shares: Mapping[str, Metric], pictures: int) -> str:
    if _ANY not in shares:
        return f"No face was found in any of {pictures:,} pictures."
    metric = shares[_ANY]
    named = {name: one for name, one in shares.items() if name not in (_ANY, _NO_FACE)}
    often = max(named, key=lambda name: named[name].value)
    title = COMPONENTS[often.removeprefix("below: ")].title
    return (
        f"{metric.value:.0%} ({metric.low:.0%} to {metric.high:.0%}) of {metric.n:,} pictures with a face are below what "
        f"is wanted in one component or more, most often in {title} ({named[often].value:.0%})."
    )


def _findings(shares: Mapping[str, Metric], data: Looked) -> tuple[str, ...]:
    often = sorted((name for name in shares if name not in (_ANY, _NO_FACE)), key=lambda name: -shares[name].value)
    told = []
    for name in [name for name in often if shares[name].value > 0][:3]:
        component, metric = COMPONENTS[name.removeprefix("below: ")], shares[name]
        source = component.wanted.source if component.wanted else "half of the scale"
        told.append(
            f"{component.title}: {metric.value:.0%} ({metric.low:.0%} to {metric.high:.0%}) below what is wanted ({source})."
        )
    if not data.given:
        absent = [name for name, component in COMPONENTS.items() if component.basis == "not at hand"]
        told.append(
            f"{len(absent)} of the 28 components are not measured, because they need models that are not at hand: "
            f"{', '.join(absent)}. 13 are stand-ins after the standard; none is a claim of conformance."
        )
    return tuple(told)


def _discard_in_words(found: Predicted | None, why_not: str, fmr: float) -> tuple[str, ...]:
    if found is None:
        return (f"Whether quality predicts false non-matches was not judged: {why_not}.",)
    faceless = found.fnmr.n - found.comparisons
    lost = f", and so do {faceless:,} with a picture that shows no face" if faceless else ""
    first = (
        f"At threshold {found.threshold:.4f} (FMR {in_words(fmr)} on the model's card) {found.missed:,} of "
        f"{found.comparisons:,} genuine comparisons of two faces of {found.people:,} people fail{lost}."
    )
    overall = found.curves[OVERALL]
    second = (
        f"Setting aside the 10 % of lowest overall quality leaves FNMR {overall.fnmr[10]:.4f} "
        f"({overall.low[10]:.4f} to {overall.high[10]:.4f}) of {overall.fnmr[0]:.4f}."
    )
    tell = [name for name, curve in found.curves.items() if curve.gain.low > 0]
    wrong = [name for name, curve in found.curves.items() if curve.gain.high < 0]
    third = f"Quality that predicts the errors here: {', '.join(tell) or 'none is shown to'}."
    fourth = (f"Lower where fewer errors are: {', '.join(wrong)}.",) if wrong else ()
    note = (
        f"{len(found.curves)} qualities were tried, each with an interval of 95 %: one in 40 seems to help by chance."
    )
    return first, second, third, *fourth, note
