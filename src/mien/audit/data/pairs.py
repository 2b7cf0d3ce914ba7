"""Lists of pairs: which pictures are compared, and whether they are said to be of one person."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.audit.data.bins import read_bin
from mien.audit.data.found import Found
from mien.audit.data.names import Names
from mien.audit.data.picture import Labelled
from mien.audit.data.tables import cell, opened, table
from mien.audit.metrics import I64, Bools
from mien.errors import InputError
from mien.report import Problem

YES = {"1", "yes", "y", "true", "t", "same", "genuine", "mated", "match", "matched", "client", "positive", "+1"}
NO = {"0", "no", "n", "false", "f", "different", "impostor", "nonmated", "nonmatch", "mismatched", "negative", "-1"}
_ABSENT = (
    "A pair that names a picture that is not there, or that several pictures could be; it was left out of the protocol."
)
_BAD = "A line that is no pair; it was left out."


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """n pairs of pictures."""

    first: I64  # (n,) number of one picture …
    second: I64  # (n,) … and of the other
    same: Bools  # (n,) said to be of one person
    fold: I64  # (n,) 0 … k-1 where the list has k folds, otherwise 0
    owner: I64  # (p,) number of the person of each picture: people to draw in a bootstrap
    problems: tuple[Problem, ...] = ()

    @property
    def folds(self) -> int:
        """How many folds the list has."""
        return int(self.fold.max()) + 1 if len(self.fold) else 0

    def __len__(self) -> int:
        return len(self.first)


def read_pairs(path: str | os.PathLike[str], pictures: Sequence[Labelled]) -> PairList:
    """Pairs of `pictures` from a file.

    `pairs.txt` of LFW (with its folds, or without as in pairsDevTest.txt); CSV with the columns file_x, file_y and label
    (yes or no), with a column fold if there are folds; the `.bin` that the pictures come from.
    Pairs that name absent pictures are problems. Raises MediaNotFound, InputError when nothing is left."""
    from mien.media.door import shown

    found = Found()
    if Path(path).suffix.lower() == ".bin":
        rows = _of_bin(path, pictures)
    elif _is_lfw(path):
        rows = _of_lfw(path, pictures, found)
    else:
        rows = _of_csv(path, pictures, found)
    if not rows:
        raise InputError(f"{shown(path)} has no pair of these pictures.", "Give the pairs of this data set.")
    first, second, same, fold = np.array(rows, np.int64).T
    chosen = PairList(first, second, same.astype(bool), _numbered(fold), np.empty(0, np.int64))
    owner = people(chosen, pictures, found)
    return PairList(first, second, chosen.same, chosen.fold, owner, found.problems())


Rows = list[tuple[int, int, bool, int]]


def _of_bin(path: str | os.PathLike[str], pictures: Sequence[Labelled]) -> Rows:
    listed, same = read_bin(path)
    if [one.name for one in listed] != [one.name for one in pictures]:
        raise InputError(f"The pictures are not those of {path}.", "Give the same .bin as data and as pairs.")
    return [(2 * index, 2 * index + 1, bool(one), 0) for index, one in enumerate(same)]


def _is_lfw(path: str | os.PathLike[str]) -> bool:
    """By its first line: one or two numbers."""
    with opened(path) as lines:
        first = next((line for line in lines if line.strip()), "").split()
    return 1 <= len(first) <= 2 and all(word.isdecimal() for word in first)


def _of_lfw(path: str | os.PathLike[str], pictures: Sequence[Labelled], found: Found) -> Rows:
    """Tab-separated: a header "folds pairs" (or "pairs"), then per fold that many genuine and as many impostor pairs."""
    by_number = _numbers(pictures)
    rows: Rows = []
    with opened(path) as lines:
        header = [int(word) for word in next(line for line in lines if line.strip()).split()]
        each = header[-1]
        place = 0  # counts the pairs that are absent too, so that folds stay what they were
        for line_number, line in enumerate(lines, 2):
            words = [word.strip() for word in (line.split("\t") if "\t" in line else line.split())]
            if not any(words):
                continue
            fold = place // (2 * each) if len(header) == 2 and each else 0
            place += 1
            if len(words) == 3:
                pair = (words[0], words[1]), (words[0], words[2])
            elif len(words) == 4:
                pair = (words[0], words[1]), (words[2], words[3])
            else:
                found.add("bad_row", _BAD, f"line {line_number}: {line.strip()[:80]}")
                continue
            one, other = (by_number.get((name, _whole(number))) for name, number in pair)
            if one is None or other is None:
                found.add("absent_file", _ABSENT, " ".join(words))
            else:
                rows.append((one, other, len(words) == 3, fold))
    return rows


def _whole(number: str) -> int:
    return int(number) if number.isdecimal() else -1


def _numbers(pictures: Sequence[Labelled]) -> dict[tuple[str, int], int | None]:
    """(subject, number in the file's name) -> picture: NAME_0001.jpg, or 0001.jpg in the folder NAME."""
    numbers: dict[tuple[str, int], int | None] = {}
    for index, one in enumerate(pictures):
        stem = one.name.rpartition("/")[2].rpartition(".")[0]
        match = re.fullmatch(r"(?:(.*?)_)?(\d{1,9})", stem)
        if match:
            key = (match[1] or one.subject, int(match[2]))
            numbers[key] = None if key in numbers else index
    return numbers


def _of_csv(path: str | os.PathLike[str], pictures: Sequence[Labelled], found: Found) -> Rows:
    names = Names([one.name for one in pictures])
    rows: Rows = []
    with table(path, COLUMNS, ("first", "second", "label")) as (columns, _, lines):
        for line, cells in lines:
            one, other = cell(cells, columns["first"]), cell(cells, columns["second"])
            label = truth(cell(cells, columns["label"]))
            fold = cell(cells, columns.get("fold")) or "0"
            if label is None or not fold.lstrip("-").isdecimal():
                found.add("bad_row", _BAD, f"line {line}: {', '.join(cells)[:80]}")
                continue
            numbers = names.find(one), names.find(other)
            if None in numbers:
                found.add("absent_file", _ABSENT, f"{one} {other}")
            else:
                rows.append((numbers[0] or 0, numbers[1] or 0, label, int(fold)))
    return rows


COLUMNS = {
    "first": ("file_x", "file1", "file_a", "path1", "image1", "img1", "probe", "a"),
    "second": ("file_y", "file2", "file_b", "path2", "image2", "img2", "reference", "b"),
    "label": ("decision", "same", "is_same", "issame", "genuine", "match", "mated"),
    "fold": (),
}


def truth(word: str) -> bool | None:
    """Yes or no, in the words that lists of pairs use; None for anything else."""
    plain = word.strip().lower().replace("-", "", 1) if word.strip() != "-1" else "-1"
    return True if plain in YES else False if plain in NO else None


def _numbered(fold: NDArray[np.int64]) -> I64:
    return np.unique(fold, return_inverse=True)[1].astype(np.int64)


def people(pairs: PairList, pictures: Sequence[Labelled], found: Found) -> I64:
    """(p,) a person per picture: its subject; without one, pictures that the list says are of one person are joined."""
    parent = list(range(len(pictures)))
    first_of: dict[str, int] = {}

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for index, one in enumerate(pictures):
        if one.subject:
            parent[index] = first_of.setdefault(one.subject, index)
    for one, other in zip(pairs.first[pairs.same], pairs.second[pairs.same], strict=True):
        if not (pictures[one].subject and pictures[other].subject):
            parent[root(int(one))] = root(int(other))
    owner = np.array([root(index) for index in range(len(pictures))], np.int64)
    wrong = np.flatnonzero((owner[pairs.first] == owner[pairs.second]) != pairs.same)
    words = "A pair whose label contradicts the subjects or other pairs; its label counts as it is."
    for number in wrong:
        found.add("contradiction", words, f"{pictures[pairs.first[number]].name} {pictures[pairs.second[number]].name}")
    return np.unique(owner, return_inverse=True)[1].astype(np.int64)
