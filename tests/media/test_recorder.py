"""Frames to videos: times, sizes, sound as it was, and a whole file or none."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from mien.errors import CannotWrite, MediaNotFound, UnreadableMedia, UsageError
from mien.media import open_video, read_audio, write_video
from mien.types import Frame

UNEVEN = [0.0, 0.04, 0.08, 0.3, 0.34, 0.9, 0.94, 1.5]


def scene(number: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Red on the left, blue on the right, a grey bar that tells the number."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, : size[0] // 2, 0] = pixels[:, size[0] // 2 :, 2] = 200
    pixels[-16:] = 20 * number
    return pixels


def film(times: list[float], size: tuple[int, int] = (64, 48)) -> list[Frame]:
    return [Frame(scene(number, size), "film", number, at) for number, at in enumerate(times)]


def spoken(codec: str, format: str, start: float = 0.0, seconds: float = 1.6) -> bytes:
    """A video with a click at 1 s, whose own clock begins at `start`."""
    buffer, rate = io.BytesIO(), 48_000
    with av.open(buffer, "w", format=format) as out:
        picture = out.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        voice = out.add_stream(codec, rate=rate)
        voice.layout = "mono"
        for number in range(int(25 * seconds)):
            frame = av.VideoFrame.from_ndarray(scene(number % 12), format="rgb24")
            frame.pts, frame.time_base = round((start + number / 25) * 90_000), Fraction(1, 90_000)
            out.mux(picture.encode(frame))
        wave = np.zeros(int(rate * seconds), np.int16)
        wave[rate : rate + 200] = 20_000
        for at in range(0, len(wave), 960):
            sound = av.AudioFrame.from_ndarray(wave[None, at : at + 960], format="s16", layout="mono")
            sound.sample_rate, sound.time_base, sound.pts = rate, Fraction(1, rate), at + round(start * rate)
            out.mux(voice.encode(sound))
        for stream in (picture, voice):
            out.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
def test_frames_keep_their_times_and_colours(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"film{suffix}"
    told = write_video(film(UNEVEN), path, fps=25)
    assert (told.frames, told.sound, told.silent) == (8, False, "")
    with open_video(path) as video:
        frames = list(video.frames())
    assert [frame.time for frame in frames] == pytest.approx(UNEVEN, abs=0.0015)
    for number, frame in enumerate(frames):
        assert np.abs(frame.pixels.astype(int) - scene(number)).mean() < 6


def test_odd_sizes_lose_a_row_and_a_column(tmp_path: Path) -> None:
    write_video(film([0.0, 0.1], (65, 49)), tmp_path / "odd.mp4")
    with open_video(tmp_path / "odd.mp4") as video:
        assert next(video.frames()).pixels.shape == (48, 64, 3)


WAYS = [("aac", "mp4", ".mp4"), ("aac", "mp4", ".mkv"), ("pcm_s16le", "matroska", ".mkv"), ("aac", "matroska", ".mov"),
        ("libopus", "matroska", ".webm"), ("aac", "mpegts", ".mp4")]  # fmt: skip


@pytest.mark.parametrize(("codec", "format", "suffix"), WAYS)
@pytest.mark.parametrize("start", [0.0, 7.0])
def test_sound_is_copied_and_stays_with_the_picture(
    codec: str, format: str, suffix: str, start: float, tmp_path: Path
) -> None:
    source = spoken(codec, format, start)
    with open_video(source) as video:
        frames = list(video.frames())
    told = write_video(frames, tmp_path / f"out{suffix}", fps=25, sound=source)
    assert (told.sound, told.silent) == (True, "")
    data = (tmp_path / f"out{suffix}").read_bytes()
    clicks = [int(np.abs(read_audio(each)).argmax()) / 16_000 for each in (source, data)]
    assert clicks[0] == pytest.approx(1.0, abs=0.06)
    # A container that knows no times below 0 moves both.
    shift = list(open_video(data).frames())[5].time - frames[5].time
    assert clicks[1] - clicks[0] == pytest.approx(shift, abs=0.006)
    assert abs(shift) < 0.06


def test_sound_that_fits_not_is_said(tmp_path: Path) -> None:
    source = spoken("aac", "mp4")
    told = write_video(film(UNEVEN), tmp_path / "out.webm", sound=source)
    assert not told.sound and "aac" in told.silent and ".mkv" in told.silent
    told = write_video(film(UNEVEN), tmp_path / "mute.mp4", sound=(tmp_path / "out.webm"))
    assert (told.sound, told.silent) == (False, "")


def test_nothing_but_pictures_and_sound_comes_along(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata.update({"location": "+48.8577+002.2950/", "title": "Ana at home"})
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(scene(0), format="rgb24")))
        out.mux(stream.encode(None))
    assert b"48.8577" in buffer.getvalue()
    write_video(list(open_video(buffer.getvalue()).frames()), tmp_path / "o.mp4", sound=buffer.getvalue(), mark="blur")
    assert b"48.8577" not in (tmp_path / "o.mp4").read_bytes()
    assert b"Ana" not in (tmp_path / "o.mp4").read_bytes()


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(error: BaseException) -> Iterator[Frame]:
        yield from film([0.0, 0.1])
        raise error

    (tmp_path / "old.mp4").write_bytes(b"what was there before")
    for error in (UnreadableMedia("cut short"), KeyboardInterrupt(), ZeroDivisionError()):
        with pytest.raises(type(error)):
            write_video(broken(error), tmp_path / "old.mp4")
    with pytest.raises(UnreadableMedia, match="no frame"):
        write_video([], tmp_path / "old.mp4")
    with pytest.raises(UnreadableMedia, match="change their size"):
        write_video([*film([0.0]), *film([0.5], (96, 48))], tmp_path / "old.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["old.mp4"]
    assert (tmp_path / "old.mp4").read_bytes() == b"what was there before"
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(CannotWrite):
        write_video(film([0.0]), tmp_path / "folder.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {"old.mp4", "folder.mp4"}


def test_names_that_cannot_be(tmp_path: Path) -> None:
    for name, kind in (("x.avi", UsageError), ("x", UsageError), ("none/x.mp4", MediaNotFound)):
        with pytest.raises(kind):
            write_video(film([0.0]), tmp_path / name)
    assert not list(tmp_path.iterdir())


ENDLESS = """
import sys, itertools
import numpy as np
from mien.media import write_video
from mien.types import Frame
write_video((Frame(np.zeros((480, 640, 3), np.uint8), "", n, n / 25) for n in itertools.count()), sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_killed_half_way_it_leaves_no_half_file(tmp_path: Path) -> None:
    for ending, left in ((signal.SIGKILL, 1), (signal.SIGINT, 1)):
        process: Any = subprocess.Popen(
            [sys.executable, "-c", ENDLESS, str(tmp_path / "out.mp4")], stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 60
        begun = False
        while not begun and time.monotonic() < until:
            time.sleep(0.05)
            sizes = [path.stat().st_size for path in tmp_path.iterdir()]
            begun = len(sizes) > left - 1 and (ending == signal.SIGKILL or len(sizes) == 2)
        assert begun
        time.sleep(0.3)
        process.send_signal(ending)
        process.wait(30)
        assert not (tmp_path / "out.mp4").exists()
        assert len(list(tmp_path.glob(".mien-*.mp4"))) == left  # the killed one's; the one stopped cleans up
