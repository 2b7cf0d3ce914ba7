"""MSU-MFSD: 35 people (in the public part) before a laptop and a phone, with a print and two displays as attacks.

    scene01/real/real_client001_android_SD_scene01.mp4
    scene01/attack/attack_client001_laptop_SD_ipad_video_scene01.mov       also iphone_video, printed_photo
    train_sub_list.txt, test_sub_list.txt                                   numbers of people: 01, 02, …

The split is official, by people: train and test. There is no dev: cut it from train by subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import text_of
from mien.learn.data.trees import VIDEOS, Tree

LAYOUT = "msu_mfsd"
LABELS = ("live", "attack")
EXPECTED = "scene01/real and scene01/attack of videos, with train_sub_list.txt and test_sub_list.txt"
_NAME = re.compile(
    r"(real|attack)_client(\d{2,3})_(android|laptop)_(?:SD|HD)(?:_(ipad_video|iphone_video|printed_photo))?_scene\d+",
    re.IGNORECASE,
)
_LISTS: dict[Split, str] = {"train": r"train_sub_list\.txt", "test": r"test_sub_list\.txt"}
_KINDS = {"ipad_video": ("replay", "ipad"), "iphone_video": ("replay", "iphone"), "printed_photo": ("print", "printer")}


def fits(root: Path) -> bool:
    """Whether the folder has the lists and videos of MSU-MFSD."""
    tree = Tree(root)
    return bool(tree.search(_LISTS["train"], deepest=2)) and bool(_films(tree))


def read(root: Path) -> Dataset:
    """The videos; people in neither list have no split. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    films = _films(at.tree)
    lists = {split: at.tree.search(pattern, deepest=3) for split, pattern in _LISTS.items()}
    if not films or not all(lists.values()):
        at.refuse()
    splits: dict[int, set[Split]] = {}
    for split, names in lists.items():
        for place, line in enumerate(text_of(at.tree.path(names[0]))[0].split(), 1):
            if line.isdecimal() and len(line) <= 4:
                splits.setdefault(int(line), set()).add(split)
            else:
                at.found.add("bad_row", "is no number of a person and was left out", f"{split} list, {place}")
    examples = tuple(_videos(at, films, splits))
    return at.done(examples, LABELS)


def _films(tree: Tree) -> list[str]:
    return [
        f"{folder}/{name}" if folder else name
        for folder in tree.walk("", 3)
        if folder.rpartition("/")[2].lower() in ("real", "attack")
        for name in tree.files(folder, VIDEOS)
    ]


def _videos(at: Reading, films: list[str], splits: dict[int, set[Split]]) -> Iterator[Example]:
    for film in films:
        own = film.rpartition("/")[2].rpartition(".")[0]
        match = _NAME.fullmatch(own)
        if not match or (match[1].lower() == "attack") != bool(match[4]):
            at.found.add("unknown_name", "is not named as a video of MSU-MFSD and was left out", film)
            continue
        if film.split("/")[-2].lower() != match[1].lower():
            at.found.add("label_against_name", "lies in the folder of the other label and was left out", film)
            continue
        own_splits = splits.get(int(match[2]), set())
        if len(own_splits) > 1:
            at.found.add("in_both_lists", "is of a person in the lists of both train and test; left out", own)
            continue
        if not own_splits:
            at.found.add("in_no_list", "is of a person in neither list; kept without a split", own)
        species, device = _KINDS[match[4].lower()] if match[4] else ("", "")
        yield Example(
            name=own,
            media=Media(at.tree.path(film), "video"),
            split=next(iter(own_splits), ""),
            label="attack" if species else "live",
            subject=f"{int(match[2]):03d}",
            group={"camera": match[3].lower(), **({"species": species, "device": device} if species else {})},
        )
