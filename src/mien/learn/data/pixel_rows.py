"""Tables with a picture in each row, written as grey values ("70 80 82 …"), as FER2013 was first handed out.

The pixels stay in the table: a row is known by where it begins, and is read when it is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.errors import InputError, UnreadableMedia
from mien.learn.data.example import Media
from mien.media.door import head_of, refuse, shown
from mien.types import U8

ROWS = "@"  # begins the `member` of a Media that is a row
LONGEST = 4_000_000  # bytes of a row


@dataclass(frozen=True, slots=True)
class PixelRow:
    """One row: its number from 0, where it begins, its other cells and how many pixels it has."""

    number: int
    offset: int
    cells: Mapping[str, str]
    count: int


def pixel_rows(path: Path, wanted: Sequence[str]) -> Iterator[PixelRow]:
    """The rows of a CSV with the columns `pixels` and those wanted. Raises MediaNotFound, UnreadableMedia, InputError."""
    head_of(path, 1)
    with path.open("rb") as file:
        titles = [_text(cell).lower() for cell in file.readline(LONGEST).removeprefix(b"\xef\xbb\xbf").split(b",")]
        absent = [name for name in (*wanted, "pixels") if name not in titles]
        if absent:
            raise InputError(
                f"{shown(path)} has no column {', '.join(absent)}; its first line has {', '.join(titles)[:160]}.",
                "Give the table as it was handed out.",
            )
        columns = {name: titles.index(name) for name in wanted}
        pixels, number, offset = titles.index("pixels"), 0, file.tell()
        while line := file.readline(LONGEST):
            cells = line.split(b",")
            if line.strip():
                held = {name: _text(cells[at]) if at < len(cells) else "" for name, at in columns.items()}
                count = cells[pixels].strip(b' \r\n"').count(b" ") + 1 if pixels < len(cells) else 0
                yield PixelRow(number, offset, held, count)
                number += 1
            offset += len(line)


def read_row(media: Media) -> U8:
    """(side, side, 3) of a row. Raises MediaNotFound, UnreadableMedia."""
    try:
        with media.path.open("rb") as file:
            file.seek(int(media.member.removeprefix(ROWS)))
            line = file.readline(LONGEST)
    except OSError as error:
        refuse(media.path, error)
    try:
        values = np.array(max(line.split(b","), key=len).replace(b'"', b"").split(), np.int64)
    except (ValueError, OverflowError) as error:
        raise UnreadableMedia(f"The row at {media.member} of {media.path.name} holds no pixels.", "Copy it.") from error
    side = math.isqrt(len(values))
    if not side or side * side != len(values) or values.min() < 0 or values.max() > 255:
        raise UnreadableMedia(f"The row at {media.member} of {media.path.name} holds no square picture.", "Copy it.")
    return np.repeat(values.astype(np.uint8).reshape(side, side, 1), 3, axis=2)


def _text(cell: bytes) -> str:
    return cell.decode("latin-1").strip(' \r\n"')
