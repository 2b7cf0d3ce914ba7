"""A gallery to its own operating points: impostor pairs are always at hand, for its people are different people.

A model's card was measured on other people and cameras than yours. Calibrating says how the card's thresholds fare on
the people enrolled, which thresholds these people support themselves, and how often a stranger would be taken for one
of them at the gallery's present size. What the gallery cannot say is how often its own people are missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mien.audit.growth import Held, Sizes, of_gallery
from mien.audit.growth import sizes as sized
from mien.audit.impostors import Impostors, impostors
from mien.decide import expected_fpir, in_words
from mien.errors import EvidenceError, UsageError
from mien.protocols import Gallery
from mien.types import Metric, OperatingPoint

RATES = (1e-2, 1e-3, 1e-4)
SEARCH_RATES = (0.1, 0.03, 0.01)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a threshold does in this gallery."""

    point: OperatingPoint
    fmr: Metric  # false-match rate among the people enrolled
    fpir: Metric  # share of strangers named: each person searched among all the others
    independent_fpir: float  # the same if comparisons were independent: 1 - (1 - fmr)^templates


@dataclass(frozen=True, slots=True)
class SearchExpectation:
    """What a threshold on relative scores does in this gallery."""

    point: OperatingPoint
    fpir: Metric  # share of strangers named: each person searched among all the others


@dataclass(frozen=True, slots=True)
class Refused:
    """A rate that the gallery cannot support, and why: an `fmr`, or else an `fpir` by relative score."""

    fmr: float | None
    reason: str
    fpir: float | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a gallery says about thresholds."""

    people: int
    templates: int
    comparisons: int  # of templates of different people
    space: str
    own: tuple[Expectation, ...]  # at thresholds from this gallery, loosest first
    card: tuple[Expectation, ...]  # at the thresholds of the model's card
    refused: tuple[Refused, ...]
    search: tuple[SearchExpectation, ...] = ()  # relative scores, to identify with; loosest first
    kept: tuple[Expectation | SearchExpectation, ...] = ()  # thresholds kept in the gallery before, as they fare now
    sizes: Sizes | None = None  # thresholds for other sizes of the gallery, where they were asked for

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """The operating points the gallery supports, for ``Policy.point`` and ``Policy.relative``."""
        sized = self.sizes.points if self.sizes else ()
        return (*(item.point for item in self.own), *(item.point for item in self.search), *sized)

    @property
    def words(self) -> tuple[str, ...]:
        """The same for a person to read."""
        whole = f"{self.people:,} people, {self.templates:,} templates, {self.comparisons:,} comparisons of strangers"
        own = (f"threshold {item.point.threshold:.4f}: {_in_words(item)}" for item in self.own)
        card = (f"the card's {item.point.threshold:.4f}: {_in_words(item)}{_verdict(item)}" for item in self.card)
        search = (
            f"relative score {item.point.threshold:.4f}: {_strangers(item.fpir)} would name somebody"
            for item in self.search
        )
        refused = (f"{in_words(item.fmr or item.fpir or 0)}: {item.reason}" for item in self.refused)
        return (whole, *own, *search, *card, *refused, *(self.sizes.words if self.sizes else ()))


def calibrate(
    gallery: Gallery,
    fmrs: Sequence[float] = RATES,
    card: Sequence[OperatingPoint] = (),
    data: str = "this gallery",
    fpirs: Sequence[float] = SEARCH_RATES,
    sizes: Sequence[int] | None = None,
) -> Calibration:
    """Operating points from the people enrolled in `gallery`: of cosines at the false-match rates `fmrs`, and of
    relative scores at the rates `fpirs` of searches by strangers.

    card: the model's own points, to be judged here; those of another space are left out.
    data: what to call the gallery in the evidence.
    sizes: galleries of so many people to find thresholds for too (`audit.growth`); () for the usual ones, None for none.
    A rate counts as supported when there are 3 / rate pairs of different people, however many photos each has, because
    photos of the same two people hardly say more than one does; of searches, when there are 3 / rate people. Memory is
    that of the templates and a few per cent of the scores. Raises UsageError for a rate
    that is none, EvidenceError for fewer than two people."""
    for rate in (*fmrs, *fpirs):
        if not 0 < rate < 1:
            raise UsageError(f"A rate lies between 0 and 1, and {rate} does not.", "For 1 in 1,000 write 1e-3.")
    held = of_gallery(gallery, data)
    space = held.space
    found = impostors(held.vectors, held.owner)
    own, refused = [], []
    for rate in sorted(set(fmrs), reverse=True):
        try:
            threshold = found.threshold(rate)
        except EvidenceError as error:
            refused.append(Refused(rate, str(error)))
            continue
        fmr = found.rate(threshold)
        point = OperatingPoint(threshold, rate, fmr.low, fmr.high, found.comparisons, found.people, data, space)
        own.append(_expectation(found, point))
    judged = tuple(_expectation(found, point) for point in card if point.space in ("", space))
    search, too_few = _relative(found, fpirs, data, space)
    refused += too_few
    kept = tuple(_kept(found, point) for point in getattr(gallery, "points", ()) if _tells(found, point, space))
    counts = found.people, len(held.owner), found.comparisons, space
    grown = _sizes(held, sizes, fpirs)
    return Calibration(*counts, tuple(own), judged, tuple(refused), search, kept, grown)


def _sizes(held: Held, wanted: Sequence[int] | None, fpirs: Sequence[float]) -> Sizes | None:
    if wanted is None:
        return None
    try:
        return sized(held, wanted, fpirs)
    except EvidenceError as error:
        return Sizes(int(held.owner.max()) + 1, 0.0, (), tuple((None, rate, str(error)) for rate in fpirs), None)


def _tells(found: Impostors, point: OperatingPoint, space: str) -> bool:
    """Whether a point kept before can be judged among the people enrolled now: one of this space and about this size."""
    here = point.space in ("", space)
    if point.score == "relative":
        return here and found.relative is not None
    return here and (point.fmr is not None or point.subjects >= found.people)


def _kept(found: Impostors, point: OperatingPoint) -> Expectation | SearchExpectation:
    if point.score == "relative":
        return SearchExpectation(point, found.relative_rate(point.threshold))
    return _expectation(found, point)


def _relative(
    found: Impostors, fpirs: Sequence[float], data: str, space: str
) -> tuple[tuple[SearchExpectation, ...], list[Refused]]:
    search, refused = [], []
    for rate in sorted(set(fpirs), reverse=True):
        try:
            threshold = found.relative_threshold(rate)
        except EvidenceError as error:
            refused.append(Refused(None, str(error), rate))
            continue
        seen = found.relative_rate(threshold)
        count = len(found.owner), found.people
        point = OperatingPoint(threshold, None, seen.low, seen.high, *count, data, space, fpir=rate, score="relative")
        search.append(SearchExpectation(point, seen))
    return tuple(search), refused


def _expectation(found: Impostors, point: OperatingPoint) -> Expectation:
    fmr = found.rate(point.threshold)
    templates = len(found.owner)
    return Expectation(point, fmr, found.search_rate(point.threshold), expected_fpir(fmr.value, templates))


def _in_words(item: Expectation) -> str:
    low, high = (in_words(rate) if rate > 0 else "none" for rate in (item.fmr.low, item.fmr.high))
    return f"{_rate(item.fmr.value)} strangers match a template ({low} to {high}); {_strangers(item.fpir)} would name somebody"


def _strangers(fpir: Metric) -> str:
    shown = f"{_rate(fpir.value)} searches by strangers"
    return shown if fpir.value > 0 else f"{shown}, {in_words(fpir.high)} at most,"


def _rate(value: float) -> str:
    return in_words(value) if value > 0 else "none of the"


def _verdict(item: Expectation) -> str:
    """Whether a threshold of the card keeps what it promises here."""
    promised = item.point.fmr
    if promised is None:
        return ""
    if item.fmr.low > promised:
        return f", looser than the {in_words(promised)} promised: use a threshold of your own"
    if item.fmr.high < promised:
        return f", stricter than the {in_words(promised)} promised"
    return f", as promised ({in_words(promised)})"
