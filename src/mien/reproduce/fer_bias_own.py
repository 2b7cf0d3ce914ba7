"""An own experiment on FER2013: groups that are drawn onto the pictures, bias put into the training data on purpose.

Nobody says who the people in FER2013 are. So the group is simulated and visible: spectacles, drawn at the same place of every
picture, or none. Each picture can be had in both groups, so training sets of all strengths hold the same pictures and classes,
and both groups are judged on the same test pictures. The model is a linear head on fixed features (`patch_classifier`): what is
shown is how such a head picks up bias, not what a deep network would do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.audit.metrics import F64, I64, bias
from mien.learn.induced_bias import dealt, spectacles
from mien.learn.induced_bias import shares as shares_of
from mien.reproduce.fer2013 import CLASSES, Split
from mien.reproduce.fer2013 import read as read_split
from mien.reproduce.fer_bias_published import ONE, REPRESENTATIONAL, SEVERAL
from mien.reproduce.patch_classifier import fit_head, learn
from mien.types import F32

KINDS = (REPRESENTATIONAL, ONE, SEVERAL)
STRENGTHS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
TOWARDS = ("angry", "fear", "sad")  # several classes: these get a share f of spectacles, …
AWAY = ("disgust", "happy", "surprise")  # … these 1 - f, and neutral a half
ALONE = "happy"
FILTERS, GRID = 48, 4
TRAIN, DRAWN = 16_000, 8_000  # pictures described, and drawn of them by each seed
SMOKE = (1_500, 1_000, (0.0, 0.5, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """Pictures of one split as features, without and with spectacles."""

    features: F32  # (2, n, D) by group
    labels: I64  # (n,)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """All runs of one kind of bias."""

    kind: str
    strengths: F64  # (S,)
    model: Mapping[str, F64]  # metric of the model -> (S, R)
    data: Mapping[str, F64]  # metric of its training data -> (S, R)


def shares(kind: str, strength: float) -> F64:
    """(C,) share of each class's training pictures that wear spectacles."""
    word = {REPRESENTATIONAL: "representational"}.get(kind, "stereotypical")
    parts = {"towards": (ALONE,)} if kind == ONE else {"towards": TOWARDS, "away": AWAY}
    return shares_of(CLASSES, word, strength, parts)


Progress = Callable[[str, int, int], None]
Runs = dict[tuple[str, float, int], tuple[F64, F64]]


def experiment(path: Path, seeds: tuple[int, ...], smoke: bool, progress: Progress) -> tuple[Trained, ...]:
    """Every kind at every strength, once per seed. Balanced data are the same for all kinds."""
    total, drawn, strengths = SMOKE if smoke else (TRAIN, DRAWN, STRENGTHS)
    train, dev, test = _described(path, total, 700 if smoke else None, progress)
    wanted = [(kind, strength) for kind in KINDS for strength in strengths if strength != 0.5 or kind == KINDS[0]]
    runs: Runs = {}
    for turn, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        kept = rng.permutation(len(train.labels))[:drawn]
        # The penalty is chosen on the dev split, with balanced data, and kept for all strengths of this seed.
        group = dealt(train.labels[kept], shares(REPRESENTATIONAL, 0.5), rng)
        balanced = train.features[group, kept]
        half = np.arange(len(dev.labels)) % 2
        penalty = fit_head(
            balanced, train.labels[kept], CLASSES, (dev.features[half, np.arange(len(half))], dev.labels)
        )
        for done, (kind, strength) in enumerate(wanted, 1):
            group = dealt(train.labels[kept], shares(kind, strength), np.random.default_rng(seed + 1))
            head = fit_head(train.features[group, kept], train.labels[kept], CLASSES, penalties=(penalty.penalty,))
            runs[kind, strength, seed] = counted(group, train.labels[kept]), _judged(head.predict, test)
            progress("heads", turn * len(wanted) + done, len(seeds) * len(wanted))
    return tuple(gathered(kind, strengths, seeds, runs) for kind in KINDS)


def _described(path: Path, total: int, few: int | None, progress: Progress) -> tuple[Described, Described, Described]:
    """Training, dev and test pictures; the dictionary is learned from training pictures of both groups."""
    wanted: tuple[tuple[Split, int | None], ...] = (("train", total), ("public_test", few), ("private_test", few))
    splits = [read_split(path, split, at_most) for split, at_most in wanted]
    both = np.concatenate([splits[0].pixels[::2], spectacles(splits[0].pixels[1::2])])
    patches = learn(both, seed=0, filters=FILTERS, grid=GRID)
    found = []
    for done, pictures in enumerate(splits):
        progress("features", done, len(splits))
        groups = [patches.features(pixels) for pixels in (pictures.pixels, spectacles(pictures.pixels))]
        found.append(Described(np.stack(groups), pictures.labels))
    progress("features", len(splits), len(splits))
    return found[0], found[1], found[2]


def counted(group: I64, labels: I64) -> F64:
    """(G, C) training pictures."""
    table = np.bincount(group * len(CLASSES) + labels, minlength=2 * len(CLASSES))
    return table.reshape(2, len(CLASSES)).astype(np.float64)


def _judged(predict: Callable[[F32], I64], test: Described) -> F64:
    """(G, C, C) confusion matrices: every test picture in both groups."""
    given = np.concatenate([predict(features) for features in test.features])
    group = np.repeat([0, 1], len(test.labels))
    return bias.confusion(group, np.tile(test.labels, 2), given, 2, len(CLASSES))


def gathered(kind: str, strengths: tuple[float, ...], seeds: tuple[int, ...], runs: Runs) -> Trained:
    held = [runs[kind if strength != 0.5 else KINDS[0], strength, seed] for strength in strengths for seed in seeds]
    counts, matrices = (np.stack(part) for part in zip(*held, strict=True))
    shape = len(strengths), len(seeds)
    model = {name: measure(matrices).reshape(shape) for name, measure in {**bias.MODEL, "error": bias.error}.items()}
    data = {name: measure(counts.sum(axis=-1)).reshape(shape) for name, measure in bias.REPRESENTATIONAL.items()}
    data |= {name: measure(counts).reshape(shape) for name, measure in bias.STEREOTYPICAL.items()}
    return Trained(kind, np.array(strengths), model, data)
