"""All cards: those that come with mien, and the user's own."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from mien.errors import ModelError, UnknownModel
from mien.models.card import Card, read
from mien.models.places import card_folders

BUILT_IN = Path(__file__).parent / "cards"


def catalogue(task: str | None = None) -> tuple[Card, ...]:
    """Every card (of one task, such as "embedder"), by name.

    Raises ModelError when a card is faulty or two folders hold a card of one name."""
    found = tuple(read(path) for _, path in sorted(_paths().items()))
    return tuple(card for card in found if task is None or card.task == task)


def card(ref: str | os.PathLike[str]) -> Card:
    """The card of that name, or the card in that TOML file (anything that ends in ``.toml``).

    Raises UnknownModel when there is none, ModelError when it is faulty."""
    if str(ref).endswith(".toml"):
        path = Path(ref)
        if not path.is_file():
            raise UnknownModel(f"There is no card at {path}.", "Give its path, or a name that `mien models` lists.")
        return read(path)
    paths = _paths()
    name = str(ref)
    if name not in paths:
        close = difflib.get_close_matches(name.lower().replace("-", "_"), paths, n=2, cutoff=0.6)
        hint = f"Did you mean {' or '.join(close)}?" if close else "`mien models` lists the names."
        raise UnknownModel(f"No model is called {name!r}.", hint)
    return read(paths[name])


def _paths() -> dict[str, Path]:
    """Cards by name, unread. A name that two folders claim is an error: guessing which is meant would be worse."""
    paths: dict[str, Path] = {}
    for folder in (BUILT_IN, *card_folders()):
        if not folder.is_dir():
            raise ModelError(f"The folder of cards {folder} does not exist.", "Mend MIEN_CARDS.")
        for path in folder.glob("*.toml"):
            if path.stem in paths:
                raise ModelError(
                    f"Two cards are called {path.stem!r}: {paths[path.stem]} and {path}.", "Rename the second one."
                )
            paths[path.stem] = path
    return paths
