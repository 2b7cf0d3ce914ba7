"""KDEF: 70 people who posed seven expressions twice, photographed from five sides.

    AF01/AF01AFS.JPG …      session A or B; F or M and a number: the person; AF AN DI HA NE SA SU: the expression;
                            FL HL S HR FR: full left, half left, straight, half right, full right

Lundqvist, Flykt, Öhman, The Karolinska Directed Emotional Faces, Karolinska Institutet 1998. The people of sessions A and
B are the same. There are no official splits: folds are cut by subject. A few names in the set are known to be broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media
from mien.learn.data.reading import Reading
from mien.learn.data.trees import Tree

LAYOUT = "kdef"
LABELS = ("fear", "anger", "disgust", "happiness", "neutral", "sadness", "surprise")
EXPECTED = "AF01/AF01AFS.JPG … (session, sex, person, expression, side), in folders or in one"
_CODES = dict(zip(("AF", "AN", "DI", "HA", "NE", "SA", "SU"), LABELS, strict=True))
_VIEWS = {"FL": "full left", "HL": "half left", "S": "straight", "HR": "half right", "FR": "full right"}
_SEX = {"F": "female", "M": "male"}
_NAME = re.compile(r"([AB])([FM])(\d{2})(AF|AN|DI|HA|NE|SA|SU)(FL|HL|S|HR|FR)\.(jpg|jpeg|png)", re.IGNORECASE)
_LIKE = r"[AB][FM]\d{2}.*\.(jpg|jpeg|png)"
_ODD = "has a name that does not say expression and side, and was left out"
_TWICE = "is there twice; the first was kept"


def fits(root: Path) -> bool:
    """Whether there is a picture with a name of KDEF."""
    return bool(Tree(root).search(_NAME.pattern, deepest=2))


def read(root: Path) -> Dataset:
    """The pictures. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    names = at.tree.search(_LIKE, deepest=3)
    if not any(_NAME.fullmatch(name.rpartition("/")[2]) for name in names):
        at.refuse()
    return at.done(_examples(at, names), LABELS)


def _examples(at: Reading, names: list[str]) -> Iterator[Example]:
    met: set[str] = set()
    for name in names:
        own = name.rpartition("/")[2]
        match = _NAME.fullmatch(own)
        if match is None:
            at.found.add("odd_name", _ODD, name)
            continue
        key = own.rpartition(".")[0].upper()
        if key in met:
            at.found.add("twice", _TWICE, name)
            continue
        met.add(key)
        session, sex, number, code, view = (match[place].upper() for place in range(1, 6))
        yield Example(
            key,
            Media(at.tree.path(name)),
            label=_CODES[code],
            subject=f"{sex}{number}",
            group={"session": session, "sex": _SEX[sex], "view": _VIEWS[view]},
        )
