"""What was asked for, and `synthetic.json` at the root: the recipe, the seed, the versions, and that all is synthetic."""

from __future__ import annotations

import csv
import hashlib
import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np

import mien
from mien.errors import CannotWrite, UsageError
from mien.learn.synth import sinks
from mien.learn.synth.people import levels
from mien.learn.synth.program import Program
from mien.learn.synth.truth import STATEMENT, Truth, read_truth, table

NAME = "synthetic.json"
Kind = Literal["stills", "clips"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that decides which bytes are made."""

    program: Program
    subjects: int = 20
    kind: Kind = "clips"
    layout: str = "plain"
    size: int = 128  # px
    fps: float = 30.0
    seed: int = 0
    repeats: int = 1  # of every expression by every subject, times the expression's own
    groups: Mapping[str, int] = field(
        default_factory=dict
    )  # controlled variable -> levels, spread evenly over subjects
    extras: tuple[str, ...] = ()  # "masks", "depth"
    video: bool = False  # clips of the plain layout as .mp4 instead of folders of frames
    jpeg: bool = False  # pictures of the plain layout as .jpg instead of .png

    def recipe(self, model: str) -> dict[str, Any]:
        """As JSON holds it, with the version that renders; `model` is the digest of the face model."""
        own = {name: getattr(self, name) for name in self.__slots__ if name != "program"}
        whole: dict[str, Any] = json.loads(
            json.dumps({**own, "mien": mien.__version__, "model": model, "program": self.program.recipe()})
        )
        return whole


def people(wanted: Wanted) -> tuple[tuple[tuple[str, str], ...], ...]:
    """(variable, level) pairs of each subject: all combinations, each equally often or once less, in an order drawn once."""
    return _people(wanted.subjects, wanted.seed, tuple(sorted(wanted.groups.items())))


@lru_cache(maxsize=4)  # asked for once per clip
def _people(subjects: int, seed: int, groups: tuple[tuple[str, int], ...]) -> tuple[tuple[tuple[str, str], ...], ...]:
    cells = list(product(*(levels(name, count) for name, count in groups)))
    rng = np.random.default_rng([seed, 3])
    rows = [cells[index] for _ in range(-(-subjects // len(cells))) for index in rng.permutation(len(cells))]
    return tuple(tuple(zip((name for name, _ in groups), row, strict=True)) for row in rows[:subjects])


def begin(wanted: Wanted, folder: Path, model: str, clips: int) -> None:
    """Make the folder, or see that it holds the same recipe. Raises UsageError, CannotWrite."""
    recipe = wanted.recipe(model)
    at = folder / NAME
    if at.exists():
        changed = _differences(_recipe_of(at), recipe)
        if changed:
            raise UsageError(
                f"{folder} holds data of another recipe ({', '.join(changed)}).", "Name another folder, or remove it."
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there and holds no {NAME}.", "Name a new or an empty folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{folder} cannot be made: {error.strerror or error}.", "Name another folder.") from error
    for part in folder.rglob(f"{sinks.PART}*"):
        sinks.remove(part)
    if not at.exists():
        _write(at, _text(wanted, recipe, clips, finished=False))


def end(wanted: Wanted, folder: Path, model: str, names: Sequence[str]) -> None:
    """The lists that a layout has, index.csv, the sheet, and the manifest that says it is finished."""
    from mien.learn.synth.layouts import LAYOUTS
    from mien.learn.synth.sheet import draw_sheet

    rows: list[dict[str, Any]] = []
    for truth in truths(folder, names):
        rows += table([truth])
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with sinks.whole(folder / "index.csv") as part, part.open("w", newline="", encoding="utf8") as stream:
        writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    LAYOUTS[wanted.layout].finish(folder, lambda: truths(folder, names), wanted)
    draw_sheet(wanted, folder, names)
    _write(folder / NAME, _text(wanted, wanted.recipe(model), len(names), finished=True))


def truths(folder: Path, names: Sequence[str]) -> Iterator[Truth]:
    """The truth of each clip, one at a time."""
    for name in names:
        yield read_truth(folder / "truth" / f"{name}.json")


def _text(wanted: Wanted, recipe: Mapping[str, Any], clips: int, finished: bool) -> str:
    whole = {
        "synthetic": True,
        "statement": STATEMENT,
        "finished": finished,
        "clips": clips,
        "labels": wanted.program.labels,
        "seed": wanted.seed,
        "made": {"mien": mien.__version__, "python": platform.python_version(), "numpy": np.__version__},
        "digest": hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest(),
        "recipe": recipe,
    }
    return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def _recipe_of(at: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(at.read_text(encoding="utf8"))["recipe"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{at} cannot be read.", "Name another folder, or remove it.") from error
    return found if isinstance(found, dict) else {}


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of what differs, with both values where they are short."""
    found = []
    for name in sorted({*before, *now}):
        one, other = before.get(name), now.get(name)
        if one != other:
            short = max(len(str(one)), len(str(other))) <= 24
            found.append(f"{name} {one} there, {other} asked for" if short else name)
    return found


def _write(at: Path, text: str) -> None:
    with sinks.whole(at) as part:
        part.write_text(text, encoding="utf8")
