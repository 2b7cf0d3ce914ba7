"""Dated photos: each person's first is the reference that all later ones are compared with."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mien.audit.captures import Captures
from mien.audit.data import Labelled
from mien.audit.data.found import Found
from mien.audit.data.names import PATH, Names
from mien.audit.data.tables import cell, table
from mien.audit.longitudinal.dates import Days, today
from mien.audit.longitudinal.records import Records, records
from mien.errors import InputError, MienError
from mien.report import Problem

_ORIGINAL, _DIGITISED, _EXIF = 36867, 36868, 0x8769  # EXIF tags: when the picture was taken
_UNKNOWN = "A date of a picture that is not in the data; it was left out."
_UNREAD = "A date that cannot be read; the picture's own (EXIF) counts, if there is one."
_OWN = "A picture whose date comes from its EXIF data: cameras' clocks are often wrong, so look at these."
_NONE = "A picture without a date, neither listed nor in its EXIF data; it was left out."
_FUTURE = "A picture with a date in the future; it was left out."
_LOST = "A person whose reference, the first dated picture, gave no template: the next one is taken."
_ALONE = "A person with one dated picture that can be used: nothing to compare it with."
COLUMNS: Mapping[str, Sequence[str]] = {
    "path": PATH,
    "date": ("day", "time", "timestamp", "datetime", "capture_date"),
    "device": ("camera", "sensor"),
}


@dataclass(frozen=True, slots=True)
class Dates:
    """When pictures were taken."""

    when: Mapping[str, tuple[int, str]]  # name of a picture -> its day and device
    dated: bool = True  # False: days are counted from somewhere
    problems: tuple[Problem, ...] = ()


def read_dates(pictures: Sequence[Labelled], path: str | os.PathLike[str] | None = None, zone: str = "") -> Dates:
    """When each picture was taken: from a CSV with the columns path and date (and device), else from its EXIF data.

    Raises MediaNotFound, InputError where no picture has a date, UsageError for a zone there is not."""
    found, days = Found(), Days(zone)
    listed = _listed(pictures, path, days, found) if path is not None else {}
    answer: dict[str, tuple[int, str]] = {}
    for picture in pictures:
        when = listed.get(picture.name)
        if when is None:
            own = taken(picture)
            day = days.read(own) if own else None
            if day is None:
                found.add("no_date", _NONE, picture.name)
                continue
            found.add("exif_date", _OWN, f"{picture.name}: {own}")
            when = day, ""
        if days.dates and when[0] > today() + 1:
            found.add("future", _FUTURE, picture.name)
            continue
        answer[picture.name] = when
    if days.dates and days.numbers:
        raise InputError("Some pictures have dates and some plain numbers of days.", "Write all days in one way.")
    if not answer:
        raise InputError("No picture has a date.", "Give --dates a CSV with the columns path and date.")
    return Dates(answer, bool(days.dates), found.problems())


def from_captures(captures: Captures, dates: Dates, problems: Sequence[Problem] = ()) -> Records:
    """Genuine scores: each person's later pictures against the first; a failed capture is a failed comparison.

    Raises InputError where nobody has two dated pictures."""
    found, when = Found(), dates.when
    subjects, days, scores, since, devices = [], [], [], [], []
    whose: dict[str, list[int]] = {}
    for number, (name, subject) in enumerate(zip(captures.names, captures.subjects, strict=True)):
        if name in when and subject:
            whose.setdefault(subject, []).append(number)
    failed = captures.failed
    for subject, mine in sorted(whose.items()):
        mine.sort(key=lambda number: (when[captures.names[number]][0], captures.names[number]))
        usable = [number for number in mine if not failed[number]]
        if usable and usable[0] != mine[0]:
            found.add("lost_reference", _LOST, f"{subject}: {captures.names[mine[0]]}")
        if not usable or mine[-1] == usable[0]:
            found.add("one_picture", _ALONE, subject)
            continue
        first = usable[0]
        for number in mine[mine.index(first) + 1 :]:
            alike = float(np.dot(captures.vectors[first].astype(float), captures.vectors[number].astype(float)))
            day, device = when[captures.names[number]]
            subjects.append(subject)
            days.append(day)
            since.append(when[captures.names[first]][0])
            devices.append(device)
            scores.append(-np.inf if failed[number] else alike)
    if not scores:
        raise InputError("Nobody has two dated pictures.", "Ageing shows in several pictures of one person.")
    noted = (*problems, *dates.problems, *found.problems())
    cameras = devices if any(devices) else None
    data = records(subjects, days, scores, since, cameras)
    return replace(data, dated=dates.dated, problems=(*noted, *data.problems))


def _listed(
    pictures: Sequence[Labelled], path: str | os.PathLike[str], days: Days, found: Found
) -> dict[str, tuple[int, str]]:
    """The dates of a list."""
    names = [picture.name for picture in pictures]
    index = Names(names)
    answer: dict[str, tuple[int, str]] = {}
    with table(path, COLUMNS, ("path", "date")) as (columns, _, rows):
        listed = [(line, list(cells)) for line, cells in rows]
    days.look(cell(cells, columns["date"]) for _, cells in listed)
    for _, cells in listed:
        written, date = cell(cells, columns["path"]), cell(cells, columns["date"])
        number = index.find(written)
        day = days.read(date)
        if number is None:
            found.add("absent_file", _UNKNOWN, written)
        elif day is None:
            found.add("unread_date", _UNREAD, f"{written}: {date[:40] or 'empty'}")
        else:
            if answer.setdefault(names[number], (day, cell(cells, columns.get("device"))))[0] != day:
                found.add("two_dates", "A picture with two dates; the first counts.", written)
    return answer


def taken(picture: Labelled) -> str:
    """When the camera says the picture was taken, "" where it does not. Its file's own date says nothing."""
    from PIL import Image, UnidentifiedImageError

    if picture.content is None:
        return ""
    try:
        with Image.open(io.BytesIO(picture.content())) as image:
            tags = image.getexif().get_ifd(_EXIF)
    except (MienError, UnidentifiedImageError, OSError, ValueError, SyntaxError):
        return ""
    written = str(tags.get(_ORIGINAL) or tags.get(_DIGITISED) or "").strip("\0 ")
    return written[:10].replace(":", "-") if written[:4].isdigit() and written[:4] != "0000" else ""
