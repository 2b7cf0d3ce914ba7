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
