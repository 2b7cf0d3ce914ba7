"""Codes: what they stand for, how far they are from the row, and how they grow and go."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import InputError
from mien.gallery.scan import REACH, Codes, encode
from mien.gallery.scan.codes import native, plain_encode, unpack

from .oracle import galleries, unit

NUMBERS = st.one_of(st.sampled_from([0.0, -0.0, 1.4e-45, 2.0**-100, 1.0]), st.floats(-1, 1, width=32))


def stands_for(codes: Codes, row: int, dimension: int) -> tuple[list[Fraction], list[Fraction]]:
    """What a row's codes and their upper halves mean, exactly."""
    scale = Fraction(float(codes.scales[row]))
    high, low = unpack(codes.high[row : row + 1])[0].tolist(), unpack(codes.low[row : row + 1])[0].tolist()
    whole = [scale * (16 * h + low_half - 128) for h, low_half in zip(high, low, strict=True)]
    return whole[:dimension], [scale * (16 * h - 120) for h in high][:dimension]


def squared(row: np.ndarray, other: list[Fraction]) -> Fraction:
    return sum(((Fraction(x) - y) ** 2 for x, y in zip(row.tolist(), other, strict=True)), Fraction(0))


@settings(max_examples=100, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=12), st.integers(1, 200), st.booleans())
def test_residuals_are_upper_bounds_and_not_idle(numbers: list[float], dimension: int, compiled: bool) -> None:
    rows = unit(np.resize(np.array(numbers), dimension))[None]
    codes = Codes.empty(1, dimension)
    if compiled:
        encode(rows, codes)
    else:
        plain_encode(rows, codes, 0)
    whole, halves = stands_for(codes, 0, dimension)
    for bound, other in ((codes.residuals, whole), (codes.coarse, halves)):
        given_, true = Fraction(float(bound[0])) ** 2, squared(rows[0], other)
        assert true <= given_
        assert float(given_) <= float(true) * (1 + 2.0**-19) + 1e-30


def test_numpy_and_the_compiled_code_make_the_same_codes() -> None:
    if native is None:
        pytest.skip("the compiled scan was not built")
    for _, rows, _, _ in galleries(11, 20):
        ours, plain = encode(rows), Codes.empty(*rows.shape)
        plain_encode(rows, plain, 0)
        for name in ("high", "low", "scales"):
            assert np.array_equal(getattr(ours, name), getattr(plain, name))
        for name in ("residuals", "coarse"):  # sums in another order
            assert np.allclose(getattr(ours, name), getattr(plain, name), rtol=2.0**-22, atol=0)


def test_a_template_of_512_numbers_takes_524_bytes() -> None:
    assert encode(unit(np.random.default_rng(0).normal(size=(10, 512)))).nbytes == 5240


def test_room_is_filled_piece_by_piece() -> None:
    rows = unit(np.random.default_rng(1).normal(size=(50, 70)))
    room, whole = Codes.empty(60, 70), encode(rows)
    encode(rows[:20], into=room[:20])
    encode(rows[20:], into=room[20:50])
    for ours, theirs in zip(room.parts, whole.parts, strict=True):
        assert np.array_equal(ours[:50], theirs)
    assert np.isnan(room.scales[50:]).all()
    room.wipe(np.arange(10, 20))
    assert np.isnan(room.scales[10:20]).all()
    assert not any(part[10:20].any() for part in (room.high, room.low, room.residuals, room.coarse))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.01 * REACH])
def test_rows_no_bound_holds_for_are_refused(bad: float) -> None:
    rows = unit(np.random.default_rng(2).normal(size=(9, 70)))
    rows[5] = 0
    encode(rows)  # zeros are no unit vector, but no bound breaks on them
    rows[5, 3] = bad
    with pytest.raises(InputError, match="Row 5"):
        encode(rows)
    with pytest.raises(InputError, match="Row 5"):
        plain_encode(rows, Codes.empty(9, 70), 0)


def test_codes_that_do_not_fit_are_refused() -> None:
    rows = unit(np.random.default_rng(3).normal(size=(9, 70)))
    codes = encode(rows)
    with pytest.raises(InputError, match="room for 4"):
        encode(rows, into=codes[:4])
    with pytest.raises(InputError, match="room"):
        encode(rows, into=Codes.empty(9, 512))
    with pytest.raises(InputError, match="float32"):
        encode(rows.astype(np.float64))
    with pytest.raises(InputError, match="dimensions"):
        encode(np.zeros((1, 40_000), np.float32))
    with pytest.raises(InputError, match="planes"):
        Codes(codes.high, codes.low[:3], *codes.parts[2:])
    with pytest.raises(InputError, match="scale"):
        Codes(codes.high, codes.low, codes.scales[:3], *codes.parts[3:])
    with pytest.raises(InputError, match="pieces"):
        Codes(*codes.parts[:2], np.zeros((9, 2), np.float32)[:, 0], *codes.parts[3:])
    with pytest.raises(InputError, match="consecutive"):
        codes[::2]
