"""Labels of groups: what each picture, or the person in it, is said to belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mien.audit.data.found import Found
from mien.audit.data.names import PATH, SUBJECT, Names
from mien.audit.data.tables import cell, table
from mien.errors import InputError
from mien.report import Problem


@dataclass(frozen=True, slots=True)
class Groups:
    """Labels of n captures, column by column."""

    columns: Mapping[str, tuple[str, ...]]  # title -> (n,) label of each capture; "" where there is none
    problems: tuple[Problem, ...] = ()


def read_labels(path: str | os.PathLike[str], names: Sequence[str], subjects: Sequence[str]) -> Groups:
    """Labels from a CSV: a column `path` or `subject`, and any number of columns of groups.

    names, subjects: (n,) of the captures. A row of a subject goes for all its captures; a row of a path goes before it.
    Unknown pictures and people, missing and contradicting labels, and groups nobody of the data is in are problems.
    Raises MediaNotFound, InputError without a column to know the captures by, or without groups."""
    from mien.media.door import shown

    found = Found()
    with table(path, {"path": PATH, "subject": SUBJECT}) as (columns, titles, rows):
        if not columns:
            raise InputError(
                f"{shown(path)} has neither a column path nor a column subject; its first line has {', '.join(titles)[:200]}.",
                "Name one of its columns so.",
            )
        wanted = [(title, at) for at, title in enumerate(titles) if at not in columns.values() and title]
        if not wanted:
            raise InputError(f"{shown(path)} has no column of groups.", "Add one, such as sex, age_group or country.")
        listed = _Listed(Names(names), names, subjects, found)
        for line, cells in rows:
            given = {title: cell(cells, at) for title, at in wanted}
            listed.add(line, cell(cells, columns.get("path")), cell(cells, columns.get("subject")), given)
    return listed.groups([title for title, _ in wanted])


class _Listed:
    """Labels as they are read, by picture and by subject."""

    def __init__(self, index: Names, names: Sequence[str], subjects: Sequence[str], found: Found) -> None:
        self._index, self._names, self._subjects, self._found = index, names, subjects, found
        self._known = set(subjects)
        self._of_picture: dict[int, dict[str, str]] = {}
        self._of_subject: dict[str, dict[str, str]] = {}
        self._labels: dict[str, dict[str, None]] = {}  # column -> labels in the file

    def add(self, line: int, path: str, subject: str, given: Mapping[str, str]) -> None:
        for title, label in given.items():
            if label:
                self._labels.setdefault(title, {})[label] = None
        if path:
            number = self._index.find(path)
            if number is None:
                self._found.add(
                    "unknown_picture", "A label of a picture that is not in the data; it was left out.", path
                )
            else:
                self._put(self._of_picture.setdefault(number, {}), given, self._names[number])
        elif subject in self._known and subject:
            self._put(self._of_subject.setdefault(subject, {}), given, subject)
        elif subject:
            self._found.add("unknown_subject", "A label of somebody who is not in the data; it was left out.", subject)
        else:
            self._found.add("bad_row", "A line that names no picture and nobody; it was left out.", f"line {line}")

    def _put(self, held: dict[str, str], given: Mapping[str, str], whose: str) -> None:
        for title, label in given.items():
            if label and held.setdefault(title, label) != label:
                words = "Two different labels for one; the first counts."
                self._found.add("contradiction", words, f"{whose}, {title}: {held[title]}, {label}")

    def groups(self, titles: Sequence[str]) -> Groups:
        columns = {}
        for title in titles:
            labels = tuple(
                self._of_picture.get(number, {}).get(title) or self._of_subject.get(subject, {}).get(title, "")
                for number, subject in enumerate(self._subjects)
            )
            for name, label in zip(self._names, labels, strict=True):
                if not label:
                    self._found.add(
                        "no_label", "A picture without this label; it is in no group of it.", f"{title}: {name}"
                    )
            for label in self._labels.get(title, {}):
                if label not in labels:
                    self._found.add("empty_group", "A group that nobody in the data is in.", f"{title}: {label}")
            columns[title] = labels
        return Groups(columns, self._found.problems())
