"""Aff-Wild2: videos from the web, labelled frame by frame: eight expressions, twelve action units, valence and arousal.

    annotations/EXPR_Classification_Challenge/Train_Set/135-24-1920x1080.txt    a title, then a number per frame: 0 neutral,
                anger, disgust, fear, happiness, sadness, surprise, 7 other; -1: not labelled
    annotations/VA_Estimation_Challenge/Train_Set/….txt     "valence,arousal", then two numbers per frame; -5: none
    annotations/AU_Detection_Challenge/Train_Set/….txt      "AU1,AU2,…", then 0, 1 or -1 for each
    cropped_aligned/135-24-1920x1080/00001.jpg …            faces, counted from 1; frames without a face are absent

Kollias, Zafeiriou, BMVC 2019, and the ABAW challenges after it (their first two have seven expressions). Labels of the test
set were not handed out: the validation set is the test split here, and a dev split is to be cut from training. Spans are
runs of one expression; valence, arousal and units are waves of one value per frame, see `per_frame`. One video may show
two people ("_left", "_right"); who is in which video is not told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Span, Split, Wave
from mien.learn.data.frames import Frames, frames, joined
from mien.learn.data.lists import lines_of
from mien.learn.data.reading import Reading
from mien.learn.data.trees import PICTURES, Tree

LAYOUT = "affwild2"
LABELS = ("neutral", "anger", "disgust", "fear", "happiness", "sadness", "surprise", "others")  # 0 to 7
UNITS = ("AU01", "AU02", "AU04", "AU06", "AU07", "AU10", "AU12", "AU15", "AU23", "AU24", "AU25", "AU26")
EXPECTED = "EXPR_Classification_Challenge (or VA_Estimation…, AU_Detection…)/Train_Set/….txt beside cropped_aligned/…/00001.jpg"
_TASKS = {"expr": "expression", "va": "felt", "au": "units"}
_SETS: dict[str, Split] = {"train_set": "train", "training_set": "train", "validation_set": "test"}
_EMPTY = "is a video without faces here and was left out"
_ABSENT = "has labels but no faces here and was left out"
_SIDES = "is in the training set of one task and in the validation set of another; it was counted as test"
_BAD = "has a title that is not its task's and was left out"
_CODE = "has a label that is no class of its task; the frame is taken as not labelled"


def fits(root: Path) -> bool:
    """Whether there are folders of one of the challenges."""
    return bool(_sets(Tree(root), 2))


def read(root: Path) -> Dataset:
    """The videos. Raises MediaNotFound, UnreadableMedia, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    sets = _sets(at.tree, 3)
    faces = [one for one in at.tree.walk("", 2) if one.rpartition("/")[2].lower() in ("cropped_aligned", "cropped")]
    faces.sort(key=lambda one: not one.lower().endswith("aligned"))
    if not sets or not faces:
        at.refuse()
    files: dict[str, dict[str, str]] = {}  # video -> {task: file}
    splits: dict[str, Split] = {}
    for task, split, folder in sets:
        for name in at.tree.files(folder, (".txt",)):
            video = name[: -len(".txt")]
            files.setdefault(video, {}).setdefault(task, joined(folder, name))
            if splits.setdefault(video, split) != split:
                at.found.add("both_sides", _SIDES, video)
                splits[video] = "test"
    return at.done(_examples(at, files, splits, faces[0]), LABELS)


def _sets(tree: Tree, deepest: int) -> list[tuple[str, Split, str]]:
    """(task, split, folder), of each task the newest challenge's name first."""
    found: list[tuple[str, Split, str]] = []
    for folder in tree.walk("", deepest):
        task = folder.rpartition("/")[2].lower()
        if not task.endswith("_challenge") or task.partition("_")[0] not in _TASKS:
            continue
        for name in tree.folders(folder):
            split = _SETS.get(name.lower())
            if split:
                found.append((_TASKS[task.partition("_")[0]], split, joined(folder, name)))
    return found


def _examples(
    at: Reading, files: Mapping[str, Mapping[str, str]], splits: Mapping[str, Split], faces: str
) -> Iterator[Example]:
    for video in sorted(files):
        folder = at.tree.folder(joined(faces, video))
        if folder is None:
            at.found.add("absent_folder", _ABSENT, video)
            continue
        if not at.tree.files(folder, PICTURES):
            at.found.add("no_frames", _EMPTY, video)
            continue
        own = files[video]
        waves = [*_waves(at, own.get("felt"), ("valence", "arousal")), *_waves(at, own.get("units"), UNITS)]
        spans = _runs(at, own["expression"], frames(at.tree, folder)) if "expression" in own else ()
        if waves or spans:
            media = Media(at.tree.path(folder), "frames")
            yield Example(video, media, splits[video], spans=tuple(spans), waves=tuple(waves))


def _waves(at: Reading, name: str | None, channels: Sequence[str]) -> Iterator[Wave]:
    """One per column of the file that is a channel."""
    if name is None:
        return
    lines = lines_of(at, name)
    titles = [word.strip() for word in lines[0][1].split(",")] if lines else []
    if not set(titles) & set(channels):
        at.found.add("bad_title", _BAD, name)
        return
    for place, title in enumerate(titles):
        if title in channels:
            yield Wave(at.tree.path(name), title, 0.0, "affwild2", place)


def _runs(at: Reading, name: str, kept: Frames) -> list[Span]:
    """Runs of one expression over frames that are there and lie side by side in the folder."""
    lines = lines_of(at, name)
    if not lines or "," not in lines[0][1] or "neutral" not in lines[0][1].lower():
        at.found.add("bad_title", _BAD, name)
        return []
    classes = len(lines[0][1].split(","))
    told: list[tuple[int, str]] = []
    for where, line in lines[1:]:
        if line == "-1":
            continue
        if not (line.isdecimal() and len(line) == 1 and int(line) < min(classes, len(LABELS))):
            at.found.add("bad_label", _CODE, f"{name} {where}: {line[:20]}")
            continue
        place = kept.place(int(where.rpartition(" ")[2]) - 1)  # the title is line 1
        if place is not None:
            told.append((place, LABELS[int(line)]))
    runs = groupby(enumerate(told), key=lambda one: (one[1][0] - one[0], one[1][1]))
    spans = []
    for (_, label), run in runs:
        places = [place for _, (place, _) in run]
        spans.append(Span(places[0], None, places[-1], label, kind="frames"))
    return spans
