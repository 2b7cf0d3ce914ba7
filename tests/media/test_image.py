"""Every picture format, every orientation, every bad file."""

from __future__ import annotations

import io
import os
import resource
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from mien.errors import CannotWrite, MediaNotFound, MienError, UnreadableMedia, UsageError
from mien.media import image as door
from mien.media import read_image, write_image
from mien.types import Frame


def scene(width: int = 96, height: int = 64) -> np.ndarray:
    """Smooth, so that lossy formats stay near it, and different in every corner."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], axis=2).astype(np.uint8)


def encoded(pixels: np.ndarray, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def heic(pixels: np.ndarray) -> bytes:
    import pillow_heif

    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(buffer, quality=95)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A tiny PNG that claims to be any size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return start + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def all_formats() -> dict[str, bytes]:
    pixels = scene()
    return {
        "a.jpg": encoded(pixels, "JPEG", quality=95),
        "progressive.jpg": encoded(pixels, "JPEG", quality=95, progressive=True),
        "a.png": encoded(pixels, "PNG"),
        "a.webp": encoded(pixels, "WEBP", quality=95),
        "a.gif": encoded(pixels, "GIF"),
        "a.bmp": encoded(pixels, "BMP"),
        "a.tif": encoded(pixels, "TIFF"),
        "lzw.tif": encoded(pixels, "TIFF", compression="tiff_lzw"),
        "jpeg.tif": encoded(pixels, "TIFF", compression="jpeg"),
        "a.ppm": encoded(pixels, "PPM"),
        "a.avif": encoded(pixels, "AVIF", quality=95),
        "a.heic": heic(pixels),
    }


FORMATS = all_formats()
LOSSLESS = {"a.png", "a.bmp", "a.tif", "lzw.tif", "a.ppm"}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_from_path_and_bytes(name: str, tmp_path: Path) -> None:
    path = tmp_path / "suffix.does.not.matter"
    path.write_bytes(FORMATS[name])
    frame = read_image(path)
    assert frame.pixels.dtype == np.uint8 and frame.pixels.shape == (64, 96, 3)
    assert frame.pixels.flags.c_contiguous and frame.pixels.flags.writeable
    assert (frame.source, frame.index, frame.time) == (str(path), 0, 0.0)
    far = np.abs(frame.pixels.astype(int) - scene()).mean()
    assert far == 0 if name in LOSSLESS else far < 8  # GIF has 256 colours
    assert np.array_equal(read_image(FORMATS[name]).pixels, frame.pixels)
    assert np.array_equal(read_image(str(path)).pixels, frame.pixels)


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "YCbCr", "P"])
def test_every_colour_mode(mode: str) -> None:
    format = {"CMYK": "JPEG", "YCbCr": "JPEG"}.get(mode, "PNG")
    wanted = Image.fromarray(scene()).convert(mode)
    buffer = io.BytesIO()
    wanted.save(buffer, format, **({"quality": 95} if format == "JPEG" else {}))
    got = read_image(buffer.getvalue()).pixels
    assert np.abs(got.astype(int) - np.asarray(wanted.convert("RGB"))).mean() < 3


def test_transparent_parts_lie_on_white() -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:, 4:8] = (200, 100, 0, 255)
    pixels[:, 8:] = (200, 100, 0, 51)
    got = read_image(encoded(pixels, "PNG")).pixels
    assert np.array_equal(got[0, 0], (255, 255, 255))
    assert np.array_equal(got[0, 5], (200, 100, 0))
    assert np.array_equal(got[0, 9], (244, 224, 204))  # a fifth of the colour, four fifths of white


def test_palette_and_grey_with_transparency_lie_on_white() -> None:
    palette = Image.new("P", (16, 16), 0)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.paste(1, (8, 0, 16, 16))
    for format in ("PNG", "GIF"):
        buffer = io.BytesIO()
        palette.save(buffer, format, transparency=0)
        got = read_image(buffer.getvalue()).pixels
        assert np.array_equal(got[0, 0], (255, 255, 255)) and np.array_equal(got[0, 12], (200, 0, 0))
    grey = Image.merge("LA", (Image.new("L", (16, 16), 50), Image.new("L", (16, 16), 0)))
    buffer = io.BytesIO()
    grey.save(buffer, "PNG")
    assert read_image(buffer.getvalue()).pixels.min() == 255


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    deep = np.linspace(0, 65535, 64 * 96).reshape(64, 96).astype(np.uint16)
    wanted = np.round(deep / 257)
    for data in (encoded(deep, "PNG"), encoded(deep, "TIFF"), b"P5\n96 64\n65535\n" + deep.astype(">u2").tobytes()):
        got = read_image(data).pixels
        assert np.array_equal(got[..., 0], got[..., 2])
        assert np.abs(got[..., 0] - wanted).max() <= 1
        assert got.min() == 0 and got.max() == 255
    import cv2

    colour = np.stack([deep, deep[::-1], deep[:, ::-1]], axis=2)
    got = read_image(cv2.imencode(".png", colour[..., ::-1])[1].tobytes()).pixels
    assert np.abs(got - np.round(colour / 257)).max() <= 1


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(10))
def test_orientation_of_exif(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {"quality": 95} if format == "JPEG" else {}
    data = encoded(scene(), format, exif=exif, **options)
    with Image.open(io.BytesIO(data)) as opened:
        wanted = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    assert np.array_equal(read_image(data).pixels, wanted)
    if orientation == 6:  # the camera was turned: the stored top left is the displayed top right
        assert np.abs(wanted[0, -1].astype(int) - scene()[0, 0]).max() < 12


def test_rotation_of_heic_is_applied_once() -> None:
    import pillow_heif

    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture = pillow_heif.from_pillow(Image.fromarray(scene()))
    picture[0].info["exif"] = exif.tobytes()
    picture.save(buffer, quality=95)
    got = read_image(buffer.getvalue()).pixels
    upright = np.asarray(Image.fromarray(scene()).transpose(Image.Transpose.ROTATE_270))
    assert got.shape == (96, 64, 3)
    assert np.abs(got.astype(int) - upright).mean() < 4


def test_animations_give_their_first_frame() -> None:
    first, second = Image.new("RGB", (32, 32), "red"), Image.new("RGB", (32, 32), "blue")
    for format in ("GIF", "PNG", "WEBP"):
        buffer = io.BytesIO()
        first.save(buffer, format, save_all=True, append_images=[second], duration=100)
        assert np.abs(read_image(buffer.getvalue()).pixels[5, 5].astype(int) - (255, 0, 0)).max() < 5


def test_arrays_are_copied_and_frames_handed_through() -> None:
    pixels = scene()
    frame = read_image(pixels)
    assert np.array_equal(frame.pixels, pixels) and not np.shares_memory(frame.pixels, pixels)
    assert read_image(frame) is frame
    grey = read_image(pixels[..., 0]).pixels
    assert grey.shape == pixels.shape and np.array_equal(grey[..., 1], pixels[..., 0])
    assert read_image(pixels[::-1, ::2]).pixels.flags.c_contiguous


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((20, 20, 3)), "float64"),
        (np.zeros((20, 20, 3), np.float32), r"\* 255"),
        (np.zeros((20, 20, 4), np.uint8), r"\(20, 20, 4\)"),
        (np.zeros((1, 20, 20, 3), np.uint8), "shape"),
        (np.zeros((0, 0, 3), np.uint8), "0 x 0"),
        (np.zeros((1, 1, 3), np.uint8), "1 x 1"),
    ],
)
def test_arrays_that_are_no_pictures(array: np.ndarray, words: str) -> None:
    with pytest.raises(UnreadableMedia, match=words):
        read_image(array)


def test_bad_files_are_named_in_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = FORMATS["a.jpg"]
    bad: dict[str, tuple[bytes, str]] = {
        "empty.jpg": (b"", "empty"),
        "half.jpg": (whole[: len(whole) // 2], "cut short"),
        "start.jpg": (whole[:200], "cut short"),
        "text.jpg": (b"Dear Sir or Madam, this is a letter and no picture at all.", "known format"),
        "one.png": (encoded(np.zeros((1, 1, 3), np.uint8), "PNG"), "1 x 1"),
        "bomb.png": (png_header(60_000, 60_000), r"60000 x 60000 px \(3600.0 MP\); the limit is 128.0 MP"),
        "negative.png": (png_header(2**32 - 1, 2**32 - 1), "px|damaged"),
        "movie.jpg": (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(100), "is a video"),
        "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "known format"),
    }
    for name, (data, words) in bad.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(UnreadableMedia, match=words) as caught:
            read_image(path)
        assert name in caught.value.message and caught.value.remedy
        assert caught.value.message.endswith(".") and "\n" not in caught.value.message
        if data:
            with pytest.raises(UnreadableMedia, match=words):
                read_image(data)
    with pytest.raises(UnreadableMedia, match="empty"):
        read_image(b"")
    assert capfd.readouterr() == ("", "")


def test_missing_folders_and_strange_names(tmp_path: Path) -> None:
    for missing in (tmp_path / "no.jpg", tmp_path / "no" / "no.jpg", "", "x" * 10_000, "a\0b", "\ud800"):
        with pytest.raises((MediaNotFound, UnreadableMedia)) as caught:
            read_image(missing)
        assert len(caught.value.message) < 300
    with pytest.raises(UnreadableMedia, match="is a folder"):
        read_image(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(MediaNotFound):
        read_image(tmp_path / "loop")
    with pytest.raises(UsageError, match="int"):
        read_image(3)  # type: ignore[arg-type]


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.jpg"
    path.write_bytes(FORMATS["a.jpg"])

    def forbidden(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # root may read everything, so a mode would not do
    with pytest.raises(UnreadableMedia, match=r"mine\.jpg may not be read"):
        read_image(path)


@pytest.mark.parametrize("name", FORMATS)
def test_cut_anywhere_it_is_refused_or_whole(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A file that lacks a part never gives a picture with that part missing."""
    data = FORMATS[name]
    whole = read_image(data).pixels
    for end in [*range(1, len(data), max(1, len(data) // 60)), len(data) - 1]:
        try:
            got = read_image(data[:end]).pixels
        except MienError:
            continue
        assert np.array_equal(got, whole), f"{name} cut at {end} of {len(data)}"
    assert capfd.readouterr() == ("", "")


def test_bomb_costs_nothing() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for data in (
        png_header(30_000, 30_000),
        b"P6\n40000 40000\n255\n" + bytes(100),
        b"GIF89a" + struct.pack("<HHBBB", 60_000, 60_000, 0, 0, 0) + b",\0\0\0\0`\xea`\xea\0\x08" + bytes(100),
    ):
        with pytest.raises(UnreadableMedia, match=r"MP\)?; the limit is 128\.0 MP"):
            read_image(data)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_limit_can_be_lowered() -> None:
    with pytest.raises(UnreadableMedia, match=r"96 x 64 px"):
        read_image(FORMATS["a.jpg"], max_pixels=96 * 64 - 1)
    read_image(FORMATS["a.jpg"], max_pixels=96 * 64)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_hundred_megapixels_stay_in_bounds(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    Image.new("RGB", (10_000, 10_000), (10, 200, 30)).save(path, quality=50)
    code = (
        "import sys; from mien.media import read_image;"
        # Not getrusage, whose peak begins with that of the process that started this one.
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]); before = peak();"
        "frame = read_image(sys.argv[1]); assert frame.pixels.shape == (10000, 10000, 3);"
        "print(peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert 3 * 100e6 < int(done.stdout) * 1024 < 8 * 100e6


def test_strips_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (61, 83, 4), np.uint8)
    data = encoded(pixels, "PNG")
    whole = read_image(data).pixels
    monkeypatch.setattr(door, "_STRIP", 7 * 83)
    assert np.array_equal(read_image(data).pixels, whole)


def test_warnings_of_decoders_stay_inside_in_threads() -> None:
    """Bad EXIF makes Pillow warn; here warnings are errors, and the filters must be the same afterwards."""
    data = FORMATS["a.jpg"]
    exif = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + b"\x12\x01\x03\0\xff\0\0\0\x06\0\0\0"
    bad = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    filters = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        frames = list(pool.map(read_image, [bad, data] * 40))
    assert {frame.pixels.shape for frame in frames} == {(64, 96, 3)}
    assert warnings.filters == filters


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp", ".bmp", ".ppm", ".tif", ".tiff"])
def test_written_pictures_are_read_again(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"naïve name{suffix}"
    write_image(Frame(scene()), path)
    assert np.abs(read_image(path).pixels.astype(int) - scene()).mean() < (
        3 if suffix in (".jpg", ".JPEG", ".webp") else 0.1
    )
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_writing_fails_clearly_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = Frame(scene())
    with pytest.raises(UsageError, match=r"\.png"):
        write_image(frame, tmp_path / "a.xyz")
    with pytest.raises(MediaNotFound, match="folder"):
        write_image(frame, tmp_path / "no" / "a.png")
    kept = tmp_path / "a.png"
    write_image(frame, kept)
    before = kept.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(CannotWrite, match="No space left"):
        write_image(frame, kept)
    assert kept.read_bytes() == before and os.listdir(tmp_path) == ["a.png"]  # noqa: PTH208


def test_another_library_s_leniency_towards_cut_pictures_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import ImageFile

    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = FORMATS["a.jpg"]
    with pytest.raises(UnreadableMedia):
        read_image(data[: len(data) // 2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES, "and it is left as it was"
