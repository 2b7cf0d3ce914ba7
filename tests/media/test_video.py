"""Videos made on the spot: times, rotation, windows, bad files, streams that break, flat memory."""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest

from mien.errors import MediaNotFound, MienError, UnreadableMedia, UsageError
from mien.media import open_video, read_audio
from mien.media import video as door
from mien.media.video import public_name

BASE = Fraction(1, 1000)


def corner_scene(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Red top left, green top right, blue bottom left; the bottom right tells the number of the frame."""
    pixels = np.zeros((height, width, 3), np.uint8)
    y, x = height // 2, width // 2
    pixels[:y, :x, 0] = pixels[:y, x:, 1] = pixels[y:, :x, 2] = 255
    pixels[y:, x:] = 10 * (number % 25)
    return pixels


def movie(
    times: list[float],
    format: str = "mp4",
    codec: str = "libx264",
    sound: bool = False,
    index_first: Path | None = None,
) -> bytes:
    """A video whose frames are shown at `times` (s); with its index in front, which takes a file to be made in."""
    buffer = io.BytesIO()
    place, options = (buffer, {}) if index_first is None else (str(index_first), {"movflags": "faststart"})
    with av.open(place, "w", format=format, options=options) as out:
        stream = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = BASE
        stream.codec_context.gop_size = 10
        tone = out.add_stream("aac", rate=44_100) if sound else None
        for number, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(corner_scene(number), format="rgb24")
            frame.pts, frame.time_base = round(time / BASE), BASE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if tone is not None:
            out.mux(tone_packets(tone, times[-1]))
    return buffer.getvalue() if index_first is None else index_first.read_bytes()


def tone_packets(stream: Any, seconds: float, rate: int = 44_100) -> list[Any]:
    """A tone of 440 Hz, half as loud as can be."""
    packets = []
    for start in range(0, int(seconds * rate), 1024):
        wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(start, start + 1024) / rate)
        frame = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def sound_only(seconds: float = 1.0) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        out.mux(tone_packets(out.add_stream("aac", rate=44_100), seconds))
    return buffer.getvalue()


def corners(pixels: np.ndarray) -> str:
    """Which colour each quarter has, read like a text: for the upright scene "rgb"."""
    y, x = pixels.shape[0] // 4, pixels.shape[1] // 4
    quarters = [pixels[y, x], pixels[y, -x], pixels[-y, x], pixels[-y, -x]]
    return "".join("rgb"[int(q.argmax())] for q in quarters if q.max() - q.min() > 100)


REGULAR = [number / 30 for number in range(45)]
UNEVEN = [0.0, 0.033, 0.066, 0.5, 0.51, 0.9, 1.4, 1.433, 2.0, 2.9]


@pytest.mark.parametrize(("format", "codec"), [("mp4", "libx264"), ("matroska", "libx264"), ("mpegts", "libx264"),
                                               ("webm", "libvpx"), ("avi", "mpeg4"), ("mp4", "mpeg4")])  # fmt: skip
def test_formats(format: str, codec: str, tmp_path: Path) -> None:
    path = tmp_path / "no suffix: 100% ünique"
    path.write_bytes(movie([number / 25 for number in range(30)] if format == "avi" else REGULAR[:30], format, codec))
    with open_video(path) as video:
        frames = list(video.frames())
    assert [frame.index for frame in frames] == list(range(30))
    assert {frame.source for frame in frames} == {str(path)}
    assert {frame.pixels.shape for frame in frames} == {(48, 64, 3)}
    assert all(corners(frame.pixels) == "rgb" for frame in frames)
    assert frames[0].time == 0 and 0.9 < frames[-1].time < 1.3
    assert not video.live and not video.has_audio and video.damaged == 0
    assert video.duration == pytest.approx(1.0, abs=0.4)


@pytest.mark.parametrize("format", ["mp4", "matroska", "mpegts"])
def test_times_of_uneven_frames(format: str) -> None:
    frames = list(open_video(movie(UNEVEN, format)).frames())
    assert [frame.time for frame in frames] == pytest.approx(UNEVEN, abs=0.0015)
    told = [int(frame.pixels[-5, -5].mean()) for frame in frames]
    assert told == pytest.approx([10 * number for number in range(10)], abs=5)  # each time belongs to its frame


def test_clock_starts_at_the_source() -> None:
    """A recording whose own clock starts late still begins at 0."""
    late = [time + 37.5 for time in UNEVEN]
    for format in ("matroska", "mpegts"):
        frames = list(open_video(movie(late, format)).frames())
        assert [frame.time for frame in frames] == pytest.approx(UNEVEN, abs=0.0015)


MATRICES: dict[str, tuple[tuple[int, int, int, int], Callable[[np.ndarray], np.ndarray]]] = {
    "upright": ((1, 0, 0, 1), lambda scene: scene),
    "clockwise": ((0, 1, -1, 0), lambda scene: np.rot90(scene, 3)),
    "upside down": ((-1, 0, 0, -1), lambda scene: np.rot90(scene, 2)),
    "anticlockwise": ((0, -1, 1, 0), lambda scene: np.rot90(scene, 1)),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
}


@pytest.mark.parametrize("turn", MATRICES)
def test_rotation_of_a_track_header_is_applied(turn: str) -> None:
    (a, b, c, d), shown = MATRICES[turn]
    data = bytearray(movie(REGULAR[:5]))
    matrix = data.index(b"tkhd") + 4 + 40
    one = 1 << 16
    data[matrix : matrix + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    for frame in open_video(bytes(data)).frames():
        wanted = shown(corner_scene(frame.index))
        assert frame.pixels.shape == wanted.shape and frame.pixels.flags.c_contiguous
        assert np.abs(frame.pixels.astype(int) - wanted).mean() < 12


def test_windows_and_strides() -> None:
    data = movie([number / 10 for number in range(60)])
    video = open_video(data)
    assert [frame.index for frame in video.frames(every=20)] == [0, 20, 40]
    assert [round(frame.time, 2) for frame in video.frames(start=2.05, end=2.4)] == [2.1, 2.2, 2.3]
    assert [frame.index for frame in video.frames(start=2.05, end=2.4)] == [21, 22, 23]
    told = [int(frame.pixels[-5, -5].mean()) for frame in video.frames(start=2.05, end=2.4)]
    assert told == pytest.approx([210, 220, 230], abs=6)
    assert list(video.frames(start=100)) == []
    assert video.count == 60 and video.fps == pytest.approx(10, abs=0.2)
    for wrong in ({"every": 0}, {"start": -1.0}, {"start": 3.0, "end": 2.0}):
        with pytest.raises(UsageError, match="cannot be taken"):
            video.frames(**wrong)  # type: ignore[arg-type]


def test_a_generator_closed_early_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(movie(REGULAR))
    frames = open_video(path).frames()
    next(frames)
    process = psutil.Process()
    assert str(path) in [entry.path for entry in process.open_files()]
    frames.close()
    assert str(path) not in [entry.path for entry in process.open_files()]
    open_video(path).close()
    assert str(path) not in [entry.path for entry in process.open_files()]


def test_bad_videos_are_named_in_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    film = movie(REGULAR, "matroska")
    bad = {
        "empty.mp4": (b"", "is empty"),
        "text.mp4": (b"Dear Sir or Madam, this is a letter. " * 20, "no video or is damaged"),
        "index_lost.mp4": (movie(REGULAR)[:-400], "damaged"),
        "sound.mp4": (sound_only(), "only sound"),
        "nothing.mkv": (film[: film.index(b"\x1fC\xb6u")], "no frame|End of file"),
        "picture.mp4": (b"\xff\xd8\xff\xe0" + bytes(100), "is a picture"),
        "playlist.mp4": (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n", "no video"),
        "codec.mp4": (movie(REGULAR).replace(b"avc1", b"zzz1"), "unknown way"),
        "list.mp4": (b"ffconcat version 1.0\nfile /etc/hostname\n", "no video"),
    }
    for name, (data, words) in bad.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UnreadableMedia, match=words) as caught:
            list(open_video(path).frames())
        assert name in caught.value.message and caught.value.remedy and "\n" not in str(caught.value)
    for missing in (tmp_path / "no.mp4", "a\0b", "x" * 5000):
        with pytest.raises(MediaNotFound):
            open_video(missing)
    with pytest.raises(UnreadableMedia, match="folder"):
        open_video(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_file_opens_no_other_files(tmp_path: Path) -> None:
    """A playlist that was sent in must not make this machine read its own files or call addresses."""
    (tmp_path / "other.ts").write_bytes(movie(REGULAR, "mpegts"))
    lists = {
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.5,\nother.ts\n#EXT-X-ENDLIST\n",
        "concat": "ffconcat version 1.0\nfile other.ts\n",
    }
    for name, text in lists.items():
        path = tmp_path / f"{name}.mp4"
        path.write_text(text)
        with av.open(str(path), format=name) as container:  # libav by itself would play it
            assert container.streams.video
        with pytest.raises(UnreadableMedia, match="no video"):
            open_video(path)


def test_cut_short_gives_what_is_there_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = movie([number / 10 for number in range(100)], index_first=tmp_path / "a.mp4")
    frames, video = [], open_video(data[: int(len(data) * 0.6)])
    with pytest.raises(UnreadableMedia, match=r"cut short: it ends after \d\.\d of (9\.9|10\.0) s"):
        for frame in video.frames():
            frames.append(frame)
    assert 20 < len(frames) < 80
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert capfd.readouterr() == ("", "")


def test_damage_in_the_middle_is_passed_over_and_counted() -> None:
    data = bytearray(movie([number / 10 for number in range(100)], codec="mpeg4"))
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    video = open_video(bytes(data))
    frames = list(video.frames())
    assert 70 < len(frames) <= 100 and frames[-1].time == pytest.approx(9.9, abs=0.01)
    assert video.damaged > 0 or len(frames) == 100


def test_cameras_and_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MediaNotFound, match="no camera camera:97"):
        open_video("camera:97")
    with pytest.raises(UsageError, match="camera:0"):
        open_video("camera:front")
    with pytest.raises(UnreadableMedia, match="cannot be opened") as caught:
        open_video("rtsp://ana:secret@127.0.0.1:9/door")
    assert "secret" not in str(caught.value) and "rtsp://127.0.0.1:9/door" in str(caught.value)
    assert public_name("rtsp://u:p@ss@host:1/a@b") == "rtsp://host:1/a@b"
    assert public_name("plain@name.mp4") == "plain@name.mp4"


def serve(answers: list[bytes]) -> tuple[str, Callable[[], int]]:
    """A stream on loopback that hands each caller one of `answers` and hangs up; and how many have called."""
    server = socket.create_server(("127.0.0.1", 0))
    called = []

    def run() -> None:
        for answer in answers:
            connection, _ = server.accept()
            called.append(1)
            with connection:
                connection.sendall(answer)
        server.close()

    threading.Thread(target=run, daemon=True).start()
    return f"tcp://127.0.0.1:{server.getsockname()[1]}", lambda: len(called)


def test_a_lost_stream_is_taken_up_again_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(door, "_sleep", waits.append)
    part = movie(REGULAR, "mpegts")
    address, calls = serve([part, part])
    video = open_video(address)
    assert video.live and video.duration is None and video.count is None
    frames = []
    with pytest.raises(UnreadableMedia, match="was lost and did not come back in 5 tries"):
        for frame in video.frames():
            frames.append(frame)
    assert calls() == 2 and len(frames) == 2 * len(REGULAR)
    assert [frame.index for frame in frames] == list(range(len(frames)))
    times = [frame.time for frame in frames]
    assert times == sorted(times)
    assert waits == [0.5, 0.5, 1.0, 2.0, 4.0, 8.0]  # starts anew once the stream was back


def test_sound_as_mono_16k() -> None:
    for data in (
        sound_only(2.0),
        movie(REGULAR, sound=True),
        movie([time + 5 for time in REGULAR], "matroska", sound=True),
    ):
        sound = read_audio(data)
        assert sound.dtype == np.float32 and sound.ndim == 1
        middle = sound[len(sound) // 2 - 4000 : len(sound) // 2 + 4000]
        peak = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax() * 16_000 / len(middle)
        assert peak == pytest.approx(440, abs=4) and np.abs(middle).max() == pytest.approx(0.5, abs=0.1)
    assert len(read_audio(sound_only(2.0))) == pytest.approx(32_000, abs=2000)


def test_sound_that_is_not_there() -> None:
    with pytest.raises(UnreadableMedia, match="no sound"):
        read_audio(movie(REGULAR))
    with pytest.raises(MienError):
        read_audio(b"Dear Sir or Madam")
    with pytest.raises(MediaNotFound):
        read_audio("no.mp4")


def grown(tmp_path: Path, count: int) -> float:
    """Bytes by which this process grew after the first frames of a video of `count` frames, 640x480."""
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), format="rgb24")
        for number in range(count):
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    process, sizes, seen = psutil.Process(), [], 0
    for frame in open_video(path).frames():
        seen += 1
        if frame.index % 100 == 99:
            sizes.append(process.memory_info().rss)
    assert seen == count
    return max(sizes) - sizes[0]


def test_memory_stays_flat(tmp_path: Path) -> None:
    """0.8 GB of pixels pass through without piling up."""
    assert grown(tmp_path, 900) < 25e6


@pytest.mark.slow
def test_memory_stays_flat_for_an_hour(tmp_path: Path) -> None:
    assert grown(tmp_path, 36_000) < 25e6


def test_real_videos(data: Path) -> None:
    wanted = {
        "single_face.mp4": (72, (360, 640)),
        "face_noface.mov": (169, (540, 960)),
        "no_face.mp4": (95, (540, 960)),
    }
    for name, (count, shape) in wanted.items():
        frames = [(frame.pixels.shape[:2], frame.time) for frame in open_video(data / "video" / name).frames()]
        assert len(frames) == count and {size for size, _ in frames} == {shape}
        times = [time for _, time in frames]
        assert times == sorted(set(times)) and times[0] < 0.1
