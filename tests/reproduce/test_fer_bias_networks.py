"""Networks on data with induced bias: who wears spectacles, and what is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.learn.induced_bias import spectacles
from mien.learn.recipes.expression_fer import LABELS
from mien.learn.recipes.fairness_fer import KINDS, FairnessFer
from mien.learn.toy import pictures
from mien.reproduce.fer_bias_networks import WORDS, trained_on
from mien.reproduce.fer_bias_own import KINDS as OWN_KINDS
from mien.reproduce.fer_bias_own import shares


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_both_experiments_deal_alike(kind: str, tmp_path: Path) -> None:
    source = pictures(tmp_path, LABELS, each=10)
    data = FairnessFer(kind=WORDS[kind], strength=0.8, drawn=1000).data(source, "train")
    truth, group = (data.tensors[name].numpy() for name in ("truth", "group"))
    worn = np.array([group[truth == label].mean() for label in range(7)])
    assert worn == pytest.approx(shares(kind, 0.8))


def test_the_group_is_what_is_drawn(tmp_path: Path) -> None:
    source = pictures(tmp_path, LABELS, each=4)
    recipe = FairnessFer(strength=1.0, drawn=1000, size=48)
    every = recipe.data(source, "train").tensors["pixels"].numpy()[..., 0]
    assert (every == spectacles(every)).all()
    none = FairnessFer(strength=0.0, drawn=1000, size=48).data(source, "train").tensors["pixels"].numpy()[..., 0]
    assert (spectacles(none) == every).all()  # the same pictures in the same order
    small = FairnessFer(strength=1.0, drawn=1000, size=24)
    made = small.data(source, "train").tensors["pixels"].numpy()[..., 0]
    means = every.reshape(-1, 24, 2, 24, 2).mean((2, 4))
    assert made.shape[1:] == (24, 24) and np.abs(made - means).max() <= 0.5  # drawn first, then made small
    assert np.array_equal(small.shown(none, np.ones(len(none), int)).numpy()[..., 0], made)
    assert recipe.data(source, "dev").tensors["group"].float().mean() == 0.5


def test_every_test_picture_is_judged_in_both_groups(tmp_path: Path) -> None:
    source = pictures(tmp_path, LABELS, each=6)
    recipe = FairnessFer(kind="several", strength=1.0, drawn=42, epochs=1, batch=14)
    counts, matrices = trained_on(recipe, source, FairnessFer(size=48).data(source, "test"), 0)
    assert counts.sum() == 42 and counts.shape == (2, 7)
    assert counts[1, LABELS.index("anger")] == 6 and counts[1, LABELS.index("happiness")] == 0
    assert matrices.shape == (2, 7, 7) and (matrices.sum(2) == 6).all()


def test_a_bias_that_is_none_is_told(tmp_path: Path) -> None:
    source = pictures(tmp_path, LABELS, each=1)
    for recipe in (FairnessFer(kind="sly"), FairnessFer(strength=1.5)):
        with pytest.raises(UsageError, match=KINDS[0]):
            recipe.data(source, "train")
