"""Names within a data set's folder: found, and never outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import InputError, MediaNotFound
from mien.learn.data.trees import Outside, Tree, natural, parts_of


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_finds_files_and_folders_whatever_their_capitals(tmp_path: Path) -> None:
    touch(tmp_path / "Data" / "spNo.1" / "10.jpg")
    tree = Tree(tmp_path)
    assert tree.file("Data/spNO.1/10.JPG") == "Data/spNo.1/10.jpg"
    assert tree.file("Data\\spNo.1\\10.jpg") == "Data/spNo.1/10.jpg"
    assert tree.folder("data/./spno.1") == "Data/spNo.1"
    assert tree.file("Data/spNo.1") is None and tree.folder("Data/spNo.1/10.jpg") is None
    assert tree.file("Data/spNo.1/10.jpg/more") is None and tree.folder("") == ""


@pytest.mark.parametrize(
    "name", ["../x.jpg", "a/../../x.jpg", "/etc/passwd", "C:\\x.jpg", "\\\\host\\x", "a\0b", "a/" * 3000]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path.parent / "x.jpg")
    with pytest.raises(Outside):
        Tree(tmp_path).file(name)


def test_links_out_of_the_root_are_not_there(tmp_path: Path) -> None:
    secret = touch(tmp_path / "elsewhere" / "secret.jpg")
    root = tmp_path / "root"
    touch(root / "in.jpg")
    (root / "out.jpg").symlink_to(secret)
    (root / "folder").symlink_to(secret.parent)
    (root / "near.jpg").symlink_to(root / "in.jpg")
    tree = Tree(root)
    assert tree.file("out.jpg") is None and tree.file("folder/secret.jpg") is None
    assert tree.file("near.jpg") == "near.jpg"


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "b" / "1.jpg")
    (tmp_path / "a" / "b" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    tree = Tree(tmp_path)
    assert list(tree.walk()) == ["", "a", "a/b"]
    assert tree.search(r".*\.jpg", deepest=9) == ["a/b/1.jpg"]


def test_walking_opens_nothing_deeper_than_asked(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "b" / "c" / "1.jpg")
    tree = Tree(tmp_path)
    assert list(tree.walk("", 2)) == ["", "a", "a/b"] and list(tree.walk("a", 0)) == ["a"]
    assert "a/b" not in tree._listed
    assert tree.search(r"1\.jpg", deepest=2) == [] and tree.search(r"1\.jpg", deepest=3) == ["a/b/c/1.jpg"]


def test_natural_order(tmp_path: Path) -> None:
    for name in ("img10.jpg", "img2.jpg", "IMG1.png", "notes.txt"):
        touch(tmp_path / name)
    assert Tree(tmp_path).files("", (".jpg",)) == ["img2.jpg", "img10.jpg"]
    assert sorted(["a10b2", "a10b1", "a9"], key=natural) == ["a9", "a10b1", "a10b2"]


@given(st.lists(st.text(min_size=1, max_size=8), max_size=5))
def test_what_parts_of_admits_never_climbs(parts: list[str]) -> None:
    try:
        got = parts_of("/".join(parts))
    except Outside:
        return
    assert ".." not in got and all("/" not in part and "\\" not in part for part in got)
    assert not Path("/".join(got) or ".").is_absolute()


def test_the_root_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match="no folder"):
        Tree(tmp_path / "none")
    with pytest.raises(InputError, match="a file, not a folder"):
        Tree(touch(tmp_path / "file"))
    with pytest.raises(MediaNotFound, match="no folder"):
        Tree("a\0b")
    with pytest.raises(MediaNotFound):
        Tree("a" * 5000)
