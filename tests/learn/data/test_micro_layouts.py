"""Micro-expression data sets on tiny trees in their official layouts."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from mien.errors import InputError, MediaNotFound
from mien.learn.data.example import Dataset, Span
from mien.learn.data.layouts import cas_me_2, cas_me_3, casme2, mmme, samm, smic

READERS = (casme2, samm, smic, cas_me_2, cas_me_3, mmme)


def book(path: Path, sheets: dict[str, Sequence[Sequence[Any]]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        page = made.create_sheet(name)
        for row in rows:
            page.append(list(row))
    made.save(path)


def pictures(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"x")


def numbered(dataset: Dataset) -> dict[str, int]:
    return {problem.kind: problem.number for problem in dataset.problems}


CASME2 = [
    "Subject",
    "Filename",
    None,
    "OnsetFrame",
    "ApexFrame",
    "OffsetFrame",
    None,
    "Action Units",
    "Estimated Emotion",
]


def make_casme2(root: Path) -> None:
    rows = [
        CASME2,
        [1, "EP02_01f", None, 46, 59, 86, None, "12", "happiness"],
        ["02", "EP03_02f", None, 1, "/", 30, None, "4+L10", "disgust"],
        [2, "EP04_02f", None, 1, 3, 5, None, "4+?", "others"],
        [2, "EP05_02f", None, 1, 3, 900, None, "4", "others"],  # beyond the frames
        [3, "EP01_01", None, 1, 3, 5, None, "4", "others"],  # no folder
        [1, "../../outside", None, 1, 3, 5, None, "4", "others"],
    ]
    book(root / "CASME2-coding-20140508.xlsx", {"Sheet1": rows})
    pictures(root / "CASME2-RAW/sub01/EP02_01f", (f"img{n}.jpg" for n in range(40, 90)))
    for clip in ("EP03_02f", "EP04_02f", "EP05_02f"):
        pictures(root / "CASME2-RAW/sub02" / clip, (f"img{n}.jpg" for n in range(1, 31)))
    pictures(root / "Cropped/sub01/EP02_01f", ["reg_img46.jpg"])
    pictures(root.parent / "outside", ["img1.jpg"])


def test_casme2(tmp_path: Path) -> None:
    make_casme2(tmp_path / "set")
    assert casme2.fits(tmp_path / "set")
    data = casme2.read(tmp_path / "set")
    first, second, third = data.examples
    assert (first.name, first.subject, first.label, first.split) == ("sub01/EP02_01f", "sub01", "happiness", "")
    assert first.spans == (Span(6, 19, 46, "happiness", ("AU12",), "micro"),)
    assert (
        first.media.kind == "frames" and first.media.fps == 200 and first.media.path.parent.parent.name == "CASME2-RAW"
    )
    assert second.spans == (Span(0, None, 29, "disgust", ("AU04", "AU10L"), "micro"),)
    assert third.spans[0].units == ("AU04",)
    assert data.labels == ("happiness", "disgust", "others")
    assert numbered(data) == {"other_copy": 1, "unread_units": 1, "bad_interval": 1, "absent_folder": 1, "outside": 1}
    assert all(case.startswith(("row", "Cropped")) for one in data.problems for case in one.cases)


def test_casme2_with_several_intervals_in_a_clip(tmp_path: Path) -> None:
    rows = [CASME2, *[[1, "EP02_01f", None, at, at + 1, at + 2, None, "12", "happiness"] for at in (1, 5, 8)]]
    book(tmp_path / "CASME2-coding-20190701.xlsx", {"Sheet1": rows})
    pictures(tmp_path / "CASME2_RAW_selected/sub01/EP02_01f", (f"img{n}.jpg" for n in range(1, 12)))
    data = casme2.read(tmp_path)
    assert [one.name for one in data.examples] == ["sub01/EP02_01f", "sub01/EP02_01f#2", "sub01/EP02_01f#3"]
    assert [one.spans[0].onset for one in data.examples] == [0, 4, 7]


def make_samm(root: Path) -> None:
    head = ["Subject", "Filename", "Inducement Code", "Onset Frame", "Apex Frame", "Offset Frame", "Duration", "Micro",
            "Action Units", "Estimated Emotion", "Objective Classes", "Notes"]  # fmt: skip
    rows = [["SAMM: notes"]] * 13 + [
        head,
        [6, "006_1_2", 1, 5562, 5588, 5632, 71, "Micro - 1/2", "L14+25", "Contempt", 7, None],
        ["007", "007_3_1", 1, 10, 12, 14, 5, "Micro - 1/2", "4", "Other", 3, None],
        ["007", "007_9_9", 1, 10, 12, 14, 5, "Micro - 1/2", "4", "Other", 3, None],
        ["Below the table stands a note"],
    ]
    book(root / "SAMM_Micro_FACS_Codes_v2.xlsx", {"FACS Movement Final Codes": rows})
    pictures(root / "SAMM/006/006_1_2", (f"006_{n:05d}.jpg" for n in range(5562, 5633)))
    pictures(root / "SAMM/007/007_3_1", (f"007_{n:05d}.jpg" for n in range(10, 15)))


def test_samm(tmp_path: Path) -> None:
    make_samm(tmp_path)
    assert samm.fits(tmp_path)
    data = samm.read(tmp_path)
    assert [(one.subject, one.label) for one in data.examples] == [("006", "contempt"), ("007", "others")]
    assert data.examples[0].spans == (Span(0, 26, 70, "contempt", ("AU14L", "AU25"), "micro"),)
    assert data.examples[0].group == {"objective class": "7"} and numbered(data) == {"absent_folder": 1}


def make_smic(root: Path) -> None:
    for camera, count in (("HS", 30), ("VIS", 8)):
        place = root / "SMIC_all_cropped" / camera
        pictures(place / "s1/micro/negative/s1_ne_01", (f"reg_{n:05d}.bmp" for n in range(count)))
        pictures(place / "s1/micro/positive/s1_po_01", (f"reg_{n:05d}.bmp" for n in range(count)))
        pictures(place / "s12/micro/surprise/s12_sur_02", (f"reg_{n:05d}.bmp" for n in range(count)))
        pictures(place / "s12/non_micro/s12_non_micro_01", (f"reg_{n:05d}.bmp" for n in range(count)))
    (root / "SMIC_all_cropped/HS/s12/micro/surprise/s12_sur_03").mkdir()
    pictures(root / "SMIC_all_cropped/HS/s12/micro/surprise/s12_ne_04", ["1.bmp"])  # its name says negative


def test_smic(tmp_path: Path) -> None:
    make_smic(tmp_path)
    assert smic.fits(tmp_path) and smic.fits(tmp_path / "SMIC_all_cropped")
    data = smic.read(tmp_path)
    assert len(data) == 8 and data.labels == ("negative", "positive", "surprise")
    by_name = {one.name: one for one in data.examples}
    first, still = by_name["HS/s1_ne_01"], by_name["VIS/s12_non_micro_01"]
    assert (first.subject, first.label, first.media.fps) == ("s01", "negative", 100)
    assert first.spans == (Span(0, None, 29, "negative", (), "micro"),)
    assert (still.subject, still.label, still.spans, still.group["kind"]) == ("s12", None, (), "non_micro")
    assert numbered(data) == {"empty_folder": 1, "label_against_name": 1}


def test_smic_extended_has_intervals(tmp_path: Path) -> None:
    place = tmp_path / "HS_long" / "SMIC-HS-E"
    pictures(place / "HS/s01/s01_ne_01", (f"image{n:06d}.jpg" for n in range(100, 160)))
    rows = [
        ["Subject", "Filename", "FirstF", "OnsetF", "ApexF", "OffsetF", "Emotion"],
        [1, "s01_ne_01", 100, 110, 115, 130, "negative"], [None, None, None, None, None, None, "a note"],
    ]  # fmt: skip
    book(place.parent / "SMIC-HS-E_annotation_2019.xlsx", {"a": rows})
    data = smic.read(tmp_path)
    assert data.examples[0].spans == (Span(10, 15, 30, "negative", (), "micro"),) and not numbered(data)


def make_cas_me_2(root: Path, sheets: Sequence[str] = ("CASFEcode_final", "naming rule1", "naming rule2")) -> None:
    rows = [
        [1, "anger1_1", 557, 572, 608, "4+7", "negative", "macro-expression", "anger"],
        [1, "anger1_2", 700, 705, 0, "R14", "others", "micro-expression", "anger"],
        [1, "disgust1_1", 1, 2, 3, "9", "negative", "micro-expression", "disgust"],  # no such video
        [9, "anger1_1", 1, 2, 3, "9", "negative", "micro-expression", "disgust"],  # no such subject
        [1, "anger1_3", 800, 805, 810, "4", "negative", "something", "anger"],
    ]
    content: list[Sequence[Sequence[Any]]] = [
        rows, [["ywh", "s15", 1], ["zxy", "s16", 2]], [["0101", "disgust1"], ["0401", "anger1"]],
    ]  # fmt: skip
    book(root / "CAS(ME)^2code_final.xlsx", dict(zip(sheets, content, strict=False)))
    pictures(root / "rawpic/s15/15_0401girlcrashing", (f"img{n}.jpg" for n in range(1, 901)))
    pictures(root / "rawpic/s16/16_0102eatingworms", (f"img{n}.jpg" for n in range(1, 5)))


def test_cas_me_2(tmp_path: Path) -> None:
    make_cas_me_2(tmp_path)
    assert cas_me_2.fits(tmp_path)
    data = cas_me_2.read(tmp_path)
    first, calm = data.examples
    assert (first.name, first.subject, first.label) == ("s15/15_0401girlcrashing", "s15", None)
    assert first.spans == (
        Span(556, 571, 607, "negative", ("AU04", "AU07"), "macro"), Span(699, 704, 704, "others", ("AU14R",), "micro"),
    )  # fmt: skip
    assert calm.subject == "s16" and calm.spans == ()  # a video without expressions is one, too
    assert numbered(data) == {"unnamed_row": 1, "unknown_kind": 1, "absent_folder": 1}


def test_cas_me_2_without_a_sheet(tmp_path: Path) -> None:
    make_cas_me_2(tmp_path, ("CASFEcode_final", "naming rule1"))
    with pytest.raises(InputError, match="no sheet of the rule2; it has CASFEcode_final, naming rule1"):
        cas_me_2.read(tmp_path)


CASME3 = "Subject,Filename,Onset,Apex,Offset,AU,Objective class,emotion\n"


def make_cas_me_3(root: Path, clips: bool) -> None:
    (root / "annotation").mkdir(parents=True)
    (root / "annotation" / "cas(me)3_part_A_ME_label_JpgIndex_v2.csv").write_text(
        CASME3 + "spNO.1,b,166,175,179,4,III,disgust\nspNO.1,b,300,301,305,L2+L1,II,happy\nspNO.7,a,1,2,3,4,III,fear\n"
        "spNO.1,b,900,901,990,4,III,fear\n../x,b,1,2,3,4,III,fear\n"
    )
    if clips:
        pictures(root / "Part_A_ME_clip/frame/spNO.1_b_166", (f"{n}.jpg" for n in range(166, 180)))
        pictures(root / "Part_A_ME_clip/depth/spNO.1_b_166", (f"{n}.png" for n in range(166, 180)))
    else:
        pictures(root / "part_A/spNo.1/b/color", (f"{n}.jpg" for n in range(0, 400)))
        pictures(root / "part_A/spNo.1/b/depth", (f"{n}.png" for n in range(0, 400)))


def test_cas_me_3_whole_videos(tmp_path: Path) -> None:
    make_cas_me_3(tmp_path, clips=False)
    (tmp_path / "annotation" / "CAS(ME)3_part_A_v2.csv").write_text(
        "Subject,Video,Onset,Apex,Offset,AU,Expression type,Objective class\n"
        "spNO.1,b,166,175,179,4,Micro-expression,III\nspNO.1,b,10,20,90,12,Macro-expression,I\n"
    )
    assert cas_me_3.fits(tmp_path)
    data = cas_me_3.read(tmp_path)
    (only,) = data.examples
    assert (only.name, only.subject, only.media.path.name) == ("spNO.1/b", "spNO.1", "color")
    assert only.spans == (
        Span(10, 20, 90, "", ("AU12",), "macro"), Span(166, 175, 179, "disgust", ("AU04",), "micro"),
        Span(300, 301, 305, "happiness", ("AU02L", "AU01L"), "micro"),
    )  # fmt: skip
    assert numbered(data) == {"bad_interval": 1, "absent_folder": 1, "outside": 1}


def test_cas_me_3_clips(tmp_path: Path) -> None:
    make_cas_me_3(tmp_path, clips=True)
    (only,) = cas_me_3.read(tmp_path).examples
    assert (only.name, only.label, only.spans) == (
        "spNO.1_b_166", "disgust", (Span(0, 9, 13, "disgust", ("AU04",), "micro"),)
    )  # fmt: skip


def make_mmme(root: Path, videos: bool) -> None:
    head = ["Subject", "Filename", "Marker", "OnsetTime", "ApexTime", "OffsetTime", "OnsetFrame", "ApexFrame", "OffsetFrame",
            "Action Units", "Estimated Emotion", "Date", "dif"]  # fmt: skip
    rows = [
        head,
        [
            "zoeexample",
            "zoeexample_1_116_20230728.avi",
            116,
            24.33,
            24.59,
            25.33,
            "a",
            "b",
            "c",
            "AU4, AU7",
            "angry",
            "d",
            39,
        ],
        ["adaexample", "adaexample_1_110_20230801.avi", 110, 1, 1.5, 2.0, "a", "b", "c", "AU12", "happy", "d", 75],
        ["adaexample", "adaexample_1_110_20230801.avi", 110, 9, 8, 2.0, "a", "b", "c", "AU12", "happy", "d", 75],
        [None] * 13,
    ]
    book(root / "coding_file.xlsx", {"Sheet1": rows})
    if videos:
        pictures(root / "video" / "zoe", ["zoeexample_1_116_20230728.avi"])


@pytest.mark.parametrize("videos", [True, False])
def test_mmme_keeps_no_names(tmp_path: Path, videos: bool) -> None:
    make_mmme(tmp_path, videos)
    assert mmme.fits(tmp_path)
    data = mmme.read(tmp_path)
    assert [(one.subject, one.group) for one in data.examples] == [("02", {"marker": "116"}), ("01", {"marker": "110"})]
    assert data.examples[0].spans == (Span(3649, 3688, 3799, "anger", ("AU04", "AU07"), "micro"),)
    assert [one.media.kind for one in data.examples] == (["video", "none"] if videos else ["none", "none"])
    assert numbered(data) == {"bad_interval": 1, "no_video": 1 if videos else 2}
    told = [(one.name, one.subject, one.group, one.text, one.media.name) for one in data.examples]
    assert "example_" not in str(told) + str(data.problems) and "adaexample" not in str(told) + str(data.problems)


@pytest.mark.parametrize("reader", READERS)
def test_another_layout_is_told(reader: Any, tmp_path: Path) -> None:
    pictures(tmp_path / "happy", ["1.jpg"])
    (tmp_path / "labels.csv").write_text("a,b\n")
    assert not reader.fits(tmp_path)
    with pytest.raises(
        InputError, match=rf"not in the layout {reader.LAYOUT}: expected is .*; found is happy/, labels\.csv"
    ):
        reader.read(tmp_path)
    with pytest.raises(MediaNotFound):
        reader.read(tmp_path / "none")


@pytest.mark.parametrize(
    ("reader", "make"),
    [(casme2, make_casme2), (samm, make_samm), (cas_me_2, make_cas_me_2), (mmme, lambda r: make_mmme(r, False))],
)
def test_a_damaged_workbook_is_one_sentence(reader: Any, make: Any, tmp_path: Path) -> None:
    make(tmp_path / "set")
    (path,) = (tmp_path / "set").glob("*.xlsx")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match="no workbook"):
        reader.read(tmp_path / "set")


def test_a_table_whose_clips_are_all_absent(tmp_path: Path) -> None:
    make_casme2(tmp_path / "set")
    shutil.rmtree(tmp_path / "set" / "CASME2-RAW")
    shutil.rmtree(tmp_path / "set" / "Cropped")
    (tmp_path / "set" / "sub09").mkdir()
    with pytest.raises(InputError, match=r"Nothing in .* can be used as casme2: 5 absent_folder; 1 outside"):
        casme2.read(tmp_path / "set")


TREES = [
    (casme2, make_casme2),
    (samm, make_samm),
    (cas_me_2, make_cas_me_2),
    (cas_me_3, lambda root: make_cas_me_3(root, clips=False)),
    (cas_me_3, lambda root: make_cas_me_3(root, clips=True)),
    (mmme, lambda root: make_mmme(root, videos=True)),
    (smic, make_smic),
]


@pytest.mark.parametrize(("reader", "make"), TREES)
def test_it_is_told_from_other_layouts(reader: Any, make: Any, told_apart: Any) -> None:
    told_apart(reader, make)


@pytest.mark.parametrize(("reader", "make"), TREES)
def test_any_damage_is_told(reader: Any, make: Any, spoil: Any) -> None:
    spoil(reader, make)
