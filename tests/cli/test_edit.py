"""`mien edit anonymise`: what is hidden, who stays, what is written and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from mien import Engine, open_gallery
from mien.cli.group import group
from mien.media import frames_of, read_image, read_mark, write_image, write_video
from mien.types import Frame

pytestmark = pytest.mark.usefixtures("one_engine")


def run(*words: object) -> Result:
    return CliRunner().invoke(group, ["edit", *(str(word) for word in words)])


def told(*words: object, code: int = 0) -> Any:
    result = run("anonymise", *words, "--json")
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def clip_of(path: Path, picture: Path, frames: int = 15) -> Path:
    """A film that moves slowly over a photo."""
    whole = np.asarray(cv2.resize(read_image(picture).pixels, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA))
    height, width = (side // 2 * 2 - 10 for side in whole.shape[:2])
    made = []
    for number in range(frames):
        cut = whole[number // 3 : height + number // 3, number // 3 : width + number // 3]
        made.append(Frame(cut, "film", number, number / 15))
    write_video(made, path, fps=15)
    return path


@pytest.fixture(scope="session")
def photos(portraits: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The portraits, small: looking for tiny faces in large pictures takes its time."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("obama", "biden"):
        pixels = read_image(portraits[name]).pixels
        size = (360, round(360 * pixels.shape[0] / pixels.shape[1]))
        write_image(
            Frame(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))[:420]), folder / f"{name}.png"
        )
    return {path.stem: path for path in folder.iterdir()}


@pytest.fixture(scope="session")
def people(portraits: dict[str, Path], shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Obama enrolled, from photos that no test asks about."""
    path = tmp_path_factory.mktemp("people") / "people.db"
    with open_gallery(path, create=True) as gallery:
        shared_engine.enrol(gallery, "obama", [portraits["obama2"], portraits["obama3"]])
    return path


@pytest.fixture
def both(photos: dict[str, Path], tmp_path: Path) -> Path:
    """Obama, enrolled, on the left, and Biden, a stranger, on the right."""
    path = tmp_path / "both.png"
    write_image(Frame(np.hstack([read_image(photos[name]).pixels for name in ("obama", "biden")])), path)
    return path


def changed(one: Path, other: Path, left: int, right: int) -> float:
    """Share of pixels between two columns that are not the same to the eye."""
    a, b = (read_image(path).pixels[:, left:right].astype(int) for path in (one, other))
    return float((np.abs(a - b).max(2) > 40).mean())


def test_alone_it_lists_the_edits() -> None:
    assert "anonymise" in run().stdout
    assert [one["name"] for one in json.loads(run("--json").stdout)["edits"]] == ["anonymise"]


@pytest.mark.parametrize("how", ["blur", "pixelate", "cover"])
def test_a_photo(how: str, photos: dict[str, Path], shared_engine: Engine, tmp_path: Path) -> None:
    out = tmp_path / "hidden.png"
    (one,) = told(photos["obama"], "-o", out, "--how", how)["edited"]
    assert (one["left"], one["output"]) == (0, str(out))
    assert one["hidden"] == one["people"] >= 1  # a pattern that might be a face is hidden too
    assert read_mark(out) == how
    assert not list(shared_engine.detect(out))
    again = tmp_path / "again.png"
    told(photos["obama"], "-o", again, "--how", how)
    assert again.read_bytes() == out.read_bytes()


def test_a_folder_with_names_of_its_own(photos: dict[str, Path], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        shutil.copy(photos["obama"], tmp_path / "in" / folder / "x.png")
    write_image(read_image(photos["biden"]), tmp_path / "in" / "y.bmp")
    (tmp_path / "in" / "bad.jpg").write_text("no picture")
    answer = told(tmp_path / "in", "-o", tmp_path / "out", "--draw", tmp_path / "drawn", code=65)
    assert {Path(one["output"]).name for one in answer["edited"]} == {"x.png", "x-2.png", "y.jpg"}
    assert [Path(one["source"]).name for one in answer["failures"]] == ["bad.jpg"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"x.png", "x-2.png", "y.jpg"}
    assert len(answer["drawn"]) == 3
    assert all(Path(path).is_file() for path in answer["drawn"])


def test_only_strangers(both: Path, people: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    (one,) = told(both, "-o", out, "--only-unknown", people)["edited"]
    assert one["left"] == 1
    assert changed(both, out, 0, 360) < 0.01
    assert changed(both, out, 360, 720) > 0.05


def test_only_somebody(both: Path, photos: dict[str, Path], people: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    told(both, "-o", out, "--only", "obama", "--gallery", people)
    assert changed(both, out, 0, 360) > 0.05
    assert changed(both, out, 360, 720) == 0
    assert read_mark(out) == "blur"
    (one,) = told(photos["biden"], "-o", out, "--only", "obama", "--gallery", people)["edited"]
    assert (one["people"], one["left"], one["hidden"]) == (1, 1, 0)
    assert read_mark(out) == "none"
    assert np.array_equal(read_image(out).pixels, read_image(photos["biden"]).pixels)


def test_a_face_too_small_to_tell_is_hidden(photos: dict[str, Path], people: Path, tmp_path: Path) -> None:
    """In doubt, whoever it may be."""
    photo = read_image(photos["obama"]).pixels
    scale = 130 / photo.shape[1]
    small = cv2.GaussianBlur(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), (0, 0), 2.0)
    page = np.full((400, 400, 3), 255, np.uint8)
    page[100 : 100 + small.shape[0], 100:230] = small
    write_image(Frame(page), tmp_path / "small.png")
    for words in (("--only-unknown", people), ("--only", "obama", "--gallery", people)):
        (one,) = told(tmp_path / "small.png", "-o", tmp_path / "out.png", *words)["edited"]
        assert (one["people"], one["hidden"]) == (1, 1)


def test_a_video_is_hidden_also_where_nothing_was_seen(
    photos: dict[str, Path], people: Path, shared_engine: Engine, tmp_path: Path
) -> None:
    film = clip_of(tmp_path / "film.mp4", photos["obama"])
    (one,) = told(film, "-o", tmp_path / "out.mp4")["edited"]
    assert (one["frames"], one["left"], one["sound"]) == (15, 0, False)
    assert one["hidden"] >= 15
    assert read_mark(tmp_path / "out.mp4") == "blur"
    frames = list(frames_of(tmp_path / "out.mp4"))
    assert len(frames) == 15
    assert not any(shared_engine.faces(frame) for frame in frames[::7])
    (one,) = told(film, "-o", tmp_path / "left.mp4", "--only-unknown", people, "--smallest", 60)["edited"]
    assert (one["people"], one["left"], one["hidden"]) == (1, 1, 0)


def test_without_a_face_nothing_is_written_unless_asked(tmp_path: Path) -> None:
    blank = tmp_path / "blank.png"
    write_image(Frame(np.full((200, 200, 3), 127, np.uint8)), blank)
    answer = told(blank, "-o", tmp_path / "out.png", code=2)
    assert answer["without_faces"] == [str(blank)]
    assert answer["edited"][0]["output"] is None
    assert not (tmp_path / "out.png").exists()
    result = run("anonymise", blank, "-o", tmp_path / "out.png")
    assert "no face was found; not written" in result.stderr
    answer = told(blank, "-o", tmp_path / "out.png", "--copy", code=2)
    assert read_mark(tmp_path / "out.png") == "none"
    assert np.array_equal(read_image(tmp_path / "out.png").pixels, read_image(blank).pixels)


def test_what_is_refused_before_any_work(photos: dict[str, Path], people: Path, tmp_path: Path) -> None:
    photo = shutil.copy(photos["obama"], tmp_path / "photo.png")
    (tmp_path / "link.jpg").symlink_to(photo)
    before = photo.read_bytes()
    write_image(read_image(photo), tmp_path / "another.png")
    (tmp_path / "another").mkdir()
    shutil.copy(photo, tmp_path / "another" / "photo.png")
    for words, code in (
        ((photo, "-o", photo), 64),
        ((photo, "-o", tmp_path / "link.jpg"), 64),
        ((photo, "-o", tmp_path), 64),
        ((photo, "-o", tmp_path / "another.png"), 64),  # an original too, though no source
        ((photo, "-o", tmp_path / "another"), 64),
        ((photo, people, "-o", tmp_path / "one.jpg"), 64),
        ((photo, "-o", tmp_path / "none" / "out.jpg"), 66),
        ((photo, "-o", photo / "out"), 73),
        ((photo, "-o", tmp_path / "out.bmp"), 64),
        ((photo, "-o", tmp_path / "out.mp4"), 64),
        ((photo, "-o", tmp_path / "out.jpg", "--cells", 30), 64),
        ((photo, "-o", tmp_path / "out.jpg", "--only", "obama"), 64),
        ((photo, "-o", tmp_path / "out.jpg", "--gallery", people), 64),
        ((photo, "-o", tmp_path / "out.jpg", "--fmr", "1e-3"), 64),
        ((photo, "-o", tmp_path / "out.jpg", "--only-unknown", people, "--only", "obama", "--gallery", people), 64),
        ((photo, "-o", tmp_path / "out.jpg", "--only", "nobody", "--gallery", people), 66),
        ((photo, "-o", tmp_path / "out.jpg", "--only-unknown", tmp_path / "none.db"), 66),
        ((photo, "-o", tmp_path / "out.jpg", "--only-unknown", people, "--fmr", "1e-9"), 65),
        ((tmp_path / "none.jpg", "-o", tmp_path / "out.jpg"), 66),
        (("camera:0", "-o", tmp_path / "out.mp4"), 65),
    ):
        result = run("anonymise", *words)
        assert result.exit_code == code, (words, result.stderr)
        assert "Traceback" not in result.stderr
        assert "unforeseen" not in result.stderr
    assert photo.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"photo.png", "link.jpg", "another.png", "another"}


def test_a_video_without_pictures_or_cut_short_is_listed(photos: dict[str, Path], tmp_path: Path) -> None:
    film = clip_of(tmp_path / "film.mkv", photos["obama"])
    (tmp_path / "cut.mkv").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    sound = tmp_path / "sound.mp4"
    _only_sound(sound)
    answer = told(tmp_path / "cut.mkv", sound, film, "-o", tmp_path / "out", code=65)
    assert [Path(one["source"]).name for one in answer["edited"]] == ["film.mkv"]
    assert {Path(one["source"]).name for one in answer["failures"]} == {"cut.mkv", "sound.mp4"}
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["film.mkv"]


def _only_sound(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=44_100)
        stream.layout = "mono"
        for start in range(0, 44_100, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
