"""Files of scores to rows of text, with everything that is wrong with them counted and named."""

from __future__ import annotations

import csv
import io
import math
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mien.audit.data.found import Found
from mien.errors import InputError, MediaNotFound
from mien.types import Metric

LARGEST = 1e100  # a number beyond it is no score: its square cannot be held
YES = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file: its columns, and its rows as text by column."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, Mapping[str, str]], ...]  # ("line 2", {column: cell without blanks around it})
    found: Found = field(default_factory=Found)

    def numbers(self, column: str, empty: float | None = None) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """Rows with the number in `column`; those without a finite one are listed and left out.

        empty: what an empty cell (or -inf) stands for; None: a problem too."""
        for where, row in self.rows:
            value = number(row[column])
            if empty is not None and row[column].lower() in ("", "-inf", "-infinity"):
                value = empty
            elif value is None or not math.isfinite(value):
                self.found.add("no_score", f"has no finite number in the column {column} and was left out.", where)
                continue
            yield where, row, value


def read(path: Path, wanted: Sequence[str], aliases: Mapping[str, str] | None = None, apart: bool = False) -> Sheet:
    """A CSV file (UTF-8; comma, semicolon or tab) with a header that names at least the columns `wanted`.

    aliases: other names of columns; apart: of columns that differ in case alone the later keep theirs. Raises
    MediaNotFound; InputError for what is no such file, and for one that somebody still writes."""
    return parse(_text(path), path.name, wanted, aliases, apart)


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig") as file:
            before = os.fstat(file.fileno())
            if stat.S_ISCHR(before.st_mode):  # it may never end
                raise InputError(f"{path} is a device, not a file.", "Name a CSV file.")
            text = file.read()
            after = os.fstat(file.fileno())
    except FileNotFoundError as error:
        raise MediaNotFound(f"There is no file {path}.", "Check the path.") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder.", "Name a CSV file.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8.", "Save it as CSV in UTF-8.") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be read: {why}.", "Name a CSV file.") from error
    if stat.S_ISREG(before.st_mode) and (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{path} was changed while it was read.", "Wait until it is written.")
    return text


def parse(
    text: str, name: str, wanted: Sequence[str], aliases: Mapping[str, str] | None = None, apart: bool = False
) -> Sheet:
    """The same from the text of a file called `name`."""
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        lines = [(reader.line_num, line) for line in reader if line and line != [""]]
    except csv.Error as error:
        raise InputError(f"{name} is no CSV file: {error}.", "Save it as CSV in UTF-8.") from error
    if not lines:
        raise InputError(f"{name} is empty.", f"A first line with the columns {', '.join(wanted)} is wanted.")
    written = [cell.strip() for cell in lines[0][1]]
    names = [cell.lower() for cell in written]
    if apart:
        names = [cell if cell not in names[:place] else written[place] for place, cell in enumerate(names)]
    columns = tuple((aliases or {}).get(column, column) for column in names)
    absent = [column for column in wanted if column not in columns]
    if absent:
        raise InputError(
            f"{name} has no column {' and no column '.join(absent)}; its first line reads: {', '.join(names)[:200]}.",
            f"A first line with the columns {', '.join(wanted)} is wanted.",
        )
    if len(set(columns)) < len(columns):
        raise InputError(f"{name} has two columns of one name: {', '.join(names)[:200]}.", "Rename one.")
    sheet = Sheet(name, columns, tuple(_rows(lines[1:], columns)))
    for place, line in lines[1:]:
        if not any(map(str.strip, line)):
            sheet.found.add("empty_row", "has empty cells only and was left out.", f"line {place}")
        elif len(line) != len(columns):
            sheet.found.add(
                "ragged_row", f"has not {len(columns)} cells, as the first line, and was left out.", f"line {place}"
            )
    if not sheet.rows:
        raise InputError(f"{name} has no rows below its first line.", "Nothing can be measured on it.")
    return sheet


def number(text: str) -> float | None:
    """The number a cell holds, which may be NaN or infinite; None where it holds none, or one beyond all scores."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if LARGEST < abs(value) < math.inf else value


def said(metric: Metric) -> str:
    """A rate with its interval, as a sentence has it."""
    return f"{100 * metric.value:.1f} % ({100 * metric.low:.1f} to {100 * metric.high:.1f})"


def _rows(
    lines: Sequence[tuple[int, Sequence[str]]], columns: Sequence[str]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    for place, line in lines:
        if len(line) == len(columns) and any(map(str.strip, line)):
            yield f"line {place}", dict(zip(columns, map(str.strip, line), strict=True))
