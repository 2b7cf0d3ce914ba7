"""The own experiment with networks: features are learnt from the biased data, as they are in the paper."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from mien.audit.metrics import F64, bias
from mien.learn.data.example import Dataset
from mien.learn.data.layouts import read
from mien.learn.fit import Settings, fit
from mien.learn.predict import predict
from mien.learn.recipe import Arrays
from mien.learn.recipes.expression_fer import LABELS
from mien.learn.recipes.fairness_fer import FULL, FairnessFer
from mien.learn.stills import stills
from mien.reproduce.fer_bias_own import KINDS, Progress, Runs, Trained, counted, gathered

STRENGTHS = (0.0, 0.5, 1.0)
WORDS = dict(zip(KINDS, ("representational", "one", "several"), strict=True))


def experiment(path: Path, seeds: tuple[int, ...], progress: Progress) -> tuple[Trained, ...]:
    """A network per kind, strength and seed; all of a seed begin with the same weights and see the same pictures."""
    torch.set_num_threads(1)
    source = read(path, "fer2013")
    test = stills(source, "test", LABELS, FULL)
    wanted = [(kind, strength) for kind in KINDS for strength in STRENGTHS if strength != 0.5 or kind == KINDS[0]]
    runs: Runs = {}
    for turn, seed in enumerate(seeds):
        for done, (kind, strength) in enumerate(wanted):
            progress("networks", turn * len(wanted) + done, len(seeds) * len(wanted))
            recipe = FairnessFer(kind=WORDS[kind], strength=strength, draw=seed)
            runs[kind, strength, seed] = trained_on(recipe, source, test, seed)
    progress("networks", len(seeds) * len(wanted), len(seeds) * len(wanted))
    return tuple(gathered(kind, STRENGTHS, seeds, runs) for kind in KINDS)


def trained_on(recipe: FairnessFer, source: Dataset, test: Arrays, seed: int) -> tuple[F64, F64]:
    """(G, C) training pictures and (G, C, C) confusion matrices: every test picture in both groups."""
    train, dev = recipe.data(source, "train"), recipe.data(source, "dev")
    with tempfile.TemporaryDirectory() as folder:
        net = fit(recipe, {"train": train, "dev": dev}, Path(folder), Settings(seed=seed, device="cpu")).net
    labels = test.tensors["truth"].numpy()
    plain = test.tensors["pixels"].numpy()[..., 0]
    given = []
    for worn in (0, 1):
        shown = recipe.shown(plain, np.full(len(labels), worn))
        given.append(predict(recipe, net, Arrays({"pixels": shown}, test.tensors["truth"])).argmax(1))
    group = np.repeat([0, 1], len(labels))
    matrices = bias.confusion(group, np.tile(labels, 2), np.concatenate(given), 2, len(LABELS))
    return counted(train.tensors["group"].numpy(), train.tensors["truth"].numpy()), matrices
