"""DISFA: 27 people watching a film, two cameras at 20 frames/s, intensity of twelve action units in each frame.

    ActionUnit_Labels/SN001/SN001_au1.txt …         lines "1,0": the frame, from 1, and the intensity 0 to 5
    Videos_LeftCamera/LeftVideoSN001_comp.avi       and Video_RightCamera/RightVideoSN001_comp.avi
    (or folders of frames of those names)

Mavadati et al., DISFA, IEEE TAC 4(2), 2013. There are no official splits. The three folds by subject are those of recent
comparisons, as written down in the code of ME-GraphAU; both cameras of a person are in one fold. The split is that of fold
1, see `protocols.under` ("fold 2"). Comparisons judge eight units (1 2 4 6 9 12 25 26), present from intensity 2.
Intensities are waves of one value per frame, see `per_frame`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Wave
from mien.learn.data.frames import joined
from mien.learn.data.lists import first_split, parts
from mien.learn.data.reading import Reading
from mien.learn.data.trees import PICTURES, VIDEOS, Tree

LAYOUT = "disfa"
UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
JUDGED = (1, 2, 4, 6, 9, 12, 25, 26)
PRESENT = 2  # intensity from which comparisons take a unit to be there
FPS = 20.0
EXPECTED = "ActionUnit_Labels/SN001/SN001_au1.txt … beside Videos_LeftCamera/LeftVideoSN001_comp.avi"
FOLDS = (
    "SN003 SN029 SN023 SN025 SN008 SN005 SN007 SN017 SN004",
    "SN013 SN018 SN011 SN028 SN012 SN006 SN031 SN021 SN024",
    "SN002 SN010 SN001 SN026 SN027 SN032 SN030 SN009 SN016",
)
_PERSON = re.compile(r"SN\d{3}", re.IGNORECASE)
_VIDEO = re.compile(r"(Left|Right)Video(SN\d{3})(_comp)?", re.IGNORECASE)
_ABSENT_UNIT = "is not there: the unit is not known for this person"
_NO_LABELS = "has a video but no intensities and was left out"
_NO_VIDEO = "has intensities but no video here and was left out"
_STRANGER = "is in none of the three folds; its videos have no split"


def fits(root: Path) -> bool:
    """Whether there are intensities of DISFA."""
    return _labels(Tree(root), 1) is not None


def read(root: Path) -> Dataset:
    """The videos, one per person and camera. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    labels = _labels(at.tree, 3)
    videos = _videos(at.tree)
    if labels is None or not videos:
        at.refuse()
    people = [name for name in at.tree.folders(labels) if _PERSON.fullmatch(name)]
    for person in {person for person, _ in videos} - {name.upper() for name in people}:
        at.found.add("no_labels", _NO_LABELS, person)
    return at.done((one for name in people for one in _examples(at, labels, name, videos)), ())


def _labels(tree: Tree, deepest: int) -> str | None:
    for folder in tree.walk("", deepest):
        first = next((name for name in tree.folders(folder) if _PERSON.fullmatch(name)), None)
        if first and any("_au" in name.lower() for name in tree.files(joined(folder, first), (".txt",))):
            return folder
    return None


def _videos(tree: Tree) -> dict[tuple[str, str], Media]:
    """{("SN001", "left"): where it lies}, videos before folders of frames."""
    found: dict[tuple[str, str], Media] = {}
    for folder in tree.walk("", 3):
        for name in tree.files(folder, VIDEOS):
            match = _VIDEO.fullmatch(name.rpartition(".")[0])
            if match:
                found[match[2].upper(), match[1].lower()] = Media(tree.path(joined(folder, name)), "video", fps=FPS)
        match = _VIDEO.fullmatch(folder.rpartition("/")[2])
        if match and tree.files(folder, PICTURES):
            found.setdefault((match[2].upper(), match[1].lower()), Media(tree.path(folder), "frames", fps=FPS))
    return found


def _examples(at: Reading, labels: str, name: str, videos: dict[tuple[str, str], Media]) -> Iterator[Example]:
    person = name.upper()
    waves = []
    for unit in UNITS:
        file = at.tree.file(joined(labels, name, f"{name}_au{unit}.txt"))
        if file:
            waves.append(Wave(at.tree.path(file), f"AU{int(unit):02d}", FPS, "disfa"))
        else:
            at.found.add("absent_unit", _ABSENT_UNIT, f"{name}_au{unit}.txt")
    group = parts(person, FOLDS)
    if not group:
        at.found.add("no_fold", _STRANGER, person)
    held = [camera for camera in ("left", "right") if (person, camera) in videos]
    if not held:
        at.found.add("absent_video", _NO_VIDEO, person)
    for camera in held if waves else ():
        media = videos[person, camera]
        yield Example(
            f"{person}/{camera}",
            media,
            first_split(group),
            subject=person,
            group={"camera": camera, **group},
            waves=tuple(waves),
        )
