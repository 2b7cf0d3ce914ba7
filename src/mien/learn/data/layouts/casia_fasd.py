"""CASIA-FASD: 50 people before three cameras, with bent prints, prints with cut eyes and replays as attacks.

    train_release/1/1.avi … 8.avi, HR_1.avi … HR_4.avi       20 people; test_release/ has 30 others

1 and 2 are live, 3 and 4 bent prints, 5 and 6 cut prints, 7 and 8 replays; the odd ones from the low camera, the even ones from
the normal one; HR_1 to HR_4 the same from the high one. The split is official: train and test. There is no dev: cut it from
train by subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.reading import Reading
from mien.learn.data.trees import VIDEOS, Tree

LAYOUT = "casia_fasd"
LABELS = ("live", "attack")
SPECIES = ("", "print", "cut", "replay")
EXPECTED = "train_release/1/1.avi … 8.avi, HR_1.avi … HR_4.avi, and test_release"
_FOLDERS: dict[str, Split] = {"train_release": "train", "test_release": "test"}
_NAME = re.compile(r"(HR_[1-4]|[1-8])", re.IGNORECASE)


def fits(root: Path) -> bool:
    """Whether the folder has the folders of CASIA-FASD."""
    return bool(_places(Tree(root)))


def read(root: Path) -> Dataset:
    """The videos. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    places = _places(at.tree)
    if not places:
        at.refuse()
    for name, split in _FOLDERS.items():
        if split not in places:
            at.found.add("absent_folder", "is not there: the data set as read lacks this split", name)
    examples = [one for split, folder in places.items() for one in _videos(at, split, folder)]
    return at.done(examples, LABELS)


def _places(tree: Tree) -> dict[Split, str]:
    found: dict[Split, str] = {}
    for folder in tree.walk("", 2):
        split = _FOLDERS.get(folder.rpartition("/")[2].lower())
        if split and any(name.isdecimal() for name in tree.folders(folder)):
            found.setdefault(split, folder)
    return found


def kind_of(name: str) -> tuple[str, str]:
    """Species ("" for live) and camera of a video by its name, 1 … 8 or HR_1 … HR_4."""
    if name.upper().startswith("HR_"):
        return SPECIES[int(name[3:]) - 1], "high"
    return SPECIES[(int(name) - 1) // 2], "low" if int(name) % 2 else "normal"


def _videos(at: Reading, split: Split, folder: str) -> Iterator[Example]:
    for person in at.tree.folders(folder):
        place = f"{folder}/{person}"
        films = {name.rpartition(".")[0]: name for name in at.tree.files(place, VIDEOS)}
        found = {**{name: name for name in at.tree.folders(place)}, **films}
        for name, own in found.items():
            if not _NAME.fullmatch(name) or not person.isdecimal():
                at.found.add("unknown_name", "is not named as a video of CASIA-FASD and was left out", f"{place}/{own}")
                continue
            species, camera = kind_of(name)
            yield Example(
                name=f"{split}/{person}/{name}",
                media=Media(at.tree.path(f"{place}/{own}"), "video" if name in films else "frames"),
                split=split,
                label="attack" if species else "live",
                subject=f"{split}/{person}",  # the numbers of the two folders are of different people
                group={"camera": camera, **({"species": species} if species else {})},
            )
        missing = {*map(str, range(1, 9)), *(f"HR_{number}" for number in range(1, 5))} - set(found)
        if person.isdecimal() and missing:
            at.found.add("absent_file", "is not there", f"{place}: {', '.join(sorted(missing))}")
