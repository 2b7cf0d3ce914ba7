"""CK+: 593 sequences of 123 people from a neutral face to the apex of an expression; 327 carry an emotion.

    cohn-kanade-images/S005/001/S005_001_00000011.png …
    Emotion/S005/001/S005_001_00000011_emotion.txt      "3.0000000e+00": 1 anger, 2 contempt, 3 disgust, 4 fear,
                                                        5 happiness, 6 sadness, 7 surprise; absent for most
    FACS/S005/001/S005_001_00000011_facs.txt            lines of unit and intensity, 0: not stated

Lucey et al., The extended Cohn-Kanade dataset, CVPR Workshops 2010. There are no official splits. `group["fold"]` is the
usual cut into ten: subjects in the order of their numbers are dealt out in turn, those without an emotion as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Span
from mien.learn.data.frames import joined
from mien.learn.data.lists import lines_of
from mien.learn.data.reading import Reading
from mien.learn.data.trees import PICTURES, Tree, natural

LAYOUT = "ck_plus"
LABELS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")  # 1 to 7
EXPECTED = "cohn-kanade-images/S005/001/S005_001_00000001.png … beside Emotion and FACS"
FOLDS = 10
_PERSON = re.compile(r"S\d{3}")
_NOTES = ("emotion", "emotion_labels", "facs", "facs_labels", "landmarks")
_NO_FRAMES = "has no pictures and was left out"
_BAD_LABEL = "has no class from 1 to 7; the sequence is kept without an emotion"
_BAD_UNIT = "has no action unit and intensity; the line was left out"


def fits(root: Path) -> bool:
    """Whether folders of sequences and of their emotions or units are there."""
    tree = Tree(root)
    return bool(_holder(tree)) and bool(_notes(tree, "emotion") or _notes(tree, "facs"))


def read(root: Path) -> Dataset:
    """The sequences. Raises MediaNotFound, UnreadableMedia, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    held, emotions, facs = _holder(at.tree), _notes(at.tree, "emotion"), _notes(at.tree, "facs")
    if held is None or not (emotions or facs):
        at.refuse()
    people = [name for name in at.tree.folders(held) if _PERSON.fullmatch(name)]
    made = []
    for number, person in enumerate(people):
        for own in _sequences(at, held, person, emotions, facs):
            made.append(replace(own, group={"fold": str(number % FOLDS + 1)}))
    return at.done(made, LABELS)


def stills(dataset: Dataset, last: int = 3) -> Dataset:
    """The usual pictures of CK+: of each sequence with an emotion the last few frames, and its first as neutral."""
    made = []
    for one in dataset.examples:
        if one.label is None:
            continue
        files = sorted(
            (path for path in one.media.path.iterdir() if path.suffix.lower() in PICTURES),
            key=lambda path: natural(path.name),
        )
        chosen = [(files[0], "neutral"), *((path, one.label) for path in files[max(1, len(files) - last) :])]
        made += [
            replace(one, name=f"{one.name}/{path.stem}", media=Media(path), label=label, spans=())
            for path, label in chosen
        ]
    return replace(dataset, examples=tuple(made), labels=("neutral", *dataset.labels))


def _holder(tree: Tree) -> str | None:
    """The folder of the folders of people that holds pictures."""
    for folder in tree.walk("", 2):
        if folder.rpartition("/")[2].lower() in _NOTES:
            continue
        people = [name for name in tree.folders(folder) if _PERSON.fullmatch(name)]
        first = next(
            (one for name in people[:3] for one in tree.walk(joined(folder, name), 1) if tree.files(one, PICTURES)),
            None,
        )
        if first:
            return folder
    return None


def _notes(tree: Tree, kind: str) -> str | None:
    """The folder of emotions or units: the one of that name that holds people."""
    for folder in tree.walk("", 3):
        own = folder.rpartition("/")[2].lower()
        if own.startswith(kind) and any(_PERSON.fullmatch(name) for name in tree.folders(folder)):
            return folder
    return None


def _sequences(at: Reading, held: str, person: str, emotions: str | None, facs: str | None) -> Iterator[Example]:
    for sequence in at.tree.folders(joined(held, person)):
        name = f"{person}/{sequence}"
        count = len(at.tree.files(joined(held, name), PICTURES))
        if not count:
            at.found.add("no_frames", _NO_FRAMES, name)
            continue
        label = _emotion(at, emotions, name)
        units = _units(at, facs, name)
        span = Span(0, count - 1, count - 1, label or "", tuple(units))
        yield Example(
            name,
            Media(at.tree.path(joined(held, name)), "frames"),
            label=label,
            subject=person,
            values={unit: value for unit, value in units.items() if value > 0},
            spans=(span,),
        )


def _lines(at: Reading, notes: str | None, name: str, ending: str) -> Sequence[tuple[str, str]]:
    """The lines of the one file of a sequence; none where it has no file."""
    folder = at.tree.folder(joined(notes, name)) if notes else None
    files = [file for file in at.tree.files(folder, (".txt",)) if ending in file.lower()] if folder else []
    if not folder or not files:
        return ()
    path = joined(folder, files[0])
    if not at.tree.path(path).stat().st_size:
        return ()
    return [(f"{path} {where}", line) for where, line in lines_of(at, path)]


def _emotion(at: Reading, notes: str | None, name: str) -> str | None:
    for where, line in _lines(at, notes, name, "emotion"):
        number = _number(line)
        if number in range(1, len(LABELS) + 1):
            return LABELS[int(number) - 1]
        at.found.add("bad_label", _BAD_LABEL, f"{where}: {line[:40]}")
        return None
    return None


def _units(at: Reading, notes: str | None, name: str) -> Mapping[str, float]:
    """{"AU09": intensity 1 to 5, or 0 where it is not stated}."""
    units: dict[str, float] = {}
    for where, line in _lines(at, notes, name, "facs"):
        numbers = [_number(word) for word in line.split()]
        if len(numbers) != 2 or not 0 < numbers[0] < 100 or numbers[1] not in range(6):
            at.found.add("bad_unit", _BAD_UNIT, f"{where}: {line[:40]}")
            continue
        units[f"AU{int(numbers[0]):02d}"] = numbers[1]
    return units


def _number(text: str) -> float:
    """-1 for what is no whole number."""
    try:
        value = float(text)
    except ValueError:
        return -1
    return value if math.isfinite(value) and value.is_integer() else -1
