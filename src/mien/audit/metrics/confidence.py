"""Whether probabilities mean what they say: calibration errors, proper scores, temperature scaling.

The confidence of an answer is the probability of the class that was chosen; it is calibrated when of all answers given
with confidence p the share p is right. Calibration errors depend on their bins, so the bins are part of the number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.audit.metrics.people import Developed
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.errors import EvidenceError

TINY = float(np.finfo(np.float64).eps)


def equal_width(bins: int = 15) -> F64:
    """(bins + 1,) edges of bins of one width on 0..1 (Guo et al., ICML 2017, with 15)."""
    return np.linspace(0, 1, bins + 1)


def equal_mass(confidence: F64, bins: int = 15) -> F64:
    """Edges of bins with as many samples each (Nixon et al., CVPRW 2019); fewer bins where values are tied."""
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, bins + 1)))
    edges[0], edges[-1] = 0.0, 1.0
    return np.unique(np.r_[0.0, edges, 1.0]) if len(edges) < 2 else edges


def binned(confidence: F64, right: Bools, edges: F64, person: I64 | None = None, people: int = 1) -> F64:
    """(people, bins, 3) number, summed confidence and right answers in each bin; a bin holds its upper edge, not its
    lower one. person: (n,) numbers 0..people-1."""
    person = np.zeros(len(confidence), np.int64) if person is None else person
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)
    table = np.zeros((people, len(edges) - 1, 3))
    np.add.at(table, (person, place), np.stack([np.ones(len(confidence)), confidence, right], axis=1))
    return table


def ece(bins: F64) -> F64:
    """(...) expected calibration error: mean over samples of |share right - mean confidence| of their bin, of bins
    (..., bins, 3). It is never below 0, so on few samples also a perfect model has one: see `ece_of_calibrated`."""
    total = bins[..., 0].sum(-1)
    gap = np.abs(bins[..., 2] - bins[..., 1]).sum(-1)
    error: F64 = np.divide(gap, total, out=np.full(np.shape(total), np.nan), where=total > 0)
    return error


def mce(bins: F64) -> F64:
    """(...) maximum calibration error: the largest gap of a bin. One sample can make it: look at the bins' counts."""
    number = bins[..., 0]
    gap = np.divide(np.abs(bins[..., 2] - bins[..., 1]), number, out=np.zeros(number.shape), where=number > 0)
    return np.where(number.sum(-1) > 0, gap.max(-1), np.nan)


def ece_of_calibrated(confidence: F64, edges: F64, rounds: int = 200, seed: int = 0) -> tuple[float, float]:
    """The ECE that these confidences would show if they were perfectly calibrated, by chance alone: its mean, and what
    it exceeds in one case of 20 (consistency resampling: Bröcker and Smith, 2007)."""
    rng = np.random.default_rng(seed)
    values = [float(ece(binned(confidence, rng.random(len(confidence)) < confidence, edges))[0]) for _ in range(rounds)]
    return float(np.mean(values)), float(np.quantile(values, 0.95))


def brier(probabilities: F64, truth: I64) -> F64:
    """(n,) squared distance of each row of probabilities (n, k) from its truth: 0 is best, 2 is worst (Brier, 1950:
    over all classes; the form for two classes that runs to 1 is half of it)."""
    target = np.zeros(probabilities.shape)
    target[np.arange(len(truth)), truth] = 1
    each: F64 = ((probabilities - target) ** 2).sum(1)
    return each


def nll(probabilities: F64, truth: I64) -> F64:
    """(n,) negative logarithm of the probability of the truth. A probability of 0 counts as 2e-16, so that one certain
    mistake costs 36 and not infinity."""
    return -np.log(np.maximum(probabilities[np.arange(len(truth)), truth], TINY))


def tempered(probabilities: F64, temperature: float) -> F64:
    """Probabilities (n, k) with their logarithms divided by a temperature: above 1 makes them more modest."""
    logits = np.log(np.maximum(probabilities, TINY)) / temperature
    powers = np.exp(logits - logits.max(1, keepdims=True))
    shares: F64 = powers / powers.sum(1, keepdims=True)
    return shares


def temperature(probabilities: F64, truth: I64, people: Sequence[str]) -> Developed:
    """The temperature with the least negative log-likelihood on a development split, bound to its people (temperature
    scaling: Guo et al., 2017). It changes no answer, only how sure it is. Raises EvidenceError for no samples."""
    if len(truth) == 0:
        raise EvidenceError("The development split has no probabilities: no temperature can be fitted there.")
    from scipy.optimize import minimize_scalar

    def loss(log: float) -> float:
        return float(nll(tempered(probabilities, float(np.exp(log))), truth).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-6})
    return Developed(float(np.exp(found.x)), frozenset(map(str, people)))
