"""OULU-NPU: 55 people before 6 phones in 3 sessions, with two printers and two displays as attacks.

    Train_files/1_1_01_1.avi …, Dev_files/, Test_files/      phone_session_person_kind.avi
    Protocols/Protocol_1/Train.txt, Dev.txt, Test.txt         lines "+1,1_1_01_1"; -1 (and -2) are attacks
    Protocols/Protocol_3/Train_1.txt …, Protocol_4/Train_1.txt …

Kinds: 1 live, 2 and 3 prints, 4 and 5 replays. The split is that of the folders, in which nobody appears twice; what each
protocol takes of it stands in `group` ("protocol 1", "protocol 3.2"), see `protocols.under`. Folders of frames instead of
videos are read too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.protocols import PREFIX
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import text_of
from mien.learn.data.trees import VIDEOS, Tree

LAYOUT = "oulu_npu"
LABELS = ("live", "attack")
KINDS = {
    "1": ("", ""),
    "2": ("print", "printer 1"),
    "3": ("print", "printer 2"),
    "4": ("replay", "display 1"),
    "5": ("replay", "display 2"),
}
EXPECTED = "Train_files/1_1_01_1.avi …, Dev_files and Test_files, with Protocols/Protocol_1/Train.txt …"
_FOLDERS: dict[str, Split] = {"train_files": "train", "dev_files": "dev", "test_files": "test"}
_NAME = re.compile(r"([1-6])_([1-3])_(\d{2})_([1-5])")
_LIST = re.compile(r"(train|dev|test)(?:_(\d))?\.txt", re.IGNORECASE)


def fits(root: Path) -> bool:
    """Whether the folder has the folders of OULU-NPU."""
    return bool(_places(Tree(root)))


def read(root: Path) -> Dataset:
    """All videos, split as the folders are. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    places = _places(at.tree)
    if not places:
        at.refuse()
    for name, split in _FOLDERS.items():
        if split not in places:
            at.found.add("absent_folder", "is not there: the data set as read lacks this split", name)
    roles = _roles(at)
    examples = [one for split, folder in places.items() for one in _videos(at, split, folder, roles)]
    for name in roles:  # what is left of them
        at.found.add("absent_file", "stands in a protocol and is not there", name)
    return at.done(examples, LABELS)


def _places(tree: Tree) -> dict[Split, str]:
    found: dict[Split, str] = {}
    for folder in tree.walk("", 2):
        split = _FOLDERS.get(folder.rpartition("/")[2].lower())
        if split:
            deeper = f"{folder}/{folder.rpartition('/')[2]}"  # as some archives unpack
            found.setdefault(split, deeper if tree.folder(deeper) is not None else folder)
    return found


def _videos(at: Reading, split: Split, folder: str, roles: dict[str, dict[str, str]]) -> Iterator[Example]:
    films = {name.rpartition(".")[0]: name for name in at.tree.files(folder, VIDEOS)}
    shelves = {name: name for name in at.tree.folders(folder)}
    for name, own in {**shelves, **films}.items():
        match = _NAME.fullmatch(name)
        if not match:
            at.found.add("unknown_name", "is not named as a video of OULU-NPU and was left out", f"{folder}/{own}")
            continue
        role = roles.pop(name, {})
        live = role.pop("live", "")
        if live and live != ("yes" if match[4] == "1" else "no"):
            at.found.add("label_against_name", "has a label in a protocol that its name denies; left out", name)
            continue
        if any(taken != split for key, taken in role.items() if key.startswith(PREFIX)):
            at.found.add("split_against_folder", "is in another split of a protocol than its folder; left out", name)
            continue
        species, instrument = KINDS[match[4]]
        yield Example(
            name=name,
            media=Media(at.tree.path(f"{folder}/{own}"), "video" if name in films else "frames"),
            split=split,
            label="attack" if species else "live",
            subject=match[3],
            group={
                "camera": f"phone {match[1]}", "session": match[2],
                **({"species": species, "device": instrument} if species else {}), **role,
            },
        )  # fmt: skip


def _roles(at: Reading) -> dict[str, dict[str, str]]:
    """By video: the split that each protocol has it in, and whether they call it live: "yes", "no" or "both"."""
    roles: dict[str, dict[str, str]] = defaultdict(dict)
    for folder in at.tree.walk("", 3):
        number = re.fullmatch(r"protocol_(\d)", folder.rpartition("/")[2], re.IGNORECASE)
        for name in at.tree.files(folder, (".txt",)) if number else ():
            match = _LIST.fullmatch(name)
            if not number or not match:
                continue
            key = PREFIX + number[1] + (f".{match[2]}" if match[2] else "")
            for place, line in enumerate(text_of(at.tree.path(f"{folder}/{name}"))[0].splitlines(), 1):
                sign, _, video = line.strip().partition(",")
                if not line.strip():
                    continue
                if sign.strip() not in ("+1", "1", "-1", "-2") or not _NAME.fullmatch(video.strip()):
                    at.found.add("bad_row", "cannot be read and was left out", f"{folder}/{name} line {place}")
                    continue
                role = roles[video.strip()]
                role[key] = match[1].lower()
                live = "yes" if sign.strip() in ("+1", "1") else "no"
                role["live"] = live if role.get("live", live) == live else "both"
    return dict(roles)
