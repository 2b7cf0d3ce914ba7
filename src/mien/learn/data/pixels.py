"""Where an example's pixels lie, to pixels: files, members of a zip, rows of a table, folders of frames, video."""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from mien.errors import MediaNotFound, UnreadableMedia, UsageError
from mien.learn.data.example import Media
from mien.learn.data.pixel_rows import ROWS, read_row
from mien.types import U8

LARGEST = 200_000_000  # bytes of one picture, unpacked
_DAMAGE = (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError, LookupError)


def read_still(media: Media) -> U8:
    """(H, W, 3) RGB of a picture, or of the first frame that belongs to a clip. Raises MediaNotFound, UnreadableMedia."""
    from mien.media import read_image

    if media.kind in ("frames", "video"):
        return np.asarray(read_frames(media, [0])[0])
    if media.member.startswith(ROWS):
        return read_row(media)
    if media.member:
        return read_image(_member(media)).pixels
    return read_image(media.path).pixels


def count_frames(media: Media) -> int:
    """How many frames belong to the example. Raises MediaNotFound, UnreadableMedia."""
    if media.kind == "picture":
        return 1
    if media.last is not None:
        return media.last - media.first + 1
    if media.kind == "frames":
        return max(0, len(_listed(media.path)) - media.first)
    return max(0, sum(1 for _ in _video(media)) - media.first)


def read_frames(media: Media, indices: Sequence[int]) -> U8:
    """(n, H, W, 3) RGB of the frames of those numbers, counted from the example's first; in the order asked for.

    Raises MediaNotFound, UsageError for none, UnreadableMedia for a number beyond the end."""
    from mien.media import read_image

    if not len(indices):
        raise UsageError(f"No frame of {media.name} is asked for.", "Ask for one or more.")
    if media.kind == "picture":
        return np.stack([read_still(media)] * len(indices))
    if media.last is not None and max(indices) > media.last - media.first:
        raise UnreadableMedia(
            f"{media.name} has {media.last - media.first + 1} frames of this example, not {max(indices) + 1}.",
            "Ask for fewer.",
        )
    wanted = [media.first + int(index) for index in indices]
    if media.kind == "frames":
        files = _listed(media.path)
        if wanted and not 0 <= min(wanted) <= max(wanted) < len(files):
            raise UnreadableMedia(f"{media.name} has {len(files)} frames, not {max(wanted) + 1}.", "Copy it again.")
        return np.stack([read_image(files[number]).pixels for number in wanted])
    return _of_video(media, wanted)


def _of_video(media: Media, wanted: Sequence[int]) -> U8:
    kept: dict[int, U8] = {}
    last = max(wanted, default=-1)
    for number, pixels in enumerate(_video(media)):
        if number in wanted:
            kept[number] = pixels
        if number >= last:
            break
    absent = sorted(set(wanted) - set(kept))
    if absent:
        raise UnreadableMedia(f"{media.name} ends before frame {absent[0]}.", "Copy it again.")
    return np.stack([kept[number] for number in wanted])


def _video(media: Media) -> Iterator[U8]:
    from mien.media import frames_of

    for frame in frames_of(media.path):
        yield frame.pixels


@lru_cache(256)
def _listed(folder: Path) -> tuple[Path, ...]:
    from mien.learn.data.trees import PICTURES, natural

    try:
        names = [one for one in folder.iterdir() if one.suffix.lower() in PICTURES]
    except OSError as error:
        raise MediaNotFound(f"There is no folder of frames {folder}.", "Copy the data set again.") from error
    return tuple(sorted(names, key=lambda one: natural(one.name)))


_handles = threading.local()


def _member(media: Media) -> bytes:
    """The bytes of a member; every thread has a handle of its own, since one cannot be read twice at once."""
    held: dict[tuple[int, Path], zipfile.ZipFile] = _handles.__dict__.setdefault("held", {})
    key = os.getpid(), media.path  # a handle that a fork copied shares its place in the file with the parent's
    try:
        if key not in held:
            held[key] = zipfile.ZipFile(media.path)
        with held[key].open(media.member) as stream:
            data = stream.read(LARGEST + 1)
    except _DAMAGE as error:
        raise UnreadableMedia(
            f"{media.member} in {media.path.name} cannot be unpacked: {error}.", "Pack it again."
        ) from error
    if len(data) > LARGEST:
        raise UnreadableMedia(f"{media.member} is larger than {LARGEST / 1e6:.0f} MB.", "Save it smaller.")
    return data
