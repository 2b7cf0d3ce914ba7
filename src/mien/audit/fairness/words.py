"""What was found, as a report: metrics, tables, charts, and sentences that say what it means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mien.audit.fairness.charts import charts
from mien.audit.fairness.found import CROSS, LEVEL, Group, Grouping, System
from mien.audit.metrics import differentials as measure
from mien.decide import in_words
from mien.report import Problem, Report, Row
from mien.types import Metric

FEW = 5  # errors; a ratio to a rate of fewer is rough
KINDS = {"fmr": "FMR", "fnmr": "FNMR"}


def report(systems: Sequence[System], alpha: float, least: int) -> Report:
    """The report on one system or several."""
    metrics = {name: metric for system in systems for name, metric in _metrics(system, len(systems) > 1).items()}
    tested = [_tests(system) for system in systems]
    findings = [
        sentence
        for system, tests in zip(systems, tested, strict=True)
        for sentence in _findings(system, tests, alpha, f"{system.data.system}: " if len(systems) > 1 else "")
    ]
    return Report(
        name="fairness",
        metrics=metrics,
        rows=tuple(row for system in systems for row in _rows(system)),
        made={"systems": [_made(system) for system in systems], "least people per group": least, "alpha": alpha},
        headline=_headline(systems, tested),
        findings=(*_compared(systems), *findings, *_limits(systems)),
        problems=tuple(problem for system in systems for problem in _problems(system, len(systems) > 1)),
        tables=_tables(systems, tested),
        charts=tuple(chart for system in systems for chart in charts(system, len(systems) > 1)),
    )


Tests = dict[tuple[str, str], float]  # grouping, rate -> corrected p of "no group differs"


def _tests(system: System) -> Tests:
    found = {
        (grouping.name, kind): one.p.value for grouping in system.groupings for kind, one in grouping.chance.items()
    }
    corrected = measure.holm(np.array(list(found.values()), np.float64))
    return {key: float(p) for key, p in zip(found, corrected, strict=True)}


def _metrics(system: System, several: bool) -> dict[str, Metric]:
    """Metric names: fmr, fmr[sex=f], fmr_max_min[sex], fmr_p[sex]; the system before them where there are several."""
    found = {kind: metric for kind, metric in system.pooled.items() if kind != "fta" or system.data.complete}
    for grouping in system.groupings:
        for group in grouping.groups:
            for kind in ("fta", "fmr", "fnmr"):
                metric = getattr(group, kind)
                if metric is not None and (kind != "fta" or system.data.complete):
                    found[f"{kind}[{grouping.name}={group.name}]"] = metric
        found |= {f"{name}[{grouping.name}]": metric for name, metric in grouping.measures.items()}
        found |= {f"{kind}_p[{grouping.name}]": one.p for kind, one in grouping.chance.items()}
    return {f"{system.data.system}: {name}" if several else name: metric for name, metric in found.items()}


def _rows(system: System) -> Iterator[Row]:
    for grouping in system.groupings:
        for group in grouping.groups:
            yield {
                "system": system.data.system,
                "grouping": grouping.name,
                "group": group.name,
                "people": group.people,
                "captures": group.captures,
                **{f"{kind}_comparisons": number for kind, number in group.comparisons.items()},
                **_spread("fta", group.fta if system.data.complete else None),
                **_spread("fmr", group.fmr),
                **_spread("fnmr", group.fnmr),
                "p_fmr": group.against_chance.get("fmr"),
                "p_fnmr": group.against_chance.get("fnmr"),
                "own_threshold": group.own_threshold,
                "not_enough_data": "; ".join(group.why_not),
            }


def _spread(name: str, metric: Metric | None) -> dict[str, float | None]:
    ends = (metric.value, metric.low, metric.high) if metric else (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def _tables(systems: Sequence[System], tested: Sequence[Tests]) -> dict[str, tuple[Row, ...]]:
    groups, unequal, side = [], [], []
    for system, tests in zip(systems, tested, strict=True):
        for grouping in system.groupings:
            groups += [_group_row(system, grouping, group) for group in grouping.groups]
            unequal += list(_unequal(system, grouping, tests))
        side.append(
            {
                "system": system.data.system,
                "threshold": system.threshold,
                "set by": system.source,
                "people judged": len(np.unique(system.data.owner[_judged(system)])),
                "balanced accuracy": system.accuracy,
                **{
                    KINDS.get(kind, kind.upper()): metric
                    for kind, metric in system.pooled.items()
                    if _has(system, kind)
                },
            }
        )
    return {"Systems": tuple(side), "Groups": tuple(groups), "Inequality": tuple(unequal)}


def _judged(system: System) -> Any:
    return np.logical_or.reduce([words != "" for words in system.data.labels.values()])


def _has(system: System, kind: str) -> bool:
    return kind != "fta" or system.data.complete


def _group_row(system: System, grouping: Grouping, group: Group) -> Row:
    few = "not enough data"
    return {
        "system": system.data.system,
        "grouping": grouping.name,
        "group": group.name,
        "people": group.people,
        "captures": group.captures,
        **({"FTA": group.fta} if system.data.complete else {}),
        "FMR": group.fmr or few,
        "differs in FMR, p": group.against_chance.get("fmr"),
        "FNMR": group.fnmr or few,
        "differs in FNMR, p": group.against_chance.get("fnmr"),
        "its own threshold would be": group.own_threshold,
        "why not": "; ".join(group.why_not),
    }


def _unequal(system: System, grouping: Grouping, tests: Tests) -> Iterator[Row]:
    names = dict.fromkeys((*grouping.measures, *grouping.missing))
    for name in names:
        kind = name.partition("_")[0]
        chance = grouping.chance.get(kind) if name.endswith("_max_min") else None
        ratio = chance.ratio if chance and math.isfinite(chance.ratio[0]) else None
        yield {
            "system": system.data.system,
            "grouping": grouping.name,
            "measure": name,
            "value": grouping.measures.get(name) or f"not given: {grouping.missing[name]}",
            "by chance, median": ratio[0] if ratio else None,
            "by chance, 95 % point": ratio[1] if ratio else None,
            "fewest errors": grouping.fewest.get(kind) if name.endswith("_max_min") else None,
            "no group differs, p": tests.get((grouping.name, kind)) if name.endswith("_max_min") else None,
        }


def _headline(systems: Sequence[System], tested: Sequence[Tests]) -> str:
    if len(systems) > 1:
        parts = ", ".join(f"{one.data.system} {one.accuracy:.3f}" for one in systems)
        shared = [
            f"{grouping.name}: FMR max/min "
            + ", ".join(
                f"{one.data.system} {_ratio(one, grouping.name, 'fmr_max_min')}"
                for one in systems
                if _named(one, grouping.name)
            )
            for grouping in systems[0].groupings
            if sum("fmr_max_min" in found.measures for one in systems if (found := _named(one, grouping.name))) > 1
        ]
        return "; ".join([f"Balanced accuracy: {parts}", *shared[:2]]) + "."
    system, tests = systems[0], tested[0]
    told = [_in_short(grouping, tests) for grouping in system.groupings]
    first = next((words for words in told if words), "no grouping has two groups with enough data")
    whole = ", ".join(f"{name} {_percent(system.pooled[kind])}" for kind, name in KINDS.items())
    return f"At a threshold of {system.threshold:.4f}, {whole}; {first}."


def _named(system: System, name: str) -> Grouping | None:
    return next((grouping for grouping in system.groupings if grouping.name == name), None)


def _ratio(system: System, name: str, measure_: str) -> str:
    grouping = _named(system, name)
    found = grouping.measures.get(measure_) if grouping else None
    return f"{_times(found.value)} ({_times(found.low)} to {_times(found.high)})" if found else "not given"


def _in_short(grouping: Grouping, tests: Tests) -> str:
    told = []
    for kind, name in KINDS.items():
        found, chance = grouping.measures.get(f"{kind}_max_min"), grouping.chance.get(kind)
        if not found or not chance:
            continue
        by = f", by chance {_times(chance.ratio[0])}" if math.isfinite(chance.ratio[0]) else ""
        p = tests[grouping.name, kind]
        told.append(
            f"{name} max/min {_times(found.value)} ({_times(found.low)} to {_times(found.high)}{by}; p {_p(p)})"
        )
    return f"{grouping.name}: {', '.join(told)}" if told else ""


def _compared(systems: Sequence[System]) -> Iterator[str]:
    """Two systems side by side; on the same people, their difference with an interval."""
    for one, other in pairwise(systems):
        both = [(left, right) for left in one.groupings if (right := _named(other, left.name)) is not None]
        if not both:
            continue
        names = f"{one.data.system} and {other.data.system}"
        yield f"{names}: balanced accuracy {one.accuracy:.3f} and {other.accuracy:.3f}, all groups together."
        paired = one.data.people == other.data.people
        for left, right in both:
            for name in ("fmr_max_min", "fnmr_max_min", "garbe"):
                if name in left.measures and name in right.measures:
                    values = left.measures[name].value, right.measures[name].value
                    gap = _gap(left, right, name) if paired else ""
                    yield f"{left.name}: {name} {values[0]:.3g} against {values[1]:.3g}{gap}."


def _gap(left: Grouping, right: Grouping, name: str) -> str:
    """The paired difference, on the logarithm for ratios."""
    ratio = name.endswith("_min")
    scale = np.log if ratio else np.asarray
    drawn = scale(left.resampled[name]) - scale(right.resampled[name])
    drawn = drawn[np.isfinite(drawn)]
    value = float(scale(left.measures[name].value) - scale(right.measures[name].value))
    low, high = (2 * value - end for end in np.quantile(drawn, [0.975, 0.025]))
    shown = [math.exp(end) for end in (value, low, high)] if ratio else [value, low, high]
    word = "a factor of" if ratio else "a difference of"
    return f", {word} {shown[0]:.2g} ({shown[1]:.2g} to {shown[2]:.2g}) on the same people"


def _findings(system: System, tests: Tests, alpha: float, head: str) -> Iterator[str]:
    yield f"{head}One threshold for all, {system.threshold:.4f}: {system.source}."
    for grouping in system.groupings:
        for kind, name in KINDS.items():
            if (grouping.name, kind) in tests:
                yield head + _tested(grouping, kind, name, tests[grouping.name, kind])
        yield from (head + words for words in _cross(grouping))
        few = [group for group in grouping.groups if group.why_not]
        if few:
            shown = "; ".join(f"{group.name} ({', '.join(group.why_not)})" for group in few[:4])
            more = f"; and {len(few) - 4} more, see the table" if len(few) > 4 else ""
            yield f"{head}{grouping.name}: not enough data for {shown}{more}."
        yield from (head + words for words in _blind(grouping, alpha))


def _tested(grouping: Grouping, kind: str, name: str, p: float) -> str:
    chance = grouping.chance[kind]
    off = [group for group in grouping.groups if group.against_chance.get(kind, 1.0) < LEVEL]
    off.sort(key=lambda group: -abs(math.log(max(group.relative[kind], 1e-9))))
    named = ", ".join(f"{group.name} ({group.relative[kind]:.2g} times the mean)" for group in off[:5])
    if p >= LEVEL:
        verdict = f"{name} may be the same in all groups: labels dealt at random differ as much, p {_p(p)}"
    else:
        verdict = f"{name} differs between groups beyond chance, p {_p(p)}"
        verdict += f": {named}" if off else ""
    found = grouping.measures.get(f"{kind}_max_min")
    if found and math.isfinite(chance.ratio[0]):
        verdict += (
            f"; highest over lowest is {_times(found.value)} where random labels show {_times(chance.ratio[0])}, "
            f"and {_times(chance.ratio[1])} in 1 of 20"
        )
    few = grouping.fewest[kind]
    if found and few < FEW:
        verdict += f"; the lowest rate rests on {few} error{'' if few == 1 else 's'}, so the ratio is rough"
    return f"{grouping.name}: {verdict} (corrected for all tests made)."


def _cross(grouping: Grouping) -> Iterator[str]:
    """Impostors of one's own group against those of other groups."""
    errors, trials = grouping.grid
    if len(errors) < 2:
        return
    inside = np.diagonal(errors).sum(), np.diagonal(trials).sum()
    outside = np.triu(errors, 1).sum(), np.triu(trials, 1).sum()
    if min(inside[1], outside[1]) <= 0 or outside[0] <= 0 or inside[0] <= 0:
        return
    own, other = inside[0] / inside[1], outside[0] / outside[1]
    told = (
        f"{in_words(own)} comparisons of people of one group are false matches, {in_words(other)} of different groups"
    )
    more = "; a pooled FMR mixes the two" if not 0.8 < own / other < 1.25 else ""
    yield f"{grouping.name}: {told}: {_times(own / other)} times as many{more}."


def _blind(grouping: Grouping, alpha: float) -> Iterator[str]:
    found, ratio = grouping.measures.get("fdr"), grouping.measures.get("fmr_max_min")
    if found is None:
        return
    most = max(group.fmr.value for group in grouping.groups if group.fmr and group.fnmr)
    beside = f" although FMR differs {_times(ratio.value)} times" if ratio and ratio.value > 1.5 else ""
    yield (
        f"{grouping.name}: FDR is {found.value:.4f}{beside}. It adds up differences, so all of FMR can move it by "
        f"{alpha * most:.2g} at most here: read the ratios and GARBE instead."
    )


def _limits(systems: Sequence[System]) -> Iterator[str]:
    yield (
        "The ratio of the highest to the lowest of several noisy rates is above 1 also where all are equal: "
        "compare it with chance, not with 1."
    )
    if any(CROSS in grouping.name for system in systems for grouping in system.groupings):
        yield "Intersections repeat the same people in other groups: they add detail, not evidence."


def _problems(system: System, several: bool) -> Iterator[Problem]:
    head = f"{system.data.system}: " if several else ""
    for problem in system.data.problems:
        yield Problem(problem.kind, head + problem.words, problem.cases, problem.count)
    few, missing = [], []
    for grouping in system.groupings:
        few += [
            f"{grouping.name}={group.name}: {'; '.join(group.why_not)}" for group in grouping.groups if group.why_not
        ]
        missing += [f"{name}[{grouping.name}]: {why}" for name, why in grouping.missing.items()]
    if few:
        words = "A group of too few people or comparisons for a rate; it takes no part in measures of inequality."
        yield Problem("not_enough_data", head + words, tuple(few))
    if missing:
        yield Problem("not_computed", f"{head}A measure of inequality that has no value here.", tuple(missing))


def _made(system: System) -> dict[str, Any]:
    return {
        "system": system.data.system,
        "threshold": system.threshold,
        "threshold from": system.source,
        "fmr aimed at": system.aim,
        **system.data.made,
    }


def _percent(metric: Metric) -> str:
    return f"{metric.value:.2g} ({metric.low:.2g} to {metric.high:.2g})"


def _times(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "below 0.001"
