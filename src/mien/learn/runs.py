"""A run's folder: what it was asked to do, so that it goes on as it began and never as something else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mien.errors import CannotWrite, InputError, UsageError
from mien.learn.data.example import Dataset
from mien.learn.recipe import Recipe
from mien.models import places

RECORD = "run.json"


def begin(folder: Path, recipe: Recipe, source: Dataset, seed: int, start: Path | None = None) -> None:
    """Make the folder and note what is run in it, or see that the same is. `start`: the run whose weights it begins from.

    Raises UsageError for the folder of another run, CannotWrite."""
    from mien.audit.document import prepare

    prepare(folder)
    asked = {
        "recipe": recipe.name,
        "settings": recipe.settings(),
        "seed": seed,
        "data": {"layout": source.layout, "examples": len(source), "digest": digest(source)},
    }
    if start is not None:
        asked["start"] = _start(start, recipe)
    asked = json.loads(json.dumps(asked))  # tuples as lists, as they come back
    kept = record(folder)
    if kept is None:
        if any(folder.iterdir()):
            raise UsageError(f"{folder} holds something else than a run.", "Name an empty folder with -o.")
        from mien.audit.provenance import provenance

        note(folder, {"asked": asked, "begun": provenance(), "state": "training"})
        return
    differing = _differing(kept.get("asked", {}), asked)
    if differing:
        raise UsageError(
            f"The run in {folder} was begun with other {', '.join(differing)}.",
            "Name another folder with -o, or give the same again to go on.",
        )


def _start(folder: Path, recipe: Recipe) -> dict[str, Any]:
    """What the run before was, so that both together can be carried out again."""
    kept = record(folder)
    if kept is None or kept.get("asked", {}).get("recipe") != recipe.name:
        raise UsageError(f"{folder} is not the folder of a run of {recipe.name}.", "Name one that `mien learn` made.")
    return {**kept["asked"], "commit": kept.get("begun", {}).get("commit"), "best": kept.get("best")}


def record(folder: Path) -> dict[str, Any] | None:
    """What is noted of the run in a folder; None where there is none. Raises InputError for a damaged note."""
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}.", "Name another folder with -o.") from error
    return found


def note(folder: Path, more: Mapping[str, Any]) -> None:
    """Add to the run's note."""
    whole = (record(folder) or {}) | dict(more)
    try:
        places.write(folder / RECORD, json.dumps(whole, indent=2).encode())
    except OSError as error:
        raise CannotWrite(f"{folder / RECORD} cannot be written: {error.strerror or error}.", "Make room.") from error


def digest(source: Dataset) -> str:
    """Of the examples' names, splits and labels, in their order: other data are noticed."""
    found = hashlib.sha256()
    for one in source.examples:
        found.update(f"{one.name}\0{one.split}\0{one.label}\n".encode())
    return found.hexdigest()[:16]


def _differing(kept: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    names = [key for key in ("recipe", "seed", "data", "start") if kept.get(key) != asked.get(key)]
    if kept.get("recipe") != asked["recipe"]:
        return names
    held = kept.get("settings", {})
    return names + sorted(key for key, value in asked["settings"].items() if held.get(key) != value)
