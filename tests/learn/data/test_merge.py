"""Several data sets as one: one vocabulary, nobody on two sides, nothing left out in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import EvidenceError, UsageError
from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.merge import merged
from mien.learn.data.words import BASIC

NOWHERE = Media(Path("a.png"))


def posed(count: int = 12, layout: str = "posed") -> Dataset:
    """Every subject shows all seven, and contempt; no split."""
    every = tuple(
        Example(f"{subject}-{label}", NOWHERE, label=label, subject=f"s{subject}")
        for subject in range(count)
        for label in (*BASIC, "contempt")
    )
    return Dataset(layout, every, (*BASIC, "contempt"))


def voted() -> Dataset:
    def one(name: str, split: Split, **soft: float) -> Example:
        return Example(name, NOWHERE, split, max(soft, key=lambda word: soft[word]), soft)

    return Dataset("voted", (
        one("clear", "train", anger=0.8, neutral=0.2),
        one("torn", "train", anger=0.5, neutral=0.5),
        one("kept", "dev", contempt=0.4, happiness=0.35, sadness=0.25),
        one("lost", "test", contempt=1.0),
    ))  # fmt: skip


def test_subjects_stay_on_one_side_and_are_told_apart_by_data_set() -> None:
    found = merged([posed(layout="a"), posed(layout="b")])
    sides: dict[str, set[str]] = {}
    for one in found.examples:
        sides.setdefault(one.subject, set()).add(one.split)
    assert len(sides) == 24 and all(len(side) == 1 for side in sides.values())
    assert {side for held in sides.values() for side in held} == {"train", "dev", "test"}
    assert len({one.name for one in found.examples}) == len(found) == 2 * 12 * 7
    assert found.layout == "a+b" and found.labels == BASIC and found.examples[0].group["data"] == "a"


def test_what_is_left_out_is_counted() -> None:
    found = merged([posed()])
    (problem,) = [one for one in found.problems if one.kind == "left_out"]
    assert problem.number == 12 and "contempt 12" in problem.words and problem.cases[0].startswith("posed/")


def test_votes_need_a_majority_among_the_classes_that_are_kept() -> None:
    found = merged([voted()])
    assert {one.name: one.label for one in found.examples} == {"voted/clear": "anger", "voted/kept": "happiness"}
    (problem,) = [one for one in found.problems if one.kind == "left_out"]
    assert problem.cases == ("voted/torn", "voted/lost") and "no majority 2" in problem.words


def test_words_become_the_houses() -> None:
    every = tuple(
        Example(f"{place}", NOWHERE, split, "Happy", subject=f"{place}") for place, split in enumerate(("train", "dev"))
    )
    assert {one.label for one in merged([Dataset("x", every)]).examples} == {"happiness"}


def test_what_cannot_be_merged_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to merge"):
        merged([])
    with pytest.raises(UsageError, match="there twice"):
        merged([posed(), posed()])
    both = tuple(Example(split, NOWHERE, split, "fear", subject="ann") for split in ("train", "dev"))
    with pytest.raises(EvidenceError, match="x/ann is in the splits train and dev"):
        merged([Dataset("x", both)])
