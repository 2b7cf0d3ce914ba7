"""Dated genuine scores, checked: what every reader hands to the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mien.audit.data.found import Found
from mien.audit.metrics.ageing import YEAR, Cells, cells
from mien.audit.metrics.recognition import F64, I64, Bools
from mien.report import Problem

_SAME_DAY = (
    "A comparison with a reference of the same day: such scores flatter, and are kept out of trend, variances and error "
    "rates."
)
_EARLY = "A score from before its reference was taken; it was left out."
_ONE_DAY = "A person seen on one day only: tells nothing about time, and counts only for how people differ."
_FAILED = "A capture that gave no score: a false non-match in error rates, absent from trend and variances."
_RENEWED = "A person with references of several days; their level is taken to be the same with each."


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """n genuine scores, sorted by person and day. Of people, days and devices in use only."""

    subjects: tuple[str, ...]  # names of the people, sorted
    devices: tuple[str, ...]  # names of cameras, sorted; one, "", where none is known
    owner: I64  # (n,) number of the person
    day: I64  # (n,) day of the probe
    years: F64  # (n,) since the reference, or since the person's first day where references have no dates
    score: F64  # (n,) -inf where a capture failed
    device: I64  # (n,) number of the device
    same_day: Bools  # (n,) reference and probe of one day
    dated: bool = True  # False: days are counted from somewhere, not dates
    referenced: bool = True  # False: the day of the reference is not known
    problems: tuple[Problem, ...] = ()

    @property
    def scored(self) -> Bools:
        """(n,) those that trend and variances are made from."""
        scored: Bools = np.isfinite(self.score) & ~self.same_day
        return scored

    def cells(self) -> tuple[Cells, I64, I64, I64]:
        """What the model is fitted to; (people,) the person behind each number in it; (days,) each day, and its device."""
        use = self.scored
        who, person = np.unique(self.owner[use], return_inverse=True)
        keys, number = np.unique(np.stack([self.day[use], self.device[use]]), axis=1, return_inverse=True)
        device = np.unique(self.device[use], return_inverse=True)[1]
        data = cells(person, number.reshape(-1), self.years[use], self.score[use], device)
        return data, who.astype(np.int64), keys[0].astype(np.int64), keys[1].astype(np.int64)

    def __len__(self) -> int:
        return len(self.score)


def records(
    subjects: Sequence[str],
    day: Sequence[int] | I64,
    score: Sequence[float] | F64,
    reference: Sequence[int] | I64 | None = None,
    device: Sequence[str] | None = None,
) -> Records:
    """Genuine scores of n comparisons: whose, on which day, how alike, with a reference of which day, on which device.

    day, reference: days since 1970, or from anywhere where `dated` is replaced by False; score: -inf for a capture
    that failed. Without `reference` time counts from a person's first day."""
    names, owner = np.unique(np.array(subjects, np.str_), return_inverse=True)
    made, used = np.unique(np.array(device if device is not None else [""] * len(owner), np.str_), return_inverse=True)
    when = np.asarray(day, np.int64)
    alike = np.asarray(score, np.float64)
    if reference is None:
        taken = np.full(len(names), np.iinfo(np.int64).max)
        np.minimum.at(taken, owner, when)
        since = taken[owner]
    else:
        since = np.asarray(reference, np.int64)
    found = Found()
    early = when < since
    for number in np.flatnonzero(early):
        found.add("before_reference", _EARLY, f"{names[owner[number]]}, score {alike[number]:.4g}")
    keep = np.flatnonzero(~early)
    keep = keep[np.lexsort((alike[keep], since[keep], used[keep], when[keep], owner[keep]))]
    same = (when == since)[keep] & (reference is not None)
    people, mine = np.unique(owner[keep], return_inverse=True)
    cameras, on = np.unique(used[keep], return_inverse=True)
    answer = Records(
        tuple(map(str, names[people])),
        tuple(map(str, made[cameras])),
        mine.astype(np.int64),
        when[keep],
        (when - since)[keep] / YEAR,
        alike[keep],
        on.astype(np.int64),
        np.asarray(same, bool),
        referenced=reference is not None,
    )
    return replace(answer, problems=(*found.problems(), *_noted(answer, since[keep])))


def _noted(data: Records, since: I64) -> tuple[Problem, ...]:
    """What the reader must know of data that can be used."""
    answer = []
    if data.same_day.any():
        answer.append(Problem("same_day", _SAME_DAY, (), int(data.same_day.sum())))
    failed = ~np.isfinite(data.score)
    if failed.any():
        answer.append(Problem("failed_capture", _FAILED, (), int(failed.sum())))
    seen = np.unique(np.stack([data.owner, data.day])[:, data.scored], axis=1)[0]
    once = np.flatnonzero(np.bincount(seen, minlength=len(data.subjects)) <= 1)
    if len(once):
        answer.append(Problem("one_day", _ONE_DAY, tuple(data.subjects[number] for number in once)))
    if data.referenced:
        taken = np.unique(np.stack([data.owner, since]), axis=1)[0]
        several = np.flatnonzero(np.bincount(taken, minlength=len(data.subjects)) > 1)
        if len(several):
            answer.append(Problem("renewed", _RENEWED, tuple(data.subjects[number] for number in several)))
    return tuple(answer)
