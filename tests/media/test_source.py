"""What a name stands for: by content, through folders, links and patterns."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from mien.errors import MediaNotFound, MienError, UnreadableMedia, UsageError
from mien.media import find, folder_per_person, frames_of, kind
from mien.types import Frame


def small_jpeg(shade: int = 100) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), (shade, shade, shade)).save(buffer, "JPEG")
    return buffer.getvalue()


def small_movie(format: str = "mp4", codec: str = "mpeg4", count: int = 3) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(count):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """ana/ (two photos, one hidden, a letter), ana/more/ (a video), bob/ (a photo), eve/ (a letter), a photo."""
    for name, content in {
        "ana/1.jpg": small_jpeg(),
        "ana/10.jpg": small_jpeg(),
        "ana/.hidden.jpg": small_jpeg(),
        "ana/letter.jpg": b"Dear Sir or Madam",
        "ana/more/door": small_movie(),
        "bob/photo.txt": small_jpeg(),
        "eve/letter.txt": b"Dear Sir or Madam",
        "eve/empty.jpg": b"",
        ".trash/1.jpg": small_jpeg(),
        "group [2024].jpg": small_jpeg(),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def names(root: Path, found: Any) -> list[str]:
    return [str(path.relative_to(root)) for path in found]


def test_kind_is_told_by_content(tmp_path: Path) -> None:
    for format, codec in (("mp4", "mpeg4"), ("matroska", "mpeg4"), ("avi", "mpeg4"), ("mpegts", "mpeg2video"),
                          ("flv", "flv"), ("mpeg", "mpeg2video"), ("mov", "mpeg4"), ("asf", "wmv2"),
                          ("h264", "libx264"), ("webm", "libvpx")):  # fmt: skip
        path = tmp_path / "film.jpg"
        path.write_bytes(small_movie(format, codec))
        assert kind(path) == kind(path.read_bytes()) == "video", format
    path.write_bytes(small_jpeg())
    assert kind(path) == kind(str(path)) == kind(small_jpeg()) == "image"
    assert kind("camera:0") == kind("rtsp://somewhere/door") == kind("https://somewhere/film.mp4") == "video"
    path.write_bytes(b"Dear Sir or Madam")
    with pytest.raises(UnreadableMedia, match="neither a picture nor a video"):
        kind(path)
    for nothing in (b"", tmp_path):
        with pytest.raises(UnreadableMedia):
            kind(nothing)
    with pytest.raises(MediaNotFound):
        kind(tmp_path / "no.jpg")


def test_a_still_is_a_video_of_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content, count in ((small_jpeg(), 1), (small_movie(), 3)):
        path.write_bytes(content)
        assert [frame.index for frame in frames_of(path)] == list(range(count))
        assert [frame.index for frame in frames_of(content)] == list(range(count))
    pixels = np.zeros((20, 20, 3), np.uint8)
    assert [frame.pixels.shape for frame in frames_of(pixels)] == [(20, 20, 3)]
    frame = Frame(pixels)
    assert list(frames_of(frame)) == [frame]
    with pytest.raises(MediaNotFound):
        next(frames_of(tmp_path / "no"))


def test_find_in_folders(tree: Path) -> None:
    left: list[str] = []
    found = names(tree, find(tree, skipped=lambda path, error: left.append(path.name)))
    assert found == ["ana/1.jpg", "ana/10.jpg", "ana/more/door", "bob/photo.txt", "group [2024].jpg"]
    assert left == ["letter.jpg", "empty.jpg", "letter.txt"]
    assert names(tree, find(tree, recursive=False)) == ["group [2024].jpg"]
    assert names(tree, find([tree / "bob", tree / "ana"]))[0] == "bob/photo.txt"  # as given


def test_find_hands_over_named_files_unseen(tree: Path) -> None:
    """Whoever names a file wants to hear what is wrong with it; brackets may be part of a name."""
    assert names(tree, find([tree / "eve/letter.txt", tree / "group [2024].jpg"])) == [
        "eve/letter.txt",
        "group [2024].jpg",
    ]
    for missing in ("no.jpg", "no*.jpg", "a\0b", "x" * 5000):
        with pytest.raises(MediaNotFound):
            list(find(tree / missing))


def test_find_by_pattern(tree: Path) -> None:
    assert names(tree, find(str(tree / "ana" / "*.jpg"))) == ["ana/1.jpg", "ana/10.jpg"]
    assert names(tree, find(str(tree / "**" / "*.jpg"))) == ["ana/1.jpg", "ana/10.jpg", "group [2024].jpg"]
    assert names(tree, find(str(tree / "[ab]*"))) == ["ana/1.jpg", "ana/10.jpg", "ana/more/door", "bob/photo.txt"]


def test_each_file_once_and_no_circles(tree: Path) -> None:
    (tree / "ana" / "more" / "up").symlink_to(tree / "ana", target_is_directory=True)
    (tree / "bob" / "again.jpg").symlink_to(tree / "ana" / "1.jpg")
    (tree / "bob" / "broken.jpg").symlink_to(tree / "nothing")
    left: list[str] = []
    found = names(tree, find([tree, tree / "ana"], skipped=lambda path, error: left.append(path.name)))
    assert found == ["ana/1.jpg", "ana/10.jpg", "ana/more/door", "bob/photo.txt", "group [2024].jpg"]
    assert "broken.jpg" in left
    assert names(tree, folder_per_person(tree)["ana"]) == ["ana/1.jpg", "ana/10.jpg", "ana/more/door"]


def test_pipes_are_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    left: list[str] = []
    assert list(find(tmp_path, skipped=lambda path, error: left.append(str(error)))) == []
    assert "not a file" in left[0]
    for look in (kind, lambda pipe: list(frames_of(pipe))):  # would wait for a writer for ever
        with pytest.raises(UnreadableMedia, match="is a pipe"):
            look(tmp_path / "pipe")


def test_an_empty_name_is_not_the_current_folder(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a shell variable that is not set."""
    monkeypatch.chdir(tree)
    assert names(tree, (tree / path for path in find(".")))
    with pytest.raises(MediaNotFound, match="empty name"):
        list(find(""))
    with pytest.raises(MediaNotFound, match="empty name"):
        folder_per_person("")


@pytest.mark.parametrize("thing", [None, 3, [[0]], {1}])
def test_what_is_no_source_is_refused_in_words(thing: object) -> None:
    with pytest.raises(UsageError, match=type(thing).__name__):
        list(frames_of(thing))  # type: ignore[arg-type]


def test_folder_per_person(tree: Path) -> None:
    left: dict[str, str] = {}
    people = folder_per_person(tree, skipped=lambda path, error: left.update({path.name: str(error)}))
    assert {name: names(tree, files) for name, files in people.items()} == {
        "ana": ["ana/1.jpg", "ana/10.jpg", "ana/more/door"],
        "bob": ["bob/photo.txt"],
    }
    assert set(left) == {"letter.jpg", "letter.txt", "empty.jpg", "group [2024].jpg"}
    (tree / "none").mkdir()
    folder_per_person(tree, skipped=lambda path, error: left.update({path.name: str(error)}))
    assert "holds no picture" in left["none"]


def test_unreadable_folders_are_reported(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = Path.iterdir

    def iterdir(self: Path) -> Any:
        if self.name == "bob":
            raise PermissionError(13, "Permission denied")  # root may read everything, so a mode would not do
        return really(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    problems: list[MienError] = []
    people = folder_per_person(tree, skipped=lambda path, error: problems.append(error))
    assert list(people) == ["ana"]
    assert any("bob cannot be read: Permission denied" in str(error) for error in problems)
    with pytest.raises(UnreadableMedia, match="may not be read"):
        folder_per_person(tree / "bob")
    with pytest.raises(UnreadableMedia, match="not a folder"):
        folder_per_person(tree / "ana" / "1.jpg")
    with pytest.raises(MediaNotFound):
        folder_per_person(tree / "nowhere")


def test_the_room_loads_nothing_heavy_until_used() -> None:
    code = (
        "import sys, mien.media; heavy = {'av', 'cv2', 'PIL', 'pillow_heif'};"
        "assert not heavy & set(sys.modules);"
        "mien.media.find; assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "[getattr(mien.media, name) for name in mien.media.__all__];"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules);"
        "assert callable(mien.media.timeline)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
