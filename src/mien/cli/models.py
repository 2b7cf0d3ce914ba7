"""`mien models`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.cli import options
from mien.cli.group import family
from mien.cli.options import default_models
from mien.cli.output import Column, Output, answers

if TYPE_CHECKING:
    from mien.cli.output import Step
    from mien.models import Card, FileStatus, Progress
    from mien.types import OperatingPoint

CORRUPT = 69  # exit code when a file is not what its card says
LIST = (
    Column("name", lambda one: one["name"] + (" (default)" if one["default"] else "")),
    Column("task", lambda one: one["task"]),
    Column("commercial use", lambda one: one["commercial"]),
    Column("state", lambda one: one["state"]),
    Column("comes from", lambda one: one["from"]),
    Column("summary", lambda one: one["summary"]),
)
PULLED = (
    Column("model", lambda one: one["model"]),
    Column("state", lambda one: "ready" if one["error"] is None else "not ready"),
    Column("files", lambda one: list(one["files"].values())),
)
FILES = (
    Column("model", lambda one: one["model"]),
    Column("file", lambda one: one["name"]),
    Column("where", lambda one: one["where"]),
    Column("verdict", lambda one: "OK" if one["ok"] else "FAIL"),
    Column("problem", lambda one: one["problem"]),
)
names = click.argument("names", metavar="[NAME]...", nargs=-1)
name = click.argument("name", metavar="NAME")
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


@family("models")
@click.pass_context
@answers
def command(context: click.Context, out: Output) -> None:
    """Without a further word it lists them. A model whose weights may not, or perhaps not, be used commercially loads
    only after `mien models accept NAME`. MIEN_MODELS may name folders of model files, tried before the network."""
    if context.invoked_subcommand is None:
        _list(out)


@command.command("list")
@answers
def list_(out: Output) -> None:
    """Every model: what for, on which terms, whether it is here."""
    _list(out)


@command.command("pull")
@names
@answers
def pull(names: tuple[str, ...], out: Output) -> int:
    """Fetch, check and build models.

    The defaults where none is named. Every byte is checked against the card.
    A download that was cut goes on where it stopped."""
    from mien import models

    with out.progress("fetching", None, "bytes") as step:
        pulled = models.pull(names or default_models(), _counter(step))
    records = [
        {
            "model": one.model,
            "files": {role: str(path) for role, path in one.files.items()},
            "error": None if one.error is None else wire.problem(one.error),
        }
        for one in pulled
    ]
    refused = [(one.model, one.error) for one in pulled if one.error is not None]
    out.table("models", PULLED, records)
    out.failures(refused)
    return refused[0][1].exit_code if refused else 0


@command.command("verify")
@names
@answers
def verify(names: tuple[str, ...], out: Output) -> int:
    """Check the files of models against their cards.

    Size and SHA-256, of all models that are here where none is named.
    Exit code 69 when a file is damaged, or a model that was named is not here."""
    from mien import models

    found = models.verify(names or [card.name for card in models.catalogue()])
    shown = [one for one in found if names or one.path is not None]
    records = [wire.encode({"path": str(one.path or ""), **_fields(one)}) for one in shown]
    out.table("files", FILES, records)
    return 0 if all(one.ok for one in shown) else CORRUPT


@command.command("accept")
@name
@yes
@answers
def accept(name: str, yes: bool, out: Output) -> None:
    """Show a model's terms and say yes to them.

    On a terminal it asks first. The yes is kept with its date, and lapses when the terms on the card change."""
    from mien import models

    card = models.card(name)
    for title, said in _terms(card):
        out.note(f"{title + ':':16}{said}")
    if not yes and options.on_terminal():
        click.confirm(f"Is your use of {card.name} within these terms?", abort=True, err=True)
    done = models.accept(name)
    undo = ("take it back", f"mien models revoke {name}")
    out.answer(wire.encode(done), [("accepted", done.name), ("on", done.on), undo])


@command.command("revoke")
@name
@answers
def revoke(name: str, out: Output) -> None:
    """Take a yes back."""
    from mien import models

    had = models.revoke(models.card(name).name)
    said = "taken back" if had else "nothing to take back: the terms had not been accepted"
    out.answer({"name": name, "revoked": had}, [(name, said)])


@command.command("show")
@name
@answers
def show(name: str, out: Output) -> None:
    """A model's whole card.

    Terms, training, measured results, operating points, limits."""
    from mien import models

    card = models.card(name)
    lines: list[tuple[str, Any]] = [("name", card.name), ("task", card.task), ("summary", card.summary)]
    lines += [*_terms(card), ("training", card.training), ("paper", card.paper)]
    lines += [("limit", limit) for limit in card.limits]
    lines += [("file", f"{one.name}, {size(one.size)}, SHA-256 {one.sha256 or 'not known'}") for one in card.files]
    for result in card.results:
        interval = "" if result.low is None else f" ({result.low:g} to {result.high:g})"
        lines.append(("measured", f"{result.metric} {result.value:g}{interval} on {result.data}; {result.source}"))
    for point in _in_use(card):
        lines.append(("threshold", f"{point.threshold:.4f} at false-match rate {point.fmr:g}, on {point.data}"))
    out.answer(_shape(card), lines)


def _in_use(card: Card) -> list[OperatingPoint]:
    """Operating points of the variant that the card loads; it may carry those of others, in spaces of their own."""
    from mien import embed

    own = embed.space(card) if card.operating_points else ""
    return [point for point in card.operating_points if point.space in ("", own)]


def _list(out: Output) -> None:
    from mien import models

    default = default_models()
    records = [_summary(card, default) for card in models.catalogue()]
    out.table("models", LIST, records)
    out.note("The whole card: mien models show NAME. To use one: --embedder NAME or --detector NAME.")


def _summary(card: Card, default: tuple[str, ...]) -> dict[str, Any]:
    from mien.models import verify

    return {
        "name": card.name,
        "task": card.task,
        "default": card.name in default,
        "commercial": card.licence.commercial,
        "state": state(card, verify([card.name])),
        "from": "; ".join(sorted({_origin(source) for file in card.files for source in file.sources})),
        "summary": card.summary,
    }


def state(card: Card, files: tuple[FileStatus, ...]) -> str:
    """How it stands with a model, in words."""
    from mien.models.licence import is_accepted

    if not is_accepted(card):
        return "not accepted"
    if any(file.sha256 is None for file in card.files):
        return "no digest known"
    # Graphs that stand in the cache are enough: the files they were made from may be gone.
    if all(one.ok for one in files) or (card.build and any(one.where == "built" for one in files) and files[-1].ok):
        return "ready"
    if any(one.problem and one.path for one in files):
        return "damaged"
    sources = files[: len(card.files)]
    if all(one.ok for one in sources):
        return "built on first use"
    return f"to be fetched ({size(sum(file.size or 0 for file in card.files))})"


def size(count: int | None) -> str:
    """Bytes for people."""
    return "size not known" if not count else f"{count / 1e6:.1f} MB"


def _origin(source: Any) -> str:
    """Where a file may be had, in a few words."""
    from urllib.parse import urlsplit

    package = getattr(source, "package", None)
    return f"package {package}" if package else str(urlsplit(source.url).hostname)


def _terms(card: Card) -> list[tuple[str, str]]:
    licence = card.licence
    return [
        ("commercial use", licence.commercial),
        ("weights", licence.weights),
        ("training data", licence.training_data),
        ("code", licence.code),
        ("read at", f"{licence.url} on {licence.read_on}"),
    ]


def _shape(card: Card) -> dict[str, Any]:
    from dataclasses import asdict

    shape = asdict(card)
    shape["origin"] = str(card.origin)
    shape["licence"]["read_on"] = card.licence.read_on.isoformat()
    return dict(wire.encode(shape))


def _fields(status: FileStatus) -> Mapping[str, Any]:
    return {key: getattr(status, key) for key in ("model", "role", "name", "where", "ok", "problem")}


def _counter(step: Step) -> Progress:
    """The registry tells bytes so far per file; a bar wants what is new."""
    seen: dict[str, int] = {}
    totals: dict[str, int] = {}

    def told(name: str, here: int, total: int | None) -> None:
        totals[name] = total or here
        step(here - seen.get(name, 0), sum(totals.values()))
        seen[name] = here

    return told
