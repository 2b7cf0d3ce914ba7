"""Frames that samplers take, weights of classes, soft labels: properties, and cases worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import EvidenceError, UsageError
from mien.learn.data.example import Dataset, Example, Media, Span
from mien.learn.data.sampling import (
    class_weights,
    draws,
    example_weights,
    pair,
    segments,
    strided,
    views,
    windows,
)
from mien.learn.data.soft import matrix, shares, smoothed
from mien.learn.data.words import EIGHT, emotion

COUNTS, SIZES, SEEDS = st.integers(1, 400), st.integers(1, 40), st.none() | st.integers(0, 2**32)


def labelled(*labels: str | None) -> Dataset:
    return Dataset("made", tuple(Example(f"e{n}", Media(Path("x")), label=label) for n, label in enumerate(labels)))


@given(COUNTS, SIZES, SEEDS)
def test_segments_take_one_frame_of_each_part(count: int, n: int, seed: int | None) -> None:
    found = segments(count, n, None if seed is None else np.random.default_rng(seed))
    assert found.shape == (n,) and (np.diff(found) >= 0).all() and 0 <= found.min() <= found.max() < count
    edges = np.arange(n + 1) * count / n
    assert (found >= np.floor(edges[:-1])).all() and (found <= np.ceil(edges[1:])).all()
    if count >= n:
        assert len(set(found.tolist())) == n or seed is not None


def test_segments_worked_out_by_hand() -> None:
    assert segments(16, 4).tolist() == [2, 6, 10, 14]
    assert segments(100, 1).tolist() == [50] and segments(2, 4).tolist() == [0, 0, 1, 1]


@given(COUNTS, SIZES, st.integers(1, 9), SEEDS)
def test_strided_frames_are_apart_until_the_clip_ends(count: int, n: int, stride: int, seed: int | None) -> None:
    found = strided(count, n, stride, None if seed is None else np.random.default_rng(seed))
    assert found.shape == (n,) and 0 <= found.min() <= found.max() < count
    inside = np.diff(found)[: max(0, int((found < count - 1).sum()) - 1)]
    assert (inside == stride).all()
    if (n - 1) * stride < count:
        assert (np.diff(found) == stride).all()
    else:
        assert found[0] == 0


@given(COUNTS, SIZES, st.data())
def test_windows_cover_a_video_to_its_end(count: int, size: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, size))
    found = windows(count, size, step)
    seen = np.zeros(count, int)
    for first, last in found.tolist():
        assert last - first + 1 == min(size, count)
        seen[first : last + 1] += 1
    assert seen.min() >= 1 and len(set(found[:, 0].tolist())) == len(found)


def test_views_and_pairs() -> None:
    one, again, other = (views(50, 8, 3, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == (3, 8) and np.array_equal(one, again) and not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])
    assert (np.diff(views(50, 8, 3, np.random.default_rng(1), stride=4), axis=1) == 4).all()
    assert pair(Span(4, 9, 20)).tolist() == [4, 9] and pair(Span(4, None, 20)).tolist() == [4, 12]


@pytest.mark.parametrize(
    "call",
    [lambda: segments(0, 3), lambda: segments(3, 0), lambda: strided(3, 3, 0), lambda: windows(9, 3, 4),
     lambda: class_weights([1], "other"), lambda: class_weights([1], "effective", 1.0), lambda: smoothed(np.eye(2), 1.0)],
)  # fmt: skip
def test_nonsense_is_refused(call: object) -> None:
    with pytest.raises(UsageError):
        call()  # type: ignore[operator]


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=12).filter(any), st.floats(0, 0.9999))
def test_weights_keep_the_size_of_a_loss_and_favour_the_rare(counts: list[int], beta: float) -> None:
    held = np.array(counts)
    for how in ("inverse", "effective"):
        weights = class_weights(counts, how, beta)
        assert np.isfinite(weights).all() and (weights * held).sum() / held.sum() == pytest.approx(1)
        assert (weights[held == 0] == 0).all()
        order = np.argsort(held[held > 0])
        assert (np.diff(weights[held > 0][order]) <= 1e-9).all()


def test_effective_numbers_by_the_formula() -> None:
    raw = np.array([(1 - 0.99) / (1 - 0.99**10), (1 - 0.99) / (1 - 0.99**1000)])
    found = class_weights([10, 1000], "effective", 0.99)
    assert found[0] / found[1] == pytest.approx(raw[0] / raw[1])
    assert class_weights([10, 1000], "effective", 0.0) == pytest.approx([1, 1]), "beta 0 weighs nothing"
    inverse = class_weights([10, 1000])
    assert inverse[0] / inverse[1] == pytest.approx(100)
    with pytest.raises(EvidenceError):
        class_weights([0, 0])


def test_weighted_draws_bring_classes_up_alike() -> None:
    dataset = labelled(*["happiness"] * 900, *["fear"] * 90, None)
    chances = example_weights(dataset)
    assert chances.sum() == pytest.approx(1) and chances[-1] == 0
    drawn = np.concatenate([np.concatenate(list(draws(chances, 64, 3, epoch))) for epoch in range(20)])
    assert (drawn >= 900).mean() == pytest.approx(0.5, abs=0.02) and (drawn != 990).all()
    first = list(draws(chances, 64, 3))
    assert [len(one) for one in first] == [64] * 15 + [31]
    assert np.array_equal(first[0], next(draws(chances, 64, 3)))
    assert not np.array_equal(first[0], next(draws(chances, 64, 3, 1))), "epochs differ"


def test_votes_to_shares() -> None:
    assert shares({"fear": 3, "anger": 1, "joy": 0}) == {"fear": 0.75, "anger": 0.25}
    assert shares({"fear": 3, "anger": 1}, least=2) == {"fear": 1.0} and shares({"fear": 0}) == {}


@given(st.lists(st.integers(1, 10), min_size=2, max_size=8), st.floats(0, 0.99))
def test_smoothed_rows_are_shares(votes: list[int], strength: float) -> None:
    names = EIGHT[: len(votes)]
    soft = shares(dict(zip(names, map(float, votes), strict=True)))
    one = Example("a", Media(Path("x")), soft=soft)
    found = matrix(Dataset("made", (one,)), names, strength)
    assert found.sum() == pytest.approx(1) and found.min() >= strength / len(votes) - 1e-12
    assert (
        np.argsort(found[0], kind="stable") == np.argsort(matrix(Dataset("m", (one,)), names)[0], kind="stable")
    ).all() or (strength > 0.9)


def test_hard_labels_are_rows_of_one() -> None:
    assert matrix(labelled("fear", "anger"), ("anger", "fear")).tolist() == [[0, 1], [1, 0]]
    with pytest.raises(UsageError, match="labelled boredom"):
        matrix(labelled("boredom"), ("anger",))
    with pytest.raises(UsageError, match="e0 has no label"):
        matrix(labelled(None), ("anger",))


def test_one_vocabulary() -> None:
    for house, words in {
        "anger": ("Angry", "ANG", "anger "), "happiness": ("happy", "Joy"), "others": ("Other",), "neutral": ("neu",),
        "happily surprised": ("Happily  Surprised",), "boredom": ("Boredom",),
    }.items():  # fmt: skip
        assert {emotion(word) for word in words} == {house}
    assert [emotion(word) for word in EIGHT] == list(EIGHT)
