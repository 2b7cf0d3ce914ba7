"""`mien calibrate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.cli.group import verb
from mien.cli.options import gallery_at, rate, with_engine
from mien.cli.output import Column, Output, answers

if TYPE_CHECKING:
    from mien.engine import Engine

COLUMNS = (
    Column("threshold", lambda one: one["point"]["threshold"]),
    Column("from", lambda one: one["from"]),
    Column("score", lambda one: one["point"]["score"]),
    Column("fmr", lambda one: one["point"]["fmr"], only="csv"),
    Column("fpir", lambda one: one["point"]["fpir"], only="csv"),
    Column("aimed at", lambda one: _aim(one["point"]), only="table"),
    Column("false matches here", lambda one: one["fmr"] and one["fmr"]["value"], only="csv"),
    Column("low", lambda one: one["fmr"] and one["fmr"]["low"], only="csv"),
    Column("high", lambda one: one["fmr"] and one["fmr"]["high"], only="csv"),
    Column("comparisons", lambda one: one["fmr"] and one["fmr"]["n"], only="csv"),
    Column("strangers named", lambda one: one["fpir"]["value"], only="csv"),
    Column("strangers low", lambda one: one["fpir"]["low"], only="csv"),
    Column("strangers high", lambda one: one["fpir"]["high"], only="csv"),
    Column("false-match rate here (95 %)", lambda one: _interval(one["fmr"]), only="table"),
    Column("strangers named (95 %)", lambda one: _interval(one["fpir"]), only="table"),
)


@verb("calibrate")
@click.argument("gallery", metavar="GALLERY")
@click.option("--fmr", type=rate, metavar="RATE", multiple=True, help="Rate to find a threshold for; repeatable.")
@click.option(
    "--fpir", type=rate, metavar="RATE", multiple=True, help="Share of strangers named to find one for; repeatable."
)
@click.option("--keep", is_flag=True, help="Keep the gallery's own thresholds in it; identify then prefers them.")
@with_engine()
@answers
def command(
    gallery: str, fmr: tuple[float, ...], fpir: tuple[float, ...], keep: bool, engine: Engine, out: Output
) -> None:
    """Everybody against everybody else: pairs of different people are always at hand. For each threshold, those the
    gallery supports itself and those of the model's card, it says how often two different people match here, and how
    many strangers out of all would be taken for somebody at the gallery's present size. With 30 people or more there are
    also thresholds of the relative score, which is how far the most alike stands out from the five next: identifying by
    it misses far fewer people, at the same share of strangers named.

    A rate the gallery is too small for is refused with the reason. What this cannot say is how often your own people
    would be missed. To use a threshold once: mien identify --threshold; from now on: --keep. Where the gallery's own
    evidence does not reach the rate wanted, the model card's is used as before."""
    from mien.audit.calibration import RATES, SEARCH_RATES, calibrate

    with gallery_at(gallery, read_only=not keep) as people:
        card = engine.points if people.space == engine.embedder.space else ()
        found = calibrate(people, fmr or RATES, card, data=gallery, fpirs=fpir or SEARCH_RATES)
        if keep:
            people.keep_points(found.points)
    records = [
        {"from": origin, "fmr": None, **wire.encode(item)}
        for origin, items in (("gallery", found.own), ("gallery", found.search), ("model card", found.card))
        for item in items
    ]
    out.table(
        "thresholds",
        COLUMNS,
        records,
        gallery=gallery,
        people=found.people,
        templates=found.templates,
        comparisons=found.comparisons,
        refused=wire.encode(found.refused),
        kept=keep,
    )
    out.note(f"{found.people:,} people, {found.templates:,} templates, {found.comparisons:,} comparisons of strangers.")
    if keep:
        kept = ", ".join(_aim(wire.encode(point)) for point in found.points)
        out.note(
            f"Kept in the gallery: thresholds for {kept}." if kept else "The gallery keeps no thresholds of its own."
        )
    for refused in found.refused:
        out.note(f"No threshold for {_aim(wire.encode(refused))}: {refused.reason}")


def _aim(record: dict[str, Any]) -> str:
    return f"FPIR {record['fpir']:.3g}" if record["fpir"] else f"FMR {record['fmr']:.3g}"


def _interval(metric: dict[str, float] | None) -> str:
    if metric is None:
        return ""
    return f"{metric['value']:.2g} ({metric['low']:.2g} to {metric['high']:.2g})"
