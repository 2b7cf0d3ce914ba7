"""Pictures made worse on purpose, at named strengths, and what that costs a classifier on the same pictures.

They act on the crop that the model sees, so that sizes are shares of the face; what a detector loses is another question.
Every draw (noise, places, sides) comes from the seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import affect
from mien.audit.metrics.people import measure, numbered
from mien.audit.metrics.recognition import F64, I64
from mien.report import Chart, Line, Lines, Row
from mien.types import U8, Metric

STRENGTHS = ("mild", "medium", "strong", "severe")
Change = Callable[[U8, float, np.random.Generator], U8]  # one crop (h, w, 3), how much, draws
Classifier = Callable[[U8], F64]  # (n, h, w, 3) to probabilities (n, k)


@dataclass(frozen=True, slots=True)
class Degradation:
    """One way to spoil a picture."""

    name: str
    unit: str  # what `amounts` are
    amounts: tuple[float, float, float, float]  # of the four strengths
    change: Change

    def apply(self, crops: U8, strength: str, seed: int = 0) -> U8:
        """(n, h, w, 3) spoilt copies."""
        amount = self.amounts[STRENGTHS.index(strength)]
        rng = np.random.default_rng([seed, STRENGTHS.index(strength)])
        return np.stack([self.change(crop, amount, rng) for crop in crops]) if len(crops) else crops.copy()


def _blur(crop: U8, share: float, rng: np.random.Generator) -> U8:
    import cv2

    return np.asarray(cv2.GaussianBlur(crop, (0, 0), share * crop.shape[1]), np.uint8)


def _noise(crop: U8, sigma: float, rng: np.random.Generator) -> U8:
    return _bytes(
        crop + rng.normal(0, sigma, (*crop.shape[:2], 1))
    )  # the same in all channels: a grey picture stays grey


def _gain(crop: U8, factor: float, rng: np.random.Generator) -> U8:
    return _bytes(crop.astype(np.float64) * factor)  # in bytes, 100 times 4 would be 144


def _one_sided(crop: U8, least: float, rng: np.random.Generator) -> U8:
    ramp = np.linspace(1, least, crop.shape[1])[None, :, None]
    return _bytes(crop * (ramp if rng.random() < 0.5 else ramp[:, ::-1]))


def _jpeg(crop: U8, quality: float, rng: np.random.Generator) -> U8:
    from PIL import Image

    held = BytesIO()
    Image.fromarray(crop).save(held, format="JPEG", quality=int(quality))
    return np.asarray(Image.open(held).convert("RGB"), np.uint8)


def _small(crop: U8, share: float, rng: np.random.Generator) -> U8:
    import cv2

    height, width = crop.shape[:2]
    size = (max(2, round(share * width)), max(2, round(share * height)))
    return np.asarray(cv2.resize(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), (width, height)), np.uint8)


def _covered(crop: U8, share: float, rng: np.random.Generator) -> U8:
    height, width = crop.shape[:2]
    tall, wide = round(share * height), round(share * width)
    y, x = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    made = crop.copy()
    made[y : y + tall, x : x + wide] = 128
    return made


DEGRADATIONS = (
    Degradation("blur", "sigma, share of the crop's width", (0.01, 0.02, 0.04, 0.08), _blur),
    Degradation("noise", "standard deviation, grey levels", (5, 10, 20, 40), _noise),
    Degradation("dark", "brightness times", (0.6, 0.35, 0.2, 0.1), _gain),
    Degradation("bright", "brightness times, clipped", (1.3, 1.7, 2.5, 4), _gain),
    Degradation("one-sided light", "brightness at the dark edge", (0.6, 0.4, 0.2, 0.05), _one_sided),
    Degradation("JPEG", "quality", (50, 25, 10, 5), _jpeg),
    Degradation("low resolution", "share of the crop's width", (0.6, 0.4, 0.25, 0.15), _small),
    Degradation("occlusion", "side of a grey square, share of the crop", (0.2, 0.3, 0.4, 0.5), _covered),
)


@dataclass(frozen=True, slots=True)
class Robustness:
    """What degradations cost: accuracy of the untouched pictures less that of the same pictures spoilt."""

    drops: Mapping[tuple[str, str], Metric]  # (degradation, strength) -> drop of accuracy
    rows: tuple[Row, ...]
    charts: tuple[Chart, ...]


def robustness(
    classify: Classifier,
    crops: U8,
    truth: I64,
    subjects: tuple[str, ...],
    rounds: int = 1000,
    seed: int = 0,
) -> Robustness:
    """Every degradation at every strength on (n, h, w, 3) crops; intervals draw subjects, and are of paired differences."""
    names, person = numbered(subjects)
    clean = classify(crops)
    classes = clean.shape[1]
    before = affect.by_person(truth, clean.argmax(1), classes, person, len(names))
    drops: dict[tuple[str, str], Metric] = {}
    rows: list[Row] = []
    curves: dict[str, list[Metric]] = {}
    for one in DEGRADATIONS:
        curves[one.name] = []
        for strength, amount in zip(STRENGTHS, one.amounts, strict=True):
            answers = classify(one.apply(crops, strength, seed)).argmax(1)
            after = affect.by_person(truth, answers, classes, person, len(names))
            found = _paired(before, after, len(truth), rounds, seed)
            drops[one.name, strength] = found["drop of accuracy"]
            curves[one.name].append(found["accuracy"])
            what = {"degradation": one.name, "strength": strength, "amount": amount, "amount is": one.unit}
            rows.append({**what, **found})
    untouched = _paired(before, before, len(truth), rounds, seed)["accuracy"]
    return Robustness(drops, tuple(rows), _charts(untouched, curves))


def _paired(before: F64, after: F64, n: int, rounds: int, seed: int) -> dict[str, Metric]:
    """Accuracy, and drops on the same draws of people."""

    def statistic(weights: F64) -> F64:
        whole, spoilt = np.tensordot(weights, before, 1), np.tensordot(weights, after, 1)
        war, uar = affect.war(spoilt), affect.uar(spoilt)
        return np.stack([war, affect.war(whole) - war, affect.uar(whole) - uar], axis=1)

    return measure(
        statistic, len(before), dict.fromkeys(["accuracy", "drop of accuracy", "drop of UAR"], n), rounds, seed
    )


def _charts(untouched: Metric, curves: Mapping[str, list[Metric]]) -> tuple[Chart, ...]:
    halves = (tuple(curves)[:4], tuple(curves)[4:])
    note = "0 is the untouched picture; then " + ", ".join(f"{n} {name}" for n, name in enumerate(STRENGTHS, 1)) + "."
    charts = []
    for names in halves:
        lines = []
        for name in names:
            points = [untouched, *curves[name]]
            x = tuple(float(index) for index in range(len(points)))
            lines.append(
                Line(
                    name, x, tuple(m.value for m in points), tuple(m.low for m in points), tuple(m.high for m in points)
                )
            )
        charts.append(Lines(f"Accuracy under {', '.join(names)}", "strength", "accuracy", tuple(lines), note=note))
    return tuple(charts)


def _bytes(values: NDArray[Any]) -> U8:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)
