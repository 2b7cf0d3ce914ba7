"""The classes that a layout has and a folder lacks: told, since a network trained on it could never name them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mien.audit.data.found import Found
from mien.learn.data.example import Example


def lacking(found: Found, examples: Iterable[Example], labels: Sequence[str]) -> None:
    """Notes the classes of `labels` that no example has."""
    met = {one.label for one in examples}
    for label in labels:
        if label not in met:
            found.add("absent_class", "is a class of the layout that no example has", label)
