"""The matrix that all engines search: views that stay true, and what several templates of a person count for."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.errors import UsageError
from mien.gallery import BaseGallery, EmbeddedGallery, MemoryGallery
from mien.gallery.matrix import Fusion, Matrix
from mien.types import Match, Sample, Template


def direction(*values: float) -> np.ndarray:
    vector = np.array(values, np.float64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def flat(*values: float) -> Sample:
    return Sample(Template(direction(*values), "plane"))


@pytest.mark.parametrize("fusion", ["max", "mean"])
def test_a_view_stays_true_while_the_matrix_grows(fusion: Fusion) -> None:
    matrix = Matrix(fusion)
    matrix.extend(["ana", "bo"], np.stack([direction(1, 0), direction(0, 1)]))
    view = matrix.rows()
    before = view.search(direction(1, 0)[None], 9)[0]
    for number in range(500):
        matrix.extend(["ana", f"p{number}"], np.stack([direction(-1, number), direction(1, number)]))
        assert view.search(direction(1, 0)[None], 9)[0] == before == [Match("ana", 1.0), Match("bo", 0.0)]
    assert matrix.subjects == 502
    assert matrix.rows().search(direction(1, 0)[None], 1)[0][0].subject == ("ana" if fusion == "max" else "p0")


@pytest.fixture(params=["memory", "embedded"])
def fused(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Fusion], BaseGallery]:
    if request.param == "memory":
        return lambda fusion: MemoryGallery(fusion=fusion)
    return lambda fusion: EmbeddedGallery(tmp_path / f"{fusion}.db", fusion=fusion)


def test_the_best_template_or_the_mean_of_all(fused: Callable[[Fusion], BaseGallery]) -> None:
    half, probe = math.sqrt(0.5), flat(1, 0).template
    wanted = {"max": {"ana": 1.0, "bo": half, "none": 0.0}, "mean": {"ana": half, "bo": half, "none": 0.0}}
    for fusion, scores in wanted.items():
        with fused(fusion) as gallery:  # type: ignore[arg-type]
            gallery.enrol("ana", [flat(1, 0), flat(0, 1)])
            gallery.enrol("bo", [flat(1, -1)])
            gallery.enrol("none", [flat(0, 1), flat(0, -1)])
            found = gallery.search(probe)
            assert {match.subject: pytest.approx(match.score, abs=1e-7) for match in found} == scores
            # One more template of ana's changes the mean at once; without ana the next is first.
            gallery.enrol("ana", [flat(1, 0.001)])
            assert gallery.search(probe, 1)[0].subject == "ana"
            gallery.forget("ana")
            assert gallery.search(probe, 1)[0].subject == "bo"


def test_there_is_no_other_fusion(fused: Callable[[Fusion], BaseGallery]) -> None:
    with pytest.raises(UsageError, match="median"):
        fused("median")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_worth_fetching_changes_no_answer(seed: int) -> None:
    """A scan leaves many rows here. Those that might score most do not: they have one large number, and so coarse codes."""
    rng = np.random.default_rng(seed)
    probe = direction(*rng.normal(size=128))
    aside = rng.normal(size=(1200, 128))
    aside[:12] = 20 * np.eye(128)[rng.integers(0, 128, 12)] + 0.1 * aside[:12]
    aside -= (aside @ probe)[:, None] * probe
    cosines = np.concatenate([rng.uniform(0.802, 0.804, 12), rng.uniform(0.78, 0.81, 1188)])[:, None]
    rows = cosines * probe + np.sqrt(1 - cosines**2) * aside / np.linalg.norm(aside, axis=1, keepdims=True)
    rows[rng.integers(12, 1200, 40)] = rows[rng.integers(12, 1200, 40)]  # the same face under several names
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    names = [f"p{number // 2 if number % 5 else number:04d}" for number in rng.permutation(1200)]
    matrix = Matrix(coded=1)
    matrix.extend(names, vectors)
    best: dict[str, float] = {}
    for name, products in zip(names, vectors.astype(np.float64) * probe.astype(np.float64), strict=True):
        best[name] = max(best.get(name, -1.0), math.fsum(products.tolist()))
    wanted = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    spared = []  # rows that a scan left and nobody had to look at
    for k in (1, 2, 5, 20):
        (found,) = matrix.rows().search(probe[None], k)
        assert [(match.subject, match.score) for match in found] == wanted[:k]
        (left,) = matrix.rows().candidates(probe[None], k, None)
        assert found[0].evidence is not None
        spared.append(len(left.rows) - found[0].evidence.candidates)
    assert min(spared) >= 0 and max(spared) > 5
