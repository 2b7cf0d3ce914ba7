"""How well groups match people: pairs (precision, recall) and BCubed, with intervals over people.

Every item counts, also those that were left in no group: they are groups of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.types import Metric

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

NAMES = (
    "pair precision",
    "pair recall",
    "pair F1",
    "BCubed precision",
    "BCubed recall",
    "BCubed F1",
    "groups per person",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """The contingency table of groups and people, its cells that are not empty."""

    group: I64  # (c,)
    person: I64  # (c,)
    count: F64  # (c,)


def grouping(found: Sequence[Any], people: Sequence[Any], rounds: int = 200, seed: int = 0) -> dict[str, Metric]:
    """The measures of `NAMES` for the groups `found` (n) of items of `people` (n).

    Pairs: of the pairs put together, the share that are one person; of the pairs that are one person, the share put
    together. BCubed: the same seen from each item, then the mean over items (Bagga and Baldwin, ACL 1998), which large
    groups do not rule. Intervals draw people with replacement; a person drawn twice counts twice as often but does not
    meet itself."""
    if len(found) != len(people) or not len(found):
        raise UsageError(
            f"{len(found)} groups and {len(people)} people do not belong together.", "Give one of each per item."
        )
    group, person = np.unique(found, return_inverse=True)[1], np.unique(people, return_inverse=True)[1]
    size = int(person.max()) + 1
    keys, count = np.unique(group.astype(np.int64) * size + person, return_counts=True)
    cells = _Cells(keys // size, keys % size, count.astype(np.float64))
    value = _measured(cells, np.ones(size))
    rng = np.random.default_rng(seed)
    drawn = np.stack(
        [_measured(cells, np.bincount(rng.integers(size, size=size), minlength=size)) for _ in range(rounds)]
    ) if rounds else np.empty((0, len(NAMES)))  # fmt: skip
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0) if rounds else (value, value)
    return {name: Metric(float(value[i]), float(low[i]), float(high[i]), len(found)) for i, name in enumerate(NAMES)}


def _measured(cells: _Cells, weight: NDArray[Any]) -> F64:
    """(7,) the measures, people counting `weight` times."""
    w = weight.astype(np.float64)[cells.person]
    count, held = cells.count, w * cells.count
    group_size = np.bincount(cells.group, weights=count)[cells.group]
    group_held = np.bincount(cells.group, weights=held)
    person_size = np.bincount(cells.person, weights=count)[cells.person]
    same = (w * count * (count - 1)).sum()  # ordered pairs of one person put together
    # Pairs across people of one group: what is left of the square of its weight without each person's own.
    across = (group_held**2).sum() - (held**2).sum()
    one_person = (weight * _own_pairs(cells)).sum()
    total = held.sum()
    pair = _ratio(same, same + across), _ratio(same, one_person)
    bcubed = _ratio((held * count / group_size).sum(), total), _ratio((held * count / person_size).sum(), total)
    pieces = _ratio(float(w.sum()), float(weight.sum()))  # cells are groups that a person is spread over
    return np.array([*pair, _f1(*pair), *bcubed, _f1(*bcubed), pieces])


def _own_pairs(cells: _Cells) -> F64:
    sizes = np.bincount(cells.person, weights=cells.count)
    return np.asarray(sizes * (sizes - 1), np.float64)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 1.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
