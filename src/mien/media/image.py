"""Pictures: a file, its bytes or an array to a `Frame`, and a `Frame` to a file.

Every frame has the full resolution of its file, so that boxes are px of the picture as displayed. Memory while reading
stays under 8 bytes per px for JPEG (0.8 GB for 100 MP); larger pictures than `MAX_PIXELS` are refused from their header
alone. Transparent parts lie on white. 16-bit pictures are scaled to 8 bits, not clipped. Colour profiles are not applied.
"""

from __future__ import annotations

import os
import re
import secrets
import struct
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import CannotWrite, MediaNotFound, UnreadableMedia, UsageError
from mien.media.door import content_of, head_of, shown
from mien.media.hush import hushed, quiet
from mien.media.orient import upright
from mien.media.sniff import HEAD, kind_of, picture_format
from mien.types import U8, Frame

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 128_000_000  # covers the 102 and 108 MP sensors of cameras and phones
MAX_BYTES = 1_000_000_000  # of a file; an uncompressed 16-bit picture of MAX_PIXELS fits
MIN_SIDE = 8  # px; nothing smaller can show a face, and tiny pictures trip up models
_STRIP = 500_000  # px that are converted at a time; few enough to stay in the cache
_ORIENTATION = 0x0112  # EXIF tag

_AGAIN = "Copy or download it again, or save it anew with a picture editor."


def read_image(
    source: str | os.PathLike[str] | bytes | NDArray[np.uint8] | Frame, *, max_pixels: int = MAX_PIXELS
) -> Frame:
    """The picture as displayed (EXIF orientation applied); a `Frame` is handed back as it is.

    source: a path; the bytes of a file; or an array, uint8, (H, W, 3) RGB or (H, W) grey, which is copied.
    JPEG, PNG, WebP, HEIC, AVIF, GIF (first frame), BMP, TIFF, PBM/PGM/PPM, by content whatever the suffix says.
    Raises MediaNotFound; UnreadableMedia when it is empty, cut short, damaged, no picture, or not within
    `MIN_SIDE` px a side and `max_pixels` px in all."""
    if isinstance(source, Frame):
        return source
    if isinstance(source, np.ndarray):
        return Frame(_from_array(source, max_pixels))
    if isinstance(source, bytes):
        if not source:
            raise UnreadableMedia("The given data is empty.", "Give the bytes of a whole picture file.")
        return Frame(_decode(source, shown(source), max_pixels))
    if not isinstance(source, str | os.PathLike):
        raise UsageError(
            f"A picture cannot be read from {type(source).__name__}.", "Give a path, bytes, a uint8 array or a Frame."
        )
    name = shown(source)
    _format_of(head_of(source, HEAD), name)  # before a whole movie is read into memory
    return Frame(_decode(content_of(source, MAX_BYTES), name, max_pixels), source=os.fspath(source))


def write_image(frame: Frame, path: str | os.PathLike[str], *, mark: str = "") -> None:
    """Write a picture in the format that the suffix names; the file appears whole or not at all.

    mark: what was done to it, kept in the file (`mien.media.marks`). Nothing else comes along: no EXIF, no place, no thumbnail.
    Raises UsageError for another suffix, MediaNotFound when there is no such folder, CannotWrite (disk full, read-only)."""
    target = Path(path)
    options = _options(target.suffix.lower(), mark, shown(path))
    if not target.parent.is_dir():
        raise MediaNotFound(f"There is no folder {shown(target.parent)}.", "Make it first.")
    from PIL import Image

    # A sibling, because a rename is atomic only within one file system.
    temporary = target.with_name(f".mien-{secrets.token_hex(8)}{target.suffix}")
    try:
        with temporary.open("xb") as file:
            Image.fromarray(frame.pixels).save(file, **options)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise CannotWrite(
            f"{shown(path)} cannot be written: {error.strerror or error}.", "Check the space and the permissions there."
        ) from error


def encoded(frame: Frame, suffix: str, *, mark: str = "") -> bytes:
    """`write_image` to bytes, in the format that `suffix`, such as ".png", names. Raises UsageError for another suffix."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(frame.pixels).save(file, **_options(suffix.lower(), mark, suffix))
    return file.getvalue()


def _options(suffix: str, mark: str, name: str) -> dict[str, Any]:
    """What Pillow's `save` takes. Raises UsageError."""
    options = _WRITERS.get(suffix)
    if options is None:
        told = f"Use one of the suffixes {' '.join(sorted(_WRITERS))}."
        raise UsageError(f"A picture cannot be written as {name}.", told)
    if not mark:
        return options
    from mien.media import marks

    return {**options, **marks.options(suffix, mark)}


_WRITERS: dict[str, dict[str, Any]] = {
    ".jpg": {"format": "JPEG", "quality": 92, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 92, "subsampling": 0},
    ".png": {"format": "PNG", "compress_level": 3},
    ".webp": {"format": "WEBP", "quality": 90},
    ".bmp": {"format": "BMP"},
    ".ppm": {"format": "PPM"},
    ".tif": {"format": "TIFF", "compression": "tiff_lzw"},
    ".tiff": {"format": "TIFF", "compression": "tiff_lzw"},
}


# -- arrays ------------------------------------------------------------------------------------------------------------


def _from_array(array: NDArray[Any], max_pixels: int) -> U8:
    if array.dtype != np.uint8:
        raise UnreadableMedia(
            f"The array holds {array.dtype} values; pictures are uint8, 0 to 255.",
            "Scale it and convert it, for example (array * 255).astype('uint8') for values from 0 to 1.",
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise UnreadableMedia(
            f"The array has the shape {array.shape}.", "Give (height, width, 3) in RGB or (height, width) in grey."
        )
    _check_size(array.shape[1], array.shape[0], "The array", max_pixels)
    return np.repeat(array[:, :, None], 3, axis=2) if array.ndim == 2 else np.array(array, order="C")


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise UnreadableMedia(
            f"{name} has {width} x {height} px ({width * height / 1e6:.1f} MP); the limit is {max_pixels / 1e6:.1f} MP.",
            "Save it smaller.",
        )
    if min(width, height) < MIN_SIDE:
        raise UnreadableMedia(
            f"{name} has only {width} x {height} px; nothing under {MIN_SIDE} px a side can show a face.",
            "Give the picture in its original size.",
        )


# -- files -------------------------------------------------------------------------------------------------------------


def _format_of(head: bytes, name: str) -> str:
    found = picture_format(head)
    if found is None and kind_of(head) == "video":
        raise UnreadableMedia(f"{name} is a video, not a picture.", "Open it as a video.")
    if found is None:
        raise UnreadableMedia(
            f"{name} is not a picture of a known format.",
            "Give a JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP, TIFF or PPM file.",
        )
    return found


def _decode(data: bytes, name: str, max_pixels: int) -> U8:
    """(H, W, 3) RGB, as displayed."""
    opener = _OPENERS[_format_of(data[:HEAD], name)]
    with quiet():
        try:
            image = opener(data)
            width, height = image.size
        except _damage() as error:
            raise _refused(name, error, max_pixels) from error
        _check_size(width, height, name, max_pixels)
        try:
            # HEIF files hand over a lazy picture; only now is it decoded.
            image = image.to_pillow() if hasattr(image, "to_pillow") else image
            with hushed() if _is_libtiff(image) else nullcontext():
                image.load()
            orientation = image.getexif().get(_ORIENTATION, 1)
            pixels = _rgb(image)
        except _damage() as error:
            raise _refused(name, error, max_pixels) from error
    del image
    return upright(pixels, orientation)


def _is_libtiff(image: Image) -> bool:
    return any(tile[0] == "libtiff" for tile in getattr(image, "tile", ()))


@cache
def _damage() -> tuple[type[Exception], ...]:
    """What decoders raise on damaged data. Pillow parses in Python, so that nearly every built-in error can come out."""
    from PIL.Image import DecompressionBombError

    system = (OSError, EOFError, MemoryError, RuntimeError, ImportError, Warning)
    values = (SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError)
    return (DecompressionBombError, struct.error, zlib.error, *system, *values)


def _refused(name: str, error: Exception, max_pixels: int) -> UnreadableMedia:
    """What the decoder's failure means, in its own words, on one line and without its full stop."""
    words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if isinstance(error, ImportError):
        return UnreadableMedia(f"{name} needs a newer Pillow to be read.", "Install Pillow 11.3 or later.")
    if type(error).__name__ == "DecompressionBombError":  # Pillow's own limit, 179 MP, which some plugins check first
        size = re.search(r"\d+", words)
        area = f"{int(size[0]) / 1e6:.1f}" if size else "more than 179"
        return UnreadableMedia(f"{name} has {area} MP; the limit is {max_pixels / 1e6:.1f} MP.", "Save it smaller.")
    if isinstance(error, _UnknownRange):
        return UnreadableMedia(
            f"{name} holds floating-point values, whose range is unknown.", "Save it with 8 or 16 bits a channel."
        )
    words = words if len(words) <= 120 else f"{words[:119]}…"
    return UnreadableMedia(f"{name} is cut short or damaged: {words}.", _AGAIN)


class _UnknownRange(ValueError):
    """Which value is white cannot be known."""


def _rgb(image: Image) -> U8:
    """(H, W, 3), strip by strip: Pillow holds 4 bytes per px, and whole-picture conversions would pile up on that."""
    width, height = image.size
    rows = max(1, _STRIP // width)
    if rows >= height:
        return _strip_rgb(image)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        pixels[top:bottom] = _strip_rgb(image.crop((0, top, width, bottom)))
    return pixels


def _strip_rgb(image: Image) -> U8:
    if image.mode == "RGB":
        return np.asarray(image)
    if image.mode.startswith("I"):
        return _from_deep(np.asarray(image))
    if image.mode == "F":
        raise _UnknownRange
    if image.has_transparency_data or image.mode in ("RGBA", "LA", "La", "PA", "RGBa"):
        return _on_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("RGB"))


def _on_white(rgba: U8) -> U8:
    """Composite (H, W, 4) over white, rounded."""
    colour, alpha = rgba[:, :, :3].astype(np.uint16), rgba[:, :, 3:].astype(np.uint16)
    return ((colour * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def _from_deep(grey: NDArray[Any]) -> U8:
    """16-bit grey (H, W), in whatever integer it is held, to 8-bit RGB; scaled by the format's range, never stretched."""
    if grey.min(initial=0) < 0 or grey.max(initial=0) > 65535:
        raise ValueError("it holds 32-bit values, whose range is unknown")
    small = ((grey.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.repeat(small[:, :, None], 3, axis=2)


def _plugin(module: str, name: str) -> Callable[[bytes], Any]:
    """Opens with one plugin of Pillow. Going past `Image.open` keeps rare formats with risky decoders out, and keeps
    Pillow's own size check (a warning, process-wide) from meddling with ours."""

    def open_it(data: bytes) -> Any:
        from importlib import import_module

        return getattr(import_module(f"PIL.{module}"), name)(BytesIO(data))

    return open_it


def _open_heif(data: bytes) -> Any:
    import pillow_heif

    return pillow_heif.open_heif(data, convert_hdr_to_8bit=True)


_OPENERS: dict[str, Callable[[bytes], Any]] = {
    "JPEG": _plugin("JpegImagePlugin", "JpegImageFile"),
    "PNG": _plugin("PngImagePlugin", "PngImageFile"),
    "WEBP": _plugin("WebPImagePlugin", "WebPImageFile"),
    "GIF": _plugin("GifImagePlugin", "GifImageFile"),
    "BMP": _plugin("BmpImagePlugin", "BmpImageFile"),
    "TIFF": _plugin("TiffImagePlugin", "TiffImageFile"),
    "PNM": _plugin("PpmImagePlugin", "PpmImageFile"),
    "AVIF": _plugin("AvifImagePlugin", "AvifImageFile"),
    "HEIF": _open_heif,
}
