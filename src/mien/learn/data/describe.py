"""A data set in numbers: what a person should see before learning from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mien.audit.data.found import Found
from mien.errors import MienError
from mien.learn.data.example import Dataset, Split

ORDER: tuple[Split, ...] = ("train", "dev", "test", "")
_UNREADABLE = "cannot be read and was left out"


def describe(dataset: Dataset) -> dict[str, Any]:
    """Counts by split, class, subject, and what is missing or wrong, ready for JSON.

    `absent` names the classes of the layout that a split does not have; `on_both_sides` the subjects that are in several
    splits, which a test result must not be trusted with."""
    splits = [split for split in ORDER if any(one.split == split for one in dataset.examples)]
    held = {split: dataset.of(split).examples for split in splits}
    people = {split: {one.subject for one in examples if one.subject} for split, examples in held.items()}
    torn = Counter(name for names in people.values() for name in names)
    return {
        "layout": dataset.layout,
        "examples": len(dataset),
        "labels": list(dataset.labels),
        "media": dict(Counter(one.media.kind for one in dataset.examples)),
        "splits": {
            split or "none": {
                "examples": len(examples),
                "subjects": len(people[split]),
                "without_subject": sum(not one.subject for one in examples),
                "without_label": sum(one.label is None for one in examples),
                "labels": {label: sum(one.label == label for one in examples) for label in _labels(dataset)},
                "absent": [label for label in dataset.labels if all(one.label != label for one in examples)],
            }
            for split, examples in held.items()
        },
        "on_both_sides": sorted(name for name, count in torn.items() if count > 1),
        "spans": sum(len(one.spans) for one in dataset.examples),
        "waves": sorted({wave.name for one in dataset.examples for wave in one.waves}),
        "values": sorted({name for one in dataset.examples for name in one.values}),
        "problems": [{"kind": one.kind, "count": one.number, "words": one.words} for one in dataset.problems],
    }


def told(dataset: Dataset) -> str:
    """The same as lines for a person."""
    found = describe(dataset)
    lines = [f"{found['layout']}: {found['examples']:,} examples"]
    for split, held in found["splits"].items():
        whose = f"{held['subjects']:,} subjects" if held["subjects"] else "subjects not known"
        lines.append(f"  {split:<6} {held['examples']:>8,}  {whose}")
        lines += [f"    {label:<24} {count:>8,}" for label, count in held["labels"].items()]
        if held["without_label"]:
            lines.append(f"    {'(no label)':<24} {held['without_label']:>8,}")
    if found["on_both_sides"]:
        names = found["on_both_sides"]
        lines.append(
            f"  {len(names):,} subjects are in several splits: {', '.join(names[:5])}{' …' if names[5:] else ''}"
        )
    lines += [f"  {one['count']:,} x {one['kind']}: {one['words']}" for one in found["problems"]]
    return "\n".join(lines)


def readable(dataset: Dataset, step: Callable[[int], None] = lambda done: None) -> Dataset:
    """The examples whose picture, or first frame, can be read; the others are listed as a problem "unreadable".

    Reads every file, which takes its time: `step` is told how many are done. Data without pixels are kept."""
    from mien.learn.data.pixels import read_still

    found, kept = Found(), []
    for number, one in enumerate(dataset.examples, 1):
        try:
            if one.media.kind in ("picture", "frames", "video"):
                read_still(one.media)
            kept.append(one)
        except MienError as error:
            found.add("unreadable", _UNREADABLE, f"{one.name}: {error.message}")
        step(number)
    return replace(dataset, examples=tuple(kept), problems=(*dataset.problems, *found.problems()))


def _labels(dataset: Dataset) -> list[str]:
    """The classes of the layout, then others that are met."""
    met = {one.label for one in dataset.examples if one.label}
    return [*dataset.labels, *sorted(met - set(dataset.labels))]
