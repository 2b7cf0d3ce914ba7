"""A comparison of networks that hardly learnt is no test, whichever way it falls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mien.learn.data.words import BASIC
from mien.reproduce import cmnet, midas
from mien.reproduce.claim import Check, Reproduction
from mien.reproduce.cmnet_sides import NAMES, Sides
from mien.reproduce.fer_ablation import Ablation
from mien.reproduce.learnt import able, if_learnt
from mien.types import Metric


@pytest.mark.parametrize(
    ("low", "classes", "wanted"),
    [(0.29, 7, True), (0.28, 7, False), (2 / 7, 7, False), (0.5, 4, False), (0.51, 4, True)],
)
def test_twice_chance_is_the_least(low: float, classes: int, wanted: bool) -> None:
    assert able(Metric(0.6, low, 0.7, 9), classes) is wanted


def test_checks_of_weak_networks_are_untested_and_keep_their_figures() -> None:
    gain = Metric(0.1, 0.05, 0.15, 9)
    checks = (Check("better", True, gain), Check("worse", False, gain), Check("not at hand", None))
    assert if_learnt(checks, Metric(0.5, 0.4, 0.6, 9), 7, "control") == checks
    weak = if_learnt(checks, Metric(0.302, 0.268, 0.336, 9), 7, "the control")
    assert [one.holds for one in weak] == [None] * 3 and [one.measured for one in weak] == [gain, gain, None]
    assert "the control is right in 0.302 (0.268 to 0.336)" in weak[0].words and weak[2].words == "not at hand"


@pytest.mark.parametrize(("share", "tested"), [(0.2, False), (0.6, True)])
def test_halves_are_not_judged_on_networks_that_guess(share: float, tested: bool) -> None:
    truth = np.arange(2100) % 7
    given = {}
    for place, arm in enumerate(cmnet.forms()):
        for seed in (0, 1, 2):
            right = np.random.default_rng([place, seed]).random(2100) < share + 0.1 * place
            given[arm, seed] = np.where(right, truth, (truth + 1) % 7)
    same = dict.fromkeys(NAMES, np.zeros(2100))
    checks = cmnet._checks(Ablation(truth, BASIC, given), Sides({}, dict.fromkeys(given, same)))
    assert [one.holds is not None for one in checks] == [tested] * 4 + [False]


@pytest.mark.parametrize(("part", "tested"), [(0.05, False), (0.9, True)])
def test_shares_are_not_judged_on_networks_that_guess(part: float, tested: bool) -> None:
    random = np.random.default_rng(0)
    first, largest = np.arange(400) % 4, np.array([0.95, 0.7, 0.6])[np.arange(400) % 3]
    truth = largest[:, None] * np.eye(4)[first] + (1 - largest[:, None]) * np.eye(4)[(first + 1) % 4]
    said = {name: part * truth + (1 - part) * random.dirichlet(np.ones(4), (3, 400)) for name in midas.VARIANTS}
    people = np.repeat([f"p{number}" for number in range(40)], 10)
    splits = {"test": np.arange(400)}
    world: Any = SimpleNamespace(clips=SimpleNamespace(soft=truth), splits=splits, subjects=people)
    made: Reproduction = midas.told(world, said, "made up", (0, 1, 2))
    assert {one.holds is not None for one in made.checks[:-1]} == {tested}
    assert (made.verdict == "cannot be tested here") is not tested
