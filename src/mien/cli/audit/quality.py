"""`mien audit quality`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from mien.cli.audit.common import Run, audit_verb
from mien.cli.audit.sources import Sources, models_of, with_pictures
from mien.cli.options import rate

if TYPE_CHECKING:
    from mien.report import Report


@audit_verb("quality")
@with_pictures(labels=True)
@click.option(
    "--fmr", type=rate, metavar="RATE", default="1e-3", show_default=True, help="Whose threshold errors are of."
)
@click.option("--worst", type=click.IntRange(0, 200), default=12, show_default=True, help="Pictures named and shown.")
@click.option("--ofiq", metavar="CSV", help="Results of the reference software for these pictures, instead of ours.")
def command(sources: Sources, fmr: float, worst: int, ofiq: str | None, run: Run) -> Report:
    """Every picture gets the 28 components that ISO/IEC 29794-5 knows: 4 are measured as the standard says, 13 after it on
    five points, and 11 need models that are not at hand and say so. What is below is told in words for the person who
    takes the picture. Where people have several pictures, error versus discard shows which qualities predict false
    non-matches at the threshold of the model's card.

    The sheet of the worst pictures shows faces; --worst 0 leaves it out.

    \b
      mien audit quality --data faces/ -o report/
      mien audit quality --data faces/ --ofiq ofiq_results.csv -o report/
    """
    from mien.audit.captures.capturing import forget, lost
    from mien.audit.captures.resume import TEMPLATES
    from mien.audit.quality import Quality, look, with_reference

    pictures = sources.pictures()
    run.made |= {"data": str(sources.path), "pad": sources.pad, "models": models_of(sources.engine)}
    store = run.folder / TEMPLATES if run.folder is not None else None
    with run.out.progress("looking", len(pictures), "pictures") as step:
        looked = look(sources.engine, pictures, store, lambda done, total: step(1, total))
    problems = [*(one for one in sources.problems if one.kind != "no_subject"), *lost(looked.captures)]
    if ofiq is not None:
        looked, more = with_reference(looked, ofiq)
        run.made["ofiq"] = ofiq
        problems += more
    if store is not None:
        run.after.append(lambda: forget(store))
    report = Quality(fmr, worst, run.rounds, run.seed).run(looked)
    return replace(report, problems=(*problems, *report.problems))
