"""FER2013: 35,887 grey pictures of 48 px in seven classes, with the official split.

    fer2013.csv or icml_face_data.csv                       emotion (0 to 6), pixels ("70 80 82 …"), Usage
    fer2013/train/angry/Training_10118481.jpg …             folders, or the same in a zip; public_test, private_test beside
    train/angry/Training_….jpg, test/angry/PublicTest_….jpg the same with both tests in one folder

Goodfellow et al., Challenges in representation learning: a report on three machine learning contests, ICONIP 2013.
Training teaches, the public test is for choosing (dev), the private test is looked at once. Where file names carry the
official split, they decide: copies of this data set are about in which augmented or reshuffled pictures lie among the
others. Rating it anew, people agreed with its labels in about two of three pictures. Who the people are is not known.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mien.audit.data.found import Found
from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.pixel_rows import ROWS, pixel_rows
from mien.learn.data.reading import Reading, unlike
from mien.learn.data.trees import PICTURES, Tree
from mien.learn.data.words import emotion

LAYOUT = "fer2013"
LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # 0 to 6 of the table
EXPECTED = (
    "fer2013.csv or icml_face_data.csv, or train/angry/….jpg, public_test/… and private_test/… (folders or a zip)"
)
USAGES: dict[str, Split] = {"training": "train", "publictest": "dev", "privatetest": "test"}
_FOLDERS: dict[str, Split] = {
    "train": "train", "training": "train", "public_test": "dev", "publictest": "dev", "private_test": "test",
    "privatetest": "test", "test": "test",
}  # fmt: skip
_TABLE = r"(fer2013|icml_face_data)\.csv"
_OFFICIAL = re.compile(r"(Training|PublicTest|PrivateTest)_\d+\.(jpg|jpeg|png)", re.IGNORECASE)
_ODD = "is none of the official names, though others have them (an augmented copy?), and was left out"
_SPLIT = "lies in the folder of another split than its name says; the name was believed"
_TWICE = "is there twice; the first was kept"
_BAD = "has no class from 0 to 6, no official usage or not 2,304 pixels, and was left out"


@dataclass(frozen=True, slots=True)
class _File:
    folder: str  # "train"
    label: str  # "angry"
    name: str  # "Training_10118481.jpg"
    media: Media


def fits(root: Path) -> bool:
    """Whether there is a table of FER2013, or classes below folders of its splits."""
    if root.is_file():
        return zipfile.is_zipfile(root) and _official(_of_zip(root))
    tree = Tree(root)
    return bool(tree.search(_TABLE, deepest=1)) or _official(_of_tree(tree, 2))


def read(root: Path) -> Dataset:
    """The pictures of a table, a folder or a zip. Raises MediaNotFound, UnreadableMedia, InputError."""
    if root.is_file():
        if root.suffix.lower() == ".csv":
            return table(root)
        found = Found()
        return _done(root, found, _examples(_zipped(root), found))
    at = Reading(root, LAYOUT, EXPECTED)
    tables = at.tree.search(_TABLE, deepest=2)
    if tables:
        return table(at.tree.path(tables[0]))
    return _done(root, at.found, _examples(_of_tree(at.tree, 3), at.found))


def table(path: Path) -> Dataset:
    """The pictures of fer2013.csv; they stay in it. Raises MediaNotFound, UnreadableMedia, InputError."""
    found, examples = Found(), []
    for row in pixel_rows(path, ("emotion", "usage")):
        split = USAGES.get(row.cells["usage"].lower())
        label = row.cells["emotion"]
        if split is None or label not in "0123456" or len(label) != 1 or row.count != 48 * 48:
            found.add("bad_row", _BAD, f"row {row.number + 2}")
            continue
        name = f"{split}/fer{row.number:07d}"  # as FER+ counts them
        examples.append(Example(name, Media(path, member=f"{ROWS}{row.offset}"), split, LABELS[int(label)]))
    return _done(path, found, examples)


def _official(files: Iterable[_File]) -> bool:
    """Whether these are FER2013's: a folder of one of its two tests, or an official name."""
    return any("p" in file.folder.lower() or _OFFICIAL.fullmatch(file.name) for file in files)


def _zipped(path: Path) -> list[_File]:
    if not zipfile.is_zipfile(path):
        raise unlike(path, LAYOUT, EXPECTED, "a file that is no zip")
    return list(_of_zip(path))


def _of_zip(path: Path) -> Iterator[_File]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise unlike(path, LAYOUT, EXPECTED, f"a damaged zip ({error})") from error
    for name in names:
        parts = name.split("/")
        if len(parts) >= 3 and parts[-3].lower() in _FOLDERS and "__MACOSX" not in parts and _picture(*parts[-2:]):
            yield _File(parts[-3], parts[-2], parts[-1], Media(path, member=name))


def _of_tree(tree: Tree, deepest: int) -> Iterator[_File]:
    for folder in tree.walk("", deepest):
        own = folder.rpartition("/")[2]
        for label in tree.folders(folder) if own.lower() in _FOLDERS else ():
            for name in tree.files(f"{folder}/{label}", PICTURES) if emotion(label) in LABELS else ():
                yield _File(own, label, name, Media(tree.path(f"{folder}/{label}/{name}")))


def _picture(label: str, name: str) -> bool:
    return emotion(label) in LABELS and name.lower().endswith(PICTURES) and not name.startswith(".")


def _examples(files: Iterable[_File], found: Found) -> list[Example]:
    held = sorted(files, key=lambda file: (file.folder, file.label, file.name))
    official = any(_OFFICIAL.fullmatch(file.name) for file in held)
    made: dict[str, Example] = {}
    for file in held:
        match = _OFFICIAL.fullmatch(file.name)
        name = f"{file.folder}/{file.label}/{file.name}"
        if official and match is None:
            found.add("odd_name", _ODD, name)
            continue
        split = _FOLDERS[file.folder.lower()]
        if match and USAGES[match[1].lower()] != split:
            split = USAGES[match[1].lower()]
            if file.folder.lower() != "test" or split == "train":
                found.add("other_split", _SPLIT, name)
        key = f"{file.label}/{file.name}".lower() if match else name  # numbers alone are not unique
        if key in made:
            found.add("twice", _TWICE, name)
            continue
        made[key] = Example(name, file.media, split, emotion(file.label))
    return list(made.values())


def _done(root: Path, found: Found, examples: list[Example]) -> Dataset:
    if not examples:
        why = "; ".join(f"{one.number} {one.kind}" for one in found.problems())
        raise unlike(root, LAYOUT, EXPECTED, why or (Tree(root).top if root.is_dir() else "none of these names"))
    return Dataset(LAYOUT, tuple(examples), LABELS, found.problems())
