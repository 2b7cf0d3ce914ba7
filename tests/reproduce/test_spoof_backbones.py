"""`mien reproduce spoof_backbones`: nobody is on two sides, budgets are kept, and the verdict follows from the runs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from mien.audit.document import encode
from mien.audit.metrics import attacks
from mien.errors import EvidenceError, InputError, MediaNotFound
from mien.learn.attacks import BONA_FIDE
from mien.learn.attacks.pool import Pool
from mien.learn.recipes.spoof_backbones import NETS, SpoofBackbones
from mien.reproduce import spoof_backbones as module
from mien.reproduce import spoof_data as data
from mien.reproduce.claim import Context
from mien.reproduce.spoof_report import over_runs
from mien.reproduce.spoof_training import LOOKS, Course, Look, course, live
from mien.types import Metric


def made(people: int = 24, seed: int = 0) -> Pool:
    """Presentations that are easy to tell: attacks are bright."""
    random = np.random.default_rng(seed)
    kinds = np.array([kind for _ in range(people) for kind in (BONA_FIDE, "print", "replay", "cut", "partial")])
    names = np.array([f"p{index:02}" for index in range(people) for _ in range(5)])
    odd = np.repeat(np.arange(people) % 2, 5)
    species = np.array(
        [kind if kind == BONA_FIDE else f"{kind}, {'ab'[at]}" for kind, at in zip(kinds, odd, strict=True)]
    )
    level = np.where(kinds == BONA_FIDE, 90, 150)[:, None, None, None]
    pixels = np.clip(level + random.normal(0, 25, (len(kinds), 64, 64, 1)), 0, 255).astype(np.uint8)
    return Pool(pixels, kinds, species, names)


def test_people_of_training_dev_and_test_are_others() -> None:
    everybody = [f"p{index:02}" for index in range(24)]
    world = data.World(made(), tuple(everybody[:8]), tuple(everybody[8:]), data.Sizes(12, 4, 8))
    splits = [world.split("print", seed) for seed in (0, 1)]
    for train, dev in splits:
        sides = [set(one.subjects.tolist()) for one in (train, dev, world.judged)]
        assert [len(side) for side in sides] == [12, 4, 8] and not (
            sides[0] & sides[1] or sides[2] & (sides[0] | sides[1])
        )
        assert set(train.kinds.tolist()) == set(dev.kinds.tolist()) == {BONA_FIDE, "print"}
    assert set(splits[0][1].subjects.tolist()) != set(splits[1][1].subjects.tolist())


def test_a_training_keeps_its_budget_and_learns_an_easy_thing() -> None:
    pool = made()
    train, dev = (
        pool.of((BONA_FIDE, "print"), [f"p{i:02}" for i in range(16)]),
        pool.of((BONA_FIDE, "print"), ["p20", "p21"]),
    )
    found = course(SpoofBackbones(net="vit", batch=16), train, dev, 0.6, 0)
    # On a busy machine the first batch alone may use up the budget.
    assert 1 <= len(found.looks) <= LOOKS and found.looks[-1].seconds >= 0.6 and found.seen % 16 == 0
    assert [look.seconds for look in found.looks] == sorted(look.seconds for look in found.looks)
    assert max(look.auc for look in found.looks) > 0.9
    said = live(found.net, dev.pixels)
    assert found.threshold == attacks.threshold_at_eer(said[dev.live], said[~dev.live]) and said.shape == (4,)


def test_the_area_under_a_learning_curve_and_the_time_to_converge() -> None:
    looks = tuple(Look(float(second), second * 10, auc) for second, auc in ((1, 0.7), (2, 0.9)))
    found = Course(cast(Any, None), looks, 0.5)
    assert found.mean == pytest.approx((0.6 + 0.8) / 2) and found.seen == 20
    assert found.reached(0.7) == 1.0 and found.reached(0.8) == 2.0 and found.reached(0.95) is None


def test_error_rates_count_by_species_at_the_threshold_given() -> None:
    """By hand: of 24 people, bona fide all accepted but six; replay species a accepted in 3 of 12, b in 6 of 12."""
    pool = made()
    live = np.zeros(len(pool))
    rows = {name: np.flatnonzero(pool.species == name) for name in set(pool.species.tolist())}
    live[rows[BONA_FIDE][6:]] = 0.9
    live[rows["replay, a"][:3]] = live[rows["replay, b"][:6]] = 0.5  # inclusive
    live[rows["print, b"]] = 0.6
    found = module.measured(pool, live, 0.5, "print")
    assert (found["BPCER"].value, found["APCER max, unseen"].value, found["APCER max, seen"].value) == (0.25, 0.5, 1.0)
    assert found["APCER replay, a"].value == 0.25 and found["ACER, unseen"].value == pytest.approx((0.5 + 0.25) / 2)
    assert found["accuracy, unseen"].value == pytest.approx((18 + 15) / 48) and found["APCER cut, pooled"].value == 0
    assert all(one.low <= one.value <= one.high for one in found.values())


@pytest.mark.parametrize(("gap", "curve", "verdicts"), [(-0.1, 0.1, [True] * 6), (0.1, -0.1, [False] * 6)])
def test_the_checks_follow_from_paired_runs(gap: float, curve: float, verdicts: list[bool]) -> None:
    random = np.random.default_rng(3)
    figures, courses = {}, {}
    for net in NETS:
        for medium in data.UNSEEN:
            for seed in (0, 1, 2):
                mine = net == NETS[0]
                value = 0.3 + (gap if mine else 0) + random.normal(0, 0.002)
                figures[net, medium, seed] = {
                    "ACER, unseen": Metric(value, value, value, 9),
                    "accuracy, seen": Metric(1 - value, 0, 1, 9),
                }
                courses[net, medium, seed] = SimpleNamespace(
                    mean=0.7 + (curve if mine else 0) + random.normal(0, 0.002)
                )
    checks = module._checks(figures, cast(Any, courses))
    assert [check.holds for check in checks] == verdicts and len({check.words for check in checks}) == 6
    assert all(check.measured is not None and check.measured.n == 6 for check in checks)


def test_intervals_over_runs_are_students() -> None:
    found = over_runs([0.1, 0.2, 0.3])
    assert found.value == pytest.approx(0.2) and found.high - found.value == pytest.approx(
        4.3027 * 0.1 / np.sqrt(3), abs=1e-4
    )
    assert over_runs([0.01, 0.2], (0.0, 1.0)).low == 0 and over_runs([0.4]) == Metric(0.4, 0.4, 0.4, 1)


def test_it_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match=r"lfw_grey\.zip"):
        module.run(Context(tmp_path))
    (tmp_path / data.ARCHIVE).write_bytes(b"no zip")
    with pytest.raises(InputError, match="no zip that can be read"):
        data.world(tmp_path / data.ARCHIVE, data.Sizes(), lambda done, total: None)


def test_too_few_people_are_refused(data_zip: Path) -> None:
    with pytest.raises(EvidenceError, match="has 1 people"):
        data.world(data_zip, data.Sizes(), lambda done, total: None)


@pytest.fixture
def data_zip(tmp_path: Path) -> Path:
    from zipfile import ZipFile

    path = tmp_path / "few.zip"
    with ZipFile(path, "w") as archive:
        archive.writestr("lfw/A_B/A_B_0001.jpg", b"")
    return path


@pytest.mark.slow
def test_a_smoke_run_has_all_parts(data: Path) -> None:
    found = module.run(Context(data, smoke=True))
    assert len(found.checks) == 6 and found.verdict in ("reproduced", "partly", "not reproduced")
    assert {"Networks", "Convergence"} < set(found.report.tables) and len(found.report.rows) == 6
    encode(found.report)
