"""What readers of data sets share: names looked up with every failure noted, and coders' rows turned into spans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from mien.audit.data.found import Found
from mien.errors import InputError
from mien.learn.data.example import Dataset, Example, Span
from mien.learn.data.frames import Frames, interval, joined
from mien.learn.data.trees import Outside, Tree, parts_of
from mien.learn.data.units import units
from mien.learn.data.words import emotion
from mien.media.door import shown

OUTSIDE = "names something outside of the data set's folder and was left out"
ABSENT = "names something that is not there and was left out"


class Reading:
    """A data set while it is read: its tree and what was wrong with it so far."""

    def __init__(self, root: Path, layout: str, expected: str) -> None:
        """expected: what the layout has, for messages. Raises MediaNotFound, InputError."""
        self.tree = Tree(root)
        self.layout, self.expected = layout, expected
        self.found = Found()

    def refuse(self) -> NoReturn:
        """The folder is not in this layout. Raises InputError."""
        raise unlike(self.tree.root, self.layout, self.expected, self.tree.top)

    def file(self, name: str, case: str, below: str = "") -> str | None:
        """A file of an annotation's name, which counts from the folder `below`; None, and a problem, where it is not
        there or leads outside."""
        return self._look(name, case, below, folder=False)

    def folder(self, name: str, case: str, below: str = "") -> str | None:
        """The same for folders."""
        return self._look(name, case, below, folder=True)

    def _look(self, name: str, case: str, below: str, folder: bool) -> str | None:
        try:
            whole = joined(below, *parts_of(name))
            found = self.tree.folder(whole) if folder else self.tree.file(whole)
        except Outside:
            self.found.add("outside", OUTSIDE, case)
            return None
        if found is None:
            self.found.add("absent_folder" if folder else "absent_file", ABSENT, case)
        return found

    def span(self, where: str, cells: tuple[str, str, str], kept: Frames | None) -> Span | None:
        """Onset, apex, offset of a row; None, and a problem, where they make no interval."""
        span = interval(cells, kept)
        if isinstance(span, str):
            self.found.add("bad_interval", "has no interval that can be used and was left out", f"{where}: {span}")
            return None
        return span

    def coded(self, span: Span, row: Mapping[str, str], where: str, kind: str) -> Span:
        """The span with its label and action units, from the cells "emotion" and "units"."""
        known, lost = units(row.get("units", ""))
        if lost:
            self.found.add(
                "unread_units", "has action units that could not be read; these were left out",
                f"{where}: {', '.join(lost)[:60]}",
            )  # fmt: skip
        return replace(span, label=emotion(row.get("emotion", "")), units=known, kind=kind)

    def odd(self, name: str) -> None:
        """A table in an odd encoding."""
        self.found.add("odd_encoding", "is not in UTF-8 and was read as Western European; letters may be wrong", name)

    def done(self, examples: Iterable[Example], labels: Sequence[str]) -> Dataset:
        """The data set. Raises InputError where nothing of it can be used."""
        kept = tuple(self._once(examples))
        if not kept:
            why = "; ".join(f"{one.number} {one.kind}" for one in self.found.problems()) or "it is empty"
            raise InputError(
                f"Nothing in {shown(self.tree.root)} can be used as {self.layout}: {why}.",
                f"Expected is {self.expected}.",
            )
        return Dataset(self.layout, kept, tuple(labels), self.found.problems())

    def _once(self, examples: Iterable[Example]) -> Iterator[Example]:
        """Each name once, since folds, samplers and listings go by names."""
        met: set[str] = set()
        for one in examples:
            if one.name in met:
                self.found.add("twice", "has the name of an earlier example and was left out", one.name)
            else:
                met.add(one.name)
                yield one


def unlike(root: Path, layout: str, expected: str, found: str) -> InputError:
    """The error that says what a layout expects and what is there instead."""
    return InputError(
        f"{shown(root)} is not in the layout {layout}: expected is {expected}; found is {found}.",
        "Name the folder that holds these, as the data set is handed out.",
    )


def labels_of(examples: Iterable[Example], first: Sequence[str]) -> tuple[str, ...]:
    """The classes met, those of `first` in its order, then others by name."""
    met = {one.label for one in examples if one.label} | {
        span.label for one in examples for span in one.spans if span.label
    }
    return tuple(word for word in first if word in met) + tuple(sorted(met - set(first)))
