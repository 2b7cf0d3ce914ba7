"""Telling bona fide presentations from attacks: the error rates of ISO/IEC 30107-3, with intervals.

Scores are higher for bona fide and thresholds are inclusive: a presentation is accepted when ``score >= threshold``. A
presentation that the system did not answer enters with the score ``-inf``: it stays in every denominator, it is refused
when bona fide and stopped when an attack; `nonresponse` gives its share. Attacks come in species (kinds of instrument),
and the standard's APCER belongs to one species. A system is as good as its worst species, so the maximum over species
has a name of its own here, and so has the rate of all attacks pooled, which depends on their mixture.

Thresholds come from a development split or from a hand, never from the presentations that are judged.
(ISO/IEC 30107-3:2023 for APCER, BPCER, non-response and IAPAR; ACER was dropped from it. Morphs are attacks too: with
morphing methods for species, ISO/IEC 20059 calls the same two rates MACER and BSCER.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from mien.audit.metrics.recognition import F64, I64, Bools, eer, fmr, fnmr, threshold_at_fmr, wilson
from mien.decide import comparisons_needed, in_words, supports
from mien.errors import EvidenceError
from mien.types import Metric

BONA_FIDE = -1
RATES = {"BPCER10": 0.10, "BPCER20": 0.05, "BPCER100": 0.01}  # name -> the APCER at which it is taken
LEAST = 30  # presentations of a species: with fewer, none accepted still leaves an APCER of 10 % possible


@dataclass(frozen=True, slots=True, eq=False)
class Presentations:
    """Scored presentations, bona fide and attacks."""

    scores: F64  # (n,) higher is more bona fide; -inf: no response
    species: I64  # (n,) number of the attack's species; BONA_FIDE
    names: tuple[str, ...]  # of the species
    subject: I64 | None = None  # (n,) number of the person; None: not known, presentations taken as independent
    attacks: Bools = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "attacks", self.species != BONA_FIDE)

    @property
    def bona_fide(self) -> F64:
        """Scores of the bona fide presentations."""
        scores: F64 = self.scores[~self.attacks]
        return scores

    @property
    def pooled(self) -> F64:
        """Scores of all attacks, whatever their species."""
        scores: F64 = self.scores[self.attacks]
        return scores

    def of(self, species: int) -> F64:
        """Scores of one species."""
        scores: F64 = self.scores[self.species == species]
        return scores

    def only(self, kept: Bools) -> Presentations:
        """Those that are `kept` (n,)."""
        subject = None if self.subject is None else self.subject[kept]
        return Presentations(self.scores[kept], self.species[kept], self.names, subject)

    def enough(self, least: int = LEAST) -> tuple[int, ...]:
        """The species with at least `least` presentations."""
        return tuple(number for number in range(len(self.names)) if np.sum(self.species == number) >= least)


def apcer(attack: F64, threshold: float, weights: F64 | None = None) -> float:
    """Attack presentation classification error rate: share of attacks (n,) of one species taken for bona fide."""
    return fmr(attack, threshold, weights)


def bpcer(bona_fide: F64, threshold: float, weights: F64 | None = None) -> float:
    """Bona fide presentation classification error rate: share of (n,) taken for attacks or not answered."""
    return fnmr(bona_fide, threshold, weights)


def max_apcer(presentations: Presentations, threshold: float, species: tuple[int, ...]) -> tuple[float, int]:
    """The APCER of the worst of `species`, and which one that is (the first of equals)."""
    if not species:
        raise EvidenceError(
            f"No attack species has {LEAST} presentations.", "APCER of fewer says nothing: record more attacks."
        )
    rates = [apcer(presentations.of(number), threshold) for number in species]
    worst = int(np.argmax(rates))
    return rates[worst], species[worst]


def nonresponse(scores: F64) -> float:
    """APNRR of attacks, BPNRR of bona fide presentations: share of (n,) that the system did not answer."""
    if len(scores) == 0:
        raise EvidenceError("A rate needs at least one presentation.")
    return float(np.mean(np.isneginf(scores)))


def auc(bona_fide: F64, attack: F64, weights: tuple[F64, F64] | None = None) -> float:
    """How often a bona fide presentation scores above an attack, ties counting half: the area under the ROC curve."""
    mine, theirs = weights if weights is not None else (np.ones(len(bona_fide)), np.ones(len(attack)))
    if not (np.sum(mine) and np.sum(theirs)):
        raise EvidenceError("An area under a curve needs bona fide presentations and attacks.")
    order = np.argsort(attack)
    mass = np.concatenate([[0.0], np.cumsum(theirs[order])]) / np.sum(theirs)
    below, up_to = (mass[np.searchsorted(attack[order], bona_fide, side=side)] for side in ("left", "right"))
    return float(np.average((below + up_to) / 2, weights=mine))


def threshold_at_eer(bona_fide: F64, attack: F64) -> float:
    """The score at which APCER and BPCER differ least, the lowest of such; `recognition.eer` is their mean there."""
    candidates = np.unique(np.concatenate([bona_fide, attack]))
    candidates = candidates[np.isfinite(candidates)]
    refused = np.searchsorted(np.sort(bona_fide), candidates, side="left") / len(bona_fide)
    accepted = 1 - np.searchsorted(np.sort(attack), candidates, side="left") / len(attack)
    return float(candidates[int(np.argmin(np.round(np.abs(refused - accepted), 12)))])


def threshold_at_apcer(presentations: Presentations, rate: float) -> float:
    """The smallest threshold at which no species has an APCER above `rate`; species too small for the rate are left out.

    Raises EvidenceError when no species has 3 / rate presentations (rule of three)."""
    species = [scores for number in range(len(presentations.names)) if len(scores := presentations.of(number))]
    able = [scores for scores in species if supports(rate, len(scores))]
    if not able:
        most = max(map(len, species), default=0)
        raise EvidenceError(
            f"{most:,} presentations of an attack species, at most, cannot support an APCER of {in_words(rate)}.",
            f"It takes at least {comparisons_needed(rate):,} of one species (rule of three).",
        )
    return max(threshold_at_fmr(scores, rate) for scores in able)


def can_set(presentations: Presentations, rate: float) -> bool:
    """Whether some species has the presentations that a threshold for an APCER of `rate` takes."""
    return any(supports(rate, len(presentations.of(number))) for number in range(len(presentations.names)))


def added(one: Metric, other: Metric, factor: float = 1.0) -> Metric:
    """`factor` times the sum of two rates. The interval adds their bounds: too wide rather than too narrow, since one of
    them may be a maximum, whose bootstrap misleads."""
    value, low, high = (factor * (getattr(one, end) + getattr(other, end)) for end in ("value", "low", "high"))
    return Metric(value, low, high, one.n + other.n)


def riapar(iapar: Metric, frr: Metric) -> Metric:
    """Relative IAPAR: what a full system lets through plus what it costs, IAPAR + FRR, both at one setting.

    That is 1 + IAPAR - (1 - FRR): 0 for a system that stops every attack and refuses nobody; above 1, an attacker fares
    better than the people enrolled. iapar: share of impostor attacks that detection and comparison both let through."""
    return added(iapar, frr)


# --- uncertainty ----------------------------------------------------------------------------------------------------


def resamples(presentations: Presentations, rounds: int, seed: int) -> Iterator[F64]:
    """Weights (n,): how often each presentation occurs in a resample.

    With subjects, people are drawn with replacement, all presentations of one together, since attacks on one person
    and by one instrument share what makes them work. Without, presentations are drawn within their species."""
    rng = np.random.default_rng(seed)
    if presentations.subject is not None:
        everyone, numbers = np.unique(presentations.subject, return_inverse=True)
        for _ in range(rounds):
            drawn = rng.integers(len(everyone), size=len(everyone))
            yield np.bincount(drawn, minlength=len(everyone)).astype(np.float64)[numbers]
        return
    groups = [np.flatnonzero(presentations.species == number) for number in np.unique(presentations.species)]
    for _ in range(rounds):
        weights = np.zeros(len(presentations.scores))
        for group in groups:
            weights[group] = np.bincount(rng.integers(len(group), size=len(group)), minlength=len(group))
        yield weights


def curve(presentations: Presentations, rounds: int = 1000, seed: int = 0) -> tuple[Metric, Metric]:
    """D-EER and AUC of all attacks pooled, with percentile intervals over `resamples`.

    Scores are sorted once and each resample is a walk along them; a resample without one of the kinds counts for none."""
    order = np.argsort(presentations.scores)
    scores, attack = presentations.scores[order], presentations.attacks[order]
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))  # of each run of equal scores
    values = []
    for weights in resamples(presentations, rounds, seed):
        mass = weights[order]
        refused, stopped = (np.cumsum(np.where(kind, mass, 0)) for kind in (~attack, attack))
        if refused[-1] and stopped[-1]:
            below = tuple(np.append(np.append(0, kind)[starts] / kind[-1], 1) for kind in (refused, stopped))
            values.append(_along(*below))
    lows, highs = np.quantile(values, [0.025, 0.975], axis=0)
    exact = eer(presentations.bona_fide, presentations.pooled), auc(presentations.bona_fide, presentations.pooled)
    count = len(presentations.scores)
    equal, area = (
        Metric(exact[k], min(float(lows[k]), exact[k]), max(float(highs[k]), exact[k]), count) for k in (0, 1)
    )
    if exact[1] == 1:  # the kinds do not overlap: what could have been seen of each, by the rule of three
        least = _unseen(presentations)
        return replace(equal, high=least), replace(area, low=1 - least)
    return equal, area


def _along(refused: F64, stopped: F64) -> tuple[float, float]:
    """Equal error rate and area from the shares of each kind below every score, the last being 1: as `eer` and `auc`."""
    gaps = np.abs(refused[:-1] + stopped[:-1] - 1)
    nearest = int(np.argmin(np.round(gaps, 12)))
    area = np.sum(np.diff(refused) * (stopped[:-1] + stopped[1:])) / 2
    return float(refused[nearest] + 1 - stopped[nearest]) / 2, float(area)


def share(presentations: Presentations, hits: Bools, chosen: Bools, rounds: int = 1000, seed: int = 0) -> Metric:
    """The share of the `chosen` (n,) presentations that are `hits` (n,), with its interval and how many are chosen.

    Wilson where presentations are independent; where people are known, the bootstrap over people. A bootstrap of no
    error at all, or of nothing else, has no width: Wilson's bound for that many people stands in."""
    errors, trials = int(np.sum(hits & chosen)), int(np.sum(chosen))
    if presentations.subject is None:
        return wilson(errors, trials)
    values = _shares(presentations, hits, [chosen], rounds, seed)
    return _bounded(values[:, 0], errors, presentations, chosen, 0.95)


def max_share(
    presentations: Presentations, hits: Bools, species: tuple[int, ...], rounds: int = 1000, seed: int = 0
) -> Metric:
    """The greatest share of `hits` (n,) over `species`, with an interval that respects that it is a maximum.

    The bootstrap distribution of a maximum lies above it when species are alike: of eight equal species its percentile
    interval holds the truth in 7 to 40 cases of 100. The interval here runs from the highest lower bound of a species
    (each at 1 - 0.05 / species, so that all hold at once) to the highest upper bound, and holds it in 95 or more."""
    if not species:
        raise EvidenceError(f"No attack species has {LEAST} presentations.", "Record more attacks.")
    groups = [presentations.species == number for number in species]
    values = _shares(presentations, hits, groups, rounds, seed)
    several = 1 - 0.05 / len(species)
    found = [
        (
            _bounded(values[:, index], int(np.sum(hits & group)), presentations, group, 0.95),
            _bounded(values[:, index], int(np.sum(hits & group)), presentations, group, several),
        )
        for index, group in enumerate(groups)
    ]
    value = max(one.value for one, _ in found)
    low, high = max(strict.low for _, strict in found), max(one.high for one, _ in found)
    return Metric(value, min(low, value), high, int(sum(map(np.sum, groups))))


def hter(presentations: Presentations, accepted: Bools, rounds: int = 1000, seed: int = 0) -> Metric:
    """Half total error rate: mean of the pooled attacks' share that is `accepted` (n,) and the bona fide one that is not."""
    attacks = presentations.attacks
    value = float(np.mean(accepted[attacks]) + np.mean(~accepted[~attacks])) / 2
    values = _shares(presentations, accepted == attacks, [attacks, ~attacks], rounds, seed)
    low, high = np.nanquantile(values.mean(axis=1), [0.025, 0.975])
    high = _unseen(presentations) if value == 0 else float(high)
    return Metric(value, min(float(low), value), max(high, value), len(accepted))


def _shares(presentations: Presentations, hits: Bools, groups: list[Bools], rounds: int, seed: int) -> F64:
    """(rounds, groups) share of hits in each group, resample by resample; NaN where a resample has none of it.

    Drawing people, only their counts matter; drawing presentations within a group is drawing a binomial number."""
    rng = np.random.default_rng(seed)
    if presentations.subject is None:
        trials = [int(np.sum(group)) for group in groups]
        shares = [
            rng.binomial(n, np.sum(hits & group) / n, rounds) / n for n, group in zip(trials, groups, strict=True)
        ]
        return np.stack(shares, axis=1)
    everyone, numbers = np.unique(presentations.subject, return_inverse=True)
    size = len(everyone)
    hit = np.stack([np.bincount(numbers, hits & group, size) for group in groups], axis=1)
    tried = np.stack([np.bincount(numbers, group, size) for group in groups], axis=1)
    values = np.empty((rounds, len(groups)))
    for index in range(rounds):
        drawn = np.bincount(rng.integers(size, size=size), minlength=size).astype(np.float64)
        total = drawn @ tried
        values[index] = np.divide(drawn @ hit, total, out=np.full(len(groups), np.nan), where=total > 0)
    return values


def _units(presentations: Presentations, chosen: Bools) -> int:
    """How many independent trials the `chosen` (n,) presentations are: people, or presentations."""
    people = presentations.subject
    return int(np.sum(chosen)) if people is None else len(np.unique(people[chosen]))


def _unseen(presentations: Presentations) -> float:
    """Wilson's upper bound of an error rate of which no case was seen, in the kind with fewer independent trials."""
    attacks = presentations.attacks
    return wilson(0, min(_units(presentations, kind) for kind in (attacks, ~attacks))).high


def _bounded(values: F64, errors: int, presentations: Presentations, chosen: Bools, level: float) -> Metric:
    trials = int(np.sum(chosen))
    if trials == 0:
        raise EvidenceError("A rate needs at least one presentation.")
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    units = _units(presentations, chosen)
    if errors == 0:
        high = max(high, wilson(0, units, level).high)
    if errors == trials:
        low = min(low, wilson(units, units, level).low)
    value = errors / trials
    return Metric(value, min(float(low), value), max(float(high), value), trials)
