"""Matches and readings to a decision: accept, reject or abstain, each with its reasons in words.

Pure: no model, no gallery, no file. Verification (one claimed match) and identification (the best of a gallery) share
it. A threshold is an operating point, that is a number with evidence behind it. A policy names the error it can bear
and the evidence answers with a threshold; a rate the evidence cannot support is refused rather than extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import NormalDist

from mien.errors import EvidenceError, UsageError
from mien.types import Clip, Decision, Match, OperatingPoint, Reading, Score, Verdict

VERIFY_FMR = 1e-3  # what a policy without a target asks for: 1 impostor in 1,000 …
IDENTIFY_FPIR = 1e-2  # … and in a gallery 1 stranger in 100

LEAST = 1e-15  # rate: no data could support a lower one, and 1 / 5e-324 is no number
NEIGHBOURS = 5  # runners-up that the best match is held against …
SHARE = 0.6  # … and how much of their mean is taken off: chosen on development people, benchmarks/identification.py
SHRUNK, GROWN = 0.75, 10.0  # a relative threshold serves galleries of so many times the people it was measured on

Requirement = tuple[str, str, float]  # kind of reading, label, least score


@dataclass(frozen=True, slots=True)
class Policy:
    """How sure an answer must be. Name one target, or none for the defaults above.

    A named target that the evidence cannot support is an EvidenceError. The default target is softer: a gallery that
    grew past the evidence gets the strictest supported threshold, and the decision says which error to expect there."""

    fmr: float | None = None  # false-match rate per comparison
    fpir: float | None = None  # share of searches by strangers that may name somebody, at the gallery's size
    threshold: float | None = None  # cosine, chosen by hand: carries no evidence
    margin: float = 0.0  # least lead over the runner-up in a gallery; less abstains
    require: tuple[Requirement, ...] = ()  # e.g. (("liveness", "live", 0.9),)
    quality: float = 0.7  # a probe below this may be accepted but is never rejected: misses are too common there
    floor: float = 0.4  # a probe below this gets no answer: poor pictures of anybody look alike

    def __post_init__(self) -> None:
        named = [name for name in ("fmr", "fpir", "threshold") if getattr(self, name) is not None]
        if len(named) > 1:
            raise UsageError(f"A policy has one target, not {' and '.join(named)}.", "Name one of them.")
        for name in ("fmr", "fpir"):
            rate = getattr(self, name)
            if rate is not None and not LEAST <= rate < 1:
                raise UsageError(f"{name} is a rate between 0 and 1, not {rate}.", f"For 1 in 1,000 write {name}=1e-3.")
        if self.threshold is not None and not -1 <= self.threshold <= 1:
            raise UsageError(f"threshold is a cosine between -1 and 1, not {self.threshold}.")
        for name in ("quality", "floor"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is a quality between 0 and 1, not {getattr(self, name)}.")
        if not self.margin >= 0:  # NaN would abstain from nothing
            raise UsageError(f"margin is a lead over the runner-up and cannot be {self.margin}.", "Use 0 or more.")
        for attribute, label, least in self.require:
            if math.isnan(least):  # which no score is below
                raise UsageError(f"The least score for {attribute} {label} is no number.", "Use one such as 0.9.")

    def point(self, points: Sequence[OperatingPoint], gallery_size: int = 1) -> OperatingPoint:
        """The operating point to decide at, from the evidence in `points` (all of one space).

        gallery_size: comparisons one search makes, i.e. templates searched; 1 verifies.
        Between two points the threshold is interpolated along the normal deviate of the rate, which is exact for
        normally distributed impostor scores. A target looser than all evidence gets the loosest point: the safe side.
        Raises EvidenceError when the target is stricter than all evidence, or there is none."""
        if self.threshold is not None:
            return OperatingPoint(threshold=self.threshold)
        known = sorted((point for point in points if _stands(point)), key=lambda point: -(point.fmr or 0))
        if not known:
            raise EvidenceError(
                "No operating point with enough impostor comparisons behind it is known for this model.",
                "Calibrate on a gallery of your own, or set a threshold by hand.",
            )
        target = self._rate(gallery_size)
        strictest = known[-1]
        if target < _rate_of(strictest) * (1 - 1e-9):
            if self.fmr is None and self.fpir is None:
                return strictest
            raise _too_strict(target, strictest)
        return _between(known, target)

    def reached(self, points: Sequence[OperatingPoint], gallery_size: int = 1) -> bool:
        """Whether `points` hold evidence as strict as the target needs."""
        rates = [_rate_of(point) for point in points if _stands(point)]
        return bool(rates) and self._rate(gallery_size) >= min(rates) * (1 - 1e-9)

    def relative(self, points: Sequence[OperatingPoint], people: int) -> OperatingPoint | None:
        """The point of `points` to identify at by relative score in a gallery of `people` subjects, if one serves.

        None, and the cosine decides: the policy names a rate per comparison or a threshold; no point is as strict as the
        target on evidence of enough people; or the gallery has shrunk or grown too much since. Between points nothing is
        interpolated: the next stricter one serves. A threshold holds while a gallery grows, because best and runners-up
        rise together (measured up to 10 times, `benchmarks/growth.py`), but gets loose when it shrinks."""
        serving = [
            point
            for point in self._of_searches(points, "relative")
            if SHRUNK * point.subjects <= people <= GROWN * point.subjects
        ]
        return max(serving, key=lambda point: point.fpir or 0) if serving else None

    def sized(self, points: Sequence[OperatingPoint], people: int) -> OperatingPoint | None:
        """The point of `points` to identify at by cosine in a gallery of `people` subjects, if one serves.

        One serves galleries up to the size it is for, never larger ones. Nothing is interpolated: the next larger size
        serves, and the next stricter rate, so the threshold is never looser than the evidence for this size."""
        serving = [point for point in self._of_searches(points, "cosine") if people <= point.subjects]
        return min(serving, key=lambda point: (point.subjects, -(point.fpir or 0))) if serving else None

    def growth_warning(
        self, own: Sequence[OperatingPoint], card: Sequence[OperatingPoint], people: int, templates: int, where: str
    ) -> str | None:
        """What to tell the owner of a gallery whose size no threshold fits any more, with the remedy; None while one does.

        own: the points kept in the gallery, card: those of the model, of one space. where: what to call the gallery.
        A policy that names a rate per comparison, or a threshold, asks for nothing that depends on the size."""
        by_size = self.fmr is None and self.threshold is None and people > 0
        if not by_size or self.relative(own, people) or self.sized(own, people) or self.reached(own, templates):
            return None
        kept = self._of_searches(own, "relative") + self._of_searches(own, "cosine")
        held = self.reached(card, templates)
        if not kept and (held or not any(map(_stands, card))):
            return None
        spans = [(SHRUNK * p.subjects, GROWN * p.subjects) if p.score == "relative" else (1, p.subjects) for p in kept]
        least = min((math.ceil(low) for low, _ in spans), default=0)
        most = max((int(top) for _, top in spans), default=0)
        said = f"thresholds kept in {where} hold for {least:,} to {most:,} people, and {people:,} are enrolled"
        if not kept:
            said = f"{templates:,} templates in {where} have outgrown the model card"
        more = (
            f"more than the {in_words(self.fpir or IDENTIFY_FPIR)} strangers wanted may be taken for somebody enrolled"
        )
        now = "the model card's, which miss more people, are used" if held else more
        return f"{said}: {now}. Calibrate on the people enrolled: mien calibrate {where} --keep"

    def _of_searches(self, points: Sequence[OperatingPoint], score: Score) -> list[OperatingPoint]:
        """Those of a rate of searches, as strict as the target and with enough people behind them."""
        if self.fmr is not None or self.threshold is not None:
            return []
        target = (self.fpir or IDENTIFY_FPIR) * (1 + 1e-9)
        return [
            point
            for point in points
            if point.score == score and point.fpir is not None and point.fpir <= target
            if supports(point.fpir, point.subjects if score == "relative" else point.comparisons)
        ]

    def _rate(self, gallery_size: int) -> float:
        """The false-match rate per comparison that the target amounts to."""
        if gallery_size < 1:
            raise UsageError(f"A search compares with at least one template, not {gallery_size}.")
        if self.fmr is not None:
            return self.fmr
        if self.fpir is None and gallery_size == 1:
            return VERIFY_FMR
        return -math.expm1(math.log1p(-(self.fpir or IDENTIFY_FPIR)) / gallery_size)


def supports(rate: float, comparisons: int) -> bool:
    """Whether `comparisons` without a single error would show, at 95 %, that the error rate is at most `rate`.

    The rule of three (Hanley and Lippman-Hand, JAMA 1983): zero errors in n trials bound the rate by 3/n."""
    return comparisons >= comparisons_needed(rate)


def comparisons_needed(rate: float) -> int:
    """The least number of impostor comparisons that can support a false-match rate of `rate`."""
    return math.ceil(3 / rate * (1 - 1e-12))


def expected_fpir(fmr: float, gallery_size: int) -> float:
    """Share of searches by strangers that would name somebody among `gallery_size` templates: 1 - (1 - fmr)^N.

    It takes a search's comparisons as independent; they are positively related, so this is usually too high."""
    return -math.expm1(gallery_size * math.log1p(-fmr)) if fmr < 1 else 1.0


def relative(matches: Sequence[Match]) -> float:
    """How far the best match stands out: its cosine less 0.6 times the mean of its five runners-up.

    matches: those of a search, best first, six subjects at least. A face that looks like many (a common face, a poor
    picture) has near runners-up and scores low; whom it is compared with is chosen by the search itself (adaptive
    T-norm: Sturim and Reynolds, ICASSP 2005). Raises UsageError for fewer than six."""
    if len(matches) <= NEIGHBOURS:
        raise UsageError(
            f"A relative score takes the {NEIGHBOURS + 1} best subjects, and {len(matches)} were given.",
            "Search for more, or decide by the cosine.",
        )
    return matches[0].score - SHARE * _neighbours(matches)


def _neighbours(matches: Sequence[Match]) -> float:
    return math.fsum(match.score for match in matches[1 : NEIGHBOURS + 1]) / NEIGHBOURS


def _compared(matches: Sequence[Match], point: OperatingPoint) -> float:
    """What is held against the threshold."""
    return relative(matches) if point.score == "relative" else matches[0].score


def decide(
    matches: Sequence[Match],
    readings: Sequence[Reading],
    policy: Policy,
    point: OperatingPoint,
    gallery_size: int = 1,
    seen: Clip | None = None,
) -> Decision:
    """One answer from `matches` (best first), what judges read, and an operating point of the policy.

    accept: the best match reaches the threshold, leads by the margin, and every requirement is met.
    reject: the best match stays below the threshold in a fair picture, or a requirement was judged and failed.
    abstain: nothing to compare with, too poor a picture, too close a runner-up, or a requirement nobody could judge.
    Raises UsageError where the point is one of relative scores and fewer than six subjects are among the matches.

    A mediocre picture hides people rather than making them up: measured against good enrolments, blur, smallness and
    darkness raise the false-match rate by a third at most while a half of the true matches are lost. So a match in it
    stands and a non-match abstains. Two poor pictures do look alike whoever is on them, hence `Policy.floor`."""
    verdict, reasons = _verdict(matches, readings, policy, point)
    if verdict != "abstain" and gallery_size > 1 and point.fmr:
        reasons = (*reasons, _among(point.fmr, gallery_size, policy))
    best = matches[0] if matches else None
    shots = sorted(seen.faces, key=lambda face: -face.eye_distance * face.score) if seen else []
    return Decision(
        verdict=verdict,
        reasons=reasons,
        subject=best.subject if best and verdict == "accept" else None,
        score=_compared(matches, point) if best else None,
        threshold=point,
        matches=tuple(matches),
        readings=tuple(readings),
        faces=tuple(shots),
        source=shots[0].frame.source if shots else "",
        span=seen.span if seen and seen.fps > 0 else None,
    )


def _verdict(
    matches: Sequence[Match], readings: Sequence[Reading], policy: Policy, point: OperatingPoint
) -> tuple[Verdict, tuple[str, ...]]:
    if not matches:
        return "abstain", ("nobody is enrolled to compare with",)
    hopeless = _poor(readings, policy.floor)
    if hopeless:
        return "abstain", hopeless
    best, score = matches[0], _compared(matches, point)
    if score < point.threshold:
        poor, below = _poor(readings, policy.quality), _below(matches, point)
        return ("abstain", (*poor, below)) if poor else ("reject", (below,))
    if sum(_overall(reading) < policy.quality for reading in readings) > 1:  # a verification of two poor pictures
        return "abstain", ("both pictures are poor, and poor pictures look alike", *_poor(readings, policy.quality))
    rival = _rival(matches, policy.margin)
    if rival is not None:
        names = f"{best.subject} {best.score:.3f}, {rival.subject} {rival.score:.3f}"
        return "abstain", (f"two people are about equally alike: {names}",)
    reached = _reached(matches, point)
    unmet = [_unmet(readings, requirement) for requirement in policy.require]
    for verdict in ("reject", "abstain"):
        failed = tuple(words for outcome, words in unmet if outcome == verdict)
        if failed:
            return verdict, (*failed, reached)
    return "accept", (reached,)


def _poor(readings: Sequence[Reading], floor: float) -> tuple[str, ...]:
    """Why the pictures are poorer than `floor`; empty when they are not."""
    for reading in readings:
        overall = _overall(reading)
        if overall < floor:
            return reading.reasons or (f"too poor a picture: quality {overall:.2f}, {floor:.2f} wanted",)
    return ()


def _overall(reading: Reading) -> float:
    """Overall quality; 1 for a reading that does not speak of it."""
    return reading.scores.get("overall", 1.0) if reading.kind == "quality" else 1.0


def _rival(matches: Sequence[Match], margin: float) -> Match | None:
    """A runner-up that is as alike as the best, or leads by less than the margin."""
    for other in matches[1:]:
        if other.subject != matches[0].subject:
            lead = matches[0].score - other.score
            return other if lead == 0 or lead < margin else None
    return None


def _unmet(readings: Sequence[Reading], requirement: Requirement) -> tuple[Verdict, str]:
    """("accept", "") when met, ("reject", why) when judged and failed, ("abstain", why) when not judged."""
    kind, label, least = requirement
    of_kind = [reading for reading in readings if reading.kind == kind]
    judged = [reading.scores[label] for reading in of_kind if label in reading.scores]
    if judged and min(judged) >= least:
        return "accept", ""
    if judged:
        return "reject", f"{kind}: {label} {min(judged):.2f}, {least:.2f} wanted"
    why = "; ".join(reason for reading in of_kind for reason in reading.reasons)
    return "abstain", f"not judged: {why or f'{kind} was wanted and no judge read it'}"


def _reached(matches: Sequence[Match], point: OperatingPoint) -> str:
    score = f"score {_compared(matches, point):.3f} is at or above {point.threshold:.3f}, {_meaning(point)}"
    return f"{matches[0].subject} {_lead(matches)}: relative {score}" if point.score == "relative" else score


def _below(matches: Sequence[Match], point: OperatingPoint) -> str:
    best, score = matches[0], _compared(matches, point)
    below = f"{score:.3f}, stays below {point.threshold:.3f}, {_meaning(point)}"
    if point.score == "relative":
        return f"{best.subject}, the most alike, {_lead(matches)}: the relative score, {below}"
    return f"{best.subject}, the most alike, {below}" if best.subject else f"the score, {below}"


def _lead(matches: Sequence[Match]) -> str:
    return f"leads the next five people by {matches[0].score - _neighbours(matches):.3f}"


def _meaning(point: OperatingPoint) -> str:
    if point.fpir:
        how = f"predicted from {point.comparisons:,} people of" if point.subjects > point.comparisons else "measured on"
        data = f", as {how} {point.data}" if point.data else ""
        return f"where {in_words(point.fpir)} strangers would be named in a gallery of {point.subjects:,} people{data}"
    if not point.fmr:
        return "a threshold set by hand"
    data = f" in {point.data}" if point.data else ""
    return f"where {in_words(point.fmr)} comparisons of different people{data} would be accepted"


def _among(fmr: float, gallery_size: int, policy: Policy) -> str:
    rate, wanted = expected_fpir(fmr, gallery_size), policy.fpir or IDENTIFY_FPIR
    named = f"about {in_words(rate)} strangers would be taken for somebody enrolled"
    more = policy.fmr is None and rate > wanted * 1.05
    return f"with {gallery_size:,} templates searched, {named}" + (
        f", more than the {in_words(wanted)} wanted: calibrate the gallery" if more else ""
    )


def in_words(rate: float) -> str:
    """A rate as people say it: ``1 in 1,000``, ``9 in 10``."""
    if rate >= 0.15:
        return f"{max(1, min(10, round(rate * 10)))} in 10"
    count = 1 / rate
    digits = 10 ** max(0, math.floor(math.log10(count)) - 1)
    return f"1 in {round(count / digits) * digits:,}"


def _stands(point: OperatingPoint) -> bool:
    return point.fmr is not None and 0 < point.fmr < 1 and supports(point.fmr, point.comparisons)


def _rate_of(point: OperatingPoint) -> float:
    assert point.fmr is not None  # _stands
    return point.fmr


def _too_strict(target: float, strictest: OperatingPoint) -> EvidenceError:
    reach = in_words(_rate_of(strictest))
    return EvidenceError(
        f"The evidence reaches false-match rates down to {reach}, and {in_words(target)} is asked for.",
        f"That takes at least {comparisons_needed(target):,} impostor comparisons: calibrate on a larger gallery, "
        f"or ask for {reach} or more.",
    )


def _between(known: Sequence[OperatingPoint], target: float) -> OperatingPoint:
    """The point of rate `target` among `known`, loosest first; `target` is no stricter than the last."""
    for looser, stricter in pairwise(known):
        rates = _rate_of(looser), _rate_of(stricter)
        if rates[1] < target < rates[0] and not math.isclose(target, rates[1], rel_tol=1e-9):
            return _interpolated(looser, stricter, target)
    return min(known, key=lambda point: (_rate_of(point) > target * (1 + 1e-9), -_rate_of(point)))


def _interpolated(looser: OperatingPoint, stricter: OperatingPoint, target: float) -> OperatingPoint:
    deviate = NormalDist().inv_cdf
    start, end, wanted = (deviate(1 - rate) for rate in (_rate_of(looser), _rate_of(stricter), target))
    share = (wanted - start) / (end - start)
    return replace(
        stricter,
        threshold=looser.threshold + share * (stricter.threshold - looser.threshold),
        fmr=target,
        low=_geometric(looser.low, stricter.low, share),
        high=_geometric(looser.high, stricter.high, share),
        comparisons=min(looser.comparisons, stricter.comparisons),
        subjects=min(looser.subjects, stricter.subjects),
    )


def _geometric(first: float | None, second: float | None, share: float) -> float | None:
    """Between two bounds of a rate, along its logarithm; 0 and None stay what they are."""
    if first is None or second is None:
        return None
    if first <= 0 or second <= 0:
        return min(first, second)
    return math.exp((1 - share) * math.log(first) + share * math.log(second))
