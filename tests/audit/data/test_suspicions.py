"""What is planted in a data set is found, and what is not there is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mien.audit.captures import Captures
from mien.audit.captures import suspicions as module
from mien.audit.captures.suspicions import NEAR, suspicions
from mien.report import Problem
from mien.types import OperatingPoint

POINTS = (
    OperatingPoint(0.6, 1e-2, space="s"),
    OperatingPoint(0.8, 1e-4, space="s"),
    OperatingPoint(-1, 1e-6, space="x"),
)


def people(count: int, each: int, spread: float = 0.15, dimension: int = 64) -> Captures:
    """Simulated people: a direction each, and pictures around it."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(count, dimension)), each, axis=0)
    vectors = centres / np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = vectors + spread * rng.normal(size=vectors.shape) / np.sqrt(dimension) * 3
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    subjects = tuple(f"p{index // each:03d}" for index in range(count * each))
    names = tuple(f"{subject}/{index % each}" for index, subject in enumerate(subjects))
    digests = tuple(f"{index:x}" for index in range(len(names)))
    return Captures(
        names,
        subjects,
        vectors.astype(np.float32),
        np.ones(len(names)),
        ("",) * len(names),
        "s",
        digests,
        (1,) * len(names),
    )


def found(captures: Captures, top: int = module.TOP) -> dict[str, Problem]:
    return {one.kind: one for one in suspicions(captures, POINTS, top)}


def put(captures: Captures, row: int, vector: np.ndarray, digest: str | None = None) -> Captures:
    vectors, digests = captures.vectors.copy(), list(captures.digests)
    vectors[row] = vector / np.linalg.norm(vector)
    digests[row] = digest if digest is not None else digests[row]
    return replace(captures, vectors=vectors, digests=tuple(digests))


def test_nothing_is_suspected_of_clean_data() -> None:
    assert not found(people(40, 4))


def test_the_same_file_within_a_person_and_across() -> None:
    clean = people(10, 3)
    captures = put(put(clean, 1, clean.vectors[0], clean.digests[0]), 5, clean.vectors[28], clean.digests[28])
    problems = found(captures)
    assert problems["duplicate"].cases == ("p000/0 = p000/1",)
    assert problems["duplicate_across"].cases == ("p001/2 = p009/1",)
    assert "same_pixels" not in problems  # said once


def test_the_same_pixels_and_near_copies() -> None:
    clean = people(10, 3)
    near = clean.vectors[6] + 0.05 * np.eye(64)[0]
    captures = put(put(put(clean, 1, clean.vectors[0]), 9, clean.vectors[12]), 7, near)
    assert NEAR < captures.vectors[6] @ captures.vectors[7] < module.SAME
    problems = found(captures)
    assert problems["same_pixels"].cases == ("p000/0 and p000/1 (1.0000)",)
    assert problems["same_pixels_across"].cases == ("p003/0 and p004/0 (1.0000)",)
    assert [case.split(" (")[0] for case in problems["near_copy"].cases] == ["p002/0 and p002/1"]
    assert "near_copy_across" not in problems


def test_one_person_under_two_names_stands_at_the_head_of_a_short_list() -> None:
    clean = people(30, 4)
    captures = replace(clean, subjects=tuple("p999" if n in (2, 3) else who for n, who in enumerate(clean.subjects)))
    problem = found(captures)["two_names"]
    assert problem.number == 1
    assert problem.cases[0].startswith("p000 / p999: 4 of 4 picture pairs, the best 0.")
    strangers = 120 * 119 // 2 - 29 * 6 - 2  # all pairs without those of one subject
    assert f"4 of {strangers:,} comparisons did, and about {strangers * 1e-4:.1f} would by chance" in problem.words
    assert "0.8000 or more" in problem.words  # the strictest threshold of this space


def test_the_list_is_cut_and_the_count_is_not() -> None:
    clean = people(30, 4)
    captures = replace(clean, subjects=tuple(f"{who}{n % 2}" for n, who in enumerate(clean.subjects)))
    problem = found(captures, top=5)["two_names"]
    assert (len(problem.cases), problem.number) == (5, 30)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_picture_under_a_wrong_name_is_like_none_of_the_others(place: int) -> None:
    clean = people(20, 4)
    captures = put(clean, 8 + place, np.random.default_rng(1).normal(size=64))
    problem = found(captures)["unlike_own"]
    assert [case.split(" ")[0] for case in problem.cases] == [f"p002/{place}"]
    assert "below 0.6000" in problem.words


def test_people_with_one_picture_or_without_a_template() -> None:
    clean = people(5, 2)
    failures = tuple("no face" if index in (2, 3, 4) else "" for index in range(10))
    vectors = clean.vectors * ~np.array([bool(one) for one in failures])[:, None]
    captures = replace(clean, subjects=("solo", "", *clean.subjects[2:]), failures=failures, vectors=vectors)
    problems = found(captures)
    assert problems["single_picture"].cases == ("solo",)
    assert problems["no_template"].cases == ("p001",)


def test_pictures_of_nobody_are_no_strangers_and_no_mates() -> None:
    clean = people(2, 4)
    captures = replace(clean, subjects=("",) * 4 + clean.subjects[4:])
    assert not found(captures)
    copy = put(captures, 0, captures.vectors[5])
    assert list(found(copy)) == ["same_pixels_across"]


def test_without_an_operating_point_only_copies_are_told() -> None:
    clean = people(5, 3)
    captures = replace(put(clean, 1, clean.vectors[0]), subjects=("x", "y", *clean.subjects[2:]))
    assert [one.kind for one in suspicions(captures)] == ["same_pixels_across", "single_picture"]


@pytest.mark.parametrize("block", [1, 3, 7, 1000])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    clean = people(12, 3, spread=0.3)
    captures = replace(put(clean, 4, clean.vectors[20]), subjects=tuple(f"q{n % 7}" for n in range(36)))
    whole = suspicions(captures, POINTS)
    monkeypatch.setattr(module, "_BLOCK", block)
    again = suspicions(captures, POINTS)
    assert [one.kind for one in again] == [one.kind for one in whole]
    assert [one.number for one in again] == [one.number for one in whole]
    assert {len(one.cases) for one in whole} != {0}
