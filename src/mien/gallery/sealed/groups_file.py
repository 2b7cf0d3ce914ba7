"""The packed groups on the disk: one file of places of one size, read through a memory map.

A place is written only while nothing points to it, and synced before anything does. Which place holds which group, and which
are free, is written in `records.db`; this file alone means nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import numpy as np

from mien.errors import GalleryCorrupt, GalleryError, GalleryFull
from mien.gallery.sealed.profiles import FORMAT
from mien.gallery.sealed.records import U32

PAGE = 4096  # bytes before the first place
_MAGIC = b"mien groups\n"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class GroupsFile:
    """One open file of groups. Raises GalleryCorrupt for what is none, is cut short, or belongs to another gallery."""

    def __init__(self, path: Path, gallery: bytes, group_bytes: int, writable: bool) -> None:
        self.path = path
        self.group_bytes = group_bytes
        try:
            self._handle = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        except FileNotFoundError:
            raise self._damaged("its file of groups is missing") from None
        except OSError as error:
            raise GalleryError(f"{path} cannot be opened: {error.strerror}.", "Look at its permissions.") from error
        self._check(os.pread(self._handle, 256, 0), gallery)
        self._map: np.memmap[tuple[int, int], np.dtype[np.uint32]] | None = None

    def _check(self, start: bytes, gallery: bytes) -> None:
        words = {"magic": start[:12], "gallery": start[24:40], "seal": start[40:72]}
        if words["magic"] != _MAGIC or len(start) < 72:
            self._refuse("its file of groups is cut short or something else")
        version = int.from_bytes(start[12:16], "little")
        if version != FORMAT:
            self.close()
            raise other_format(str(self.path), version)
        if words["seal"] != hashlib.sha256(start[:40]).digest():
            self._refuse("the first page of its file of groups was changed")
        if words["gallery"] != gallery or int.from_bytes(start[16:24], "little") != self.group_bytes:
            self._refuse("its file of groups belongs to another gallery")

    def _refuse(self, what: str) -> None:
        self.close()
        raise self._damaged(what)

    def _damaged(self, what: str) -> GalleryCorrupt:
        return GalleryCorrupt(f"The gallery {self.path.parent} is damaged: {what}.", "Put a backup in its place.")

    @staticmethod
    def create(path: Path, gallery: bytes, group_bytes: int) -> None:
        """Make a file without groups, whole or not at all."""
        start = _MAGIC + FORMAT.to_bytes(4, "little") + group_bytes.to_bytes(8, "little") + gallery
        fresh = path.with_name(path.name + ".new")
        with fresh.open("wb") as file:
            file.write((start + hashlib.sha256(start).digest()).ljust(PAGE, b"\0"))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def places(self) -> int:
        """How many places the file has."""
        return max(0, os.fstat(self._handle).st_size - PAGE) // self.group_bytes

    def view(self, places: int) -> U32:
        """(places, words) uint32 read-only map of the first places. Raises GalleryCorrupt where the file is shorter."""
        if self.places() < places:
            raise self._damaged(f"its file of groups holds {self.places()} of {places} places")
        if self._map is None or len(self._map) < places:
            shape = (self.places(), self.group_bytes // 4)
            self._map = np.memmap(self.path, np.uint32, "r", PAGE, shape) if shape[0] else None
        return np.empty((0, self.group_bytes // 4), np.uint32) if self._map is None else self._map[:places]

    def write(self, place: int, body: U32) -> None:
        """Fill a place that nothing points to. Raises GalleryFull."""
        self._put(place, memoryview(body.astype("<u4", copy=False).tobytes()))

    def wipe(self, place: int) -> None:
        """Overwrite a place with zeros."""
        self._put(place, memoryview(bytes(self.group_bytes)))

    def _put(self, place: int, data: memoryview) -> None:
        start = PAGE + place * self.group_bytes
        try:
            if place >= self.places():
                grow_file(self._handle, start, self.group_bytes)
            while data:
                done = os.pwrite(self._handle, data, start)
                data, start = data[done:], start + done
        except OSError as error:
            raise full_or_failed(self.path.parent, error) from error

    def sync(self) -> None:
        """Make everything written so far survive a power cut."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise full_or_failed(self.path.parent, error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._map = None
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def other_format(what: str, version: int) -> GalleryCorrupt:
    """The error for a stored format that this mien does not read."""
    older = "Seal the plain gallery again; if it is gone, copy the people out with the mien that sealed them."
    return GalleryCorrupt(
        f"{what} has format {version}; this mien reads format {FORMAT}.", older if version < FORMAT else "Update mien."
    )


def grow_file(handle: int, start: int, size: int) -> None:
    """Reserve room now, so that a full disk is met before anything points there."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, start, size)
    else:
        os.ftruncate(handle, start + size)


def full_or_failed(where: Path, error: OSError) -> GalleryError:
    """The error for a write that did not go through."""
    if error.errno in _FULL:
        return GalleryFull(
            f"The gallery {where} could not be written: the disk or a quota is full.",
            "Make room and try again; everything enrolled before is still there.",
        )
    return GalleryError(
        f"The disk failed under the gallery {where}: {error.strerror}.", "Look at the disk, then try again."
    )


def shred(path: Path) -> None:
    """Overwrite a file with zeros, then remove it. On disks that remap blocks old ones may survive."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        left = path.stat().st_size
        while left > 0:
            left -= file.write(bytes(min(left, 1 << 20)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
