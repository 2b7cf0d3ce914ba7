"""Preselection keeps what it says it keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import EvidenceError, UsageError
from mien.gallery.sealed.preselection import components, groups_of, hits, shortlist, signs


def rows(count: int, dimension: int, seed: int = 0) -> np.ndarray:
    found = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_components_are_those_of_the_singular_value_decomposition() -> None:
    vectors = rows(500, 32) * np.linspace(3, 0.1, 32, dtype=np.float32)
    basis = components(vectors, 8).basis
    _, _, right = np.linalg.svd(vectors, full_matrices=False)
    assert basis is not None
    assert np.allclose(np.abs(np.sum(basis * right[:8].T, axis=0)), 1, atol=1e-3)


def test_all_components_keep_every_score() -> None:
    vectors, others = rows(50, 16), rows(100, 16, 1)
    codes = components(others, 16).codes(vectors)
    assert np.allclose(codes @ codes.T, vectors @ vectors.T, atol=1e-5)


def test_codes_have_unit_length() -> None:
    vectors = rows(20, 64)
    for code in (components(rows(100, 64, 1), 8), signs()):
        assert np.allclose(np.linalg.norm(code.codes(vectors), axis=1), 1, atol=1e-5)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be fitted"):
        components(rows(5, 64), 8)
    with pytest.raises(UsageError, match="this model"):
        components(rows(50, 64), 8).codes(rows(3, 32))


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40), st.integers(0, 50))
def test_a_shortlist_is_the_head_of_a_stable_sort(values: list[int], size: int) -> None:
    scores = np.array(values, np.float64)
    assert shortlist(scores, size).tolist() == np.argsort(-scores, kind="stable")[:size].tolist()


def test_hits_against_a_loop() -> None:
    gallery, others = rows(300, 64), rows(200, 64, 1)
    mate = np.arange(0, 300, 3)
    probes = gallery[mate] + 0.25 * rows(100, 64, 2) * np.linspace(1, 8, 100, dtype=np.float32)[:, None]
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    code = components(others, 12)
    first = [row for row, who in enumerate(mate) if (gallery @ probes[row]).argmax() == who]
    coarse = code.codes(gallery) @ code.codes(probes).T
    kept = sum(int(mate[row] in shortlist(coarse[:, row], 5)) for row in first)
    (found,) = hits(code, gallery, probes, mate, [5])
    assert (found.found, found.of) == (kept, len(first))
    assert 0 < found.found < found.of < 100  # the case is neither trivial nor hopeless
    assert f"{found.found} of {found.of} probes" in str(found)


def test_everybody_on_the_list_loses_nobody() -> None:
    gallery = rows(40, 32)
    (found,) = hits(signs(), gallery, gallery[:10], np.arange(10), [40])
    assert found.found == found.of == 10


def test_hopeless_probes_are_no_evidence() -> None:
    gallery = rows(40, 32)
    with pytest.raises(EvidenceError):
        hits(signs(), gallery, gallery[:10], np.arange(10) + 20, [5])


def test_the_matcher_learns_groups_and_not_their_order() -> None:
    assert groups_of(np.array([70, 3, 65, 1]), 32).tolist() == [0, 2]
