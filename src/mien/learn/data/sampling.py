"""Which frames of a clip are seen, and how often an example is drawn. All in numpy, all from a seed.

    segments        n frames, one from each of n equal parts: its middle, or with a generator anywhere in it (TSN)
    strided         n frames, so many apart, from the middle or anywhere
    pair            onset and apex of an interval
    windows         all windows over a long video
    views           K strided or segment views of one clip

Frames are counted from the first that belongs to the example. Clips shorter than what is asked for repeat frames (segments)
or hold the last one (strided): no view is refused for being short.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mien.audit.metrics import F64, I64
from mien.errors import EvidenceError, UsageError
from mien.learn.data.example import Dataset, Span


def segments(count: int, n: int, rng: np.random.Generator | None = None) -> I64:
    """(n,) frames of a clip of `count`, rising: the middle of each of n equal parts, or one drawn from each.

    Wang et al., Temporal segment networks, ECCV 2016. Raises UsageError."""
    _check(count, n)
    edges = np.arange(n + 1) * count / n
    if rng is None:
        return np.minimum((edges[:-1] + edges[1:]) / 2, count - 1).astype(np.int64)
    return np.minimum(edges[:-1] + rng.random(n) * count / n, count - 1).astype(np.int64)


def strided(count: int, n: int, stride: int = 4, rng: np.random.Generator | None = None) -> I64:
    """(n,) frames `stride` apart, the whole in the middle of the clip, or beginning anywhere that it fits; the last frame
    is held where the clip is too short. As VideoMAE samples with n = 16 and stride 4. Raises UsageError."""
    _check(count, n)
    if stride < 1:
        raise UsageError(f"Frames cannot be {stride} apart.", "Ask for 1 or more.")
    spare = max(0, count - ((n - 1) * stride + 1))
    first = spare // 2 if rng is None else int(rng.integers(spare + 1))
    return np.minimum(first + stride * np.arange(n), count - 1).astype(np.int64)


def pair(span: Span) -> I64:
    """(2,) onset and apex; where no apex was coded, the middle of the interval."""
    apex = (span.onset + span.offset) // 2 if span.apex is None else span.apex
    return np.array([span.onset, apex], np.int64)


def windows(count: int, size: int, step: int) -> I64:
    """(w, 2) first and last frame of windows over a video, which is covered to its end: the last window ends there.

    A video shorter than a window is one window. Raises UsageError."""
    _check(count, size)
    if not 1 <= step <= size:
        raise UsageError(
            f"Windows of {size} frames every {step} leave gaps or stand still.", "Step from 1 to the size."
        )
    firsts = np.arange(0, max(1, count - size + 1), step)
    if firsts[-1] + size < count:
        firsts = np.append(firsts, count - size)
    return np.stack([firsts, np.minimum(firsts + size, count) - 1], axis=1).astype(np.int64)


def views(count: int, n: int, k: int, rng: np.random.Generator, stride: int = 0) -> I64:
    """(k, n) frames of k views of one clip, drawn one by one: from segments, or strided where a stride is given."""
    return np.stack([strided(count, n, stride, rng) if stride else segments(count, n, rng) for _ in range(k)])


def class_weights(counts: Sequence[int], how: str = "inverse", beta: float = 0.999) -> F64:
    """(K,) a weight per class; averaged over the examples they are 1, so a loss keeps its size. A class without an example
    has weight 0.

    inverse: 1 / count. effective: (1 - beta) / (1 - beta^count), Cui et al., Class-balanced loss based on effective number
    of samples, CVPR 2019. Raises UsageError, EvidenceError."""
    held = np.asarray(counts, np.float64)
    if how not in ("inverse", "effective") or not 0 <= beta < 1:
        raise UsageError(
            f"There are no weights {how!r} with beta {beta}.", "Ask for inverse or effective, beta from 0 to 1."
        )
    if not len(held) or held.min() < 0 or held.sum() <= 0:
        raise EvidenceError("No class has an example, so none has a weight.", "Check the labels.")
    there = held > 0
    raw = np.zeros_like(held)
    raw[there] = 1 / held[there] if how == "inverse" else (1 - beta) / -np.expm1(held[there] * np.log(beta or 1e-300))
    weights: F64 = raw * held.sum() / (raw * held).sum()
    return weights


def example_weights(dataset: Dataset, how: str = "inverse", beta: float = 0.999) -> F64:
    """(n,) the chance of each example to be drawn, so that classes come up as their weights say; they sum to 1.

    Examples without a label are never drawn. Raises UsageError, EvidenceError."""
    labels = sorted({one.label for one in dataset.examples if one.label})
    places = {label: place for place, label in enumerate(labels)}
    truth = np.array([places[one.label] if one.label else -1 for one in dataset.examples], np.int64)
    weights = class_weights(np.bincount(truth[truth >= 0], minlength=len(labels)).tolist(), how, beta)
    chances = np.where(truth >= 0, weights[truth], 0.0)
    whole: F64 = chances / chances.sum()
    return whole


def draws(chances: F64, batch: int, seed: int, epoch: int = 0) -> Iterator[I64]:
    """Batches of an epoch, as many draws with replacement as there are examples; the seed and the epoch decide them."""
    rng = np.random.default_rng((seed, epoch))
    drawn = rng.choice(len(chances), len(chances), p=chances)
    for start in range(0, len(drawn), batch):
        yield drawn[start : start + batch]


def _check(count: int, n: int) -> None:
    if count < 1:
        raise UsageError(f"A clip of {count} frames has nothing to sample.", "Leave it out.")
    if n < 1:
        raise UsageError(f"{n} frames are none.", "Ask for 1 or more.")
