"""Bias in the data of expression models: stereotypical bias propagates more strongly than representational.

Two parts. The published predictions are judged anew: that is the claim itself, on the authors' own networks. And an own
experiment puts bias of both kinds into FER2013, where the groups are drawn onto the pictures: simulated, and small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mien.audit.metrics import F64
from mien.report import Line, Lines, Report, Row
from mien.reproduce import fer_bias_own as own
from mien.reproduce import fer_bias_published as published
from mien.reproduce.claim import Check, Context, Reproduction
from mien.reproduce.fer2013 import CLASSES
from mien.reproduce.fer_bias_published import ONE, REPRESENTATIONAL, SEVERAL
from mien.reproduce.fer_bias_sums import Ratio, extremes_to_balanced, paired, rank_correlation
from mien.reproduce.learnt import if_learnt
from mien.types import Metric

CLAIM = (
    "Stereotypical bias of a data set propagates more strongly to the predictions of an expression model than "
    "representational bias, and biased data reduce accuracy (Dominguez-Catena, Paternain and Galar, Biased heritage, 2025, "
    "arXiv 2503.03446, abstract)."
)
PREDICTIONS = ("golden", "fer_bias_predictions.npz")
MEASURE = "OD"  # of the checks; the others are in the tables
AXIS = "drawn spectacles"  # of the own experiments
OWN, NETWORKS = "own experiment", "own networks"
MODELS = {OWN: "linear head on fixed patch features", NETWORKS: "recipe fairness_fer, a network for each"}
Key = tuple[str, str]  # kind, axis


def run(context: Context) -> Reproduction:
    """The published predictions, then the own experiment where FER2013 is at hand. Raises MediaNotFound."""
    context.progress("published runs", 0, 1)
    judged = published.read(context.need(*PREDICTIONS))
    context.progress("published runs", 1, 1)
    ratios = {(one.setting.kind, one.setting.axis): _ratios(one.strengths, one.values) for one in judged}
    checks = [*_published_checks(ratios), _costs(ratios, "published")]
    metrics = _metrics(ratios, "published")
    trained: dict[str, Sequence[own.Trained]] = {}
    if context.data is not None and (context.data / "fer2013.zip").is_file():
        trained = _trained(context, context.data / "fer2013.zip")
        for part, runs in trained.items():
            drawn = {(one.kind, AXIS): _ratios(one.strengths, one.model) for one in runs}
            own_checks = [*_own_checks(runs, part), _costs(drawn, part)]
            checks += if_learnt(own_checks, _right(runs), len(CLASSES), f"{part}: the model of balanced data")
            metrics |= _metrics(drawn, part)
    else:
        checks.append(Check("own experiment: fer2013.zip is not at hand", None))
    return Reproduction(
        name="fairness_fer",
        claim=CLAIM,
        checks=tuple(checks),
        metrics=metrics,
        baseline=_balanced(judged, trained),
        report=_report(judged, trained, checks),
        made={
            "data": ["fer_bias_predictions.npz: 561 published runs", *(["fer2013.zip"] if trained else [])],
            "models": ["published networks", *(f"{part}: {MODELS[part]}" for part in trained)],
            "seeds": list(context.seeds),
        },
    )


def _trained(context: Context, path: Path) -> dict[str, Sequence[own.Trained]]:
    """Linear heads, and networks where the laboratory's packages are installed."""
    from mien.learn.catalogue import absent

    seeds = context.seeds[:2] if context.smoke else context.seeds
    found: dict[str, Sequence[own.Trained]] = {OWN: own.experiment(path, seeds, context.smoke, context.progress)}
    if not context.smoke and not absent():  # a network that was hardly trained answers one class, whatever the group
        from mien.reproduce import fer_bias_networks

        found[NETWORKS] = fer_bias_networks.experiment(path, seeds, context.progress)
    return found


def _ratios(strengths: F64, values: Mapping[str, F64]) -> dict[str, Ratio]:
    return {name: extremes_to_balanced(strengths, table) for name, table in values.items()}


def _published_checks(ratios: Mapping[Key, Mapping[str, Ratio]]) -> list[Check]:
    """Stereotypical over representational, for each axis and both kinds: all of them other runs."""
    return [
        _stronger("published", axis, kind, ratios[kind, axis][MEASURE].over(ratios[REPRESENTATIONAL, axis][MEASURE]))
        for axis in ("gender", "race")
        for kind in (SEVERAL, ONE)
    ]


def _own_checks(trained: Sequence[own.Trained], part: str) -> list[Check]:
    """The same for an own experiment, where runs of a seed share pictures and the balanced run."""
    held = {one.kind: one for one in trained}
    strengths, least = held[REPRESENTATIONAL].strengths, held[REPRESENTATIONAL].model[MEASURE]
    return [_stronger(part, AXIS, kind, paired(strengths, held[kind].model[MEASURE], least)) for kind in (SEVERAL, ONE)]


def _right(trained: Sequence[own.Trained]) -> Metric:
    """Accuracy of models of balanced data."""
    row = int(np.argmin(np.abs(trained[0].strengths - 0.5)))
    return _over_runs(1.0 - trained[0].model["error"][row])


def _stronger(part: str, axis: str, kind: str, ratio: Ratio) -> Check:
    found = ratio.metric()
    words = f"{part} ({axis}): {kind} over representational, rise of overall disparity: above 1, interval above 1"
    return Check(words, found.low > 1, found)


def _costs(ratios: Mapping[Key, Mapping[str, Ratio]], part: str) -> Check:
    """Errors of biased training over balanced: the geometric mean of all kinds and axes."""
    logs = [found["error"] for found in ratios.values()]
    count = len(logs)
    variance = sum(one.variance for one in logs) / count**2
    parts = sum((one.variance / count**2) ** 2 / max(one.freedom, 1.0) for one in logs)
    freedom = variance**2 / parts if parts > 0 else np.inf
    mean = Ratio(
        float(np.mean([one.log for one in logs])), variance, float(freedom), sum(one.n for one in logs)
    ).metric()
    alone = sum(one.metric().low > 1 for one in logs)
    words = f"{part}: error of biased over balanced data, mean of {count} settings: above 1, interval above 1"
    return Check(f"{words} ({alone} of {count} alone)", mean.low > 1, mean)


def _metrics(ratios: Mapping[Key, Mapping[str, Ratio]], part: str) -> dict[str, Metric]:
    return {
        f"{part}: {measure} ratio, {kind} ({axis})": found[measure].metric()
        for (kind, axis), found in ratios.items()
        for measure in ("OD", "EqOpp", "error")
    }


def _balanced(judged: Sequence[published.Judged], trained: Mapping[str, Sequence[own.Trained]]) -> dict[str, Metric]:
    """Disparity and error of models of balanced data, which the others are held against."""
    found: dict[str, Metric] = {}
    tables = [(f"published, {one.setting.axis}", one.strengths, one.values) for one in judged]
    tables += [(part, one.strengths, one.model) for part, runs in trained.items() for one in runs]
    for name, strengths, values in tables:
        row = int(np.argmin(np.abs(strengths - 0.5)))
        for measure in (MEASURE, "error"):
            found.setdefault(f"{measure} of balanced data, {name}", _over_runs(values[measure][row]))
    return found


def _over_runs(values: F64) -> Metric:
    """Mean over runs with Student's interval; of a single run, without width."""
    from scipy.stats import t

    mean, count = float(values.mean()), len(values)
    half = float(t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count)) if count > 1 else 0.0
    return Metric(mean, mean - half, mean + half, count)


# --- report -----------------------------------------------------------------------------------------------------------


def _report(
    judged: Sequence[published.Judged], trained: Mapping[str, Sequence[own.Trained]], checks: Sequence[Check]
) -> Report:
    tables: dict[str, tuple[Row, ...]] = {
        "Published runs: extremes to balanced": tuple(
            _row(one.setting.kind, one.setting.axis, one.strengths, one.values, one.pictures) for one in judged
        )
    }
    charts = [
        _chart(f"{words} over strength of bias, published runs ({axis})", measure, [
            (one.setting.kind, one.strengths, one.values) for one in judged if one.setting.axis == axis
        ])
        for axis in ("gender", "race")
        for measure, words in (("OD", "Overall disparity"), ("error", "Error"))
    ]  # fmt: skip
    for part, runs in trained.items():
        held = [(one.kind, one.strengths, one.model) for one in runs]
        tables[f"{part.capitalize()}: extremes to balanced"] = tuple(
            _row(kind, AXIS, strengths, values, None) for kind, strengths, values in held
        )
        tables[f"{part.capitalize()}: bias of the training data"] = tuple(_data_rows(runs))
        for measure, words in (("OD", "Overall disparity"), ("error", "Error")):
            charts.append(_chart(f"{words} over strength of bias, {part} (simulated groups)", measure, held))
    holding = sum(bool(check.holds) for check in checks)
    first = next(check.measured for check in checks if check.measured is not None)
    return Report(
        name="fairness_fer",
        metrics={},
        rows=tuple(_all_rows(judged, trained)),
        headline=(
            f"{holding} of {len(checks)} checks hold; published runs, gender: bias of several classes raises overall disparity "
            f"{first.value:.2f} times as much as representational bias ({first.low:.2f} to {first.high:.2f})."
        ),
        findings=(
            *_findings(judged),
            *(words for part, runs in trained.items() for words in _own_findings(runs, part)),
        ),
        tables=tables,
        charts=tuple(charts),
    )


def _row(kind: str, axis: str, strengths: F64, values: Mapping[str, F64], pictures: int | None) -> Row:
    ratios = _ratios(strengths, values)
    balanced = values[MEASURE][int(np.argmin(np.abs(strengths - 0.5)))]
    return {
        "bias": kind,
        "axis": axis,
        **{f"{name} ratio": ratio.metric() for name, ratio in ratios.items()},
        "OD of balanced data": _over_runs(balanced),
        "Spearman |strength - 0.5| to OD": rank_correlation(strengths, values[MEASURE]),
        **({"pictures judged": pictures} if pictures else {}),
    }


def _data_rows(trained: Sequence[own.Trained]) -> list[Row]:
    """How biased the training data are by their own metrics, beside what became of it."""
    return [
        {
            "bias": one.kind,
            "strength": float(strength),
            **{name: float(table[row].mean()) for name, table in one.data.items()},
            "OD of the model": float(one.model[MEASURE][row].mean()),
            "error": float(one.model["error"][row].mean()),
        }
        for one in trained
        for row, strength in enumerate(one.strengths)
    ]


def _all_rows(judged: Sequence[published.Judged], trained: Mapping[str, Sequence[own.Trained]]) -> list[Row]:
    """Every run."""
    parts = [("published", one.setting.kind, one.setting.axis, one.strengths, one.values) for one in judged]
    parts += [(part, one.kind, AXIS, one.strengths, one.model) for part, runs in trained.items() for one in runs]
    return [
        {
            "part": part,
            "bias": kind,
            "axis": axis,
            "strength": float(strength),
            "run": column,
            **{name: float(table[row, column]) for name, table in values.items()},
        }
        for part, kind, axis, strengths, values in parts
        for row, strength in enumerate(strengths)
        for column in range(values[MEASURE].shape[1])
    ]


def _chart(title: str, measure: str, held: Sequence[tuple[str, F64, Mapping[str, F64]]]) -> Lines:
    lines = []
    for kind, strengths, values in held:
        spread = [_over_runs(row) for row in values[measure]]
        lines.append(
            Line(
                kind,
                tuple(float(strength) for strength in strengths),
                tuple(one.value for one in spread),
                tuple(max(0.0, one.low) for one in spread),
                tuple(one.high for one in spread),
            )
        )
    note = "0.5 is balanced. Bands: 95 % over training runs, which are few. Seen on the same test pictures throughout."
    return Lines(title, "strength of bias", measure, tuple(lines), note=note)


def _findings(judged: Sequence[published.Judged]) -> list[str]:
    balanced = {one.setting.axis: one.values[MEASURE][5].mean() for one in judged}
    return [
        "Intervals are over the published training runs, three (gender) or five (race) per strength: few, so they are wide.",
        f"On the race axis effects are much weaker, and models of balanced data are unequal already: overall disparity "
        f"{balanced['race']:.2f}, against {balanced['gender']:.2f} on the gender axis.",
        "Stereotypical bias of one class does its damage at the extremes only, so its rank correlation with strength is low.",
        "The published labels of gender and race are those of the FairFace classifier: its guesses, not the people's own word.",
    ]


def _own_findings(trained: Sequence[own.Trained], part: str) -> list[str]:
    def told(rows: Sequence[int]) -> str:
        return ", ".join(f"{one.kind} {float(one.model[MEASURE][list(rows)].mean()):.2f}" for one in trained)

    strengths = trained[0].strengths
    balanced = float(trained[0].model[MEASURE][int(np.argmin(np.abs(strengths - 0.5)))].mean())
    sentences = [
        f"{part.capitalize()}: groups are simulated (spectacles drawn onto the picture, or none); the model: {MODELS[part]}. "
        "No conclusion about people follows from it.",
        f"{part.capitalize()}, overall disparity at strengths 0 and 1: {told((0, -1))}; of balanced data {balanced:.2f}. There "
        "representational bias leaves one group out of training altogether, and a group that looks different is read badly.",
    ]
    if len(strengths) > 3:
        near = f"{strengths[1]:g} and {strengths[-2]:g}"  # STRENGTHS has 0.1 and 0.9 there
        sentences.append(
            f"{part.capitalize()}, overall disparity at strengths {near}: {told((1, -2))}: here one "
            "picture in ten is of the rarer group."
        )
    return sentences
