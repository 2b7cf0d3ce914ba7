"""BP4D-Spontaneous: 41 people in eight tasks, two-dimensional frames coded for the presence of action units.

    Sequences(2D+3D)/F001/T1/2440.jpg …             or another folder of F001/T1
    AUCoding/AU_OCC/F001_T1.csv                     a row of unit numbers, then a row per frame: its number, and 0, 1 or 9
                                                    (cannot be told) for each unit

Zhang et al., BP4D-Spontaneous, Image and Vision Computing 32(10), 2014. `UNITS` are the twelve that are usually judged.
The three folds by subject are those that comparisons use since Zhao et al., Deep region and multi-label learning, CVPR
2016, as written down in the code of ME-GraphAU. The split is that of fold 1, see `protocols.under` ("fold 2"). Units are
waves of one value per coded frame, see `per_frame`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Span, Wave
from mien.learn.data.frames import frames, holders, joined, whole
from mien.learn.data.lists import first_split, lines_of, parts
from mien.learn.data.reading import Reading
from mien.learn.data.trees import Tree

LAYOUT = "bp4d"
UNITS = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
EXPECTED = "AUCoding/AU_OCC/F001_T1.csv … beside folders F001/T1/ of frames"
FPS = 25.0
FOLDS = (
    "F007 F015 F006 F019 M006 M009 F012 M003 F004 F021 F017 M015 F014",
    "M011 F003 M010 M002 F005 F022 M018 M017 F013 M016 F020 F011 M013 M005",
    "F001 M007 F018 F008 F002 M004 F010 F009 M012 M001 F016 M014 F023 M008",
)  # fmt: skip
_NAME = re.compile(r"([FM]\d{3})_(T\d)\.csv", re.IGNORECASE)
_BAD_TABLE = "has no row of unit numbers with the twelve that are judged, or no coded frame, and was left out"
_UNCODED = "has frames but no table of units and was left out"
_ABSENT = "has a table of units but no frames here and was left out"
_NONE = "has no coded frame in its folder and was left out"
_STRANGER = "is in none of the three folds; its sequences have no split"


def fits(root: Path) -> bool:
    """Whether there are tables of BP4D."""
    return bool(_tables(Tree(root), 2))


def read(root: Path) -> Dataset:
    """The sequences. Raises MediaNotFound, UnreadableMedia, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    tables = _tables(at.tree, 4)
    held = holders(at.tree, r"[FM]\d{3}", ("sequences", "images", "2d"))
    if not tables or not held:
        at.refuse()
    for person in at.tree.folders(held[0]):
        for task in at.tree.folders(joined(held[0], person)) if re.fullmatch(r"[FM]\d{3}", person) else ():
            if (person.upper(), task.upper()) not in tables and re.fullmatch(r"T\d", task, re.IGNORECASE):
                at.found.add("no_table", _UNCODED, f"{person}/{task}")
    return at.done(_examples(at, tables, held[0]), ())


def _tables(tree: Tree, deepest: int) -> dict[tuple[str, str], str]:
    """{("F001", "T1"): file}, of presence where there are tables of intensity as well."""
    found: dict[tuple[str, str], str] = {}
    for folder in tree.walk("", deepest):
        if folder.rpartition("/")[2].lower() not in ("au_occ", "aucoding", "au_occurrence"):
            continue
        for name in tree.files(folder, (".csv",)):
            match = _NAME.fullmatch(name)
            if match:
                found[match[1].upper(), match[2].upper()] = joined(folder, name)
    return found


def _examples(at: Reading, tables: dict[tuple[str, str], str], held: str) -> Iterator[Example]:
    strangers: set[str] = set()
    for (person, task), name in sorted(tables.items()):
        folder = at.tree.folder(joined(held, person, task))
        if folder is None:
            at.found.add("absent_folder", _ABSENT, f"{person}/{task}")
            continue
        lines = lines_of(at, name) if at.tree.path(name).stat().st_size else []
        columns = {title.strip(): place for place, title in enumerate(lines[0][1].split(","))} if lines else {}
        coded = [whole(line.partition(",")[0]) for _, line in lines[1:]]
        if not all(str(unit) in columns for unit in UNITS) or not coded:
            at.found.add("bad_table", _BAD_TABLE, name)
            continue
        kept = frames(at.tree, folder)
        places = [place for number in coded if number is not None and (place := kept.place(number)) is not None]
        if not places:
            at.found.add("no_frames", _NONE, f"{person}/{task}")
            continue
        group = {"task": task, **parts(person, FOLDS)}
        if "fold" not in group and person not in strangers:
            strangers.add(person)
            at.found.add("no_fold", _STRANGER, person)
        yield Example(
            f"{person}/{task}",
            Media(at.tree.path(folder), "frames", fps=FPS),
            first_split(group),
            subject=person,
            group=group,
            spans=(Span(min(places), None, max(places), kind="coded"),),
            waves=tuple(
                Wave(at.tree.path(name), f"AU{int(unit):02d}", 0.0, "bp4d", columns[str(unit)]) for unit in UNITS
            ),
        )
