"""The charts of a quality audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mien.audit.quality.discard import OVERALL, Predicted
from mien.audit.quality.looking import NAMES
from mien.judge.iso_quality import COMPONENTS, Assessment
from mien.report import Bars, Grid, Line, Lines
from mien.types import Metric

SHOWN = 5  # components beside overall in the chart of error versus discard
_EDGES = np.arange(0, 101, 10)


def below(shares: Mapping[str, Metric]) -> Bars | None:
    """Share of pictures below what is wanted, per component."""
    bars = {
        COMPONENTS[name.removeprefix("below: ")].title: metric
        for name, metric in shares.items()
        if name.removeprefix("below: ") in COMPONENTS
    }
    if not bars:
        return None
    note = "Only pictures that are surely below count: where a stand-in's error leaves it open, they do not."
    return Bars("Pictures below what is wanted", "share of pictures with a face", bars, note=note)


def spread(assessments: Sequence[Assessment]) -> Grid | None:
    """How the scores of each component are spread."""
    there = [name for name in NAMES if any(name in one.values for one in assessments)]
    if not there:
        return None
    rows = []
    for name in there:
        scores = [one.values[name].score for one in assessments if name in one.values]
        counts, _ = np.histogram(scores, _EDGES)
        rows.append(tuple(float(count) / len(scores) for count in counts))
    columns = tuple(f"{low} to {low + (9 if low < 90 else 10)}" for low in _EDGES[:-1].tolist())
    titles = tuple(COMPONENTS[name].title for name in there)
    note = "Each row sums to 1. Scores are 0 to 100, 100 best."
    return Grid("Scores of each component", titles, columns, tuple(rows), "component", "score", note)


def discard(found: Predicted) -> Lines:
    """FNMR as the comparisons of lowest quality are set aside: overall, and the components that gain most."""
    parts = sorted((name for name in found.curves if name != OVERALL), key=lambda name: -found.curves[name].gain.value)
    lines = []
    for name in (OVERALL, *parts[:SHOWN]):
        curve = found.curves[name]
        band = (_plain(curve.low), _plain(curve.high)) if name == OVERALL else ((), ())
        lines.append(Line(name, _plain(curve.share), _plain(curve.fnmr), *band))
    return Lines(
        "Error versus discard",
        "share of genuine comparisons set aside, lowest quality first",
        f"FNMR at threshold {found.threshold:.4f}",
        tuple(lines),
        note="A quality that predicts errors falls; one that tells nothing stays level. The band is of overall.",
    )


def _plain(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
