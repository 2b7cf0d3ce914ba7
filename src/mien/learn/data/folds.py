"""Folds that keep people apart: nobody is taught and judged on in the same fold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from mien.errors import EvidenceError, UsageError
from mien.learn.data.example import Dataset, Split

_WHO = "Cut by people where they are known, or use the official split."


def folds(dataset: Dataset, k: int, seed: int = 0) -> Iterator[Dataset]:
    """k data sets, the examples of each split into train and test: every subject is in one test part.

    Subjects are dealt out so that parts have about as many examples of each class: the largest first, in an order that the
    seed decides among equals, each to the part where it is wanted most. Raises UsageError, EvidenceError."""
    people = _people(dataset)
    if not 2 <= k <= len(people):
        raise UsageError(
            f"{len(people)} subjects cannot be cut into {k} folds.", "Ask for 2 up to as many as subjects."
        )
    part = _dealt(people, k, np.random.default_rng(seed))
    return (
        _parted(dataset, {name: "test" if own == number else "train" for name, own in part.items()})
        for number in range(k)
    )


def leave_one_out(dataset: Dataset) -> Iterator[tuple[str, Dataset]]:
    """Each subject and the data set in which it is the test part (LOSO). Raises EvidenceError for fewer than two."""
    people = _people(dataset)
    if len(people) < 2:
        raise EvidenceError(f"{dataset.layout} has one subject; nobody is left to learn from.", "Give more people.")
    return (
        (name, _parted(dataset, {other: "test" if other == name else "train" for other in people}))
        for name in sorted(people)
    )


def grouped(dataset: Dataset, key: str = "fold") -> Iterator[tuple[str, Dataset]]:
    """Each value of a group and the data set in which it is the test part, such as the official folds of BP4D or CK+.

    Raises EvidenceError where an example does not tell its group, or a subject is in several."""
    values = sorted({one.group.get(key, "") for one in dataset.examples})
    if "" in values or len(values) < 2:
        raise EvidenceError(
            f"Not every example of {dataset.layout} tells its {key}, or all have one.", "Cut with folds."
        )
    where: dict[str, set[str]] = defaultdict(set)
    for one in dataset.examples:
        where[one.subject].add(one.group[key])
    torn = sorted(name for name, held in where.items() if name and len(held) > 1)
    if torn:
        raise EvidenceError(f"{torn[0]} and {len(torn) - 1} more subjects are in several groups of {key}.", _WHO)
    return (
        (
            value,
            replace(
                dataset,
                examples=tuple(
                    replace(one, split="test" if one.group[key] == value else "train") for one in dataset.examples
                ),
            ),
        )
        for value in values
    )


def _people(dataset: Dataset) -> Mapping[str, Counter[str]]:
    """{subject: how many examples of each class}."""
    people: dict[str, Counter[str]] = defaultdict(Counter)
    for one in dataset.examples:
        people[one.subject][one.label or ""] += 1
    if "" in people or not people:
        raise EvidenceError(
            f"{people[''].total():,} of {len(dataset):,} examples of {dataset.layout} do not say whose they are: folds could "
            "have one person on both sides.",
            "Use the official split.",
        )
    return people


def _dealt(people: Mapping[str, Counter[str]], k: int, rng: np.random.Generator) -> dict[str, int]:
    """{subject: its part}."""
    names = sorted(people)
    names = sorted((names[index] for index in rng.permutation(len(names))), key=lambda name: -people[name].total())
    classes = sorted({label for counts in people.values() for label in counts})
    own = {name: np.array([people[name][label] for label in classes], np.float64) for name in names}
    rare = 1 / np.maximum(np.sum(list(own.values()), axis=0), 1)  # a class weighs the same however many examples it has
    held = np.zeros((k, len(classes)))
    sizes = np.zeros(k, np.int64)
    part = {}
    for place, name in enumerate(names):
        full = held @ (own[name] * rare**2) + held.sum(1) / max(1.0, sum(one.sum() for one in own.values()))
        if len(names) - place <= (sizes == 0).sum():
            full = np.where(sizes == 0, full, np.inf)  # no part stays empty
        chosen = int(np.argmin(full))
        part[name] = chosen
        held[chosen] += own[name]
        sizes[chosen] += 1
    return part


def _parted(dataset: Dataset, sides: Mapping[str, Split]) -> Dataset:
    return replace(dataset, examples=tuple(replace(one, split=sides[one.subject]) for one in dataset.examples))
