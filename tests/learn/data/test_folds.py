"""Folds keep people apart; a data set in numbers says what is missing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mien.errors import EvidenceError, InputError, MediaNotFound, UsageError
from mien.learn.data.describe import describe, readable, told
from mien.learn.data.example import Dataset, Example, Media
from mien.learn.data.folds import folds, grouped, leave_one_out
from mien.learn.data.layouts import LAYOUTS, guess, read
from mien.report import Problem


def people(counts: list[int], classes: int = 3) -> Dataset:
    examples = [
        Example(f"{who}-{n}", Media(Path("x")), label=f"c{(who + n) % classes}", subject=f"s{who}")
        for who, count in enumerate(counts)
        for n in range(count)
    ]
    return Dataset("made", tuple(examples), tuple(f"c{n}" for n in range(classes)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=25), st.integers(2, 10), st.integers(0, 9))
def test_everybody_is_tested_once_and_never_taught_on_then(counts: list[int], k: int, seed: int) -> None:
    dataset = people(counts)
    k = min(k, len(counts))
    tested: Counter[str] = Counter()
    parts = list(folds(dataset, k, seed))
    assert len(parts) == k
    for part in parts:
        train, test = ({one.subject for one in part.of(split).examples} for split in ("train", "test"))
        assert train and test and not train & test and len(part) == len(dataset)
        tested.update(test)
    assert set(tested.values()) == {1} and len(tested) == len(counts)
    again = list(folds(dataset, k, seed))
    assert [part.examples for part in parts] == [part.examples for part in again]


def test_folds_are_about_alike() -> None:
    rng = np.random.default_rng(0)
    parts = list(folds(people(rng.integers(1, 30, 60).tolist()), 5))
    sizes = [len(part.of("test")) for part in parts]
    assert max(sizes) - min(sizes) <= 0.1 * np.mean(sizes)
    for label in ("c0", "c1", "c2"):
        held = [sum(one.label == label for one in part.of("test").examples) for part in parts]
        assert max(held) - min(held) <= 0.15 * np.mean(held)


def test_leave_one_out() -> None:
    found = {name: {one.subject for one in part.of("test").examples} for name, part in leave_one_out(people([3, 1, 2]))}
    assert found == {"s0": {"s0"}, "s1": {"s1"}, "s2": {"s2"}}
    with pytest.raises(EvidenceError, match="one subject"):
        leave_one_out(people([5]))


def test_without_subjects_there_are_no_folds() -> None:
    unknown = Dataset("made", (*people([2, 2]).examples, Example("x", Media(Path("x")))))
    for cut in (lambda: folds(unknown, 2), lambda: leave_one_out(unknown)):
        with pytest.raises(EvidenceError, match="1 of 5 examples of made do not say whose they are"):
            cut()
    with pytest.raises(UsageError, match="2 subjects cannot be cut into 3 folds"):
        folds(people([1, 1]), 3)


def test_folds_of_a_group() -> None:
    one, other = Media(Path("x")), Media(Path("y"))
    examples = (
        Example("a", one, subject="s", group={"fold": "1"}),
        Example("b", other, subject="t", group={"fold": "2"}),
    )
    found = {value: [one.split for one in part.examples] for value, part in grouped(Dataset("made", examples))}
    assert found == {"1": ["test", "train"], "2": ["train", "test"]}
    torn = Dataset("made", (*examples, Example("c", one, subject="s", group={"fold": "2"})))
    with pytest.raises(EvidenceError, match="s and 0 more subjects are in several groups"):
        grouped(torn)
    with pytest.raises(EvidenceError, match="tells its camera"):
        grouped(torn, "camera")


def test_a_data_set_in_numbers() -> None:
    at = Media(Path("x"))
    examples = (
        Example("a", at, "train", "fear", subject="s"), Example("b", at, "test", "anger", subject="s"),
        Example("c", at, "test", None), Example("d", at, "train", "boredom", subject="t"),
    )  # fmt: skip
    dataset = Dataset("made", examples, ("anger", "fear"), (Problem("bad_row", "was left out", ("row 3", "row 9")),))
    found = describe(dataset)
    assert json.loads(json.dumps(found)) == found
    assert found["splits"]["train"] == {
        "examples": 2, "subjects": 2, "without_subject": 0, "without_label": 0,
        "labels": {"anger": 0, "fear": 1, "boredom": 1}, "absent": ["anger"],
    }  # fmt: skip
    assert found["splits"]["test"]["absent"] == ["fear"] and found["splits"]["test"]["without_label"] == 1
    assert found["on_both_sides"] == ["s"] and found["problems"][0]["count"] == 2
    lines = told(dataset)
    assert "1 subjects are in several splits: s" in lines and "2 x bad_row: was left out" in lines


def test_pictures_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    examples = tuple(Example(name, Media(tmp_path / name)) for name in ("good.png", "bad.png", "gone.png"))
    done: list[int] = []
    found = readable(Dataset("made", (*examples, Example("text", Media(tmp_path, "none")))), done.append)
    assert [one.name for one in found.examples] == ["good.png", "text"] and done == [1, 2, 3, 4]
    (problem,) = found.problems
    assert problem.kind == "unreadable" and [case.split(":")[0] for case in problem.cases] == ["bad.png", "gone.png"]


# -- the table of layouts ----------------------------------------------------------------------------------------------


def test_every_layout_has_a_reader_and_says_what_it_wants() -> None:
    assert len(LAYOUTS) == 31
    for name, layout in LAYOUTS.items():
        assert layout.name == name == layout.reader.LAYOUT  # type: ignore[attr-defined]
        assert layout.wants and layout.terms and layout.source and layout.title


def test_no_layout_none_that_fits_and_several(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no layout mnist"):
        read(tmp_path, "mnist")
    with pytest.raises(MediaNotFound):
        read(tmp_path / "gone")
    (tmp_path / "holiday").mkdir()
    with pytest.raises(InputError, match=r"in none of the layouts fer2013, .*; found is holiday/"):
        read(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="found is a file"):
        read(tmp_path / "a.txt")
    (tmp_path / "fer2013.csv").write_text("emotion,pixels,Usage\n")
    assert guess(tmp_path) == "fer2013"
    (tmp_path / "fer2013new.csv").write_text("Usage\n")
    with pytest.raises(UsageError, match="looks like fer2013 and like ferplus"):
        read(tmp_path)


def test_the_guide_lists_every_layout_as_it_is() -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/datasets.md").read_text(encoding="utf8")
    for name, layout in LAYOUTS.items():
        assert f"| `{name}` | {layout.title} | {layout.holds} | {layout.wants} |" in guide, name
