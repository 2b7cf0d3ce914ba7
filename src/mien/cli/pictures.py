"""What `--draw` writes: faces marked on their picture, and for a video its timeline and the shots each answer rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import CannotWrite, UsageError
from mien.types import U8, Decision, Face, Frame

if TYPE_CHECKING:
    from mien.media import Band, Panel

ROWS = 40  # people on one timeline; more would not be looked at
TILE = 256  # px, side of a shot on the sheet of shots
WINDOWS = 2000  # windows of one person on a timeline, at most; then neighbours are merged
SHOTS = 5  # shots of one person on the sheet
NAMELESS = {"accept": "recognised", "reject": "not enrolled", "abstain": "cannot tell"}


@dataclass(slots=True)
class Canvas:
    """A place for annotated pictures: one file, or a folder with names after the sources."""

    home: Path
    single: Path | None = None
    written: list[str] = field(default_factory=list)

    @classmethod
    def at(cls, path: str, sources: int) -> Canvas:
        """A file where `path` has a picture's suffix and there is one source, else a folder."""
        target = Path(path)
        if not target.suffix or target.is_dir():
            return cls.folder(path)
        if sources > 1:
            raise UsageError(f"{sources} sources cannot be drawn into the one file {path}.", "Give --draw a folder.")
        return cls(target.parent, target)

    @classmethod
    def folder(cls, path: str) -> Canvas:
        """A folder, made if there is none. Raises CannotWrite."""
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(f"The folder {path} cannot be made: {error.strerror}.", "Choose another.") from error
        return cls(Path(path))

    def faces(self, source: str | Path, faces: Sequence[Face]) -> None:
        """One frame with its faces marked."""
        from mien.media import draw_faces

        self.write(draw_faces(faces[0].frame, faces), source, "marked.jpg")

    def decisions(self, source: str | Path, decisions: Sequence[Decision]) -> None:
        """A still with everybody's name, or a video's timeline and shots."""
        if decisions[0].span is None:
            self._still(source, decisions)
        else:
            self.write(_timeline(source, decisions), source, "timeline.png")
            self.write(_sheet(decisions), source, "shots.jpg")

    def readings(self, source: str | Path, seen: Sequence[tuple[Face, Mapping[str, Any]]]) -> None:
        """A still with what was read off each face, from the records of `mien judge`."""
        from mien.media import draw_panels

        faces = [face for face, _ in seen]
        self.write(draw_panels(faces[0].frame, faces, [_panel(record) for _, record in seen]), source, "read.jpg")

    def strip(self, source: str | Path, labels: Sequence[str]) -> Strip:
        """What is to become the timeline of a video's readings."""
        return Strip(self, source, labels)

    def _still(self, source: str | Path, decisions: Sequence[Decision]) -> None:
        from mien.media import draw_faces, read_image

        faces = [decision.faces[0] for decision in decisions]
        whole = faces[0].frame if faces[0].origin == (0.0, 0.0, 1.0) else read_image(source)
        labels = [named(decision) for decision in decisions]
        marked = draw_faces(whole, faces, labels, [decision.verdict for decision in decisions])
        self.write(marked, source, "marked.jpg")

    def write(self, picture: Frame, source: str | Path, what: str) -> None:
        """A picture about a source. Raises CannotWrite, and UsageError where it would go over the source."""
        from mien.media import write_image

        target = self.single or self._free(source, what)
        if Path(source).is_file() and target.is_file() and target.samefile(source):
            raise UsageError(f"{target} is the source itself; drawing would destroy it.", "Give --draw another name.")
        write_image(picture, target)
        self.written.append(str(target))

    def _free(self, source: str | Path, what: str) -> Path:
        """A name after the source that this command has not used yet."""
        stem = "".join(char if char.isalnum() or char in "-_ ." else "_" for char in Path(str(source)).stem)[:80]
        names = (f"{stem or 'source'}{'' if number == 1 else f'-{number}'}.{what}" for number in range(1, 1_000_000))
        return next(path for name in names if str(path := self.home / name) not in self.written)


@dataclass(slots=True)
class Strip:
    """The timeline of a video's readings as it grows; long videos lose detail, not memory."""

    canvas: Canvas
    source: str | Path
    labels: Sequence[str]  # those that are drawn, in the order they are stacked
    tracks: dict[int, _Track] = field(default_factory=dict)

    def add(self, face: Face, record: Mapping[str, Any]) -> None:
        """What was read of one person in one window."""
        if face.track not in self.tracks and len(self.tracks) == ROWS:
            return
        self.tracks.setdefault(face.track, _Track()).add(face, record)

    def write(self) -> None:
        """Draw it."""
        from mien.media import bands

        rows = [track.band(f"track {number}") for number, track in sorted(self.tracks.items())]
        last = max((span[1] for row in rows for span in row.spans), default=0.0)
        picture = bands(rows, self.labels, _length(self.source, last), Path(str(self.source)).name)
        self.canvas.write(picture, self.source, "readings.png")


@dataclass(slots=True)
class _Track:
    """One person of a strip."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    shares: list[Mapping[str, float]] = field(default_factory=list)
    worth: float = -1.0
    shot: U8 | None = None

    def add(self, face: Face, record: Mapping[str, Any]) -> None:
        measured = {record["score_of"]: record["value"]} if record["score_of"] else {}
        self.spans.append(tuple(record["span"]))
        self.shares.append(record["scores"] if record["label"] is not None else measured)
        worth = face.eye_distance * face.score
        if worth > self.worth:
            self.worth, self.shot = worth, _portrait(face).copy()
        if len(self.spans) >= WINDOWS:
            self._halve()

    def band(self, label: str) -> Band:
        """One row of the timeline."""
        from mien.media import Band

        read = [shares for shares in self.shares if shares]
        means = {name: sum(one.get(name, 0.0) for one in read) / len(read) for name in (read[0] if read else {})}
        note = ", ".join(f"{name} {value:.2f}" for name, value in sorted(means.items(), key=lambda one: -one[1])[:2])
        return Band(label, f"mean: {note}" if note else "cannot tell", self.spans, self.shares, self.shot)

    def _halve(self) -> None:
        """Neighbours become one, with the mean of what was read."""
        pairs = list(zip(self.spans[::2], self.spans[1::2], self.shares[::2], self.shares[1::2], strict=False))
        self.spans = [(first[0], second[1]) for first, second, _, _ in pairs]
        self.shares = [
            {name: (one.get(name, 0.0) + other.get(name, 0.0)) / 2 for name in one} if one and other else one or other
            for _, _, one, other in pairs
        ]


def _panel(record: Mapping[str, Any]) -> Panel:
    from mien.media import Panel

    scores: Mapping[str, float] = record["scores"]
    if not scores:
        return Panel("cannot tell", {}, sure=False)
    order = sorted(scores, key=lambda name: -scores[name]) if record["label"] is not None else list(scores)
    bars = {name: scores[name] for name in order} if all(0 <= value <= 1 for value in scores.values()) else {}
    return Panel(f"{record['score_of']} {record['value']:.2f}", bars)


def named(decision: Decision) -> str:
    """A label: who, and how alike."""
    who = decision.subject or NAMELESS[decision.verdict]
    return f"{who} {decision.score:.2f}" if decision.subject and decision.score is not None else who


def _timeline(source: str | Path, decisions: Sequence[Decision]) -> Frame:
    """One row per person recognised, however often seen, and one per other sighting."""
    from mien.media import TimelineRow, timeline

    people: dict[object, list[Decision]] = {}
    for number, decision in enumerate(decisions):
        people.setdefault(decision.subject or number, []).append(decision)
    rows = []
    for seen in list(people.values())[:ROWS]:
        best = max(seen, key=lambda one: one.score or 0.0)
        spans = [one.span for one in seen if one.span is not None]
        rows.append(TimelineRow(named(best), spans, best.verdict, _portrait(best.faces[0]) if best.faces else None))
    return timeline(rows, _duration(source, decisions), title=Path(str(source)).name)


def _duration(source: str | Path, decisions: Sequence[Decision]) -> float:
    return _length(source, max((decision.span[1] for decision in decisions if decision.span), default=0.0))


def _length(source: str | Path, last: float) -> float:
    """s of a video in which somebody was seen last at `last` s."""
    from mien.media import open_video

    if not Path(source).is_file():  # a camera must not be opened again only to be measured
        return max(last, 1.0)
    with open_video(source) as video:
        return max(video.duration or 0.0, last, 1e-3)


def _portrait(face: Face) -> U8:
    """The box and a little around it."""
    x0, y0, x1, y1 = face.box
    middle, half = ((x0 + x1) / 2, (y0 + y1) / 2), 0.6 * max(x1 - x0, y1 - y0)
    left, top = (max(0, int(value - half)) for value in middle)
    return face.frame.pixels[top : int(middle[1] + half) + 1, left : int(middle[0] + half) + 1]


def _sheet(decisions: Sequence[Decision]) -> Frame:
    """A row per sighting with the shots its answer rests on, best first."""
    from mien.media import draw_faces

    columns = max(min(len(decision.faces), SHOTS) for decision in decisions)
    sheet = np.full((TILE * min(len(decisions), ROWS), TILE * max(1, columns), 3), 255, np.uint8)
    for row, decision in enumerate(decisions[:ROWS]):
        for column, face in enumerate(decision.faces[:SHOTS]):
            here = _tile(face)
            label = [named(decision) if column == 0 else f"{face.frame.time:.1f} s"]
            pixels = draw_faces(here.frame, [here], label, [decision.verdict]).pixels
            top, left = TILE * row, TILE * column
            sheet[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return Frame(sheet)


def _tile(face: Face) -> Face:
    """The face on its crop, as large as a tile holds; the crop counts as the picture, not where it lay in the video."""
    from PIL import Image, ImageOps

    pixels = np.asarray(ImageOps.contain(Image.fromarray(face.frame.pixels), (TILE, TILE)))
    scale = np.float32(pixels.shape[1] / face.frame.width)
    return replace(face, frame=Frame(pixels), box=face.box * scale, points=face.points * scale, origin=(0.0, 0.0, 1.0))
