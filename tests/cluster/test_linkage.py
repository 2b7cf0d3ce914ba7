"""Average linkage against scipy's, and what constraints and bridges do to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from mien.cluster import linkage as linkage_module
from mien.cluster.linkage import Bar, Node, agglomerate, candidates


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def people(seed: int, count: int, each: int, noise: float = 0.35) -> np.ndarray:
    rng = np.random.default_rng(seed)
    middle = unit(rng.normal(size=(count, 24)))
    return unit(np.repeat(middle, each, 0) + noise * unit(rng.normal(size=(count * each, 24))))


def nodes_of(vectors: np.ndarray) -> list[Node]:
    return [Node(row, 1) for row in vectors]


def partition(groups: list[list[int]]) -> set[frozenset[int]]:
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("bar", [0.2, 0.5, 0.8])
def test_the_same_groups_as_scipy(seed: int, bar: float) -> None:
    vectors = people(seed, 12, 5, noise=0.3 + 0.1 * seed)
    tree = linkage(np.clip(1 - vectors @ vectors.T, 0, None)[np.triu_indices(60, 1)], "average")
    labels = fcluster(tree, 1 - bar, "distance")
    expected = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels)}
    assert partition(agglomerate(nodes_of(vectors), Bar(bar, bar))) == expected


def test_more_faces_than_candidates_are_kept_of() -> None:
    vectors = people(1, 3, 150, noise=0.3)
    groups = agglomerate(nodes_of(vectors), Bar(0.5, 0.5))
    assert sorted(map(len, groups)) == [150, 150, 150]


@pytest.mark.parametrize("least", [-1.0, 0.0, 0.3, 0.7])
def test_codes_name_the_same_candidates_as_products(least: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    means = people(4, 40, 12) * rng.uniform(0.3, 0.95, (480, 1))  # a group's mean is shorter than its faces
    means[7], means[100:110] = 0, means[99]
    means = (np.rint(64 * means) / 64).astype(np.float32)  # whose products are exact, in any order
    plain = candidates(means, least)
    monkeypatch.setattr(linkage_module, "_CODED", 1)
    monkeypatch.setattr(linkage_module, "kernel", lambda: "any")  # numpy's will do
    coded = candidates(means, least)
    assert len(plain[0]) and np.array_equal(plain, coded)


def test_candidates_miss_no_pair() -> None:
    vectors = people(3, 6, 5).astype(np.float32)
    scores = vectors @ vectors.T
    first, second = candidates(vectors, 0.4)
    assert {(a, b) for a, b in zip(first, second, strict=True)} == {
        (a, b) for a in range(30) for b in range(a + 1, 30) if scores[a, b] >= 0.4
    }


def bridged() -> np.ndarray:
    """Two people, and one face half-way between them that is nearer to both than their own faces are to each other."""
    one, other = unit(np.array([[1.0, 0.35, 0, 0], [0.35, 1.0, 0, 0]]))
    rng = np.random.default_rng(0)
    faces = [unit(middle + 0.25 * unit(rng.normal(size=(6, 4)))) for middle in (one, other)]
    return np.vstack([*faces, unit((one + other)[None])])


def test_a_bridge_does_not_join_two_people() -> None:
    vectors = bridged()
    scores = vectors @ vectors.T
    bar = 0.88
    assert (scores[12, :6] >= bar).any()
    assert (scores[12, 6:12] >= bar).any()  # a chain there is: single linkage would make them one
    groups = agglomerate(nodes_of(vectors), Bar(bar, bar))
    assert not any(set(group) & set(range(6)) and set(group) & set(range(6, 12)) for group in groups)


@given(st.integers(0, 10**6), st.floats(0.1, 0.9), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_what_is_forbidden_never_happens(seed: int, bar: float, photos: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = people(seed, 4, 6, noise=0.8)
    nodes = [Node(row, 1, {int(rng.integers(photos * 6))}, {(0, int(rng.integers(3)))}) for row in vectors]
    for node in nodes:
        node.sides = {side for side in node.sides if side[1] < 2}
    groups = agglomerate(nodes, Bar(bar, bar))
    assert sorted(number for group in groups for number in group) == list(range(24))
    for group in groups:
        seen = [photo for number in group for photo in nodes[number].photos]
        assert len(seen) == len(set(seen))
        assert {(0, 0), (0, 1)} - {side for number in group for side in nodes[number].sides}


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_no_permitted_pair_above_the_bar_is_left(seed: int) -> None:
    vectors, bar = people(seed, 5, 5, noise=0.6), Bar(0.4, 0.6)
    groups = agglomerate(nodes_of(vectors), bar)
    for a, one in enumerate(groups):
        for other in groups[a + 1 :]:
            mean = (vectors[one] @ vectors[other].T).mean()
            assert mean < bar.between(len(one), len(other)) + 1e-9


def test_small_groups_have_the_higher_bar() -> None:
    bar = Bar(0.5, 0.7)
    assert bar.between(1, 1) == pytest.approx(0.7)
    assert bar.between(4, 1) == pytest.approx(0.6)
    assert bar.between(100, 100) == pytest.approx(0.502)
