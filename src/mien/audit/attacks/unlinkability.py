"""Scores between protected templates to a report: can templates of one person be linked (ISO/IEC 24745)?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from mien.audit.data.sheet import YES, Sheet, read
from mien.audit.metrics import linkability
from mien.audit.metrics.linkability import Link
from mien.audit.metrics.recognition import F64, I64
from mien.errors import EvidenceError
from mien.report import Line, Lines, Problem, Report, Row
from mien.types import Metric

LEAST = 30  # scores of each kind
ALIASES = {"genuine": "mated", "same": "mated", "first": "subject", "second": "other"}


@dataclass(frozen=True, slots=True, eq=False)
class LinkScores:
    """Scores of comparing protected templates made under different keys."""

    mated: F64  # (n,) of one person
    nonmated: F64  # (m,) of two people
    people: tuple[I64, I64, I64] | None = None  # of mated (n,); of one and of the other of non-mated (m,), (m,)
    problems: tuple[Problem, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    mated: bool
    score: float
    subject: str
    other: str


def read_links(path: Path) -> LinkScores:
    """Read a CSV with the columns mated (1 or 0) and score; subject and other name the two people, where known.

    Raises MediaNotFound, InputError for what is no such file, EvidenceError for too few scores of a kind."""
    sheet = read(path, ("mated", "score"), ALIASES)
    rows = list(_rows(sheet))
    named = "subject" in sheet.columns and "other" in sheet.columns
    nameless = [row.where for row in rows if not (row.subject and row.other)] if named else []
    for where in nameless:
        sheet.found.add("no_subject", "names not both people, so comparisons were taken as independent.", where)
    mated, nonmated = ([row for row in rows if row.mated is kind] for kind in (True, False))
    for kind, count in (("mated", len(mated)), ("non-mated", len(nonmated))):
        if count < LEAST:
            raise EvidenceError(
                f"{path.name} has {count} {kind} score{'s' * (count != 1)}, not enough for a density ({LEAST} are).",
                "Compare templates of one person under two keys (mated = 1), and of two people (mated = 0).",
            )
    people = _people(mated, nonmated) if named and not nameless else None
    mine, theirs = (np.array([row.score for row in kind], np.float64) for kind in (mated, nonmated))
    return LinkScores(mine, theirs, people, sheet.found.problems(), path.name)


def _rows(sheet: Sheet) -> Iterator[_Row]:
    for where, row, score in sheet.numbers("score"):
        mated = YES.get(row["mated"].lower())
        one, other = row.get("subject", ""), row.get("other", "")
        if mated is None:
            sheet.found.add(
                "no_label", "says neither 1 nor 0 in the column mated; left out.", f"{where}: {row['mated']}"
            )
        elif one and other and (one == other) is not mated:
            words = "is called mated and names two people, or the other way round; left out."
            sheet.found.add("contradiction", words, where)
        else:
            yield _Row(where, mated, score, one, other)


def _people(mated: Sequence[_Row], nonmated: Sequence[_Row]) -> tuple[I64, I64, I64]:
    names = sorted({name for row in (*mated, *nonmated) for name in (row.subject, row.other)})
    number = {name: index for index, name in enumerate(names)}
    first, one, other = (
        np.array([number[name] for name in column], np.int64)
        for column in (
            [row.subject for row in mated],
            [row.subject for row in nonmated],
            [row.other for row in nonmated],
        )
    )
    return first, one, other


@dataclass(frozen=True, slots=True)
class Unlinkability:
    """Linkability of protected templates, score by score and of the system."""

    name: ClassVar[str] = "unlinkability"

    omega: float = 1.0  # how much likelier a pair is mated than not, before its score is seen
    bins: int | None = None  # of the histograms; None: as many as the scores carry
    rounds: int = 1000
    seed: int = 0

    def run(self, data: LinkScores) -> Report:
        """Measure D(s) and D_sys, with what shuffled labels give beside it. Raises UsageError for an omega that is none."""
        found = linkability.link(data.mated, data.nonmated, self.omega, self.bins)
        counts = (len(data.mated), len(data.nonmated))
        shuffles = min(self.rounds, 200)
        floor = linkability.shuffled(data.mated, data.nonmated, self.omega, self.bins, shuffles)
        low, high = (float(bound) for bound in np.quantile(floor, [0.025, 0.975]))
        draws = (
            linkability.draws_of_scores(counts, self.rounds, self.seed)
            if data.people is None
            else linkability.draws_of_people(data.people[0], data.people[1:], self.rounds, self.seed)
        )
        values = linkability.replicates(data.mated, data.nonmated, self.omega, found.edges, draws)
        system = linkability.with_interval(found.system, values, high, counts)
        chance = Metric(float(np.mean(floor)), low, high, sum(counts))
        bins = tuple(_bins(found))
        return Report(
            self.name,
            {"D_sys": system, "D_sys of shuffled labels": chance},
            rows=bins,
            made={"data": data.source, "omega": self.omega, "bins": len(found.local)},
            headline=_headline(system, chance, counts),
            findings=tuple(self._findings(data, found, system, chance)),
            problems=data.problems,
            charts=(_chart(found),),
        )

    def _findings(self, data: LinkScores, found: Link, system: Metric, chance: Metric) -> Iterator[str]:
        if system.value <= chance.high:
            yield (
                "Shuffled labels reach this D_sys too, so these scores show no linkability; with so many scores, up to "
                f"{system.high:.3f} cannot be ruled out."
            )
        else:
            telling = float(found.mated[found.local >= 0.5].sum())
            yield (
                "Templates can be linked to this degree: shuffled labels do not reach this D_sys. "
                f"{100 * telling:.1f} % of mated pairs have a score at which D(s) is 0.5 or more, that is a pair three times "
                "likelier mated than not."
            )
        if outside := sum(linkability.far(scores, found.edges) for scores in (data.mated, data.nonmated)):
            yield (
                f"{outside:,} {'score lies' if outside == 1 else 'scores lie'} far outside the others, as a code for a "
                "failed comparison would; counted in the outermost bins. Take out what is no score."
            )
        if data.people is None:
            yield (
                "The people of the comparisons are not known, so comparisons are taken as independent: where people or "
                "templates took part several times, the interval is too narrow."
            )


def _headline(system: Metric, chance: Metric, counts: tuple[int, int]) -> str:
    return (
        f"D_sys {system.value:.3f} ({system.low:.3f} to {system.high:.3f}) from {counts[0]:,} mated and {counts[1]:,} "
        f"non-mated scores, 0 being unlinkable and 1 fully linkable; shuffled labels give {chance.value:.3f} "
        f"({chance.low:.3f} to {chance.high:.3f})."
    )


def _bins(found: Link) -> Iterator[Row]:
    for index, local in enumerate(found.local):
        yield {
            "score from": float(found.edges[index]),
            "score to": float(found.edges[index + 1]),
            "mated": float(found.mated[index]),
            "non-mated": float(found.nonmated[index]),
            "D": float(local),
        }


def _chart(found: Link) -> Lines:
    """Both densities, scaled to one peak, and D(s) over them."""
    at = tuple(float(edge) for edge in found.edges)
    peak = max(float(found.mated.max()), float(found.nonmated.max()))

    def line(name: str, values: F64) -> Line:
        return Line(name, at, (*values.tolist(), float(values[-1])), style="steps")

    return Lines(
        "Scores between protected templates, and D(s)",
        "score",
        "D(s); densities relative to the peak",
        (line("mated", found.mated / peak), line("non-mated", found.nonmated / peak), line("D(s)", found.local)),
        note="Unlinkable templates have one density for both kinds, and D(s) is 0 wherever mated scores occur.",
    )
