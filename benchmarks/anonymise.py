"""Is identity gone from hidden faces? And how fast are they hidden?

Photos of several sets are edited with every editor at its default strength, all faces that the watchful detector finds.
Per photo the largest face of the default detector counts. Asked are, for the default embedder at its threshold for FMR 1e-3:

  same photo      is the edited face accepted as the original one (found anew by the detector, and at the known place)?
  pairs           are two photos of one person accepted, before, and with one of them edited (at the known place)?
  both edited     an attacker who edits his own photos in the same way: share of genuine pairs accepted at a threshold for
                  FMR 1e-2 chosen on those very pairs, and share of photos whose likest other photo shows the same person,
                  by embedder and by plain colours (`chance` is what guessing gives)

A photo whose edited face is not found any more is a failure of finding, counted by itself; at the known place nothing fails.
Photos without a face to begin with are counted and left out. The cells beyond those allowed are measured to show why.
Of lfw_grey, people of the half that no threshold came from are drawn, two photos of each.

With --video: how fast is it at 720p, and of the faces that another detector sees in videos, how many are hidden?

    python benchmarks/anonymise.py [--data ../shared/data] [--people 100] [--cells 12 16 24]
    python benchmarks/anonymise.py --video [--frames 60] [--other yunet]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from accuracy import F32, Photo, halves, photos
from record import save

from mien import detect, edit, embed, media, models
from mien.audit.metrics import tar_at_fmr, wilson
from mien.detect.boxes import overlaps
from mien.detect.track import Tracker, TrackerOptions
from mien.edit.region import region
from mien.protocols import Detector, Embedder
from mien.types import U8, Face, Frame

SAME = 0.2  # shared part of the union from which a face found anew is the one that was hidden
TINY = 16  # px: side of what the attacker by plain colours compares


@dataclass
class Seen:
    """A photo with its largest face and all that are to be hidden."""

    photo: Photo
    face: Face
    hide: list[Face]


def some(data: Path, kind: str, people: int) -> list[Photo]:
    """The photos of a set."""
    found = photos(data, kind)
    if kind != "lfw_grey":
        return found
    names = np.unique([photo.person for photo in found])
    judging = set(names[~halves(data, names)].tolist())
    of: dict[str, list[Photo]] = {}
    for photo in found:
        if photo.person in judging:
            of.setdefault(photo.person, []).append(photo)
    able = sorted(name for name, own in of.items() if len(own) > 1)
    drawn = np.random.default_rng(0).choice(able, min(people, len(able)), replace=False)
    return [photo for name in sorted(drawn) for photo in of[name][:2]]


def seen(pictures: Sequence[Photo], usual: Detector, watchful: Detector) -> Iterator[Seen]:
    """Those with a face. The largest face is hidden even where the watchful detector sees it not: it is what is judged."""
    for photo in pictures:
        frame = Frame(photo.read(), photo.name)
        found, hide = usual.detect([frame])[0], watchful.detect([frame])[0]
        if found:
            yield Seen(photo, found[0], hide or found[:1])


def missed(all_seen: Sequence[Seen]) -> int:
    """Faces that the watchful detector did not see where the usual one did."""
    return sum(not any(overlap(one.face, face) >= SAME for face in one.hide) for one in all_seen)


def overlap(one: Face, other: Face) -> float:
    return float(overlaps(one.box[None], other.box[None])[0, 0])


def vectors(embedder: Embedder, faces: Sequence[Face]) -> F32:
    """(n, D)."""
    return np.stack([template.vector for template in embedder.embed(faces)])


def small(pixels: U8, face: Face) -> F32:
    """The hidden region as a few colours, centred and of unit length."""
    x0, y0, x1, y1 = region(face, 1.1).bounds()
    size = (max(2, int(x1 - x0)), max(2, int(y1 - y0)))
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    cut = cv2.getRectSubPix(pixels, size, centre) if max(size) < 4000 else pixels
    values = cv2.resize(cut, (TINY, TINY), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def share(hits: int, of: int) -> dict[str, Any]:
    metric = wilson(hits, of)
    return {"value": round(metric.value, 4), "low": round(metric.low, 4), "high": round(metric.high, 4), "n": metric.n}


def nearest(found: F32, person: Any) -> int:
    """Photos whose likest other photo shows the same person."""
    scores = found @ found.T
    np.fill_diagonal(scores, -np.inf)
    return int((person[scores.argmax(1)] == person).sum())


def judged(
    all_seen: Sequence[Seen], editor: edit.Hide, usual: Detector, embedder: Embedder, threshold: float
) -> dict[str, Any]:
    """What an editor leaves of identity."""
    person = np.unique([one.photo.person for one in all_seen], return_inverse=True)[1]
    before = vectors(embedder, [one.face for one in all_seen])
    placed, tiny, anew, again, lost = [], [], [], [], 0
    for number, one in enumerate(all_seen):
        frame = editor.edit(one.face.frame, one.hide)
        placed.append(replace(one.face, frame=frame))
        tiny.append(small(frame.pixels, one.face))
        near = [face for face in usual.detect([frame])[0] if overlap(face, one.face) >= SAME]
        if near:
            anew.append(near[0])
            again.append(number)
        else:
            lost += 1
    after = vectors(embedder, placed)
    found = vectors(embedder, anew) if anew else np.zeros((0, before.shape[1]), np.float32)
    n = len(all_seen)
    row = {
        "detector finds it": share(len(anew), n),
        "same photo, found anew": share(int(((found * before[again]).sum(1) >= threshold).sum()), n),
        "same photo, known place": share(int(((after * before).sum(1) >= threshold).sum()), n),
    }
    one, other = np.triu_indices(n, 1)
    same = person[one] == person[other]
    if not same.any():
        return row
    row["pairs before"] = share(int(((before[one] * before[other]).sum(1)[same] >= threshold).sum()), int(same.sum()))
    crossed = np.r_[(before[one] * after[other]).sum(1)[same], (after[one] * before[other]).sum(1)[same]]
    row["pairs, one edited"] = share(int((crossed >= threshold).sum()), len(crossed))
    strangers = np.r_[(before[one] * after[other]).sum(1)[~same], (after[one] * before[other]).sum(1)[~same]]
    row["strangers, one edited"] = share(int((strangers >= threshold).sum()), len(strangers))
    both = (after[one] * after[other]).sum(1).astype(np.float64)
    row["both edited, TAR at FMR 1e-2"] = round(float(tar_at_fmr(both[same], both[~same], 1e-2)), 4)
    row["likest photo, embedder"] = share(nearest(after, person), n)
    row["likest photo, colours"] = share(nearest(np.stack(tiny), person), n)
    row["likest photo, before"] = share(nearest(before, person), n)
    counts = np.bincount(person)
    row["chance"] = round(float((counts * (counts - 1)).sum() / (n * (n - 1))), 4)
    return row


def bold(cells: int) -> edit.Hide:
    """An editor of blocks with more cells than it allows."""
    editor = edit.load("pixelate")
    object.__setattr__(editor, "cells", cells)
    return editor


def speed(clip: Path, watchful: Detector, most: int) -> dict[str, Any]:
    """ms of processor time per frame of 720p: finding with tracking, hiding, writing."""
    frames = []
    with media.open_video(clip) as video:
        fps = video.fps
        for frame in video.frames():
            frames.append(replace(frame, pixels=np.asarray(cv2.resize(frame.pixels, (1280, 720)), np.uint8)))
            if len(frames) == most:
                break
    started = time.process_time()
    plan = edit.plan(frames, Tracker(watchful, TrackerOptions(**edit.TRACKING)).update)
    spent: dict[str, Any] = {"clip": clip.name, "frames": len(frames), "faces hidden": plan.hidden()}
    finding = time.process_time() - started
    spent["finding_ms"] = round(1000 * finding / len(frames), 2)
    for how in edit.HOW:
        started = time.process_time()
        edited = [one.frame for one in plan.apply(frames, edit.load(how))]
        hiding = time.process_time() - started
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            media.write_video(edited, Path(folder, "out.mp4"), fps=fps, mark=how)
            writing = time.process_time() - started
        spent[how] = {
            "hiding_ms": round(1000 * hiding / len(frames), 2),
            "writing_ms": round(1000 * writing / len(frames), 2),
            "fps of one core, without decoding": round(len(frames) / (finding + hiding + writing), 1),
        }
    return spent


def covered(clip: Path, watchful: Detector, other: Detector, editor: edit.Hide, most: int) -> dict[str, Any]:
    """Faces that another detector sees in a video: is the middle of each in what is hidden, and does it see them after?"""
    frames = list(islice(media.frames_of(clip), 2 * most))
    plan = edit.plan(frames, Tracker(watchful, TrackerOptions(**edit.TRACKING)).update)
    looked = set(np.linspace(0, len(frames) - 1, min(most, len(frames))).astype(int).tolist())
    inside = total = left = 0
    for number, edited in enumerate(plan.apply(frames, editor)):
        if number not in looked:
            continue
        places = [region(face, editor.margin) for face in edited.hidden]
        for face in other.detect([frames[number]])[0]:
            middle = (face.box[None, :2] + face.box[None, 2:]).astype(np.float64) / 2
            inside += any(float(np.hypot(*place.within(middle)[0])) <= 1 for place in places)
            total += 1
        left += len(other.detect([edited.frame])[0])
    row = {"frames": len(frames), "looked at": len(looked), "faces seen by the other": total}
    row |= {"middle hidden": share(inside, total)} if total else {}
    return row | {"faces it sees afterwards": left, "hidden where nothing was seen": plan.unseen()}


def on_photos(given: argparse.Namespace, usual: Detector, watchful: Detector) -> None:
    """What is left of identity, set by set; kept."""
    embedder = embed.load("dlib_resnet")
    points = [point for point in models.card("dlib_resnet").operating_points if point.space == embedder.space]
    (threshold,) = [point.threshold for point in points if point.fmr == 1e-3]
    results: dict[str, Any] = {"threshold": threshold}
    backgrounds = sorted((given.data / "backgrounds").glob("*/*.jpg"))
    counts = [len(watchful.detect([media.read_image(path)])[0]) for path in backgrounds]
    results["pictures without faces"] = {
        "hidden in vain": sum(counts),
        "in": share(np.count_nonzero(counts), len(counts)),
    }
    for kind in ("lfw10", "celebrity_pairs", "lfw_grey"):
        pictures = some(given.data, kind, given.people)
        if kind == "celebrity_pairs":  # its pairs are labelled one by one: each photo stands for itself
            pictures = [replace(photo, person=photo.name) for photo in pictures]
        found = list(seen(pictures, usual, watchful))
        row: dict[str, Any] = {"photos": len(pictures), "with a face": len(found), "watchful missed": missed(found)}
        editors = {how: edit.load(how) for how in edit.HOW}
        editors |= {f"pixelate, {cells} cells": bold(cells) for cells in given.cells if kind == "lfw_grey"}
        for name, editor in editors.items():
            row[name] = judged(found, editor, usual, embedder, threshold)
            print(kind, name, row[name], flush=True)
        results[kind] = row
        save("anonymise", results, sys.argv)  # a run that is stopped keeps the sets before


def on_videos(given: argparse.Namespace, watchful: Detector) -> None:
    """Speed, and what another detector says; kept."""
    clips = sorted((given.data / "video").glob("*.m*"))
    results = {"720p": [speed(clip, watchful, given.frames) for clip in clips if "hamilton" in clip.name]}
    other = detect.load(given.other)
    for clip in clips:
        results[f"{clip.name}, judged by {given.other}"] = covered(
            clip, watchful, other, edit.load("blur"), given.frames
        )
        save("anonymise_video", results, sys.argv)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--people", type=int, default=100, help="of lfw_grey, two photos each")
    parser.add_argument("--cells", type=int, nargs="*", default=[12, 16, 24])
    parser.add_argument("--video", action="store_true")
    parser.add_argument(
        "--frames", type=int, default=60, help="timed, and judged of the first two times as many of each clip"
    )
    parser.add_argument("--other", default="yunet", help="the detector that judges videos")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    usual, watchful = detect.load("mtcnn"), detect.load("mtcnn", **edit.WATCHFUL)
    if given.video:
        on_videos(given, watchful)
    else:
        on_photos(given, usual, watchful)


if __name__ == "__main__":
    main()
