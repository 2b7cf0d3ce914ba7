"""What `--draw` writes: faces marked on their picture, and for a video its timeline and the shots each answer rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from mien.errors import CannotWrite, UsageError
from mien.types import U8, Decision, Face, Frame

ROWS = 40  # people on one timeline; more would not be looked at
TILE = 256  # px, side of a shot on the sheet of shots
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

        self._write(draw_faces(faces[0].frame, faces), source, "marked.jpg")

    def decisions(self, source: str | Path, decisions: Sequence[Decision]) -> None:
        """A still with everybody's name, or a video's timeline and shots."""
        if decisions[0].span is None:
            self._still(source, decisions)
        else:
            self._write(_timeline(source, decisions), source, "timeline.png")
            self._write(_sheet(decisions), source, "shots.jpg")

    def _still(self, source: str | Path, decisions: Sequence[Decision]) -> None:
        from mien.media import draw_faces, read_image

        faces = [decision.faces[0] for decision in decisions]
        whole = faces[0].frame if faces[0].origin == (0.0, 0.0, 1.0) else read_image(source)
        labels = [named(decision) for decision in decisions]
        marked = draw_faces(whole, faces, labels, [decision.verdict for decision in decisions])
        self._write(marked, source, "marked.jpg")

    def _write(self, picture: Frame, source: str | Path, what: str) -> None:
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
    from mien.media import open_video

    last = max((decision.span[1] for decision in decisions if decision.span), default=0.0)
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
