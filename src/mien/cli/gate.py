"""`mien gate`."""

from __future__ import annotations

import click

from mien import wire
from mien.cli.group import verb
from mien.cli.options import gallery_at
from mien.cli.output import Output, answers
from mien.errors import UsageError


@verb("gate")
@click.argument("gallery", metavar="GALLERY")
@click.option("--recall", type=float, default=0.999, show_default=True, help="Wanted at the lower end of the interval.")
@click.option(
    "--probes", type=click.IntRange(1), metavar="N", help="Searches to measure with (default: 6 / (1 - recall))."
)
@click.option(
    "--effort", type=click.IntRange(1), default=256, show_default=True, help="Candidates kept while searching."
)
@answers
def command(gallery: str, recall: float, probes: int | None, effort: int, out: Output) -> int:
    """Builds a graph over the gallery's templates in memory, asks it and the exact search the same questions, and compares
    the first answers. Nothing is switched on: every verb goes on searching exactly. A library call hands the graph out
    (mien.gallery.approximate.open_gate), and only where this passes.

    Exit code: 0 the recall is reached, 1 it is not."""
    from mien.gallery.approximate import open_gate
    from mien.gallery.embedded import EmbeddedGallery

    with gallery_at(gallery, read_only=True) as people:
        if not isinstance(people, EmbeddedGallery):
            raise UsageError(f"The gallery {gallery} is not one file.", "The gate measures people.db galleries.")
        gate = open_gate(people, recall=recall, probes=probes, effort=effort)
    one = gate.measured
    lines = [
        ("gate", "open" if one.passed else "shut"),
        ("recall", f"{one.recall:.4f}, 95 % interval {one.low:.4f} to {one.high:.4f}; {one.wanted} is wanted"),
        ("second pictures", _share(one.held_out_recall, one.held_out)),
        ("noised templates", _share(one.noised_recall, one.probes - one.held_out)),
        ("weak quarter", f"{one.weak_recall:.4f}, of probes whose best scores below {one.weak_score:.3f}"),
        ("gallery", f"{one.templates:,} templates of {one.people:,} people"),
        ("effort", one.effort),
    ]
    out.answer(wire.encode(one) | {"gallery": gallery, "passed": one.passed}, lines)
    return 0 if one.passed else 1


def _share(recall: float | None, probes: int) -> str:
    return "none" if recall is None else f"{recall:.4f} of {probes:,} probes"
