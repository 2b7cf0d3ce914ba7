"""Both doors under fire: whatever the bytes, only mien's own errors come out, soon, and nothing is printed."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from mien.errors import MienError
from mien.media import kind, open_video, read_audio, read_image

EXAMPLES = int(os.environ.get("MIEN_FUZZ", "60"))  # per door and format; a long run: MIEN_FUZZ=20000
SECONDS = 10.0  # one file may take


def noisy() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8).repeat(2, axis=0)


def still(format: str) -> bytes:
    buffer = io.BytesIO()
    if format == "HEIF":
        import pillow_heif

        pillow_heif.from_pillow(Image.fromarray(noisy())).save(buffer, quality=60)
        return buffer.getvalue()
    name, _, compression = format.partition("/")
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"compression": compression} if compression else {}
    if name in ("JPEG", "PNG", "WEBP", "AVIF"):
        options["exif"] = exif.tobytes()
    Image.fromarray(noisy()).save(buffer, name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def moving(format: str, codec: str) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(8):
            pixels = np.roll(noisy()[:, :32].repeat(2, axis=1), number, axis=1)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        out.mux(stream.encode(None))
    return buffer.getvalue()


STILLS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "TIFF/tiff_lzw", "TIFF/jpeg", "PPM", "AVIF", "HEIF"]
MOVING = [("mp4", "libx264"), ("matroska", "mpeg4"), ("avi", "mpeg4"), ("mpegts", "mpeg2video"), ("webm", "libvpx")]

edits = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=8)


def mutated(data: bytes, changes: list[tuple[float, bytes]], head: bool, end: float) -> bytes:
    """Overwrite pieces, near the start where headers are or anywhere, and cut the end off."""
    changed = bytearray(data)
    reach = min(len(data), 400) if head else len(data)
    for where, piece in changes:
        at = int(where * max(0, reach - len(piece)))
        changed[at : at + len(piece)] = piece
    return bytes(changed[: max(1, int(end * len(changed)))])


def look(data: bytes) -> None:
    read_image(data)


def watch(data: bytes) -> None:
    for number, _ in enumerate(open_video(data).frames()):
        if number > 200:
            return


def fire(door: Callable[[bytes], object], data: bytes) -> None:
    began = time.monotonic()
    try:
        door(data)
    except MienError as error:
        assert error.message and "\n" not in error.message and len(error.message) < 400
    assert time.monotonic() - began < SECONDS


rounds = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
ends = st.one_of(st.just(1.0), st.floats(0, 1))


@pytest.mark.parametrize("format", STILLS)
def test_damaged_pictures(format: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = still(format)
    look(data)

    @seed(0)
    @rounds
    @given(edits, st.booleans(), ends)
    def attack(changes: list[tuple[float, bytes]], head: bool, end: float) -> None:
        fire(look, mutated(data, changes, head, end))

    attack()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("format", "codec"), MOVING)
def test_damaged_videos(format: str, codec: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = moving(format, codec)
    watch(data)

    @seed(0)
    @rounds
    @given(edits, st.booleans(), ends)
    def attack(changes: list[tuple[float, bytes]], head: bool, end: float) -> None:
        broken = mutated(data, changes, head, end)
        fire(watch, broken)
        fire(read_audio, broken)

    attack()
    assert capfd.readouterr() == ("", "")


STARTS = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xff\0\0\0WEBPVP8 ", b"BM", b"II*\0", b"P6\n9 9\n255\n",
          b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b"\0\0\0\x18ftypisom", b"\x1aE\xdf\xa3", b"RIFF\xff\0\0\0AVI ",
          b"G@\0\x10",
          b"FLV\x01\x05\0\0\0\t", b"#EXTM3U\n", b"ffconcat version 1.0\n", b"OggS", b"\0\0\x01\xba"]  # fmt: skip


def test_random_bytes(capfd: pytest.CaptureFixture[str]) -> None:
    @seed(0)
    @settings(rounds, max_examples=5 * EXAMPLES)
    @given(st.sampled_from(STARTS), st.binary(max_size=300))
    def attack(start: bytes, rest: bytes) -> None:
        for door in (look, watch, kind, read_audio):
            fire(door, start + rest)

    attack()
    assert capfd.readouterr() == ("", "")
