"""What the audit found: nouns, and the small sums that fill them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mien.audit.fairness.groups import Compared, Counted, Rates
from mien.audit.metrics import F64, I64, Bools, supports
from mien.audit.metrics import differentials as measure
from mien.types import Metric

LEVEL = 0.05
CROSS = " × "  # between the names of an intersection
SWEEP = 25  # thresholds of the sweep, from …
LOOSEST, STRICTEST = 0.03, 1e-6  # … to … false-match rate of all groups together
RATES: Mapping[str, tuple[str, str]] = {
    "fta": ("failed", "captures"),
    "fmr": ("matched", "impostor"),
    "fnmr": ("missed", "genuine"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """One group's rates; a rate the group is too small for is None, and `why_not` says so."""

    name: str
    people: int
    captures: int
    comparisons: Mapping[str, int]  # fmr, fnmr -> how many
    fta: Metric | None
    fmr: Metric | None
    fnmr: Metric | None
    against_chance: Mapping[str, float]  # fmr, fnmr -> corrected p of a deviation as large
    relative: Mapping[str, float]  # fmr, fnmr -> rate over that of all groups that were tested
    own_threshold: float | None  # where this group alone would have the false-match rate aimed at
    why_not: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Rates of the groups large enough, over thresholds."""

    groups: tuple[str, ...]
    thresholds: F64  # (k,) rising
    fmr: F64  # (k, G)
    fnmr: F64  # (k, G)


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """One way of making groups."""

    name: str  # such as "sex" or "sex × age"
    groups: tuple[Group, ...]
    measures: Mapping[str, Metric]
    resampled: Mapping[str, F64]  # measure -> values over resamples
    missing: Mapping[str, str]  # measure -> why it is not there
    chance: Mapping[str, measure.Chance]  # fmr, fnmr
    fewest: Mapping[str, int]  # fmr, fnmr -> errors of the group that has fewest
    grid: tuple[F64, F64]  # false matches and impostor comparisons of group with group
    sweep: Sweep | None  # None: fewer than two groups are large enough


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """What was found about one system."""

    data: Compared  # the people judged
    threshold: float
    source: str  # of the threshold, in words
    aim: float | None  # false-match rate aimed at
    pooled: Mapping[str, Metric]  # fta, fmr, fnmr of all groups together
    groupings: tuple[Grouping, ...] = ()

    @property
    def accuracy(self) -> float:
        """Balanced accuracy: 1 - (FMR + FNMR) / 2, all groups together."""
        return 1 - (self.pooled["fmr"].value + self.pooled["fnmr"].value) / 2

    @property
    def rate(self) -> float:
        """The false-match rate a group must be able to show: that aimed at, or else the one found."""
        return self.aim if self.aim is not None else self.pooled["fmr"].value


Measure = Callable[..., F64]


def measures(alpha: float) -> Mapping[str, tuple[tuple[str, ...], Measure, float, bool]]:
    """Measure -> the rates it takes, the function, its best value, whether it is a ratio."""
    single = {
        f"{kind}_{name}": ((kind,), function, best, ratio)
        for kind in ("fmr", "fnmr")
        for name, function, best, ratio in (
            ("max_min", measure.max_to_min, 1.0, True),
            ("max_gmean", measure.max_to_geometric_mean, 1.0, True),
            ("gini", measure.gini, 0.0, False),
        )
    }
    both = ("fmr", "fnmr")
    return {
        **single,
        "garbe": (both, lambda one, other: measure.garbe(one, other, alpha), 0.0, False),
        "fdr": (both, lambda one, other: measure.fdr(one, other, alpha), 1.0, False),
        "inequity_rate": (both, lambda one, other: measure.inequity_rate(one, other, alpha), 1.0, True),
    }


def measured(
    rates: tuple[Rates, Rates], fair: Mapping[str, Bools], chance: Mapping[str, measure.Chance], alpha: float
) -> tuple[dict[str, Metric], dict[str, F64], dict[str, str]]:
    """The measures over the groups large enough with intervals, their resamples, and why some are missing.

    rates: as observed and resampled. An interval reaches equality wherever the permutation test does not exclude that."""
    observed, spread = rates
    found: dict[str, Metric] = {}
    values: dict[str, F64] = {}
    missing: dict[str, str] = {}
    for name, (kinds, function, best, ratio) in measures(alpha).items():
        chosen = np.logical_and.reduce([fair[kind] for kind in kinds])
        if chosen.sum() < 2:
            missing[name] = f"{int(chosen.sum())} of {len(chosen)} groups have enough data, and it takes two"
            continue
        trials = [getattr(observed, RATES[kind][1])[:, chosen] for kind in kinds]
        value = float(function(*(share(observed, kind)[:, chosen] for kind in kinds))[0])
        if not np.isfinite(value):
            missing[name] = (
                "a group has no errors, and a ratio to nothing has no value" if ratio else "there are no errors"
            )
            continue
        # A group may lose its few errors in a resample: half an error keeps the ratio finite.
        drawn = [
            np.maximum(share(spread, kind)[:, chosen], 0.5 / number if ratio else 0.0)
            for kind, number in zip(kinds, trials, strict=True)
        ]
        values[name] = function(*drawn)
        count = int(sum(number.sum() for number in trials))
        spanned = measure.spanned(value, values[name], best, count, ratio)
        equal = all(kind in chance and chance[kind].p.value > LEVEL / len(kinds) for kind in kinds)
        found[name] = replace(spanned, low=min(spanned.low, best), high=max(spanned.high, best)) if equal else spanned
    return found, values, missing


def share(rates: Rates, kind: str) -> F64:
    """(..., G) a rate; NaN without trials."""
    errors, trials = (getattr(rates, name) for name in RATES[kind])
    over: F64 = np.divide(errors, trials, out=np.full(np.shape(trials), np.nan), where=trials > 0)
    return over


def rate_of(kind: str, rates: Rates, spread: Rates, number: int, counted: Counted) -> Metric | None:
    """A group's rate with the interval of a bootstrap over people, by the rule of three where there is no error.

    None without trials."""
    errors, trials = (getattr(rates, name) for name in RATES[kind])
    wrong, total = float(errors[0, number]), int(trials[0, number])
    if total == 0:
        return None
    if wrong == 0:
        independent = {"fta": counted.people, "fmr": counted.pairs, "fnmr": counted.mated}[kind][number]
        return Metric(0.0, 0.0, float(min(1.0, 3 / max(int(independent), 1))), total)
    value = wrong / total
    low, high = np.nanquantile(share(spread, kind)[:, number], [0.025, 0.975])
    return Metric(value, min(float(low), value), max(float(high), value), total)


def own_threshold(data: Compared, counted: Counted, number: int, code: I64, rate: float | None) -> float | None:
    """Where one group alone would have that false-match rate; None where it cannot be told."""
    if rate is None or not supports(rate, int(counted.pairs[number])):
        return None
    scores = np.sort(_scores(data, code, number)[1])[::-1]
    allowed = int(rate * counted.resampled(np.ones((1, len(data.people)))).impostor[0, number] * (1 + 1e-12))
    return float(np.nextafter(scores[allowed], np.inf)) if allowed < len(scores) else None


def swept(data: Compared, counted: Counted, code: I64, chosen: Bools) -> Sweep | None:
    """Rates of the groups `chosen` over thresholds."""
    if chosen.sum() < 2:
        return None
    trials = counted.resampled(np.ones((1, len(data.people)))).impostor[0]
    numbers = np.flatnonzero(chosen)
    scores = {number: _scores(data, code, int(number)) for number in numbers}
    pooled = np.sort(np.concatenate([found[1] for found in scores.values()]))[::-1]
    total = trials[chosen].sum()
    wanted = np.geomspace(LOOSEST, max(STRICTEST, 1 / total), SWEEP) * total
    kept = np.unique(np.clip(wanted, 1, len(pooled)).astype(int)) - 1 if len(pooled) else np.zeros(0, int)
    thresholds = np.unique(pooled[kept])
    thresholds = thresholds[np.isfinite(thresholds)]
    if not len(thresholds):
        return None
    fnmr, fmr = np.empty((2, len(thresholds), len(numbers)))
    for column, (number, (genuine, impostor)) in enumerate(scores.items()):
        fnmr[:, column] = np.searchsorted(np.sort(genuine), thresholds, side="left") / max(len(genuine), 1)
        above = len(impostor) - np.searchsorted(np.sort(impostor), thresholds, side="left")
        fmr[:, column] = above / trials[number]
    return Sweep(tuple(counted.groups[number] for number in numbers), thresholds, fmr, fnmr)


def _scores(data: Compared, code: I64, number: int) -> tuple[F64, F64]:
    """Genuine and kept impostor scores within one group; code: (n,) of each capture."""
    genuine, impostor = (
        pairs.scores[(code[pairs.first] == number) & (code[pairs.second] == number)]
        for pairs in (data.genuine, data.impostor)
    )
    return genuine, impostor
