"""Weights whose terms forbid or may forbid commercial use load only after a yes by name.

A yes is kept with the date and a digest of the terms it was given to, so that it lapses when the terms on the card
change.
``MIEN_ACCEPT="name,name"`` says yes for one process, which suits containers.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from mien.errors import LicenceNotAccepted, ModelError
from mien.locks import lock
from mien.models.card import Card
from mien.models.catalogue import card as card_of
from mien.models.places import config, write


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A yes to the terms of one model."""

    name: str
    terms: str  # digest of the terms; "" when said through MIEN_ACCEPT
    on: str  # ISO date; "" when said through MIEN_ACCEPT


def terms(card: Card) -> str:
    """Digest of what a card says about the licence; the day on which it was read does not count."""
    said = asdict(card.licence)
    del said["read_on"]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def accept(name: str | os.PathLike[str]) -> Acceptance:
    """Say yes to the terms of a model; kept until `revoke`. Returns what was noted.

    Raises UnknownModel, and ModelError when the note cannot be kept."""
    card = card_of(name)
    made = Acceptance(card.name, terms(card), date.today().isoformat())
    _change({made.name: made}, drop=None)
    return made


def revoke(name: str) -> bool:
    """Take a yes back; False when none had been given. One said through MIEN_ACCEPT is not ours to take back."""
    had = name in _noted()
    if had:
        _change({}, drop=name)
    return had


def accepted() -> tuple[Acceptance, ...]:
    """Every yes in force, by name, those of MIEN_ACCEPT included. Raises ModelError when the notes are damaged."""
    said = {name: Acceptance(name, "", "") for name in _said_in_environment()}
    return tuple(one for _, one in sorted((said | _noted()).items()))


def is_accepted(card: Card) -> bool:
    """Whether the card needs no yes or has one that fits its terms."""
    if card.licence.commercial == "yes" or card.name in _said_in_environment():
        return True
    note = _noted().get(card.name)
    return note is not None and note.terms == terms(card)


def require(card: Card) -> None:
    """Raises LicenceNotAccepted, with what the terms say and how to accept them, unless `is_accepted`."""
    if is_accepted(card):
        return
    verdict = {"no": "may not", "unclear": "may perhaps not"}[card.licence.commercial]
    said = card.licence
    terms_changed = " The terms on the card have changed since you accepted them." if card.name in _noted() else ""
    raise LicenceNotAccepted(
        f"The weights of {card.name} {verdict} be used commercially (weights: {said.weights}; "
        f"training data: {said.training_data}; read on {said.read_on} at {said.url}).{terms_changed}",
        f"If your use is within these terms, run `mien models accept {card.name}` or set MIEN_ACCEPT={card.name}.",
    )


def _said_in_environment() -> set[str]:
    return {name.strip() for name in os.environ.get("MIEN_ACCEPT", "").split(",") if name.strip()}


def _notes() -> Path:
    return config() / "licences.json"


def _noted() -> dict[str, Acceptance]:
    path = _notes()
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return {name: Acceptance(name, str(note["terms"]), str(note["on"])) for name, note in held.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The accepted licences in {path} cannot be read.", "Remove the file and accept again."
        ) from error


def _change(add: dict[str, Acceptance], drop: str | None) -> None:
    path = _notes()
    try:
        with lock(path.with_suffix(".lock")):
            kept = {name: note for name, note in (_noted() | add).items() if name != drop}
            shape = {name: {"terms": note.terms, "on": note.on} for name, note in sorted(kept.items())}
            write(path, json.dumps(shape, indent=2).encode())
    except OSError as error:
        raise ModelError(
            f"The decision cannot be kept in {path}: {error.strerror}.",
            "Set MIEN_CONFIG to a folder you may write, or MIEN_ACCEPT to the names.",
        ) from error
