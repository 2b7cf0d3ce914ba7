"""CelebA-Spoof: 625,537 pictures of 10,177 people, with 40 attributes of the live ones and kinds of the others.

    metas/intra_test/train_label.json, test_label.json      {"Data/train/1/live/000184.jpg": [44 numbers]}
    Data/train/1/live/000184.jpg, 000184_BB.txt              x y w h score of the face in a picture of 224 px

Of the 44 numbers 0 to 39 are CelebA's attributes, 40 is the kind of attack, 41 the light, 42 the place, 43 is 0 live, 1 attack.
The split is official: train and test, nobody in both. There is no dev: cut it from train by subject. `face` gives the box,
which needs the size of the picture and is therefore not read with the list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from mien.errors import InputError
from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.reading import ABSENT, OUTSIDE, Reading
from mien.learn.data.sheets import text_of
from mien.learn.data.trees import Outside, Tree, parts_of
from mien.media.door import content_of, shown

LAYOUT = "celeba_spoof"
LABELS = ("live", "attack")
EXPECTED = "metas/intra_test/train_label.json and test_label.json beside Data/train and Data/test"
LARGEST = 1_000_000_000  # bytes of a list; the longest has about 100 MB
BOX_SIDE = 224  # px of the picture in which the boxes are given
KINDS = (
    ("", ""), ("print", "photo"), ("print", "poster"), ("print", "A4 paper"), ("mask", "face mask of paper"),
    ("mask", "upper body mask of paper"), ("cut", "region mask of paper"), ("replay", "PC"), ("replay", "tablet"),
    ("replay", "phone"), ("mask", "3D mask"),
)  # fmt: skip
LIGHTS = ("", "normal", "strong", "back", "dark")
PLACES = ("", "indoor", "outdoor")
ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache",
    "Narrow_Eyes", "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks",
    "Sideburns", "Smiling", "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick",
    "Wearing_Necklace", "Wearing_Necktie", "Young",
)  # fmt: skip
_LISTS: dict[Split, str] = {"train": "train_label.json", "test": "test_label.json"}


class Attributes(Mapping[str, float]):
    """{attribute: 0 or 1} in one number: hundreds of thousands of dictionaries would fill the memory."""

    __slots__ = ("_bits",)

    def __init__(self, bits: int) -> None:
        self._bits = bits

    def __getitem__(self, name: str) -> float:
        try:
            return float(self._bits >> ATTRIBUTES.index(name) & 1)
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(ATTRIBUTES)

    def __len__(self) -> int:
        return len(ATTRIBUTES)


def fits(root: Path) -> bool:
    """Whether the folder has the lists of CelebA-Spoof."""
    return bool(_lists(Tree(root)))


def read(root: Path) -> Dataset:
    """The pictures on the lists. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    lists = _lists(at.tree)
    if not lists:
        at.refuse()
    for split, name in _LISTS.items():
        if split not in lists:
            at.found.add("absent_table", "is not there: the data set as read lacks this split", name)
    examples = [one for split, name in lists.items() for one in _pictures(at, split, name)]
    return at.done(examples, LABELS)


def face(example: Example) -> tuple[float, float, float, float] | None:
    """x0 y0 x1 y1 px of the face in the picture as stored; None where the data set has none, or one that is no box.

    Raises MediaNotFound, UnreadableMedia."""
    from mien.media.image import read_image

    path = example.media.path
    box = path.with_name(f"{path.stem}_BB.txt")
    if not box.is_file():
        return None
    try:
        x, y, wide, high = (float(cell) for cell in text_of(box)[0].split()[:4])
    except ValueError:
        return None
    if not (wide > 0 and high > 0 and x + wide > 0 and y + high > 0 and x < BOX_SIDE and y < BOX_SIDE):
        return None
    height, width = read_image(path).pixels.shape[:2]
    across, down = width / BOX_SIDE, height / BOX_SIDE
    return (
        max(0.0, x * across), max(0.0, y * down), min(width, (x + wide) * across), min(height, (y + high) * down)
    )  # fmt: skip


def _lists(tree: Tree) -> dict[Split, str]:
    found: dict[Split, str] = {}
    for folder in tree.walk("", 3):
        if folder.rpartition("/")[2].lower() == "intra_test":
            for split, name in _LISTS.items():
                if tree.file(f"{folder}/{name}"):
                    found.setdefault(split, f"{folder}/{name}")
    return found


def _pictures(at: Reading, split: Split, name: str) -> Iterator[Example]:
    base = name.split("/")[:-3]  # beside metas/
    own = name.rpartition("/")[2]
    for path, numbers in _listed(at.tree.path(name)).items():
        told = _told(numbers)
        if told is None:
            at.found.add("bad_row", "has not the 44 numbers of CelebA-Spoof and was left out", f"{own}: {shown(path)}")
            continue
        attack, kind, light, place, bits = told
        try:
            parts = parts_of(path)
            file = at.tree.file("/".join([*base, *parts]))
        except Outside:
            at.found.add("outside", OUTSIDE, f"{own}: {shown(path)}")
            continue
        if file is None:
            at.found.add("absent_file", ABSENT, shown(path))
            continue
        if (
            len(parts) < 4
            or parts[-2] not in ("live", "spoof")
            or (parts[-2] == "spoof") != attack
            or attack != (kind > 0)
        ):
            at.found.add("label_against_name", "has labels that its folder or one another deny; left out", shown(path))
            continue
        if parts[-4] != split:
            at.found.add(
                "split_against_folder", "is in the list of one split and the folder of another; left out", shown(path)
            )
            continue
        yield Example(
            name="/".join(parts[-4:]),
            media=Media(at.tree.path(file)),
            split=split,
            label="attack" if attack else "live",
            values={} if attack else Attributes(bits),
            subject=parts[-3],
            group=_group(kind, light, place),
        )


def _listed(path: Path) -> Mapping[str, Any]:
    """Raises InputError for what is no list."""
    try:
        held = json.loads(content_of(path, LARGEST))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{shown(path)} is no JSON to read.", "Copy or download it again.") from error
    if not isinstance(held, dict):
        raise InputError(f"{shown(path)} is no list of pictures with numbers.", "Give it as the data set has it.")
    return cast(Mapping[str, Any], held)


def _told(numbers: Any) -> tuple[bool, int, int, int, int] | None:
    """Attack, kind, light, place and the attributes as bits; None for what is not 44 numbers in their ranges."""
    if not isinstance(numbers, list) or len(numbers) != 44 or set(map(type, numbers)) != {int}:
        return None
    kind, light, place, attack = numbers[40:]
    if not (0 <= kind < len(KINDS) and 0 <= light < len(LIGHTS) and 0 <= place < len(PLACES) and attack in (0, 1)):
        return None
    bits = sum(1 << bit for bit, one in enumerate(numbers[:40]) if one > 0)
    return attack == 1, kind, light, place, bits


@cache  # a few dozen groups, shared by all pictures
def _group(kind: int, light: int, place: int) -> Mapping[str, str]:
    species, instrument = KINDS[kind]
    told = {"species": species, "device": instrument, "light": LIGHTS[light], "place": PLACES[place]}
    return {key: value for key, value in told.items() if value}
