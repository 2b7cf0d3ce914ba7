"""Clips of expressions and frames of action units on tiny trees in their official layouts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import Workbook
from PIL import Image

from mien.errors import InputError, MediaNotFound, UsageError
from mien.learn.data.example import Dataset, Span
from mien.learn.data.layouts import affwild2, bp4d, dfew, disfa, ferv39k, mafw
from mien.learn.data.per_frame import per_frame, tracks
from mien.learn.data.pixels import read_still
from mien.learn.data.protocols import protocols_of, under

READERS = (dfew, ferv39k, mafw, affwild2, bp4d, disfa)


def picture(value: int) -> bytes:
    held = BytesIO()
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(held, format="PNG")
    return held.getvalue()


def write(path: Path, content: bytes | str = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def numbered(dataset: Dataset) -> dict[str, int]:
    return {problem.kind: problem.number for problem in dataset.problems}


def splits(dataset: Dataset) -> dict[str, str]:
    return {one.name: one.split for one in dataset.examples}


# -- DFEW --------------------------------------------------------------------------------------------------------------


def make_dfew(root: Path) -> None:
    lists = root / "EmoLabel_DataSplit"
    for fold in range(1, 6):
        train = [(1, 1), (2, 2), (3, 3)] if fold != 2 else [(3, 3)]
        test = [(4, 7)] if fold != 2 else [(1, 1), (2, 2), (4, 7)]
        for side, rows in (("train", train), ("test", test)):
            text = "video_name,label\n" + "".join(f"{clip:05d},{label}\n" for clip, label in rows)
            write(lists / f"{side}(single-labeled)/set_{fold}.csv", text)
    with (lists / "train(single-labeled)/set_1.csv").open("a") as file:
        file.write("00009,5\n00003,4\nx,1\n5,8\n")
    book = Workbook()
    page = book.active
    page.append(["order", "1happy", "2sad", "3neutral", "4angry", "5surprise", "6disgust", "7fear", "label"])
    page.append([1, 8, 0, 2, 0, 0, 0, 0, 1])
    page.append([6, 5, 5, 0, 0, 0, 0, 0, 0])
    page.append(["seven", 5, 5, 0, 0, 0, 0, 0, 0])
    (root / "annotation").mkdir(parents=True)
    book.save(root / "annotation/annotation.xlsx")
    for clip in (1, 2, 4, 6):
        for number in (1, 2):
            write(root / f"Clip/clip_224x224/{clip:05d}/{number:05d}.jpg")
    (root / "Clip/clip_224x224/00003").mkdir()


def test_dfew(tmp_path: Path) -> None:
    make_dfew(tmp_path)
    assert dfew.fits(tmp_path)
    data = dfew.read(tmp_path)
    assert splits(data) == {"00001": "train", "00002": "train", "00004": "test", "00006": ""}
    first, _, fourth, sixth = data.examples
    assert first.label == "happiness" and first.soft == {"happiness": 0.8, "neutral": 0.2}
    assert fourth.label == "fear" and (sixth.label, sixth.soft) == (None, {"happiness": 0.5, "sadness": 0.5})
    assert numbered(data) == {"other_label": 1, "bad_row": 2, "bad_votes": 1, "no_frames": 1, "absent_clip": 1}
    assert protocols_of(data) == tuple(f"fold {number}" for number in range(1, 6))
    assert splits(under(data, "fold 2")) == {"00001": "test", "00002": "test", "00004": "test"}
    assert data.labels == dfew.LABELS


def test_a_clip_on_both_sides_of_a_fold_is_told(tmp_path: Path) -> None:
    make_dfew(tmp_path)
    write(tmp_path / "EmoLabel_DataSplit/test(single-labeled)/set_1.csv", "video_name,label\n1,1\n4,7\n")
    data = dfew.read(tmp_path)
    assert splits(data)["00001"] == "test" and numbered(data)["both_sides"] == 1


# -- FERV39k -----------------------------------------------------------------------------------------------------------


def make_ferv(root: Path) -> None:
    write(
        root / "4_setups/All_scenes/train_All.csv",
        "Action/Happy/0267 Happy\nWar/Sad/0001 Sad\nWar/Sad Sad\nDaily/Fear/0002 Fear\n",
    )
    write(
        root / "4_setups/All_scenes/test_All.csv",
        "Crime/Angry/0005 Angry\nAction/Happy/0267 Happy\nWar/Calm/0001 Calm\n",
    )
    for clip in ("Action/Happy/0267", "War/Sad/0001", "Crime/Angry/0005"):
        write(root / "2_ClipsforFaceCrop" / clip / "0001.jpg")


def test_ferv39k(tmp_path: Path) -> None:
    make_ferv(tmp_path)
    assert ferv39k.fits(tmp_path)
    data = ferv39k.read(tmp_path)
    assert {one.name: (one.split, one.label, one.group["scene"]) for one in data.examples} == {
        "Action/Happy/0267": ("test", "happiness", "Action"),
        "War/Sad/0001": ("train", "sadness", "War"),
        "Crime/Angry/0005": ("test", "anger", "Crime"),
    }
    assert numbered(data) == {"bad_row": 2, "twice": 1, "absent_clip": 1}
    (tmp_path / "4_setups/All_scenes/train_All.csv").unlink()
    assert numbered(ferv39k.read(tmp_path))["absent_table"] == 1


# -- MAFW --------------------------------------------------------------------------------------------------------------


def make_mafw(root: Path) -> None:
    for fold in (1, 2):
        base = root / "Train & Test Set/single"
        write(base / f"no_caption/set_{fold}/train.txt", f"0000{fold}.mp4 anger\n00003.mp4 helplessness\n")
        write(base / f"no_caption/set_{fold}/test.txt", f"0000{3 - fold}.mp4 anger\n00004.mp4 boredom\n")
        write(base / f"with_caption/set_{fold}/train.txt", "00001.mp4 anger A girl shouts.\n")
        compound = root / "Train & Test Set/compound/no_caption" / f"set_{fold}"
        write(compound / "train.txt", "00001.mp4 sadness_anger\n")
        write(compound / "test.txt", "00002.mp4 anxiety\n")
    for clip in (1, 2, 3):
        write(root / f"data/clips/0000{clip}.mp4")
    write(root / "data/frames/00003/00001.jpg")


def test_mafw(tmp_path: Path) -> None:
    make_mafw(tmp_path)
    assert mafw.fits(tmp_path)
    data = mafw.read(tmp_path)
    assert {one.name: (one.split, one.label, one.media.kind) for one in data.examples} == {
        "00001": ("train", "anger", "video"),
        "00002": ("test", "anger", "video"),
        "00003": ("train", "helplessness", "frames"),
    }
    assert splits(under(data, "fold 2")) == {"00001": "test", "00002": "train", "00003": "train"}
    assert numbered(data) == {"bad_row": 2}
    compound = mafw.read(tmp_path, "compound")
    assert [one.label for one in compound.examples] == ["anger+sadness", "anxiety"]
    assert compound.labels == (*mafw.LABELS, "anger+sadness")
    with pytest.raises(UsageError, match="no part both"):
        mafw.read(tmp_path, "both")  # type: ignore[arg-type]


# -- Aff-Wild2 ---------------------------------------------------------------------------------------------------------

EIGHT = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"


def make_affwild(root: Path) -> None:
    notes = root / "annotations"
    expression, felt, units = (f"{one}_Challenge" for one in ("EXPR_Classification", "VA_Estimation", "AU_Detection"))
    write(notes / expression / "Train_Set/a.txt", f"{EIGHT}\n0\n0\n4\n4\n-1\n4\n8\n")
    write(
        notes / felt / "Train_Set/a.txt",
        "valence,arousal\n" + "".join(f"0.{n},-0.{n}\n" for n in range(1, 7)) + "-5,-5\n",
    )
    write(
        notes / units / "Validation_Set/b.txt",
        ",".join(affwild2.UNITS) + "\n" + ",".join(["1"] * 12) + "\n" + ",".join(["-1"] * 12),
    )
    write(notes / expression / "Validation_Set/c.txt", f"{EIGHT}\n1\n")
    write(notes / expression / "Train_Set/d.txt", "1\n1\n")
    for number in (1, 2, 3, 4, 6, 7):  # the face was not found in frame 5
        write(root / f"cropped_aligned/a/{number:05d}.jpg", picture(number))
    write(root / "cropped_aligned/b/00001.jpg", picture(1))
    write(root / "cropped_aligned/b/00002.jpg", picture(2))
    write(root / "cropped_aligned/d/00001.jpg", picture(2))


def test_affwild2(tmp_path: Path) -> None:
    make_affwild(tmp_path)
    assert affwild2.fits(tmp_path)
    data = affwild2.read(tmp_path)
    assert splits(data) == {"a": "train", "b": "test"}
    first, second = data.examples
    assert first.spans == (
        Span(0, None, 1, "neutral", (), "frames"),
        Span(2, None, 4, "happiness", (), "frames"),  # places in the folder: frame 6 lies beside frame 4
    )
    assert numbered(data) == {"bad_label": 1, "absent_folder": 1, "bad_title": 1}
    places, valence = tracks(first)["valence"]
    assert places.tolist() == [0, 1, 2, 3, 4] and valence.tolist() == [0.1, 0.2, 0.3, 0.4, 0.6]
    assert {name: value[1].tolist() for name, value in tracks(second).items()} == {
        name: [1.0] for name in affwild2.UNITS
    }


def test_frames_of_affwild2(tmp_path: Path) -> None:
    make_affwild(tmp_path)
    data = per_frame(affwild2.read(tmp_path))
    labels = {one.name: (one.label, one.values.get("valence")) for one in data.examples if one.split == "train"}
    assert labels == {
        "a#0": ("neutral", 0.1), "a#1": ("neutral", 0.2), "a#2": ("happiness", 0.3), "a#3": ("happiness", 0.4),
        "a#4": ("happiness", 0.6),
    }  # fmt: skip
    seen = [int(read_still(one.media)[0, 0, 0]) for one in data.examples if one.split == "train"]
    assert seen == [1, 2, 3, 4, 6], "the picture is that of the labelled frame"
    assert len(per_frame(affwild2.read(tmp_path), every=2)) == 4
    with pytest.raises(UsageError, match="0th"):
        per_frame(data, 0)


# -- BP4D --------------------------------------------------------------------------------------------------------------


def make_bp4d(root: Path) -> None:
    coded = [0, *bp4d.UNITS, 27]
    for person, task in (("F001", "T1"), ("F007", "T1"), ("M011", "T2"), ("F099", "T1"), ("M001", "T3")):
        rows = [",".join(map(str, coded))]
        for frame in (2440, 2441, 2443, 9000):
            rows.append(",".join(map(str, [frame, *(frame % 2 for _ in bp4d.UNITS), 9])))
        if person == "F001":
            rows[2] = rows[2].replace("2441,1", "2441,9")
        write(root / f"AUCoding/AU_OCC/{person}_{task}.csv", "\n".join(rows) if person != "M001" else "0,1\n1,1\n")
    for person in ("F001/T1", "F007/T1", "M011/T2", "F099/T1", "M001/T3", "F001/T8"):
        for frame in (2439, 2440, 2441, 2443):
            write(root / f"Sequences(2D+3D)/{person}/{frame}.jpg", picture(frame % 100))
        write(root / f"Sequences(2D+3D)/{person}/2440.obj")
    write(root / "AUCoding/AU_OCC/F002_T1.csv", "0,1\n")


def test_bp4d(tmp_path: Path) -> None:
    make_bp4d(tmp_path)
    assert bp4d.fits(tmp_path)
    data = bp4d.read(tmp_path)
    assert splits(data) == {"F001/T1": "train", "F007/T1": "test", "M011/T2": "train", "F099/T1": ""}
    assert [one.group.get("fold") for one in data.examples] == ["3", "1", None, "2"]
    assert splits(under(data, "fold 3")) == {"F001/T1": "test", "F007/T1": "train", "M011/T2": "train"}
    first = next(one for one in data.examples if one.subject == "F001")
    assert first.spans == (Span(1, None, 3, kind="coded"),)
    places, values = tracks(first)["AU01"]
    assert places.tolist() == [1, 3] and values.tolist() == [0, 1], "9 cannot be told"
    assert tracks(first)["AU02"][1].tolist() == [0, 1, 1]
    frames = per_frame(data)
    one = next(one for one in frames.examples if one.name == "F001/T1#2")
    assert int(read_still(one.media)[0, 0, 0]) == 41 and "AU01" not in one.values and one.values["AU24"] == 1
    assert numbered(data) == {"no_table": 1, "no_fold": 1, "absent_folder": 1, "bad_table": 1}


def test_the_official_folds_hold_each_person_once() -> None:
    for folds, people in ((bp4d.FOLDS, 41), (disfa.FOLDS, 27)):
        names = [name for fold in folds for name in fold.split()]
        assert len(names) == len(set(names)) == people
    assert [len(fold.split()) for fold in bp4d.FOLDS] == [13, 14, 14]
    assert Counter(name[0] for fold in bp4d.FOLDS for name in fold.split()) == {"F": 23, "M": 18}


# -- DISFA -------------------------------------------------------------------------------------------------------------


def make_disfa(root: Path) -> None:
    for person in ("SN001", "SN003", "SN099", "SN002"):
        for unit in disfa.UNITS:
            if (person, unit) != ("SN003", 26):
                write(root / f"ActionUnit_Labels/{person}/{person}_au{unit}.txt", "1,0\n2,3\n3,5\n4,7\n")
    for person in ("SN001", "SN003", "SN099", "SN050"):
        write(root / f"Videos_LeftCamera/LeftVideo{person}_comp.avi")
    write(root / "Video_RightCamera/RightVideoSN001_comp.avi")


def test_disfa(tmp_path: Path) -> None:
    make_disfa(tmp_path)
    assert disfa.fits(tmp_path)
    data = disfa.read(tmp_path)
    assert splits(data) == {"SN001/left": "train", "SN001/right": "train", "SN003/left": "test", "SN099/left": ""}
    assert {one.split for one in under(data, "fold 3").examples if one.subject == "SN001"} == {"test"}
    first = data.examples[0]
    assert (first.group["camera"], first.media.kind, first.media.fps) == ("left", "video", 20)
    places, values = tracks(first)["AU12"]
    assert places.tolist() == [0, 1, 2] and values.tolist() == [0, 3, 5], "7 is no intensity"
    assert numbered(data) == {"absent_unit": 1, "no_labels": 1, "absent_video": 1, "no_fold": 1}
    frames = per_frame(data)
    assert len(frames) == 12 and frames.examples[1].media.first == frames.examples[1].media.last == 1
    assert frames.examples[1].values["AU04"] == 3


# -- all ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
def test_another_layout_is_refused_with_what_was_expected_and_found(reader: Any, tmp_path: Path) -> None:
    write(tmp_path / "holiday/beach.jpg")
    assert not reader.fits(tmp_path)
    with pytest.raises(InputError, match=rf"not in the layout {reader.LAYOUT}: expected is .*; found is holiday/"):
        reader.read(tmp_path)
    with pytest.raises(MediaNotFound):
        reader.read(tmp_path / "gone")


@pytest.mark.parametrize(
    ("reader", "make"),
    [(dfew, make_dfew), (ferv39k, make_ferv), (mafw, make_mafw), (affwild2, make_affwild), (bp4d, make_bp4d),
     (disfa, make_disfa)],
)  # fmt: skip
def test_damage_of_any_kind(reader: Any, make: Callable[[Path], None], spoil: Callable[..., None]) -> None:
    spoil(reader, make)


def test_frames_with_labels_that_cannot_be_read_are_problems(tmp_path: Path) -> None:
    make_disfa(tmp_path)
    write(tmp_path / "ActionUnit_Labels/SN001/SN001_au1.txt", "1,none\n")
    found = per_frame(disfa.read(tmp_path))
    assert {one.subject for one in found.examples} == {"SN003", "SN099"}
    (problem,) = [one for one in found.problems if one.kind == "bad_labels"]
    assert problem.number == 2 and "SN001_au1.txt has cells of AU01 that are no number" in problem.cases[0]
