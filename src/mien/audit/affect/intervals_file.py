"""Two files of intervals, the true and the predicted ones, to data to judge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mien.audit.affect.data import AffectData, Spots
from mien.audit.data.found import Found
from mien.audit.data.sheet import Sheet, number, read
from mien.audit.metrics.recognition import F64
from mien.audit.metrics.spotting import Intervals
from mien.errors import InputError, UsageError

MICRO = 0.5  # s: a micro-expression is no longer (Yan et al., 2013; MEGC)
COLUMNS = ("video", "onset", "offset")
KINDS = ("micro", "macro")


def read_intervals(truth: Path, predicted: Path, fps: float = 0.0, frames: bool = False) -> AffectData:
    """CSV files with video, onset, offset and perhaps kind (micro, macro), label, score, subject; seconds, or frame
    numbers when `frames`. Without kinds, they follow from the length (0.5 s), where that is known in seconds.

    Raises MediaNotFound, InputError, UsageError for a frame rate that is none."""
    if fps < 0 or not np.isfinite(fps):
        raise UsageError(f"{fps:g} is no frame rate.", "Give frames per second, such as 30.")
    found = Found()
    sheets = read(truth, COLUMNS), read(predicted, COLUMNS)
    for sheet in sheets:
        for problem in sheet.found.problems():
            for case in problem.cases:
                found.add(problem.kind, problem.words, f"{sheet.name} {case}")
    scale = (1 / fps if fps else 0.0) if frames else 1.0
    ours = _intervals(sheets[0], found, frames, scale, true=True)
    theirs = _intervals(sheets[1], found, frames, scale, true=False)
    if not len(ours):
        raise InputError(f"{truth.name} has no interval that can be used.", "See that offset is not before onset.")
    ours, theirs = _kinds(ours, theirs, found)
    videos = np.unique(np.concatenate([ours.video, theirs.video]))
    owner = _owners(sheets, found)
    subjects = np.array([owner.get(str(video), "") or str(video) for video in videos], np.str_)
    whose = "people" if owner else "videos"
    source = f"{truth.name} and {predicted.name}"
    return AffectData(
        subjects=subjects,
        cases=tuple(map(str, videos)),
        unit=whose,
        spots=Spots(ours, theirs, videos, subjects, inclusive=frames),
        problems=found.problems(),
        source=source,
    )


def _intervals(sheet: Sheet, found: Found, frames: bool, scale: float, true: bool) -> Intervals:
    columns: dict[str, list[str]] = {"video": [], "kind": [], "label": []}
    numbers: list[tuple[float, float, float]] = []
    for where, row in sheet.rows:
        case = f"{sheet.name} {where}"
        onset, offset = number(row["onset"]), number(row["offset"])
        if not _usable(onset, offset, frames):
            what = "left out" if true else "counted as a false one"
            found.add("no_interval", f"Ends before it begins, or has no length or no time: {what}.", case)
            if true:
                continue
            onset, offset = 0.0, -1.0  # overlaps nothing
        assert onset is not None and offset is not None
        score = number(row["score"]) if "score" in sheet.columns else None
        if "score" in sheet.columns and (score is None or not np.isfinite(score)):
            found.add("no_score", "Has no finite score: ranked last.", case)
        kind = row.get("kind", "").lower() or _kind(offset - onset + (1 if frames else 0), scale)
        numbers.append((onset, offset, np.nan if score is None or not np.isfinite(score) else score))
        for name, value in (("video", row["video"]), ("kind", kind), ("label", row.get("label", "").casefold())):
            columns[name].append(value)
    times: F64 = np.array(numbers, np.float64).reshape(-1, 3)
    text = {name: np.array(values, np.str_) for name, values in columns.items()}
    return Intervals(text["video"], times[:, 0], times[:, 1], text["kind"], text["label"], times[:, 2])


def _usable(onset: float | None, offset: float | None, frames: bool) -> bool:
    if onset is None or offset is None or not np.isfinite([onset, offset]).all():
        return False
    return offset >= onset if frames else offset > onset


def _kind(length: float, scale: float) -> str:
    """From the length, where that is known in seconds."""
    if not scale or length <= 0:
        return ""
    return "micro" if length * scale <= MICRO + 1e-9 else "macro"


def _kinds(ours: Intervals, theirs: Intervals, found: Found) -> tuple[Intervals, Intervals]:
    """Where one side has no kinds at all and they could not be derived, both are judged without."""
    usable = theirs.offset >= theirs.onset
    known = (ours.kind != "").any(), (theirs.kind != "").any() or not usable.any()
    if all(known):
        return ours, theirs
    if any(known) and usable.any():
        words = "One file has kinds and the other has none: micro- and macro-expressions are not told apart."
        found.add("no_kinds", words, "column kind")
    none = [
        Intervals(one.video, one.onset, one.offset, np.full(len(one), ""), one.label, one.score)
        for one in (ours, theirs)
    ]
    return none[0], none[1]


def _owners(sheets: tuple[Sheet, Sheet], found: Found) -> Mapping[str, str]:
    """video -> subject, from whichever file names subjects."""
    owner: dict[str, str] = {}
    for sheet in sheets:
        for where, row in sheet.rows if "subject" in sheet.columns else ():
            known = owner.setdefault(row["video"], row["subject"])
            if row["subject"] and known != row["subject"]:
                found.add("video_of_two_people", f"Names another subject than {known}; that one is kept.", where)
    return owner
