"""Lists beside pictures: pairs, scores, labels of groups, boxes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.audit.data import Labelled, read_labels, read_pairs, read_scores
from mien.audit.data.boxes import read_boxes
from mien.audit.data.names import Names
from mien.audit.data.tables import opened
from mien.errors import InputError, MediaNotFound
from mien.types import Frame


def some(*names: str, subject: str | None = None) -> tuple[Labelled, ...]:
    """Pictures that are never read, of the person in their folder."""
    whose = [name.split("/")[-2] if "/" in name else "" for name in names]
    frame = Frame(np.zeros((16, 16, 3), np.uint8))
    return tuple(Labelled(name, subject or who, lambda: frame) for name, who in zip(names, whose, strict=True))


def file(folder: Path, text: str, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf8")
    return path


def kinds(problems: tuple[Any, ...]) -> dict[str, tuple[str, ...]]:
    return {one.kind: one.cases for one in problems}


# --- names ----------------------------------------------------------------------------------------------------------


def test_names_may_leave_out_leading_folders_or_have_more() -> None:
    names = Names(["lfw/Ann/1.jpg", "lfw/Bob/1.jpg", "lfw/Bob/2.jpg"])
    assert names.find("lfw/Ann/1.jpg") == 0
    assert names.find("Bob/1.jpg") == 1
    assert names.find("2.jpg") == 2
    assert names.find("/data/lfw/Ann/1.jpg") == 0
    assert names.find(".\\lfw\\Ann\\1.jpg") == 0
    assert names.find("1.jpg") is None  # two fit
    assert names.find("Eve/2.jpg") is None  # another person's 2.jpg is not hers
    assert names.find("") is None


# --- pairs ----------------------------------------------------------------------------------------------------------

LFW = some("lfw/Ann/Ann_0001.jpg", "lfw/Ann/Ann_0002.jpg", "lfw/Bob_Li/Bob_Li_0001.jpg", "lfw/Cid/0003.png")


def test_the_list_of_lfw_keeps_its_folds_where_pairs_are_absent(tmp_path: Path) -> None:
    text = "2\t1\nAnn\t1\t2\nAnn\t1\tBob_Li\t1\nEve\t1\t2\nCid\t3\tAnn\t2\n"
    pairs = read_pairs(file(tmp_path, text, "pairs.txt"), LFW)
    assert pairs.first.tolist() == [0, 0, 3]
    assert pairs.second.tolist() == [1, 2, 1]
    assert pairs.same.tolist() == [True, False, False]
    assert pairs.fold.tolist() == [0, 0, 1]
    assert pairs.folds == 2
    assert kinds(pairs.problems) == {"absent_file": ("Eve 1 2",)}
    assert pairs.owner[0] == pairs.owner[1] != pairs.owner[2]


def test_the_development_list_of_lfw_has_no_folds(tmp_path: Path) -> None:
    pairs = read_pairs(file(tmp_path, "1\nAnn\t1\t2\nAnn\t2\tCid\t3\nnonsense\n", "pairsDevTest.txt"), LFW)
    assert (len(pairs), pairs.folds) == (2, 1)
    assert kinds(pairs.problems) == {"bad_row": ("line 4: nonsense",)}


def test_pairs_of_a_csv(tmp_path: Path) -> None:
    listed = some("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    text = (
        "file_x,file_y,Decision\na.jpg,b.jpg,Yes\nb.jpg,c.jpg,yes\na.jpg,d.jpg,NO\nx.jpg,a.jpg,1\na.jpg,b.jpg,maybe\n\n"
    )
    pairs = read_pairs(file(tmp_path, text), listed)
    assert pairs.same.tolist() == [True, True, False]
    assert pairs.owner.tolist() == [pairs.owner[0]] * 3 + [pairs.owner[3]]  # joined by what the list says
    assert kinds(pairs.problems) == {"absent_file": ("x.jpg a.jpg",), "bad_row": ("line 6: a.jpg, b.jpg, maybe",)}


def test_pairs_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    listed = some("a.jpg", "b.jpg", "c.jpg")
    text = "file_x,file_y,label\na.jpg,b.jpg,1\nb.jpg,c.jpg,1\na.jpg,c.jpg,0\n"
    assert kinds(read_pairs(file(tmp_path, text), listed).problems) == {"contradiction": ("a.jpg c.jpg",)}
    text = "file1;file2;same\nAnn_0001.jpg;Bob_Li_0001.jpg;1\n"
    pairs = read_pairs(file(tmp_path, text), LFW)
    assert list(kinds(pairs.problems)) == ["contradiction"]
    assert pairs.same.tolist() == [True]  # its label counts as it is


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file_x,file_y,label\nx,y,1\n", "has no pair of these pictures"),
        ("one,two\na,b\n", "has no column first, second, label; its first line has one, two"),
        ("", "is empty"),
    ],
)
def test_lists_without_a_pair_are_an_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_pairs(file(tmp_path, text), LFW)


def test_a_list_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"file_x,file_y,label\n\xff\xfe\x80,b,1\n")
    with pytest.raises(InputError, match="is no text in UTF-8"):
        read_pairs(path, LFW)
    with pytest.raises(MediaNotFound):
        read_pairs(tmp_path / "absent.csv", LFW)


# --- scores ---------------------------------------------------------------------------------------------------------


def test_scores_with_people(tmp_path: Path) -> None:
    text = (
        "\ufeffprobe,reference,probe_subject,reference_subject,score\n# remark\n"
        "a1,a2,Ann,Ann,0.9\na1,b1,Ann,Bob,-0.25\na3,a2,Ann,Ann,nan\na3,b1,Ann,Bob,\na4,a2,Ann,Ann,-inf\n"
        "a1,a2,Ann,Ann,high\na1,a2,Ann,,0.5\na1,a2,Ann,Ann,inf\na1,a2,Ann,Ann,1e300\n"
    )
    scores = read_scores(file(tmp_path, text))
    assert scores.comparisons.scores.tolist() == [0.9, -0.25, -math.inf, -math.inf, -math.inf]
    assert scores.comparisons.same.tolist() == [True, False, True, False, True]
    assert scores.failed.tolist() == [False, False, True, True, True]
    assert scores.people == ("Ann", "Bob")
    assert [scores.captures[index] for index in scores.probe] == ["a1", "a1", "a3", "a3", "a4"]
    found = kinds(scores.problems)
    assert found["nan_score"] == ("line 5", "line 6")
    assert found["bad_score"] == ("line 8: high", "line 10: inf", "line 11: beyond 1e+100")
    assert found["blank_label"] == ("line 9",)


def test_scores_with_labels_only_have_people_of_their_own(tmp_path: Path) -> None:
    scores = read_scores(file(tmp_path, "label;score\n1;0.9\ngenuine;0.8\n0;0.1\nnon-mated;0.2\n?;0.3\n"))
    assert scores.comparisons.same.tolist() == [True, True, False, False]
    assert scores.comparisons.people == 6
    assert set(scores.people) == {""}
    found = {one.kind: one.number for one in scores.problems}
    assert found == {"blank_label": 1, "no_people": 4}
    assert scores.probe.tolist() == [-1] * 4


@pytest.mark.parametrize(
    ("text", "captures"),
    [
        ("ann bob probe1 0.25\nann ann probe2 0.75\n", ("probe1", "bob", "probe2", "ann")),
        ("ann m7 bob probe1 0.25\nann m7 ann probe2 0.75\n", ("probe1", "m7", "probe2")),
    ],
)
def test_the_columns_of_bob(tmp_path: Path, text: str, captures: tuple[str, ...]) -> None:
    scores = read_scores(file(tmp_path, text, "scores-dev"))
    assert scores.comparisons.scores.tolist() == [0.25, 0.75]
    assert scores.comparisons.same.tolist() == [False, True]
    assert scores.captures[scores.probe[0]] == "probe1"


def test_the_csv_of_bob(tmp_path: Path) -> None:
    text = (
        "probe_subject_id,probe_key,bio_ref_subject_id,bio_ref_template_id,extra,score\n"
        "001,p/1,1,m1,x,-0.5\n1,p/2,1,m1,x,-0.25\n"
    )
    scores = read_scores(file(tmp_path, text))
    assert scores.comparisons.same.tolist() == [False, True]  # names are words: 001 is not 1
    assert scores.captures == ("p/1", "m1", "p/2")


def test_the_log_of_nist_needs_to_know_whose_templates_they_are(tmp_path: Path) -> None:
    text = "enrollTempl verifTempl simScore returnCode\na1 a2 3.5 0\na1 b1 1.5 0\na1 a3 -1 2\nx a1 1 0\n"
    path = file(tmp_path, text, "scores.log")
    with pytest.raises(InputError, match="Wanted are score"):
        read_scores(path)
    scores = read_scores(path, {"a1": "Ann", "a2": "Ann", "a3": "Ann", "b1": "Bob"})
    assert scores.comparisons.scores.tolist() == [3.5, 1.5, -math.inf]
    assert scores.comparisons.same.tolist() == [True, False, True]
    assert kinds(scores.problems) == {"blank_label": ("line 5",)}


def test_distances_become_scores(tmp_path: Path) -> None:
    scores = read_scores(file(tmp_path, "label,distance\n1,0.5\n0,1.5\n1,inf\n"))
    assert scores.comparisons.scores.tolist() == [-0.5, -1.5, -math.inf]
    assert {one.kind for one in scores.problems} == {"distances", "no_people"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("score\n1\n", "has the columns score. Wanted are score"),
        ("label,score\n1,high\n", "has no comparison that can be used"),
        ("label,score\n", "has no comparison"),
    ],
)
def test_files_without_scores_are_an_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_scores(file(tmp_path, text))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(allow_nan=True, allow_infinity=True)), min_size=1, max_size=30))
def test_every_comparison_is_in_the_scores_or_in_the_problems(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[bool, float]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "scores.csv"
    path.write_text("label,score\n" + "".join(f"{int(same)},{score!r}\n" for same, score in rows) + "1,0.5\n")
    scores = read_scores(path)
    left_out = sum(one.number for one in scores.problems if one.kind in ("bad_score", "blank_label"))
    assert len(scores) + left_out == len(rows) + 1
    assert not np.isnan(scores.comparisons.scores).any()
    assert scores.failed.sum() == sum(math.isnan(score) or score == -math.inf for _, score in rows)


def test_a_file_that_is_still_written_is_not_read_in_part(tmp_path: Path) -> None:
    path = file(tmp_path, "label,score\n" + "1,0.5\n" * 10)
    with pytest.raises(InputError, match="was changed while it was read"), opened(path) as lines:
        next(lines)
        with path.open("a") as more:
            more.write("0,0.1\n")


# --- groups ---------------------------------------------------------------------------------------------------------

NAMES, PEOPLE = ("Ann/1.jpg", "Ann/2.jpg", "Bob/1.jpg", "Cid/1.jpg"), ("Ann", "Ann", "Bob", "Cid")


def test_labels_by_subject_and_by_picture(tmp_path: Path) -> None:
    text = "path,subject,sex,age\n,Ann,f,old\nAnn/2.jpg,,,young\n,Bob,m,\n,Eve,f,old\ngone.jpg,,f,old\n,Bob,f,\n,,x,y\n"
    groups = read_labels(file(tmp_path, text), NAMES, PEOPLE)
    assert groups.columns == {"sex": ("f", "f", "m", ""), "age": ("old", "young", "", "")}
    assert kinds(groups.problems) == {
        "unknown_subject": ("Eve",),
        "unknown_picture": ("gone.jpg",),
        "contradiction": ("Bob, sex: m, f",),
        "bad_row": ("line 8",),
        "no_label": ("sex: Cid/1.jpg", "age: Bob/1.jpg", "age: Cid/1.jpg"),
        "empty_group": ("sex: x", "age: y"),
    }


def test_labels_need_a_key_and_a_group(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a column path nor a column subject"):
        read_labels(file(tmp_path, "sex,age\nf,old\n"), NAMES, PEOPLE)
    with pytest.raises(InputError, match="no column of groups"):
        read_labels(file(tmp_path, "path,subject\nAnn/1.jpg,Ann\n"), NAMES, PEOPLE)


# --- boxes ----------------------------------------------------------------------------------------------------------


def test_the_list_of_wider_face(tmp_path: Path) -> None:
    text = (
        "0--Parade/a.jpg\n2\n10 20 30 40 0 0 0 0 0 0\n5 5 6 6 2 0 0 1 0 0\n"
        "0--Parade/empty.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"
        "0--Parade/b.jpg\n1\n1 1 0 9 0 0 0 0 0 0\n1--Gone/c.jpg\n1\n1 2 3 4 0 0 0 0 0 0\n"
    )
    names = ["0--Parade/a.jpg", "0--Parade/b.jpg", "0--Parade/empty.jpg", "0--Parade/unlisted.jpg"]
    truth, problems = read_boxes(file(tmp_path, text, "wider_face_val_bbx_gt.txt"), names)
    assert truth[0].boxes.tolist() == [[10, 20, 40, 60], [5, 5, 11, 11]]
    assert truth[0].judged.tolist() == [True, False]
    assert len(truth[1].boxes) == len(truth[2].boxes) == 0
    assert kinds(problems) == {
        "not_judged": ("0--Parade/a.jpg: 5 5 11 11",),
        "bad_row": ("line 10: 1 1 0 9 0 0 0 0 0 0",),
        "absent_file": ("1--Gone/c.jpg",),
        "no_boxes": ("0--Parade/unlisted.jpg",),
    }


@pytest.mark.parametrize("titles", ["path,x0,y0,x1,y1", "file,x1,y1,x2,y2", "image,xmin,ymin,xmax,ymax"])
def test_boxes_of_a_csv_by_corners(tmp_path: Path, titles: str) -> None:
    text = f"{titles}\na.jpg,1,2,3.5,4\na.jpg,5,6,7,8\nb.jpg,,,,\nc.jpg,4,4,2,8\n"
    truth, problems = read_boxes(file(tmp_path, text), ["a.jpg", "b.jpg", "c.jpg"])
    assert truth[0].boxes.tolist() == [[1, 2, 3.5, 4], [5, 6, 7, 8]]
    assert len(truth[1].boxes) == 0
    assert kinds(problems) == {"bad_row": ("line 5: c.jpg, 4, 4, 2, 8",)}


def test_boxes_of_a_csv_by_sides(tmp_path: Path) -> None:
    truth, _ = read_boxes(file(tmp_path, "path,x,y,width,height,judged\na.jpg,1,2,3,4,no\n"), ["a.jpg"])
    assert truth[0].boxes.tolist() == [[1, 2, 4, 6]]
    assert truth[0].judged.tolist() == [False]
    with pytest.raises(InputError, match="wanted are x0, y0, x1, y1"):
        read_boxes(file(tmp_path, "path,x,y\na.jpg,1,2\n"), ["a.jpg"])
    with pytest.raises(InputError, match="has boxes of none"):
        read_boxes(file(tmp_path, "path,x0,y0,x1,y1\nz.jpg,1,2,3,4\n"), ["a.jpg"])
