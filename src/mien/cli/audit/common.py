"""What all audits of the command line share: options, provenance, where the report goes, what is printed.

An audit's command takes its own options and a `Run`, and returns the `Report`; the rest is done here:

    @audit_verb("longitudinal")
    @click.option("--scores", …)
    def command(scores: str, run: Run) -> Report:
        \"\"\"Help text.\"\"\"
        return Longitudinal(run.rounds, run.seed).run(read_scores(scores))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.audit.listing import AUDITS, need_extra
from mien.cli.group import tell as tell_failure
from mien.cli.output import Column, Output, answers, label, shown
from mien.errors import MienError, UsageError

if TYPE_CHECKING:
    from mien.report import Report


def text_of(metric: Mapping[str, Any] | None) -> str:
    """The interval of a metric in its wire shape."""
    return f"{shown(metric['low'])} to {shown(metric['high'])}" if metric else ""


COLUMNS = (
    Column("metric", lambda one: one["metric"]),
    Column("value", lambda one: one["value"]),
    Column("95 % interval", text_of, only="table"),
    Column("low", lambda one: one["low"], only="csv"),
    Column("high", lambda one: one["high"], only="csv"),
    Column("n", lambda one: one["n"]),
)


@dataclass(slots=True)
class Run:
    """What a command of an audit is given beside its own options, and what it tells about itself."""

    out: Output
    folder: Path | None  # of -o; made, and writable
    seed: int
    rounds: int  # of the bootstrap
    made: dict[str, Any] = field(default_factory=dict)  # data, models: what the command adds to the provenance
    after: list[Callable[[], None]] = field(default_factory=list)  # done once the report is written, not before


def audit_verb(name: str) -> Callable[[Callable[..., Report]], click.Command]:
    """A command `mien audit NAME` from a function that returns a report."""

    def decorate(function: Callable[..., Report]) -> click.Command:
        @click.option("-o", "--out", "folder", metavar="FOLDER", help="Write report.html, report.json and CSV there.")
        @click.option("--card", metavar="MODEL", help="Write the results into this model's card (name or TOML file).")
        @click.option(
            "--called", metavar="NAME", help="What the report and the card call the data (default: its file)."
        )
        @click.option("--rounds", type=click.IntRange(20, 100_000), default=1000, show_default=True, help="Resamples.")
        @click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn.")
        @answers
        @wraps(function)
        def command(rounds: int, seed: int, out: Output, **options: Any) -> None:
            need_extra()
            from mien.audit.document import prepare

            for option, value in options.items():
                if isinstance(value, float) and not math.isfinite(value):
                    raise UsageError(f"--{option.replace('_', '-')} is {value}, which is no number to work with.")
            folder, card, called = (options.pop(name) for name in ("folder", "card", "called"))
            if card is not None:
                from mien import models

                models.card(card)  # a wrong name is told now, not after an hour
            run = Run(out, prepare(folder) if folder is not None else None, seed, rounds)
            report = function(run=run, **options)
            if called:
                run.made["called"] = called
            tell(_complete(report, run), run, card)

        text = f"{AUDITS[name]}\n\n{cleandoc(function.__doc__ or '')}"
        return click.command(name, help=text, short_help=AUDITS[name])(command)

    return decorate


def tell(report: Report, run: Run, card: str | None = None) -> None:
    """Print a report, write its files, fill a card."""
    from mien.audit import document

    whole = document.encode(report)
    records = [{"metric": name, **metric} for name, metric in whole["metrics"].items()]
    written = document.write(report, run.folder) if run.folder else None  # first: stdout may be gone, as after `| head`
    for last in run.after:
        last()
    kept, failure = _keep(report, card) if card is not None else (None, None)
    if run.out.form == "table":
        run.out.line([(report.headline, 0)], bold=0)
    rest = {key: value for key, value in whole.items() if key not in ("metrics", "rows")}
    rest |= {"report": str(written.html) if written else None} | ({"error": wire.problem(failure)} if failure else {})
    run.out.table("metrics", COLUMNS, records, **rest)
    for finding in report.findings:
        run.out.note(finding)
    for problem in report.problems:
        first = ", ".join(label(case) for case in problem.cases[:3])
        more = f" ({first}{', …' if problem.number > 3 else ''})" if first else ""
        run.out.note(f"{problem.number:,} x {problem.kind}: {problem.words}{more}")
    if written:
        run.out.note(f"The report is in {written.html}.")
    if kept:
        run.out.note(f"The results are on the card {kept}.")
    if failure:  # stdout has its one document: the sentence goes to stderr only
        raise click.exceptions.Exit(tell_failure(failure))


def _keep(report: Report, card: str) -> tuple[Path | None, MienError | None]:
    """The card that now holds the results, or why none does: that must not cost the reader what was measured."""
    from mien.audit import document
    from mien.models import results

    try:
        return results.keep(card, document.results(report)), None
    except MienError as error:
        return None, error


def _complete(report: Report, run: Run) -> Report:
    from mien.audit.document import provenance

    return replace(report, made={**provenance(run.seed, run.rounds), **run.made, **report.made})
