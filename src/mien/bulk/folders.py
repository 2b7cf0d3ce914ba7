"""A folder with a folder of pictures per person, walked with no more in memory than the names of the folders on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mien.bulk.items import Entry, Item, Problem
from mien.errors import MediaNotFound, MienError, UnreadableMedia
from mien.media.door import head_of, refuse, shown
from mien.media.sniff import HEAD, kind_of

# A file of such a name is handed over unseen, and whoever opens it says what is wrong with it. Others are looked into.
_PICTURES = ".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"
PICTURES = frozenset((*_PICTURES, ".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"))
_Above = frozenset[tuple[int, int]]  # device and inode of the folders on the way here


class Folder:
    """People by the names of subfolders. Order: by name (code points), files and folders together, as `find` does.

    Hidden files are left out; links that lead in a circle are followed once; folders that cannot be read are problems."""

    def __init__(self, path: str) -> None:
        """Raises MediaNotFound, UnreadableMedia for what is no folder."""
        if not path:
            raise MediaNotFound("An empty name stands for no folder.", "Give a name; . is the current folder.")
        self.path = os.path.abspath(path)  # noqa: PTH100 - Path() would drop a name's last dot or double slash differently
        self.passed = 0
        try:
            with os.scandir(self.path):
                pass
        except NotADirectoryError as error:
            raise UnreadableMedia(
                f"{shown(path)} is not a folder.", "Give a folder with one subfolder per person."
            ) from error
        except (OSError, ValueError) as error:
            refuse(path, error)

    def entries(self) -> Iterator[Entry]:
        """The pictures of each person, one person after the other."""
        self.passed = 0
        for name in sorted(entry.name for entry in _listed(self.path) if not entry.name.startswith(".")):
            path = os.path.join(self.path, name)  # noqa: PTH118 - a million times
            if os.path.isdir(path):  # noqa: PTH112
                empty = True
                for entry in self._walk(path, name, frozenset()):
                    empty = False
                    yield entry
                self.passed += empty
            elif suffix(name) in PICTURES:
                error = UnreadableMedia(f"{shown(path)} lies beside the people's folders.", "Put it into one.")
                yield Problem(path, error)
            else:
                self.passed += 1

    def _walk(self, folder: str, subject: str, above: _Above) -> Iterator[Entry]:
        try:
            status = os.stat(folder)  # noqa: PTH116
            mark = (status.st_dev, status.st_ino)
            if mark in above:
                return
            found = sorted(_listed(folder), key=lambda entry: entry.name)
        except OSError as error:
            why = error.strerror or str(error)
            told = f"The folder {shown(folder)} cannot be read: {why}."
            yield Problem(folder, UnreadableMedia(told, "Check its permissions."))
            return
        for entry in found:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from self._walk(entry.path, subject, above | {mark})
            else:
                yield from self._file(entry.path, subject)

    def _file(self, path: str, subject: str) -> Iterator[Entry]:
        meant = suffix(path) in PICTURES
        try:
            stamp = stamp_of(path)
            if meant or kind_of(head_of(path, HEAD)) == "image":
                yield Item(subject, path, stamp)
                return
        except MienError as error:
            if meant:
                yield Problem(path, error)
                return
        self.passed += 1


def stamp_of(path: str) -> str:
    """Size and time of a file. Raises MediaNotFound, UnreadableMedia for what is none; it is not opened."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError) as error:
        if Path(path).is_symlink():
            raise UnreadableMedia(f"{shown(path)} is not a file, or a link to nothing.", "Remove it.") from error
        refuse(path, error)
    if not os.path.isfile(path):  # noqa: PTH113 - a pipe would wait for a writer
        raise UnreadableMedia(f"{shown(path)} is not a file, or a link to nothing.", "Remove it.")
    return f"{status.st_size} {status.st_mtime_ns}"


def suffix(name: str) -> str:
    """The suffix of a file's name, in lower case; "" where there is none."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122


def _listed(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as found:
        return list(found)
