"""TrustFAA: a list of requirements for tools that analyse facial affect, answered in one report.

The founding text of the workshop (FG 2025) names interpretability, uncertainty, biases, privacy and an ethical impact
statement; it gives no numbers. What is tried here is whether one command answers all of it, and whether its answers can be
relied on: defects that were planted must be found, and must not be reported of the clean twin.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.audit.document import encode
from mien.audit.trust import Requirement, Trust, TrustData, assemble
from mien.audit.trust.explanation import importance
from mien.report import Report, Row
from mien.reproduce import fer2013
from mien.reproduce.claim import Check, Context, Reproduction
from mien.reproduce.trust_planted import CORNER, MARKED, Planted, plant
from mien.types import Metric

CLAIM = (
    "Emotion-AI tools that analyse facial affect must be trustworthy: interpretability, uncertainty, biases and privacy have "
    "to be investigated, and an ethical impact be stated (TrustFAA, workshop at FG 2025). No numbers are claimed."
)
AREAS = ("accuracy", "calibration", "uncertainty", "fairness", "robustness", "explanation", "privacy", "statement")
TRAIN, SMOKE = 12_000, 2_000  # pictures drawn from the training split
JUDGED_SMOKE = 800


@dataclass(frozen=True, slots=True, eq=False)
class Audited:
    """One model's report and its requirements."""

    report: Report
    requirements: Sequence[Requirement]

    def of(self, area: str, number: int = 0) -> Requirement:
        """The requirement of an area, by its place there."""
        return [one for one in self.requirements if one.area == area][number]


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """All audits of one seed; `on the mark` is how much of happy's mean map peaks in the corner."""

    audits: Mapping[str, Audited]
    full: Report
    points_at_mark: Mapping[str, bool]


def run(context: Context) -> Reproduction:
    """Needs fer2013.zip. With `smoke` one seed and less of everything."""
    path = context.need("fer2013.zip")
    seeds = context.seeds[:1] if context.smoke else context.seeds
    tried = []
    for number, seed in enumerate(seeds):
        context.progress("seeds", number, len(seeds))
        tried.append(_tried(path, seed, context.smoke))
    context.progress("seeds", len(seeds), len(seeds))
    checks, rows = _checks(tried, seeds)
    first = tried[0].full
    report = replace(first, tables={"Planted defects": tuple(rows), **first.tables})
    metrics = {f"{row['requirement']}: {row['model']}": row["measured"] for row in rows if row["seed"] == seeds[0]}
    measured = {name: value for name, value in metrics.items() if isinstance(value, Metric)}
    clean = {name: metric for name, metric in measured.items() if ": clean" in name}
    planted = {name: metric for name, metric in measured.items() if name not in clean}
    made = {"data": str(path), "models": sorted({str(row["model"]) for row in rows}), "seeds": list(seeds)}
    return Reproduction("trust_faa", CLAIM, checks, planted, clean, report, made)


def _tried(path: Path, seed: int, smoke: bool) -> Tried:
    train = fer2013.read(path, "train", SMOKE if smoke else TRAIN, seed)
    dev = fer2013.read(path, "public_test", JUDGED_SMOKE if smoke else None, seed)
    judged = fer2013.read(path, "private_test", JUDGED_SMOKE if smoke else None, seed)
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        planted = plant(train, dev, judged, Path(folder), seed, 32 if smoke else 48)
        return _audits(planted, seed, smoke)


def _audits(planted: Planted, seed: int, smoke: bool) -> Tried:
    audit = Trust(200 if smoke else 1000, seed, spoilt=200 if smoke else 1000)
    quick = replace(audit, spoilt=50, faces=0)
    clean = planted.data("clean")
    whole = Audited(*audit.assess(clean))
    audits = {
        "clean": whole,
        "overconfident": Audited(*quick.assess(planted.data("overconfident"))),
        "biased": Audited(*quick.assess(planted.data("biased"))),
        "clean, marked": Audited(*quick.assess(planted.data("clean", marked=True))),
        "watermarked": Audited(*quick.assess(planted.data("watermarked", marked=True))),
    }
    peaks = {name: _points_at_mark(planted.data(name, marked=True)) for name in ("clean", "watermarked")}
    return Tried(audits, assemble(whole.report, list(whole.requirements), clean), peaks)


def _points_at_mark(data: TrustData) -> bool:
    """Whether the mean map of the happy faces has its highest value in the marked corner."""
    happy = np.flatnonzero(data.truth == fer2013.CLASSES.index(MARKED))[:60]
    answers = data.truth[happy]
    mean = importance(data.judge.probabilities, data.crops[happy], answers).values.mean(0)
    row, column = np.unravel_index(int(mean.argmax()), mean.shape)
    return bool(row < CORNER[0].stop and column < CORNER[1].stop)


# What was planted: its name, the model, its clean twin, the requirement's area and place there.
DEFECTS = (
    ("a model at temperature 0.3 is overconfident", "overconfident", "clean", "calibration", 0),
    ("a model worse on a simulated group", "biased", "clean", "fairness", 0),
    ("a model that relies on a mark in the corner", "watermarked", "clean, marked", "explanation", 2),
)


def _checks(tried: Sequence[Tried], seeds: Sequence[int]) -> tuple[tuple[Check, ...], list[Row]]:
    complete = all(_complete(one) for one in tried)
    lacking = sum(1 for one in tried[0].audits["clean"].requirements if one.state == "not stated")
    whole = len(tried[0].audits["clean"].requirements)
    words = (
        f"all {len(AREAS)} areas of the list are answered in one report, by a measurement or by naming what is missing "
        f"({lacking} of {whole} lines)"
    )
    checks, rows = [Check(words, complete)], list[Row]()
    for name, model, twin, area, number in DEFECTS:
        pairs = [(one.audits[model].of(area, number), one.audits[twin].of(area, number)) for one in tried]
        found = [planted.state == "not met" for planted, _ in pairs]
        false = [clean.state == "not met" for _, clean in pairs]
        checks.append(Check(f"{name}: found ({sum(found)} of {len(found)} seeds)", all(found), pairs[0][0].measured))
        told = f"the same is not reported of the clean twin ({len(false) - sum(false)} of {len(false)} seeds)"
        checks.append(Check(told, not any(false), pairs[0][1].measured))
        for seed, pair in zip(seeds, pairs, strict=True):
            rows += [_row(seed, who, one) for who, one in zip((model, twin), pair, strict=True)]
    peaks = [one.points_at_mark["watermarked"] and not one.points_at_mark["clean"] for one in tried]
    told = (
        f"happy's mean map peaks in the marked corner, its clean twin's does not ({sum(peaks)} of {len(peaks)} seeds)"
    )
    checks.append(Check(told, all(peaks)))
    return tuple(checks), rows


def _complete(one: Tried) -> bool:
    """Every area is there, every line has words, and the report holds nothing that is no number."""
    requirements = one.audits["clean"].requirements
    encode(one.full)
    return set(AREAS) <= {line.area for line in requirements} and all(line.evidence for line in requirements)


def _row(seed: int, model: str, one: Requirement) -> Row:
    return {
        "seed": seed,
        "requirement": one.asks,
        "model": model,
        "state": one.state,
        "measured": one.measured,
        "evidence": one.evidence,
    }
