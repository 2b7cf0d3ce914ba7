"""Score models with planted error rates per group: simulated systems whose unfairness is known.

Genuine and impostor scores of a group are normal, placed so that exactly the planted shares lie on the wrong side of the
threshold 0. People matter as they do in life: a part of each score's variance is the person's own. Impostors are of the same
group, as many for each, so pooled rates are the means of the groups' rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mien.audit.fairness import Compared, Pairs

THRESHOLD = 0.0
OWN = 0.2  # of the variance of a score that is the person's, or half each of the two people's
GROUPS = ("first", "second", "third", "fourth", "fifth", "sixth")  # names; a system has as many as it has rates


@dataclass(frozen=True, slots=True)
class Planted:
    """A simulated system: true rates at the threshold, group by group."""

    name: str
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]

    @property
    def accuracy(self) -> float:
        """Balanced accuracy, groups of the same size."""
        return 1 - (float(np.mean(self.fmr)) + float(np.mean(self.fnmr))) / 2


ALIKE = Planted("alike", (0.01,) * 4, (0.03,) * 4)
UNLIKE = Planted("unlike", (0.002, 0.004, 0.010, 0.024), (0.055, 0.035, 0.020, 0.010))


def simulate(system: Planted, people: int, pictures: int, seed: int) -> Compared:
    """Comparisons of `people` per group with `pictures` each: all genuine ones, and one of every two people of a group."""
    rng = np.random.default_rng(seed)
    deviate = NormalDist().inv_cdf
    count = people * len(system.fmr)
    group = np.repeat(np.arange(len(system.fmr)), people)
    own = rng.normal(size=count)
    rows, columns = np.triu_indices(pictures, 1)
    starts = np.arange(count)[:, None] * pictures
    first, second = (starts + rows).ravel(), (starts + columns).ravel()
    who = first // pictures
    centre = np.array([-deviate(rate) for rate in system.fnmr])[group[who]]
    genuine = centre + np.sqrt(OWN) * own[who] + np.sqrt(1 - OWN) * rng.normal(size=len(who))
    one, other = np.triu_indices(count, 1)
    inside = group[one] == group[other]
    one, other = one[inside], other[inside]
    centre = np.array([deviate(rate) for rate in system.fmr])[group[one]]
    shared = np.sqrt(OWN / 2) * (own[one] + own[other])
    impostor = centre + shared + np.sqrt(1 - OWN) * rng.normal(size=len(one))
    return Compared(
        system=f"{system.name} (simulated)",
        people=tuple(str(number) for number in range(count)),
        owner=np.repeat(np.arange(count), pictures),
        failed=np.zeros(count * pictures, bool),
        labels={"group": np.repeat(np.array(GROUPS[: len(system.fmr)])[group], pictures)},
        genuine=Pairs(first, second, genuine),
        impostor=Pairs(one * pictures, other * pictures, impostor),
        complete=False,
        made={"data": "simulated scores"},
    )
