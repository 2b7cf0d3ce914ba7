"""Boxes that people drew: where the faces of a picture are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mien.audit.data.found import Found
from mien.audit.data.names import PATH, Names
from mien.audit.data.tables import cell, opened, table
from mien.audit.metrics import Bools
from mien.errors import InputError
from mien.report import Problem
from mien.types import F32

_ABSENT = "Boxes of a picture that is not there; they were left out."
_BAD = "A line that is no box of positive size; it was left out."
_UNJUDGED = "A face that the list marks as not to be judged; finding it or not counts neither way."
_NO_TRUTH = "A picture that the list of boxes does not name; it was left out, for nobody says what is in it."
COLUMNS = {
    "path": PATH,
    "x0": ("xmin", "left", "x1", "x"),
    "y0": ("ymin", "top", "y1", "y"),
    "x1": ("xmax", "right", "x2"),
    "y1": ("ymax", "bottom", "y2"),
    "width": ("w",),
    "height": ("h",),
    "judged": (),
}
WIDER_INVALID = (
    7  # place of the mark in a line of WIDER FACE: x y w h blur expression illumination invalid occlusion pose
)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The faces of one picture."""

    boxes: F32  # (t, 4) x0 y0 x1 y1 px; none where the picture is said to show no face
    judged: Bools  # (t,) False: counts neither way


def read_boxes(path: str | os.PathLike[str], names: Sequence[str]) -> tuple[Mapping[int, Truth], tuple[Problem, ...]]:
    """{number of a picture among `names`: its faces}, and what was wrong.

    CSV with the columns path, x0, y0, x1, y1 (or x, y, width, height), and judged (no: counts neither way) if there are such;
    a row without numbers says that the picture shows no face. Or the text of WIDER FACE: a name, a count, lines of x y w h
    and marks. Raises MediaNotFound, InputError when nothing is left."""
    from mien.media.door import shown

    found, index = Found(), Names(names)
    listed: dict[int, list[tuple[list[float], bool]]] = {}
    for name, box, judged in _of_wider(path, found) if _is_wider(path) else _of_csv(path, found):
        number = index.find(name)
        if number is None:
            found.add("absent_file", _ABSENT, name)
            continue
        faces = listed.setdefault(number, [])
        if box is not None:
            faces.append((box, judged))
            if not judged:
                found.add("not_judged", _UNJUDGED, f"{name}: {' '.join(f'{value:g}' for value in box)}")
    if not listed:
        raise InputError(
            f"{shown(path)} has boxes of none of these pictures.", "Give the folder that its paths start from."
        )
    for number, name in enumerate(names):
        if number not in listed:
            found.add("no_boxes", _NO_TRUTH, name)
    truth = {
        number: Truth(
            np.array([box for box, _ in faces], np.float32).reshape(-1, 4), np.array([one for _, one in faces], bool)
        )
        for number, faces in listed.items()
    }
    return truth, found.problems()


Listed = Iterator[tuple[str, list[float] | None, bool]]


def _is_wider(path: str | os.PathLike[str]) -> bool:
    """By its second line: a count."""
    with opened(path) as lines:
        next(lines, "")
        return next(lines, "").strip().isdecimal()


def _of_wider(path: str | os.PathLike[str], found: Found) -> Listed:
    with opened(path) as lines:
        numbered = iter(enumerate((line.strip() for line in lines), 1))
        for number, name in numbered:
            if not name:
                continue
            _, count = next(numbered, (0, ""))
            if not count.isdecimal():
                raise InputError(f"{path} has no count of faces after line {number}.", "Give the list as released.")
            if count == "0":
                yield name, None, True
            for at, line in [next(numbered, (0, "")) for _ in range(max(1, min(int(count), 100_000)))]:
                words = line.split()
                box = _numbers(words[:4])
                if count == "0":
                    continue  # a line of zeros stands there
                if box is None or box[2] <= 0 or box[3] <= 0:
                    found.add("bad_row", _BAD, f"line {at}: {line[:60]}")
                    yield name, None, True
                    continue
                invalid = len(words) > WIDER_INVALID and words[WIDER_INVALID] == "1"
                yield name, [box[0], box[1], box[0] + box[2], box[1] + box[3]], not invalid


def _of_csv(path: str | os.PathLike[str], found: Found) -> Listed:
    from mien.audit.data.pairs import truth

    with table(path, COLUMNS, ("path", "x0", "y0")) as (columns, titles, rows):
        sides = "width" in columns and "height" in columns
        corner = ("x0", "y0", "width", "height") if sides else ("x0", "y0", "x1", "y1")
        if not sides and columns.get("x1", columns["x0"]) == columns["x0"]:  # only x1 y1 x2 y2 have both
            columns |= {name: titles.index(title) for name, title in (("x1", "x2"), ("y1", "y2")) if title in titles}
        if any(name not in columns for name in corner):
            raise InputError(f"{path} has no columns of boxes; wanted are x0, y0, x1, y1.", "Or x, y, width, height.")
        for line, cells in rows:
            name, written = cell(cells, columns["path"]), [cell(cells, columns[name]) for name in corner]
            if not any(written):
                yield name, None, True
                continue
            box = _numbers(written)
            if box is not None and sides:
                box = [box[0], box[1], box[0] + box[2], box[1] + box[3]]
            if box is None or box[2] <= box[0] or box[3] <= box[1]:
                found.add("bad_row", _BAD, f"line {line}: {', '.join(cells)[:80]}")
                yield name, None, True
                continue
            yield name, box, truth(cell(cells, columns.get("judged"))) is not False


def _numbers(words: Sequence[str]) -> list[float] | None:
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        return None
    return numbers if len(numbers) == 4 and all(map(math.isfinite, numbers)) else None
