"""All comparisons of different people within one set of templates, in memory that does not grow with their square.

Only the highest scores are kept, since thresholds lie there; of the rest the number is known. Each template is also a
search by a stranger: among everybody but its own person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import F64, I64, require_support
from mien.audit.metrics.streaming import Highest
from mien.decide import NEIGHBOURS, SHARE, comparisons_needed, in_words, supports
from mien.errors import EvidenceError
from mien.types import F32, Metric

_BLOCK = 128  # rows of the score matrix at a time
_KEPT_SHARE = 0.03  # of all comparisons …
_KEPT_MOST = 1_500_000  # … but no more than this many, 12 bytes each


@dataclass(frozen=True, slots=True, eq=False)
class Impostors:
    """The comparisons of different people. Intervals come from drawing people with replacement, see `metrics.bootstrap`."""

    scores: F32  # (k,) the highest scores, falling
    first: NDArray[np.int32]  # (k,) number of one person …
    second: NDArray[np.int32]  # (k,) … and of the other
    comparisons: int  # of templates of different people, kept or not
    templates: I64  # (p,) number of templates per person
    owner: I64  # (n,) person of each template
    best: F32  # (n,) score of each template's best match among all other people
    relative: F32 | None  # (n,) and the relative score of that search; None for fewer people than that takes

    @property
    def people(self) -> int:
        """How many people."""
        return len(self.templates)

    @property
    def pairs(self) -> int:
        """How many pairs of different people: what evidence rests on, however many photos each of them has."""
        return self.people * (self.people - 1) // 2

    def threshold(self, fmr: float) -> float:
        """The smallest threshold whose false-match rate here is at most `fmr`.

        Raises EvidenceError where there are fewer than 3 / fmr pairs of people, or `fmr` is above what is kept."""
        require_support(fmr, self.pairs, "pairs of people")
        allowed = int(fmr * self.comparisons * (1 + 1e-12))
        if allowed >= len(self.scores):
            raise EvidenceError(f"A false-match rate of {fmr:g} is too loose to be of use.", "Ask for 0.02 or less.")
        return float(np.nextafter(self.scores[allowed], np.float32(2)))

    def rate(self, threshold: float, rounds: int = 200, seed: int = 0) -> Metric:
        """False-match rate at `threshold` with its interval; where it exceeds what is kept, (that, that, 1).

        Without a single false match the upper bound is 3 / pairs of people (rule of three)."""
        accepted = int(np.searchsorted(-self.scores, -threshold, side="right"))
        if accepted == len(self.scores) < self.comparisons:
            least = accepted / self.comparisons
            return Metric(least, least, 1.0, self.comparisons)
        if accepted == 0:
            return Metric(0.0, 0.0, min(1.0, 3 / self.pairs), self.comparisons)
        first, second = self.first[:accepted], self.second[:accepted]
        rates = np.empty(rounds)
        for index, drawn in enumerate(self._draws(rounds, seed)):
            held = drawn * self.templates
            total = (held.sum() ** 2 - (held**2).sum()) / 2
            rates[index] = float(drawn[first] @ drawn[second]) / total if total else np.nan
        low, high = np.nanquantile(rates, [0.025, 0.975])
        return Metric(accepted / self.comparisons, float(low), float(high), self.comparisons)

    def search_rate(self, threshold: float, rounds: int = 200, seed: int = 0) -> Metric:
        """Share of searches by strangers that name somebody at `threshold`: each template against all other people.

        People count alike however many templates they have. The interval draws the strangers, not the gallery; where
        none of them or every one is named, its other end is 3 / people away (rule of three)."""
        return self._named(self.best >= threshold, rounds, seed)

    def relative_threshold(self, fpir: float) -> float:
        """The relative score at which one more stranger is named with a probability of `fpir` at most.

        He is one of people + 1 in no particular order, so (named + 1) / (people + 1) must not exceed the rate: the
        quantile of conformal prediction (Vovk et al., 2005), with people counting alike.
        Raises EvidenceError for fewer than 3 / fpir people, or fewer than a relative score takes."""
        if not supports(fpir, self.people):
            raise EvidenceError(
                f"{self.people:,} people cannot support naming {in_words(fpir)} strangers.",
                f"It takes at least {comparisons_needed(fpir):,} (rule of three).",
            )
        scores = self._relative()
        order = np.argsort(-scores, kind="stable")
        mass = np.cumsum(1 / self.templates[self.owner[order]])  # people named, were the threshold at this score
        allowed = int(np.searchsorted(mass, fpir * (self.people + 1) - 1 + 1e-9, side="right"))
        return float(np.nextafter(scores[order[allowed]], np.float32(2)))

    def relative_rate(self, threshold: float, rounds: int = 200, seed: int = 0) -> Metric:
        """`search_rate` for a threshold on relative scores. Raises EvidenceError for fewer people than that takes."""
        return self._named(self._relative() >= threshold, rounds, seed)

    def _relative(self) -> F32:
        if self.relative is None:
            raise EvidenceError(
                f"A relative score takes {NEIGHBOURS + 1} people beside the one searched, and {self.people} are enrolled."
            )
        return self.relative

    def _named(self, hits: NDArray[np.bool_], rounds: int, seed: int) -> Metric:
        """Share of people named, from which of the templates (n,) are."""
        named = np.bincount(self.owner, weights=hits, minlength=self.people) / self.templates
        rates = [float(np.average(named, weights=drawn)) for drawn in self._draws(rounds, seed)]
        low, high = np.quantile(rates, [0.025, 0.975])
        if not hits.any():
            high = min(1.0, 3 / self.people)
        if hits.all():
            low = max(0.0, 1 - 3 / self.people)
        return Metric(float(named.mean()), float(low), float(high), self.people)

    def _draws(self, rounds: int, seed: int) -> list[F64]:
        rng = np.random.default_rng(seed)
        return [
            np.bincount(rng.integers(self.people, size=self.people), minlength=self.people).astype(np.float64)
            for _ in range(rounds)
        ]


def impostors(vectors: F32, owner: I64) -> Impostors:
    """All comparisons of different people among (n, D) unit vectors of `owner` (n,), people numbered 0 … p-1.

    Raises EvidenceError for fewer than two people."""
    templates = np.bincount(owner)
    comparisons = int((len(owner) ** 2 - (templates.astype(np.int64) ** 2).sum()) // 2)
    if comparisons == 0:
        raise EvidenceError("Comparing strangers takes at least two people.", "Enrol more people.")
    keep = min(comparisons, _KEPT_MOST, max(1000, int(_KEPT_SHARE * comparisons)))
    kept = Highest(keep, least=-2)
    best = np.full(len(owner), -np.inf, np.float32)
    relative = np.empty(len(owner), np.float32) if len(templates) > NEIGHBOURS + 1 else None
    grouped = np.argsort(owner, kind="stable")
    starts = np.cumsum(templates) - templates
    for start in range(0, len(owner), _BLOCK):
        rows = slice(start, start + _BLOCK)
        scores = vectors[rows] @ vectors.T
        scores[owner[rows, None] == owner[None]] = -np.inf
        best[rows] = scores.max(1)
        if relative is not None:
            relative[rows] = _standing_out(np.maximum.reduceat(scores[:, grouped], starts, axis=1))
        scores[np.arange(start, start + len(scores))[:, None] > np.arange(len(owner))[None]] = -np.inf
        row, column = np.nonzero(scores >= kept.least)
        kept.add(scores[row, column], owner[rows][row], owner[column])
    scores, first, second = kept.result()
    return Impostors(scores, first, second, comparisons, templates, owner, best, relative)


def _standing_out(scores: F32) -> F32:
    """(b,) relative scores of searches with a score (b, p) per person, as `mien.decide.relative` has them."""
    top = np.partition(scores, -NEIGHBOURS - 1, axis=1)[:, -NEIGHBOURS - 1 :]
    top.sort(axis=1)
    standing: F32 = top[:, -1] - np.float32(SHARE) * top[:, :-1].mean(1)
    return standing
