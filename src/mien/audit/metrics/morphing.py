"""Morphs: one picture made of several people, and in how many ways each of them passes for it.

Scores are those of comparing a morph, as the enrolled picture, with probes of every person in it; they grow with
likeness and thresholds are inclusive. A morph succeeds when *all* of its people match, so each measure takes the least
successful of them. Detecting morphs is telling bona fide from attack: `attacks` holds those rates, which ISO/IEC 20059
calls MACER (APCER of one morphing method) and BSCER (BPCER).

MMPMR, its product form and RMMR: Scherhag et al., BIOSIG 2017. FMMPMR: Venkatesh et al., IJCB 2020. Morphing Attack
Potential: Ferrara et al., IWBF 2022, and ISO/IEC 20059:2025.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.audit.metrics.recognition import F64, I64, Bools, wilson
from mien.errors import EvidenceError
from mien.types import Metric


@dataclass(frozen=True, slots=True, eq=False)
class Morphs:
    """Comparison scores of morphs with the people they are made of, by several recognisers.

    A row is one morph and one of its people; rows of a morph need not be neighbours."""

    scores: (
        F64  # (rows, systems, attempts) grow with likeness; -inf: the attempt failed; NaN: there was no such attempt
    )
    morph: I64  # (rows,) number of the morph
    names: tuple[str, ...]  # of the morphs, by number
    systems: tuple[str, ...]
    thresholds: F64  # (systems,) each from its own false-match rate, never from the morphs

    @property
    def attempts(self) -> int:
        """The number of attempts that every person of every morph has with every system."""
        return int(np.min(np.sum(~np.isnan(self.scores), axis=2)))

    @property
    def matched(self) -> Bools:
        """(rows, systems, attempts) which attempts match; one that failed or was not made does not."""
        matched: Bools = self.scores >= self.thresholds[None, :, None]
        return matched

    def least(self, values: F64) -> F64:
        """(morphs, systems) the least of (rows, systems) over the people of each morph."""
        least = np.full((len(self.names), values.shape[1]), np.inf)
        np.minimum.at(least, self.morph, values)
        return least


def matches(morphs: Morphs) -> F64:
    """(morphs, systems) number of attempts matched by the least successful person of each morph."""
    return morphs.least(np.sum(morphs.matched, axis=2).astype(np.float64))


def mmpmr(found: F64) -> F64:
    """Mated morph presentation match rate, (systems,): share of morphs in which every person matches at least once.

    found: (morphs, systems) as `matches` gives. With several attempts this is the MinMax form."""
    rates: F64 = np.mean(found >= 1, axis=0)
    return rates


def product_of_shares(morphs: Morphs) -> F64:
    """(morphs, systems) the product over a morph's people of the share of their attempts that match.

    Its mean over morphs is the ProdAvg-MMPMR: the chance that one attempt of each person succeeds."""
    made = np.sum(~np.isnan(morphs.scores), axis=2)
    shares = np.sum(morphs.matched, axis=2) / np.maximum(made, 1)
    product = np.ones((len(morphs.names), len(morphs.systems)))
    np.multiply.at(product, morphs.morph, shares)
    return product


def fully_mated(morphs: Morphs) -> tuple[F64, F64]:
    """(morphs, systems) number of attempts at which *all* people of a morph match, and of attempts that all have made.

    Their ratio over all morphs is the FMMPMR. It pairs the first attempt of one person with the first of the other and
    so on; where the order of attempts means nothing, ProdAvg-MMPMR is the same without the chance of pairing."""
    shape = (len(morphs.names), *morphs.scores.shape[1:])
    missed, absent = np.zeros(shape, bool), np.zeros(shape, bool)
    np.logical_or.at(missed, morphs.morph, ~morphs.matched)
    np.logical_or.at(absent, morphs.morph, np.isnan(morphs.scores))
    return np.sum(~missed, axis=2).astype(np.float64), np.sum(~absent, axis=2).astype(np.float64)


def rmmr(rate: float, fnmr: float) -> float:
    """Relative morph match rate, 1 + MMPMR - (1 - FNMR): above 1, morphs match more often than genuine people do.

    rate: the MMPMR; fnmr: of genuine comparisons at the same threshold."""
    return rate + fnmr


def potential(found: F64, attempts: int) -> Bools:
    """(morphs, attempts, systems) whether at least r attempts of each person match in at least c systems.

    found: (morphs, systems) as `matches` gives. The mean over morphs is the Morphing Attack Potential MAP[r, c], with r
    and c counted from 1. It falls along both: robustness to the attempt, and generality over recognisers."""
    reached = found[:, None, :] >= np.arange(1, attempts + 1)[None, :, None]
    systems = np.sum(reached, axis=2)
    several: Bools = systems[:, :, None] >= np.arange(1, found.shape[1] + 1)
    return several


def over_morphs(
    hits: F64, trials: F64 | None = None, rounds: int = 1000, seed: int = 0, level: float = 0.95
) -> list[Metric]:
    """The ratio of summed hits to summed trials for each column, with the percentile interval of a bootstrap over morphs.

    hits, trials: (morphs, columns); no trials: one per morph. The morph is what is drawn, with all its attempts, people
    and systems, because these rates speak of morphs: ten attempts on one morph are not ten morphs. A bootstrap of no hit
    at all has no width: Wilson's bound for that many morphs stands in. What morphs share (people, the method that made
    them) is taken as given, so the interval does not tell how other people's morphs would fare."""
    trials = np.ones_like(hits) if trials is None else trials
    morphs = len(hits)
    if morphs == 0 or not np.all(np.sum(trials, axis=0)):
        raise EvidenceError("A rate needs at least one morph.")
    rng = np.random.default_rng(seed)
    values = np.empty((rounds, hits.shape[1]))
    for index in range(rounds):
        drawn = np.bincount(rng.integers(morphs, size=morphs), minlength=morphs).astype(np.float64)
        values[index] = drawn @ hits / np.maximum(drawn @ trials, 1e-300)
    lows, highs = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    found = []
    for column, value in enumerate(np.sum(hits, axis=0) / np.sum(trials, axis=0)):
        low, high = min(float(lows[column]), float(value)), max(float(highs[column]), float(value))
        if value == 0:
            high = wilson(0, morphs, level).high
        if value == 1:
            low = wilson(morphs, morphs, level).low
        found.append(Metric(float(value), low, high, morphs))
    return found
