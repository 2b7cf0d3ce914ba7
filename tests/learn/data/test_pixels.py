"""Examples to pixels: whichever way they lie, and from several threads and processes at once."""

from __future__ import annotations

import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import MediaNotFound, UnreadableMedia, UsageError
from mien.learn.data.example import Media
from mien.learn.data.pixels import count_frames, read_frames, read_still


def picture(value: int) -> bytes:
    held = BytesIO()
    Image.fromarray(np.full((16, 16, 3), value, np.uint8)).save(held, format="PNG")
    return held.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 12):  # img10 comes after img9
        (tmp_path / f"img{number}.png").write_bytes(picture(number))
    (tmp_path / "notes.txt").write_text("x")
    return tmp_path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as held:
        for number in range(60):
            held.writestr(f"p/{number}.png", picture(number))
    return tmp_path / "a.zip"


def values(frames: np.ndarray) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in frames]


def test_frames_of_a_folder(folder: Path) -> None:
    whole, part = Media(folder, "frames"), Media(folder, "frames", first=3, last=6)
    assert (count_frames(whole), count_frames(part), count_frames(Media(folder / "img1.png"))) == (11, 4, 1)
    assert values(read_frames(whole, [10, 0, 0])) == [11, 1, 1], "in the order asked for"
    assert values(read_frames(part, [0, 3])) == [4, 7] and values(read_still(part)[None]) == [4]
    for media, wanted in ((whole, [11]), (part, [4]), (whole, [-1])):
        with pytest.raises(UnreadableMedia):
            read_frames(media, wanted)
    with pytest.raises(UsageError, match="No frame"):
        read_frames(whole, [])
    with pytest.raises(MediaNotFound):
        count_frames(Media(folder / "gone", "frames"))


def test_a_zip_is_read_by_many_threads_at_once(archive: Path) -> None:
    wanted = [number % 60 for number in range(600)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: read_still(Media(archive, member=f"p/{number}.png")), wanted))
    assert values(np.stack(found)) == wanted


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # other tests' threads may still run
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_does_not_share_the_place_in_a_zip(archive: Path) -> None:
    """What loaders do: the parent has read before its workers begin."""
    read_still(Media(archive, member="p/0.png"))
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            try:
                seen = [read_still(Media(archive, member=f"p/{n % 60}.png"))[0, 0, 0] == n % 60 for n in range(400)]
                os._exit(0 if all(seen) else 1)
            finally:
                os._exit(2)
        children.append(child)
    assert values(np.stack([read_still(Media(archive, member=f"p/{n % 60}.png")) for n in range(400)])) == [
        n % 60 for n in range(400)
    ]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]


def test_members_that_cannot_be_unpacked(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableMedia, match=r"p/99\.png in a\.zip"):
        read_still(Media(archive, member="p/99.png"))
    (tmp_path / "no.zip").write_bytes(b"no zip")
    with pytest.raises(UnreadableMedia, match=r"in no\.zip cannot be unpacked"):
        read_still(Media(tmp_path / "no.zip", member="x"))


def test_frames_of_a_video(data: Path) -> None:
    from mien.media import frames_of

    path = data / "video" / "single_face.mp4"
    if not path.is_file():
        pytest.skip("the reference video is absent")
    first = [frame.pixels for _, frame in zip(range(8), frames_of(path), strict=False)]
    found = read_frames(Media(path, "video", first=2), [5, 0])
    assert np.array_equal(found[0], first[7]) and np.array_equal(found[1], first[2])
    assert np.array_equal(read_still(Media(path, "video")), first[0])
    with pytest.raises(UnreadableMedia, match="ends before frame"):
        read_frames(Media(path, "video"), [10**6])
