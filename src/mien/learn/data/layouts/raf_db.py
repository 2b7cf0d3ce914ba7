"""RAF-DB: faces from the web, each labelled by about 40 people: seven basic expressions, or eleven compound ones.

    basic/EmoLabel/list_patition_label.txt          lines "train_00001.jpg 5" (that is its name)
    basic/Image/aligned/train_00001_aligned.jpg …   100 px, or Image/original/train_00001.jpg
    basic/Annotation/manual/train_00001_manu_attri.txt  five points, then sex, race and age as numbers
    compound/…                                      the same with labels 1 to 11

Li, Deng, Du, Reliable crowdsourcing and deep locality-preserving learning for expression recognition in the wild, CVPR
2017. The split into training and test is in the names; who the people are is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from mien.errors import MienError, UsageError
from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.frames import joined
from mien.learn.data.lists import lines_of
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import text_of
from mien.learn.data.trees import Tree

LAYOUT = "raf_db"
LABELS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # 1 to 7
COMPOUND = (
    "happily surprised", "happily disgusted", "sadly fearful", "sadly angry", "sadly surprised", "sadly disgusted",
    "fearfully angry", "fearfully surprised", "angrily surprised", "angrily disgusted", "disgustedly surprised",
)  # fmt: skip
EXPECTED = "basic/EmoLabel/list_patition_label.txt beside basic/Image/aligned/train_00001_aligned.jpg … (or compound/…)"
_LIST = r"list_patition_label\.txt"
_SEX = ("male", "female", "unsure")
_RACE = ("Caucasian", "African-American", "Asian")
_AGE = ("0-3", "4-19", "20-39", "40-69", "70+")
_BAD = "has no name of a split and class of RAF-DB and was left out"
_TWICE = "names a picture for a second time and was left out"
_PLAIN = "is not there; people's sex, race and age are not known for it"

Part = Literal["basic", "compound"]


def fits(root: Path) -> bool:
    """Whether there is a list of RAF-DB."""
    return bool(Tree(root).search(_LIST, deepest=2))


def read(root: Path, part: Part = "basic") -> Dataset:
    """The pictures, aligned ones where both are there. Raises MediaNotFound, InputError, UsageError."""
    labels = {"basic": LABELS, "compound": COMPOUND}.get(part)
    if labels is None:
        raise UsageError(f"RAF-DB has no part {part}.", "It has basic and compound.")
    at = Reading(root, LAYOUT, EXPECTED)
    lists = sorted(at.tree.search(_LIST, deepest=3), key=lambda name: part not in name.lower())
    others = {"basic", "compound"} - {part}
    lists = [name for name in lists if not any(other in name.lower().split("/") for other in others)]
    if not lists:
        at.refuse()
    base = joined(*lists[0].split("/")[:-2])
    aligned = at.tree.folder(joined(base, "Image/aligned"))
    pictures = aligned or at.tree.folder(joined(base, "Image/original"))
    if pictures is None:
        at.refuse()
    return at.done(_examples(at, lists[0], base, pictures, labels), labels)


def _examples(at: Reading, name: str, base: str, pictures: str, labels: tuple[str, ...]) -> Iterator[Example]:
    manual = at.tree.folder(joined(base, "Annotation/manual"))
    met: set[str] = set()
    for where, line in lines_of(at, name):
        file, _, number = line.rpartition(" ")
        split = _split(file)
        if split is None or not number.isdecimal() or not 1 <= int(number[:3]) <= len(labels):
            at.found.add("bad_row", _BAD, f"{where}: {line[:60]}")
            continue
        stem = file.strip().rpartition(".")[0]
        if stem in met:
            at.found.add("twice", _TWICE, f"{where}: {stem}")
            continue
        met.add(stem)
        own = f"{stem}_aligned.jpg" if pictures.lower().endswith("aligned") else f"{stem}.jpg"
        found = at.file(own, f"{where}: {own}", pictures)
        if found:
            group = _people(at, manual, stem) if manual else {}
            yield Example(stem, Media(at.tree.path(found)), split, labels[int(number) - 1], group=group)


def _split(file: str) -> Split | None:
    return "train" if file.startswith("train_") else "test" if file.startswith("test_") else None


def _people(at: Reading, manual: str, stem: str) -> Mapping[str, str]:
    """Sex, race and age as people saw them."""
    name = at.tree.file(joined(manual, f"{stem}_manu_attri.txt"))
    try:
        lines = text_of(at.tree.path(name))[0].split("\n") if name else []
    except MienError:
        lines = []
    numbers = [line.strip() for line in lines if line.strip().isdecimal() and len(line.strip()) == 1]
    if len(numbers) != 3:
        at.found.add("no_attributes", _PLAIN, stem)
        return {}
    told = zip(("sex", "race", "age"), (_SEX, _RACE, _AGE), numbers, strict=True)
    return {key: words[int(number)] for key, words, number in told if int(number) < len(words)}
