"""Replay-Attack (Idiap): 50 people before a laptop, with prints and two displays as attacks, held by hand or fixed.

    train/real/client001_session01_webcam_authenticate_adverse_1.mov
    train/attack/fixed/attack_print_client001_session01_highdef_photo_adverse.mov       also hand/; devel/ and test/ likewise
    enroll/train/client001_session01_webcam_enroll_….mov

The split is official; devel is called dev. Videos of enrolment belong to no training or test of attacks: they have no label and
`group["role"]` is "enrol".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.reading import Reading
from mien.learn.data.trees import VIDEOS, Tree

LAYOUT = "replay_attack"
LABELS = ("live", "attack")
EXPECTED = "train/real and train/attack/fixed, train/attack/hand of .mov, and devel and test likewise"
_FOLDERS: dict[str, Split] = {"train": "train", "devel": "dev", "test": "test"}
_REAL = re.compile(r"client(\d{3})_session\d+_webcam_authenticate_(adverse|controlled)_(\d+)", re.IGNORECASE)
_ATTACK = re.compile(
    r"attack_(print|mobile|highdef)_client(\d{3})_session\d+_(?:mobile|highdef)_(photo|video)_(adverse|controlled)",
    re.IGNORECASE,
)
_ENROL = re.compile(r"client(\d{3})_.*", re.IGNORECASE)


def fits(root: Path) -> bool:
    """Whether the folder has live and attack videos of Replay-Attack."""
    return _base(Tree(root)) is not None


def read(root: Path) -> Dataset:
    """The videos. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    base = _base(at.tree)
    if base is None:
        at.refuse()
    for name in _FOLDERS:
        if at.tree.folder(f"{base}/{name}" if base else name) is None:
            at.found.add("absent_folder", "is not there: the data set as read lacks this split", name)
    examples = tuple(_videos(at, base))
    return at.done(examples, LABELS)


def _base(tree: Tree) -> str | None:
    """The folder that has train, devel and test in it."""
    for folder in tree.walk("", 2):
        here = f"{folder}/" if folder else ""
        for name in _FOLDERS:
            if tree.folder(f"{here}{name}/real") is not None and tree.folder(f"{here}{name}/attack") is not None:
                films = tree.files(f"{here}{name}/real", VIDEOS)
                if any(_REAL.fullmatch(film.rpartition(".")[0]) for film in films):
                    return folder
    return None


def _videos(at: Reading, base: str) -> Iterator[Example]:
    here = f"{base}/" if base else ""
    enrolled = [(f"enroll/{name}", split) for name, split in _FOLDERS.items()]
    for name, split in [*_FOLDERS.items(), *enrolled]:
        if at.tree.folder(f"{here}{name}") is None:
            continue
        for folder in at.tree.walk(f"{here}{name}", 3):
            for own in at.tree.files(folder, VIDEOS):
                within = f"{folder}/{own}".removeprefix(here)
                example = _example(at, f"{folder}/{own}", within, split)
                if example is None:
                    at.found.add("unknown_name", "is not named as a video of Replay-Attack and was left out", within)
                else:
                    yield example


def _example(at: Reading, file: str, within: str, split: Split) -> Example | None:
    own = within.rpartition("/")[2].rpartition(".")[0]
    parts = within.lower().split("/")[:-1]
    group: dict[str, str] = {}
    label: str | None = None
    if parts[0] == "enroll":
        match = _ENROL.fullmatch(own)
        person, group = (match[1] if match else ""), {"role": "enrol"}
    elif "attack" in parts:
        match = _ATTACK.fullmatch(own)
        if match:
            device, person, shown, light = (part.lower() for part in match.groups())
            species = "print" if device == "print" else "replay"
            group = {"species": species, "shows": shown, "light": light, "support": parts[-1]}
            group |= {} if device == "print" else {"device": device}
            label = "attack"
    else:
        match = _REAL.fullmatch(own)
        if match:
            person, group, label = match[1], {"light": match[2].lower()}, "live"
    if not match:
        return None
    return Example(
        name=within.rpartition(".")[0],
        media=Media(at.tree.path(file), "video", fps=25.0),
        split=split,
        label=label,
        subject=person,
        group=group,
    )
