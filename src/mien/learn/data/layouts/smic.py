"""SMIC: 16 subjects, micro-expressions filmed by three cameras: HS (100 frames/s), VIS and NIR (25 frames/s).

    HS/s01/micro/negative/s01_ne_01/*.bmp       also positive, surprise; and s01/non_micro/s01_non_micro_01
    HS/s01/s01_ne_01/*.jpg                       the extended version, with SMIC-HS-E_annotation.xlsx:
                                                 Subject, Filename, FirstF, OnsetF, ApexF, OffsetF, Emotion

Layouts as read by MEAN and by loaders of SMIC_all_cropped. There are no official splits: folds are cut by subject. Clips
without a micro-expression have no label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Span
from mien.learn.data.frames import frames, whole
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import table
from mien.learn.data.trees import Tree

LAYOUT = "smic"
FPS = {"HS": 100.0, "VIS": 25.0, "NIR": 25.0}
LABELS = ("negative", "positive", "surprise")
EXPECTED = "folders HS, VIS or NIR of subjects (s1 or s01, …) of clips (micro/negative/s1_ne_01 or s01_ne_01) of frames"
_CLIP = re.compile(r"s(\d{1,2})_(ne|po|sur|su|non_micro|nonmicro|n)_?(\d{1,3})", re.IGNORECASE)
_WORDS = {"ne": "negative", "po": "positive", "su": "surprise", "sur": "surprise"}
_TABLE = r"SMIC-(HS|VIS|NIR)-E_annotation.*\.(xlsx|csv)"
_COLUMNS = {
    "subject": (), "filename": (), "first": ("FirstF",), "onset": ("OnsetF",), "apex": ("ApexF",),
    "offset": ("OffsetF",), "emotion": (),
}  # fmt: skip


def fits(root: Path) -> bool:
    """Whether the folder has cameras of SMIC with subjects in them."""
    return bool(_cameras(Tree(root)))


def read(root: Path) -> Dataset:
    """The clips of all cameras, which `group["camera"]` tells apart. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    cameras = _cameras(at.tree)
    if not cameras:
        at.refuse()
    examples = [one for camera, folder in cameras for one in _clips(at, camera, folder)]
    return at.done(examples, tuple(word for word in LABELS if any(one.label == word for one in examples)))


def _cameras(tree: Tree) -> list[tuple[str, str]]:
    """Cameras and the folders that hold their subjects; of several copies of a camera the nearest to the root."""
    found: dict[str, str] = {}
    for folder in tree.walk("", 4):
        camera = folder.rpartition("/")[2].upper()
        if camera not in FPS or camera in found:
            continue
        if any(re.fullmatch(r"s\d{1,2}", name, re.IGNORECASE) for name in tree.folders(folder)):
            found[camera] = folder
    return sorted(found.items())


def _clips(at: Reading, camera: str, held: str) -> Iterator[Example]:
    spans = _spans(at, camera)
    for subject in at.tree.folders(held):
        for folder in at.tree.walk(f"{held}/{subject}", 3):
            match = _CLIP.fullmatch(folder.rpartition("/")[2])
            if not match:
                continue
            clip, label = folder.rpartition("/")[2], _WORDS.get(match[2].lower())
            kept = frames(at.tree, folder)
            if not len(kept):
                at.found.add("empty_folder", "holds no frames and was left out", f"{camera}/{clip}")
                continue
            shelf = folder.split("/")[-2].lower()
            if label and shelf in LABELS and shelf != label:
                at.found.add("label_against_name", "lies among clips of another label and was left out", folder)
                continue
            span = spans.get(clip.lower()) if label else None
            if label and span and span.offset >= len(kept):
                at.found.add("bad_interval", "has no interval that can be used and was left out", f"{camera}/{clip}")
                continue
            whole = Span(0, None, len(kept) - 1, label, kind="micro") if label else None
            yield Example(
                name=f"{camera}/{clip}",
                media=Media(at.tree.path(folder), "frames", fps=FPS[camera]),
                label=label,
                subject=f"s{int(match[1]):02d}",
                group={"camera": camera, "kind": "micro" if label else "non_micro"},
                spans=tuple(filter(None, (span or whole,))),
            )


def _spans(at: Reading, camera: str) -> dict[str, Span]:
    """The intervals of the extended version by clip, as places in the clip's folder."""
    spans: dict[str, Span] = {}
    for name in at.tree.search(_TABLE, deepest=4):
        if f"-{camera}-" not in name.upper():
            continue
        for where, row in table(at.tree.path(name), _COLUMNS, ("filename", "onset", "offset")).rows:
            if not row["filename"]:  # notes below the table
                continue
            cells = (row["onset"], row["apex"], row["offset"])
            span = at.span(f"{name.rpartition('/')[2]} {where}", cells, None)
            first = whole(row["first"]) or 0
            if span and span.onset >= first:
                apex = None if span.apex is None else span.apex - first
                spans[row["filename"].lower()] = Span(
                    span.onset - first, apex, span.offset - first, row["emotion"].lower(), kind="micro"
                )
    return spans
