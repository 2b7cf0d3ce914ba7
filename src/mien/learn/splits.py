"""A dev split for data sets that come without one: cut from the training split, by subject where subjects are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mien.errors import EvidenceError
from mien.learn.data.example import Dataset, Example, Split
from mien.report import Problem

SHARE = 0.15  # of the training examples


def with_dev(source: Dataset, seed: int = 0) -> Dataset:
    """The data set with a dev split. Examples of one subject stay together; without subjects they are drawn per class.

    A data set without any split is cut into train, dev and test the same way. Raises EvidenceError for too little."""
    held = {one.split for one in source.examples}
    if "train" in held and "dev" in held:
        return source
    if "train" not in held and held != {""}:
        raise EvidenceError(
            f"The data ({source.layout}) have the splits {', '.join(sorted(held)) or 'none'} and no training split.",
            "Point --data at the whole data set.",
        )
    random = np.random.default_rng(seed)
    if "train" not in held:
        source = _cut(source, "", "test", SHARE, random)
        source = replace(source, examples=tuple(_moved(one, "", "train") for one in source.examples))
    return _cut(source, "train", "dev", SHARE, random)


def _cut(source: Dataset, pool: Split, to: Split, share: float, random: np.random.Generator) -> Dataset:
    chosen = [one for one in source.examples if one.split == pool]
    units = {one.subject or one.name for one in chosen}
    named = all(one.subject for one in chosen)
    if len(units) < 4:
        raise EvidenceError(
            f"The data ({source.layout}) have {len(units)} subjects: no dev split can be cut from so few.",
            "Give more people.",
        )
    taken = _subjects(chosen, share, random) if named else _stratified(chosen, share, random)
    examples = tuple(
        replace(one, split=to) if one.split == pool and (one.subject or one.name) in taken else one
        for one in source.examples
    )
    problems = source.problems
    if not named:
        words = (
            f"Subjects are not named: the {to} split was drawn by picture, so one person may be on both sides of it."
        )
        problems = (*problems, Problem("no_subjects", words, (), len(taken)))
    return replace(source, examples=examples, problems=problems)


def _subjects(chosen: list[Example], share: float, random: np.random.Generator) -> set[str]:
    order = sorted({one.subject for one in chosen})
    random.shuffle(order)
    sizes = {name: sum(one.subject == name for one in chosen) for name in order}
    taken: set[str] = set()
    count = 0
    for name in order:
        if count >= share * len(chosen):
            break
        taken.add(name)
        count += sizes[name]
    return taken


def _stratified(chosen: list[Example], share: float, random: np.random.Generator) -> set[str]:
    taken: set[str] = set()
    for label in sorted({str(one.label) for one in chosen}):
        names = sorted(one.name for one in chosen if str(one.label) == label)
        random.shuffle(names)
        taken.update(names[: round(share * len(names))])
    return taken


def _moved(one: Example, pool: Split, to: Split) -> Example:
    return replace(one, split=to) if one.split == pool else one


def thinned(source: Dataset, each: int, seed: int = 0) -> Dataset:
    """At most `each` examples per class and split, for a smoke run."""
    random = np.random.default_rng(seed)
    kept: dict[tuple[str, str], int] = {}
    chosen = []
    for index in random.permutation(len(source.examples)):
        one = source.examples[index]
        key = (one.split, str(one.label))
        kept[key] = kept.get(key, 0) + 1
        if kept[key] <= each:
            chosen.append(int(index))
    return replace(source, examples=tuple(source.examples[index] for index in sorted(chosen)))
