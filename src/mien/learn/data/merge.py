"""Several data sets as one, in one vocabulary. Each is split first, so nobody is on two sides of the whole.

Not checked: whether two data sets hold the same pictures (FER+ is FER2013 with other labels).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from mien.errors import EvidenceError, UsageError
from mien.learn.data.example import Dataset, Example
from mien.learn.data.words import BASIC, emotion
from mien.learn.splits import with_dev
from mien.report import Problem

MAJORITY = 0.5  # of the votes for classes that are kept: with no more, raters disagree and the picture is left out


def merged(sources: Sequence[Dataset], labels: Sequence[str] = BASIC, seed: int = 0) -> Dataset:
    """The examples of all sources with a label among `labels`, names and subjects told apart by the layout.

    A source without splits is cut by subject. What is left out (contempt, no majority) is counted in the problems.
    Raises UsageError for no source or two of one layout, EvidenceError where a subject is on two sides."""
    if not sources:
        raise UsageError("There is nothing to merge.", "Name at least one data set.")
    layouts = [one.layout for one in sources]
    if len(set(layouts)) < len(layouts):
        raise UsageError(f"Of {', '.join(layouts)} one is there twice.", "Name each data set once.")
    kept: list[Example] = []
    problems: list[Problem] = []
    for source in sources:
        cut = with_dev(source, seed)
        known = [(one, _label(one, labels)) for one in cut.examples]
        kept += [_renamed(one, label, source.layout) for one, label in known if label is not None]
        problems += [*cut.problems, *_left_out(source.layout, [one for one, label in known if label is None])]
    _apart(kept)
    return Dataset("+".join(layouts), tuple(kept), tuple(labels), tuple(problems))


def _label(one: Example, labels: Sequence[str]) -> str | None:
    """Its class; of votes the one with the majority among the classes kept, as FER+ is used with one label each."""
    if one.soft:
        votes: Counter[str] = Counter()
        for word, share in one.soft.items():
            if (house := emotion(word)) in labels:
                votes[house] += share  # type: ignore[assignment]
        first = max(votes, key=lambda word: votes[word], default=None)
        return first if first is not None and votes[first] > MAJORITY * sum(votes.values()) else None
    house = emotion(one.label or "")
    return house if house in labels else None


def _renamed(one: Example, label: str, layout: str) -> Example:
    subject = f"{layout}/{one.subject}" if one.subject else ""
    return replace(one, name=f"{layout}/{one.name}", subject=subject, label=label, group={**one.group, "data": layout})


def _left_out(layout: str, lost: Sequence[Example]) -> Iterable[Problem]:
    if lost:
        words = Counter("no majority" if one.soft else one.label or "no label" for one in lost)
        told = ", ".join(f"{word} {count:,}" for word, count in sorted(words.items()))
        cases = tuple(f"{layout}/{one.name}" for one in lost)
        yield Problem("left_out", f"of {layout} were left out, being none of the classes ({told})", cases)


def _apart(kept: Sequence[Example]) -> None:
    side: dict[str, str] = {}
    for one in kept:
        if one.subject and side.setdefault(one.subject, one.split) != one.split:
            raise EvidenceError(
                f"The subject {one.subject} is in the splits {side[one.subject]} and {one.split}.",
                "Split by subject: who was seen in training cannot be judged on.",
            )
