"""Text tables: CSV with a header, read row by row, whatever the spelling of the columns and whoever exported it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mien.errors import InputError

Row = tuple[int, list[str]]  # number of the line in the file, cells


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Iterator[str]]:
    """The lines of a text file, without a byte order mark.

    A file that somebody still writes would be read in part and nobody would know: that is an error at the end.
    Raises MediaNotFound, UnreadableMedia, InputError."""
    from mien.media.door import head_of, shown

    head_of(path, 1)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            before = os.fstat(file.fileno())
            yield file
            after = os.fstat(file.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise InputError(f"{shown(path)} was changed while it was read.", "Wait until it is written.")
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)} is no text in UTF-8.", "Save it as CSV with the encoding UTF-8.") from error
    except (csv.Error, OSError) as error:
        raise InputError(f"{shown(path)} cannot be read as a table: {error}.", "Save it anew as CSV.") from error


@contextmanager
def table(
    path: str | os.PathLike[str], wanted: Mapping[str, Sequence[str]], needed: Sequence[str] = ()
) -> Iterator[tuple[dict[str, int], list[str], Iterator[Row]]]:
    """A CSV file: {name: number of its column} of those found, all titles, and the rows with the numbers of their lines.

    wanted: name -> other spellings. needed: names that must be there. Commas, semicolons, tabs or blanks part the cells,
    whichever the header has. Empty lines and lines from # on are passed over. Raises MediaNotFound, InputError."""
    from mien.media.door import shown

    with opened(path) as lines:
        numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip() and line.lstrip()[0] != "#")
        first, header = next(numbered, (1, ""))
        delimiter = _delimiter(header)
        titles = [title.strip() for title in next(csv.reader([header.strip()], delimiter=delimiter), [])]
        known = {spelling(title): number for number, title in reversed(list(enumerate(titles)))}
        columns = {}
        for name, others in wanted.items():
            found = [known[key] for key in map(spelling, (name, *others)) if key in known]
            if found:
                columns[name] = found[0]
        missing = [name for name in needed if name not in columns]
        if missing:
            raise InputError(
                f"{shown(path)} has no column {', '.join(missing)}; its first line has {', '.join(titles)[:200] or 'nothing'}.",
                f"The first line names the columns; wanted are {', '.join(needed)}.",
            )
        yield columns, titles, _rows(lines, delimiter, first)


def _rows(lines: Iterator[str], delimiter: str, before: int) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    for cells in reader:
        if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
            yield before + reader.line_num, [cell.strip() for cell in cells]


def cell(cells: Sequence[str], number: int | None) -> str:
    """A cell; "" where the row is too short or there is no such column."""
    return cells[number] if number is not None and number < len(cells) else ""


def spelling(title: str) -> str:
    """A title without capitals, blanks and underscores."""
    return "".join(char for char in title.lower() if char.isalnum())


def _delimiter(header: str) -> str:
    """Whichever is in the header: comma, semicolon, tab, blank."""
    return next((mark for mark in ",;\t" if mark in header), " " if " " in header.strip() else ",")
