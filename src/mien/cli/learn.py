"""`mien learn`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.audit.listing import need_extra
from mien.cli.audit.common import COLUMNS
from mien.cli.group import verb
from mien.cli.options import pair
from mien.cli.output import Column, Output, answers
from mien.errors import MediaNotFound, UsageError

if TYPE_CHECKING:
    from mien.learn.data.example import Dataset
    from mien.learn.recipe import Recipe
    from mien.learn.run import Learnt

LIST = (Column("name", lambda one: one["name"]), Column("recipe", lambda one: one["recipe"]))
FIELDS = (Column("field", lambda one: one["field"]), Column("value", lambda one: one["value"]))


@verb("learn")
@click.argument("name", required=False, metavar="[RECIPE]")
@click.option("--data", metavar="PATH", help="A data set in its official layout: a folder, or a zip.")
@click.option("--layout", metavar="NAME", help="Which layout that is, where it is not clear from its files.")
@click.option("-o", "--out", "folder", metavar="FOLDER", help="The run: checkpoints, log, ONNX, card, report.")
@click.option(
    "--set", "changes", type=pair, multiple=True, metavar="FIELD=VALUE", help="Change the recipe; repeatable."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="Where: auto takes a GPU if there is one.")  # fmt: skip
@click.option("--devices", type=click.IntRange(1), default=1, show_default=True, help="GPUs, or processes on the CPU.")
@click.option("--precision", type=click.Choice(["auto", "32", "bf16", "16"]), default="auto", show_default=True,
              help="Of products: auto takes bf16 where it is fast.")  # fmt: skip
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Processes that load data.")
@click.option("--stop-after", type=click.IntRange(1), metavar="EPOCHS", help="Stop there; the same command goes on.")
@click.option("--from", "start", metavar="RUN", type=click.Path(path_type=Path),
              help="Begin from the weights of that run of the same recipe.")  # fmt: skip
@click.option("--smoke", is_flag=True, help="Little of everything, on made-up data if none is given: under a minute.")
@click.option("--fields", "show", is_flag=True, help="List what --set can change, and end.")
@answers
def command(  # noqa: PLR0913 - one parameter per option
    name: str | None, data: str | None, layout: str | None, folder: str | None, changes: tuple[tuple[str, str], ...],
    smoke: bool, show: bool, out: Output, **options: Any,
) -> None:  # fmt: skip
    """Trains one of the recipes and leaves a folder that mien judge runs: an ONNX file checked against torch, a card with
    data, seed, commit and results, a report. The epoch is chosen on the dev split; the test split is looked at once, at the
    end. A run that was interrupted goes on where it was when the same command is given again. Without a name it lists the
    recipes.

    \b
      mien learn emotion_cnn --data fer2013.zip -o runs/emotion
      mien judge runs/emotion photo.jpg
    """
    from mien.learn.catalogue import RECIPES, recipe

    if name is None:
        out.table("recipes", LIST, [{"name": key, "recipe": line} for key, (_, line) in RECIPES.items()])
        return
    made = recipe(name, dict(changes))
    if show:
        rows = [{"field": key, "value": str(value)} for key, value in made.settings().items()]
        out.table("fields", FIELDS, rows)
        return
    need_extra()
    if data is None and not smoke:
        raise UsageError(f"{name} needs data to learn from.", "Name them with --data, or try --smoke.")
    if folder is None and not smoke:
        raise UsageError("The run needs a folder.", "Name one with -o.")
    with tempfile.TemporaryDirectory(prefix="mien-smoke-") as spare:
        target = Path(folder) if folder is not None else Path(spare) / "run"
        source = _source(made, data, layout, Path(spare), smoke)
        learnt = _learn(made.smaller() if smoke else made, source, target, options, out)
        if folder is not None and learnt.card is not None:
            from mien.models import licence

            licence.accept(learnt.card)  # whoever trained it knows the terms of the data it was given
        _tell(name, learnt, folder, smoke, out)


def _source(made: Recipe, data: str | None, layout: str | None, spare: Path, smoke: bool) -> Dataset:
    if data is None:
        return made.toy(spare / "toy")
    from mien.learn.data.layouts import read

    if not Path(data).exists():
        raise MediaNotFound(f"There is no {data}.", "Name a folder or a zip with --data.")
    found = read(Path(data), layout)
    if made.layouts and found.layout not in made.layouts:
        raise UsageError(f"{made.name} reads {', '.join(made.layouts)}, and {data} is {found.layout}.")
    if not smoke:
        return found
    from mien.learn.splits import thinned

    return thinned(found, 40)


def _learn(made: Recipe, source: Dataset, target: Path, options: dict[str, Any], out: Output) -> Learnt:
    from mien.learn.fit import Settings
    from mien.learn.run import learn

    for problem in source.problems:
        out.note(f"{problem.number:,} x {problem.kind}: {problem.words}")
    with out.progress(f"learning {made.name}", made.epochs, "epochs") as step:
        told = _teller(step, out)
        return learn(made, source, target, Settings(**options), told)


def _teller(step: Any, out: Output) -> Callable[[float, float, str], None]:
    at = [0.0]

    def told(done: float, total: float, words: str) -> None:
        step(done - at[0], total)
        at[0] = done
        if words.startswith("dev"):
            out.note(f"Epoch {round(done)} of {round(total)}: {words}.")

    return told


def _tell(name: str, learnt: Learnt, folder: str | None, smoke: bool, out: Output) -> None:
    from mien.audit import document

    if learnt.report is None:
        out.note(f"Stopped after epoch {len(learnt.trained.history)}; the same command without --stop-after goes on.")
        out.answer({"name": name, "state": "training", "epochs": len(learnt.trained.history)}, [])
        return
    whole = document.encode(learnt.report)
    records = [{"metric": key, **metric} for key, metric in whole["metrics"].items()]
    if out.form == "table":
        out.line([(learnt.report.headline, 0)], bold=0)
    rest = {"name": name, "epoch": learnt.trained.best + 1, "temperature": learnt.temperature, "smoke": smoke}
    out.table("metrics", COLUMNS, records, **rest, card=str(learnt.card) if folder else None)
    if folder is not None:
        out.note(f"The model is {learnt.graph}, its card {learnt.card}; try: mien judge {folder} PHOTO")
        out.note(f"The report is in {Path(folder) / 'report' / 'report.html'}.")
