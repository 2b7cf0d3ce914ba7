"""What words stand for, and where drawings go."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mien.cli.pictures import TILE, Canvas
from mien.cli.scenes import FPS, HOLD, MOVE, VIEW, _pan, write_video
from mien.cli.sources import gather, gather_people
from mien.errors import CannotWrite, MediaNotFound, UsageError
from mien.media import frames_of, read_image, write_image
from mien.types import Decision, Face, Frame


def a_face(time: float = 0.0, side: int = 120, origin: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> Face:
    frame = Frame(np.full((side, side, 3), 90, np.uint8), source="in.jpg", time=time)
    points = np.array([[40, 50], [70, 50], [55, 65], [42, 80], [68, 80]], np.float32) * side / 120
    return Face(frame, np.array([30, 30, 80, 95], np.float32) * side / 120, points, 0.99, origin=origin)


def seen(verdict: str, subject: str | None, start: float, faces: int = 2) -> Decision:
    shots = tuple(a_face(start + number, origin=(200.0, 10.0, 0.5)) for number in range(faces))
    return Decision(verdict, ("why",), subject, 0.95, faces=shots, source="door.mp4", span=(start, start + 1))  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/1.png", "b/2.png", "a/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_image(a_face().frame, tmp_path / name)
    (tmp_path / "a" / "fake.jpg").write_text("no", encoding="utf8")
    (tmp_path / "a" / "notes.txt").write_text("no", encoding="utf8")
    return tmp_path


def test_each_source_once_and_failures_beside(folder: Path) -> None:
    found = gather(
        [str(folder / "b"), str(folder / "b" / "1.png"), str(folder / "none.jpg"), str(folder / "a"), f"{folder}/*.xyz"]
    )
    assert [str(Path(source).relative_to(folder)) for source in found.sources] == ["b/1.png", "b/2.png", "a/1.png"]
    assert [Path(source).name for source, _ in found.refused] == ["none.jpg", "fake.jpg", "*.xyz"]
    assert found.passed == 1


@pytest.mark.parametrize("word", ["camera:0", "rtsp://10.0.0.1/door", "http://example.org/a.mp4"])
def test_cameras_and_addresses_are_taken_as_they_are(word: str) -> None:
    found = gather([word])
    assert (found.sources, found.refused) == ([word], [])


def test_folder_per_person(folder: Path) -> None:
    people, found = gather_people(str(folder))
    assert {name: len(paths) for name, paths in people.items()} == {"a": 1, "b": 2}
    assert [Path(source).name for source, _ in found.refused] == ["fake.jpg"]


def test_folder_without_people(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match="subfolder per person"):
        gather_people(str(tmp_path))


def test_pictures_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    canvas = Canvas.folder(str(tmp_path / "out"))
    for source in ("a/1.png", "b/1.png", "c/.png"):
        canvas.faces(source, [a_face()])
    assert [Path(path).name for path in canvas.written] == ["1.marked.jpg", "1-2.marked.jpg", ".png.marked.jpg"]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_source_is_never_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "group.jpg"
    write_image(a_face().frame, source)
    before = source.read_bytes()
    Canvas.folder(str(tmp_path)).faces(source, [a_face()])
    assert source.read_bytes() == before


def test_one_file_for_one_source_only(tmp_path: Path) -> None:
    assert Canvas.at(str(tmp_path / "a.png"), 1).single == tmp_path / "a.png"
    assert Canvas.at(str(tmp_path / "out"), 1).single is None
    with pytest.raises(UsageError, match="folder"):
        Canvas.at(str(tmp_path / "a.png"), 2)
    (tmp_path / "file").touch()
    with pytest.raises(CannotWrite):
        Canvas.folder(str(tmp_path / "file"))


def test_video_gives_a_row_per_person_and_the_shots(tmp_path: Path) -> None:
    canvas = Canvas.folder(str(tmp_path))
    once = [seen("accept", "ana", 0, faces=3), seen("reject", None, 1)]
    canvas.decisions("rtsp://camera/door", once)
    again = [*once, seen("accept", "ana", 5)]
    canvas.decisions("rtsp://camera/door", again)
    first, shots, second, more = (read_image(path) for path in canvas.written)
    assert first.height == second.height, "ana keeps her row"
    assert (shots.width, shots.height) == (3 * TILE, 2 * TILE)
    assert more.height == 3 * TILE


def test_written_video_can_be_read(tmp_path: Path) -> None:
    strip = np.zeros((VIEW[1], 2 * VIEW[0], 3), np.uint8)
    strip[:, VIEW[0] :] = 200
    write_video(tmp_path / "pan.mp4", _pan(strip, 2))
    brightness = [float(frame.pixels.mean()) for frame in frames_of(tmp_path / "pan.mp4")]
    assert len(brightness) == round((2 * HOLD + MOVE) * FPS)
    assert brightness[0] < 10
    assert brightness[-1] > 190
    assert all(later >= earlier - 2 for earlier, later in pairwise(brightness))


def test_drawing_never_replaces_its_source(tmp_path: Path) -> None:
    """Also not by another name of the same file."""
    photo, link = tmp_path / "photo.png", tmp_path / "link.png"
    write_image(a_face().frame, photo)
    link.symlink_to(photo)
    before = photo.read_bytes()
    for target in (photo, link):
        with pytest.raises(UsageError, match="would destroy it"):
            Canvas.at(str(target), 1).faces(photo, [a_face()])
    assert photo.read_bytes() == before


def test_a_folder_without_pictures_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no", encoding="utf8")
    assert [str(error) for _, error in gather([str(tmp_path)]).refused] == [
        f"{tmp_path} holds no picture and no video. Name what is to be looked at."
    ]
