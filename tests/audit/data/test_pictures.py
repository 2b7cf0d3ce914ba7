"""Labelled pictures from folders, zips and .bin files, and what is wrong with them."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.audit.data import Labelled, archive, pictures, read_pairs
from mien.audit.data.bins import read_bin
from mien.errors import InputError, MediaNotFound, UnreadableMedia, UsageError


def png(shade: int = 0, side: int = 16) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (side, side), (shade, shade, shade)).save(data, "PNG")
    return data.getvalue()


def write(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(number) if path.suffix in (".png", ".jpg") else b"words")
    return root


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def kinds(problems: tuple[Any, ...]) -> dict[str, tuple[str, ...]]:
    return {one.kind: one.cases for one in problems}


def named(listed: tuple[Labelled, ...]) -> list[tuple[str, str]]:
    return [(one.name, one.subject) for one in listed]


# --- folders --------------------------------------------------------------------------------------------------------


def test_a_folder_per_person_with_everything_wrong_with_it(tmp_path: Path) -> None:
    write(tmp_path, "Ann/1.png", "Ann/more/2.png", "Bob/1.png", "stray.png", "list.csv", "Bob/notes.txt")
    (tmp_path / "Empty").mkdir()
    listed, problems = pictures(tmp_path)
    assert named(listed) == [("Ann/1.png", "Ann"), ("Ann/more/2.png", "Ann"), ("Bob/1.png", "Bob")]
    assert kinds(problems) == {
        "empty_person": ("Empty",),
        "not_a_picture": ("Bob/notes.txt",),
        "stray_file": ("list.csv", "stray.png"),
    }
    assert listed[0].read().pixels.shape == (16, 16, 3)


def test_a_folder_around_all_people_is_passed_through(tmp_path: Path) -> None:
    write(tmp_path, "release/lfw/Ann/1.png", "release/lfw/Bob/1.png")
    listed, problems = pictures(tmp_path)
    assert named(listed) == [("release/lfw/Ann/1.png", "Ann"), ("release/lfw/Bob/1.png", "Bob")]
    assert not problems


def test_a_flat_folder_has_pictures_of_nobody_until_labels_say_whose(tmp_path: Path) -> None:
    write(tmp_path, "1.png", "2.png", "3.png")
    listed, problems = pictures(tmp_path)
    assert named(listed) == [("1.png", ""), ("2.png", ""), ("3.png", "")]
    assert kinds(problems) == {"no_subject": ("1.png", "2.png", "3.png")}

    labels = tmp_path / "labels.csv"
    labels.write_text("path;person;sex\n1.png;Ann;f\n2.png;;f\ngone.png;Bob;m\n1.png;Eve;f\n", encoding="utf8")
    listed, problems = pictures(tmp_path, labels=labels)
    assert named(listed) == [("1.png", "Ann")]
    found = kinds(problems)
    assert found["blank_label"] == ("line 3: 2.png",)
    assert found["absent_file"] == ("gone.png",)
    assert found["two_subjects"] == ("1.png: Ann, Eve",)
    assert found["no_label"] == ("2.png", "3.png")


def test_labels_that_fit_nothing_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, "1.png")
    labels = tmp_path / "labels.csv"
    labels.write_text("path,subject\nother.png,Ann\n")
    with pytest.raises(InputError, match="names no picture of this data"):
        pictures(tmp_path, labels=labels)
    labels.write_text("file,sex\n1.png,f\n")
    with pytest.raises(InputError, match="has no column subject; its first line has file, sex"):
        pictures(tmp_path, labels=labels)


def test_what_is_no_data_set_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound):
        pictures(tmp_path / "absent")
    with pytest.raises(MediaNotFound, match="holds no picture"):
        pictures(tmp_path)
    (tmp_path / "words.txt").write_text("words")
    with pytest.raises(InputError, match=r"is no folder, no zip and no \.bin"):
        pictures(tmp_path / "words.txt")
    with pytest.raises(UsageError, match="cannot be padded"):
        pictures(tmp_path, pad=float("nan"))


def test_padding_continues_the_edges_and_names_the_picture_that_is_damaged(tmp_path: Path) -> None:
    write(tmp_path, "Ann/1.png")
    (tmp_path / "Ann/1.png").write_bytes(png(7, 20))
    (tmp_path / "Ann/2.png").write_bytes(png(8)[:40])
    one, two = pictures(tmp_path, pad=0.25)[0]
    frame = one.read()
    assert frame.pixels.shape == (30, 30, 3)
    assert (frame.pixels == 7).all()
    with pytest.raises(UnreadableMedia, match=r"Ann/2\.png is cut short"):
        two.read()


def test_the_digest_is_of_the_bytes_or_else_of_the_pixels(tmp_path: Path) -> None:
    write(tmp_path, "Ann/1.png")
    (tmp_path / "Ann/2.png").write_bytes((tmp_path / "Ann/1.png").read_bytes())
    one, two = pictures(tmp_path)[0]
    assert one.digest() == two.digest()
    assert Labelled("x", "", one.read).digest() == Labelled("y", "", two.read).digest() != one.digest()


# --- zips -----------------------------------------------------------------------------------------------------------


def test_a_zip_is_read_in_place_like_the_folder_it_was(tmp_path: Path) -> None:
    members = {"lfw/Ann/1.png": png(1), "lfw/Bob/x/1.png": png(2), "lfw/stray.png": png(3), "pairs.txt": b"words"}
    listed, problems = pictures(packed(tmp_path / "lfw.zip", members))
    assert named(listed) == [("lfw/Ann/1.png", "Ann"), ("lfw/Bob/x/1.png", "Bob")]
    assert kinds(problems) == {"not_a_picture": ("pairs.txt",), "stray_file": ("lfw/stray.png",)}
    assert (listed[1].read().pixels == 2).all()
    assert os.listdir(tmp_path) == ["lfw.zip"]  # noqa: PTH208


def test_a_flat_zip_has_pictures_of_nobody(tmp_path: Path) -> None:
    listed, _ = pictures(packed(tmp_path / "flat.zip", {"1.png": png(), "2.png": png()}))
    assert named(listed) == [("1.png", ""), ("2.png", "")]


def test_names_that_lead_out_of_a_zip_are_left_out_and_listed(tmp_path: Path) -> None:
    odd = ("../Ann/1.png", "/Ann/2.png", "Ann/../../3.png", "C:/Ann/4.png", "Ann\\..\\5.png")
    path = packed(tmp_path / "odd.zip", {"Ann/1.png": png(1), "Bob/1.png": png(2), **dict.fromkeys(odd, png(3))})
    listed, problems = pictures(path)
    assert named(listed) == [("Ann/1.png", "Ann"), ("Bob/1.png", "Bob")]
    assert len(kinds(problems)["odd_name"]) == len(odd)


def test_a_member_that_unpacks_to_more_than_allowed_is_refused_when_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "LARGEST", 10_000)
    path = packed(tmp_path / "bomb.zip", {"Ann/1.png": png() + bytes(1_000_000), "Bob/1.png": png()})
    assert path.stat().st_size < 10_000
    listed, _ = pictures(path)
    with pytest.raises(UnreadableMedia, match=r"Ann/1\.png is larger than"):
        listed[0].read()
    assert listed[1].read().width == 16


def test_damaged_and_encrypted_members_are_listed(tmp_path: Path) -> None:
    path = packed(tmp_path / "bad.zip", {"Ann/1.png": os.urandom(3000), "Bob/1.png": png(), "Cid/1.png": png(2)})
    data = bytearray(path.read_bytes())
    start = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)  # Bob's entry of the central directory
    data[start + 8] |= 1  # encrypted
    path.write_bytes(data)
    listed, problems = pictures(path)
    assert [one.name for one in listed] == ["Cid/1.png"]
    assert kinds(problems)["not_a_picture"] == ("Ann/1.png",)
    assert kinds(problems)["unreadable"][0].startswith("Bob/1.png")


# --- .bin -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("shape", ["bytes", "arrays"])
def test_a_bin_gives_pairs_of_aligned_pictures(tmp_path: Path, protocol: int, shape: str) -> None:
    contents: list[Any] = [png(shade, 112) for shade in range(4)]
    same: Any = [True, False]
    if shape == "arrays":
        contents, same = [np.frombuffer(one, np.uint8) for one in contents], np.array(same)
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps((contents, same), protocol=protocol))
    listed, problems = pictures(path)
    assert [one.name for one in listed] == ["1a", "1b", "2a", "2b"]
    assert kinds(problems)["no_subject"] == ("1a", "1b", "2a", "2b")
    assert (listed[2].read().pixels == 2).all()
    assert listed[0].points is not None
    pairs = read_pairs(path, listed)
    assert pairs.same.tolist() == [True, False]
    assert pairs.owner[0] == pairs.owner[1]
    assert len(set(pairs.owner.tolist())) == 3


def test_a_bin_of_numpy_truth_values_and_of_python_2(tmp_path: Path) -> None:
    path = tmp_path / "cfp.bin"
    path.write_bytes(pickle.dumps(([png(), png()], [np.bool_(True)]), protocol=2))
    assert read_bin(path)[1].tolist() == [True]
    old = b"(((lp0\nS'" + b"x" + b"'\np1\naS'y'\np2\na(lp3\nI01\natp4\n."  # as cPickle of Python 2 wrote it
    path.write_bytes(old[1:])
    listed, same = read_bin(path)
    assert same.tolist() == [True]
    assert [one.content() for one in listed if one.content] == [b"x", b"y"]


class Runs:
    def __init__(self, *how: Any) -> None:
        self.how = how

    def __reduce__(self) -> Any:
        return self.how


EVIL = {
    "a command": Runs(os.system, ("touch {mark}",)),
    "eval": Runs(eval, ("open('{mark}', 'w')",)),
    "numpy's own loader": Runs(np.load, ("{mark}",)),
    "a file": Runs(open, ("{mark}", "w")),
    "another codec": Runs(__import__("_codecs").encode, ("x", "rot13")),
    "bytes by the billion": Runs(bytes, (10**12,)),
    "an array of objects": np.array([Runs(os.getcwd, ())], dtype=object),
    "an array of floats": np.zeros(3),
}


@pytest.mark.parametrize("what", EVIL)
def test_a_bin_runs_nothing(tmp_path: Path, what: str) -> None:
    mark = tmp_path / "mark"
    thing = EVIL[what]
    if isinstance(thing, Runs):
        thing = Runs(thing.how[0], tuple(str(x).format(mark=mark) if isinstance(x, str) else x for x in thing.how[1]))
    path = tmp_path / "evil.bin"
    path.write_bytes(pickle.dumps(([thing, png()], [True])))
    with pytest.raises(InputError, match=r"evil\.bin is no \.bin of pictures and pairs"):
        read_bin(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"words",
        b"\x80\x04.",
        pickle.dumps([1, 2, 3]),
        pickle.dumps(([b"x"], [2])),
        pickle.dumps((b"xy", [True])),
        b"\x80\x04r\xff\xff\xff\xff.",  # a memo of 4 billion places
        b"\x80\x04" + b"(" * 100_000 + b".",
    ],
)
def test_a_bin_of_something_else_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.bin"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"odd\.bin is no \.bin of pictures"):
        read_bin(path)


def test_a_bin_needs_two_pictures_a_pair(tmp_path: Path) -> None:
    path = tmp_path / "short.bin"
    path.write_bytes(pickle.dumps(([b"x"], [True])))
    with pytest.raises(InputError, match="1 pictures and 1 pairs"):
        read_bin(path)


# --- real data ------------------------------------------------------------------------------------------------------


def test_the_reference_zip_has_the_official_pairs_that_are_present(data: Path, tmp_path: Path) -> None:
    listed, problems = pictures(data / "lfw_grey.zip")
    assert len(listed) == 12_794
    assert len({one.subject for one in listed}) == 5_616
    assert kinds(problems) == {"not_a_picture": ("expressions.csv", "pairs.txt")}
    with zipfile.ZipFile(data / "lfw_grey.zip") as file:
        file.extract("pairs.txt", tmp_path)
    pairs = read_pairs(tmp_path / "pairs.txt", listed)
    assert (len(pairs), pairs.folds) == (5_605, 10)  # of 6,000, as its own page says
    assert {one.kind: one.number for one in pairs.problems} == {"absent_file": 395}
    assert all((listed[a].subject == listed[b].subject) == same for a, b, same in zip(*pair_lists(pairs), strict=True))


def pair_lists(pairs: Any) -> tuple[list[int], list[int], list[bool]]:
    return pairs.first.tolist(), pairs.second.tolist(), pairs.same.tolist()


def test_pairs_of_pictures_that_nobody_named(data: Path) -> None:
    listed, _ = pictures(data / "faces/celebrity_pairs")
    pairs = read_pairs(data / "faces/celebrity_pairs/pairs.csv", listed)
    assert len(pairs) == 300
    assert pairs.same.sum() == 38
    assert not pairs.problems
    assert (pairs.owner[pairs.first] == pairs.owner[pairs.second]).tolist() == pairs.same.tolist()
