"""FER+: the pictures of FER2013 with the votes of ten people each, in eight classes, unknown and no face.

    fer2013new.csv                                  Usage, Image name, neutral … contempt, unknown, NF: votes, a row per
                                                    row of fer2013.csv
    fer2013.csv                                     beside it, or
    FER2013Train/fer0000000.png …                   the pictures written out; FER2013Valid, FER2013Test beside

Barsoum et al., Training deep networks for facial expression recognition with crowd-sourced label distribution, ICMI 2016.
The rules are those of its code (microsoft/FERPlus): single votes are taken for slips and removed; then

    majority        the class with more than half of the votes
    probability     the foremost classes, at most three, until they have three quarters of the votes
    multi_target    all classes with at least 30 % of the votes, as equals

Pictures that a rule cannot decide, and those of unknown or no face, are left out and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mien.audit.metrics import F64
from mien.errors import UsageError
from mien.learn.data.example import Dataset, Example, Media
from mien.learn.data.layouts.fer2013 import USAGES
from mien.learn.data.layouts.fer2013 import table as pictures_of
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import table
from mien.learn.data.soft import shares
from mien.learn.data.trees import Tree

LAYOUT = "ferplus"
LABELS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
EXPECTED = "fer2013new.csv, with fer2013.csv or FER2013Train/fer0000000.png … beside it"
_COLUMNS: dict[str, Sequence[str]] = dict.fromkeys(("usage", *LABELS, "unknown", "nf"), ()) | {
    "picture": ("Image name",)
}
_FOLDERS = {"train": "FER2013Train", "dev": "FER2013Valid", "test": "FER2013Test"}
_UNNAMED = "has no picture: the raters' list leaves it out as empty or broken"
_UNDECIDED = "has no label by this rule and was left out"
_BAD = "has no official usage or no counts of votes and was left out"
_ABSENT = "has votes but its picture is not there; it was left out"


def fits(root: Path) -> bool:
    """Whether there is a table of votes."""
    return bool(Tree(root).search(r"fer2013new\.csv", deepest=1))


def read(root: Path, rule: str = "majority") -> Dataset:
    """The pictures with a label by the rule and `soft` shares.

    Raises MediaNotFound, UnreadableMedia, InputError, UsageError."""
    if rule not in RULES:
        raise UsageError(f"FER+ has no rule {rule}.", f"Rules are {', '.join(RULES)}.")
    at = Reading(root, LAYOUT, EXPECTED)
    tables = at.tree.search(r"fer2013new\.csv", deepest=1)
    pictures = _pictures(at) if tables else {}
    if not tables or not pictures:
        at.refuse()
    votes = table(at.tree.path(tables[0]), _COLUMNS, ("usage", "picture", *LABELS, "unknown", "nf"))
    examples = tuple(_examples(at, votes.rows, pictures, RULES[rule]))
    return at.done(examples, LABELS)


def _pictures(at: Reading) -> dict[str, Media]:
    """{"train/fer0000000": where it lies}, from the folders or else from the table of FER2013."""
    found = {
        f"{split}/{name.partition('.')[0]}": Media(at.tree.path(f"{place}/{name}"))
        for split, folder in _FOLDERS.items()
        for place in at.tree.walk("", 2)
        if place.rpartition("/")[2].lower() == folder.lower()
        for name in at.tree.files(place, (".png", ".jpg"))
    }
    tables = at.tree.search(r"(fer2013|icml_face_data)\.csv", deepest=1)
    if found or not tables:
        return found
    return {one.name: one.media for one in pictures_of(at.tree.path(tables[0])).examples}


def _examples(
    at: Reading, rows: Sequence[tuple[str, Mapping[str, str]]], pictures: Mapping[str, Media], rule: Rule
) -> Iterator[Example]:
    for where, row in rows:
        split = USAGES.get(row["usage"].lower())
        counts = [row[name] for name in (*LABELS, "unknown", "nf")]
        if split is None or not all(count.isdecimal() and len(count) < 9 for count in counts):
            at.found.add("bad_row", _BAD, where)
            continue
        if not row["picture"]:
            at.found.add("no_picture", _UNNAMED, where)
            continue
        name = f"{split}/{row['picture'].partition('.')[0]}"
        target = rule(np.array([float(count) for count in counts]))
        if target is None:
            at.found.add("undecided", _UNDECIDED, name)
        elif name not in pictures:
            at.found.add("absent_file", _ABSENT, name)
        else:
            soft = shares(dict(zip(LABELS, target.tolist(), strict=True)))
            yield Example(name, pictures[name], split, max(soft, key=lambda label: soft[label]), soft)


# -- the rules: (10,) votes to (8,) weights of the classes, or None ------------------------------------------------------

Rule = Callable[[F64], "F64 | None"]


def _majority(votes: F64) -> F64 | None:
    kept = np.where(votes > 1, votes, 0)
    first = int(kept.argmax())
    if kept[first] <= 0.5 * kept.sum() or first >= len(LABELS):
        return None
    return kept[: len(LABELS)]


def _probability(votes: F64) -> F64 | None:
    kept = np.where(votes > 1, votes, 0.0)
    left, taken, count, whole = kept.copy(), np.zeros_like(kept), 0, kept.sum()
    while taken.sum() < 0.75 * whole and count < 3:
        most = left.max()
        foremost = np.flatnonzero(left == most)
        emotions = foremost[foremost < len(LABELS)]
        taken[emotions] = most
        left[emotions] = 0
        count += len(emotions)
        if len(emotions) < len(foremost):  # unknown or no face is as frequent: nothing beyond it counts
            if not taken.any():
                return None
            break
    if taken.sum() <= 0.5 * whole or count > 3:
        return None
    return taken[: len(LABELS)]


def _multi_target(votes: F64) -> F64 | None:
    kept = np.where(votes > 1, votes, 0.0)
    chosen = np.where(kept >= 0.3 * kept.sum(), kept, 0.0)
    if not kept.any() or chosen.sum() <= 0.5 * kept.sum() or int(chosen.argmax()) >= len(LABELS):
        return None
    return (chosen[: len(LABELS)] > 0).astype(np.float64)


RULES: Mapping[str, Rule] = {"majority": _majority, "probability": _probability, "multi_target": _multi_target}
