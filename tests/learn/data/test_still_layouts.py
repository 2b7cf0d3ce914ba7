"""Pictures of expressions on tiny trees in their official layouts."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.errors import InputError, MediaNotFound, MienError, UnreadableMedia, UsageError
from mien.learn.data.example import Dataset, Media
from mien.learn.data.layouts import affectnet, ck_plus, fer2013, ferplus, kdef, raf_db
from mien.learn.data.pixels import read_still

READERS = (fer2013, ferplus, raf_db, affectnet, ck_plus, kdef)
GREY = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def picture(value: int, side: int = 48) -> bytes:
    held = BytesIO()
    Image.fromarray(np.full((side, side), value, np.uint8)).save(held, format="PNG")
    return held.getvalue()


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def numbered(dataset: Dataset) -> dict[str, int]:
    return {problem.kind: problem.number for problem in dataset.problems}


def shares(dataset: Dataset) -> dict[tuple[str, str | None], int]:
    return dict(Counter((one.split, one.label) for one in dataset.examples))


# -- FER2013 -----------------------------------------------------------------------------------------------------------


def row(label: object, value: int, usage: str, count: int = 48 * 48) -> str:
    return f"{label},{' '.join([str(value)] * count)},{usage}"


def make_table(root: Path, name: str = "fer2013.csv") -> None:
    rows = [
        "emotion,pixels,Usage",
        row(0, 10, "Training"),
        row(3, 20, "PublicTest"),
        row(6, 30, "PrivateTest"),
        row(7, 1, "Training"),
        row(2, 1, "Training", 2303),
        row(2, 1, "Somewhere"),
    ]
    write(root / name, "\n".join(rows) + "\n")


def test_fer2013_as_a_table(tmp_path: Path) -> None:
    make_table(tmp_path)
    assert fer2013.fits(tmp_path)
    for source in (tmp_path, tmp_path / "fer2013.csv"):
        data = fer2013.read(source)
        assert [(one.name, one.split, one.label) for one in data.examples] == [
            ("train/fer0000000", "train", "anger"),
            ("dev/fer0000001", "dev", "happiness"),
            ("test/fer0000002", "test", "neutral"),
        ]
        assert numbered(data) == {"bad_row": 3} and data.problems[0].cases == ("row 5", "row 6", "row 7")
        stills = [read_still(one.media) for one in data.examples]
        assert [still.shape for still in stills] == [(48, 48, 3)] * 3
        assert [int(still[5, 5, 1]) for still in stills] == [10, 20, 30]


def test_the_other_table_of_fer2013_has_its_columns_otherwise(tmp_path: Path) -> None:
    pixels = " ".join(str(number % 256) for number in range(2304))
    write(tmp_path / "icml_face_data.csv", f'emotion, Usage, pixels\r\n4,PrivateTest,"{pixels}"\r\n')
    (one,) = fer2013.read(tmp_path).examples
    assert (one.split, one.label) == ("test", "sadness")
    assert read_still(one.media)[..., 0].ravel().tolist() == [number % 256 for number in range(2304)]


def test_a_row_that_holds_no_picture(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", "emotion,pixels,Usage\n0,1 2 300 4,Training\n0,one two,Training\n0,1 2 3,Training\n"
    )
    for offset in (21, 40, 60, 10_000):
        with pytest.raises(UnreadableMedia):
            read_still(Media(path, member=f"@{offset}"))
    with pytest.raises(InputError, match="no column emotion, usage"):
        fer2013.read(write(tmp_path / "fer2013.csv", "pixels\n1 2\n"))


OFFICIAL = {
    "fer2013/train/angry/Training_1.png": 1,
    "fer2013/train/happy/Training_2.png": 2,
    "fer2013/public_test/sad/PublicTest_3.png": 3,
    "fer2013/private_test/surprise/PrivateTest_4.png": 4,
    "fer2013/train/disgust/Training_5_flipped.png": 5,  # an augmented copy
    "fer2013/train/fear/PrivateTest_6.png": 6,  # reshuffled
    "fer2013/train/surprise/PrivateTest_4.png": 7,  # there twice
    "fer2013/train/bored/Training_8.png": 8,
    "fer2013/read me.txt": 9,
}


def make_folders(root: Path) -> None:
    for name, value in OFFICIAL.items():
        write(root / name, picture(value))


def make_zip(path: Path, names: Sequence[str] = tuple(OFFICIAL)) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, picture(OFFICIAL.get(name, 0)))
    return path


def test_fer2013_as_folders_and_as_a_zip(tmp_path: Path) -> None:
    make_folders(tmp_path / "set")
    for source in (tmp_path / "set", tmp_path / "set/fer2013", make_zip(tmp_path / "fer2013.zip")):
        assert fer2013.fits(source)
        data = fer2013.read(source)
        found = {one.name: (one.split, one.label, int(read_still(one.media)[0, 0, 0])) for one in data.examples}
        assert found == {
            "train/angry/Training_1.png": ("train", "anger", 1),
            "train/happy/Training_2.png": ("train", "happiness", 2),
            "public_test/sad/PublicTest_3.png": ("dev", "sadness", 3),
            "private_test/surprise/PrivateTest_4.png": ("test", "surprise", 4),
            "train/fear/PrivateTest_6.png": ("test", "fear", 6),
        }
        assert numbered(data) == {"odd_name": 1, "twice": 1, "other_split": 2}
        assert data.labels == fer2013.LABELS


def test_one_folder_of_tests_is_split_by_names(tmp_path: Path) -> None:
    for name in ("train/angry/Training_1.png", "test/angry/PublicTest_2.png", "test/angry/PrivateTest_3.png"):
        write(tmp_path / name, picture(0))
    data = fer2013.read(tmp_path)
    assert shares(data) == {("train", "anger"): 1, ("dev", "anger"): 1, ("test", "anger"): 1} and not data.problems


def test_what_is_no_fer2013_is_told(tmp_path: Path) -> None:
    words = r"not in the layout fer2013: expected is fer2013\.csv .*; found is"
    with pytest.raises(InputError, match=words):
        fer2013.read(make_zip(tmp_path / "other.zip", ["a/b.png"]))
    with pytest.raises(InputError, match=words + " a file that is no zip"):
        fer2013.read(write(tmp_path / "no.zip", "no zip"))
    write(tmp_path / "folder/photos/1.jpg", b"x")
    with pytest.raises(InputError, match=words + " photos/"):
        fer2013.read(tmp_path / "folder")
    with pytest.raises(MediaNotFound):
        fer2013.read(tmp_path / "gone")


def test_the_official_counts_of_fer2013(data: Path) -> None:
    if not (data / "fer2013.zip").is_file():
        pytest.skip("FER2013 is absent")
    found = fer2013.read(data / "fer2013.zip")
    assert {split: len(found.of(split)) for split in ("train", "dev", "test")} == {
        "train": 28709, "dev": 3589, "test": 3589,
    }  # fmt: skip
    train, test = (Counter(one.label for one in found.of(split).examples) for split in ("train", "test"))
    assert [train[label] for label in fer2013.LABELS] == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    assert [test[label] for label in fer2013.LABELS] == [491, 55, 528, 879, 594, 416, 626]
    assert not found.problems
    assert read_still(found.examples[0].media).shape == (48, 48, 3)


# -- FER+ --------------------------------------------------------------------------------------------------------------

VOTES = [
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF",
    "Training,fer0000000.png,6,1,3,0,0,0,0,0,0,0",
    "PublicTest,fer0000001.png,4,0,4,0,2,0,0,0,0,0",
    "PrivateTest,fer0000002.png,0,0,0,0,0,0,0,1,3,6",
    "Training,,0,0,0,0,0,0,0,0,0,10",
    "Training,fer0000099.png,10,0,0,0,0,0,0,0,0,0",
    "Training,fer0000005.png,x,0,0,0,0,0,0,0,0,0",
]


def make_ferplus(root: Path) -> None:
    write(root / "fer2013new.csv", "\n".join(VOTES) + "\n")
    for folder, number in (("FER2013Train", 0), ("FER2013Valid", 1), ("FER2013Test", 2)):
        write(root / "data" / folder / f"fer{number:07d}.png", picture(number))


def test_ferplus(tmp_path: Path) -> None:
    make_ferplus(tmp_path)
    assert ferplus.fits(tmp_path)
    data = ferplus.read(tmp_path)
    (one,) = data.examples
    assert (one.name, one.label) == ("train/fer0000000", "neutral")
    assert one.soft == {"neutral": pytest.approx(6 / 9), "surprise": pytest.approx(3 / 9)}, "one vote is a slip"
    assert numbered(data) == {"undecided": 2, "no_picture": 1, "absent_file": 1, "bad_row": 1}
    soft = ferplus.read(tmp_path, "probability")
    assert [(one.split, one.label) for one in soft.examples] == [("train", "neutral"), ("dev", "neutral")]
    assert soft.examples[1].soft == {"neutral": 0.5, "surprise": 0.5}
    several = ferplus.read(tmp_path, "multi_target")
    assert several.examples[0].soft == {"neutral": 0.5, "surprise": 0.5}
    with pytest.raises(UsageError, match="no rule best"):
        ferplus.read(tmp_path, "best")


def test_ferplus_with_the_table_of_fer2013(tmp_path: Path) -> None:
    make_table(tmp_path)
    write(tmp_path / "fer2013new.csv", "\n".join(VOTES) + "\n")
    data = ferplus.read(tmp_path)
    assert [(one.name, int(read_still(one.media)[0, 0, 0])) for one in data.examples] == [("train/fer0000000", 10)]


@pytest.mark.parametrize(
    ("votes", "rule", "wanted"),
    [
        ([5, 4, 0, 0, 0, 0, 0, 0, 1, 0], "majority", "neutral"),
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], "majority", None),  # no more than half
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], "majority", None),  # no face
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "majority", None),  # all are slips
        ([3, 3, 2, 2, 0, 0, 0, 0, 0, 0], "probability", None),  # four foremost ones
        ([4, 3, 3, 0, 0, 0, 0, 0, 0, 0], "probability", "neutral"),
        ([2, 2, 0, 0, 0, 0, 0, 0, 6, 0], "probability", None),  # unknown is foremost
        ([3, 3, 0, 0, 0, 0, 0, 0, 4, 0], "multi_target", None),
        ([4, 3, 0, 0, 0, 0, 0, 0, 3, 0], "multi_target", "neutral"),
    ],
)
def test_the_rules_of_ferplus(votes: list[int], rule: str, wanted: str | None) -> None:
    """Cases worked out by hand from the published rules."""
    found = ferplus.RULES[rule](np.array(votes, float))
    assert (None if found is None else ferplus.LABELS[int(found.argmax())]) == wanted


# -- RAF-DB ------------------------------------------------------------------------------------------------------------


def make_raf(root: Path) -> None:
    base = root / "basic"
    lines = ["train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 7", "test_0002.jpg 8", "odd.jpg 1",
             "train_00003.jpg 2", "train_00001.jpg 4", "", "train_00004.jpg"]  # fmt: skip
    write(base / "EmoLabel/list_patition_label.txt", "\n".join(lines))
    for name in ("train_00001", "train_00002", "test_0001"):
        write(base / f"Image/aligned/{name}_aligned.jpg", picture(3))
        write(base / f"Image/original/{name}.jpg", picture(3))
    points = "\n".join(["10.5\t20.5"] * 5)
    write(base / "Annotation/manual/train_00001_manu_attri.txt", f"{points}\n1\n2\n3\n")
    write(root / "compound/EmoLabel/list_patition_label.txt", "train_0001.jpg 11\ntest_0001.jpg 1\n")
    for name in ("train_0001", "test_0001"):
        write(root / f"compound/Image/original/{name}.jpg", picture(4))


def test_raf_db(tmp_path: Path) -> None:
    make_raf(tmp_path)
    for source in (tmp_path, tmp_path / "basic"):
        assert raf_db.fits(source)
        data = raf_db.read(source)
        assert [(one.name, one.split, one.label) for one in data.examples] == [
            ("train_00001", "train", "sadness"), ("train_00002", "train", "surprise"), ("test_0001", "test", "neutral"),
        ]  # fmt: skip
        assert data.examples[0].group == {"sex": "female", "race": "Asian", "age": "40-69"}
        assert data.examples[0].media.path.name == "train_00001_aligned.jpg"
        assert numbered(data) == {"no_attributes": 2, "bad_row": 3, "absent_file": 1, "twice": 1}
    compound = raf_db.read(tmp_path, "compound")
    assert [one.label for one in compound.examples] == ["disgustedly surprised", "happily surprised"]
    with pytest.raises(UsageError, match="no part all"):
        raf_db.read(tmp_path, "all")  # type: ignore[arg-type]
    shutil.rmtree(tmp_path / "basic/Image")
    with pytest.raises(InputError, match=r"expected is basic/EmoLabel.*found is basic/, compound/"):
        raf_db.read(tmp_path)


# -- AffectNet ---------------------------------------------------------------------------------------------------------

TITLES = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"


def make_affectnet(root: Path) -> None:
    lists, pictures = root / "Manually_Annotated_file_lists", root / "Manually_Annotated/Manually_Annotated_Images"
    rows = ["689/a.jpg,134,134,899,899,181.6;530.9,1,0.785714,-0.055556", "392/b.jpg,20,20,137,137,28.8;77.5,0,-2,-2",
            "10/c.jpg,0,0,0,0,1;1,10,-2,-2", "10/gone.jpg,0,0,5,5,1;1,3,0.1,0.2", "10/d.jpg,0,0,5,5,1;1,eleven,0,0",
            "689/a.jpg,1,1,1,1,1;1,1,0,0", "../../outside.jpg,1,1,1,1,1;1,1,0,0"]  # fmt: skip
    write(lists / "training.csv", "\n".join([TITLES, *rows]))
    write(lists / "validation.csv", "\n".join([TITLES, "1/e.jpg,0,0,5,5,1;1,7,-0.5,0.5"]))
    for name in ("689/a.jpg", "392/b.jpg", "10/c.jpg", "1/e.jpg"):
        write(pictures / name, picture(1))


def test_affectnet_with_tables(tmp_path: Path) -> None:
    make_affectnet(tmp_path / "set")
    write(tmp_path / "outside.jpg", picture(1))
    assert affectnet.fits(tmp_path / "set")
    data = affectnet.read(tmp_path / "set")
    first, second, third = data.examples
    assert (first.name, first.split, first.label) == ("689/a.jpg", "train", "happiness")
    assert first.values == {"valence": 0.785714, "arousal": -0.055556} and first.box == (134, 134, 1033, 1033)
    assert second.values == {} and (third.split, third.label) == ("test", "contempt")
    assert numbered(data) == {"no_expression": 1, "absent_file": 1, "bad_row": 1, "twice": 1, "outside": 1}
    assert "no face" in data.problems[0].cases[0]


def note(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.array(value))


def make_affectnet_8(root: Path) -> None:
    for folder, number, told in (
        ("train_set", 0, ("3", "-0.25", "0.5")),  # text, as it was handed out
        ("train_set", 1, (7, -2.0, -2.0)),
        ("train_set", 2, (9, 0.0, 0.0)),
        ("train_set", 3, None),
        ("val_set", 4, (0, 0.0, 0.0)),
    ):
        write(root / folder / f"images/{number}.jpg", picture(number))
        for key, value in zip(("exp", "val", "aro"), told or (), strict=False):
            note(root / folder / f"annotations/{number}_{key}.npy", value)


def test_affectnet_with_npy(tmp_path: Path) -> None:
    make_affectnet_8(tmp_path)
    assert affectnet.fits(tmp_path)
    data = affectnet.read(tmp_path)
    assert [(one.name, one.split, one.label, dict(one.values)) for one in data.examples] == [
        ("train_set/0", "train", "surprise", {"valence": -0.25, "arousal": 0.5}),
        ("train_set/1", "train", "contempt", {}),
        ("val_set/4", "test", "neutral", {"valence": 0.0, "arousal": 0.0}),
    ]
    assert numbered(data) == {"no_expression": 1, "no_label": 1}
    notes = tmp_path / "train_set/annotations"
    np.save(notes / "0_exp.npy", np.array([None], object), allow_pickle=True)  # would run whatever it likes
    note(notes / "1_exp.npy", [1, 2])
    assert numbered(affectnet.read(tmp_path)) == {"no_expression": 1, "no_label": 3}


# -- CK+ ---------------------------------------------------------------------------------------------------------------


def make_ck(root: Path) -> None:
    for person in range(1, 13):
        for number in range(1, 5):
            name = f"S{person:03d}/001/S{person:03d}_001_{number:08d}.png"
            write(root / "cohn-kanade-images" / name, picture(number))
    write(root / "cohn-kanade-images/S001/001/.DS_Store", b"x")
    (root / "cohn-kanade-images/S002/002").mkdir()
    write(root / "Emotion/S001/001/S001_001_00000004_emotion.txt", "   3.0000000e+00\n")
    write(root / "Emotion/S002/001/S002_001_00000004_emotion.txt", "   9.0000000e+00\n")
    (root / "Emotion/S003/001").mkdir(parents=True)
    facs = "   9.0000000e+00   4.0000000e+00\n   17   0\n   x y\n"
    write(root / "FACS/S001/001/S001_001_00000004_facs.txt", facs)


def test_ck_plus(tmp_path: Path) -> None:
    make_ck(tmp_path)
    assert ck_plus.fits(tmp_path)
    data = ck_plus.read(tmp_path)
    first = data.examples[0]
    assert len(data) == 12 and (first.name, first.label, first.subject) == ("S001/001", "disgust", "S001")
    assert first.spans[0].units == ("AU09", "AU17") and first.values == {"AU09": 4.0}
    assert (first.spans[0].onset, first.spans[0].apex, first.spans[0].offset) == (0, 3, 3)
    assert [one.label for one in data.examples[1:]] == [None] * 11
    assert [one.group["fold"] for one in data.examples] == [*map(str, range(1, 11)), "1", "2"]
    assert numbered(data) == {"bad_unit": 1, "bad_label": 1, "no_frames": 1}
    stills = ck_plus.stills(data)
    assert [(one.label, int(read_still(one.media)[0, 0, 0])) for one in stills.examples] == [
        ("neutral", 1), ("disgust", 2), ("disgust", 3), ("disgust", 4),
    ]  # fmt: skip
    assert {one.subject for one in stills.examples} == {"S001"}


# -- KDEF --------------------------------------------------------------------------------------------------------------


def make_kdef(root: Path) -> None:
    for name in ("AF01/AF01AFFL.JPG", "AF01/AF01ANS.JPG", "BF01/BF01HAHR.JPG", "AM31/AM31NES.JPG", "AM31/AM31V.JPG",
                 "copy/AM31NES.JPG"):  # fmt: skip
        write(root / name, picture(1))


def test_kdef(tmp_path: Path) -> None:
    make_kdef(tmp_path)
    assert kdef.fits(tmp_path)
    data = kdef.read(tmp_path)
    assert [(one.name, one.label, one.subject) for one in data.examples] == [
        ("AF01AFFL", "fear", "F01"), ("AF01ANS", "anger", "F01"), ("AM31NES", "neutral", "M31"),
        ("BF01HAHR", "happiness", "F01"),
    ]  # fmt: skip
    assert data.examples[0].group == {"session": "A", "sex": "female", "view": "full left"}
    assert numbered(data) == {"odd_name": 1, "twice": 1}


# -- all ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", READERS)
def test_another_layout_is_refused_with_what_was_expected_and_found(reader: Any, tmp_path: Path) -> None:
    write(tmp_path / "holiday/beach.jpg", picture(1))
    assert not reader.fits(tmp_path)
    with pytest.raises(InputError, match=rf"not in the layout {reader.LAYOUT}: expected is .*; found is holiday/"):
        reader.read(tmp_path)
    with pytest.raises(MediaNotFound):
        reader.read(tmp_path / "gone")


@pytest.mark.parametrize(
    ("reader", "make"),
    [(fer2013, make_table), (ferplus, make_ferplus), (raf_db, make_raf), (affectnet, make_affectnet), (ck_plus, make_ck)],
)  # fmt: skip
def test_damage_of_any_kind(reader: Any, make: Callable[[Path], None], spoil: Callable[..., None]) -> None:
    spoil(reader, make)


def test_damaged_notes_of_affectnet(tmp_path: Path) -> None:
    """Bytes of an npy file spoilt in turn: the label is read or it is a problem, nothing else happens."""
    make_affectnet_8(tmp_path)
    path = tmp_path / "train_set/annotations/0_exp.npy"
    content = path.read_bytes()
    for place in (*range(0, len(content), 5), *range(len(content) - 8, len(content))):
        for spoilt in (content[:place] + b"\xff" + content[place + 1 :], content[:place]):
            path.write_bytes(spoilt)
            with contextlib.suppress(MienError):
                affectnet.read(tmp_path)
