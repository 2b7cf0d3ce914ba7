"""Data sets that are split in several official ways.

A reader splits by the first protocol and notes the others in `group`: {"protocol 2.1": "train"}. `under` turns to one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from mien.errors import UsageError
from mien.learn.data.example import Dataset, Split

PREFIX = "protocol "


def protocols_of(dataset: Dataset) -> tuple[str, ...]:
    """The names of the protocols that the examples know."""
    return tuple(
        sorted({key.removeprefix(PREFIX) for one in dataset.examples for key in one.group if key.startswith(PREFIX)})
    )


def under(dataset: Dataset, protocol: str) -> Dataset:
    """The data set split as a protocol has it; what the protocol does not use is left out. Raises UsageError."""
    key = PREFIX + protocol
    kept = tuple(replace(one, split=cast(Split, one.group[key])) for one in dataset.examples if key in one.group)
    if not kept:
        known = ", ".join(protocols_of(dataset)) or "none"
        raise UsageError(f"{dataset.layout} as read has no protocol {protocol}; it has {known}.", "Name one of them.")
    return replace(dataset, examples=kept)
