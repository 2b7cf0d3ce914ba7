"""Do comparison scores differ more from day to day than over years? (Schulz et al., arXiv 2507.06858)

The study's scores are not public. Without them the estimators are put to simulated studies of its size, in which days or ageing
were planted to dominate; with them (`scores.csv` in the data folder, see `mien audit longitudinal`) the claim itself is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mien.audit.longitudinal import Longitudinal, Records, read_records
from mien.audit.longitudinal.simulated import Simulation
from mien.audit.metrics.ageing_draws import between, deviations, ratios
from mien.audit.metrics.recognition import wilson
from mien.report import Bars, Line, Lines, Mark, Report
from mien.reproduce.claim import Check, Context, Reproduction
from mien.types import Metric

CLAIM = (
    "Comparison scores fluctuate more between individual days than over the whole period of two and a half years, in a study "
    "of more than 400 people and 238,000 records, faces and fingers together (Schulz et al., Longitudinal Study of Facial "
    "Biometrics at the BEZ, arXiv 2507.06858)."
)
STUDY = Simulation(people=400, visits=35, captures=17, days=250, years=2.5)  # 238,000 records
SMALL = Simulation(people=60, visits=12, captures=4, days=60, years=2.5)
SEEDS = 20  # at least: a coverage from fewer means nothing
KINDS: Mapping[str, Mapping[str, float]] = {
    "days dominate": {},
    "ageing dominates": {"trend": -0.06, "own_days": 0.01, "shared_days": 0.003},
    "camera changed": {
        "step": -0.02
    },  # two standard deviations of shared days; smoke runs see fewer people and plant four
}
FILE = "scores.csv"


@dataclass(frozen=True, slots=True)
class Trial:
    """One simulated study, and what was found in it."""

    kind: str
    seed: int
    trend: Metric  # per year
    day: Metric  # standard deviation between days
    ratio: Metric  # size of the trend over the period, in standard deviations between days
    truth: tuple[float, float, float]  # of these three, as planted
    p: float  # of the best-fitting change
    naive: bool  # whether the interval of a straight line through all scores, taken as independent, holds the planted trend

    @property
    def held(self) -> tuple[bool, ...]:
        """Which of the three intervals hold the planted truth."""
        metrics = (self.trend, self.day, self.ratio)
        return tuple(one.low <= value <= one.high for one, value in zip(metrics, self.truth, strict=True))


def run(context: Context) -> Reproduction:
    """Simulated studies, and the real one where `scores.csv` is in the data folder."""
    base = SMALL if context.smoke else STUDY
    seeds = context.seeds if context.smoke else tuple(range(max(SEEDS, len(context.seeds))))
    trials = []
    for kind, planted in KINDS.items():
        planted = {name: 2 * size if name == "step" and context.smoke else size for name, size in planted.items()}
        for seed in seeds:
            trials.append(_trial(kind, replace(base, **planted), seed))  # type: ignore[arg-type]
            context.progress("simulating", len(trials), len(KINDS) * len(seeds))
    real, given = _real(context)
    checks = (*_checks(trials), real)
    metrics = {check.words.split(":")[0]: check.measured for check in checks if check.measured is not None}
    naive = wilson(sum(one.naive for one in _of(trials, "days dominate")), len(seeds))
    baseline = {"trend of scores taken as independent, coverage of its interval": naive}
    source = "simulated" if given is None else f"simulated, and {FILE}"
    return Reproduction(
        "longitudinal",
        CLAIM,
        checks,
        metrics,
        baseline,
        _report(trials, metrics, checks, given, context),
        {"data": source, "models": [], "seeds": list(seeds), "records": base.people * base.visits * base.captures},
    )


def _trial(kind: str, study: Simulation, seed: int) -> Trial:
    """Simulate, fit, compare."""
    records = study.draw(seed)
    done = Longitudinal(rounds=400, seed=seed).study(records)
    data, found, sampled, moved = done.cells, done.fit, done.draws, done.watched[0].change
    day = float(np.hypot(study.own_days, study.shared_days))
    truth = (study.trend, day, abs(study.trend) * study.years / day)
    ratio = ratios(found, sampled, study.years, len(data.mean)).trend_to_day
    assert ratio is not None  # days differ in all of them
    return Trial(
        kind,
        seed,
        between(found.trend, sampled.trend, data.people),
        deviations(found, sampled, {"day": len(data.mean)})["day"],
        ratio,
        truth,
        moved.p if moved is not None else 1.0,
        _naive(records, study.trend),
    )


def _naive(data: Records, truth: float) -> bool:
    """Whether the usual interval of a least-squares line, all scores independent, holds the planted trend."""
    t = data.years - data.years.mean()
    slope = float(t @ data.score / (t @ t))
    left = data.score - data.score.mean() - slope * t
    error = float(np.sqrt(left @ left / (len(t) - 2) / (t @ t)))
    return abs(slope - truth) <= 1.96 * error


def _of(trials: Sequence[Trial], *kinds: str) -> list[Trial]:
    return [one for one in trials if one.kind in kinds]


def _checks(trials: Sequence[Trial]) -> tuple[Check, ...]:
    """What the estimators must do before their word on real scores counts."""
    day, old, step = (_of(trials, kind) for kind in KINDS)
    said = wilson(sum(one.ratio.high < 1 for one in day), len(day))
    aged = wilson(sum(one.ratio.low > 1 for one in old), len(old))
    both = [held for one in (*day, *old) for held in one.held]
    held = wilson(sum(both), len(both))
    quiet = wilson(sum(one.p <= 0.05 for one in (*day, *old)), len(day) + len(old))
    found = wilson(sum(one.p <= 0.05 for one in step), len(step))
    apart = wilson(sum(one.held[0] for one in step), len(step))
    return (
        Check(
            "days planted to dominate: share of simulated studies said to be so (wanted: 0.95 or more)",
            said.value >= 0.95,
            said,
        ),
        Check(
            "ageing planted to dominate: share of simulated studies said to be so (wanted: 0.95 or more)",
            aged.value >= 0.95,
            aged,
        ),
        Check(
            "planted truth: share of 95 % intervals of trend, days and ratio that hold it (wanted: 0.9 or more)",
            held.value >= 0.9,
            held,
        ),
        Check(
            "nothing planted to change: share of simulated studies with a false alarm (stated 0.05, wanted: 0.1 or less)",
            quiet.value <= 0.1,
            quiet,
        ),
        Check(
            "camera planted to change: share of simulated studies in which that is found (wanted: 0.9 or more)",
            found.value >= 0.9,
            found,
        ),
        Check(
            "camera's change taken out: share of intervals that hold the planted trend of people (wanted: 0.9 or more)",
            apart.value >= 0.9,
            apart,
        ),
    )


def _real(context: Context) -> tuple[Check, Report | None]:
    """The claim itself, on scores of people."""
    words = "real scores: trend over the period in standard deviations between days (wanted: interval below 1)"
    path = context.data / FILE if context.data is not None else None
    if path is None or not path.is_file():
        return Check(f"{words}; not tested, there is no {FILE}", None), None
    report = Longitudinal(rounds=100 if context.smoke else 1000).run(read_records(path))
    ratio = report.metrics.get("trend_to_day")
    reverse = report.metrics.get("day_to_trend")
    if ratio is None and reverse is not None and reverse.high < 1:
        return Check(f"{words}; the other way round, as days may not differ at all", False, reverse), report
    if ratio is None:
        return Check(f"{words}; not tested, days cannot be told from noise", None), report
    holds = True if ratio.high < 1 else False if ratio.low > 1 else None
    return Check(words if holds is not None else f"{words}; cannot be told, the interval holds 1", holds, ratio), report


def _report(
    trials: Sequence[Trial],
    metrics: dict[str, Metric],
    checks: Sequence[Check],
    given: Report | None,
    context: Context,
) -> Report:
    """Rows and charts of the trials, then those of the real scores."""
    known = [one for one in checks[:-1] if one.holds]
    real = checks[-1].holds
    verdict = {True: "hold", False: "do not bear out the claim", None: "leave the claim untested"}[real]
    headline = (
        f"On simulated studies the estimators pass {len(known)} of {len(checks) - 1} checks; real scores "
        f"{verdict if given is not None or real is not None else 'are not at hand, so the claim about faces is not tested'}."
    )
    findings = [*_photos(context), *(given.findings if given is not None else ())]
    return Report(
        "longitudinal",
        metrics,
        rows=tuple(_row(one) for one in trials),
        headline=headline,
        findings=tuple(findings),
        problems=given.problems if given is not None else (),
        tables=given.tables if given is not None else {},
        charts=(*_charts(trials), *(given.charts if given is not None else ())),
    )


def _photos(context: Context) -> list[str]:
    """How many photographs in the data folder say when they were taken."""
    from mien.audit.data.picture import picture
    from mien.audit.longitudinal.photos import taken

    if context.data is None:
        return []
    paths = [
        path for path in sorted(context.data.rglob("*")) if path.suffix.lower() in (".jpg", ".jpeg", ".heic", ".png")
    ]
    dated = [day for path in paths if (day := taken(picture(path.name, "", _reader(path))))]
    if not paths:
        return []
    span = f", from {min(dated)} to {max(dated)}" if dated else ""
    return [f"Of {len(paths):,} photographs in the data folder {len(dated):,} say when they were taken{span}."]


def _reader(path: Path) -> Any:
    return path.read_bytes


def _row(one: Trial) -> dict[str, Any]:
    names = ("trend", "day", "ratio")
    row: dict[str, Any] = {"simulated": one.kind, "seed": one.seed}
    for name, metric, truth, held in zip(names, (one.trend, one.day, one.ratio), one.truth, one.held, strict=True):
        row |= {f"{name} planted": truth, name: metric.value, f"{name} low": metric.low, f"{name} high": metric.high}
        row[f"{name} held"] = held
    return {**row, "p of a change": one.p}


def _charts(trials: Sequence[Trial]) -> tuple[Lines | Bars, ...]:
    """Ratios seed by seed, and coverage by quantity."""
    lines = []
    for kind in list(KINDS)[:2]:
        some = _of(trials, kind)
        columns = zip(*((one.seed, one.ratio.value, one.ratio.low, one.ratio.high) for one in some), strict=True)
        x, y, low, high = (tuple(map(float, column)) for column in columns)
        lines.append(Line(kind, x, y, low, high, "points"))
    ratio = Lines(
        "Simulated studies: trend over the period to days",
        "seed",
        "size of the trend, in standard deviations between days",
        tuple(lines),
        y_axis="log",
        marks=(
            Mark("y", 1.0, "alike"),
            *(Mark("y", _of(trials, kind)[0].truth[2], "planted") for kind in list(KINDS)[:2]),
        ),
    )
    plain = _of(trials, *list(KINDS)[:2])
    held = {
        name: wilson(sum(one.held[place] for one in plain), len(plain))
        for place, name in enumerate(("trend", "days", "ratio"))
    }
    return ratio, Bars(
        "Simulated studies: coverage of 95 % intervals", "share", held, marks=(Mark("x", 0.95, "stated"),)
    )
