"""Measured results onto a card: written by the command that measured them, never by hand.

The card's text is edited, not made anew: comments and order stay. A result of the same command, data and metric replaces
the one measured before it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from mien.errors import CannotWrite, EvidenceError
from mien.models import places
from mien.models.card import Result, read
from mien.models.catalogue import card as card_of


def keep(ref: str | os.PathLike[str], results: Sequence[Result]) -> Path:
    """Write `results` onto the card `ref` (a name or a TOML file) and return its path.

    Raises UnknownModel, ModelError for a faulty card, EvidenceError for nothing to write, CannotWrite."""
    import tomlkit

    if not results:
        raise EvidenceError("There is no result to write onto the card.", "See the report for the reasons.")
    path = card_of(ref).origin
    document = tomlkit.parse(path.read_text(encoding="utf8"))
    if "result" not in document:
        document.append("result", tomlkit.aot())
    held: Any = document["result"]
    new = {_key(one.data, one.metric, one.source) for one in results}
    for index in reversed(range(len(held))):
        table = held[index]
        if _key(str(table.get("data")), str(table.get("metric")), str(table.get("source"))) in new:
            del held[index]
    for one in results:
        table = tomlkit.table()
        table.update({f.name: value for f in fields(one) if (value := getattr(one, f.name)) is not None})
        table.add(tomlkit.nl())
        held.append(table)
    text = tomlkit.dumps(document)
    _check(text, path.name)
    try:
        places.write(path, text.encode())
    except OSError as error:
        raise CannotWrite(
            f"The card {path} cannot be written: {error.strerror or error}.",
            "Copy it into a folder of your own and name that file with --card.",
        ) from error
    return path


def _check(text: str, name: str) -> None:
    """What is about to be written must be a card."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / name
        trial.write_text(text, encoding="utf8")
        read(trial)


def _key(data: str, metric: str, source: str) -> tuple[str, str, str]:
    return data, metric, source.partition(",")[0]  # "mien audit NAME" without commit and day
