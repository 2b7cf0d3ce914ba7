"""The card of a model trained here: what it is, from what, how it was chosen, how good it is on people it never saw."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mien.learn.recipe import Recipe
from mien.models import places
from mien.models.card import Result, read

LICENCE = "https://creativecommons.org/publicdomain/zero/1.0/"


@dataclass(frozen=True, slots=True)
class Told:
    """What a card says that the recipe does not know."""

    training: str  # on what, with which seed and commit, which epoch
    data_terms: str  # of the training data, as its layout states them
    results: Sequence[Result]
    least_probability: float | None = None  # below which the judge says nothing
    abstain_words: str = ""  # how that was chosen


def write_card(recipe: Recipe, graph: Path, name: str, told: Told) -> Path:
    """`NAME.toml` beside the graph; read back before it counts. Raises ModelError, OSError."""
    import tomlkit

    document = tomlkit.document()
    document.update({"name": name, "task": recipe.task, "summary": recipe.about, "training": told.training})
    document.update({"limits": list(recipe.limits), "labels": list(recipe.labels), "output": "probabilities"})
    entry = tomlkit.table()
    entry.update({"role": "model", "name": graph.name, "size": graph.stat().st_size, "sha256": places.sha256(graph)})
    entry.update({"sources": []})
    files = tomlkit.aot()
    files.append(entry)
    document.append("file", files)
    document.append("input", _table(_input(recipe)))
    document.append("licence", _table(_licence(told)))
    if recipe.intended:
        document.append("statement", _table({"intended_use": recipe.intended}))
    if told.least_probability is not None:
        limits = {"least_probability": told.least_probability, "data": told.abstain_words}
        document.append("abstain", _table(limits))
    results = tomlkit.aot()
    for one in told.results:
        results.append(
            _table({spec.name: value for spec in fields(one) if (value := getattr(one, spec.name)) is not None})
        )
    if told.results:
        document.append("result", results)
    path = graph.with_suffix(".toml")
    places.write(path, tomlkit.dumps(document).encode())
    read(path)
    return path


def _input(recipe: Recipe) -> dict[str, Any]:
    return {
        "size": list(recipe.mouth.size),
        "template": recipe.mouth.template,
        "colour": "rgb",
        "mean": 0,
        "std": 1,
        "layout": "NHWC",
    }


def _licence(told: Told) -> dict[str, Any]:
    return {
        "code": "MIT",
        "weights": "Trained by whoever ran `mien learn`; the terms of the training data may bind their use",
        "url": LICENCE,
        "read_on": time.strftime("%Y-%m-%d", time.gmtime()),
        "training_data": told.data_terms,
        "commercial": "unclear",
    }


def _table(values: dict[str, Any]) -> Any:
    import tomlkit

    table = tomlkit.table()
    for key, value in values.items():
        if key == "read_on":
            from datetime import date

            value = date.fromisoformat(value)
        table[key] = value
    return table
