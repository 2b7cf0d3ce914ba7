"""`mien calibrate`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.cli.group import verb
from mien.cli.options import gallery_at, rate, with_engine
from mien.cli.output import Column, Output, answers
from mien.errors import CannotWrite, UsageError

if TYPE_CHECKING:
    from mien.audit.calibration import Calibration
    from mien.engine import Engine

GROWTH_RATES = (0.01, 0.001)
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
SIZES = (
    Column("people", lambda one: one["size"]),
    Column("aimed at", lambda one: _aim(one["point"]), only="table"),
    Column("fpir", lambda one: one["point"]["fpir"], only="csv"),
    Column("threshold", lambda one: f"{one['point']['threshold']:.4f}", only="table"),
    Column("threshold", lambda one: one["point"]["threshold"], only="csv"),
    Column("how", lambda one: "predicted" if one["predicted"] else "counted"),
    Column("strangers named (95 %)", lambda one: _interval(one["fpir"]), only="table"),
    Column("at today's threshold (95 %)", lambda one: _interval(one["unchanged"]), only="table"),
    Column("mates missed (95 %)", lambda one: _interval(one["missed"]), only="table"),
    Column("strangers named", lambda one: one["fpir"]["value"], only="csv"),
    Column("strangers low", lambda one: one["fpir"]["low"], only="csv"),
    Column("strangers high", lambda one: one["fpir"]["high"], only="csv"),
    Column("unchanged", lambda one: one["unchanged"]["value"], only="csv"),
    Column("missed", lambda one: one["missed"] and one["missed"]["value"], only="csv"),
)


def sizes_of(text: str) -> tuple[int, ...]:
    """Numbers of people, 1000,10000."""
    try:
        return tuple(int(part.replace("_", "")) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"'{text}' is no list of sizes: write 1000,10000.") from None


@verb("calibrate")
@click.argument("gallery", metavar="GALLERY")
@click.option("--fmr", type=rate, metavar="RATE", multiple=True, help="Rate to find a threshold for; repeatable.")
@click.option(
    "--fpir", type=rate, metavar="RATE", multiple=True, help="Share of strangers named to find one for; repeatable."
)
@click.option("--keep", is_flag=True, help="Keep the gallery's own thresholds in it; identify then prefers them.")
@click.option(
    "--sizes", type=sizes_of, metavar="N,N", help="Thresholds for galleries of so many people instead (see below)."
)
@click.option("-o", "--out", "drawn", metavar="FILE.svg", help="Draw how strangers named grow with the gallery.")
@with_engine()
@answers
def command(  # noqa: PLR0913 - one parameter per option
    gallery: str,
    fmr: tuple[float, ...],
    fpir: tuple[float, ...],
    keep: bool,
    sizes: tuple[int, ...] | None,
    drawn: str | None,
    engine: Engine,
    out: Output,
) -> None:
    """Everybody against everybody else: pairs of different people are always at hand. For each threshold, those the
    gallery supports itself and those of the model's card, it says how often two different people match here, and how
    many strangers out of all would be taken for somebody at the gallery's present size. With 30 people or more there are
    also thresholds of the relative score, which is how far the most alike stands out from the five next: identifying by
    it misses far fewer people, at the same share of strangers named.

    A rate the gallery is too small for is refused with the reason. What this cannot say is how often your own people
    would be missed. To use a threshold once: mien identify --threshold; from now on: --keep. Where the gallery's own
    evidence does not reach the rate wanted, the model card's is used as before. Thresholds kept earlier are judged anew.

    --sizes 1000,10000 asks for the thresholds that galleries of so many people would need, and what becomes of today's
    there. Up to the people enrolled that is counted, up to ten times as many predicted, beyond that refused. --keep keeps
    thresholds for half to ten times the people enrolled, or for the sizes named; the one for the present size is used."""
    from mien.audit.calibration import RATES, SEARCH_RATES, calibrate

    if drawn is not None and Path(drawn).suffix.lower() != ".svg":
        raise UsageError(f"The picture is an SVG, and {drawn} is called otherwise.", "Name it growth.svg, say.")
    wanted = () if sizes is None and (keep or drawn) else sizes
    rates = fpir or (SEARCH_RATES if sizes is None else GROWTH_RATES)
    with gallery_at(gallery, read_only=not keep) as people:
        card = engine.points if people.space == engine.embedder.space else ()
        found = calibrate(people, fmr or RATES, card, data=gallery, fpirs=rates, sizes=wanted)
        if keep:
            people.keep_points(found.points)
    if drawn is not None:
        _draw(found, drawn)
    if sizes is not None:
        _tell_sizes(found, gallery, keep, drawn, out)
        return
    _tell_thresholds(found, gallery, keep, out)


def _tell_thresholds(found: Calibration, gallery: str, keep: bool, out: Output) -> None:
    records = [
        {"from": origin, "fmr": None, **wire.encode(item)}
        for origin, items in (
            ("gallery", found.own),
            ("gallery", found.search),
            ("kept before", found.kept),
            ("model card", found.card),
        )
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
        points = [*(item.point for item in found.own), *(item.point for item in found.search)]
        kept = ", ".join(_aim(wire.encode(point)) for point in points)
        if found.sizes and found.sizes.rows:
            most = max(row.size for row in found.sizes.rows)
            kept += f", and by cosine for galleries of up to {most:,} people"
        out.note(
            f"Kept in the gallery: thresholds for {kept}." if kept else "The gallery keeps no thresholds of its own."
        )
    for refused in found.refused:
        out.note(f"No threshold for {_aim(wire.encode(refused))}: {refused.reason}")


def _draw(found: Calibration, path: str) -> None:
    chart = found.sizes.chart if found.sizes else None
    if chart is None:
        why = " ".join(dict.fromkeys(why for _, _, why in found.sizes.refused)) if found.sizes else ""
        raise UsageError(f"There is nothing to draw: {why}")
    from mien.audit.plots import picture

    try:
        Path(path).write_text(picture(chart), "utf8")
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}.") from error


def _tell_sizes(found: Calibration, gallery: str, keep: bool, drawn: str | None, out: Output) -> None:
    grown = found.sizes
    records = [wire.encode(row) for row in grown.rows] if grown else []
    refused = [{"size": size, "fpir": rate, "reason": why} for size, rate, why in grown.refused] if grown else []
    out.table("sizes", SIZES, records, gallery=gallery, people=found.people, refused=refused, kept=keep, drawn=drawn)
    if records and grown:
        rise = f"ten times the people raise thresholds by {grown.rise * math.log(10):.4f}"
        out.note(f"{found.people:,} people searched among each other: {rise}.")
    for one in refused:
        among = f" among {one['size']:,} people" if one["size"] else ""
        out.note(f"No threshold for FPIR {one['fpir']:.3g}{among}: {one['reason']}")


def _aim(record: dict[str, Any]) -> str:
    return f"FPIR {record['fpir']:.3g}" if record["fpir"] else f"FMR {record['fmr']:.3g}"


def _interval(metric: dict[str, float] | None) -> str:
    if metric is None:
        return ""
    return f"{metric['value']:.2g} ({metric['low']:.2g} to {metric['high']:.2g})"
