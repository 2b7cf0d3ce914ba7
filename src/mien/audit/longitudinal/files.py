"""Files of dated scores."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mien.audit.data.found import Found
from mien.audit.data.names import SUBJECT
from mien.audit.data.sheet import LARGEST
from mien.audit.data.tables import cell, table
from mien.audit.longitudinal.dates import Days, today
from mien.audit.longitudinal.records import Records, records
from mien.errors import InputError
from mien.report import Problem

COLUMNS: Mapping[str, Sequence[str]] = {
    "subject": SUBJECT,
    "date": ("day", "time", "timestamp", "datetime", "probe_date", "capture_date", "date_time"),
    "score": ("similarity", "comparison_score", "cosine"),
    "reference_date": ("enrolment_date", "enrollment_date", "enrolled", "reference", "gallery_date"),
    "device": ("camera", "sensor"),
    "session": (),
}
_NO_DATE = "A row without a date that can be read; it was left out."
_NO_SUBJECT = "A row without a subject; it was left out."
_NO_SCORE = "A row whose score is empty, NaN or no number; it was left out. (-inf stands for a capture that failed.)"
_NO_REFERENCE = "A row without the date of its reference, while others have it; it was left out."
_FUTURE = "A row with a date in the future; it was left out."
_TWICE = "A row that is the same as one before, to the time of day; it was left out."
_ALIKE = "A row that is the same as one before. Rows have no time of day, so it may be another capture: it was kept."
_MIXED = "A time without an offset, while others have one; it counts on the day as written."


def read_records(path: str | os.PathLike[str], zone: str = "") -> Records:
    """Genuine scores from a CSV (comma, semicolon or tab) with the columns subject, date (or day, time) and score;
    device, session and reference_date may be there.

    Dates are 2024-03-31, with a time of day and an offset or without, 20240331, 31.03.2024, 03/31/2024 where some day is past
    12, seconds since 1970, or plain numbers of days. zone: such as Europe/Berlin; times with an offset count on the day they
    had there. Rows that cannot be used are listed as problems. Raises MediaNotFound, InputError, UsageError."""
    from mien.media.door import shown

    with table(path, COLUMNS, ("subject", "date", "score")) as (columns, _, rows):
        listed = [(line, tuple(cells)) for line, cells in rows]
    if not listed:
        raise InputError(f"{shown(path)} has no rows below its first line.", "Nothing can be measured on it.")
    taken = _Taken(Days(zone), "reference_date" in columns)
    taken.days.look(cell(cells, columns.get(name)) for _, cells in listed for name in ("date", "reference_date"))
    first: dict[tuple[str, ...], int] = {}
    again = [line for line, cells in listed if first.setdefault(cells, line) != line]
    timed = any(":" in cell(cells, columns["date"]) for _, cells in listed[:100])
    skip = set(again) if timed else set()
    for line, cells in listed:
        if line not in skip:
            taken.add(line, {name: cell(cells, at) for name, at in columns.items()})
    if not taken.scores:
        words = taken.found.first("It has none.")
        raise InputError(f"{shown(path)} has no row that can be used.", words)
    problems = list(taken.found.problems())
    if again:
        kind, words = ("duplicate", _TWICE) if timed else ("equal_rows", _ALIKE)
        problems.append(Problem(kind, words, tuple(f"line {line}" for line in again)))
    return taken.result(problems, "device" in columns, shown(path))


@dataclass(slots=True)
class _Taken:
    """Rows as they are read."""

    days: Days
    referenced: bool
    found: Found = field(default_factory=Found)
    subjects: list[str] = field(default_factory=list)
    dates: list[int] = field(default_factory=list)
    references: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def add(self, line: int, row: Mapping[str, str]) -> None:
        """One row, or its problem."""
        score, where = _score(row["score"]), f"line {line}"
        date = self.days.read(row["date"])
        since = self.days.read(row["reference_date"]) if self.referenced else 0
        if not row["subject"]:
            self.found.add("no_subject", _NO_SUBJECT, where)
        elif date is None:
            self.found.add("no_date", _NO_DATE, f"{where}: {row['date'][:40] or 'empty'}")
        elif score is None:
            self.found.add("no_score", _NO_SCORE, f"{where}: {row['score'][:40] or 'empty'}")
        elif since is None:
            self.found.add("no_reference_date", _NO_REFERENCE, where)
        else:
            self.subjects.append(row["subject"])
            self.dates.append(date)
            self.references.append(since)
            self.scores.append(score)
            self.devices.append(row.get("device", ""))
            self.lines.append(line)

    def result(self, problems: list[Problem], cameras: bool, name: str) -> Records:
        """All of it. Raises InputError where dates and plain numbers of days are mixed, or all lie in the future."""
        if self.days.dates and self.days.numbers:
            raise InputError(f"{name} has dates and plain numbers of days.", "Write all days in one way.")
        dated = bool(self.days.dates)
        limit = today() + 1  # it may be tomorrow elsewhere
        ahead = [number for number, date in enumerate(self.dates) if dated and date > limit]
        if ahead:
            problems.append(Problem("future", _FUTURE, tuple(f"line {self.lines[number]}" for number in ahead)))
        if self.days.zoned and self.days.plain:
            problems.append(Problem("mixed_zones", _MIXED, (), self.days.plain))
        gone = set(ahead)
        keep = [number for number in range(len(self.dates)) if number not in gone]
        if not keep:
            raise InputError(f"All dates of {name} lie in the future.", "Check how its dates are written.")
        data = records(
            [self.subjects[number] for number in keep],
            [self.dates[number] for number in keep],
            [self.scores[number] for number in keep],
            [self.references[number] for number in keep] if self.referenced else None,
            [self.devices[number] for number in keep] if cameras else None,
        )
        return replace(data, dated=dated, problems=(*problems, *data.problems))


def _score(text: str) -> float | None:
    """A score; -inf for a capture that failed; None for what is none, or beyond all scores."""
    try:
        score = float(text)
    except ValueError:
        return None
    return score if abs(score) <= LARGEST or score == -math.inf else None
