"""Files of predictions to data to judge: the columns say what is predicted. OpenFace 2 and Py-Feat tables too.

truth, predicted, p_CLASS …    classes          AU01_truth, AU01 …              action units
X_truth, X                     numbers          subject, video, fold, group …   whose, where, which
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.audit.affect.data import AffectData, Classes, Dimension, Names, Unit
from mien.audit.affect.foreign import beside, translated
from mien.audit.affect.intervals_file import read_intervals
from mien.audit.data.found import Found
from mien.audit.data.sheet import number, read
from mien.audit.metrics.affect import NO_ANSWER
from mien.audit.metrics.recognition import F64, I64
from mien.errors import EvidenceError, InputError

__all__ = ["read_intervals", "read_predictions"]

ALIASES = {"person": "subject", "subject_id": "subject", "prediction": "predicted", "input": "video", "series": "video"}
UNIT = re.compile(r"au\d+")
LARGEST = 1e9  # beyond it a number is a mistake, as NaN is
SUM = 0.01  # by which rounded probabilities may miss 1
WANTED = "Wanted are truth and predicted, or AU01_truth and AU01, or valence_truth and valence."


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as text, with what is wrong with them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, Mapping[str, str]], ...]
    found: Found

    def column(self, name: str) -> list[str]:
        """The cells of a column."""
        return [row[name] for _, row in self.rows]


def read_predictions(
    path: Path, truth: Path | None = None, classes: Sequence[str] = (), development: Path | None = None
) -> AffectData:
    """A CSV of predictions beside their truth; truth: a second file with the truth, joined by frame, video or subject;
    classes: the classes to judge, other labels are listed and left out; development: a file of other people.

    Raises MediaNotFound, InputError for files without the columns, EvidenceError for a development split without
    people."""
    data = _data(_table(path, truth), path.name, classes)
    if development is None:
        return data
    names = data.classes.names if data.classes is not None else classes
    other = _data(_table(development, None), development.name, names)
    if data.unit != "people" or other.unit != "people":
        raise EvidenceError(
            "The people of the data or of the development split are not named, so they may be the same.",
            "Give both files a column subject.",
        )
    return replace(data, development=other)


def _table(path: Path, truth: Path | None) -> Table:
    sheet = translated(read(path, (), ALIASES, apart=True))
    if truth is not None:
        sheet = beside(sheet, read(truth, (), ALIASES, apart=True))
    return Table(sheet.columns, sheet.rows, sheet.found)


def _data(table: Table, source: str, classes: Sequence[str]) -> AffectData:
    units = [name for name in table.columns if UNIT.fullmatch(name) and f"{name}_truth" in table.columns]
    numbers = [
        name for name in table.columns if f"{name}_truth" in table.columns and name not in units and name != "truth"
    ]
    chances = [name for name in table.columns if name.startswith("p_")]
    classed = "truth" in table.columns and ("predicted" in table.columns or bool(chances))
    if not (units or numbers or classed):
        shown = ", ".join(table.columns)[:200]
        hint = "" if any("truth" in name for name in table.columns) else " A file of predictions alone wants --truth."
        raise InputError(f"{source} has no truth beside a prediction; its columns are {shown}.", WANTED + hint)
    _lonely(table)
    subjects, series, unit = _people(table)
    found = {name.upper(): _unit(table, name) for name in sorted(units)}
    dimensions = {name: Dimension(_truths(table, name), _values(table, name)) for name in numbers}
    judged = _classes(table, classes, chances) if classed else None
    return AffectData(
        subjects=subjects,
        cases=tuple(where for where, _ in table.rows),
        unit=unit,
        series=series,
        folds=np.array(table.column("fold"), np.str_) if "fold" in table.columns else None,
        groups={
            name: np.array(table.column(name), np.str_)
            for name in table.columns
            if name == "group" or name.startswith("group_")
        },
        classes=judged,
        units=found,
        dimensions=dimensions,
        problems=table.found.problems(),
        source=source,
    )


def _lonely(table: Table) -> None:
    """Columns of one side alone."""
    coded = any(UNIT.fullmatch(name.removesuffix("_truth")) for name in table.columns if name.endswith("_truth"))
    for name in table.columns:
        if coded and UNIT.fullmatch(name) and f"{name}_truth" not in table.columns:
            table.found.add("no_column_of_truth", "Is predicted and has no column of truth: not judged.", _shown(name))
        base = name.removesuffix("_truth")
        if base != name and base not in table.columns:
            words = "Has a column of truth and none of predictions: not judged."
            table.found.add("no_column_of_predictions", words, _shown(base))


def _people(table: Table) -> tuple[Names, Names | None, str]:
    """Whose each row is (n,), its video (n,), and what that makes intervals draw."""
    series = np.array(table.column("video"), np.str_) if "video" in table.columns else None
    if "subject" in table.columns:
        names = []
        for where, row in table.rows:
            if not row["subject"]:
                table.found.add("no_subject", "Names no subject: taken as a person of its own.", where)
            names.append(row["subject"] or f"({where})")
        return np.array(names, np.str_), series, "people"
    if series is not None:
        return series, series, "videos"
    return np.array([where for where, _ in table.rows], np.str_), None, "rows"


# --- numbers ------------------------------------------------------------------------------------------------------


def _unit(table: Table, name: str) -> Unit:
    called = f"{name}_called"
    return Unit(
        _truths(table, name),
        _values(table, name),
        _values(table, called, quiet=True) if called in table.columns else None,
    )


def _truths(table: Table, name: str) -> F64:
    words = f"Has no finite number as the truth of {_shown(name)}: it cannot be judged there and was left out."
    return _numbers(table, f"{name}_truth", "no_truth", words)


def _values(table: Table, name: str, quiet: bool = False) -> F64:
    words = (
        f"Has no finite number as {_shown(name)}: no answer, which counts as an absent unit in F1 and AUC, and cannot "
        "be compared on a scale."
    )
    return _numbers(table, name, "" if quiet else "no_answer", words)


def _shown(name: str) -> str:
    return name.upper() if UNIT.fullmatch(name) else name


def _numbers(table: Table, column: str, kind: str, words: str) -> F64:
    values = np.full(len(table.rows), np.nan)
    for index, (where, row) in enumerate(table.rows):
        value = number(row[column])
        if value is not None and abs(value) <= LARGEST:
            values[index] = value
        elif kind:
            table.found.add(kind, words, where)
    return values


# --- classes ------------------------------------------------------------------------------------------------------


def _classes(table: Table, wanted: Sequence[str], chances: Sequence[str]) -> Classes:
    names = _names(table, wanted, chances)
    places = {name.casefold(): index for index, name in enumerate(names)}
    truth = np.full(len(table.rows), -1, np.int64)
    for index, (where, row) in enumerate(table.rows):
        truth[index] = places.get(row["truth"].casefold(), -1)
        if not row["truth"]:
            table.found.add("no_truth", "Has no true class: it cannot be judged and was left out.", where)
        elif truth[index] < 0:
            words = f"Has a true class that is not among those to judge ({', '.join(names)}): left out."
            table.found.add("unknown_label", words, f"{where}: {row['truth']}")
        elif chances and f"p_{row['truth'].casefold()}" not in chances:
            words = "Has a true class without a column of probabilities: it can hardly be right, and counts."
            table.found.add("label_without_probability", words, f"{where}: {row['truth']}")
    raw, usable = _chances(table, names, chances)
    predicted = _predicted(table, places, raw)
    return Classes(tuple(names), truth, predicted, usable)


def _names(table: Table, wanted: Sequence[str], chances: Sequence[str]) -> list[str]:
    """The classes: those wanted, else all that occur, spelled as in the truth; labels that differ in case are one."""
    if wanted:
        if len({name.casefold() for name in wanted}) < len(wanted):
            raise InputError(f"A class is named twice: {', '.join(wanted)}.", "Name each once.")
        return list(wanted)
    spelled: dict[str, str] = {}
    for column in ("truth", "predicted"):
        for label in sorted(set(table.column(column))) if column in table.columns else ():
            spelled.setdefault(label.casefold(), label)
    spelled.pop("", None)
    for name in chances:
        spelled.setdefault(name[2:], name[2:])
    first = [spelled[name[2:]] for name in chances]
    return first + [spelled[key] for key in sorted(spelled) if f"p_{key}" not in chances]


def _chances(table: Table, names: Sequence[str], chances: Sequence[str]) -> tuple[F64 | None, F64 | None]:
    """(n, k) what the columns say, and the same where they are probabilities (rows of NaN elsewhere)."""
    if not chances:
        return None, None
    raw = np.zeros((len(table.rows), len(names)))
    for place, name in enumerate(names):
        column = f"p_{name.casefold()}"
        if column in chances:
            raw[:, place] = _numbers(table, column, "", "")
    usable = raw.copy()
    for index, (where, _) in enumerate(table.rows):
        total = raw[index].sum()
        if np.isnan(total):
            words = "Has no finite probability for a class: left out of calibration."
            table.found.add("probability_is_no_number", words, where)
        elif raw[index].min() < 0 or abs(total - 1) > SUM:
            words = f"Has probabilities that do not sum to 1 (within {SUM:g}): left out of calibration."
            table.found.add("probabilities_do_not_sum_to_1", words, f"{where}: {total:.3f}")
        else:
            usable[index] = raw[index] / total
            continue
        usable[index] = np.nan
    return raw, usable


def _predicted(table: Table, places: Mapping[str, int], raw: F64 | None) -> I64:
    """(n,) the label predicted, or where there is no such column the class with the highest number."""
    predicted = np.full(len(table.rows), NO_ANSWER, np.int64)
    for index, (where, row) in enumerate(table.rows):
        label = row.get("predicted", "")
        highest = int(np.argmax(raw[index])) if raw is not None and not np.isnan(raw[index]).any() else NO_ANSWER
        predicted[index] = places.get(label.casefold(), NO_ANSWER) if label else NO_ANSWER
        if not label and "predicted" not in table.columns:
            predicted[index] = highest
        if not label and predicted[index] == NO_ANSWER:
            table.found.add("no_answer", "Has no predicted class: counts as a miss of its true class.", where)
        elif label and predicted[index] == NO_ANSWER:
            words = "Is predicted as something that is none of the classes to judge: counts as a miss."
            table.found.add("unknown_answer", words, f"{where}: {label}")
        elif label and highest != NO_ANSWER and raw is not None and raw[index, predicted[index]] < raw[index, highest]:
            words = (
                "Is not predicted as its most probable class: recalls and F1 follow the label, calibration the odds."
            )
            table.found.add("label_is_not_the_most_probable", words, where)
    return predicted
