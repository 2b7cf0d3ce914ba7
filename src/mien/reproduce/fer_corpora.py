"""Expression data for short experiments: FER2013 thinned class by class, and the labelled photos of LFW by person."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.errors import InputError
from mien.learn.data.example import Dataset, Example, Media
from mien.learn.data.layouts import fer2013
from mien.learn.data.words import EIGHT, emotion

FER, LFW = "fer2013.zip", "lfw_grey.zip"


def fer(path: Path, sizes: Mapping[str, int], seed: int = 0) -> Dataset:
    """FER2013 with so many pictures of a split ({"train": 5000}), the classes as they come; splits not named stay whole.

    Raises MediaNotFound, UnreadableMedia, InputError."""
    source = fer2013.read(path)
    random = np.random.default_rng([seed, 3])
    kept: list[Example] = []
    for split in ("train", "dev", "test"):
        chosen = source.of(split).examples
        kept += _stratified(chosen, sizes.get(split, len(chosen)), random)
    return replace(source, examples=tuple(kept))


def _stratified(chosen: tuple[Example, ...], total: int, random: np.random.Generator) -> list[Example]:
    """About `total` of them, of each class its share but at least one."""
    if total >= len(chosen):
        return list(chosen)
    kept: list[Example] = []
    for rows in _by_label(chosen).values():
        count = max(1, round(total * len(rows) / len(chosen)))
        kept += [rows[index] for index in np.sort(random.permutation(len(rows))[:count])]
    return kept


def _by_label(chosen: tuple[Example, ...]) -> dict[str, list[Example]]:
    rows: dict[str, list[Example]] = defaultdict(list)
    for one in sorted(chosen, key=lambda example: example.name):
        rows[str(one.label)].append(one)
    return dict(sorted(rows.items()))


def lfw(path: Path, most: int, seed: int = 0) -> Dataset:
    """LFW's photos with one rater's label in expressions.csv, at most so many of a class, subjects named, no split.

    Raises InputError for another archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("expressions.csv")]
            rows = list(csv.DictReader(io.StringIO(archive.read(names[0]).decode("utf8")))) if names else []
            held = set(archive.namelist())
    except (zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Give the reference data.") from error
    every = tuple(
        Example(row["path"], Media(path, member=row["path"]), label=emotion(row["expression"]), subject=row["person"])
        for row in rows
        if row.get("path") in held
    )
    if not every:
        raise InputError(f"{path} has no expressions.csv that names its photos.", "Give the reference data.")
    random = np.random.default_rng([seed, 4])
    kept: list[Example] = []
    for found in _by_label(every).values():
        kept += [found[index] for index in np.sort(random.permutation(len(found))[:most])]
    return Dataset("lfw_expressions", tuple(kept), EIGHT)
