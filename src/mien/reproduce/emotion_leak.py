"""What a score gains when copies of rare pictures are made before the data are split: nothing but the look of it.

Both ways hold the same pictures, copies, network and number of pictures seen. One splits first, and copies in the training
part alone. The other copies first, so pictures that it is judged on have near twins among those it learnt from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mien.audit.metrics import affect
from mien.learn.data.words import BASIC
from mien.learn.offline import topped_up, with_copies
from mien.learn.recipe import Arrays
from mien.learn.recipes.emotion_cnn import EmotionCnn
from mien.report import Row
from mien.reproduce.claim import Check
from mien.reproduce.fer_ablation import F64, MEASURES, Arm, part, train, wider
from mien.types import Metric

BEFORE, AFTER = "copies, then split", "split, then copies"
HELD = 0.2  # share that is held back to judge on
OWN, FRESH = "pictures held back", "FER2013 private test"


@dataclass(frozen=True, slots=True, eq=False)
class Leak:
    """One training: what it scored on what it held back, and on pictures that nobody had touched."""

    way: str
    seed: int
    tables: Mapping[str, F64]  # OWN, FRESH -> (k, k + 1) counts
    twins: float  # share of the pictures held back of which a version was learnt from
    seconds: float  # of the processor


def demonstrated(
    pool: Arrays,
    fresh: Arrays,
    seeds: Sequence[int],
    passes: int,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Leak]:
    """Both ways with every seed; each seed splits anew. What is held back chooses nothing."""
    found: list[Leak] = []
    for seed in seeds:
        for way in (BEFORE, AFTER):
            progress("leakage", len(found), 2 * len(seeds))
            found.append(_one(pool, fresh, way, seed, passes))
    return found


def _one(pool: Arrays, fresh: Arrays, way: str, seed: int, passes: int) -> Leak:
    began = time.process_time()
    recipe = EmotionCnn(width=12, depths=(1, 1, 1), size=pool.tensors["pixels"].shape[1], online=False, offline=False)
    learnt, held, twins = split(pool, way, seed)
    # The epoch is chosen on a slice of the training part, which favours late ones, alike in both ways.
    run = train(Arm(way, recipe, learnt, part(learnt, torch.arange(0, len(learnt), 10))), seed, passes)
    tables = {}
    for name, judged in ((OWN, held), (FRESH, fresh)):
        truth = judged.tensors["truth"].numpy()
        tables[name] = affect.counts(truth, run.answers(judged).argmax(1), len(BASIC))
    return Leak(way, seed, tables, twins, time.process_time() - began)


def split(pool: Arrays, way: str, seed: int) -> tuple[Arrays, Arrays, float]:
    """What is learnt from, what is held back, and the share of the latter with a twin in the former."""
    generator = torch.Generator().manual_seed(seed)
    if way == AFTER:
        order = torch.randperm(len(pool), generator=generator)
        cut = round(HELD * len(pool))
        return topped_up(part(pool, order[cut:]), "train", len(BASIC), seed), part(pool, order[:cut]), 0.0
    whole, origin = with_copies(pool, len(BASIC), seed)
    order = torch.randperm(len(whole), generator=generator)
    cut = round(HELD * len(whole))
    twins = torch.isin(origin[order[:cut]], origin[order[cut:]]).double().mean()
    return part(whole, order[cut:]), part(whole, order[:cut]), float(twins)


def inflation(leaks: Sequence[Leak], measure: str, where: str = OWN) -> Metric:
    """Copies first minus split first: mean over seeds, each with its own split; the wider interval, pictures redrawn."""
    score = MEASURES[measure]
    seeds = sorted({one.seed for one in leaks})
    held = {(one.way, one.seed): one.tables[where] for one in leaks}
    each = [float(score(held[BEFORE, seed]) - score(held[AFTER, seed])) for seed in seeds]
    random = np.random.default_rng(0)
    drawn = [score(_redrawn(held[BEFORE, s], random)) - score(_redrawn(held[AFTER, s], random)) for s in seeds]
    return wider(each, np.mean(drawn, axis=0), int(sum(held[AFTER, seed].sum() for seed in seeds)), (-1.0, 1.0))


def _redrawn(table: F64, random: np.random.Generator, rounds: int = 1000) -> F64:
    """(rounds, k, k + 1) counts of as many pictures, redrawn."""
    drawn = random.multinomial(int(table.sum()), (table / table.sum()).ravel(), rounds)
    return drawn.reshape(rounds, *table.shape).astype(np.float64)


def metrics(leaks: Sequence[Leak]) -> dict[str, Metric]:
    """By how much each score is inflated, and what it does on untouched pictures."""
    return {f"{name} gained, {where}": inflation(leaks, name, where) for where in (OWN, FRESH) for name in MEASURES}


def checks(leaks: Sequence[Leak]) -> list[Check]:
    """Not of the paper, which does not say in which order it went: of the trap."""
    own = inflation(leaks, "UAR")
    words = "copies before the split inflate macro recall on the pictures held back (not the paper's): interval above 0"
    return [Check(words, own.low > 0, own)]


def table(leaks: Sequence[Leak]) -> list[Row]:
    """The two ways side by side."""
    rows: list[Row] = []
    for way in (BEFORE, AFTER):
        mine = [one for one in leaks if one.way == way]
        scores = {
            f"{name}, {where}": float(np.mean([MEASURES[name](one.tables[where]) for one in mine]))
            for where in (OWN, FRESH)
            for name in ("UAR", "accuracy")
        }
        rows.append(
            {"order": way, "held back with a twin in training": float(np.mean([one.twins for one in mine])), **scores}
        )
    return rows


def rows(leaks: Sequence[Leak]) -> list[Row]:
    """One per training."""
    return [
        {
            "form": one.way, "seed": one.seed, "twins": one.twins, "processor s": one.seconds,
            **{f"{name}, {where}": float(MEASURES[name](one.tables[where])) for where in (OWN, FRESH) for name in MEASURES},
        }
        for one in leaks
    ]  # fmt: skip


def findings(leaks: Sequence[Leak]) -> list[str]:
    """In words."""
    own, fresh = inflation(leaks, "UAR"), inflation(leaks, "UAR", FRESH)
    return [
        f"Copies before the split: macro recall {own.value:+.3f} ({own.low:+.3f} to {own.high:+.3f}) on pictures held back, "
        f"{fresh.value:+.3f} ({fresh.low:+.3f} to {fresh.high:+.3f}) on pictures that nobody touched. The first is memory."
    ]


__all__ = ["AFTER", "BEFORE", "Leak", "checks", "demonstrated", "findings", "metrics", "part", "rows", "split", "table"]
