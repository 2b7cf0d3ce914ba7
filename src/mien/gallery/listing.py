"""Who is enrolled, as a listing shows it: everybody, or a page of those who are asked for."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Self, TypeVar

from mien.errors import UsageError
from mien.gallery.names import subject_name

Item = TypeVar("Item")


def folded(text: str) -> str:
    """A text for comparing without regard to case; composed and decomposed letters are one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


@dataclass(frozen=True, slots=True)
class Page:
    """Which of the subjects a listing wants, in the order of their names."""

    after: str | None = None  # a name; only those behind it
    limit: int | None = None  # at most so many
    part: str = ""  # folded; only names that hold it

    @classmethod
    def of(cls, after: str | None, limit: int | None, containing: str | None) -> Self:
        """As a caller says it. Raises BadSubject for an `after` that can be no name, UsageError for a limit below 1."""
        if limit is not None and limit < 1:
            raise UsageError(f"{limit} people were asked for.", "Ask for at least one.")
        return cls(None if after is None else subject_name(after), limit, folded(containing or ""))

    @property
    def whole(self) -> bool:
        """Whether everybody is asked for."""
        return self.after is None and self.limit is None and not self.part

    def wants(self, name: str) -> bool:
        """Whether somebody is to be listed, the limit aside."""
        return (self.after is None or name > self.after) and (not self.part or self.part in folded(name))

    def cut(self, items: Iterable[Item], name: Callable[[Item], str]) -> Iterator[Item]:
        """Those of some items, sorted by name, that are to be listed."""
        return islice((item for item in items if self.wants(name(item))), self.limit)
