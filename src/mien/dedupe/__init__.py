"""A gallery to its doubts: who is enrolled under two names, and whose pictures show two people.

found = dedupe(gallery, points=engine.points)
for pair in found.pairs:
    print(pair.one, pair.other, pair.score)         # found.expected: how many of them chance alone would bring
merge(gallery, "Ana", "Anna")                       # nothing is merged unless you say so
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.decide import Policy, supports
from mien.dedupe.merging import Merged, merge
from mien.dedupe.pairs import Held, Progress, Scan, scan
from mien.dedupe.pictures import misfits
from mien.errors import EvidenceError, UsageError
from mien.protocols import Gallery
from mien.types import OperatingPoint, Sample

__all__ = ["Duplicates", "Merged", "Misfit", "Pair", "Progress", "Wanted", "dedupe", "merge", "sample_of"]

EXPECTED = 1.0  # false pairs in the whole list that nobody minds
LOOSEST = 1e-3  # false-match rate: in a tiny gallery one false pair would allow too much
USUAL = 0.05  # share of strangers who look more alike than a picture and the person it is filed under


@dataclass(frozen=True, slots=True)
class Wanted:
    """What counts as a duplicate. Name one of expect, fmr and threshold, or none for one false pair in the list."""

    expect: float | None = None  # false pairs that chance may bring into the list
    fmr: float | None = None  # false-match rate per comparison
    threshold: float | None = None  # cosine, chosen by hand: carries no evidence
    usual: float = USUAL  # a picture is doubted when that share of strangers are more alike; it takes 3 / usual of them
    limit: int = 200  # pairs listed, the most alike first

    def __post_init__(self) -> None:
        named = [name for name in ("expect", "fmr", "threshold") if getattr(self, name) is not None]
        if len(named) > 1:
            raise UsageError(f"One of them decides, not {' and '.join(named)}.", "Name one.")
        if self.expect is not None and not self.expect > 0:
            raise UsageError(f"{self.expect:g} false pairs cannot be promised.", "Name a number above 0, such as 0.1.")
        if not 0 <= self.usual < 1:
            raise UsageError(f"usual is a share of strangers from 0 to 1, not {self.usual}.", "For 1 in 20 write 0.05.")
        if self.limit < 1:
            raise UsageError(f"{self.limit} pairs were asked for.", "Ask for at least one.")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two subjects who may be one person, by their two most alike pictures."""

    one: str
    other: str
    score: float  # cosine
    one_source: str
    other_source: str
    vectors: tuple[bytes, bytes] = field(repr=False)  # the templates of the two pictures, for `sample_of`


@dataclass(frozen=True, slots=True)
class Misfit:
    """A picture that does not look like the person it is filed under."""

    subject: str
    source: str
    score: float  # mean cosine to the person's other pictures
    share: float  # of strangers that are more alike than that
    alone: bool  # False: of this person's last two pictures one is wrong, and nobody can say which
    resembles: str | None  # another subject with a picture that reaches the threshold with it
    vector: bytes = field(repr=False)  # its template, for `sample_of`


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """What there is to doubt in a gallery."""

    people: int
    templates: int
    comparisons: int  # of templates of different subjects
    point: OperatingPoint  # pairs at or above its threshold are listed
    expected: float | None  # false pairs by chance, at most; None: the threshold was set by hand
    low: float | None  # the same at the ends of the evidence's 95 % interval
    high: float | None
    reached: int  # comparisons that reach the threshold; a pair with many pictures has many
    pairs: tuple[Pair, ...]  # the most alike first
    misfits: tuple[Misfit, ...]  # the least alike first


def dedupe(
    gallery: Gallery,
    wanted: Wanted | None = None,
    points: Sequence[OperatingPoint] = (),
    progress: Progress | None = None,
) -> Duplicates:
    """Compare everybody in `gallery` with everybody else, and each person's pictures with each other. Changes nothing.

    points: the embedder's own evidence; the gallery's is preferred where it reaches the rate wanted. Where neither
    reaches the rate of the default, the strictest there is serves, and `expected` says what to expect of it.
    Raises EvidenceError for fewer than two people, for no evidence, and for a rate by name that the evidence cannot
    support."""
    wanted = wanted or Wanted()
    held, sources, space = _read(gallery)
    point = _point(wanted, held.comparisons, [each for each in gallery.points if each.space == space], points)
    found = scan(held, point.threshold, wanted.limit, progress)

    def times(rate: float | None) -> float | None:
        return None if rate is None or point.fmr is None else rate * held.comparisons

    return Duplicates(
        people=len(held.names),
        templates=len(held.owner),
        comparisons=held.comparisons,
        point=point,
        expected=times(point.fmr),
        low=times(point.low),
        high=times(point.high),
        reached=found.reached,
        pairs=tuple(_pair(held, sources, *best) for best in found.best.values()),
        misfits=_misfits(held, found, wanted.usual, point.threshold, sources),
    )


def sample_of(gallery: Gallery, subject: str, vector: bytes) -> Sample | None:
    """The sample of a subject with these template bytes, crop included; None when it is gone."""
    return next((one for _, one in gallery.samples(subject) if one.template.vector.tobytes() == vector), None)


def _read(gallery: Gallery) -> tuple[Held, list[str], str]:
    """Templates and the sources they came from; crops are let go of as they come."""
    names: dict[str, int] = {}
    owner, sources, vectors, space = [], [], [], ""
    for subject, sample in gallery.samples():
        owner.append(names.setdefault(subject, len(names)))
        sources.append(sample.source)
        vectors.append(sample.template.vector)
        space = sample.template.space
    if len(names) < 2:
        raise EvidenceError(
            f"Comparing people takes at least two, and {len(names)} {'is' if len(names) == 1 else 'are'} enrolled.",
            "Enrol more people.",
        )
    return Held(np.stack(vectors), np.array(owner, np.int64), tuple(names)), sources, space


def _point(
    wanted: Wanted, comparisons: int, own: Sequence[OperatingPoint], points: Sequence[OperatingPoint]
) -> OperatingPoint:
    """The threshold for a gallery of this size, from evidence; by hand where one was named."""
    if wanted.threshold is not None:
        return Policy(threshold=wanted.threshold).point(())
    rate = wanted.fmr or min(LOOSEST, (wanted.expect or EXPECTED) / max(1, comparisons))
    policy = Policy(fmr=rate)
    evidence = own if policy.reached(own) else points
    try:
        return policy.point(evidence)
    except EvidenceError:
        known = [one for one in (*own, *points) if one.fmr and supports(one.fmr, one.comparisons)]
        if wanted.fmr or wanted.expect or not known:
            raise
        return min(known, key=lambda one: one.fmr or 1.0)


def _pair(held: Held, sources: Sequence[str], score: float, one: int, other: int) -> Pair:
    first, second = sorted((one, other), key=lambda row: held.names[held.owner[row]])
    names = held.names[held.owner[first]], held.names[held.owner[second]]
    vectors = held.vectors[first].tobytes(), held.vectors[second].tobytes()
    return Pair(*names, score, sources[first], sources[second], vectors)


def _misfits(held: Held, found: Scan, usual: float, threshold: float, sources: Sequence[str]) -> tuple[Misfit, ...]:
    """The least alike first; none where there are too few strangers to know what is usual."""
    if usual == 0 or not supports(usual, len(found.strangers)):
        return ()
    bar = float(np.quantile(found.strangers, 1 - usual))
    listed = []
    for row, score, alone in misfits(held, bar):
        share = 1 - float(np.searchsorted(found.strangers, score)) / len(found.strangers)
        near = held.names[held.owner[found.whose[row]]] if found.other[row] >= threshold else None
        name, vector = held.names[held.owner[row]], held.vectors[row].tobytes()
        listed.append(Misfit(name, sources[row], score, share, alone, near, vector))
    return tuple(sorted(listed, key=lambda one: one.score))
