"""UniAttackData: live faces, prints and replays, adversarial and digital attacks on the same 1,800 people, as frames.

As published:
    protocol/UniAttackData@p1_video_train.txt …     lines "UniAttackData/Data/live/africa/AF-576/real.rssdk/color 0":
                                                    0 live, 1 physical, 2 adversarial, 3 digital
    Data/…                                          folders of frames
In the challenge:
    p1/train_label.txt, dev_label.txt, …            lines "p1/train/000001.jpg 0": 0 live, 1 attack; p2.1, p2.2 likewise,
                                                    also below phase1, phase2

After the data set's readme (liuajian/CASIA-FAS-Dataset) and loaders of the challenge. The split is that of protocol 1; those
of the others stand in `group` ("protocol 2.1": test has physical attacks only; "protocol 2.2": digital ones), see
`protocols.under`. In the challenge people are not told. The readme calls live 1 in one place; the lists, and two loaders of
the challenge, have 0 for live: a list of the challenge whose counts say otherwise is refused. The published lists of
protocol 2 name each live video five times; it is one example here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mien.errors import InputError
from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.protocols import PREFIX
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import text_of
from mien.learn.data.trees import Tree
from mien.media.door import shown

LAYOUT = "uniattack"
LABELS = ("live", "attack")
FAMILIES = ("live", "physical", "adversarial", "digital")
EXPECTED = "protocol/UniAttackData@p1_video_train.txt … beside Data, or p1/train_label.txt … beside p1/train"
LIVE = {
    ("1", "train"): 3000, ("1", "dev"): 1500, ("1", "test"): 4500, ("2.1", "train"): 3000, ("2.1", "dev"): 1500,
    ("2.1", "test"): 4500, ("2.2", "train"): 3000, ("2.2", "dev"): 1500, ("2.2", "test"): 4500,
}  # fmt: skip
_LIST = re.compile(r"UniAttackData@p([\d.]+)_(video|image)_(train|dev|test)\.txt", re.IGNORECASE)
_PERSON = re.compile(r"(AF|CA|EA)-\d{3}")
_RACES = {"AF": "African", "CA": "Central Asian", "EA": "East Asian"}


@dataclass(frozen=True, slots=True)
class Line:
    """A video or picture on a list."""

    where: str
    name: str
    code: int


def fits(root: Path) -> bool:
    """Whether the folder has lists of UniAttackData."""
    tree = Tree(root)
    return bool(_published(tree)) or bool(_challenge(tree))


def read(root: Path) -> Dataset:
    """Everything on the lists, split as protocol 1 has it. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    published, challenge = _published(at.tree), _challenge(at.tree)
    if not published and not challenge:
        at.refuse()
    examples = tuple(_from_published(at, published) if published else _from_challenge(at, challenge))
    return at.done(examples, LABELS)


def _published(tree: Tree) -> dict[tuple[str, str], str]:
    """{(protocol, split): list}; of videos where these are there, of single pictures otherwise."""
    found: dict[tuple[str, str], str] = {}
    for name in sorted(tree.search(_LIST.pattern, deepest=3), key=lambda one: "_video_" not in one.lower()):
        match = cast(re.Match[str], _LIST.fullmatch(name.rpartition("/")[2]))
        found.setdefault((match[1], match[3].lower()), name)
    kinds = {"_video_" in name.lower() for name in found.values()}
    return {key: name for key, name in found.items() if len(kinds) == 1 or "_video_" in name.lower()}


def _order(item: tuple[tuple[str, str], str]) -> tuple[str, int]:
    """By protocol, and training first: what a list of testing has in common with it is not tested on."""
    (protocol, split), _ = item
    return protocol, ("train", "dev", "test").index(split)


def _challenge(tree: Tree) -> dict[tuple[str, str], str]:
    found = {}
    for name in tree.search(r"(train|dev|test)_label\.txt", deepest=3):
        folder, _, own = name.rpartition("/")
        if folder.rpartition("/")[2] in ("p1", "p2.1", "p2.2"):
            found[folder.rpartition("/")[2][1:], own.partition("_")[0].lower()] = name
    return found


def _lines(at: Reading, name: str, most: int) -> Iterator[Line]:
    own = name.rpartition("/")[2]
    for number, line in enumerate(text_of(at.tree.path(name))[0].splitlines(), 1):
        path, _, code = line.strip().rpartition(" ")
        if not line.strip():
            continue
        if not path or code not in map(str, range(most + 1)):
            at.found.add("bad_row", "cannot be read and was left out", f"{own} line {number}")
            continue
        yield Line(f"{own} line {number}", path.strip(), int(code))


def _from_published(at: Reading, lists: Mapping[tuple[str, str], str]) -> Iterator[Example]:
    roles: dict[str, dict[str, str]] = defaultdict(dict)
    lines: dict[str, Line] = {}
    for (protocol, split), name in sorted(lists.items(), key=_order):
        for line in _lines(at, name, len(FAMILIES) - 1):
            first = lines.setdefault(line.name, line)
            key = PREFIX + protocol
            if first.code != line.code or roles[line.name].get(key, split) != split:
                at.found.add("against_itself", "has another label or split than an earlier line; not taken", line.where)
                continue
            roles[line.name][key] = split
    base = "/".join(next(iter(lists.values())).split("/")[:-2])  # beside protocol/
    for line in lines.values():
        inner = line.name.removeprefix("UniAttackData/")
        single = inner.lower().endswith((".jpg", ".png"))
        found = (at.file if single else at.folder)(inner, line.where, base)
        if found is None:
            continue
        role = roles[line.name]
        yield Example(
            name=inner.removeprefix("Data/"),
            media=Media(at.tree.path(found), "picture" if single else "frames"),
            split=cast(Split, role.get(f"{PREFIX}1", "")),
            label="attack" if line.code else "live",
            subject=match[0] if (match := _PERSON.search(inner)) else "",
            group={**_kind(inner, line.code), **role},
        )


def _kind(inner: str, code: int) -> dict[str, str]:
    """What the path of a published item tells."""
    parts = inner.split("/")
    person = _PERSON.search(inner)
    told = {"race": _RACES[person[1]]} if person else {}
    if code == 0:
        return told
    told["family"] = FAMILIES[code]
    if code == 1:
        device = next((part for part in parts if part.startswith(("cloth", "screen", "print"))), "")
        return {**told, "species": "replay" if device.startswith("screen") else "print", "device": device}
    method = parts[2] if parts[1:2] == ["adv-attacks"] and len(parts) > 2 else parts[1] if len(parts) > 1 else ""
    return {**told, "species": "adversarial" if code == 2 else "deepfake", "method": method}


def _from_challenge(at: Reading, lists: Mapping[tuple[str, str], str]) -> Iterator[Example]:
    for (protocol, split), name in sorted(lists.items(), key=_order):
        lines = list(_lines(at, name, 1))
        live = sum(line.code == 0 for line in lines)
        known = LIVE.get((protocol, split), 0)
        if live != known and len(lines) - live == known:
            raise InputError(
                f"{shown(at.tree.path(name))} calls {known} of {len(lines)} pictures 1, which is how many live ones there are.",
                "0 stands for live and 1 for an attack: swap them.",
            )
        base = "/".join(name.split("/")[:-2])
        for line in lines:
            file = at.file(line.name, line.where, base)
            if file is None:
                continue
            yield Example(
                name=line.name,
                media=Media(at.tree.path(file)),
                split=cast(Split, split if protocol == "1" else ""),
                label="attack" if line.code else "live",
                group={f"{PREFIX}{protocol}": split},
            )
