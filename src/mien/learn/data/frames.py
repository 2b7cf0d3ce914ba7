"""Folders of frames: what annotations call frame 46 is the file img46.jpg, which need not be the 46th in the folder.

A frame's number is the last run of digits in its name. The timeline of an example counts from 0, its first frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mien.learn.data.example import Span
from mien.learn.data.trees import PICTURES, Tree

_NUMBER = re.compile(r"(\d{1,25})(?!.*\d)")


@dataclass(frozen=True, slots=True)
class Frames:
    """The numbers of the frames in a folder, in the order in which `pixels` reads them; -1 for a picture without one."""

    numbers: tuple[int, ...]
    _places: dict[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places = {number: place for place, number in reversed(list(enumerate(self.numbers)))}
        places.pop(-1, None)
        object.__setattr__(self, "_places", places)

    def __len__(self) -> int:
        return len(self.numbers)

    def place(self, number: int) -> int | None:
        """Where in the folder the frame of a number is, from 0; None where it is not there."""
        return self._places.get(number)


def frames(tree: Tree, folder: str) -> Frames:
    """The pictures in a folder, in natural order."""
    found = (_NUMBER.search(name.rsplit(".", 1)[0]) for name in tree.files(folder, PICTURES))
    return Frames(tuple(int(match[1]) if match else -1 for match in found))


def whole(text: str) -> int | None:
    """A frame's number in a cell; None where there is none ("/", "", "46.5")."""
    try:
        value = float(text)
    except ValueError:
        return None
    return int(value) if value.is_integer() and 0 <= value < 1e18 else None


def interval(cells: tuple[str, str, str], kept: Frames | None) -> Span | str:
    """Onset, apex and offset of a row as a span on the timeline, or why there is none.

    kept: the frames of the folder; None: numbers are places already. An apex that is not stated is None. An offset of 0
    or none is stated as the apex: the coders of CASME left it so where the face did not come back to rest."""
    onset, apex, offset = map(whole, cells)
    if onset is None:
        return "has no onset"
    apex = apex or None
    offset = offset or apex
    if offset is None:
        return "has neither apex nor offset"
    if not onset <= offset:
        return "ends before it begins"
    apex = apex if apex is not None and onset <= apex <= offset else None
    if kept is None:
        return Span(onset, apex, offset)
    places = [None if one is None else kept.place(one) for one in (onset, apex, offset)]
    if places[0] is None or places[2] is None:
        return "names frames that are not in the folder"
    return Span(places[0], places[1], places[2])


def holders(tree: Tree, pattern: str, preferred: Sequence[str] = (), deepest: int = 4) -> list[str]:
    """The folders that hold folders named by `pattern` (raw, cropped and other copies), best first; "" is the root.

    preferred: words in their names, best first. What matches is not looked into: it may hold a million frames."""
    wanted = re.compile(pattern, re.IGNORECASE)
    found, level = [], [""]
    for _ in range(deepest + 1):
        deeper = []
        for held in level:
            names = tree.folders(held)
            if any(wanted.fullmatch(name) for name in names):
                found.append(held)
            deeper += [
                joined(held, name)
                for name in names
                if not wanted.fullmatch(name) and not tree.path(joined(held, name)).is_symlink()
            ]
        level = deeper
    words = [word.lower() for word in preferred]
    return sorted(found, key=lambda name: next((n for n, word in enumerate(words) if word in name.lower()), len(words)))


def joined(*parts: str) -> str:
    """Names as one, empty ones left out: the root has the name ""."""
    return "/".join(part for part in parts if part)
