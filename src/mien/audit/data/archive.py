"""A zip of pictures, read in place. Nothing is ever unpacked to disk, so no name in it can lead out of a folder."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable
from threading import Lock

from mien.audit.data.found import Found
from mien.errors import InputError, UnreadableMedia

MOST = 5_000_000  # members
LARGEST = 200_000_000  # bytes of one picture, unpacked
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    LookupError,
)
_OTHER = "A file in the archive that is no picture; it was left out."
_ODD = "A name in the archive that leads out of it; it was left out."
_TWICE = "A name that the archive has twice; the last counts."
_UNREADABLE = "A file of the archive that cannot be unpacked; it was left out."


class Archive:
    """An open zip; several threads may read from it."""

    def __init__(self, path: str | os.PathLike[str], found: Found) -> None:
        """Raises MediaNotFound, UnreadableMedia, InputError."""
        from mien.media.door import head_of, shown

        head_of(path, 1)
        self._found = found
        self._name = shown(path)
        self._lock = Lock()
        try:
            self._zip = zipfile.ZipFile(path)
        except _DAMAGE as error:
            raise InputError(
                f"{self._name} is no folder, no zip and no .bin of pictures.",
                "Give a folder with one subfolder per person.",
            ) from error
        if len(self._zip.infolist()) > MOST:
            raise InputError(f"{self._name} has more than {MOST:,} files.", "Split it.")

    def pictures(self) -> list[str]:
        """Names of the members that are pictures by content, sorted; the rest is counted among the problems."""
        from mien.media.sniff import HEAD, picture_format

        names: set[str] = set()
        for info in self._zip.infolist():
            parts = info.filename.split("/")
            if info.is_dir() or any(part.startswith(".") and part != ".." for part in parts) or "__MACOSX" in parts:
                continue
            if ".." in parts or info.filename.startswith("/") or "\\" in info.filename or ":" in parts[0]:
                self._found.add("odd_name", _ODD, info.filename)
                continue
            try:
                head = self._bytes(info, HEAD)
            except UnreadableMedia as error:
                self._found.add("unreadable", _UNREADABLE, f"{info.filename}: {error.message}")
                continue
            if picture_format(head) is None:
                self._found.add("not_a_picture", _OTHER, info.filename)
            elif info.filename in names:
                self._found.add("twice", _TWICE, info.filename)
            names |= {info.filename} if picture_format(head) else set()
        return sorted(names)

    def reader(self, name: str) -> Callable[[], bytes]:
        """What reads a member. Raises UnreadableMedia."""
        info = self._zip.getinfo(name)

        def read() -> bytes:
            return self._bytes(info, None)

        return read

    def _bytes(self, info: zipfile.ZipInfo, count: int | None) -> bytes:
        """The first `count` bytes of a member, or all of it, never more than LARGEST whatever its header says."""
        try:
            with self._lock, self._zip.open(info) as member:
                data = member.read(LARGEST + 1 if count is None else count)
        except _DAMAGE as error:
            raise UnreadableMedia(f"{info.filename} cannot be unpacked: {error}.", "Pack it again.") from error
        if len(data) > LARGEST:
            raise UnreadableMedia(f"{info.filename} is larger than {LARGEST / 1e6:.0f} MB.", "Save it smaller.")
        return data
