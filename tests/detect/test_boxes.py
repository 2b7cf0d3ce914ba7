"""Box arithmetic against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.detect.boxes import Measure, largest_first, moved, overlaps, squares, suppress
from mien.types import F32

MEASURES: list[Measure] = ["union", "smaller", "outer"]


@st.composite
def whole_boxes(draw: st.DrawFn, least: int = 0) -> F32:
    corners = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 8), st.integers(1, 8))
    rows = draw(st.lists(corners, min_size=least, max_size=9))
    return np.array([[x, y, x + w, y + h] for x, y, w, h in rows], np.float32).reshape(-1, 4)


def by_counting(a: F32, b: F32, measure: Measure) -> float:
    """The same from pixels counted one by one."""
    masks = np.zeros((2, 32, 32), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, (a.astype(int), b.astype(int)), strict=True):
        mask[y0:y1, x0:x1] = True
    shared = (masks[0] & masks[1]).sum()
    rows, columns = np.nonzero(masks[0] | masks[1])
    outer = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    whole = {"union": (masks[0] | masks[1]).sum(), "smaller": min(mask.sum() for mask in masks), "outer": outer}
    return float(shared / whole[measure])


@given(whole_boxes(1), whole_boxes(1), st.sampled_from(MEASURES))
def test_overlaps_are_what_counting_pixels_gives(a: F32, b: F32, measure: Measure) -> None:
    got = overlaps(a, b, measure)
    assert got.shape == (len(a), len(b))
    assert got[0, -1] == pytest.approx(by_counting(a[0], b[-1], measure), abs=1e-6)


@given(whole_boxes(), st.randoms(use_true_random=False), st.sampled_from(MEASURES))
def test_suppression_keeps_exactly_what_no_stronger_kept_box_covers(boxes: F32, chance, measure: Measure) -> None:  # type: ignore[no-untyped-def]
    scores = np.array([chance.choice([0.1, 0.5, 0.9]) for _ in boxes], np.float32)
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda place: (-scores[place], place)):
        if all(by_counting(boxes[index], boxes[other], measure) <= 0.4 for other in kept):
            kept.append(index)
    assert suppress(boxes, scores, 0.4, measure).tolist() == kept


def test_squares_keep_the_centre_and_take_the_longer_side() -> None:
    assert squares(np.array([[0, 0, 10, 4]], np.float32)).tolist() == [[0, -3, 10, 7]]


def test_offsets_are_parts_of_width_and_height() -> None:
    shifted = moved(np.array([[10, 20, 30, 60]], np.float32), np.array([[0.5, -0.25, 0, 1]], np.float32))
    assert shifted.tolist() == [[20, 10, 30, 100]]


def test_largest_first_breaks_ties_by_index() -> None:
    boxes = np.array([[0, 0, 2, 2], [0, 0, 5, 5], [1, 1, 3, 3]], np.float32)
    assert largest_first(boxes).tolist() == [1, 0, 2]
