"""The scale of similarity: monotone, reversible, and what it says at the rates that were measured."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien import models
from mien.errors import EvidenceError
from mien.serve.rekognition.similarity import Scale, rated, scale
from mien.types import OperatingPoint


def points(*pairs: tuple[float, float], score: str = "cosine") -> list[OperatingPoint]:
    return [OperatingPoint(threshold, fmr=fmr, score=score) for threshold, fmr in pairs]  # type: ignore[arg-type]


def card() -> Scale:
    found = [one for one in models.card("dlib_resnet").operating_points if one.space == "0be21c6e4ae13de5"]
    return scale([], found)


def rising(pairs: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """(threshold, rate): hundredths, and quarters of a power of ten."""
    return [
        (place / 100, 10 ** (-rate / 4))
        for place, rate in zip(sorted(one for one, _ in pairs), sorted(one for _, one in pairs), strict=True)
    ]


SOME = st.lists(
    st.tuples(st.integers(-99, 99), st.integers(2, 40)),
    min_size=2,
    max_size=8,
    unique_by=(lambda one: one[0], lambda one: one[1]),
).map(rising)


@given(SOME)
def test_it_never_falls_and_can_be_reversed(pairs: list[tuple[float, float]]) -> None:
    made = scale([], points(*pairs))
    cosines = np.linspace(-1, 1, 401)
    told = [made.of(float(one)) for one in cosines]
    assert all(0 <= one <= 100 for one in told)
    assert all(first <= second for first, second in pairwise(told))
    assert (made.of(-1.0), made.of(1.0), made.back(0.0)) == (0.0, 100.0, -1.0)
    for similarity in (0.5, 20.0, 60.0, 80.0, 99.0, 100.0):
        assert made.of(made.back(similarity)) == pytest.approx(similarity, abs=1e-6)


@given(st.floats(1e-12, 0.49), st.floats(1e-12, 0.49))
def test_rarer_is_more(one: float, other: float) -> None:
    assert 0 <= rated(one) <= 99.9
    assert (rated(one) >= rated(other)) or one > other


def test_the_anchors_are_rates() -> None:
    assert [rated(fmr) for fmr in (0.5, 1e-2, 1e-3, 1e-4, 1e-5)] == pytest.approx([0, 60, 80, 90, 99], abs=1e-9)
    made = card()
    thresholds = {0.91057: 60, 0.92831: 80, 0.94222: 90, 0.95425: 99}
    for threshold, similarity in thresholds.items():
        assert made.of(threshold) == pytest.approx(similarity, abs=1e-6)


def test_an_average_pair_of_strangers_is_where_the_card_says() -> None:
    assert card().back(1e-9) == pytest.approx(0.85, abs=0.01)  # "Unlike faces score about 0.85 cosine here"


def test_rates_between_the_anchors_are_told_by_their_logarithm() -> None:
    assert rated(3e-3) == pytest.approx(80 - 20 * math.log10(3), abs=1e-9)
    assert rated(0.5) == 0
    assert 99 < rated(1e-6) < rated(1e-9) <= 99.9


def test_a_gallery_of_its_own_evidence_has_its_own_scale() -> None:
    own, of_card = points((0.5, 1e-3), (0.6, 1e-4)), points((0.9, 1e-3), (0.95, 1e-4))
    assert scale(own, of_card).of(0.5) == pytest.approx(80)
    assert scale(own[:1], of_card).of(0.9) == pytest.approx(80)  # one point is no line


def test_what_is_no_rate_of_comparisons_is_passed_over() -> None:
    odd = [
        *points((0.9, 1e-3), (0.95, 1e-4)),
        OperatingPoint(0.2, fpir=1e-2),
        OperatingPoint(0.1),
        *points((0.3, 1e-2), (3.0, 1e-5), score="relative"),
        *points((0.5, 1e-5)),  # rarer at a lower threshold: cannot be
    ]
    assert scale([], odd) == scale([], points((0.9, 1e-3), (0.95, 1e-4)))
    with pytest.raises(EvidenceError, match="similarity"):
        scale([], points((0.9, 1e-3)))
