"""UBFC-rPPG: people before a camera at about 30 frames/s, with the pulse from a finger.

    DATASET_1/5-gt/vid.avi, gtdump.xmp              rows of: time in ms, heart rate, SpO2, pulse
    DATASET_2/subject1/vid.avi, ground_truth.txt    three lines: pulse, heart rate, time in s

Layout after the data set's readme and rPPG-Toolbox. There are no official splits: folds are cut by subject; the sets have
different people. The heart rate is the oximeter's own; the authors judge by the rate of the pulse wave instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.errors import InputError, UnreadableMedia
from mien.learn.data.example import Dataset, Example, Media, Wave
from mien.learn.data.reading import Reading
from mien.learn.data.trees import Tree
from mien.learn.data.waves import read_wave

LAYOUT = "ubfc"
EXPECTED = "DATASET_1/5-gt/ with vid.avi and gtdump.xmp, or DATASET_2/subject1/ with vid.avi and ground_truth.txt"
_TRUTHS = ("ground_truth.txt", "gtdump.xmp")
_FOLDER = re.compile(r"subject_?\d+|\d+-gt|after-exercise", re.IGNORECASE)


def fits(root: Path) -> bool:
    """Whether the folder has recordings of UBFC-rPPG."""
    return next(_folders(Tree(root)), None) is not None


def read(root: Path) -> Dataset:
    """The recordings of both sets. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    folders = list(_folders(at.tree))
    if not folders:
        at.refuse()
    return at.done(tuple(one for folder in folders if (one := _example(at, folder))), ())


def _folders(tree: Tree) -> Iterator[str]:
    for folder in tree.walk("", 2):
        if _FOLDER.fullmatch(folder.rpartition("/")[2]) and any(tree.file(f"{folder}/{name}") for name in _TRUTHS):
            yield folder


def _example(at: Reading, folder: str) -> Example | None:
    own = folder.rpartition("/")[2]
    films = [name for name in at.tree.files(folder, (".avi",)) if name.lower().startswith("vid")]
    if not films:
        at.found.add("absent_file", "has no video vid.avi and was left out", own)
        return None
    truth = next(name for name in _TRUTHS if at.tree.file(f"{folder}/{name}"))
    path = at.tree.path(f"{folder}/{truth}")
    pulse, rate = (Wave(path, name, 0.0, "ubfc", name) for name in ("pulse", "heart_rate"))
    try:
        read_wave(pulse)
        rates, _ = read_wave(rate)
    except (InputError, UnreadableMedia) as error:
        at.found.add("bad_signals", "cannot be read and its recording was left out", f"{own}: {error.message}")
        return None
    worn = rates[rates > 0]  # 0: the finger was not in the oximeter
    which = "1" if truth == "gtdump.xmp" else "2"
    return Example(
        name=f"{which}/{own}",
        media=Media(at.tree.path(f"{folder}/{films[0]}"), "video"),
        values={"heart_rate": float(worn.mean())} if len(worn) else {},
        subject=f"{which}/{own}",
        group={"set": which},
        waves=(pulse, rate),
    )
