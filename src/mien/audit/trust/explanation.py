"""Where a classifier looks, by covering parts of the face; and whether such a map may be believed.

importance   how much the probability of the answer falls when a square is covered with the crop's mean colour
             (occlusion sensitivity: Zeiler and Fergus, ECCV 2014)
faithful     deleting what the map calls important must cost more than deleting as much anywhere: with another filling
             (noise) than the map was made with, otherwise the map would be tested by itself (after Petsiuk, Das and
             Saenko, BMVC 2018)
sane         the map of the model with its weights shuffled must look different: a map that stays the same shows the
             picture, not the model (Adebayo et al., NeurIPS 2018)
on the face  importance outside of the ellipse that fills the crop, against what chance would put there, and where the mean
             map is highest: a mark in a corner or the background must not decide
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.audit.metrics.recognition import F64, I64, Bools
from mien.audit.trust.robustness import Classifier
from mien.errors import EvidenceError
from mien.types import U8

if TYPE_CHECKING:
    from mien.judge.onnx import OnnxJudge

_SIDE, _STEP = 4, 8  # a square is a 4th of the crop's side, and moves by an 8th
_DELETED = 0.2  # share of the crop that the test of faithfulness deletes
_SCALE = 4  # of pictures in the report


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Importance of n crops for the class that the model answered."""

    crops: U8  # (n, h, w, 3)
    answers: I64  # (n,) class
    sure: F64  # (n,) its probability
    values: F64  # (n, h, w) fall of that probability; negative where covering makes the model surer


def importance(classify: Classifier, crops: U8, answers: I64 | None = None) -> Maps:
    """Occlusion maps of (n, h, w, 3) crops, for their `answers` or for what the classifier answers."""
    clean = classify(crops)
    answers = clean.argmax(1).astype(np.int64) if answers is None else answers
    rows = np.arange(len(crops))
    sure = clean[rows, answers]
    height, width = crops.shape[1:3]
    total, times = np.zeros((len(crops), height, width)), np.zeros((height, width))
    fill = np.rint(crops.mean((1, 2), keepdims=True)).astype(np.uint8)
    for top, bottom in _spans(height):
        for left, right in _spans(width):
            covered = crops.copy()
            covered[:, top:bottom, left:right] = fill
            total[:, top:bottom, left:right] += (sure - classify(covered)[rows, answers])[:, None, None]
            times[top:bottom, left:right] += 1
    return Maps(crops, answers, sure, total / times)


def deletion(classify: Classifier, maps: Maps, seed: int = 0) -> tuple[F64, F64]:
    """(n,) fall of the answer's probability once the most important fifth of each crop is noise, and once a random
    fifth is, of the same shape moved elsewhere."""
    rng = np.random.default_rng(seed)
    height, width = maps.values.shape[1:]
    count = round(_DELETED * height * width)
    important = np.zeros((len(maps.values), height * width), bool)
    top = np.argsort(-maps.values.reshape(len(maps.values), -1), axis=1, kind="stable")[:, :count]
    np.put_along_axis(important, top, True, axis=1)
    masks = important.reshape(maps.values.shape)
    moved = np.stack([np.roll(mask, rng.integers((height, width)), axis=(0, 1)) for mask in masks])
    noise = rng.integers(0, 256, (*masks.shape, 1), np.uint8)  # grey, so that grey crops stay grey
    rows = np.arange(len(masks))
    falls = [
        maps.sure - classify(np.where(mask[..., None], noise, maps.crops))[rows, maps.answers]
        for mask in (masks, moved)
    ]
    return falls[0], falls[1]


def likeness(one: Maps, other: Maps) -> F64:
    """(n,) Spearman's rank correlation of two maps of the same crop; 0 where a map is flat."""
    from scipy.stats import rankdata

    ranks = [rankdata(maps.values.reshape(len(maps.values), -1), axis=1) for maps in (one, other)]
    centred = [rank - rank.mean(1, keepdims=True) for rank in ranks]
    lengths = np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    products = (centred[0] * centred[1]).sum(1)
    return np.asarray(np.divide(products, lengths, out=np.zeros(len(lengths)), where=lengths > 0))


def outside(maps: Maps) -> tuple[F64, float]:
    """(n, 2) positive importance outside the ellipse that fills the crop, and in all of it; that area's share of the crop,
    which is what chance would give. Add up faces before dividing: a face on which nothing matters tells nothing."""
    beyond = ~_ellipse(*maps.values.shape[1:])
    positive = np.maximum(maps.values, 0)
    return np.stack([positive[:, beyond].sum(1), positive.sum((1, 2))], axis=1), float(beyond.mean())


def peaks_outside(maps: Maps, rounds: int = 200, seed: int = 0, least: float = 0.05) -> float:
    """In which share of draws of the faces, with replacement, the mean map is highest outside of that ellipse, and
    covering that place costs the answer `least` of its probability or more.

    A mark that decides makes a peak in the same place again and again, though half of its importance may be smeared over
    its surroundings by the size of the covering square."""
    rng = np.random.default_rng(seed)
    count, (height, width) = len(maps.values), maps.values.shape[1:]
    weights = rng.multinomial(count, np.full(count, 1 / count), size=rounds)
    means = weights @ maps.values.reshape(count, -1) / count
    there = (~_ellipse(height, width)).reshape(-1)[means.argmax(1)]
    return float((there & (means.max(1) >= least)).mean())


def shuffled(judge: OnnxJudge, seed: int = 0) -> OnnxJudge:
    """The same classifier with the values of each of its weight arrays in random order: it has learned nothing.

    Raises EvidenceError where the graph holds no weight arrays that can be shuffled."""
    import onnx
    from onnx import numpy_helper

    from mien import models
    from mien.judge.onnx import OnnxJudge

    (path,) = models.ready(judge.card).values()
    model = onnx.load(str(path))
    rng = np.random.default_rng(seed)
    changed = 0
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.ndim >= 2 and values.size >= 16 and values.dtype.kind in "fi" and len(np.unique(values)) > 1:
            mixed = rng.permutation(values.reshape(-1)).reshape(values.shape)
            weights.CopyFrom(numpy_helper.from_array(mixed, weights.name))
            changed += 1
    if not changed:
        raise EvidenceError(f"The graph of {judge.name} holds no weights that can be shuffled.")
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        other = Path(folder) / "shuffled.onnx"
        onnx.save(model, str(other))
        return OnnxJudge.from_session(judge.card, models.session(other))


def picture(maps: Maps, shown: int) -> bytes:
    """A PNG of the first crops, each beside its map: red where covering costs the answer most, blue where it helps it."""
    pairs = [
        np.concatenate([_grey(crop), _tinted(crop, value)], axis=1)
        for crop, value in zip(maps.crops, maps.values, strict=True)
    ]
    return _png(np.concatenate(pairs[:shown], axis=0))


def mean_picture(crops: U8, values: F64) -> bytes:
    """A PNG of the mean crop beside the mean map over (n, h, w) maps."""
    crop = np.rint(crops.mean(0)).astype(np.uint8)
    return _png(np.concatenate([_grey(crop), _tinted(crop, values.mean(0))], axis=1))


def _spans(length: int) -> list[tuple[int, int]]:
    """Where a moving square begins and ends along a side; the last one ends with it."""
    side, step = max(1, length // _SIDE), max(1, length // _STEP)
    starts = sorted({*range(0, length - side + 1, step), length - side})
    return [(start, start + side) for start in starts]


def _ellipse(height: int, width: int) -> Bools:
    rows, columns = (np.arange(height) + 0.5) / height - 0.5, (np.arange(width) + 0.5) / width - 0.5
    inside: Bools = rows[:, None] ** 2 + columns[None, :] ** 2 <= 0.25
    return inside


def _grey(crop: U8) -> F64:
    return np.repeat(crop.mean(2, keepdims=True), 3, axis=2)


def _tinted(crop: U8, value: F64) -> F64:
    """Grey with red for importance and blue for its opposite, each map on its own scale."""
    strength = value / max(float(np.abs(value).max()), 1e-9)
    colour = np.where(strength[..., None] > 0, np.array([255.0, 0, 0]), np.array([0, 0, 255.0]))
    weight = 0.7 * np.abs(strength)[..., None]
    return np.asarray((1 - weight) * _grey(crop) + weight * colour)


def _png(pixels: F64) -> bytes:
    from PIL import Image

    held = BytesIO()
    large = np.repeat(np.repeat(np.rint(pixels).astype(np.uint8), _SCALE, axis=0), _SCALE, axis=1)
    Image.fromarray(large).save(held, format="PNG")
    return held.getvalue()
