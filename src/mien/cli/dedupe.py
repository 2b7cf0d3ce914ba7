"""`mien dedupe`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.cli import options
from mien.cli.group import verb
from mien.cli.options import gallery_at, rate, with_engine, with_keys
from mien.cli.output import Column, Output, answers
from mien.cli.words import evidence
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.dedupe import Duplicates, Misfit
    from mien.engine import Engine
    from mien.gallery import BaseGallery

COLUMNS = (
    Column("doubt", lambda one: one["doubt"]),
    Column("person", lambda one: one["subject"]),
    Column("and", lambda one: one["other"]),
    Column("score", lambda one: one["score"]),
    Column("picture", lambda one: one["source"]),
    Column("other picture", lambda one: one["other_source"]),
    Column("what to do", lambda one: one["remedy"], only="table"),
)
TWICE, ODD = "one person twice?", "another person?"


@verb("dedupe")
@click.argument("gallery", metavar="GALLERY")
@click.option("--expect", type=float, metavar="N", help="False pairs that chance may bring into the list (default: 1).")
@click.option("--fmr", type=rate, metavar="RATE", help="False-match rate per comparison instead, such as 1e-5.")
@click.option("--threshold", type=float, help="A similarity to list from, by hand and without evidence.")
@click.option(
    "--usual",
    type=rate,
    metavar="SHARE",
    help="Doubt a picture when that share of strangers are more alike (default: 0.05; 0: look at no pictures).",
)
@click.option("--limit", type=click.IntRange(1), help="Pairs listed, the most alike first (default: 200).")
@click.option("-o", "folder", metavar="FOLDER", help="Write a page with the kept crops of every pair there.")
@click.option("--merge", nargs=2, metavar="KEEP GONE", help="Move all pictures of GONE to KEEP, and take GONE away.")
@click.option("--remove", nargs=2, metavar="PERSON PICTURE", help="Erase one picture of a person, named as listed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@with_keys
@with_engine()
@answers
def command(  # noqa: PLR0913 - one parameter per option
    gallery: str,
    folder: str | None,
    merge: tuple[str, str] | None,
    remove: tuple[str, str] | None,
    yes: bool,
    keys: str | None,
    engine: Engine,
    out: Output,
    **wanted: float | None,
) -> None:
    """\b
      mien dedupe people.db                       list what there is to doubt
      mien dedupe people.db -o doubts             and show it, where crops were kept
      mien dedupe people.db --merge Ana Anna      they are one person
      mien dedupe people.db --remove Ana 3.jpg    this is not Ana

    Everybody is compared with everybody else. The more comparisons, the more strangers look alike by chance, so the
    threshold grows with the gallery, and how many false pairs to expect in the list is said. Nothing is merged by itself.
    A picture is doubted when it is less like the person's other pictures than 1 in 20 strangers are like each other."""
    if merge and remove:
        raise UsageError("One change at a time.", "Give --merge or --remove.")
    if merge or remove:
        with gallery_at(gallery, keys=keys, out=out) as people:
            (_merge if merge else _remove)(people, gallery, *(merge or remove or ("", "")), yes, out)
        return
    with gallery_at(gallery, read_only=True, keys=keys, out=out) as people:
        _list(
            people, gallery, {name: value for name, value in wanted.items() if value is not None}, engine, folder, out
        )


def _list(
    people: BaseGallery, name: str, wanted: dict[str, Any], engine: Engine, folder: str | None, out: Output
) -> None:
    from mien.dedupe import Wanted, dedupe

    card = engine.points if "threshold" not in wanted and people.space == engine.embedder.space else ()
    with out.progress("comparing", None, "comparisons") as step:
        told = 0

        def progress(done: int, total: int) -> None:
            nonlocal told
            step(done - told, total)
            told = done

        found = dedupe(people, Wanted(**wanted), card, progress)
    records = _records(found, name)
    sheet = _sheet(found, people, name, Path(folder)) if folder is not None and records else None
    out.table(
        "doubts", COLUMNS, records, gallery=name, people=found.people, templates=found.templates,
        comparisons=found.comparisons, threshold=wire.encode(found.point), expected_false_pairs=found.expected,
        expected_low=found.low, expected_high=found.high, reached=found.reached, sheet=sheet,
    )  # fmt: skip
    for line in _words(found):
        out.note(line)
    if sheet:
        out.note(f"{sheet} shows them.")


def _records(found: Duplicates, gallery: str) -> list[dict[str, Any]]:
    quoted = _quoted(gallery)
    pairs = [
        {
            "doubt": TWICE,
            "subject": pair.one,
            "other": pair.other,
            "score": round(pair.score, 6),
            "source": pair.one_source,
            "other_source": pair.other_source,
            "remedy": f"mien dedupe {quoted} --merge {_quoted(pair.one)} {_quoted(pair.other)}",
        }
        for pair in found.pairs
    ]
    odd = [
        {
            "doubt": ODD,
            "subject": one.subject,
            "other": one.resembles,
            "score": round(one.score, 6),
            "source": one.source,
            "other_source": "",
            "share": round(one.share, 4),
            "alone": one.alone,
            "remedy": f"mien dedupe {quoted} --remove {_quoted(one.subject)} {_quoted(one.source)}",
        }
        for one in found.misfits
    ]
    return pairs + odd


def _words(found: Duplicates) -> list[str]:
    lines = [
        f"{found.people:,} people, {found.templates:,} templates, {found.comparisons:,} comparisons of different people.",
        f"Threshold {found.point.threshold:.4f}: {evidence(wire.encode(found.point))}.",
    ]
    if found.expected is None:
        lines.append("How many false pairs to expect is not known of a threshold set by hand.")
    else:
        span = f" ({found.low:.2g} to {found.high:.2g})" if found.low is not None and found.high is not None else ""
        lines.append(
            f"Chance alone would bring about {found.expected:.2g}{span} comparisons of strangers into the list."
        )
    if found.reached > len(found.pairs):
        lines.append(
            f"{found.reached:,} comparisons reach the threshold; {len(found.pairs):,} pairs of people are listed."
        )
    if not found.pairs:
        lines.append("Nobody is enrolled twice, as far as the threshold sees.")
    if found.comparisons < 60:
        lines.append("With so few comparisons nobody can say which pictures are unlike a person's others.")
    if any(not one.alone for one in found.misfits):
        lines.append("Of two pictures that do not resemble each other both are listed: look which one is wrong.")
    return lines


def _sheet(found: Duplicates, people: BaseGallery, name: str, folder: Path) -> str:
    from mien.dedupe import sample_of
    from mien.media.contact import Row, Tile, write_sheet

    def tile(subject: str, vector: bytes, source: str) -> Tile:
        sample = sample_of(people, subject, vector)
        pixels = None if sample is None or sample.face is None else sample.face.frame.pixels
        return Tile(pixels, f"{subject}: {source}")

    rows = [
        Row(
            f"{pair.one} and {pair.other}",
            f"One person twice? Score {pair.score:.4f}.",
            [tile(pair.one, pair.vectors[0], pair.one_source), tile(pair.other, pair.vectors[1], pair.other_source)],
        )
        for pair in found.pairs
    ]
    rows += [_odd_row(one, people, tile(one.subject, one.vector, one.source)) for one in found.misfits]
    path = folder / "index.html"
    write_sheet(path, f"Doubts about {name}", _words(found), rows)
    return str(path)


def _odd_row(one: Misfit, people: BaseGallery, tile: Any) -> Any:
    from mien.media.contact import Row, Tile

    rest = [
        Tile(None if sample.face is None else sample.face.frame.pixels, f"{one.subject}: {sample.source}")
        for _, sample in people.samples(one.subject)
        if sample.template.vector.tobytes() != one.vector
    ]
    near = f" It resembles {one.resembles}." if one.resembles else ""
    note = (
        f"Another person in the first picture? {one.share:.0%} of strangers are more alike than it and the rest.{near}"
    )
    return Row(one.subject, note, [tile, *rest[:7]])


def _merge(people: BaseGallery, name: str, keep: str, gone: str, yes: bool, out: Output) -> None:
    from mien.dedupe import merge

    if not yes and options.on_terminal():
        click.confirm(f"Move all pictures of {gone} to {keep}, and take {gone} out of {name}?", abort=True, err=True)
    done = merge(people, keep, gone)
    record = {"gallery": name, **wire.encode(done)}
    out.answer(record, [("merged", f"{done.gone} into {done.subject}"), ("pictures", done.samples)])
    for key in done.dropped:
        out.warn(f"{done.subject} and {done.gone} had different {key}; {done.subject}'s is kept.")


def _remove(people: BaseGallery, name: str, subject: str, source: str, yes: bool, out: Output) -> None:
    chosen = [
        sample.template for _, sample in people.samples(subject) if source in (sample.source, _tail(sample.source))
    ]
    if not chosen:
        raise UsageError(f"{subject} has no picture {source}.", "Name it as the list does.")
    if len(chosen) > 1:
        raise UsageError(f"{subject} has {len(chosen)} pictures {source}.", "Name it with its whole path.")
    if not yes and options.on_terminal():
        click.confirm(f"Erase {source} of {subject} from {name} for good?", abort=True, err=True)
    people.forget_sample(subject, chosen[0])
    left = people.samples(subject) if subject in people else iter(())
    count = sum(1 for _ in left)
    out.answer({"gallery": name, "subject": subject, "erased": source, "left": count},
               [("erased", f"{source} of {subject}"), ("pictures left", count)])  # fmt: skip


def _tail(source: str) -> str:
    return Path(source).name


def _quoted(word: str) -> str:
    from shlex import quote

    return quote(word)
