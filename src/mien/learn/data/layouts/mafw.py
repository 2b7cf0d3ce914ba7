"""MAFW: 10,045 clips of films and short videos, each labelled by eleven people: eleven single expressions, and compound ones.

    Train & Test Set/single/no_caption/set_1/train.txt …    lines "07317.mp4 anger"; test.txt likewise, five folds
    Train & Test Set/compound/no_caption/set_1/train.txt …  lines "00001.mp4 anger_disgust"
    data/frames/07317/….jpg or data/clips/07317.mp4         (faces of the frames before whole ones)

Liu et al., MAFW, ACM Multimedia 2022; layout after loaders of MMA-MRNNet and MAE-DFER's users. The split is that of fold 1;
the others stand in `group`, see `protocols.under` ("fold 2"). Compound classes are written "anger+disgust", the parts in the
order of `LABELS`. The people are not named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from mien.errors import UsageError
from mien.learn.data.clips import Clips, Folds, add_fold, seek
from mien.learn.data.example import Dataset, Example
from mien.learn.data.lists import first_split, lines_of
from mien.learn.data.reading import Reading
from mien.learn.data.trees import Tree
from mien.learn.data.words import emotion

LAYOUT = "mafw"
LABELS = (
    "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise", "contempt", "anxiety", "helplessness",
    "disappointment",
)  # fmt: skip
EXPECTED = "single/no_caption/set_1/train.txt … beside frames/00001/ of pictures or clips/00001.mp4"
_PARTS = {"single": ("single",), "compound": ("compound", "multiple", "multi")}
_BAD = "has no clip and expression of MAFW and was left out"

Part = Literal["single", "compound"]


def fits(root: Path) -> bool:
    """Whether there are lists of folds."""
    return bool(_lists(Tree(root), "single", 5) or _lists(Tree(root), "compound", 5))


def read(root: Path, part: Part = "single") -> Dataset:
    """The clips with a single expression, or those with compound ones. Raises MediaNotFound, InputError, UsageError."""
    if part not in _PARTS:
        raise UsageError(f"MAFW has no part {part}.", f"It has {' and '.join(_PARTS)}.")
    at = Reading(root, LAYOUT, EXPECTED)
    lists = _lists(at.tree, part, 6)
    clips = Clips.of(at.tree, ("faces", "frames_crop_align_224", "frames", "clips"))
    if not lists or not clips:
        at.refuse()
    folds: Folds = {}
    for (side, fold), name in sorted(lists.items()):
        for where, line in lines_of(at, name):
            file, _, word = line.partition(" ")
            label = _label(word)
            if not file or label is None:
                at.found.add("bad_row", _BAD, f"{part} {side} {fold} {where}: {line[:60]}")
                continue
            add_fold(at, folds, file.partition(".")[0], label, (side, fold))
    examples = tuple(_examples(at, folds, clips))
    compound = sorted({str(one.label) for one in examples} - set(LABELS))
    return at.done(examples, LABELS if part == "single" else (*LABELS, *compound))


def _lists(tree: Tree, part: str, deepest: int) -> dict[tuple[str, str], str]:
    """{("train", "1"): file}; with captions only where there is nothing else."""
    found: dict[tuple[str, str], str] = {}
    names = seek(tree, r"(train|test)\.txt", deepest=deepest)
    for name in sorted(names, key=lambda one: "no_caption" not in one.lower()):
        folders = name.lower().split("/")[:-1]
        fold = re.fullmatch(r"set_?([1-5])", folders[-1]) if folders else None
        if fold and any(word in folders for word in _PARTS[part]):
            found.setdefault((name.rpartition("/")[2][:-4].lower(), fold[1]), name)
    return found


def _label(word: str) -> str | None:
    """One expression, or several joined by +; None where one is none of MAFW's."""
    first = word.split()[0] if word.split() else ""
    names = [emotion(part) for part in re.split(r"[_+,&;]", first) if part]
    if not names or not set(names) <= set(LABELS):
        return None
    return "+".join(label for label in LABELS if label in names)


def _examples(at: Reading, folds: Folds, clips: Clips) -> Iterator[Example]:
    for clip, (label, group) in sorted(folds.items()):
        media = clips.find(at, clip)
        if media:
            yield Example(clip, media, first_split(group), label, group=group)
