"""PURE: 10 people in 6 set-ups (steady, talking, moving), frames at 30 frames/s and the pulse from a finger.

    01-01/01-01.json                        {"/FullPackage": [{"Timestamp": ns, "Value": {"waveform", "pulseRate", …}}],
                                             "/Image": [{"Timestamp": ns, …}]}
    01-01/01-01/Image1392643993642815000.png …       the names are the times of the frames in ns

Layout as read by rPPG-Toolbox; the frames may also lie beside the record. There are no official splits: folds are cut by
subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.errors import InputError, UnreadableMedia
from mien.learn.data.example import Dataset, Example, Media, Wave
from mien.learn.data.frames import frames
from mien.learn.data.reading import Reading
from mien.learn.data.trees import Tree
from mien.learn.data.waves import read_wave

LAYOUT = "pure"
FPS = 30.0
SETUPS = {
    "01": "steady", "02": "talking", "03": "slow translation", "04": "fast translation", "05": "small rotation",
    "06": "medium rotation",
}  # fmt: skip
EXPECTED = "01-01/01-01.json … each with 01-01/01-01/Image….png"
_NAME = re.compile(r"(\d{2})-(\d{2})")


def fits(root: Path) -> bool:
    """Whether the folder has records of PURE."""
    return next(_records(Tree(root)), None) is not None


def read(root: Path) -> Dataset:
    """The recordings. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    records = list(_records(at.tree))
    if not records:
        at.refuse()
    return at.done(tuple(one for folder, name in records if (one := _example(at, folder, name))), ())


def _records(tree: Tree) -> Iterator[tuple[str, str]]:
    """Folders and the records in them: 01-01/01-01.json, or 01-01.json beside 01-01/."""
    for folder in tree.walk("", 1):
        for name in tree.files(folder, (".json",)):
            if _NAME.fullmatch(name[:-5]):
                yield folder, name[:-5]


def _example(at: Reading, folder: str, name: str) -> Example | None:
    below = f"{folder}/{name}" if folder else name
    place = below if at.tree.folder(below) is not None else folder
    kept = frames(at.tree, place)
    if not len(kept):
        at.found.add("absent_folder", "has no frames and was left out", name)
        return None
    path = at.tree.path(f"{folder}/{name}.json" if folder else f"{name}.json")
    pulse = Wave(path, "pulse", 0.0, "pure", "waveform")
    rate = Wave(path, "heart_rate", 0.0, "pure", "pulseRate")
    try:
        read_wave(pulse)
        rates, _ = read_wave(rate)
    except (InputError, UnreadableMedia) as error:
        at.found.add("bad_signals", "cannot be read and its recording was left out", f"{name}: {error.message}")
        return None
    worn = rates[rates > 0]
    return Example(
        name=name,
        media=Media(at.tree.path(place), "frames", fps=FPS),
        values={"heart_rate": float(worn.mean())} if len(worn) else {},
        subject=name[:2],
        group={"setup": SETUPS.get(name[3:], name[3:])},
        waves=(pulse, rate),
    )
