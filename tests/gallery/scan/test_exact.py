"""No row that is asked for is ever left out, whatever rows, probes, masks and floors look like."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import InputError, UsageError
from mien.gallery.scan import Codes, candidates, candidates_many, encode, exact, scoring
from mien.gallery.scan.search import KERNELS

from .oracle import check, galleries, score, unit

NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 1.4e-45, -1.2e-38, 2.0**-100, 0.5, 127 / 254]),
    st.floats(-1, 1, width=32),
)


def test_seven_thousand_searches_leave_nothing_out() -> None:
    searches = 0
    for rng, rows, codes, live in galleries(1, 150):
        probes = unit(
            rows[rng.integers(0, len(rows), 48)] * rng.random((48, 1)) + 0.1 * rng.normal(size=(48, rows.shape[1]))
        )
        m, cut = int(rng.integers(1, 30)), int(rng.integers(0, len(rows) + 1))
        floor = None if rng.random() < 0.5 else float(rng.normal() * 0.3)
        allowed = None if rng.random() < 0.5 else (rng.random(len(rows)) < rng.random()).astype(np.uint8)
        usable = live if allowed is None else live & (allowed != 0)
        for probe, found in zip(
            probes, candidates_many([codes[:cut], codes[cut:]], probes, m, floor, allowed), strict=True
        ):
            check(rows, probe, found, m, floor, usable)
            searches += 1
    assert searches >= 7_000


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 300), st.integers(0, 12), st.integers(1, 15), st.sampled_from(KERNELS))
def test_any_numbers_at_all(data: st.DataObject, dimension: int, n: int, m: int, kernel: str) -> None:
    few = data.draw(st.lists(st.lists(NUMBERS, min_size=1, max_size=8), min_size=n + 1, max_size=n + 1))
    rows = unit(np.array([np.resize(numbers, dimension) for numbers in few]))
    floor = data.draw(st.one_of(st.none(), st.floats(-1.5, 1.5), st.just(score(rows[-1], rows[0]))))
    allowed = data.draw(st.one_of(st.none(), st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    mask = None if allowed is None else np.array(allowed, np.uint8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_SCAN", kernel)
        found = candidates(encode(rows[:n]), rows[-1], m, floor, mask)
    check(rows[:n], rows[-1], found, m, floor, np.ones(n, bool) if mask is None else mask != 0)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dimension", [1, 64, 127, 128, 129, 512, 600])
def test_bounds_hold_where_nothing_is_to_spare(kernel: str, dimension: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows whose rounding error lies along the probe: there the inequality behind the bounds is an equality."""
    monkeypatch.setenv("MIEN_SCAN", kernel)
    rng = np.random.default_rng(dimension)
    signs = rng.choice([-1.0, 1.0], dimension)
    probe = unit(signs)
    numbers = rng.integers(-126, 127, (200, dimension)) + 0.499 * signs * rng.choice([-1, 1], (200, 1))
    numbers[:, 0] = 127.0
    rows = unit(numbers)
    codes = encode(rows)
    for row in range(len(rows)):
        true = score(rows[row], probe)
        only = np.zeros(len(rows), np.uint8)
        only[row] = 1
        assert candidates(codes, probe, 1, allowed=only)[1] <= true  # the lower bound
        assert row in candidates(codes, probe, 1, floor=true, allowed=only)[0]  # the upper bound


@pytest.mark.parametrize("kernel", KERNELS)
def test_ties_are_all_there(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_SCAN", kernel)
    rng = np.random.default_rng(3)
    rows = unit(rng.normal(size=(3000, 130)))
    same = rng.choice(3000, 40, replace=False)
    rows[same] = rows[7]
    kept, *_ = candidates(encode(rows), rows[7], 5)
    assert set(same.tolist()) | {7} <= set(kept.tolist())
    # Rows a little longer than 1 all score 1 once clipped: nobody may be dropped for being less long. Their codes are exact.
    longer = np.zeros((50, 130), np.float32)
    longer[:, 3] = 1 + np.linspace(0, 9e-5, 50)
    kept, threshold, _ = candidates(encode(longer), longer[-1], 1)
    assert threshold == 1.0
    assert len(kept) == 50
    kept, threshold, _ = candidates(encode(-longer), longer[-1], 1)
    assert threshold == -math.inf
    assert len(kept) == 50


@pytest.mark.parametrize("kernel", KERNELS)
def test_few_rows_none_and_dead_ones(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_SCAN", kernel)
    rows = unit(np.random.default_rng(4).normal(size=(6, 128)))
    codes, probe = encode(rows), rows[0]
    assert candidates(codes, probe, 10**12)[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert candidates(codes, probe, 7)[1] == -math.inf
    codes.wipe(np.array([0, 3]))
    assert candidates(codes, probe, 5)[0].tolist() == [1, 2, 4, 5]
    assert candidates(codes, probe, 1, floor=0.9)[0].tolist() == []
    assert candidates(codes, probe, 1, floor=0.9)[1] == 0.9
    assert not codes.high[[0, 3]].any() and not codes.low[[0, 3]].any()
    assert candidates(codes, probe, 9, allowed=np.array([1, 9, 0] * 4, np.uint8)[::2])[0].tolist() == [2, 5]
    nobody = np.zeros(6, np.uint8)
    assert candidates(codes, probe, 1, allowed=nobody)[0].tolist() == []
    for empty in ([], [Codes.empty(0, 128)], codes[:0]):
        assert candidates(empty, probe, 3)[0].tolist() == []
    assert candidates(Codes.empty(4, 128), probe, 3)[:2] == (pytest.approx([]), -math.inf)
    assert candidates_many(codes, rows[:0], 3) == []


def test_what_does_not_fit_is_refused() -> None:
    rows = unit(np.random.default_rng(5).normal(size=(6, 128)))
    codes = encode(rows)
    for bad in (rows[0][:0], np.zeros(200, np.float32), rows[0].astype(np.float64), rows):
        with pytest.raises(InputError):
            candidates(codes, bad, 3)
    for kernel in KERNELS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MIEN_SCAN", kernel)
            for bad in (rows[0] * 2, rows[0] * np.float32(np.nan), rows[0] * np.float32(np.inf)):
                with pytest.raises(InputError, match="length"):
                    candidates(codes, bad, 3)
    with pytest.raises(InputError, match="mask"):
        candidates(codes, rows[0], 3, allowed=np.ones(5, np.uint8))
    with pytest.raises(InputError, match="differ"):
        candidates([codes, Codes.empty(3, 512)], rows[0], 3)
    with pytest.raises(UsageError, match="0 rows"):
        candidates(codes, rows[0], 0)
    with pytest.raises(UsageError, match="floor"):
        candidates(codes, rows[0], 1, floor=math.nan)


def rounded(row: np.ndarray, probe: np.ndarray) -> float:
    """The inner product by fractions, rounded once."""
    return float(sum(Fraction(a) * Fraction(b) for a, b in zip(row.tolist(), probe.tolist(), strict=True)))


def test_scores_of_the_rows_left_are_rounded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for rng, rows, _, _ in galleries(6, 30, most=60):
        some = rows[rng.integers(0, len(rows), 12)]
        wanted = [rounded(row, rows[0]) for row in some]
        assert exact(some, rows[0]).tolist() == wanted
        assert exact(some[:, ::-1], rows[0][::-1]).tolist() == wanted
        with monkeypatch.context() as patch:
            patch.setattr(scoring, "_exact", None)
            assert exact(some, rows[0]).tolist() == wanted
    assert exact(np.empty((0, 5), np.float32), rows[0]).tolist() == []


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_scores_are_rounded_once_whatever_cancels(data: st.DataObject) -> None:
    """Terms of very different size that nearly cancel, and sums halfway between two numbers or a hair beside it."""
    size = data.draw(st.integers(1, 40))
    term = st.tuples(st.integers(-(2**24) + 1, 2**24 - 1), st.integers(-70, -30)).map(lambda pair: math.ldexp(*pair))
    halves = data.draw(st.lists(term, min_size=size, max_size=size))
    row = np.array([*halves, *(-value for value in halves), 0.5, 2.0**-27, -(2.0**-27), 2.0**-30], np.float32)
    probe = np.ones(len(row), np.float32) * np.float32(0.1)
    tail = data.draw(st.lists(st.sampled_from([0.0, 0.1, 2.0**-26, -(2.0**-26), 2.0**-60]), min_size=4, max_size=4))
    probe[-4:] = np.array([0.75, *tail[1:]], np.float32)
    order = np.array(data.draw(st.permutations(range(len(row)))))
    row, probe = row[order], probe[order]
    assert exact(row[None], probe).tolist() == [rounded(row, probe)]


def test_most_scores_are_certain_without_a_second_look() -> None:
    if scoring._exact is None:
        pytest.skip("the extension was not built")
    rng = np.random.default_rng(0)
    rows, scores = unit(rng.normal(size=(2000, 512))), np.empty(2000)
    scoring._exact(rows, rows[0], scores)
    assert np.isnan(scores).mean() < 0.02  # halfway between two numbers, which products of float32 may hit
    for bad in (rows[0, 1:], rows[0, :0]):
        with pytest.raises(ValueError):
            scoring._exact(rows, bad, scores)
