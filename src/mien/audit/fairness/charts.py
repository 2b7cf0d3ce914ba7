"""What was found, as charts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mien.audit.fairness.found import Grouping, Sweep, System
from mien.audit.metrics import F64
from mien.audit.metrics import differentials as measure
from mien.report import Bars, Chart, Grid, Line, Lines, Mark

MOST = 12  # groups that one chart of curves can show


def charts(system: System, several: bool) -> Iterator[Chart]:
    """Per grouping: rates per group, group against group, rates and inequality over thresholds."""
    for grouping in system.groupings:
        name = f"{system.data.system}, {grouping.name}" if several else grouping.name
        yield from _bars(system, grouping, name)
        if len(grouping.groups) > 1:
            yield _grid(grouping, name)
        if grouping.sweep is not None and len(grouping.sweep.groups) <= MOST:
            yield from _sweep(system, grouping.sweep, name)


def _bars(system: System, grouping: Grouping, name: str) -> Iterator[Chart]:
    note = "Groups without a bar have not enough data. Intervals draw people with replacement."
    for kind, words in (("fmr", "False-match rate"), ("fnmr", "False-non-match rate")):
        bars = {group.name: getattr(group, kind) for group in grouping.groups if getattr(group, kind) is not None}
        if bars:
            marks = (Mark("x", system.pooled[kind].value, "all together"),)
            yield Bars(f"{words} by {name}", words, bars, marks=marks, note=note)


def _grid(grouping: Grouping, name: str) -> Grid:
    errors, trials = grouping.grid
    names = tuple(group.name for group in grouping.groups)
    values = tuple(
        tuple(float(wrong / total) if total > 0 else None for wrong, total in zip(*row, strict=True))
        for row in zip(errors, trials, strict=True)
    )
    note = "Diagonal: impostors of one's own group. Elsewhere: of another group. Cells of few comparisons are noisy."
    return Grid(
        f"False-match rate, group against group, by {name}", names, names, values, "group", "against group", note
    )


def _sweep(system: System, sweep: Sweep, name: str) -> Iterator[Chart]:
    marks = (Mark("x", system.threshold, "threshold used"),)
    x = tuple(float(value) for value in sweep.thresholds)
    for rates, words in ((sweep.fmr, "False-match rate"), (sweep.fnmr, "False-non-match rate")):
        lines = tuple(
            line for number, group in enumerate(sweep.groups) if (line := _line(group, x, rates[:, number])) is not None
        )
        if lines:
            title = f"{words} over thresholds by {name}"
            yield Lines(
                title, "threshold", words, lines, y_axis="log", marks=marks, note="Rates of zero are not drawn."
            )
    unequal = {
        "GARBE": measure.garbe(sweep.fmr, sweep.fnmr),
        "Gini of FMR": measure.gini(sweep.fmr),
        "Gini of FNMR": measure.gini(sweep.fnmr),
        "1 - FDR": 1 - measure.fdr(sweep.fmr, sweep.fnmr),
    }
    found = (_line(words, x, values, zero=True) for words, values in unequal.items())
    lines = tuple(line for line in found if line is not None)
    note = (
        "0 is equality. 1 - FDR falls with the rates themselves, whatever the groups. "
        "At strict thresholds few errors are left and chance rules."
    )
    if lines:
        yield Lines(f"Inequality over thresholds by {name}", "threshold", "inequality", lines, marks=marks, note=note)
    ratios = {"FMR max/min": measure.max_to_min(sweep.fmr), "FNMR max/min": measure.max_to_min(sweep.fnmr)}
    found = (_line(words, x, values) for words, values in ratios.items())
    lines = tuple(line for line in found if line is not None)
    if lines:
        title = f"Highest rate over lowest, over thresholds, by {name}"
        yield Lines(title, "threshold", "max / min", lines, y_axis="log", marks=marks, note="1 is equality.")


def _line(name: str, x: tuple[float, ...], y: F64, zero: bool = False) -> Line | None:
    """A curve without the points that have no value; None with none left."""
    kept = np.isfinite(y) & ((y >= 0) if zero else (y > 0))
    if not kept.any():
        return None
    return Line(name, tuple(np.array(x)[kept].tolist()), tuple(y[kept].tolist()))
