"""Lists that come with data sets as plain text, and folds that are official."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mien.learn.data.example import Split
from mien.learn.data.protocols import PREFIX
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import text_of


def lines_of(at: Reading, name: str) -> list[tuple[str, str]]:
    """The lines of a text file that are not empty, each with where it stands ("line 3" of the file).

    Raises MediaNotFound, UnreadableMedia."""
    text, odd = text_of(at.tree.path(name))
    if odd:
        at.odd(name)
    return [(f"line {number}", line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def parts(subject: str, folds: Sequence[str]) -> Mapping[str, str]:
    """The group of a subject where each fold tests on the subjects of one line: its fold, and the split in each protocol.

    {} for a subject of no list."""
    own = next((number for number, names in enumerate(folds, 1) if subject in names.split()), None)
    if own is None:
        return {}
    sides = {f"{PREFIX}fold {number}": "test" if number == own else "train" for number in range(1, len(folds) + 1)}
    return {"fold": str(own), **sides}


def first_split(group: Mapping[str, str]) -> Split:
    """The split in the first fold; "" where a subject is in no fold."""
    side = group.get(f"{PREFIX}fold 1", "")
    return "train" if side == "train" else "test" if side == "test" else ""
