"""Audit of a detector: faces missed, and faces seen where there are none.

Three kinds of evidence, each on its own or together: pictures without any face, pictures that each show one, and pictures
in which people have marked every face.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar

import numpy as np

from mien.audit.data.boxes import Truth
from mien.audit.detection.looking import Looked
from mien.audit.metrics import F64, I64, Bools, wilson
from mien.audit.metrics import detection as metrics
from mien.audit.sheets import sheet
from mien.errors import EvidenceError, MienError
from mien.report import Bars, Chart, Line, Lines, Picture, Problem, Report, Row
from mien.types import Metric

WORST = 12  # pictures on the sheet of false detections
HEIGHTS = (0, 20, 40, 80, 160, 320, np.inf)  # px: edges of the classes of faces
SIDES = (0, 64, 128, 256, 512, 1024, np.inf)  # px: edges of the classes of pictures, by the shorter side
_UNREADABLE = "A picture that could not be read, so the detector never saw it; it is left out of the rates."
_DOUBT = (
    "Look at the sheet before blaming the detector: a drawn, printed or half-hidden face is one in its eyes, and a picture "
    "with a real face does not belong into this set."
)
_OTHERS = "Several detections in a picture are other people in it, or false; without boxes nobody can tell which."
_BOXES = (
    "Detectors and the people who mark faces draw boxes differently (with or without hair and chin); a face found with "
    "another idea of its box counts as missed and as a false detection both."
)


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What a detector found, by kind of evidence. Any of the three may be empty."""

    without: Sequence[Looked] = ()  # pictures that show no face
    showing: Sequence[Looked] = ()  # pictures that each show a face
    marked: Sequence[tuple[Looked, Truth]] = ()  # pictures with all their faces
    speeds: Mapping[str, F64] = field(default_factory=dict)  # kind of pictures -> ms of some of them, one at a time
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class _Part:
    """What one kind of evidence adds to the report."""

    metrics: dict[str, Metric]
    rows: list[Row]
    headline: str
    findings: list[str] = field(default_factory=list)
    tables: dict[str, tuple[Row, ...]] = field(default_factory=dict)
    charts: list[Chart] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Detection:
    """Rates with intervals; `rounds` and `seed` of the bootstrap over pictures, `overlap` from which a box is right."""

    rounds: int = 1000
    seed: int = 0
    overlap: float = 0.5

    name: ClassVar[str] = "detection"

    def run(self, data: Looks) -> Report:
        """Measure. Raises EvidenceError when no picture could be read."""
        unread = [one for one in [*data.without, *data.showing, *(one for one, _ in data.marked)] if one.failure]
        without = [one for one in data.without if not one.failure]
        showing = [one for one in data.showing if not one.failure]
        marked = [(one, truth) for one, truth in data.marked if not one.failure]
        parts = [
            *([self._false(without)] if without else []),
            *([self._missed(showing)] if showing else []),
            *([self._marked(marked)] if marked else []),
        ]
        if not parts:
            raise EvidenceError(
                "No picture could be looked at.", "Give pictures without faces, with faces, or with boxes."
            )
        problems = list(data.problems)
        if unread:
            cases = tuple(f"{one.name}: {one.failure}" for one in unread)
            problems.append(Problem("unreadable", _UNREADABLE, cases))
        speeds = {f"ms per picture, {kind}": metrics.middle(times) for kind, times in data.speeds.items() if len(times)}
        return Report(
            self.name,
            {name: metric for part in parts for name, metric in part.metrics.items()} | speeds,
            tuple(row for part in parts for row in part.rows),
            headline=" ".join(part.headline for part in parts),
            findings=tuple(words for part in parts for words in part.findings),
            problems=tuple(problems),
            tables={title: rows for part in parts for title, rows in part.tables.items()},
            charts=tuple(chart for part in parts for chart in part.charts),
        )

    def _false(self, looked: Sequence[Looked]) -> _Part:
        """Pictures that show no face: every detection is false."""
        count = np.array([len(one.scores) for one in looked], np.int64)
        per_picture = metrics.ratio(count, np.ones(len(looked), np.int64), self.rounds, self.seed)
        share = wilson(int((count > 0).sum()), len(looked))
        part = _Part(
            {"false detections per picture": per_picture, "pictures with a false detection": share},
            [_row("no face", one, false=len(one.scores)) for one in looked],
            f"A face was seen in {share.value:.1%} of {share.n:,} pictures without one "
            f"({share.low:.1%} to {share.high:.1%}).",
        )
        worst = sorted((one for one in looked if len(one.scores)), key=lambda one: (-one.scores.max(), one.name))
        if worst:
            part.tables["False detections, the surest first"] = tuple(
                {"picture": one.name, "false": len(one.scores), "score": float(one.scores.max())} for one in worst
            )
            part.tables["False detections by folder"] = _by_folder(looked)
            part.findings.append(_DOUBT)
            part.charts += [_by_score(looked), *_sheet(worst[:WORST])]
        return part

    def _missed(self, looked: Sequence[Looked]) -> _Part:
        """Pictures that each show a face: without a detection it was missed."""
        count = np.array([len(one.scores) for one in looked], np.int64)
        missed, several = (wilson(int(hits.sum()), len(looked)) for hits in (count == 0, count > 1))
        part = _Part(
            {"pictures without a detection": missed, "pictures with several detections": several},
            [_row("a face", one, missed=int(not len(one.scores))) for one in looked],
            f"No face was found in {missed.value:.2%} of {missed.n:,} pictures that show one "
            f"({missed.low:.2%} to {missed.high:.2%}).",
        )
        sides = np.array([min(one.width, one.height) for one in looked], np.float64)
        bars = {
            name: wilson(int((count[inside] == 0).sum()), int(inside.sum())) for name, inside in _classes(sides, SIDES)
        }
        part.charts.append(
            Bars("Pictures without a detection, by size", "share", bars, note="By the shorter side of the picture.")
        )
        found = [one for one in looked if len(one.scores)]
        heights, scores = _largest(found)
        part.tables["Faces found, by height"] = tuple(
            {"height": name, "pictures": int(inside.sum()), "median score": float(np.median(scores[inside]))}
            for name, inside in _classes(heights, HEIGHTS)
        )
        if names := [one.name for one in looked if not len(one.scores)]:
            part.tables["Pictures without a detection"] = tuple({"picture": name} for name in names)
        if several.value > 0:
            part.findings.append(_OTHERS)
        return part

    def _marked(self, looked: Sequence[tuple[Looked, Truth]]) -> _Part:
        """Pictures with all their faces: recall, precision, average precision, false detections."""
        judged = _Judged.of(looked, self.overlap)
        false = metrics.ratio(judged.false, np.ones(len(looked), np.int64), self.rounds, self.seed)
        found = {f"false detections per marked picture, {_at(self.overlap)}": false}
        headline = f"{len(looked):,} marked pictures show no face to judge."
        part = _Part(found, judged.rows(looked), headline, [_BOXES])
        if judged.hits.sum() + judged.false.sum():
            taken = judged.hits + judged.false
            found[f"precision, {_at(self.overlap)}"] = metrics.ratio(judged.hits, taken, self.rounds, self.seed)
        if judged.faces.sum():
            recall = metrics.ratio(judged.hits, judged.faces, self.rounds, self.seed)
            found[f"recall, {_at(self.overlap)}"] = recall
            found[f"average precision, {_at(self.overlap)}"] = judged.average_precision(self.rounds, self.seed)
            part.headline = (
                f"{recall.value:.1%} of {recall.n:,} marked faces were found ({recall.low:.1%} to {recall.high:.1%}), "
                f"with {false.value:.2f} false detections a picture ({false.low:.2f} to {false.high:.2f})."
            )
            part.charts += judged.charts(self.rounds, self.seed)
        return part


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Detections against the faces that are there, all pictures together."""

    scores: F64  # (k,) of all detections that count
    right: Bools  # (k,)
    picture: I64  # (k,) number of its picture
    hits: I64  # (p,) faces found per picture
    false: I64  # (p,) false detections
    faces: I64  # (p,) faces that count
    heights: F64  # (f,) px of all faces that count
    found: Bools  # (f,)
    home: I64  # (f,) number of its picture

    @classmethod
    def of(cls, looked: Sequence[tuple[Looked, Truth]], least: float) -> _Judged:
        """Match picture by picture."""
        outcomes = [metrics.match(one.boxes, one.scores, truth.boxes, truth.judged, least) for one, truth in looked]
        kept = [outcome >= 0 for outcome, _ in outcomes]
        faces = [truth.judged for _, truth in looked]
        return cls(
            np.concatenate([one.scores[take] for (one, _), take in zip(looked, kept, strict=True)]),
            np.concatenate([outcome[take] == 1 for (outcome, _), take in zip(outcomes, kept, strict=True)]),
            np.repeat(np.arange(len(looked)), [int(take.sum()) for take in kept]),
            np.array([int((outcome == 1).sum()) for outcome, _ in outcomes], np.int64),
            np.array([int((outcome == 0).sum()) for outcome, _ in outcomes], np.int64),
            np.array([int(take.sum()) for take in faces], np.int64),
            np.concatenate([truth.boxes[truth.judged, 3] - truth.boxes[truth.judged, 1] for _, truth in looked]),
            np.concatenate([found[take] for (_, found), take in zip(outcomes, faces, strict=True)]),
            np.repeat(np.arange(len(looked)), [int(take.sum()) for take in faces]),
        )

    def average_precision(self, rounds: int, seed: int) -> Metric:
        """With the interval of a bootstrap over pictures."""
        value = metrics.average_precision(self.scores, self.right, float(self.faces.sum()))
        draws = metrics.draw(len(self.faces), rounds, seed)
        values = [
            metrics.average_precision(self.scores, self.right, float(total), drawn[self.picture].astype(np.float64))
            for drawn in draws
            if (total := drawn @ self.faces)
        ]
        low, high = np.quantile(values, [0.025, 0.975])
        return Metric(value, float(low), float(high), int(self.faces.sum()))

    def rows(self, looked: Sequence[tuple[Looked, Truth]]) -> list[Row]:
        """One per picture."""
        counts = zip(looked, self.hits.tolist(), self.false.tolist(), self.faces.tolist(), strict=True)
        return [_row("marked", one, hits, false, faces - hits) for (one, _), hits, false, faces in counts]

    def charts(self, rounds: int, seed: int) -> list[Chart]:
        """Precision and recall, recall against false detections, recall by height."""
        recall, precision = metrics.precision_recall(self.scores, self.right, float(self.faces.sum()))
        false, reached, _ = metrics.false_per_picture(self.scores, self.right, int(self.faces.sum()), len(self.faces))
        bars = {}
        for name, inside in _classes(self.heights, HEIGHTS):
            hits = np.bincount(self.home[inside], self.found[inside], len(self.faces)).astype(np.int64)
            faces = np.bincount(self.home[inside], minlength=len(self.faces))
            bars[name] = metrics.ratio(hits, faces, rounds, seed)
        return [
            _curve("Precision and recall", "recall", "precision", recall, precision),
            _curve("Recall at a price", "false detections per picture", "recall", false, reached),
            Bars("Recall by height of the face", "recall", bars, note="Height of the box that people drew."),
        ]


def _row(kind: str, one: Looked, right: int | None = None, false: int | None = None, missed: int | None = None) -> Row:
    """What is not known of a picture stays empty."""
    height, score = _largest([one]) if len(one.scores) else (np.empty(0), np.empty(0))
    return {
        "set": kind,
        "picture": one.name,
        "width": one.width,
        "height": one.height,
        "detections": len(one.scores),
        "right": right,
        "false": false,
        "missed": missed,
        "height of the largest": float(height[0]) if len(height) else None,
        "its score": float(score[0]) if len(score) else None,
    }


def _largest(looked: Sequence[Looked]) -> tuple[F64, F64]:
    """(n,) height in px and score of the first, that is largest, face of each picture."""
    heights = np.array([float(one.boxes[0, 3] - one.boxes[0, 1]) for one in looked])
    return heights, np.array([float(one.scores[0]) for one in looked])


def _classes(values: F64, edges: Sequence[float]) -> Iterator[tuple[str, Bools]]:
    """Classes that have a member: their name, and who is in them."""
    for low, high in pairwise(edges):
        inside = (values >= low) & (values < high)
        if inside.any():
            yield f"{low:g} px and more" if high == np.inf else f"{low:g} to {high:g} px", inside


def _by_folder(looked: Sequence[Looked]) -> tuple[Row, ...]:
    """Whether they all come from one kind of picture."""
    rows = []
    for folder in sorted({one.picture.subject for one in looked}):
        mine = [one for one in looked if one.picture.subject == folder]
        share = wilson(sum(1 for one in mine if len(one.scores)), len(mine))
        hits = round(share.value * len(mine))
        rows.append(
            {"folder": folder or ".", "pictures": len(mine), "with a false detection": hits, "share": share.value,
             "low": share.low, "high": share.high}
        )  # fmt: skip
    return tuple(rows)


def _at(overlap: float) -> str:
    return f"IoU {overlap:g}"


def _by_score(looked: Sequence[Looked]) -> Lines:
    scores = np.sort(np.concatenate([one.scores for one in looked]))[::-1]
    steps = (np.arange(len(scores)) + 1) / len(looked)
    note = "How many false detections would be left if faces of a lower score were refused."
    line = Line("false detections", tuple(scores.tolist()), tuple(steps.tolist()), style="steps")
    return Lines("False detections by score", "least score", "per picture", (line,), note=note)


def _curve(title: str, x_label: str, y_label: str, x: F64, y: F64) -> Lines:
    return Lines(title, x_label, y_label, (Line(y_label, tuple(x.tolist()), tuple(y.tolist()), style="steps"),))


def _sheet(worst: Sequence[Looked]) -> list[Chart]:
    """The pictures themselves; one that is gone meanwhile is left out."""
    shown = []
    for one in worst:
        try:
            shown.append((one.picture.read(), one.boxes, f"{one.scores.max():.3f} {one.name}"))
        except MienError:
            continue
    png = sheet(shown)
    return [Picture("False detections, the surest first", png, "Score of the surest, and the picture.")] if png else []
