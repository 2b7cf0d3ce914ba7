"""Labeled Faces in the Wild, or any photos in its layout: a folder per person. Nothing is labelled but who it is.

    lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg …

Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, University of Massachusetts 2007. The official pairs are for
verification; for learning, folds are cut by person. Recipes that simulate what they learn (attacks on photos) read this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media
from mien.learn.data.reading import Reading
from mien.learn.data.trees import Tree

LAYOUT = "lfw"
EXPECTED = "NAME/NAME_0001.jpg …, a folder per person"
_NAME = re.compile(r"(.+)_(\d{4})\.(jpg|jpeg|png)", re.IGNORECASE)
_ODD = "is not named as its folder and a number of four digits, and was left out"


def fits(root: Path) -> bool:
    """Whether there is a folder with photos of its name."""
    return any(_own(name) for name in Tree(root).search(_NAME.pattern, deepest=2))


def read(root: Path) -> Dataset:
    """The photos. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    names = at.tree.search(r".+\.(jpg|jpeg|png)", deepest=2)
    if not any(_own(name) for name in names):
        at.refuse()
    return at.done(_examples(at, names), ())


def _own(name: str) -> str | None:
    """Whose photo it is: the folder's name, where the file is called after it."""
    folder, _, file = name.rpartition("/")
    person = folder.rpartition("/")[2]
    match = _NAME.fullmatch(file)
    return person if match and match[1].casefold() == person.casefold() else None


def _examples(at: Reading, names: list[str]) -> Iterator[Example]:
    for name in names:
        person = _own(name)
        if person is None:
            at.found.add("odd_name", _ODD, name)
            continue
        yield Example(name.rpartition("/")[2], Media(at.tree.path(name)), subject=person)
