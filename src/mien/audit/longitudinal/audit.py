"""The audit of ageing: dated genuine scores to a report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from mien.audit.longitudinal import charts, words
from mien.audit.longitudinal.dates import named
from mien.audit.longitudinal.records import Records
from mien.audit.metrics import ageing, renewal
from mien.audit.metrics.ageing import Cells, Fit
from mien.audit.metrics.ageing_draws import Draws, Ratios, between, deviations, draw, ratios
from mien.audit.metrics.ageing_lines import Trends, trends
from mien.audit.metrics.drift import Change, Days, Odd, apart, change, days, odd
from mien.audit.metrics.recognition import F64, I64, wilson
from mien.errors import EvidenceError, UsageError
from mien.report import Report, Row
from mien.types import Metric

NAMES = {  # of the standard deviations, as metrics are called
    "people": "sd_between_people",
    "trends": "sd_of_own_trends_per_year",
    "day": "sd_between_days",
    "shared": "sd_of_shared_days",
    "own": "sd_of_own_days",
    "within": "sd_within_a_day",
}


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """One device's days, and what was found in them."""

    device: str
    days: Days
    change: Change | None  # the best-fitting one, found or not
    found: bool  # whether chance is an unlikely reason for it
    odd: Odd
    order: int = 0  # of the changes found: the surest is 0


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """False non-matches at the threshold."""

    overall: Metric
    by_age: list[tuple[Metric | None, int]]  # with the people behind each
    edges: F64  # years
    forecast: renewal.Forecast
    renewal: renewal.Renewal


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """All that was computed; what metrics, sentences and charts are made from."""

    data: Records
    cells: Cells
    who: I64  # (people,) number in `data` of each person of the model
    date: I64  # (days,) day of each day of the model
    device: I64  # (days,) number in `data` of its device
    fit: Fit  # changes that were found are in it, so that they do not pass for ageing
    draws: Draws
    raw: Fit  # without any change
    trends: Trends
    ratios: Ratios | None  # None: days cannot be told from noise
    period: float  # years
    watched: tuple[Watched, ...]
    errors: Errors | None
    confounded: bool  # age of references and date say the same
    same_day_gain: Metric | None

    @property
    def people(self) -> int:
        """How many people trend and variances rest on."""
        return self.cells.people


@dataclass(frozen=True, slots=True)
class Longitudinal:
    """Does recognition get worse with time, for whom, since when, and when is it time for a new reference?

    threshold: at or above it two captures count as one person; None leaves error rates out. fnmr_limit: false-non-match
    rate that calls for new references. false_alarm: chance of any false alarm among the days, and false-discovery rate among
    people. rounds, seed: of the resampling over people."""

    threshold: float | None = None
    fnmr_limit: float = 0.05
    false_alarm: float = 0.05
    rounds: int = 1000
    seed: int = 0
    name: ClassVar[str] = "longitudinal"

    def run(self, data: Records) -> Report:
        """Raises EvidenceError where the data can say nothing about time, UsageError for rates that are none."""
        study = self.study(data)
        metrics = self._metrics(study)
        return Report(
            self.name,
            metrics,
            rows=_rows(study),
            made={"threshold": self.threshold, "fnmr_limit": self.fnmr_limit, "false_alarm": self.false_alarm},
            headline=words.headline(study),
            findings=words.findings(study, self.threshold, self.fnmr_limit, self.false_alarm),
            problems=data.problems,
            tables=_tables(study),
            charts=charts.all_of(study, self.threshold, self.fnmr_limit),
        )

    def study(self, data: Records) -> Study:
        """Compute everything."""
        with ageing.one_thread():
            return self._study(data)

    def _study(self, data: Records) -> Study:
        for rate in (self.fnmr_limit, self.false_alarm):
            if not 0 < rate < 1:
                raise UsageError(f"{rate:g} is no rate.", "Give one between 0 and 1.")
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise UsageError("The threshold is no number.", "Give a score.")
        _require(data)
        cells, who, date, device = data.cells()
        raw = ageing.fit(cells)
        watched, changes = self._watch(data, cells, raw, date, device)
        fit = raw
        if len(changes):
            cells = replace(cells, changes=changes[:, cells.day])
            fit = ageing.fit(cells)
            watched = _again(watched, days(cells, fit, date, device), fit.changes)
        draws = draw(cells, fit, self.rounds, self.seed)
        period = float(np.ptp(cells.years))
        compared = ratios(fit, draws, period, len(cells.mean)) if cells.replicated else None
        errors = self._errors(data, who, fit, draws) if self.threshold is not None else None
        own = trends(cells.without(fit.changes), self.false_alarm)
        gain = self._gain(data, who, fit)
        known = _explained(cells.years, cells.day) > 0.98
        return Study(
            data, cells, who, date, device, fit, draws, raw, own, compared, period, watched, errors, known, gain
        )

    def _watch(self, data: Records, cells: Cells, fit: Fit, date: I64, device: I64) -> tuple[tuple[Watched, ...], F64]:
        """Look for a change on each device; the false-alarm rate is that of all together. Also (c, days) those found.

        The surest is taken out before the others are looked at: it has bent the trend they are held against."""
        scores, shapes = ageing.day_scores(fit), np.empty((0, cells.days))
        alarm = self.false_alarm / len(np.unique(device))
        found: dict[int, Change] = {}
        while True:
            series = days(cells, fit, date, device, scores)
            tested = {
                number: change(one, max(999, self.rounds), self.seed)
                for number, one in enumerate(series)
                if number not in found
            }
            sure = {number: one for number, one in tested.items() if one is not None and one.p <= alarm}
            if not sure:
                break
            first = min(sure, key=lambda number: (sure[number].p, -abs(sure[number].size / sure[number].error)))
            found[first] = sure[first]
            shape = np.zeros(cells.days)
            shape[series[first].number] = found[first].shape
            scores, shapes = apart(scores, shape), np.vstack([shapes, shape / found[first].size])
        watched = tuple(
            Watched(
                data.devices[name],
                one,
                found.get(number, tested.get(number)),
                number in found,
                odd(one, alarm),
                list(found).index(number) if number in found else 0,
            )
            for number, (name, one) in enumerate(zip(np.unique(device), series, strict=True))
        )
        return watched, shapes

    def _errors(self, data: Records, who: I64, fit: Fit, draws: Draws) -> Errors:
        """False non-matches as observed, and as expected of references of every age in the data."""
        assert self.threshold is not None
        number = np.full(len(data.subjects), -1)
        number[who] = np.arange(len(who))
        use = ~data.same_day & (number[data.owner] >= 0)
        scores = (number[data.owner][use], data.years[use], data.score[use])
        young, old = _horizon(scores[0], scores[1])
        edges = np.linspace(float(scores[1].min()), float(scores[1].max()), _bins(old - young) + 1)
        ages = np.linspace(young, old, 25)
        seen = renewal.forecast(scores, fit, draws, self.threshold, ages)
        overall = renewal.by_age(scores, self.threshold, np.array([edges[0], edges[-1]]), draws.weights)[0][0]
        if overall is None:
            raise EvidenceError(
                "Fewer than five people have scores.", "Error rates need more; leave the threshold out."
            )
        by_age = renewal.by_age(scores, self.threshold, edges, draws.weights)
        return Errors(overall, by_age, edges, seen, renewal.renewal(seen, self.fnmr_limit, len(scores[0])))

    def _gain(self, data: Records, who: I64, fit: Fit) -> Metric | None:
        """How far same-day scores lie above what the person's other days lead to expect."""
        number = np.full(len(data.subjects), -1)
        number[who] = np.arange(len(who))
        use = data.same_day & np.isfinite(data.score) & (number[data.owner] >= 0)
        person = number[data.owner][use]
        if len(np.unique(person)) < 5:
            return None
        device = np.searchsorted(np.unique(data.device[data.scored]), data.device[use])
        device = np.minimum(device, len(fit.devices) - 1)
        since = data.years[use] - fit.centre
        expected = fit.level + fit.person_level[person] + (fit.trend + fit.person_trend[person]) * since
        above = np.bincount(person, data.score[use] - expected - fit.devices[device], len(who))
        count = np.bincount(person, minlength=len(who)).astype(float)
        has = count > 0
        each = above[has] / count[has]
        rng = np.random.default_rng(self.seed)
        drawn = rng.choice(each, (self.rounds, len(each))).mean(1)
        return between(float(each.mean()), drawn, int(use.sum()))

    def _metrics(self, study: Study) -> dict[str, Metric]:
        """All numbers that can be told."""
        cells, fit, draws = study.cells, study.fit, study.draws
        people = cells.people
        counts = {"people": people, "within": int(cells.count.sum())}
        counts |= {"trends": int((np.bincount(cells.person) >= 3).sum())} if cells.sloped else {}
        counts |= {"shared": cells.days} if cells.crossed else {}
        counts |= {"own": len(cells.mean), "day": len(cells.mean)} if cells.replicated else {}
        spread = deviations(fit, draws, counts)
        answer = {NAMES[name]: spread[name] for name in NAMES if name in spread}
        if not cells.replicated:  # one capture a day: what is left holds the day as well
            answer["sd_of_days_and_noise"] = answer.pop(NAMES["within"])
        answer["trend_per_year"] = between(fit.trend, draws.trend, people)
        if study.raw is not fit:
            z = 1.96 * study.raw.trend_error
            answer["trend_per_year_changes_left_in"] = Metric(
                study.raw.trend, study.raw.trend - z, study.raw.trend + z, people
            )
        answer["trend_over_the_period"] = between(fit.trend * study.period, draws.trend * study.period, people)
        if study.ratios is not None:
            if study.ratios.trend_to_day is not None:
                answer["trend_to_day"] = study.ratios.trend_to_day
            if study.ratios.day_to_trend is not None:
                answer["day_to_trend"] = study.ratios.day_to_trend
            answer["share_of_days_in_variance"] = study.ratios.day_share
        if len(study.trends.p):
            answer["people_with_a_trend"] = wilson(int(study.trends.distinct.sum()), len(study.trends.p))
        if study.same_day_gain is not None:
            answer["same_day_gain"] = study.same_day_gain
        if study.errors is not None:
            answer["fnmr"] = study.errors.overall
            if study.errors.renewal.after is not None:
                answer["renew_after_years"] = study.errors.renewal.after
        return answer


def _again(watched: tuple[Watched, ...], series: list[Days], sizes: F64) -> tuple[Watched, ...]:
    """The same days held against a fit that knows the changes: means and sizes as that fit has them."""
    answer = []
    left = sorted((one for one in watched if one.found and one.change), key=lambda one: one.order)
    known = {one.device: float(size) for one, size in zip(left, sizes, strict=True)}
    for one, now in zip(watched, series, strict=True):
        what = one.change
        if what is not None and one.device in known:
            size = known[one.device]
            what = replace(what, size=size, shape=what.shape * (size / what.size))
        answer.append(replace(one, days=now, change=what))
    return tuple(answer)


def _require(data: Records) -> None:
    """Refuse, with the reason, what can say nothing about time."""
    use = data.scored
    if not use.any():
        why = "are of the reference's own day" if data.same_day.all() else "failed or are of the reference's own day"
        raise EvidenceError(f"All {len(data):,} comparisons {why}.", "Ageing needs scores of later days.")
    if len(np.unique(data.owner[use])) < 2:
        raise EvidenceError("All scores are of one person.", "What differs between people takes two or more to see.")
    if len(np.unique(data.day[use])) < 2:
        raise EvidenceError("All scores are of one day.", "A trend needs scores of several days.")


def _explained(years: F64, day: I64) -> float:
    """Share of the variance of `years` that the day tells."""
    mean = np.bincount(day, years) / np.maximum(np.bincount(day), 1)
    whole = float(((years - years.mean()) ** 2).sum())
    return 1 - float(((years - mean[day]) ** 2).sum()) / whole if whole else 1.0


def _horizon(person: I64, years: F64) -> tuple[float, float]:
    """Ages of references between which five people or more were seen on either side."""
    people = int(person.max()) + 1
    first, last = np.full(people, np.inf), np.full(people, -np.inf)
    np.minimum.at(first, person, years)
    np.maximum.at(last, person, years)
    first, last = np.sort(first[np.isfinite(first)]), np.sort(last[np.isfinite(last)])
    some = min(5, len(first))
    young, old = float(first[some - 1]), float(last[-some])
    return (young, old) if old > young else (float(years.min()), float(years.max()))


def _bins(span: float) -> int:
    """Quarters of a year, three to eight."""
    return int(np.clip(round(span * 4), 3, 8))


def _rows(study: Study) -> tuple[Row, ...]:
    """Each person's days."""
    cells, data = study.cells, study.data
    date, device = study.date, study.device
    expected = study.fit.expected(cells)
    rows: list[dict[str, Any]] = [
        {
            "subject": data.subjects[study.who[cells.person[cell]]],
            "date": named(int(date[cells.day[cell]]), data.dated),
            "device": data.devices[device[cells.day[cell]]],
            "years": float(cells.years[cell]),
            "scores": int(cells.count[cell]),
            "mean": float(cells.mean[cell]),
            "expected": float(expected[cell]),
        }
        for cell in np.lexsort((cells.day, cells.person))
    ]
    return tuple(rows)


def _tables(study: Study) -> dict[str, tuple[Row, ...]]:
    """What is listed: trends of people, changes, odd days, error rates by age."""
    data, trends = study.data, study.trends
    order = np.lexsort((trends.person, trends.p))
    tables: dict[str, tuple[Row, ...]] = {
        "Trends of people": tuple(
            {
                "subject": data.subjects[study.who[trends.person[one]]],
                "per year": float(trends.slope[one]),
                "standard error": float(trends.error[one]),
                "p": float(trends.p[one]),
                "distinguishable": bool(trends.distinct[one]),
            }
            for one in order
        )
    }
    moved = [(one, one.change) for one in study.watched if one.change is not None]
    tables["Changes that all share"] = tuple(
        {
            "device": one.device,
            "kind": what.kind,
            "since": named(what.date, data.dated),
            "earliest": named(what.low, data.dated),
            "latest": named(what.high, data.dated),
            "size": what.size,
            "standard error": what.error,
            "p": what.p,
            "found": one.found,
        }
        for one, what in moved
    )
    tables["Odd days"] = tuple(
        {
            "device": one.device,
            "date": named(int(one.days.date[day]), data.dated),
            "people": int(one.days.people[day]),
            "mean above expected": float(one.days.mean[day]),
            "standard deviations": float(one.odd.z[day]),
        }
        for one in study.watched
        for day in one.odd.days
    )
    if study.errors is not None:
        tables["FNMR by age of the reference"] = _error_rows(study.errors)
    return {title: rows for title, rows in tables.items() if rows}


def _error_rows(errors: Errors) -> tuple[Row, ...]:
    """Observed error rates, bin by bin; where people are too few, a dash instead of a number."""
    return tuple(
        {
            "from years": float(errors.edges[place]),
            "to years": float(errors.edges[place + 1]),
            "people": people,
            "comparisons": metric.n if metric else None,
            "fnmr": metric.value if metric else None,
            "low": metric.low if metric else None,
            "high": metric.high if metric else None,
        }
        for place, (metric, people) in enumerate(errors.by_age)
    )
