"""Changes that all people share: a step or a ramp that began on some day, and single odd days.

All tests are score tests of the mixed model (`mien.audit.metrics.ageing`), so people who age or who come and go, and days that
always differ a little, do not pass for a change. A change is sought on every day: the largest statistic over all days is a
CUSUM (Page, Biometrika 1954; as likelihood: Hinkley, 1970), and its counterpart for ramps. The false-alarm rate of the whole
search is known from series simulated under the model without a change.

A drift that is straight over the whole time in which everybody was enrolled on one day cannot be told from ageing: it is in the
trend, not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.audit.metrics.ageing import Cells, Fit, day_scores
from mien.audit.metrics.recognition import F64, I64

EDGE = 3  # days that must lie on either side of a change
CANDIDATES = 300  # days at which a change is looked for, at most


@dataclass(frozen=True, slots=True, eq=False)
class Days:
    """The days of one device, oldest first; m days."""

    number: I64  # (m,) of each day in the model
    date: I64  # (m,) in days, increasing
    mean: F64  # (m,) score above what was expected of the people seen
    error: F64  # (m,) standard error of it that is owed to who was seen
    people: I64  # (m,) people seen
    pull: F64  # (m,) score statistic of each day, 1 / score
    covariance: F64  # (m, m) of `pull` without a change

    @property
    def standard(self) -> F64:
        """(m,) how far each day alone pulls, in standard deviations."""
        answer: F64 = self.pull / np.sqrt(np.maximum(np.diag(self.covariance), 1e-300))
        return answer


Scores = tuple[F64, F64]  # of `ageing.day_scores`: (days,) and (days, days)


def days(data: Cells, found: Fit, date: I64, device: I64, scores: Scores | None = None) -> list[Days]:
    """The days of each device; date, device: (days,) when each day was, and of which device it is.

    scores: of `ageing.day_scores`, with changes taken `apart` where some are known."""
    sure = found.variances
    weight = 1 / np.maximum(sure["own"] + sure["within"] / data.count, 1e-300)
    mass = np.bincount(data.day, weight, data.days)
    mean = np.bincount(data.day, weight * (data.mean - found.expected(data)), data.days) / mass
    pull, covariance = scores if scores is not None else day_scores(found)
    people = np.bincount(data.day, minlength=data.days).astype(np.int64)
    answer = []
    for number in np.unique(device):
        chosen = np.flatnonzero(device == number)
        chosen = chosen[np.argsort(date[chosen], kind="stable")]
        part = covariance[np.ix_(chosen, chosen)]
        answer.append(
            Days(
                chosen.astype(np.int64),
                date[chosen],
                mean[chosen],
                np.sqrt(1 / mass[chosen]),
                people[chosen],
                pull[chosen],
                part,
            )
        )
    return answer


def apart(scores: Scores, shape: F64) -> Scores:
    """The scores of days once a change of this shape (days,), whatever its size, is taken out of them."""
    pull, covariance = scores
    moved = covariance @ shape
    sure = float(shape @ moved)
    if sure <= 0:
        return scores
    return pull - moved * float(shape @ pull) / sure, covariance - np.outer(moved, moved) / sure


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """The change that fits best, and how often chance alone fits as well."""

    kind: str  # "step" or "ramp"
    date: int  # first day of it
    low: int  # 95 % interval of that day
    high: int
    size: float  # score, from before to the last day
    error: float  # standard error of the size, its day taken as known
    p: float  # share of simulated series without a change in which one fits as well
    shape: F64  # (m,) score that the change adds to each day


def change(series: Days, rounds: int = 999, seed: int = 0) -> Change | None:
    """The best-fitting step or ramp; None with fewer than ten days."""
    if len(series.date) < 10:
        return None
    rng = np.random.default_rng(seed)
    shapes, onset = _shapes(series)
    moved = shapes @ series.covariance  # (c, m)
    sure = np.maximum((moved * shapes).sum(1), 0.0)  # h'Qh of each shape
    usable = sure > 1e-9 * sure.max()
    shapes, onset, moved, sure = shapes[usable], onset[usable], moved[usable], sure[usable]
    half = shapes / np.sqrt(sure)[:, None]
    root = _square_root(series.covariance)
    contrasts = half @ root  # of standard normal noise
    found = half @ series.pull
    best = int(np.argmax(found**2))
    noise = rng.normal(size=(len(root), rounds))
    p = (1 + int((((contrasts @ noise) ** 2).max(0) >= found[best] ** 2).sum())) / (rounds + 1)
    size = float(found[best] / np.sqrt(sure[best]))
    expected = half @ moved[best] * size  # of the statistics, if this is the change
    again = expected[:, None] + contrasts @ rng.normal(size=(len(root), 400))
    low, high = np.quantile(onset[np.argmax(again**2, axis=0)], [0.025, 0.975], method="nearest")
    first, reach = int(onset[best]), float(shapes[best, -1])
    return Change(
        "step" if shapes[best].max() == shapes[best][first] else "ramp",
        int(series.date[first]),
        int(series.date[min(int(low), first)]),
        int(series.date[max(int(high), first)]),
        size * reach,
        reach / float(np.sqrt(sure[best])),
        p,
        size * shapes[best],
    )


def _shapes(series: Days) -> tuple[F64, I64]:
    """(2 c, m) steps and ramps from c days on, and (2 c,) the number of the day on which each begins."""
    count = len(series.date)
    inner = np.arange(EDGE, count - EDGE + 1)
    if len(inner) > CANDIDATES:
        inner = inner[np.unique(np.linspace(0, len(inner) - 1, CANDIDATES).round().astype(int))]
    steps = (np.arange(count) >= inner[:, None]).astype(float)
    since = (series.date - series.date[inner - 1][:, None]).astype(float)
    ramps = np.maximum(0.0, since) / np.maximum(since[:, -1:], 1.0)
    return np.concatenate([steps, ramps]), np.tile(inner, 2)


def _square_root(covariance: F64) -> F64:
    """(m, m) symmetric root; what should be no variance and is less than none by rounding is none."""
    values, vectors = np.linalg.eigh(covariance)
    answer: F64 = vectors * np.sqrt(np.maximum(values, 0.0))
    return answer


@dataclass(frozen=True, slots=True, eq=False)
class Odd:
    """Days that stand out from all others."""

    days: tuple[int, ...]  # their numbers in the series, the oddest first
    z: F64  # (m,) of all days, in standard deviations of the days that are not odd
    limit: float  # the smallest that counts as odd, were there one


def odd(series: Days, false_alarm: float = 0.05) -> Odd:
    """Days that differ from all others by more than days do. Take changes `apart` before: they make many days odd.

    Rosner's generalized extreme Studentized deviate test (Technometrics 1983), for up to a tenth of the days: the chance of any
    false alarm among normal days is `false_alarm`, and odd days do not hide each other."""
    z = series.standard
    kept = np.ones(len(z), bool)
    order: list[int] = []
    last = 0
    for _ in range(min(max(1, len(z) // 10), max(0, len(z) - 5))):
        left = z[kept]
        distance = np.abs(z - left.mean()) / (left.std(ddof=1) or 1.0)
        distance[~kept] = -1.0
        order.append(int(np.argmax(distance)))
        if distance[order[-1]] > _deviate(len(left), false_alarm):
            last = len(order)
        kept[order[-1]] = False
    usual = np.delete(z, order[:last])
    scale = float(usual.std(ddof=1)) or 1.0 if len(usual) > 1 else 1.0
    return Odd(tuple(order[:last]), (z - usual.mean()) / scale, _deviate(len(usual), false_alarm))


def _deviate(count: int, false_alarm: float) -> float:
    """The critical deviate of Grubbs' test for so many days."""
    from scipy.stats import t

    free = max(count - 2, 1)
    point = float(t.ppf(1 - false_alarm / (2 * count), free))
    return (count - 1) * point / float(np.sqrt((free + point**2) * count))
