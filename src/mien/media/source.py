"""Sources: what a name stands for, and which names stand for something that can be looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from glob import has_magic, iglob
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import MediaNotFound, MienError, UnreadableMedia, UsageError
from mien.media.door import head_of, refuse, shown
from mien.media.image import read_image
from mien.media.sniff import HEAD, Kind, kind_of
from mien.media.video import is_camera, is_remote, open_video
from mien.types import Frame

Source = str | os.PathLike[str] | bytes | NDArray[np.uint8] | Frame
Skipped = Callable[[Path, MienError], Any]


def kind(source: str | os.PathLike[str] | bytes) -> Kind:
    """Picture or video, by content; a camera or an address is a video. Raises MediaNotFound, UnreadableMedia."""
    if not isinstance(source, str | os.PathLike | bytes):
        raise UsageError(
            f"Nothing can be seen in a {type(source).__name__}.", "Give a path, bytes, a uint8 array or a Frame."
        )
    if is_camera(source) or is_remote(source):
        return "video"
    if isinstance(source, bytes) and not source:
        raise UnreadableMedia("The given data is empty.", "Give the bytes of a whole picture or video file.")
    known = kind_of(source[:HEAD] if isinstance(source, bytes) else head_of(source, HEAD))
    if known is not None:
        return known
    try:
        open_video(source).close()
    except MienError as error:
        raise UnreadableMedia(
            f"{shown(source)} is neither a picture nor a video of a known format.", "Convert it to JPEG, PNG or MP4."
        ) from error
    return "video"


def frames_of(source: Source) -> Iterator[Frame]:
    """The frames of a picture (one), a video, a camera or an address, as displayed.

    Nothing is opened before the first frame is asked for. Raises MediaNotFound, UnreadableMedia."""
    if isinstance(source, Frame | np.ndarray) or kind(source) == "image":
        yield read_image(source)
        return
    with open_video(source) as video:
        yield from video.frames()


def find(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    recursive: bool = True,
    skipped: Skipped | None = None,
) -> Iterator[Path]:
    """The pictures and videos that files, folders and globs (`*`, `?`, `[…]`, `**`) name; each once, folders sorted by name.

    A file that is named itself is handed over unseen, so that whoever opens it says what is wrong with it. In folders and
    globs, hidden files and what is no picture or video by content are left out; links that lead in a circle are followed
    once. `skipped` is told of everything left out except hidden files, and of folders that may not be read.
    Raises MediaNotFound for a name that stands for nothing."""
    report: Skipped = skipped or (lambda path, error: None)
    seen: set[tuple[int, int]] = set()
    for given in [paths] if isinstance(paths, str | os.PathLike) else paths:
        _not_empty(given)
        path = Path(given)
        if _exists(path):
            found: Iterator[Path] = _walk(path, recursive, report, set()) if path.is_dir() else iter([path])
        elif has_magic(os.fspath(given)):
            found = _globbed(os.fspath(given), recursive, report)
        else:
            raise MediaNotFound(f"There is no file or folder {shown(given)}.", "Check the name.")
        for file in found:
            mark = _identity(file)
            if mark is None or mark not in seen:
                seen |= {mark} if mark else set()
                yield file


def folder_per_person(path: str | os.PathLike[str], skipped: Skipped | None = None) -> dict[str, list[Path]]:
    """Name of each subfolder -> the pictures and videos under it, both sorted; people without any are left out.

    `skipped` is told of folders that may not be read, of people without pictures, and of files that are none.
    Raises MediaNotFound; UnreadableMedia when `path` is a file or may not be read."""
    report: Skipped = skipped or (lambda path, error: None)
    _not_empty(path)
    try:
        folders = sorted(entry for entry in Path(path).iterdir() if not entry.name.startswith("."))
    except NotADirectoryError as error:
        raise UnreadableMedia(
            f"{shown(path)} is not a folder.", "Give a folder with one subfolder per person."
        ) from error
    except (OSError, ValueError) as error:
        refuse(path, error)
    people: dict[str, list[Path]] = {}
    for folder in folders:
        if not folder.is_dir():
            report(folder, UnreadableMedia(f"{shown(folder)} lies beside the people's folders.", "Put it into one."))
            continue
        problems: list[tuple[Path, MienError]] = []
        files = list(_walk(folder, True, lambda path, error, to=problems: to.append((path, error)), set()))  # type: ignore[misc]
        if files:
            people[folder.name] = files
        elif not problems:
            problems.append((folder, UnreadableMedia(f"{shown(folder)} holds no picture.", "Put pictures into it.")))
        for problem in problems:
            report(*problem)
    return people


def _walk(folder: Path, recursive: bool, report: Skipped, above: set[tuple[int, int]]) -> Iterator[Path]:
    """Media files under `folder`, sorted by name, files and folders together. `above`: the folders on the way here."""
    mark = _identity(folder)
    if mark is None or mark in above:
        return
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        why = error.strerror or str(error)
        report(folder, UnreadableMedia(f"The folder {shown(folder)} cannot be read: {why}.", "Check its permissions."))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if recursive:
                yield from _walk(entry, recursive, report, above | {mark})
        elif _is_media(entry, report):
            yield entry


def _globbed(pattern: str, recursive: bool, report: Skipped) -> Iterator[Path]:
    names = sorted(iglob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not names:
        raise MediaNotFound(f"Nothing matches {shown(pattern)}.", "Check the pattern.")
    for path in map(Path, names):
        if path.is_dir():
            # `**` already names what lies deeper.
            if recursive and "**" not in pattern:
                yield from _walk(path, recursive, report, set())
        elif _is_media(path, report):
            yield path


def _is_media(path: Path, report: Skipped) -> bool:
    """By its first bytes; what they leave open counts where libav can open it. Special files are never opened."""
    try:
        if not path.is_file():
            raise UnreadableMedia(f"{shown(path)} is not a file, or a link to nothing.", "Remove it.")
        kind(path)
    except MienError as error:
        report(path, error)
        return False
    return True


def _not_empty(name: str | os.PathLike[str]) -> None:
    """An empty name, as from a variable that is not set, must not stand for the current folder."""
    if not os.fspath(name):
        raise MediaNotFound("An empty name stands for no file or folder.", "Give a name; . is the current folder.")


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except (OSError, ValueError):  # too long, or with a null character: no file can be called that
        return False


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, the same by whichever link it was reached; None for what is not there."""
    try:
        info = path.stat()
    except (OSError, ValueError):
        return None
    return info.st_dev, info.st_ino
