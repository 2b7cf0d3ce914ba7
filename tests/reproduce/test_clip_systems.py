"""`mien reproduce midas` and `rdfer`: people are in one split only, and figures and verdicts follow from what was said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.audit.document import encode
from mien.learn.synth.clips import More, clips
from mien.reproduce import clip_training as training
from mien.reproduce import clip_worlds as worlds
from mien.reproduce import midas, rdfer
from mien.reproduce.claim import Context
from mien.reproduce.drawn_faces import DrawnFaces

FEW = worlds.Sizes(2, 1, 3, 4, 24)


def test_nobody_is_in_two_splits_and_all_seeds_see_the_same_clips() -> None:
    one, same = (worlds.world(Context(), midas.pairs(), FEW) for _ in range(2))
    people = [set(one.subjects[rows].tolist()) for rows in one.splits.values()]
    assert [len(some) for some in people] == [2, 1, 3] and len(set().union(*people)) == 6
    assert one.pixels.shape == (36, 4, 24, 24, 1) and np.array_equal(one.pixels, same.pixels) and one.made_by == "drawn"
    assert np.allclose(one.clips.soft.sum(1), 1) and ((one.clips.soft > 0).sum(1) == 2).all()


def test_drawn_faces_show_what_their_units_say() -> None:
    made = clips(rdfer.doubtful(), 1, 12, 48, 3, More(make=DrawnFaces()))
    moved = np.abs(np.diff(made.pixels.astype(float), axis=1)).mean((2, 3, 4))
    strength = made.units.max((2, 3))
    assert strength[0].max() == 0 and strength[1:5].max(1).min() > strength[5:].max(1).max() > 0.2
    assert moved[1:5].max() > moved[0].max()
    assert np.flatnonzero(rdfer.hard(worlds.split(made, worlds.Sizes(1, 0, 0, 12, 48), "drawn"))).tolist() == [
        5,
        6,
        7,
        8,
    ]


def test_raters_vote_by_the_shares() -> None:
    shares = np.array([[0.5, 0.5, 0, 0], [1, 0, 0, 0]] * 500, np.float32)
    found = midas.voted(shares, 0)
    assert np.allclose(found.sum(1), 1) and np.allclose(found * 10 % 1, 0, atol=1e-9) and (found[1::2, 0] == 1).all()
    assert found[::2, 0].mean() == pytest.approx(0.5, abs=0.02) and 0.12 < found[::2, 0].std() < 0.2
    assert not np.array_equal(found, midas.voted(shares, 1))


def test_a_share_of_labels_is_flipped_to_another_class() -> None:
    truth = np.arange(5000) % 5
    found = rdfer.flipped(truth, 0.4, 0)
    assert (found != truth).mean() == pytest.approx(0.4, abs=0.03) and set(found.tolist()) == set(range(5))
    assert np.array_equal(rdfer.flipped(truth, 0.0, 0), truth)


def told(quality: dict[str, float]) -> midas.Judged:
    """Answers that hold a part of the truth and a part of nothing."""
    random = np.random.default_rng(0)
    largest = np.tile([0.55, 0.7, 0.95], 40)
    shares = np.stack([largest, 1 - largest, np.zeros(120), np.zeros(120)], 1)
    noise = random.dirichlet(np.ones(4), (3, 120))
    said = {name: part * shares + (1 - part) * noise for name, part in quality.items()}
    return midas.Judged(said, shares, np.repeat([f"p{index}" for index in range(20)], 6))


def test_figures_of_midas_by_hand() -> None:
    found = told({"hard": 0.3, "soft": 0.6, "hard + mixup": 0.3, "MIDAS": 0.9})
    assert {name: int(found.stratum(name).sum()) for name in midas.STRATA} == {
        "clear": 40,
        "between": 40,
        "ambiguous": 40,
    }
    p, q = found.said["MIDAS"], found.shares
    wanted = np.where(q > 0, q * np.log(np.maximum(q, 1e-12) / p), 0).sum(2).mean()
    assert found.metric("MIDAS", "KL").value == pytest.approx(wanted, abs=1e-6)
    assert found.metric("MIDAS", "Brier").value == pytest.approx(((p - q) ** 2).sum(2).mean())
    gain = found.gain("KL", "hard")
    assert gain.high < 0 and gain.value == pytest.approx(
        found.metric("MIDAS", "KL").value - found.metric("hard", "KL").value
    )
    rows = [found.stratum(name) for name in ("ambiguous", "clear")]
    one, other = (found.gain("top-1", "hard", row).value for row in rows)
    assert found.more("top-1", "hard").value == pytest.approx(one - other)


def test_calibration_is_against_the_share_of_raters() -> None:
    shares = np.array([[0.7, 0.3]] * 10)
    subjects = [f"p{index}" for index in range(10)]
    assert training.calibration(shares[None], shares, subjects).value == pytest.approx(0)
    sure = np.array([[[0.95, 0.05]] * 10])
    assert training.calibration(sure, shares, subjects).value == pytest.approx(0.25)
    assert training.calibration(sure, shares, subjects, shares[None]).value == pytest.approx(0.25)


def test_auroc_counts_pairs_of_the_same_run() -> None:
    scores = np.array([[3.0, 1.0, 2.0, 2.0], [0.0, 9.0, 9.0, 9.0]])
    first = np.array([[True, False, True, False], [False, True, False, False]])
    second = np.array([[False, True, False, True], [False, False, True, False]])
    assert training.above(scores, first, second, ["a", "b", "c", "d"]).value == pytest.approx((3 + 0.5 + 0.5) / 5)


def test_pairs_of_equal_loss() -> None:
    loss = np.array([0.0, 1.0, 1.1, 5.0, 0.9])
    noisy, weak = np.array([0, 1, 0, 1, 0], bool), np.array([1, 0, 1, 0, 1], bool)
    one, other = rdfer.matched(loss, noisy, weak)
    assert np.flatnonzero(one).tolist() == [1] and len(np.flatnonzero(other)) == 1
    assert abs(loss[one][0] - loss[other][0]) <= rdfer.NEAR


@pytest.mark.parametrize(("ours", "verdict"), [(1.0, True), (0.2, False)])
def test_the_checks_of_rdfer_follow_from_its_answers(ours: float, verdict: bool) -> None:
    world = worlds.world(Context(), rdfer.doubtful(), worlds.Sizes(3, 1, 6, 4, 24))
    truth = world.clips.truth[world.splits["test"]]
    random, found = np.random.default_rng(0), rdfer.Found()
    count = len(world.splits["train"])
    for noise in rdfer.NOISES:
        for name in rdfer.VARIANTS:
            part = ours if name == rdfer.OURS else 0.7
            right = random.random((3, len(truth))) < part
            found.said[noise, name] = list(np.eye(5)[np.where(right, truth, (truth + 1) % 5)])
    noisy = np.arange(count) % 2 == 0
    score = np.where(noisy, 1.0, 0.0) if verdict else np.where(noisy, 0.0, 1.0)
    for _ in range(3):
        found.scores.append(
            {"loss": np.ones(count), "agreement": score, "agreement on another class": score}
            | {"noisy": noisy.astype(float), "hard": (~noisy).astype(float)}
        )
    made = rdfer.told(world, found, "made up", (0, 1, 2))
    assert {check.holds for check in made.checks[:-1]} == {verdict} and made.checks[-1].holds is None
    assert made.metrics["noisy from hard by loss, at equal loss"].value == 0.5
    encode(made.report)


def test_a_training_that_is_looked_at_is_the_same_training() -> None:
    world = worlds.world(Context(), rdfer.doubtful(), FEW)
    how = replace(rdfer.recipe(FEW, True), epochs=2, batch=8)
    train, dev = (rdfer._part(world, world.clips.truth, name, how) for name in ("train", "dev"))
    seen: list[int] = []

    def look(epoch: int, net: torch.nn.Module) -> None:
        torch.rand(5)
        seen.append(epoch)

    plain = training.trained(how, train, dev, 3).state_dict()
    watched = training.trained(rdfer.Watched(**how.settings(), look=look), train, dev, 3).state_dict()
    assert seen == [0, 1] and all(torch.equal(plain[name], watched[name]) for name in plain)
    assert torch.equal(train.tensors["weight"], torch.ones(len(train))), "what votes change stays with the training"


@pytest.mark.slow
@pytest.mark.parametrize("module", [midas, rdfer])
def test_a_smoke_run_has_all_parts(module: object) -> None:
    found = module.run(Context(smoke=True))  # type: ignore[attr-defined]
    assert found.checks and "Variants" in found.report.tables and found.report.rows
    encode(found.report)
