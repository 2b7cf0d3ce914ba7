"""Measures of grouping against their definitions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.cluster import pair_confusion_matrix

from mien.audit.metrics.grouping import NAMES, grouping
from mien.errors import UsageError

Items = list[tuple[int, int]]
ITEMS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=14)


def bcubed(items: Items) -> tuple[float, float]:
    """From each item, by definition."""
    precision = [np.mean([p == q for h, q in items if h == g]) for g, p in items]
    recall = [np.mean([g == h for h, q in items if q == p]) for g, p in items]
    return float(np.mean(precision)), float(np.mean(recall))


@given(ITEMS)
def test_as_defined(items: Items) -> None:
    found, people = zip(*items, strict=True)
    measured = grouping(found, people, rounds=0)
    assert (measured["BCubed precision"].value, measured["BCubed recall"].value) == pytest.approx(bcubed(items))
    confusion = pair_confusion_matrix(people, found)
    together, one_person = confusion[:, 1].sum(), confusion[1].sum()
    assert measured["pair precision"].value == pytest.approx(confusion[1, 1] / together if together else 1.0)
    assert measured["pair recall"].value == pytest.approx(confusion[1, 1] / one_person if one_person else 1.0)
    pieces = np.mean([len({g for g, q in items if q == p}) for p in set(people)])
    assert measured["groups per person"].value == pytest.approx(pieces)


@given(ITEMS)
@settings(max_examples=30)
def test_drawing_a_person_twice_is_having_two_of_them(items: Items) -> None:
    from mien.audit.metrics import grouping as module

    found, people = (np.unique(column, return_inverse=True)[1] for column in zip(*items, strict=True))
    size = people.max() + 1
    keys, count = np.unique(found * size + people, return_counts=True)
    cells = module._Cells(keys // size, keys % size, count.astype(float))
    weight = np.ones(size)
    weight[0] = 2
    pairs = [
        (a, b) for a in range(len(found)) for b in range(len(found)) if a != b and found[a] == found[b]
        for _ in range(int(weight[people[a]] * (weight[people[b]] if people[a] != people[b] else 1)))
    ]  # fmt: skip
    right = sum(people[a] == people[b] for a, b in pairs)
    assert module._measured(cells, weight)[0] == pytest.approx(right / len(pairs) if pairs else 1.0)


def test_perfect_and_hopeless() -> None:
    people = [0, 0, 1, 1, 2, 2] * 3
    assert all(metric.value == 1 for metric in grouping(people, people, rounds=20).values())
    together = grouping([0] * 18, people, rounds=50)
    assert together["pair recall"].value == 1
    assert together["BCubed precision"].value == pytest.approx(1 / 3)
    assert together["BCubed precision"].low <= 1 / 3 <= together["BCubed precision"].high
    apart = grouping(range(18), people, rounds=0)
    assert (apart["pair precision"].value, apart["pair recall"].value) == (1, 0)
    assert set(apart) == set(NAMES)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="do not belong together"):
        grouping([1, 2], [1])
