"""`mien reproduce`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.audit.listing import need_extra
from mien.cli.audit.common import text_of
from mien.cli.group import verb
from mien.cli.output import Column, Output, answers

if TYPE_CHECKING:
    from mien.reproduce.claim import Reproduction

LIST = (
    Column("name", lambda one: one["name"]),
    Column("claim", lambda one: one["claim"]),
)
CHECKS = (
    Column("check", lambda one: one["check"]),
    Column("measured", lambda one: one["measured"] and one["measured"]["value"]),
    Column("95 % interval", lambda one: text_of(one["measured"]), only="table"),
    Column("low", lambda one: one["measured"] and one["measured"]["low"], only="csv"),
    Column("high", lambda one: one["measured"] and one["measured"]["high"], only="csv"),
    Column("n", lambda one: one["measured"] and one["measured"]["n"]),
    Column("holds", lambda one: {True: "yes", False: "no", None: "untested"}[one["holds"]]),
)
SEEDS = 3


@verb("reproduce")
@click.argument("name", required=False)
@click.option("--data", metavar="FOLDER", help="The paper's own data in its official layout, or the reference data.")
@click.option("--smoke", is_flag=True, help="Less of everything: ends within a minute, proves that it runs.")
@click.option("--seeds", type=click.IntRange(1, 1000), default=SEEDS, show_default=True, help="How many runs.")
@click.option("-o", "--out", "folder", metavar="FOLDER", help="Write a report with plots and rows there.")
@answers
def command(name: str | None, data: str | None, smoke: bool, seeds: int, folder: str | None, out: Output) -> None:
    """States what a paper claims, runs our implementation on the data at hand and says which of it holds: reproduced,
    partly, not reproduced, or cannot be tested here. Without a name it lists the claims.

    \b
      mien reproduce fairness_fer --data ../data -o report/
    """
    from mien.reproduce import CLAIMS

    if name is None:
        out.table("claims", LIST, [{"name": key, "claim": claim} for key, claim in CLAIMS.items()])
        return
    need_extra()
    from mien.audit import document
    from mien.errors import MediaNotFound
    from mien.reproduce import run
    from mien.reproduce.claim import Context

    if data is not None and not Path(data).is_dir():
        raise MediaNotFound(f"There is no folder {data}.", "Name the folder that holds the data with --data.")
    target = document.prepare(folder) if folder is not None else None
    with out.progress(f"reproducing {name}", None, "steps") as step:
        seen: dict[str, int] = {}

        def told(what: str, done: int, total: int) -> None:
            step(done - seen.get(what, 0), total)
            seen[what] = done

        found = run(name, Context(Path(data) if data else None, smoke, tuple(range(seeds)), told))
    record = _record(found, smoke)
    if target is not None:
        written = document.write(_report(found, record), target)
        out.note(f"The report is in {written.html}.")
    _tell(record, out)


def _record(found: Reproduction, smoke: bool) -> dict[str, Any]:
    """The object of --json: numbers as reports have them."""
    from mien.audit.document import plain, provenance

    return {
        "name": found.name,
        "claim": found.claim,
        "verdict": found.verdict,
        "checks": [
            {"check": check.words, "holds": check.holds, "measured": plain(check.measured)} for check in found.checks
        ],
        "metrics": plain(found.metrics),
        "baseline": plain(found.baseline),
        "made": plain({"data": "", "models": [], "seeds": [], **provenance(), "smoke": smoke, **found.made}),
    }


def _report(found: Reproduction, record: dict[str, Any]) -> Any:
    """The reproduction's report, opening with the verdict."""
    headline = f"{found.name}: {found.verdict}. {found.report.headline}".strip()
    claim = (f"The claim: {found.claim}", *found.report.findings)
    tables = {"Checks": tuple(record["checks"]), **found.report.tables}
    return replace(found.report, headline=headline, findings=claim, tables=tables, made=record["made"])


def _tell(record: dict[str, Any], out: Output) -> None:
    if out.form == "json":
        out.answer(record, [])
        return
    if out.form == "table":
        out.line([(f"The claim: {record['claim']}", 0)])
    out.table("checks", CHECKS, record["checks"])
    known = [check["holds"] for check in record["checks"] if check["holds"] is not None]
    smoke = " This was a smoke run: on less data than a verdict should rest on." if record["made"]["smoke"] else ""
    sentence = f"{record['name']}: {record['verdict']}; {sum(known)} of {len(known)} tested checks hold.{smoke}"
    if out.form == "table":
        out.line([(sentence, 0)], bold=0)
