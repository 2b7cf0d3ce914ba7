"""Searching a gallery, audited: who is missed, which strangers are named, and how both change with the gallery's size.

A gallery and probes, or captures of which some are enrolled. A probe whose subject is not enrolled is a stranger's search. A
picture that gave no template is a miss where somebody enrolled is looked for, and never a false alarm. The gallery's size N
stands with every figure: one threshold does not serve 100 people and 1,000,000 (NIST FRTE 1:N).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mien.audit.captures.captures import Captures
from mien.audit.captures.suspicions import suspicions
from mien.audit.metrics import I64, Bools, wilson
from mien.audit.metrics.searches import NOBODY, Open, Searches, measure, samples, search
from mien.audit.recognition import identification_growth as growing
from mien.audit.recognition import identification_parts as parts
from mien.errors import EvidenceError, SpaceMismatch, UsageError
from mien.protocols import Gallery
from mien.report import Chart, Problem, Report, Row
from mien.types import F32, OperatingPoint, Score

RATES = (0.1, 0.03, 0.01)
RANKS = (1, 2, 3, 5, 10, 20, 50)
SMALLEST = 5  # subjects of the smallest gallery of a sweep

_TWICE = "A person with all pictures enrolled and none left to search with: fills the gallery only."
_UNNAMED = "A probe without a subject: nobody knows whether it should be found; left out."
_LOST = "Subjects without any usable template: enrolled by name, and missed by every search for them."


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """A gallery as vectors, and probes for it."""

    vectors: F32  # (g, D) unit length; a row of zeros where an enrolment failed
    owner: I64  # (g,) number of the subject of each
    subjects: tuple[str, ...]
    probes: Captures
    problems: tuple[Problem, ...] = ()
    tried: bool = False  # failed enrolments are among `vectors`; of a gallery they are not known


def of_gallery(gallery: Gallery, probes: Captures) -> Enrolled:
    """The templates of a gallery, with probes whose subjects are names in it. Raises EvidenceError for an empty one."""
    names: dict[str, int] = {}
    owner: list[int] = []
    vectors: list[F32] = []
    for subject, sample in gallery.samples():
        owner.append(names.setdefault(subject, len(names)))
        vectors.append(sample.template.vector)
    if not names:
        raise EvidenceError("Nobody is enrolled.", "Enrol people first: mien enrol people.db --from photos/.")
    same_space(gallery, probes.space)
    return Enrolled(np.stack(vectors), np.array(owner, np.int64), tuple(names), probes)


def same_space(gallery: Gallery, space: str) -> None:
    """Raise SpaceMismatch where templates of `space` cannot be compared with those of the gallery."""
    if gallery.space and space and gallery.space != space:
        words = f"The gallery holds templates of space {gallery.space}, and the probes' are of {space}."
        raise SpaceMismatch(words, "Name the embedder the gallery was made with.")


def of_captures(
    captures: Captures, enrol: int = 1, strangers: float = 0.5, seed: int = 0, points: Sequence[OperatingPoint] = ()
) -> Enrolled:
    """Part of the captures as a gallery: the first `enrol` of each subject, the rest of them as probes. A share of
    `strangers` of the subjects, drawn, is not enrolled; all their captures are strangers' searches. points: of the
    templates' space, to tell by what looks wrong with the labels, such as one person under two names.

    Raises UsageError for numbers that make no sense, EvidenceError for fewer than four subjects."""
    if enrol < 1 or not 0 < strangers < 1:
        raise UsageError("At least one picture is enrolled, and the strangers are a share between 0 and 1.")
    named = np.array([bool(subject) for subject in captures.subjects], bool)
    subjects = sorted({subject for subject in captures.subjects if subject})
    if len(subjects) < 4:
        raise EvidenceError(
            f"{len(subjects)} subjects cannot be split into enrolled people and strangers.", "Add people."
        )
    order = np.random.default_rng(seed).permutation(len(subjects))
    count = min(max(round(len(subjects) * (1 - strangers)), 2), len(subjects) - 2)
    inside = {subjects[index]: number for number, index in enumerate(sorted(order[:count]))}
    seen: dict[str, int] = dict.fromkeys(inside, 0)
    chosen = np.zeros(len(captures), bool)
    for index in np.argsort(np.array(captures.names, np.str_), kind="stable"):
        subject = captures.subjects[index]
        if subject in seen and seen[subject] < enrol:
            chosen[index] = True
            seen[subject] += 1
    probes = captures.part(named & ~chosen)
    owner = np.array([inside[captures.subjects[index]] for index in np.flatnonzero(chosen)], np.int64)
    held = set(probes.subjects)
    filler = tuple(subject for subject in inside if subject not in held)
    problems = (*((Problem("no_probe", _TWICE, filler),) if filler else ()), *suspicions(captures, points))
    vectors = np.where(captures.failed[:, None], np.float32(0), captures.vectors)[chosen]
    return Enrolled(vectors, owner, tuple(inside), probes, problems, tried=True)


@dataclass(frozen=True, slots=True)
class Identification:
    """Error rates of searching a gallery, by the cosine of the best subject and by the product's relative score."""

    rates: tuple[float, ...] = RATES  # FPIR to report FNIR at
    points: tuple[OperatingPoint, ...] = ()  # thresholds to judge: what the policy decides by in this gallery
    draws: int = 5  # smaller galleries drawn per size
    rounds: int = 1000  # resamples of who searches
    seed: int = 0
    name: ClassVar[str] = "identification"

    def run(self, data: Enrolled) -> Report:
        """Measure. Raises EvidenceError without a mated search, or without a stranger's."""
        named = np.array([bool(subject) for subject in data.probes.subjects], bool)
        probes = data.probes.part(named)
        number = {subject: index for index, subject in enumerate(data.subjects)}
        mates = np.array([number.get(subject, NOBODY) for subject in probes.subjects], np.int64)
        vectors = np.where(probes.failed[:, None], np.float32(0), probes.vectors)
        sizes = sweep(len(data.subjects))
        galleries = samples(len(data.subjects), sizes, self.draws, self.seed)
        whole, *smaller = search(
            (data.vectors, data.owner), (vectors, mates, probes.owner), len(data.subjects), galleries
        )
        found = self._open(whole)
        lost = _lost(data)
        metrics = {"FTE": wilson(sum(one.number for one in lost), len(data.subjects))} if data.tried else {}
        metrics |= parts.failures(probes, self.rounds, self.seed)
        for score, result in found.items():
            called = "" if score == "cosine" else f", {score} score"
            metrics |= {f"FNIR at FPIR {rate:g}{called}": metric for rate, metric in result.fnir.items()}
        metrics |= parts.ranks(whole, self.rounds, self.seed)
        swept = parts.sweep_rows(whole, sizes, smaller, self.rates, self._cosine_threshold())
        foreseen = growing.predicted((data.vectors, data.owner), self._cosine_threshold(), self.seed)
        tables: dict[str, tuple[Row, ...]] = {
            "FNIR at FPIR": parts.operating(whole, found),
            "Cumulative match characteristic": parts.cmc_rows(whole, RANKS),
        }
        if swept:
            tables["Galleries of other sizes"] = swept
        if foreseen:
            tables["Strangers named as the gallery grows"] = growing.beside(foreseen, swept)
        judged = parts.policy_rows(self.points, found)
        if judged:
            tables["The policy's thresholds"] = judged
        charts: list[Chart] = [parts.open_chart(whole, found), parts.cmc_chart(whole, RANKS)]
        charts += parts.sweep_charts(swept)
        charts += growing.charts(foreseen, swept, len(data.subjects))
        return Report(
            self.name,
            metrics,
            parts.rows(probes, whole, data.subjects, mates),
            made={"N": len(data.subjects), "templates": len(data.owner), "space": probes.space},
            headline=parts.headline(whole, found),
            findings=parts.findings(whole, found, judged),
            problems=(*data.problems, *_unnamed(data.probes, named), *lost),
            tables=tables,
            charts=tuple(charts),
        )

    def _open(self, whole: Searches) -> dict[Score, Open]:
        found: dict[Score, Open] = {}
        scores: tuple[Score, ...] = ("cosine", "relative")
        for score in scores:
            thresholds = [point.threshold for point in self.points if point.score == score]
            try:
                found[score] = measure(whole.scored(score), self.rates, thresholds, self.rounds, self.seed)
            except EvidenceError:
                if score == "cosine":
                    raise
        return found

    def _cosine_threshold(self) -> float | None:
        return next((point.threshold for point in self.points if point.score == "cosine"), None)


def sweep(subjects: int) -> list[int]:
    """Sizes of smaller galleries, each about half of the next; none for a gallery that is too small to halve."""
    sizes = []
    size = subjects // 2
    while size >= SMALLEST:
        sizes.append(size)
        size //= 2
    return sizes[::-1]


def _unnamed(probes: Captures, named: Bools) -> tuple[Problem, ...]:
    lost = tuple(name for name, has in zip(probes.names, named, strict=True) if not has)
    return (Problem("no_subject", _UNNAMED, lost),) if lost else ()


def _lost(data: Enrolled) -> tuple[Problem, ...]:
    usable = set(data.owner[data.vectors.any(1)].tolist())
    lost = tuple(name for index, name in enumerate(data.subjects) if index not in usable)
    return (Problem("failed_enrolment", _LOST, lost),) if lost else ()
