"""`mien identify`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.cli import words
from mien.cli.group import verb
from mien.cli.options import gallery_at, with_engine, with_keys, with_policy
from mien.cli.output import Column, Listing, Output, Step, answers
from mien.cli.pictures import Canvas
from mien.cli.sources import Refused, Share, gather, is_still
from mien.errors import InputError, MienError, UsageError
from mien.types import Decision
from mien.where import Where, parse

if TYPE_CHECKING:
    from mien.decide import Policy
    from mien.engine import Engine
    from mien.gallery import BaseGallery

COLUMNS = (
    Column("verdict", lambda one: one["verdict"], width=7),
    Column("subject", lambda one: one["subject"], width=20),
    Column("score", lambda one: one["score"], width=5),
    Column("threshold", lambda one: one["threshold"] and one["threshold"]["threshold"], width=9),
    Column("fmr", lambda one: one["threshold"] and one["threshold"]["fmr"], width=7),
    Column("fpir", lambda one: one["threshold"] and one["threshold"]["fpir"], only="csv"),
    Column("compared", lambda one: one["threshold"] and one["threshold"]["score"], only="csv"),
    Column("source", lambda one: one["source"]),
    Column("seen", words.place, width=20, only="table"),
    Column("start", lambda one: one["span"] and one["span"][0], only="csv"),
    Column("end", lambda one: one["span"] and one["span"][1], only="csv"),
    Column("why", words.why, only="table"),
    Column("reasons", lambda one: one["reasons"], only="csv"),
)


@verb("identify")
@click.argument("gallery", metavar="GALLERY")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("--draw", metavar="DIR", help="Write annotated pictures, and a timeline per video, into this folder.")
@click.option(
    "--shortlist",
    type=click.IntRange(1),
    metavar="N",
    help="Of a sealed gallery (mien seal --preselect): compare only the groups of the N best by their components. "
    "Loses people and tells the matcher who is alike; both are said.",
)
@click.option(
    "--where", metavar="FILTER", help="Compare only with these people, such as: site = 'berlin' and not blocked."
)
@with_keys
@with_policy(many=True)
@with_engine(judges=True)
@answers
def command(  # noqa: PLR0913 - one parameter per option
    gallery: str,
    sources: tuple[str, ...],
    draw: str | None,
    shortlist: int | None,
    where: str | None,
    keys: str | None,
    engine: Engine,
    policy: Policy,
    out: Output,
) -> int:
    """A source is a picture, a video, a folder, a pattern in quotes, or the address of a camera or stream.
    One line per person seen, as soon as the person has left or the source ends.

    Exit code: 0 somebody was accepted, 1 people were seen and none was accepted, 2 nobody was seen or all were too poor
    to tell. When a source could not be used the rest goes on, and the exit code is that of the first such failure.

    Without --fmr or --fpir the threshold is such that 1 stranger in 100 would be taken for somebody of this gallery;
    a gallery that keeps thresholds of its own (mien calibrate --keep) decides by how far the most alike stands out.
    With --where, those thresholds are the ones for as many people as the filter leaves."""
    among = None if where is None else parse(where)
    found = gather(sources)
    with (
        gallery_at(gallery, read_only=True, keys=keys, out=out) as people,
        out.listing("decisions", COLUMNS, source=found.width) as listing,
        out.progress("identifying", len(found.sources), "sources") as step,
    ):
        if shortlist is not None:
            _preselect(people, shortlist, out)
        if outgrown := engine.growth_warning(people, policy):
            out.warn(outgrown)
        listing.also(warnings=[outgrown] if outgrown else [])
        canvas = Canvas.folder(draw) if draw else None
        work = _Work(engine, people, policy, listing, step, canvas, found.refused, among)
        work.do(found.sources)
        listing.also(without_people=work.empty, failures=out.problems(work.refused))
        listing.also(drawn=canvas.written if canvas else [])
    for source in work.empty:
        out.note(f"{source}: nobody seen")
    if work.example is not None and out.form == "table":
        out.note(words.standing(work.example))
    out.passed(found.passed)
    out.failures(work.refused)
    return work.code()


def _preselect(people: BaseGallery, shortlist: int, out: Output) -> None:
    """Search in two rounds from now on, and say what that costs. Raises UsageError where there is nothing to search first."""
    coarse = getattr(people, "coarse", None)
    if coarse is None:
        raise UsageError(
            f"The gallery {people.where} has no preselection.",
            "Seal it with: mien seal … --preselect 64 (or leave --shortlist).",
        )
    people.shortlist = shortlist  # type: ignore[attr-defined]
    out.note(coarse.told(shortlist))


@dataclass
class _Work:
    engine: Engine
    people: BaseGallery
    policy: Policy
    listing: Listing
    step: Step
    canvas: Canvas | None
    refused: Refused
    where: Where | None = None
    empty: list[str] = field(default_factory=list)
    verdicts: set[str] = field(default_factory=set)
    example: dict[str, Any] | None = None  # a clear answer: all of one command rest on the same evidence

    def do(self, sources: list[str | Path]) -> None:
        """Stills side by side on all threads, each video by itself as it goes."""
        for still, group in groupby(sources, key=is_still):
            if still:
                for source, answer in self.engine.map(self._still, group):
                    self._note(source, iter(answer) if isinstance(answer, list) else answer)
            else:
                for source in group:
                    share = Share(self.step)
                    self._note(source, self.engine.identify(source, self.people, self.policy, share, self.where), share)

    def code(self) -> int:
        """The verb's exit code."""
        if self.refused:
            return self.refused[0][1].exit_code
        return 0 if "accept" in self.verdicts else 1 if "reject" in self.verdicts else 2

    def _still(self, source: str | Path) -> list[Decision]:
        return list(self.engine.identify(source, self.people, self.policy, where=self.where))

    def _note(self, source: str | Path, answers: Iterator[Decision] | MienError, share: Share | None = None) -> None:
        seen: list[Decision] = []
        try:
            if isinstance(answers, MienError):
                raise answers
            for decision in answers:
                seen.append(decision)
                self.verdicts.add(decision.verdict)
                record = wire.decision(decision)
                self.listing.add(record)
                self.example = record if decision.verdict != "abstain" else self.example
        except InputError as error:
            self.refused.append((str(source), error))
        else:
            if not seen:
                self.empty.append(str(source))
        if self.canvas is not None and seen:
            self.canvas.decisions(source, seen)
        self.step(1 - (share.done if share else 0))
