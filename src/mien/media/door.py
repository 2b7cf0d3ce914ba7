"""The door that every file comes through: names for messages, and reading that fails with one clear sentence."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import NoReturn

from mien.errors import MediaNotFound, UnreadableMedia

_SHOWN = 120  # characters of a name that a message shows


def shown(source: object) -> str:
    """The name of `source` as a message shows it: on one line, and never longer than a line."""
    if isinstance(source, bytes | bytearray | memoryview):
        return "The given data"
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in os.fspath(source))  # type: ignore[call-overload]
    return name if len(name) <= _SHOWN else f"{name[: _SHOWN // 2]}…{name[-_SHOWN // 2 :]}"


def refuse(path: str | os.PathLike[str], error: OSError | ValueError) -> NoReturn:
    """Raise what the failed opening of `path` means. Raises MediaNotFound, UnreadableMedia."""
    name = shown(path)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        raise MediaNotFound(f"There is no file {name}.", "Check the name and the folder.") from error
    if isinstance(error, IsADirectoryError):
        raise UnreadableMedia(f"{name} is a folder, not a file.", "Name a file in it.") from error
    if isinstance(error, PermissionError):
        raise UnreadableMedia(f"{name} may not be read by this user.", "Give read permission to it.") from error
    if isinstance(error, ValueError) or error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        raise MediaNotFound(f"{name} cannot be the name of a file.", "Check the name.") from error
    raise UnreadableMedia(
        f"{name} cannot be read: {error.strerror or error}.", "Check the disk or copy it again."
    ) from error


def head_of(path: str | os.PathLike[str], count: int) -> bytes:
    """The first `count` bytes of a file that is there and not empty. Raises MediaNotFound, UnreadableMedia."""
    return _read(path, count, count)


def content_of(path: str | os.PathLike[str], limit: int) -> bytes:
    """All bytes of a file of at most `limit` bytes. Raises MediaNotFound, UnreadableMedia."""
    return _read(path, -1, limit)


def _read(path: str | os.PathLike[str], count: int, limit: int) -> bytes:
    try:
        if stat.S_ISFIFO(Path(path).stat().st_mode):  # it gives its bytes once, and opening it waits for a writer
            raise UnreadableMedia(f"{shown(path)} is a pipe, not a file.", "Save what comes out of it as a file.")
        with Path(path).open("rb") as file:
            info = os.fstat(file.fileno())
            if count < 0 and info.st_size > limit:
                raise UnreadableMedia(
                    f"{shown(path)} is {info.st_size / 1e6:.0f} MB large; the limit is {limit / 1e6:.0f} MB.",
                    "Save the picture smaller.",
                )
            # A pipe or a device has no size: never read more than the limit from it.
            data = file.read(count if count >= 0 else limit if not stat.S_ISREG(info.st_mode) else -1)
    except (OSError, ValueError) as error:
        refuse(path, error)
    if not data:
        raise UnreadableMedia(f"{shown(path)} is empty.", "Copy or download it again.")
    return data
