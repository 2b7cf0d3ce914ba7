"""The report of the comparison of backbones: learning curves, error rates on media seen and unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.learn.attacks.pool import Pool
from mien.learn.recipes.spoof_backbones import NETS
from mien.report import Bars, Line, Lines, Report, Row
from mien.reproduce.spoof_data import UNSEEN
from mien.types import Metric

if TYPE_CHECKING:
    from mien.learn.attacks import Kind
    from mien.reproduce.spoof_backbones import Figures, Run

MOST = 0.95  # of the way from chance to the best dev AUC of any network: "converged"


def over_runs(values: Sequence[float], within: tuple[float, float] = (-np.inf, np.inf)) -> Metric:
    """Mean over runs with Student's interval, cut to what is possible; of a single run, without width."""
    from scipy.stats import t

    mean, count = float(np.mean(values)), len(values)
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return Metric(mean, max(within[0], mean - half), min(within[1], mean + half), count)


def report(runs: Sequence[Run], figures: Figures, judged: Pool, findings: Sequence[str]) -> Report:
    """Everything but the verdict."""
    charts = [_curves(runs, medium, by) for medium in UNSEEN for by in ("seconds", "seen")]
    tables: dict[str, tuple[Row, ...]] = {
        "Networks": tuple(_network(runs, net) for net in NETS),
        "On media and people not seen in training": tuple(
            _errors(figures, net, medium) for medium in UNSEEN for net in NETS
        ),
        "Convergence": tuple(_convergence(runs, net, medium) for medium in UNSEEN for net in NETS),
        "Attacks taken for live, by species": tuple(_species(figures, judged)),
    }
    best = min(NETS, key=lambda net: _mean(figures, net, "ACER, unseen").value)
    told = _mean(figures, best, "ACER, unseen")
    people = len(set(judged.subjects.tolist()))
    return Report(
        name="spoof_backbones",
        metrics={},
        rows=tuple(_rows(runs, figures)),
        headline=(
            f"ACER on the unseen medium, least of the three: {best} {told.value:.3f} ({told.low:.3f} to {told.high:.3f}, "
            f"{told.n} trainings), {people} people."
        ),
        findings=(*_findings(figures), *findings),
        tables=tables,
        charts=(*charts, *(_bars(figures, medium) for medium in UNSEEN)),
    )


def _of(runs: Sequence[Run], net: str, medium: Kind) -> list[Run]:
    return [one for one in runs if (one.net, one.medium) == (net, medium)]


def _mean(figures: Figures, net: str, name: str, medium: Kind | None = None) -> Metric:
    values = [found[name].value for (which, on, _), found in figures.items() if which == net and medium in (None, on)]
    return over_runs(values, (0.0, 1.0))


def _network(runs: Sequence[Run], net: str) -> Row:
    mine = [one for one in runs if one.net == net]
    return {
        "network": net,
        "parameters": sum(one.numel() for one in mine[0].course.net.parameters()),
        "processor ms per picture trained on": over_runs([one.milliseconds for one in mine], (0.0, np.inf)),
        "pictures trained on": over_runs([float(one.course.seen) for one in mine], (0.0, np.inf)),
    }


def _errors(figures: Figures, net: str, medium: Kind) -> Row:
    names = ("ACER, unseen", "APCER max, unseen", "BPCER", "AUC, unseen", "ACER, seen", "accuracy, seen")
    told = {name: _mean(figures, net, name, medium) for name in names}
    return {"network": net, "trained on": medium, "judged on": UNSEEN[medium], **told}


def _convergence(runs: Sequence[Run], net: str, medium: Kind) -> Row:
    mine = _of(runs, net, medium)
    times = []
    for one in mine:
        rivals = [other for other in runs if (other.medium, other.seed) == (medium, one.seed)]
        best = max(look.auc for other in rivals for look in other.course.looks)
        times.append(one.course.reached(0.5 + MOST * (best - 0.5)))
    known = [value for value in times if value is not None]
    return {
        "network": net,
        "trained on": medium,
        "mean dev AUC over the budget": over_runs([one.course.mean for one in mine], (0.0, 1.0)),
        "best dev AUC": over_runs([max(look.auc for look in one.course.looks) for one in mine], (0.0, 1.0)),
        f"reached {MOST:.0%} of the best": f"{len(known)} of {len(times)}",
        "after processor s, mean of those": float(np.mean(known)) if known else None,
    }


def _species(figures: Figures, judged: Pool) -> list[Row]:
    names = sorted(
        {name for found in figures.values() for name in found if name.startswith("APCER ") and "max" not in name}
    )
    rows: list[Row] = []
    for name in names:
        species = name.removeprefix("APCER ")
        count = int(np.sum((judged.species == species) | (judged.kinds == species.removesuffix(", pooled"))))
        for medium in UNSEEN:
            told: Mapping[str, Metric] = {net: _mean(figures, net, name, medium) for net in NETS}
            rows.append({"species": species, "presentations": count, "trained on": medium, **told})
    return rows


def _rows(runs: Sequence[Run], figures: Figures) -> list[Row]:
    return [
        {
            "network": one.net,
            "trained on": one.medium,
            "seed": one.seed,
            "pictures trained on": one.course.seen,
            "mean dev AUC": one.course.mean,
            "threshold": one.course.threshold,
            **{
                name: metric.value
                for name, metric in figures[one.net, one.medium, one.seed].items()
                if "APCER " not in name
            },
            "APCER max, unseen": figures[one.net, one.medium, one.seed]["APCER max, unseen"],
        }
        for one in runs
    ]


def _curves(runs: Sequence[Run], medium: Kind, by: str) -> Lines:
    lines = []
    for net in NETS:
        looks = [one.course.looks for one in _of(runs, net, medium)]
        spread = [over_runs([look.auc for look in at], (0.0, 1.0)) for at in zip(*looks, strict=True)]
        x = [float(np.mean([getattr(look, by) for look in at])) for at in zip(*looks, strict=True)]
        lines.append(
            Line(
                net,
                (0.0, *x),
                (0.5, *(one.value for one in spread)),
                (0.5, *(one.low for one in spread)),
                (0.5, *(one.high for one in spread)),
            )
        )
    what = {"seconds": "processor seconds", "seen": "pictures trained on"}[by]
    note = (
        "Dev people, medium of training. Bands: 95 % over seeds, which are few. Networks stop when the budget is spent."
    )
    return Lines(f"Learning on {medium}, by {what}", what, "dev AUC", tuple(lines), note=note)


def _bars(figures: Figures, medium: Kind) -> Bars:
    bars = {
        f"{net}, {word}": _mean(figures, net, f"ACER, {word}", medium) for word in ("seen", "unseen") for net in NETS
    }
    note = "Worst species counts. Thresholds are of the dev split, which holds the medium of training only."
    return Bars(f"ACER, trained on {medium}", "ACER", bars, note=note)


def _findings(figures: Figures) -> list[str]:
    def told(name: str) -> str:
        return ", ".join(f"{net} {_mean(figures, net, name).value:.3f}" for net in NETS)

    return [
        f"ACER on the medium of training: {told('ACER, seen')}; on the other: {told('ACER, unseen')}.",
        "Attacks are simulated, pictures are 64 px and grey, weights start from chance: this tells of small networks and short "
        "budgets, not of the published ones.",
        "All networks of a seed see the same people; all runs are judged on the same people, so intervals over runs do not "
        "hold what other people would change.",
    ]
