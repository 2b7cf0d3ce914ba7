"""Data in the layouts that official data sets have, so that whatever reads those reads ours. Which is which, the manifest says.

Every layout also has `truth/NAME.json` per clip, `index.csv` and `synthetic.json`: official layouts have no place for most of
what is known here. Data sets with one video per subject (UBFC-rPPG, DISFA) get one: subjects take the program's
expressions in turn.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mien.errors import UsageError
from mien.learn.data.layouts import bp4d, disfa
from mien.learn.synth import sinks
from mien.learn.synth.people import levels
from mien.learn.synth.program import Expression
from mien.learn.synth.truth import FrameTruth, Truth

if TYPE_CHECKING:
    from mien.learn.synth.manifest import Wanted

Truths = Callable[[], Iterator[Truth]]

FER_CLASSES = {"anger": "angry", "disgust": "disgust", "fear": "fear", "happiness": "happy", "neutral": "neutral"} | {
    "sadness": "sad",
    "surprise": "surprise",
}
DFEW_CLASSES = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")  # 1 to 7
CASME2_CLASSES = ("happiness", "disgust", "repression", "surprise", "sadness", "fear", "others")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the pixels of a clip go, and what lists there are."""

    kind: Literal["stills", "clips", ""]  # "": either
    media: Callable[[Truth, Wanted], dict[str, str]]  # {"picture" | "frames" | "video": place from the root}
    finish: Callable[[Path, Truths, Wanted], None]
    names: Callable[[Wanted], str] = lambda wanted: "{:04d}.jpg" if wanted.jpeg else "{:04d}.png"  # of frames
    grey: bool = False
    single: bool = False  # one clip per subject
    size: int = 128  # px, where none is asked for
    fps: float = 30.0
    once: bool = False  # one expression per clip
    classes: tuple[str, ...] = ()  # labels it can hold; empty: any


def check(wanted: Wanted) -> None:
    """Raises UsageError for what a layout cannot hold, and for groups that there are none of."""
    layout = LAYOUTS[wanted.layout]
    if layout.kind and layout.kind != wanted.kind:
        raise UsageError(f"The layout {wanted.layout} holds {layout.kind}.", f"Ask for --kind {layout.kind}.")
    unknown = [label for label in wanted.program.labels if layout.classes and label not in layout.classes]
    if unknown:
        raise UsageError(
            f"The layout {wanted.layout} has no class '{unknown[0]}'.",
            f"It has {', '.join(layout.classes)}; or use --layout plain.",
        )
    if layout.once and any(_several(one) for one in wanted.program.expressions):
        raise UsageError(
            f"The layout {wanted.layout} holds one expression per clip.", "Use a program with one event each, or plain."
        )
    if wanted.layout == "bp4d" and _each(wanted) > 9:
        raise UsageError(f"BP4D has 9 tasks, not {_each(wanted)}.", "Use fewer expressions or repeats.")
    for name, count in wanted.groups.items():
        levels(name, count)
    if wanted.video and wanted.size % 2:
        raise UsageError(f"A video of {wanted.size} px is not possible.", "Give an even --size.")


def _several(expression: Expression) -> bool:
    return len(expression.events) > 1 or any(event.count[1] > 1 for event in expression.events)


def split_of(subject: str) -> str:
    """train, dev or test (8 : 1 : 1 on average) by a subject's name alone: nobody is on two sides."""
    share = zlib.crc32(subject.encode()) % 10
    return "dev" if share == 8 else "test" if share == 9 else "train"


# -- plain -------------------------------------------------------------------------------------------------------------


def _plain(head: Truth, wanted: Wanted) -> dict[str, str]:
    if wanted.kind == "stills":
        return {"picture": f"stills/{head.name}.{'jpg' if wanted.jpeg else 'png'}"}
    return {"video": f"clips/{head.name}.mp4"} if wanted.video else {"frames": f"clips/{head.name}"}


def _nothing(root: Path, truths: Truths, wanted: Wanted) -> None:
    """No lists beside index.csv."""


# -- FER2013 as folders ------------------------------------------------------------------------------------------------


def _fer2013(head: Truth, wanted: Wanted) -> dict[str, str]:
    split = {"train": "train", "dev": "public_test", "test": "private_test"}[split_of(head.subject)]
    words = {"train": "Training", "public_test": "PublicTest", "private_test": "PrivateTest"}[split]
    return {"picture": f"fer2013/{split}/{FER_CLASSES[head.label]}/{words}_{head.number + 1}.jpg"}


# -- DFEW --------------------------------------------------------------------------------------------------------------


def _dfew(head: Truth, wanted: Wanted) -> dict[str, str]:
    return {"frames": f"Clip/clip_224x224/{head.number + 1:05d}"}


def _dfew_lists(root: Path, truths: Truths, wanted: Wanted) -> None:
    """Five folds by subject: fold k tests on every fifth subject. The votes are ten, shared out as the soft label is."""
    rows = [(truth.number + 1, truth.subject, truth.label, dict(truth.soft), truth.noisy) for truth in truths()]
    people = sorted({subject for _, subject, *_ in rows})
    fold = {subject: number % 5 for number, subject in enumerate(people)}
    lists = root / "EmoLabel_DataSplit"
    for number in range(5):
        for part, wants in (("train", False), ("test", True)):
            found = [
                (f"{name:05d}", DFEW_CLASSES.index(label) + 1)
                for name, subject, label, _, _ in rows
                if (fold[subject] == number) is wants
            ]
            write_csv(lists / f"{part}(single-labeled)" / f"set_{number + 1}.csv", ("video_name", "label"), found)
    titles = ["order", *(f"{place}{name}" for place, name in enumerate(_DFEW_WORDS, 1)), "label"]
    votes = [
        (name, *_votes({label: 1.0} if noisy else soft), DFEW_CLASSES.index(label) + 1)
        for name, _, label, soft, noisy in rows
    ]
    write_book(root / "annotation" / "annotation.xlsx", titles, votes)


_DFEW_WORDS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")


def _votes(soft: Mapping[str, float]) -> list[int]:
    """Ten raters' votes, by largest remainders."""
    exact = [10 * soft.get(name, 0.0) for name in DFEW_CLASSES]
    votes = [int(one + 1e-9) for one in exact]
    for place in sorted(range(7), key=lambda at: votes[at] - exact[at])[: 10 - sum(votes)]:
        votes[place] += 1
    return votes


# -- CASME II ----------------------------------------------------------------------------------------------------------


def _casme2(head: Truth, wanted: Wanted) -> dict[str, str]:
    return {"frames": f"Cropped/sub{_place(head):02d}/EP{head.number + 1:04d}"}


def _casme2_lists(root: Path, truths: Truths, wanted: Wanted) -> None:
    """One row per interval. Frames are counted from 1, as the files are; units as the coders write them."""
    titles = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion")
    rows = [
        (
            f"{_place(truth):02d}",
            f"EP{truth.number + 1:04d}",
            *(frame + 1 for frame in one.frames),
            "+".join(_coded(unit) for unit in one.units),
            truth.label if len(truth.intervals) == 1 else one.label,
        )
        for truth in truths()
        for one in truth.intervals
    ]
    write_book(root / "CASME2-coding-20140508.xlsx", titles, rows)


def _coded(unit: str) -> str:
    """AU04 as 4, AU12R as R12."""
    side = unit[-1] if unit[-1] in "LR" else ""
    return f"{side}{int(unit.removeprefix('AU').rstrip('LR'))}"


# -- UBFC-rPPG ---------------------------------------------------------------------------------------------------------


def _ubfc(head: Truth, wanted: Wanted) -> dict[str, str]:
    return {"video": f"subject{_place(head)}/vid.avi"}


def _ubfc_lists(root: Path, truths: Truths, wanted: Wanted) -> None:
    """ground_truth.txt as in the second part of UBFC-rPPG: the wave, the rate in bpm, the time in s, a line each."""
    for truth in truths():
        lines = (
            [f"{frame.pulse: .7e}" for frame in truth.frames],
            [f"{frame.heart_rate: .7e}" for frame in truth.frames],
            [f"{frame.time: .7e}" for frame in truth.frames],
        )
        with sinks.whole(root / f"subject{_place(truth)}" / "ground_truth.txt") as part:
            part.write_text("\n".join("  ".join(line) for line in lines) + "\n", encoding="utf8")


# -- DISFA -------------------------------------------------------------------------------------------------------------


def _disfa(head: Truth, wanted: Wanted) -> dict[str, str]:
    return {"video": f"Videos_LeftCamera/LeftVideo{_named(head, disfa.FOLDS, 'SN')}_comp.avi"}


def _disfa_lists(root: Path, truths: Truths, wanted: Wanted) -> None:
    """A file per subject and unit: the frame, from 1, and its intensity 0 to 5, that of the stronger side."""
    for truth in truths():
        person = _named(truth, disfa.FOLDS, "SN")
        for number in disfa.UNITS:
            lines = [f"{place},{_steps(frame, number)}" for place, frame in enumerate(truth.frames, 1)]
            with sinks.whole(root / "ActionUnit_Labels" / person / f"{person}_au{number}.txt") as part:
                part.write_text("\n".join(lines) + "\n", encoding="utf8")


# -- BP4D --------------------------------------------------------------------------------------------------------------


def _bp4d(head: Truth, wanted: Wanted) -> dict[str, str]:
    return {"frames": f"Sequences/{_named(head, bp4d.FOLDS, 'F')}/T{_task(head, wanted)}"}


def _bp4d_lists(root: Path, truths: Truths, wanted: Wanted) -> None:
    """A table per sequence: the frame, from 1, and which units are there, from intensity A on."""
    for truth in truths():
        path = root / "AUCoding" / "AU_OCC" / f"{_named(truth, bp4d.FOLDS, 'F')}_T{_task(truth, wanted)}.csv"
        rows = [
            (place, *(int(_steps(frame, number) > 0) for number in bp4d.UNITS))
            for place, frame in enumerate(truth.frames, 1)
        ]
        write_csv(path, ("0", *map(str, bp4d.UNITS)), rows)


def _task(truth: Truth, wanted: Wanted) -> int:
    """Which of a subject's clips, from 1."""
    return truth.number % _each(wanted) + 1


def _each(wanted: Wanted) -> int:
    return wanted.repeats * sum(one.repeats for one in wanted.program.expressions)


# -- what they share ---------------------------------------------------------------------------------------------------


def _place(truth: Truth) -> int:
    """A subject's number, from 1."""
    return int(truth.subject.lstrip("s"))


def _named(truth: Truth, folds: Sequence[str], letters: str) -> str:
    """A subject's name in a data set: the names that its folds have, as long as there are some."""
    names = sorted(name for fold in folds for name in fold.split())
    place = _place(truth) - 1
    return names[place] if place < len(names) else f"{letters}{100 + place:03d}"


def _steps(frame: FrameTruth, number: int) -> int:
    """A unit's intensity 0 to 5 on the stronger side."""
    return round(5 * max(frame.units.get(f"AU{number:02d}", (0.0, 0.0))))


def write_csv(path: Path, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table with titles."""
    with sinks.whole(path) as part, part.open("w", newline="", encoding="utf8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(titles)
        writer.writerows(rows)


def write_book(path: Path, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A workbook of one sheet, the same bytes for the same rows; a CSV of that name where openpyxl is absent."""
    try:
        from openpyxl import Workbook
    except ImportError:
        write_csv(path.with_suffix(".csv"), titles, rows)
        return
    book = Workbook()
    page = book.active
    for row in (titles, *rows):
        page.append(list(row))
    data = BytesIO()
    book.save(data)
    with sinks.whole(path) as part, zipfile.ZipFile(data) as made, zipfile.ZipFile(part, "w") as kept:
        for name in made.namelist():
            content = re.sub(rb"\d{4}-\d\d-\d\dT[\d:.]+Z", b"2000-01-01T00:00:00Z", made.read(name))
            kept.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # ZipInfo: no date of today


LAYOUTS: Mapping[str, Layout] = {
    "plain": Layout("", _plain, _nothing),
    "fer2013": Layout("stills", _fer2013, _nothing, grey=True, size=48, classes=tuple(FER_CLASSES)),
    "dfew": Layout("clips", _dfew, _dfew_lists, lambda wanted: "{+:05d}.jpg", size=224, classes=DFEW_CLASSES),
    "casme2": Layout("clips", _casme2, _casme2_lists, lambda wanted: "reg_img{+:d}.jpg", fps=200.0, once=True),
    "ubfc": Layout("clips", _ubfc, _ubfc_lists, single=True),
    "disfa": Layout("clips", _disfa, _disfa_lists, fps=20.0, single=True),
    "bp4d": Layout("clips", _bp4d, _bp4d_lists, lambda wanted: "{+:d}.jpg", fps=25.0),
}
