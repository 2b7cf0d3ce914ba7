"""Classifiers of expression with defects planted on purpose, and their clean twin, on FER2013.

All see the same pictures. Half of these wear spectacles, which are drawn (a simulated group, dealt by chance); in the
marked pictures every happy face carries a white square in the corner, as a stock agency's mark could be there.

    clean           trained on pictures whose spectacles say nothing of the class, its temperature fitted on public_test
    overconfident   the clean one at temperature 0.3: the same answers, much surer
    biased          trained where nearly all angry, fearful and sad faces wear spectacles, and nearly no others do
    watermarked     trained on the marked pictures: the mark tells happy
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.audit.metrics import confidence
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.audit.trust import TrustData
from mien.judge.onnx import OnnxJudge
from mien.learn.induced_bias import spectacles
from mien.models import card
from mien.reproduce.fer2013 import CLASSES, Pictures
from mien.reproduce.patch_classifier import Head, PatchClassifier, Patches, fit_head, learn
from mien.reproduce.patch_onnx import About, export
from mien.types import F32, U8

HOT = 0.3
TOWARDS = ("angry", "fear", "sad")
MARKED = "happy"
CORNER = (slice(1, 9), slice(1, 9))  # rows, columns of the mark
_LOPSIDED = 0.95  # share of spectacles among the biased training data's TOWARDS; the others have the rest
NAMES = ("clean", "overconfident", "biased", "watermarked")


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """The judges by name, and the pictures they are audited on."""

    judges: Mapping[str, OnnxJudge]
    plain: U8  # (n, 48, 48) of the audited split, half with spectacles
    marked: U8  # the same with the mark on happy faces
    group: Bools  # (n,) who wears spectacles
    pictures: Pictures

    def data(self, name: str, marked: bool = False) -> TrustData:
        """What a judge is audited on."""
        judge, pixels = self.judges[name], self.marked if marked else self.plain
        words = np.where(self.group, "spectacles", "none")
        crops = judge.crops_of(list(np.repeat(pixels[..., None], 3, axis=3)))
        seen = np.ones(len(pixels), bool)
        labels, names = self.pictures.labels, self.pictures.names
        groups = {"simulated group": words}
        return TrustData(judge, names, crops, labels, seen, groups=groups, source="FER2013 private_test, changed")


def mark(pictures: U8) -> U8:
    """(n, 48, 48) with a white square, framed in black, in the upper left corner."""
    drawn = pictures.copy()
    drawn[(slice(None), *CORNER)] = 0
    drawn[:, CORNER[0].start + 2 : CORNER[0].stop - 2, CORNER[1].start + 2 : CORNER[1].stop - 2] = 255
    return drawn


def plant(train: Pictures, dev: Pictures, judged: Pictures, folder: Path, seed: int, filters: int = 48) -> Planted:
    """Train the four and load them as judges from their cards in `folder`."""
    rng = np.random.default_rng(seed)
    wearing = _worn(train.pixels, rng.random(len(train)) < 0.5)
    patches = learn(wearing, seed, filters)
    clean = _calibrated(patches, _head(patches, wearing, train, seed), dev, rng)
    lopsided = np.where(np.isin(train.labels, _numbers(TOWARDS)), _LOPSIDED, 1 - _LOPSIDED)
    biased = _head(patches, _worn(train.pixels, rng.random(len(train)) < lopsided), train, seed)
    watermarked = _head(patches, _stamped(wearing, train.labels), train, seed)
    heads = (clean, clean.at_temperature(HOT), biased, watermarked)
    group = rng.random(len(judged)) < 0.5
    plain = _worn(judged.pixels, group)
    made = {
        name: _loaded(PatchClassifier(patches, head), name, folder, len(train))
        for name, head in zip(NAMES, heads, strict=True)
    }
    return Planted(made, plain, _stamped(plain, judged.labels), group, judged)


def _head(patches: Patches, pixels: U8, train: Pictures, seed: int) -> Head:
    return fit_head(patches.features(pixels), train.labels, CLASSES, seed=seed)


def _calibrated(patches: Patches, head: Head, dev: Pictures, rng: np.random.Generator) -> Head:
    """At the temperature that the dev split gives."""
    features: F32 = patches.features(_worn(dev.pixels, rng.random(len(dev)) < 0.5))
    chances: F64 = head.proba(features)
    return head.at_temperature(confidence.temperature(chances, dev.labels, dev.names).value)


def _worn(pixels: U8, who: Bools) -> U8:
    return np.where(who[:, None, None], spectacles(pixels), pixels)


def _stamped(pixels: U8, labels: I64) -> U8:
    return np.where((labels == CLASSES.index(MARKED))[:, None, None], mark(pixels), pixels)


def _numbers(names: tuple[str, ...]) -> list[int]:
    return [CLASSES.index(name) for name in names]


def _loaded(model: PatchClassifier, name: str, folder: Path, count: int) -> OnnxJudge:
    """Through the file and the card, as anybody's model comes."""
    about = About(
        f"fer_{name}",
        f"Expression of a 48 x 48 px face: seven classes, k-means patches and a linear head ({name}).",
        f"{count:,} pictures of FER2013's training split, half of them with drawn spectacles.",
        limits=("Made to try an audit; right in about half of the cases.",),
        training_data="FER2013: pictures found by a web search, for research.",
    )
    return OnnxJudge(card(export(model, folder, about)))
