"""What a source is made of: a picture of somebody, or something that cannot be one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mien.errors import MienError


@dataclass(frozen=True, slots=True)
class Item:
    """A picture to enrol."""

    subject: str
    source: str  # absolute path, or URL
    stamp: str = ""  # what changes with the content (size and time, ETag); "" where that is not known without fetching
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A picture, row or folder that was meant and cannot be used."""

    source: str
    error: MienError


Entry = Item | Problem


class Source(Protocol):
    """Where pictures come from. Each walk begins anew, in the same order, and holds no more than it must."""

    @property
    def passed(self) -> int:
        """Files of the last walk that are no pictures and were never meant as such."""

    def entries(self) -> Iterator[Entry]:
        """Every picture, and what was meant as one."""
