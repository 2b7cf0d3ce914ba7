"""Codes of a large gallery beside its file: what a search reads, so that nothing needs to be read or made again at opening.

They are derived and no record: the templates stand in the gallery's file, and codes that are missing or damaged are made
from them anew. A segment is written once, synced and given its name before the gallery's file speaks of it; afterwards only
erasure changes it, by zeroes. The file says which segments count, with their checksums; any other is a leftover.

One segment is a file of columns: ids (int64) of the samples, ascending, then the parts of `scan.Codes`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from mien.gallery.scan import Codes
from mien.gallery.store import sync_folder

_MAGIC = b"mien codes 1\n"
_HEAD = 64  # bytes before the columns


class Entry(NamedTuple):
    """What the gallery's file says of one segment."""

    name: str
    rows: int
    first: int  # id of its first sample
    last: int
    checksum: int  # CRC-32 of the whole file


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One segment in memory."""

    entry: Entry
    ids: NDArray[np.int64]  # (n,) of samples, ascending
    codes: Codes

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """Rows of those of the ids that are in here."""
        if len(ids) > len(self.ids) // 8:
            return np.flatnonzero(np.isin(self.ids, ids))
        found = np.searchsorted(self.ids, ids)
        found = found[(found < len(self.ids)) & (self.ids[np.minimum(found, len(self.ids) - 1)] == ids)]
        return np.unique(found)


def write(folder: Path, ids: NDArray[np.int64], codes: Codes) -> Entry:
    """Keep codes of samples; on the disk when it returns. Raises OSError."""
    folder.mkdir(exist_ok=True)
    name = uuid4().hex
    beside = folder / f".{name}.new"
    checksum = 0
    try:
        with beside.open("wb") as stream:
            for part in (memoryview(_head(ids, codes)), *_columns(ids, codes)):
                stream.write(part)
                checksum = zlib.crc32(part, checksum)
            stream.flush()
            os.fsync(stream.fileno())
        beside.rename(folder / name)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(folder)
    sync_folder(folder.parent)
    return Entry(name, len(ids), int(ids[0]), int(ids[-1]), checksum)


def read(folder: Path, entry: Entry, dimension: int) -> Segment | None:
    """A segment as it is kept; None where it is missing or not what the gallery's file says."""
    codes = Codes.empty(entry.rows, dimension)
    ids = np.empty(entry.rows, np.int64)
    try:
        with (folder / entry.name).open("rb", buffering=0) as stream:
            head = stream.read(_HEAD)
            checksum = zlib.crc32(head)
            for column in _columns(ids, codes):
                if stream.readinto(column) != column.nbytes:
                    return None
                checksum = zlib.crc32(column, checksum)
            whole = not stream.read(1)
    except OSError:
        return None
    if head != _head(ids, codes) or checksum != entry.checksum or not whole:
        return None
    return Segment(entry, ids, codes)


def wipe(folder: Path, segment: Segment, rows: NDArray[np.intp]) -> Entry:
    """Write zeroes over rows of a segment, in memory and on the disk; returns what the gallery's file must say of it now."""
    segment.codes.wipe(rows)
    columns = _columns(segment.ids, segment.codes)
    with (folder / segment.entry.name).open("r+b", buffering=0) as stream:
        start = _HEAD
        for column in columns:
            width = column.nbytes // len(segment.ids)
            for row in rows.tolist():
                stream.seek(start + row * width)
                stream.write(column[row * width : (row + 1) * width])
            start += column.nbytes
        os.fsync(stream.fileno())
    checksum = zlib.crc32(_head(segment.ids, segment.codes))
    for column in columns:
        checksum = zlib.crc32(column, checksum)
    return segment.entry._replace(checksum=checksum)


def remove(folder: Path, entry: Entry) -> None:
    """Take away the file of a segment, where it still is."""
    with suppress(OSError):
        (folder / entry.name).unlink()


def sweep(folder: Path, entries: Sequence[Entry]) -> None:
    """Take away every file that the gallery's file does not speak of."""
    known = {entry.name for entry in entries}
    with suppress(OSError):
        for leftover in folder.iterdir():
            if leftover.name not in known:
                leftover.unlink(missing_ok=True)


def _head(ids: NDArray[np.int64], codes: Codes) -> bytes:
    return _MAGIC + f"{len(ids)} {codes.high.shape[1]}\n".encode().ljust(_HEAD - len(_MAGIC), b"\0")


def _columns(ids: NDArray[np.int64], codes: Codes) -> list[memoryview]:
    return [memoryview(part.view(np.uint8).reshape(-1)) for part in (ids, *codes.parts)]  # type: ignore[arg-type]
