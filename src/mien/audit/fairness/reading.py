"""What the audit of fairness takes, from captures with labels or from a file of scores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from mien.audit.captures import Captures
from mien.audit.captures.suspicions import suspicions
from mien.audit.data import read_labels
from mien.audit.data import read_scores as scores_of
from mien.audit.data.found import Found
from mien.audit.data.scores import COLUMNS
from mien.audit.data.tables import cell, table
from mien.audit.fairness.groups import Compared, Pairs, Words
from mien.audit.metrics import F64, I64, Bools
from mien.errors import EvidenceError, InputError
from mien.report import Problem
from mien.types import F32, OperatingPoint

NO_LABEL = "Somebody without this label; part of the pooled rates only."
TWO_LABELS = "Two different labels for one; the first counts."
KEPT_SHARE, KEPT_MOST = 0.03, 2_000_000  # of the impostor comparisons of a complete design: the highest
BLOCK = 256  # rows of the score matrix at a time
FIRST, SECOND = ("subject_a", "first_subject", "subject1"), ("subject_b", "second_subject", "subject2")


def of_captures(
    system: str,
    captures: Captures,
    labels: Mapping[str, Sequence[str]],
    points: Sequence[OperatingPoint] = (),
    least: float | None = None,
) -> Compared:
    """Every capture with every other. labels: what groups -> group of each capture, "" where unknown.

    points: of the model's card; those of another space are left out. least: the lowest threshold that will be asked for,
    where that is known. Failed captures take part: they are missed and never match. Captures of nobody do not.

    Raises EvidenceError for fewer than two captures of somebody."""
    kept = [number for number, subject in enumerate(captures.subjects) if subject]
    if len(kept) < 2:
        raise EvidenceError("There are fewer than two pictures of somebody.", "Give people with two pictures or more.")
    failed, vectors = captures.failed[kept], captures.vectors[kept]
    names, number = np.unique(np.array([captures.subjects[one] for one in kept], np.str_), return_inverse=True)
    owner, people = number.astype(np.int64), tuple(str(name) for name in names)
    words = {name: np.array([column[one].strip() for one in kept], np.str_) for name, column in labels.items()}
    floor = _floor(vectors[~failed], owner[~failed])
    floor = floor if least is None else min(floor, least)
    return Compared(
        system=system,
        people=people,
        owner=owner,
        failed=failed,
        labels=words,
        genuine=_genuine(vectors, owner, failed),
        impostor=_impostors(vectors, owner, failed, floor),
        complete=True,
        floor=floor,
        points=tuple(point for point in points if point.space in ("", captures.space)),
        problems=suspicions(captures, points),
    )


def read_scores(
    path: str | os.PathLike[str], labels: str | os.PathLike[str] | None = None, system: str = "scores"
) -> Compared:
    """A file of comparisons in any shape that `mien.audit.data.read_scores` takes, with people named.

    Groups come from `labels` (see `mien.audit.data.read_labels`), and from columns in pairs ``probe_X``, ``reference_X`` of
    the file itself: grouping X, of the people. Raises MediaNotFound, InputError."""
    read = scores_of(path)
    shown = os.fspath(path)
    if "" in read.people:
        told = f"{shown} does not say whose comparisons these are, and groups are of people."
        raise InputError(told, "Give the columns probe_subject and reference_subject.")
    first, second = read.comparisons.first, read.comparisons.second
    named = bool(read.captures) and bool((read.probe >= 0).all() and (read.reference >= 0).all())
    ends = (read.probe, read.reference) if named else (first, second)
    owner = np.arange(len(read.people))
    if named:
        owner = np.zeros(len(read.captures), np.int64)
        owner[ends[0]], owner[ends[1]] = first, second
    subjects = [read.people[number] for number in owner]
    words, problems = _groups(path, labels, read.captures if named else read.people, subjects)
    if not words:
        raise InputError(
            f"{shown} has no groups.",
            "Give --labels, or two columns per grouping, such as probe_sex and reference_sex.",
        )
    scores = Pairs(*ends, read.comparisons.scores)
    lone = np.setdiff1d(np.arange(len(read.people)), first[read.comparisons.same]).tolist()
    alone = tuple(read.people[number] for number in lone)
    none = (Problem("no_genuine", "People without a genuine comparison; they take no part in FNMR.", alone),)
    return Compared(
        system=system,
        people=read.people,
        owner=owner.astype(np.int64),
        failed=np.zeros(len(owner), bool),
        labels=words,
        genuine=scores.of(read.comparisons.same),
        impostor=scores.of(~read.comparisons.same),
        complete=False,
        problems=(*read.problems, *problems, *(none if alone else ())),
    )


def _groups(
    path: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None,
    names: Sequence[str],
    subjects: Sequence[str],
) -> tuple[dict[str, Words], tuple[Problem, ...]]:
    """Groupings of the captures `names`, from a file of labels and from the file of scores itself."""
    found = Found()
    known = _columns(path, found)
    columns = {
        grouping: tuple(of_person.get(subject, "") for subject in subjects) for grouping, of_person in known.items()
    }
    for grouping, of_person in known.items():
        for subject in sorted(set(subjects)):
            if not of_person.get(subject):
                found.add("no_label", NO_LABEL, f"{grouping}: {subject}")
    problems = found.problems()
    if labels is not None:
        read = read_labels(labels, names, subjects)
        columns, problems = {**columns, **read.columns}, (*problems, *read.problems)
    return {grouping: np.array(column, np.str_) for grouping, column in columns.items()}, problems


def _columns(path: str | os.PathLike[str], found: Found) -> dict[str, dict[str, str]]:
    """Grouping -> person -> group, from the columns probe_X and reference_X; empty for a file without a header."""
    try:
        with table(path, COLUMNS, ("probe_subject", "reference_subject")) as (columns, titles, rows):
            at = {title.lower(): number for number, title in enumerate(titles) if number not in columns.values()}
            ends = {
                title.removeprefix("probe_"): (number, at[title.replace("probe_", "reference_", 1)])
                for title, number in at.items()
                if title.startswith("probe_") and title.replace("probe_", "reference_", 1) in at
            }
            known: dict[str, dict[str, str]] = {grouping: {} for grouping in ends}
            for _, cells in rows if ends else ():
                for grouping, sides in ends.items():
                    for side, number in zip(("probe_subject", "reference_subject"), sides, strict=True):
                        person, group = cell(cells, columns[side]), cell(cells, number)
                        if group and person and known[grouping].setdefault(person, group) != group:
                            found.add(
                                "contradiction", TWO_LABELS, f"{person}, {grouping}: {known[grouping][person]}, {group}"
                            )
            return known
    except InputError:  # a file that names people in other ways, which was read before
        return {}


def _genuine(vectors: F32, owner: I64, failed: Bools) -> Pairs:
    """All pairs of captures of one person."""
    order = np.argsort(owner, kind="stable")
    starts = np.flatnonzero(np.diff(owner[order], prepend=-1))
    parts = [order[start:end] for start, end in zip(starts, [*starts[1:], len(order)], strict=True) if end - start > 1]
    ends = [(part[rows], part[columns]) for part in parts for rows, columns in [np.triu_indices(len(part), 1)]]
    none = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    first, second = (np.concatenate(side).astype(np.int64) for side in zip(*(ends or none), strict=True))
    scores = np.einsum("nd,nd->n", vectors[first], vectors[second]).astype(np.float64)
    return Pairs(first, second, np.where(failed[first] | failed[second], -np.inf, scores))


def _floor(vectors: F32, owner: I64, sample: int = 300_000) -> float:
    """About the score that the highest few impostor comparisons reach, from pairs drawn at random."""
    if len(vectors) < 2:
        return -1.0
    rng = np.random.default_rng(0)
    first, second = rng.integers(len(vectors), size=(2, sample))
    kept = owner[first] != owner[second]
    if not kept.any():
        return -1.0
    scores = np.einsum("nd,nd->n", vectors[first[kept]], vectors[second[kept]])
    share = min(KEPT_SHARE, KEPT_MOST / (len(vectors) ** 2 / 2))
    few = len(vectors) ** 2 / 2 <= KEPT_MOST
    return -1.0 if few else float(np.quantile(scores, 1 - share))


def _impostors(vectors: F32, owner: I64, failed: Bools, floor: float) -> Pairs:
    """The pairs of captures of different people that reach `floor`."""
    ends: list[tuple[I64, I64, F64]] = []
    usable = np.flatnonzero(~failed)
    held, whose = vectors[usable], owner[usable]
    for start in range(0, len(usable), BLOCK):
        block = held[start : start + BLOCK] @ held[start:].T
        kept = np.triu(block >= floor, 1) & (whose[start : start + BLOCK, None] != whose[None, start:])
        row, column = np.nonzero(kept)
        ends.append((usable[row + start], usable[column + start], block[row, column].astype(np.float64)))
    first, second, scores = (np.concatenate(part) for part in zip(*ends, strict=True)) if ends else (np.zeros(0),) * 3
    return Pairs(first.astype(np.int64), second.astype(np.int64), scores.astype(np.float64))
