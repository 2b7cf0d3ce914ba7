"""Tables that come with data sets: xlsx and CSV in whatever encoding they were exported, to rows of text.

Every cell is text without blanks around it; whole numbers lose the ".0" that spreadsheets give them. The titles may stand
below a block of notes, as in SAMM, and are compared without capitals, blanks and signs.
"""

from __future__ import annotations

import csv
import datetime
import io
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.errors import InputError, UsageError
from mien.media.door import content_of, shown

LARGEST = 256_000_000  # bytes of a table
ROWS = 2_000_000
COLUMNS = 256
_DAMAGE = (  # what the readers of zip, XML and workbooks raise on damaged files; SyntaxError is XML's
    zipfile.BadZipFile, zlib.error, struct.error, SyntaxError, ValueError, LookupError, TypeError, AttributeError, EOFError,
    OSError, NotImplementedError, RuntimeError, OverflowError, MemoryError, AssertionError,
)  # fmt: skip
_NOTES = 40  # rows in which the titles may stand
_ZIP = b"PK\x03\x04"
_OLD = b"\xd0\xcf\x11\xe0"  # the container of xls


@dataclass(frozen=True, slots=True)
class Table:
    """Rows below the titles: where each stands ("row 15") and its cells by the names asked for."""

    name: str
    rows: tuple[tuple[str, Mapping[str, str]], ...]
    odd: bool = False  # not in UTF-8: read as Western European


def table(path: Path, wanted: Mapping[str, Sequence[str]], needed: Sequence[str], sheet: str = "") -> Table:
    """A table with titles. wanted: name -> other spellings; needed: names that must be there.

    Cells of columns that are not there, or beyond the end of a row, are ""; empty rows are passed over.
    Raises MediaNotFound, UnreadableMedia, InputError."""
    rows, odd = _cells(path, sheet)
    keys = {name: [spelling(name), *map(spelling, others)] for name, others in wanted.items()}
    found = _titles(rows, keys, needed)
    if found is None:
        first = ", ".join(cell for cell in next((row for row in rows if any(row)), []) if cell)
        raise InputError(
            f"{shown(path)} has no row with the titles {', '.join(needed)}; it begins with {first[:160] or 'nothing'}.",
            "Give the table as the data set has it.",
        )
    above, columns = found
    below = tuple(
        (f"row {number}", {name: _cell(row, columns.get(name)) for name in keys})
        for number, row in enumerate(rows[above:], above + 1)
        if any(row)
    )
    return Table(path.name, below, odd)


def bare(path: Path, sheet: str) -> tuple[tuple[str, Sequence[str]], ...]:
    """The rows of a table without titles, each with where it stands. Raises MediaNotFound, UnreadableMedia, InputError."""
    rows, _ = _cells(path, sheet)
    return tuple((f"row {number}", row) for number, row in enumerate(rows, 1) if any(row))


def sheets_of(path: Path) -> tuple[str, ...]:
    """The names of the sheets of an xlsx. Raises MediaNotFound, UnreadableMedia, InputError, UsageError."""
    book = _book(path, content_of(path, LARGEST))
    try:
        return tuple(book.sheetnames)
    finally:
        book.close()


def spelling(title: str) -> str:
    """A title without capitals, blanks and signs."""
    return "".join(char for char in title.lower() if char.isalnum())


def text_of(path: Path) -> tuple[str, bool]:
    """The text of a file and whether its encoding was odd.

    UTF-8 with or without a mark, UTF-16 with one; what is neither is read as Windows' Western European, in which
    no byte is an error but some letters may come out wrong. Raises MediaNotFound, UnreadableMedia."""
    data = content_of(path, LARGEST)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace"), False
    try:
        return data.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), True


def _titles(
    rows: Sequence[Sequence[str]], keys: Mapping[str, Sequence[str]], needed: Sequence[str]
) -> tuple[int, dict[str, int]] | None:
    """How many rows end with that of the titles, and {name: number of its column}."""
    for above, row in enumerate(rows[:_NOTES], 1):
        titles = {spelling(cell): number for number, cell in reversed(list(enumerate(row))) if spelling(cell)}
        columns = {name: titles[key] for name, tried in keys.items() for key in reversed(tried) if key in titles}
        if all(name in columns for name in needed):
            return above, columns
    return None


def _cell(row: Sequence[str], number: int | None) -> str:
    return row[number] if number is not None and number < len(row) else ""


def _cells(path: Path, sheet: str) -> tuple[list[list[str]], bool]:
    data = content_of(path, LARGEST)
    if data[:4] == _ZIP:
        return _from_book(path, data, sheet), False
    if data[:4] == _OLD:
        raise InputError(f"{shown(path)} is in the old format xls.", "Save it as xlsx or CSV beside the old one.")
    text, odd = text_of(path)
    delimiter = max(",;\t", key=text[:4096].count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"{shown(path)} cannot be read as a table: {error}.", "Save it anew as CSV.") from error
    if len(lines) > ROWS:
        raise InputError(f"{shown(path)} has more than {ROWS} rows.", "No table of the data set is that long.")
    return [_trimmed([cell.strip() for cell in line]) for line in lines], odd


def _trimmed(row: list[str]) -> list[str]:
    """Without the empty cells at its end."""
    while row and not row[-1]:
        row.pop()
    return row


def _from_book(path: Path, data: bytes, sheet: str) -> list[list[str]]:
    book = _book(path, data)
    try:
        names = book.sheetnames
        chosen = sheet or names[0]
        if chosen not in names:
            raise InputError(
                f"{shown(path)} has no sheet {chosen}; it has {', '.join(names)[:160]}.",
                "Give the workbook as the data set has it.",
            )
        page = book[chosen]
        if not hasattr(page, "iter_rows"):
            raise InputError(f"The sheet {chosen} of {shown(path)} is a chart.", "A table is wanted there.")
        if hasattr(page, "reset_dimensions"):
            page.reset_dimensions()  # some programs write a wrong size of the sheet, which would cut rows off
        rows = []
        for row in page.iter_rows(values_only=True, max_col=COLUMNS):
            rows.append(_trimmed([_text(cell) for cell in row]))
            if len(rows) > ROWS:
                raise InputError(f"{shown(path)} has more than {ROWS} rows.", "No table of the data set is that long.")
        return rows
    except _DAMAGE as error:
        raise InputError(f"{shown(path)} is damaged: {_short(error)}.", "Copy or download it again.") from error
    finally:
        book.close()


def _book(path: Path, data: bytes) -> Any:
    try:
        from openpyxl import load_workbook  # type: ignore[import-untyped, unused-ignore]
        from openpyxl.utils.exceptions import (  # type: ignore[import-untyped, unused-ignore]
            InvalidFileException,
        )
    except ImportError as error:
        raise UsageError(f"Reading {shown(path)} needs the package openpyxl.", "Install it: openpyxl.") from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > 8 * LARGEST:
                raise InputError(f"{shown(path)} unpacks to more than any table holds.", "Copy it again.")
        with warnings.catch_warnings():  # of what spreadsheets hold beside cells
            warnings.simplefilter("ignore")
            return load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except (InvalidFileException, *_DAMAGE) as error:
        raise InputError(f"{shown(path)} is no workbook: {_short(error)}.", "Copy or download it again.") from error


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell).strip()


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:120].rstrip(".") or type(error).__name__
