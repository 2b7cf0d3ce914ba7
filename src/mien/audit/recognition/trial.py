"""Captures, pairs or scores to one trial: all comparisons reduced, and what a report needs to know beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mien.audit.captures.captures import Captures
from mien.audit.captures.suspicions import suspicions
from mien.audit.data import PairList, Scores
from mien.audit.metrics import F64, I64, Bools, Comparisons
from mien.audit.metrics.curves import Det
from mien.audit.metrics.pairing import compared, every, genuine_pairs, listed
from mien.errors import EvidenceError
from mien.report import Problem, Row
from mien.types import OperatingPoint

SHOWN = 50  # suspicious pairs that are named

_UNNAMED = "A picture without a subject; without a list of pairs it has no part."
_ALIKE = (
    "Comparisons of different people, by their labels, that score above half of the genuine ones: one person under two "
    "names, a wrong label, relatives, or a weakness of the model. They count as labelled."
)


@dataclass(frozen=True, slots=True, eq=False)
class Paired:
    """Captures and the list of pairs to compare."""

    captures: Captures
    pairs: PairList


@dataclass(frozen=True, slots=True, eq=False)
class Genuine:
    """Genuine comparisons with the quality of their captures."""

    scores: F64  # (n,) -inf where a capture failed
    quality: F64  # (n,) the lower one of both; -inf where a capture failed
    person: I64  # (n,)


@dataclass(frozen=True, slots=True, eq=False)
class Protocol:
    """Pairs that a protocol lists, for accuracy by folds."""

    scores: F64
    same: Bools
    fold: I64


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What is judged."""

    det: Det
    among: Callable[[Bools], Det]  # the comparisons among the chosen ones of `people` only
    owner: I64  # (n,) person of each capture that takes part …
    failed: Bools  # (n,) … and whether it failed to acquire; both empty where captures are not known
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    space: str = ""
    genuine: Callable[[], Genuine] | None = None  # where quality is known
    protocol: Protocol | None = None

    @property
    def people(self) -> int:
        """How many people are numbered."""
        return len(self.det.genuine.failed)


def trial_of(data: Captures | Paired | Scores, points: Sequence[OperatingPoint] = ()) -> Trial:
    """The trial that data make; points: of the templates' space, to tell by what looks wrong with the labels.

    Raises EvidenceError when there is nothing to compare, InputError for scores that are none."""
    if isinstance(data, Captures):
        return _of_captures(data, points)
    return _of_pairs(data, points) if isinstance(data, Paired) else _of_scores(data)


def _of_captures(whole: Captures, points: Sequence[OperatingPoint]) -> Trial:
    named = np.array([bool(subject) for subject in whole.subjects], bool)
    if not named.any():
        raise EvidenceError("No picture has a subject.", "Give a folder per person, labels, or a list of pairs.")
    chosen = np.flatnonzero(named)
    names = [whole.names[index] for index in chosen]
    subjects, owner = np.unique([whole.subjects[index] for index in chosen], return_inverse=True)
    owner = owner.reshape(-1).astype(np.int64)
    failed, vectors, quality = whole.failed[chosen], whole.vectors[chosen].copy(), whole.quality[chosen]
    vectors[failed] = 0
    det = every(vectors, owner)
    nameless = Problem("no_subject", _UNNAMED, tuple(whole.names[index] for index in np.flatnonzero(~named)))
    problems = (*_present([nameless]), *suspicions(whole, points))

    def among(people: Bools) -> Det:
        return every(vectors[people[owner]], owner[people[owner]])

    def genuine() -> Genuine:
        order = np.argsort(owner, kind="stable")
        parts = [(compared(vectors, one, other), one, other) for one, other in genuine_pairs(owner, order)]
        scores, one, other = (np.concatenate(column) for column in zip(*parts, strict=True))
        return _genuine(scores, one, other, failed, quality, owner)

    rows = tuple(
        {"picture": name, "subject": str(subjects[person]), "failed": bool(lost), "why": why, "quality": _number(value)}
        for name, person, lost, why, value in zip(
            names, owner, failed, [whole.failures[index] for index in chosen], quality, strict=True
        )
    )
    return Trial(det, among, owner, failed, rows, problems, whole.space, genuine)


def _of_pairs(data: Paired, points: Sequence[OperatingPoint]) -> Trial:
    captures, pairs = data.captures, data.pairs
    one, other, failed = pairs.first, pairs.second, captures.failed
    scores = compared(captures.vectors, one, other).astype(np.float64)
    scores[failed[one] | failed[other]] = -np.inf
    first, second = pairs.owner[one], pairs.owner[other].copy()
    fresh = int(pairs.owner.max(initial=0)) + 1
    second[pairs.same] = first[pairs.same]  # labels count where they contradict the names
    wrong = np.flatnonzero(~pairs.same & (first == second))
    second[wrong] = fresh + np.arange(len(wrong))
    same = pairs.same

    def genuine() -> Genuine:
        return _genuine(scores[same], one[same], other[same], failed, captures.quality, pairs.owner)

    used = np.union1d(one, other)
    rows = tuple(
        {
            "first": captures.names[a],
            "second": captures.names[b],
            "same": bool(s),
            "fold": int(f),
            "score": _number(score),
        }
        for a, b, s, f, score in zip(one, other, same, pairs.fold, scores, strict=True)
    )
    protocol = Protocol(scores, same, pairs.fold) if pairs.folds > 1 else None
    comparisons = Comparisons(scores, first, second)
    problems = (*pairs.problems, *_suspicions(captures, points))
    return Trial(
        *_listed(comparisons), pairs.owner[used], failed[used], rows, problems, captures.space, genuine, protocol
    )


def _of_scores(data: Scores) -> Trial:
    compared = data.comparisons
    names = [_both(_named(data, a, p), _named(data, b, q)) for a, b, p, q in _sides(data)]
    rows = tuple(
        {"comparison": name, "same": bool(same), "score": _number(score)}
        for name, same, score in zip(names, compared.same, compared.scores, strict=True)
    )
    problems = (*data.problems, *_present([_alike(compared, names)]))
    nothing = np.empty(0, np.int64), np.empty(0, bool)
    return Trial(*_listed(compared), *nothing, rows, problems)


def _suspicions(captures: Captures, points: Sequence[OperatingPoint]) -> tuple[Problem, ...]:
    """Of the captures whose subject is known; of the others nothing can be suspected."""
    named = np.array([bool(subject) for subject in captures.subjects], bool)
    return suspicions(captures.part(named), points) if named.any() else ()


def _listed(compared: Comparisons) -> tuple[Det, Callable[[Bools], Det]]:
    first, second = np.split(
        np.unique(np.concatenate([compared.first, compared.second]), return_inverse=True)[1].reshape(-1), 2
    )

    def among(people: Bools) -> Det:
        inside = people[first] & people[second]
        return listed(Comparisons(compared.scores[inside], first[inside], second[inside]))

    return listed(compared), among


def _genuine(scores: F64, one: I64, other: I64, failed: Bools, quality: F64, owner: I64) -> Genuine:
    lost = failed[one] | failed[other]
    worst = np.where(lost, -np.inf, np.fmin(quality[one], quality[other]))
    return Genuine(np.where(lost, -np.inf, scores).astype(np.float64), worst, owner[one])


def _alike(compared: Comparisons, names: Sequence[str]) -> Problem:
    genuine = compared.scores[compared.same]
    if not len(genuine):
        return Problem("alike", _ALIKE, ())
    high = np.flatnonzero(~compared.same & (compared.scores >= np.median(genuine)) & np.isfinite(compared.scores))
    high = high[np.argsort(-compared.scores[high], kind="stable")]
    return Problem("alike", _ALIKE, tuple(f"{names[i]} ({compared.scores[i]:.3f})" for i in high[:SHOWN]), len(high))


def _present(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(problem for problem in problems if problem.number)


def _sides(data: Scores) -> list[tuple[int, int, int, int]]:
    one, other = data.comparisons.first.tolist(), data.comparisons.second.tolist()
    return list(zip(data.probe.tolist(), data.reference.tolist(), one, other, strict=True))


def _named(data: Scores, capture: int, person: int) -> str:
    return data.captures[capture] if capture >= 0 else data.people[person] or f"person {person + 1}"


def _both(one: str, other: str) -> str:
    return f"{one} ~ {other}"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
