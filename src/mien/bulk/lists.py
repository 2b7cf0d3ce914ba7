"""A list of pictures: CSV, TSV or JSON lines, read row by row.

    subject,path,badge            # comments and empty lines are passed over
    ana,photos/ana1.jpg,17
    ben,https://example.org/ben.jpg,

Columns: `subject`, one of `path`, `url`, `source`, `file`; every other column is metadata of the person (of several rows
about one person, the last that says something stands). Without a header, two columns: subject, path. As JSON lines, the
same words are keys, and `metadata` may be an object. Paths are relative to the list (to the current folder on stdin).

Addresses in rows are refused unless the caller allows them: a list is somebody's file, and a row of it would make this
machine fetch whatever is named there, from inside its network and with its credentials for object storage.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mien.bulk.folders import stamp_of
from mien.bulk.items import Entry, Item, Problem
from mien.bulk.stores import check_address, is_address
from mien.errors import InputError, MienError, UsageError
from mien.media.door import refuse, shown

SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_PLACES = ("path", "url", "source", "file")
_LONGEST = 1 << 20  # bytes of a line; a list with none shorter is no list
_WANTED = "Name the columns subject and path (or url) in the first line."
Row = tuple[int, Mapping[str, Any]]  # (line, {column: cell})


class ListFile:
    """The rows of a list, in its order. `-` is stdin, which can be walked once."""

    def __init__(self, path: str, allow_remote: bool = False) -> None:
        """Raises MediaNotFound, UnreadableMedia for a file that cannot be opened."""
        self.path = path
        self.passed = 0
        self._remote = allow_remote
        self._base = os.getcwd() if path == "-" else os.path.dirname(os.path.abspath(path))  # noqa: PTH100, PTH109, PTH120
        if path != "-":
            try:
                Path(path).open("rb").close()
            except (OSError, ValueError) as error:
                refuse(path, error)

    def entries(self) -> Iterator[Entry]:
        """One entry per row. Raises UsageError for a header that does not say who and where."""
        opened = nullcontext(sys.stdin.buffer) if self.path == "-" else Path(self.path).open("rb")  # noqa: SIM115
        with opened as file:
            lines = _Lines(file, "stdin" if self.path == "-" else shown(self.path))
            form = SUFFIXES.get(Path(self.path).suffix.lower()) or _guess(lines)
            rows = _json_rows(lines) if form == "jsonl" else _csv_rows(lines, "\t" if form == "tsv" else ",")
            for row in rows:
                yield from lines.faults()
                yield row if isinstance(row, Problem) else self._entry(f"{lines.name}:{row[0]}", row[1])
            yield from lines.faults()

    def _entry(self, where: str, row: Mapping[str, Any]) -> Entry:
        subject, place = row.get("subject"), next((row[key] for key in _PLACES if row.get(key)), None)
        if not (isinstance(subject, str) and subject.strip() and isinstance(place, str) and place):
            return Problem(where, InputError(f"{where} does not say who and where.", _WANTED))
        given = row.get("metadata")
        more = given if isinstance(given, Mapping) else {}
        extra = {key: cell for key, cell in row.items() if key not in ("subject", "metadata", *_PLACES)}
        metadata = {**more, **{key: cell for key, cell in extra.items() if cell not in ("", None)}} or None
        try:
            if is_address(place):
                check_address(place, self._remote)
                return Item(subject, place, "", metadata)
            path = os.path.join(self._base, place)  # noqa: PTH118 - an absolute one stands as it is
            return Item(subject, os.path.normpath(path) if ".." not in place else path, stamp_of(path), metadata)
        except MienError as error:
            return Problem(place, error)


@dataclass(slots=True)
class _Lines:
    """Lines of text out of a binary file; what is no text is told, and not handed over."""

    file: IO[bytes]
    name: str
    number: int = 0
    quoted: bool = False  # inside a cell that goes on over the end of its line
    quotes: bool = True  # whether this kind of list has such cells
    _faults: list[Problem] = field(default_factory=list)
    _back: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while True:
            if self._back:
                return self._back.pop()
            raw = self.file.readline(_LONGEST)
            if not raw:
                raise StopIteration
            self.number += 1
            if self.number == 1:
                raw = self._opening(raw)
            line = self._text(raw)
            if line is None or (not self.quoted and (not line.strip() or line.lstrip().startswith("#"))):
                continue
            self.quoted ^= self.quotes and line.count('"') % 2 == 1
            return line

    def put_back(self, line: str) -> None:
        """Hand this line over once more."""
        self._back.append(line)

    def faults(self) -> Iterator[Problem]:
        """What could not be handed over since the last call."""
        while self._faults:
            yield self._faults.pop(0)

    def _opening(self, raw: bytes) -> bytes:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UsageError(f"The list {self.name} is UTF-16.", "Save it as UTF-8.")
        return raw.removeprefix(b"\xef\xbb\xbf")

    def _text(self, raw: bytes) -> str | None:
        where = f"{self.name}:{self.number}"
        if len(raw) >= _LONGEST and not raw.endswith(b"\n"):
            while (rest := self.file.readline(_LONGEST)) and not rest.endswith(b"\n"):
                pass
            self._faults.append(Problem(where, InputError(f"{where} is longer than 1 MiB.", "Is this a list?")))
            return None
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            self._faults.append(Problem(where, InputError(f"{where} is no UTF-8 text.", "Save the list as UTF-8.")))
            return None
        return text


def _guess(lines: _Lines) -> str:
    """The form of a list whose name does not say it, by its first line."""
    first = next(lines, "")
    lines.put_back(first)
    return "jsonl" if first.lstrip().startswith("{") else "tsv" if "\t" in first else "csv"


def _json_rows(lines: _Lines) -> Iterator[Row | Problem]:
    lines.quotes = lines.quoted = False
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        where = f"{lines.name}:{lines.number}"
        if not line.strip():
            continue
        if isinstance(row, dict):
            yield lines.number, row
        else:
            yield Problem(where, InputError(f"{where} is no JSON object.", "Write one object per line."))


def _csv_rows(lines: _Lines, delimiter: str) -> Iterator[Row | Problem]:
    reader = csv.reader(lines, delimiter=delimiter)
    titles: Sequence[str] | None = None
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            where = f"{lines.name}:{lines.number}"
            yield Problem(where, InputError(f"{where} cannot be read: {error}.", "Look at its quotes."))
            continue
        if cells is None:
            return
        if titles is None:
            titles = _titles(cells, lines.name)
            if titles is not None:
                continue
            titles = ("subject", "path")
        if len(cells) > len(titles):
            where = f"{lines.name}:{lines.number}"
            told = f"{where} has {len(cells)} cells for {len(titles)} columns."
            yield Problem(where, InputError(told, "Put quotes around a cell that holds the separator."))
        elif any(cell.strip() for cell in cells):
            yield lines.number, dict(zip(titles, cells, strict=False))


def _titles(cells: Sequence[str], name: str) -> Sequence[str] | None:
    """The columns that a first row names; None when it is a row like the others. Raises UsageError."""
    named = [cell.strip() for cell in cells]
    lower = [cell.lower() for cell in named]
    if "subject" in lower and set(_PLACES) & set(lower):
        if len(set(lower)) < len(lower):
            raise UsageError(f"The list {name} has two columns of one name.", "Name each column once.")
        known = ("subject", *_PLACES, "metadata")
        return [word if word in known else cell for word, cell in zip(lower, named, strict=True)]
    if len(cells) == 2:
        return None
    raise UsageError(f"The list {name} does not say which column is whose.", _WANTED)
