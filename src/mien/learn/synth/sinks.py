"""Where frames go: a picture, a folder of pictures, a video. Each appears whole under its name, or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from mien.errors import CannotWrite
from mien.types import F32, U8

if TYPE_CHECKING:
    from numpy.typing import NDArray

PART = ".part-"  # how names of unfinished files and folders begin
Codec = Literal["h264", "ffv1"]


class Sink(Protocol):
    """Takes frames, in order."""

    def add(self, pixels: NDArray[Any]) -> None:
        """One more frame."""


Opened = AbstractContextManager[Sink]


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A name to write to; it becomes `target`, in place of what was there, if nothing fails. Raises CannotWrite."""
    part = target.with_name(PART + target.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(part)
        yield part
        if part.is_dir():
            remove(target)
        part.replace(target)
    except OSError as error:
        raise no_room(target, error) from error
    finally:
        remove(part)


def no_room(target: Path, error: OSError) -> CannotWrite:
    """What a file that cannot be written is called."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return CannotWrite(
            f"{target.name} cannot be written: there is no room left.",
            "Make room and run the same command again: finished clips are kept.",
        )
    return CannotWrite(
        f"{target.name} cannot be written: {error.strerror or error}.", "Check the permissions there and run it again."
    )


def remove(path: Path) -> None:
    """A file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def picture(target: Path) -> Iterator[Sink]:
    """One picture file; of several frames the last stays."""
    with whole(target) as part:
        yield _Picture(part, target.suffix)


@contextmanager
def folder(target: Path, names: str) -> Iterator[Sink]:
    """A folder of pictures, such as names="{:04d}.png", numbered from 0 (`{:04d}`) or from 1 (`{+:04d}`)."""
    with whole(target) as part:
        part.mkdir()
        yield _Folder(part, names)


@contextmanager
def video(target: Path, fps: float, size: int, codec: Codec) -> Iterator[Sink]:
    """A video without sound: H.264 (near lossless, 4:2:0) or FFV1 (lossless). The same frames give the same bytes."""
    import av

    with whole(target) as part:
        try:
            with av.open(str(part), "w", format=target.suffix[1:].replace("mkv", "matroska")) as container:
                container.flags |= 0x400  # bit-exact: no date, no version of the writer
                stream = container.add_stream(
                    "libx264" if codec == "h264" else "ffv1", Fraction(fps).limit_denominator(1000)
                )
                stream.width = stream.height = size
                stream.pix_fmt = "yuv420p" if codec == "h264" else "bgr0"
                stream.codec_context.thread_count = 1
                if codec == "h264":
                    stream.options = {"crf": "12", "preset": "medium"}
                yield _Video(container, stream)
                container.mux(stream.encode())
        except av.FFmpegError as error:
            raise OSError(error.errno or 0, str(error.strerror or error)) from error


class _Picture:
    def __init__(self, path: Path, suffix: str) -> None:
        self._path, self._suffix = path, suffix

    def add(self, pixels: NDArray[Any]) -> None:
        _save(pixels, self._path, self._suffix)


class _Folder:
    def __init__(self, path: Path, names: str) -> None:
        self._path, self._count = path, 1 if "{+" in names else 0
        self._names = names.replace("{+", "{")

    def add(self, pixels: NDArray[Any]) -> None:
        name = self._names.format(self._count)
        _save(pixels, self._path / name, Path(name).suffix)
        self._count += 1


class _Video:
    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream

    def add(self, pixels: NDArray[Any]) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        self._container.mux(self._stream.encode(frame))


def _save(pixels: NDArray[Any], path: Path, suffix: str) -> None:
    from PIL import Image

    kinds: dict[str, tuple[str, dict[str, Any]]] = {
        ".png": ("PNG", {"compress_level": 3}),
        ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    }
    kind, options = kinds[suffix]
    Image.fromarray(pixels).save(path, kind, **options)


def grey(pixels: U8) -> U8:
    """(H, W) luma of RGB, ITU-R BT.601."""
    return np.rint(pixels @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)


def millimetres(depth: F32) -> NDArray[np.uint16]:
    """(H, W) depth in cm as whole mm; 0 where there is nothing."""
    finite = np.where(np.isfinite(depth), depth, 0.0) * 10.0
    return np.clip(np.rint(finite), 0, 65535).astype(np.uint16)
