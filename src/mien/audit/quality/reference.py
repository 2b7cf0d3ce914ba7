"""Native values from the standard's reference software (OFIQ), which take the place of ours."""

from __future__ import annotations

import csv
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.audit.data.found import Found
from mien.audit.data.names import Names
from mien.audit.quality.looking import NAMES, Looked
from mien.errors import InputError
from mien.judge.iso_quality import COMPONENTS, FAILED
from mien.report import Problem


def with_reference(looked: Looked, path: str | os.PathLike[str]) -> tuple[Looked, tuple[Problem, ...]]:
    """The same pictures with the native values of an OFIQ results file (CSV with semicolons, a row per picture).

    A component that OFIQ could not assess has no value, nor has any of a picture that the file does not name: two ways
    of measuring are not mixed. Raises InputError for a file that is none."""
    rows = _rows(path)
    index, found, natives = Names(list(looked.captures.names)), Found(), np.full_like(looked.natives, np.nan)
    seen = set()
    for row in rows:
        written = row["Filename"]
        number = index.find(written)
        if number is None:  # OFIQ ran from another folder: the file's own name may do
            number = index.find(written.replace("\\", "/").rpartition("/")[2])
        if number is None:
            found.add("absent_file", "A picture of the reference software's results that is not in the data.", written)
            continue
        seen.add(number)
        natives[number] = [_native(row, COMPONENTS[name].standard) for name in NAMES]
    for number in sorted(set(range(len(natives))) - seen):
        words = "A picture that the reference software's results lack; it has no components here."
        found.add("not_in_reference", words, looked.captures.names[number])
    if not seen:
        raise InputError(f"{os.fspath(path)} names none of the pictures.", "Give OFIQ's results for this data.")
    return replace(looked, natives=natives, given=frozenset(NAMES)), found.problems()


def _rows(path: str | os.PathLike[str]) -> list[dict[str, str]]:
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=";")
            columns = set(reader.fieldnames or ())
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{os.fspath(path)} cannot be read: {error}.", "Give OFIQ's results as CSV.") from error
    wanted = {"Filename"} | {COMPONENTS[name].standard for name in NAMES}
    if wanted - columns:
        raise InputError(
            f"{os.fspath(path)} holds no results of OFIQ: {', '.join(sorted(wanted - columns)[:3])} … are missing.",
            "Give the CSV that OFIQSampleApp writes with -o.",
        )
    return rows


def _native(row: dict[str, str], standard: str) -> float:
    """NaN where it could not be assessed."""
    try:
        value, mark = float(row[standard]), float(row.get(f"{standard}.scalar") or 0)
    except (TypeError, ValueError):
        return math.nan
    return math.nan if mark == FAILED or not np.isfinite(value) else value
