"""A chain of entries: each is hashed with the one before it, and the newest hash is sealed with a secret.

Whoever changes, removes or reorders an entry must change every later hash, and then the seal, which takes the secret."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

START = bytes(32)  # what the first entry is hashed with


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry of a chain."""

    number: int  # 0: there is none
    hash: bytes  # (32,)
    at: str  # ISO 8601 UTC, with microseconds

    def __str__(self) -> str:
        return f"{self.number}:{self.hash.hex()}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a chain found."""

    entries: int  # that are in order, from the first
    head: str  # number:hash of the last of them, to keep elsewhere
    fault: str | None  # one sentence on the first broken entry; None when all is well
    broken: int | None = None  # its number


def canonical(entry: Mapping[str, Any]) -> str:
    """One text for one entry: sorted names, no spaces, ASCII."""
    return json.dumps(entry, sort_keys=True, separators=(",", ":"), allow_nan=False)


def linked(before: bytes, text: str) -> bytes:
    """The hash of the entry `text` behind an entry with the hash `before`."""
    return hashlib.blake2b(before + text.encode(), digest_size=32, person=b"mien log").digest()


def seal(master: bytes, number: int, newest: bytes) -> bytes:
    """What only the holder of the master secret can put under the newest entry."""
    return hmac.digest(master, b"mien log head %d " % number + newest, "sha256")


def check(
    rows: Iterable[tuple[int, str, bytes]],
    head: tuple[int, bytes, bytes] | None,
    master: bytes | None,
    known: Sequence[str] = (),
    after: int = 0,
) -> Verdict:
    """Check (number, entry, hash) rows in order against the head (number, hash, seal).

    master: None leaves the seal unchecked. known: heads of earlier ("number:hash") that must lie in the chain.
    after: the number of an entry up to which all is taken for granted; the one behind it is, too."""
    before, number, at = START, 0, ""
    seen = dict(split(one) for one in known if one)
    for row, text, hash_ in rows:
        fault = None if row <= after + bool(after) else _broken(number, row, (before, text, hash_), at)
        if fault is None and row > after and seen.get(row, hash_) != hash_:
            fault = f"Entry {row} is not the one that was noted earlier."
        if fault:
            return Verdict(number, f"{number}:{before.hex()}", fault, number + 1)
        before, number, at = hash_, row, _at(text)
    fault = _beheaded(number, before, head, master)
    if fault is None and max(seen, default=0) > number:
        fault = f"Entry {max(seen)} was noted earlier and is gone."
    return Verdict(number, f"{number}:{before.hex()}", fault, number + 1 if fault else None)


def _broken(last: int, row: int, link: tuple[bytes, str, bytes], at: str) -> str | None:
    before, text, hash_ = link
    if row != last + 1:
        return f"Entry {last + 1} is missing: after {last} comes {row}."
    if linked(before, text) != hash_:
        return f"Entry {row} is not what was written: it was changed, or one before it was put in or taken out."
    if _at(text) < at:
        return f"Entry {row} is dated before the one in front of it."
    return None


def _beheaded(number: int, newest: bytes, head: tuple[int, bytes, bytes] | None, master: bytes | None) -> str | None:
    if head is None:
        return None if number == 0 else "The seal under the newest entry is missing."
    if head[0] > number:
        return f"Entries {number + 1} to {head[0]} are missing at the end."
    if head[0] < number or head[1] != newest:
        return f"Entry {min(head[0], number) + 1} is not covered by the seal: it was put in from outside."
    if master is not None and not hmac.compare_digest(head[2], seal(master, number, newest)):
        return f"The seal under entry {number} was not made with this service's secret: entries were written anew."
    return None


def _at(text: str) -> str:
    try:
        return str(json.loads(text)["at"])
    except (ValueError, KeyError, TypeError):
        return ""  # a hash that fits shows that it was written so


def split(known: str) -> tuple[int, bytes]:
    """(number, hash) of a head. Raises UsageError."""
    from mien.errors import UsageError

    number, _, digits = known.partition(":")
    try:
        return int(number), bytes.fromhex(digits)
    except ValueError:
        raise UsageError(f"{known[:90]!r} is no head of a log.", "Give it as `mien log verify` said it.") from None
