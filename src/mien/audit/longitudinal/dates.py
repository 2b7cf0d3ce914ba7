"""Days as people and machines write them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mien.errors import InputError, UsageError

_DAY = datetime.date(1970, 1, 1).toordinal()
_YEAR_FIRST = re.compile(r"(\d{4})[-/.:](\d{1,2})[-/.:](\d{1,2})(?:[T ].*)?$")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:[T ,].*)?$")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T ]?\d{4,6}.*)?$")
_SECONDS = re.compile(r"\d{9,10}(?:\.\d*)?$")
_NUMBER = re.compile(r"[-+]?\d{1,6}(?:\.\d*)?$")


@dataclass(slots=True)
class Days:
    """Reads cells of one file to days: numbers that grow by one a day; dates count from 1970.

    A time with an offset counts on the day it had there, or in `zone` where one is given. Whether 03/04/2024 is in March or in
    April is decided by all cells of a file at once, see `look`."""

    zone: str = ""  # such as Europe/Berlin
    day_first: bool | None = None
    zoned: int = 0  # cells with an offset
    plain: int = 0  # cells with a time of day and without one
    numbers: int = 0  # cells that are days counted from somewhere
    dates: int = 0
    _known: dict[str, int | None] = field(default_factory=dict)
    _zone: ZoneInfo | None = None

    def __post_init__(self) -> None:
        if self.zone:
            try:
                self._zone = ZoneInfo(self.zone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise UsageError(f"There is no time zone {self.zone!r}.", "Name one such as Europe/Berlin.") from error

    def look(self, cells: Iterable[str]) -> None:
        """Learn from all cells whether days come before months. Raises InputError where they leave it open."""
        firsts, seconds = set(), set()
        for cell in cells:
            found = _YEAR_LAST.match(cell)
            if found and found[2] == ".":
                continue  # written so where days come first
            if found:
                firsts.add(int(found[1]))
                seconds.add(int(found[3]))
        if not firsts or self.day_first is not None:
            return
        if max(firsts) > 12 and max(seconds) > 12:
            raise InputError("Some dates have the day first and some the month.", "Write dates as 2024-03-31.")
        if max(firsts) <= 12 and max(seconds) <= 12:
            raise InputError("Dates like 03/04/2024 do not say which is the month.", "Write dates as 2024-03-31.")
        self.day_first = max(firsts) > 12

    def read(self, cell: str) -> int | None:
        """The day; None for what is none."""
        if cell not in self._known:
            self._known[cell] = self._read(cell)
        return self._known[cell]

    def _read(self, cell: str) -> int | None:
        try:
            if _SECONDS.match(cell):
                return self._moment(datetime.datetime.fromtimestamp(float(cell), datetime.UTC))
            if found := _YEAR_FIRST.match(cell):
                return self._written(cell, int(found[1]), int(found[2]), int(found[3]))
            if found := _YEAR_LAST.match(cell):
                day, month = int(found[1]), int(found[3])
                if found[2] != "." and not self.day_first:
                    day, month = month, day
                return self._date(datetime.date(int(found[4]), month, day))
            if (found := _COMPACT.match(cell)) and len(cell) >= 8:
                return self._date(datetime.date(int(found[1]), int(found[2]), int(found[3])))
        except (ValueError, OverflowError, OSError):
            return None
        if _NUMBER.match(cell):
            self.numbers += 1
            return int(float(cell) // 1)
        return None

    def _written(self, cell: str, year: int, month: int, day: int) -> int:
        date = datetime.date(year, month, day)
        rest = cell[8:]
        if not re.search(r"[T ]\d", rest):
            return self._date(date)
        if not re.search(r"(?:Z|[-+]\d\d:?\d\d)$", rest):
            self.plain += 1
            return self._date(date)
        self.zoned += 1
        if self._zone is None:
            return self._date(date)
        return self._moment(datetime.datetime.fromisoformat(cell.replace(" ", "T", 1)))

    def _moment(self, moment: datetime.datetime) -> int:
        return self._date((moment.astimezone(self._zone) if self._zone else moment).date())

    def _date(self, date: datetime.date) -> int:
        self.dates += 1
        return date.toordinal() - _DAY


def today() -> int:
    """Today, as `Days` counts."""
    return datetime.datetime.now(datetime.UTC).date().toordinal() - _DAY


def named(day: int, dated: bool) -> str:
    """A day for people: 2024-03-31, or day 17 where days are only counted."""
    return datetime.date.fromordinal(day + _DAY).isoformat() if dated else f"day {day}"
