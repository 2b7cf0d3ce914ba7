"""Simulated studies with a planted truth, for trying out what the audit finds. Nothing here is measured on anybody."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

import numpy as np

from mien.audit.longitudinal.records import Records, records
from mien.audit.metrics.ageing import YEAR

_START = datetime.date(2022, 1, 3).toordinal() - datetime.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Simulation:
    """A study: who was seen when, and what made the scores. Standard deviations and changes are in scores."""

    people: int = 400
    visits: int = 35  # days on which each person was seen
    captures: int = 17  # on each of them
    days: int = 250  # on which anybody was seen
    years: float = 2.5
    joining: float = 0.5  # years over which references were taken
    level: float = 0.7
    trend: float = -0.004  # per year
    between_people: float = 0.06
    own_trends: float = 0.004  # per year
    shared_days: float = 0.01
    own_days: float = 0.03
    within: float = 0.015
    step: float = 0.0  # added to all scores from `since` on
    ramp: float = 0.0  # reached on the last day, beginning at `since`
    since: float = 0.6  # share of the days that lie before the change
    odd: float = 0.0  # added to all scores of the middle day
    devices: int = 1

    def draw(self, seed: int = 0) -> Records:
        """Simulated scores."""
        rng = np.random.default_rng(seed)
        calendar = np.sort(rng.choice(np.arange(1, int(self.years * YEAR)), self.days, replace=False))
        reference = -rng.integers(0, max(1, int(self.joining * YEAR)), self.people)
        who = np.repeat(np.arange(self.people), self.visits)
        day = np.concatenate([rng.choice(self.days, self.visits, replace=False) for _ in range(self.people)])
        device = rng.integers(self.devices, size=len(who))
        years = (calendar[day] - reference[who]) / YEAR
        mean = self.level + rng.normal(0, self.between_people, self.people)[who]
        mean += (self.trend + rng.normal(0, self.own_trends, self.people))[who] * years
        mean += rng.normal(0, self.shared_days, (self.days, self.devices))[day, device]
        mean += rng.normal(0, self.own_days, len(who)) + self._planted(calendar)[day] * (device == 0)
        score = np.repeat(mean, self.captures) + rng.normal(0, self.within, len(who) * self.captures)
        names = np.array([f"p{number:04d}" for number in range(self.people)])
        every = np.repeat(np.arange(len(who)), self.captures)
        return records(
            list(names[who[every]]),
            _START + calendar[day[every]],
            score,
            _START + reference[who[every]],
            [f"camera {number + 1}" for number in device[every]] if self.devices > 1 else None,
        )

    def _planted(self, calendar: np.ndarray) -> np.ndarray:
        """(days,) what was planted on the first device."""
        number = np.arange(self.days)
        first = round(self.since * self.days)
        start = calendar[first - 1]
        ramp = np.maximum(0, calendar - start) / max(1, calendar[-1] - start)
        answer: np.ndarray = self.step * (number >= first) + self.ramp * ramp + self.odd * (number == self.days // 2)
        return answer
