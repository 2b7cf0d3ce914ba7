"""AffectNet: faces from the web, labelled by one person each: eight expressions, valence and arousal.

As first handed out:
    training.csv, validation.csv    subDirectory_filePath, face_x, face_y, face_width, face_height, facial_landmarks,
                                    expression, valence, arousal
    Manually_Annotated_Images/103/….jpg …
Since 2021 (eight labels, cropped):
    train_set/images/0.jpg …        train_set/annotations/0_exp.npy, 0_val.npy, 0_aro.npy; val_set likewise

Mollahosseini, Hasani, Mahoor, AffectNet, IEEE TAC 10(1), 2019. Labels of its test set were never handed out: published
numbers are measured on the validation set, so that is the test split here, and a dev split is to be cut from training.
Rows of no expression (none, uncertain, no face) are left out and counted. Who the people are is not known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mien.audit.data.tables import cell
from mien.audit.data.tables import table as rows_of
from mien.errors import MienError
from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.frames import joined
from mien.learn.data.reading import Reading
from mien.learn.data.trees import PICTURES, Outside, Tree, parts_of
from mien.media.door import content_of

LAYOUT = "affectnet"
LABELS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")  # 0 to 7
EXPECTED = (
    "training.csv and validation.csv beside Manually_Annotated_Images, or train_set/images and train_set/annotations"
)
_NO_FACE = {8: "none", 9: "uncertain", 10: "no face"}
_TABLES: dict[str, Split] = {"training": "train", "validation": "test"}
_FOLDERS: dict[str, Split] = {"train_set": "train", "val_set": "test"}
_COLUMNS = {
    "path": ("subDirectory_filePath",), "x": ("face_x",), "y": ("face_y",), "width": ("face_width",),
    "height": ("face_height",), "expression": (), "valence": (), "arousal": (),
}  # fmt: skip
_NPY = re.compile(  # a number, or a text of one, alone or in a list of one
    rb"\x93NUMPY[\x01-\x03]\x00.{2,4}?\{'descr': '([<>|=]?(?:[fiu][1248]|[US]\d{1,2}))', 'fortran_order': (?:True|False), "
    rb"'shape': (\(\)|\(1,\)), \} *\n(.+)",
    re.DOTALL,
)
_BAD = "has no expression from 0 to 10 and was left out"
_OTHER = "is labelled as none, uncertain or no face and was left out"
_TWICE = "names a picture for a second time and was left out"
_NO_LABEL = "is a picture whose expression is not there or cannot be read; it was left out"


def fits(root: Path) -> bool:
    """Whether there are tables of AffectNet, or its folders of pictures and annotations."""
    tree = Tree(root)
    return bool(_sets(tree)) or (bool(_tables(tree, 1)) and bool(_pictures(tree)))


def read(root: Path) -> Dataset:
    """The pictures with expression, valence and arousal. Raises MediaNotFound, UnreadableMedia, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    sets = _sets(at.tree)
    if sets:
        return at.done((one for split, held in sets.items() for one in _cropped(at, split, held)), LABELS)
    tables, pictures = _tables(at.tree, 3), _pictures(at.tree)
    if not tables or not pictures:
        at.refuse()
    return at.done((one for split, name in tables.items() for one in _listed(at, split, name, pictures)), LABELS)


def _sets(tree: Tree) -> dict[Split, str]:
    found: dict[Split, str] = {}
    for folder in tree.walk("", 1):
        split = _FOLDERS.get(folder.rpartition("/")[2].lower())
        if split and tree.folder(joined(folder, "images")) and tree.folder(joined(folder, "annotations")):
            found[split] = folder
    return found


def _tables(tree: Tree, deepest: int) -> dict[Split, str]:
    names = tree.search(r"(training|validation)\.csv", deepest=deepest)
    found = {_TABLES[name.rpartition("/")[2].lower().partition(".")[0]]: name for name in reversed(names)}
    return {split: found[split] for split in _TABLES.values() if split in found}


def _pictures(tree: Tree) -> list[str]:
    """The folders that names of the tables may count from: the deepest of that name, and the root."""
    named = [one for one in tree.walk("", 2) if one.rpartition("/")[2].lower().startswith("manually_annotated")]
    return [one for one in reversed(named) if "list" not in one.lower()]


def _cropped(at: Reading, split: Split, held: str) -> Iterator[Example]:
    images, notes = at.tree.folder(joined(held, "images")), at.tree.folder(joined(held, "annotations"))
    assert images is not None and notes is not None, "folders that were found before"
    for name in at.tree.files(images, PICTURES):
        stem = name.rpartition(".")[0]
        told = {key: _number(at.tree, joined(notes, f"{stem}_{key}.npy")) for key in ("exp", "val", "aro")}
        label = told["exp"]
        if label is None or label not in range(11):
            at.found.add("no_label", _NO_LABEL, f"{held}/{name}")
        elif label >= len(LABELS):
            at.found.add("no_expression", _OTHER, f"{held}/{name}: {_NO_FACE[int(label)]}")
        else:
            values = _felt(told["val"], told["aro"])
            media = Media(at.tree.path(joined(images, name)))
            yield Example(f"{held.rpartition('/')[2]}/{stem}", media, split, LABELS[int(label)], values=values)


def _number(tree: Tree, name: str) -> float | None:
    """The one number of an npy file, written as such or as text; None where there is none. Nothing is unpickled."""
    found = tree.file(name)
    try:
        match = _NPY.match(content_of(tree.path(found), 4096)) if found else None
        if match is None:
            return None
        kind, data = match[1].decode("ascii"), match[3]
        if "U" in kind:  # by hand: numpy makes texts of bytes that are none
            value = float(data.decode("utf-32-be" if kind[0] == ">" else "utf-32-le", "replace").rstrip("\0"))
        elif "S" in kind:
            value = float(data.decode("ascii", "replace").rstrip("\0"))
        else:
            value = float(np.frombuffer(data, kind, 1)[0])
    except (MienError, ValueError, TypeError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _listed(at: Reading, split: Split, name: str, pictures: list[str]) -> Iterator[Example]:
    own = name.rpartition("/")[2]
    met: set[str] = set()
    with rows_of(at.tree.path(name), _COLUMNS, ("path", "expression")) as (columns, _, rows):
        for number, cells in rows:
            row = {key: cell(cells, columns.get(key)) for key in _COLUMNS}
            where = f"{own} line {number}: {row['path'][:80]}"
            label = int(row["expression"]) if row["expression"] in _CODES else None
            if label is None or not row["path"]:
                at.found.add("bad_row", _BAD, where)
            elif label >= len(LABELS):
                at.found.add("no_expression", _OTHER, f"{where}: {_NO_FACE[label]}")
            elif row["path"] in met:
                at.found.add("twice", _TWICE, where)
            else:
                met.add(row["path"])
                file = at.file(row["path"], where, _below(at.tree, pictures, row["path"]))
                if file:
                    values = _felt(_float(row["valence"]), _float(row["arousal"]))
                    media, box = Media(at.tree.path(file)), _box(row)
                    yield Example(row["path"], media, split, LABELS[label], values=values, box=box)


def _below(tree: Tree, pictures: list[str], path: str) -> str:
    """The folder that a name counts from: the first that holds its first part."""
    try:
        first = parts_of(path)[:1]
        return next((one for one in pictures if first and tree.find(joined(one, *first))), pictures[0])
    except Outside:  # `Reading.file` tells it
        return pictures[0]


_CODES = {str(code) for code in range(11)}


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _felt(valence: float | None, arousal: float | None) -> Mapping[str, float]:
    """Those between -1 and 1; -2 stands for none."""
    told = {"valence": valence, "arousal": arousal}
    return {key: value for key, value in told.items() if value is not None and -1 <= value <= 1}


def _box(row: Mapping[str, str]) -> tuple[float, float, float, float] | None:
    x, y, width, height = (_float(row[key]) for key in ("x", "y", "width", "height"))
    if x is None or y is None or width is None or height is None or min(width, height) <= 0:
        return None
    return (x, y, x + width, y + height)
