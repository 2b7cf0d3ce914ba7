"""A small classifier of face crops, trained from scratch in a minute or two on two cores: k-means patches, a linear head.

After Coates, Lee and Ng, An analysis of single-layer networks in unsupervised feature learning, AISTATS 2011: random
patches are normalised and whitened, k-means finds typical ones, and a picture is described by how strongly each typical
patch answers in each cell of a grid. A multinomial logistic regression reads the class off that.

A face and its mirror image get the same description (exactly so where the patches end with the picture, as they do at
48 px): the answers of a picture and of its mirror are added, cell by cell. A linear head that is trained on all pictures
and on their mirrors comes to the same, with four times the arithmetic.

`features` is apart from `fit_head`, so that many heads can be trained on other labels or subsets at little cost:

    patches = learn(pictures, seed=0)
    described = patches.features(pictures)
    head = fit_head(described[kept], labels[kept], classes)
    model = PatchClassifier(patches, head)
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.errors import EvidenceError, UsageError
from mien.types import F32, U8

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]

FLAT = 10.0  # grey levels squared; added to the variance of a patch, so that flat ones do not become noise
PENALTIES = (0.1, 0.035, 0.012)  # of the squared weights, for a mean loss per picture; the dev split chooses
_RIDGE = 0.1  # added to the variances when whitening
_FLOOR = 0.5  # an answer below this counts as none
STRIDE = 2  # px from patch to patch
_DRAWN = 100_000  # patches that the dictionary is learned from
_BLOCK = 32  # pictures at a time: what they unfold to stays near the cache
_STEPS = 60  # of L-BFGS at most; stopping early regularises as well
_NEVER = -50.0  # logit of a class that was not in the training data


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """A dictionary of k typical patches, and how their answers are gathered."""

    shape: tuple[int, int]  # height, width in px of the pictures it describes
    filters: F32  # (p * p, k) each sums to zero
    bias: F32  # (k,)
    grid: int  # cells a side

    @property
    def side(self) -> int:
        """Side of a patch in px."""
        return math.isqrt(len(self.filters))

    @property
    def both(self) -> tuple[F32, F32]:
        """Filters (p * p, 2 k) and bias (2 k,) of the patches and of their mirror images."""
        p = self.side
        mirrored = self.filters.reshape(p, p, -1)[:, ::-1].reshape(p * p, -1)
        return np.concatenate([self.filters, mirrored], axis=1), np.concatenate([self.bias, self.bias])

    def cells(self, axis: int) -> tuple[int, int]:
        """Step and length in patches of the cells along an axis; neighbours may overlap, so that they end evenly."""
        count = (self.shape[axis] - self.side) // STRIDE + 1
        step = count // self.grid
        return step, count - step * (self.grid - 1)

    def features(self, pictures: U8) -> F32:
        """(n, h, w) grey pictures to (n, grid * grid * k) descriptions: mean answer per cell, picture plus mirror.

        Raises UsageError for pictures of another size."""
        if pictures.shape[1:] != self.shape or pictures.dtype != np.uint8:
            raise UsageError(f"Grey uint8 pictures of {self.shape} px are wanted, not {pictures.shape[1:]}.")
        filters, bias = self.both
        k = len(self.bias)
        found = np.empty((len(pictures), self.grid, self.grid, k), np.float32)
        for start in range(0, len(pictures), _BLOCK):
            answers = self._gather(_answers(pictures[start : start + _BLOCK], self.side, filters, bias))
            found[start : start + _BLOCK] = answers[..., :k] + answers[:, :, ::-1, k:]
        return found.reshape(len(pictures), -1)

    def _gather(self, answers: F32) -> F32:
        """(n, rows, columns, 2 k) answers of patches to means (n, grid, grid, 2 k) of cells."""
        for axis in (0, 1):
            step, length = self.cells(axis)
            rows = [
                np.take(answers, range(cell * step, cell * step + length), axis=1 + axis).mean(1 + axis)
                for cell in range(self.grid)
            ]
            answers = np.stack(rows, axis=1 + axis)
        return answers


def learn(pictures: U8, seed: int = 0, filters: int = 128, patch: int = 8, grid: int = 6) -> Patches:
    """A dictionary of `filters` patches of `patch` x `patch` px from (n, h, w) grey pictures.

    Raises UsageError when a picture has no room for `grid` cells, EvidenceError with fewer patches than wanted."""
    shape = (int(pictures.shape[1]), int(pictures.shape[2]))
    if (min(shape) - patch) // STRIDE + 1 < grid:
        raise UsageError(f"Pictures of {shape} px have no room for {grid} cells of patches of {patch} px.")
    rng = np.random.default_rng(seed)
    normal = _normalised(_drawn(pictures, patch, rng))
    if len(normal) < 10 * filters:
        raise EvidenceError(f"{len(pictures)} pictures are too few for {filters} patches.", "Ask for fewer patches.")
    centre = normal.mean(0)
    variances, axes = np.linalg.eigh(np.cov((normal - centre).T))
    whiten = (axes / np.sqrt(np.maximum(variances, 0) + _RIDGE)) @ axes.T
    typical = _typical(((normal - centre) @ whiten).astype(np.float32), filters, seed)
    found = whiten @ typical.T
    found -= found.mean(0)  # a patch's mean is taken off: the same as filters that sum to zero
    bias = -(centre @ found) - _FLOOR
    return Patches(shape, found.astype(np.float32), bias.astype(np.float32), grid)


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A linear layer and a softmax over descriptions as `Patches.features` gives them; standardising is folded in."""

    weights: F32  # (D, c)
    bias: F32  # (c,)
    classes: tuple[str, ...]
    penalty: float  # the one that was chosen

    def logits(self, features: F32) -> F32:
        """(n, D) to (n, c)."""
        return np.asarray(features @ self.weights + self.bias, np.float32)

    def proba(self, features: F32) -> F64:
        """(n, D) to (n, c) probabilities."""
        logits = self.logits(features).astype(np.float64)
        raised = np.exp(logits - logits.max(1, keepdims=True))
        return np.asarray(raised / raised.sum(1, keepdims=True))

    def predict(self, features: F32) -> I64:
        """(n, D) to (n,) numbers of the likeliest class."""
        return np.asarray(self.logits(features).argmax(1), np.int64)

    def at_temperature(self, temperature: float) -> Head:
        """The same decisions, surer (below 1) or less sure (above 1)."""
        shrunk = np.float32(1 / temperature)
        return replace(self, weights=self.weights * shrunk, bias=self.bias * shrunk)


def fit_head(
    features: F32,
    labels: I64,
    classes: Sequence[str],
    dev: tuple[F32, I64] | None = None,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
) -> Head:
    """A head from (n, D) descriptions and (n,) numbers of `classes`.

    Of several `penalties` the one is kept whose head gives the labels of `dev` (descriptions, labels) the highest mean
    log probability; without `dev` a tenth of the data, drawn by `seed`, is held out for that. With one penalty nothing
    is held out. A class without a picture is never answered. Raises EvidenceError with fewer than two classes."""
    if len(np.unique(labels)) < 2:
        raise EvidenceError("A classifier needs pictures of two classes at least.")
    if dev is None and len(penalties) > 1:
        order = np.random.default_rng(seed).permutation(len(labels))
        held, kept = np.split(order, [max(1, len(labels) // 10)])
        dev, features, labels = (features[held], labels[held]), features[kept], labels[kept]
    mean, spread = features.mean(0), features.std(0) + np.float32(1e-3)
    standard = (features - mean) / spread
    made = [
        Head(weights / spread[:, None], bias - (mean / spread) @ weights, tuple(classes), penalty)
        for penalty, weights, bias in _path(standard, labels, len(classes), sorted(penalties, reverse=True))
    ]
    return made[0] if dev is None else max(made, key=lambda head: _likelihood(head, *dev))


@dataclass(frozen=True, slots=True, eq=False)
class PatchClassifier:
    """Dictionary and head: pictures to probabilities. `mien.reproduce.patch_onnx` makes a model file and card of it."""

    patches: Patches
    head: Head

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the probabilities."""
        return self.head.classes

    def predict_proba(self, pictures: U8) -> F64:
        """(n, h, w) grey uint8 pictures to (n, c) probabilities."""
        return self.head.proba(self.patches.features(pictures))


def fit(
    pictures: U8,
    labels: I64,
    classes: Sequence[str],
    dev: tuple[U8, I64] | None = None,
    seed: int = 0,
    filters: int = 128,
) -> PatchClassifier:
    """A classifier from (n, h, w) grey uint8 pictures and (n,) numbers of `classes`; see `learn` and `fit_head`."""
    patches = learn(pictures, seed, filters)
    chosen_on = None if dev is None else (patches.features(dev[0]), dev[1])
    return PatchClassifier(patches, fit_head(patches.features(pictures), labels, classes, chosen_on, seed=seed))


def _answers(pictures: U8, side: int, filters: F32, bias: F32) -> F32:
    """(n, h, w) pictures to (n, rows, columns, k) rectified answers."""
    unfolded = np.lib.stride_tricks.sliding_window_view(pictures, (side, side), axis=(1, 2))
    unfolded = unfolded[:, ::STRIDE, ::STRIDE]
    flat = unfolded.reshape(-1, side * side).astype(np.float32)
    answers = flat @ filters
    answers /= np.sqrt(flat.var(1, keepdims=True) + np.float32(FLAT))
    answers += bias
    np.maximum(answers, 0, out=answers)
    return answers.reshape(*unfolded.shape[:3], -1)


def _drawn(pictures: U8, side: int, rng: np.random.Generator) -> F32:
    """(m, side * side) patches from random places; half of them mirrored."""
    windows = np.lib.stride_tricks.sliding_window_view(pictures, (side, side), axis=(1, 2))
    count = min(_DRAWN, windows.shape[0] * windows.shape[1] * windows.shape[2])
    which, row, column = (rng.integers(size, size=count) for size in windows.shape[:3])
    patches = windows[which, row, column]
    patches[::2] = patches[::2, :, ::-1]
    return np.asarray(patches.reshape(count, -1), np.float32)


def _normalised(patches: F32) -> F64:
    centred = patches.astype(np.float64) - patches.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred * centred).mean(1, keepdims=True) + FLAT))


def _typical(patches: F32, count: int, seed: int) -> F64:
    """(count, p * p) centres of k-means, of unit length."""
    from sklearn.cluster import MiniBatchKMeans

    found = MiniBatchKMeans(count, random_state=seed, batch_size=4096, n_init=1, max_iter=30).fit(patches)
    centres = found.cluster_centers_.astype(np.float64)
    return np.asarray(centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-9))


def _path(features: F32, labels: I64, classes: int, penalties: Sequence[float]) -> list[tuple[float, F32, F32]]:
    """(penalty, weights (D, c), bias (c,)) for each penalty, strongest first, each starting where the last one ended."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    made = []
    solver = LogisticRegression(max_iter=_STEPS, tol=1e-3, warm_start=True)
    for penalty in penalties:
        solver.set_params(C=1 / (penalty * len(labels)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            solver.fit(features, labels)
        rows, offsets = np.asarray(solver.coef_, np.float32), np.asarray(solver.intercept_, np.float32)
        if len(rows) == 1:  # two classes: one logit, of the second
            rows, offsets = np.concatenate([0 * rows, rows]), np.concatenate([0 * offsets, offsets])
        weights, bias = np.zeros((features.shape[1], classes), np.float32), np.full(classes, _NEVER, np.float32)
        weights[:, solver.classes_], bias[solver.classes_] = rows.T, offsets
        made.append((penalty, weights, bias))
    return made


def _likelihood(head: Head, features: F32, labels: I64) -> float:
    """Mean log probability of the labels."""
    given = head.proba(features)[np.arange(len(labels)), labels]
    return float(np.log(np.maximum(given, 1e-12)).mean())
