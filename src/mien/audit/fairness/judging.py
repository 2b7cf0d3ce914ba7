"""Error rates per group at one threshold, with intervals, and what the group sizes allow to say.

One threshold serves everybody, as it does in use. It comes from the model's card, or from half of the people pooled, and
is then judged on the others. What differs between groups is set beside what labels dealt at random would show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mien.audit.fairness import words
from mien.audit.fairness.found import CROSS, Group, Grouping, System, measured, own_threshold, rate_of, swept
from mien.audit.fairness.groups import Compared, Counted, Rates, Words, coded, count, draws, product
from mien.audit.metrics import F64, Bools, require_support, supports
from mien.audit.metrics import differentials as measure
from mien.decide import Policy, comparisons_needed, in_words
from mien.errors import EvidenceError, UsageError
from mien.report import Problem, Report


@dataclass(frozen=True, slots=True)
class Fairness:
    """Audit of one system or of several, each with its own threshold.

    fmr: false-match rate aimed at, all groups together. threshold: one chosen by hand instead. own: find the threshold on
    half of the people here although the model's card has one. least: people a group must have to be judged; of fewer, an
    interval that draws people says little. alpha: weight of FMR against FNMR in GARBE, FDR and the inequity rate.
    crossed: judge the intersection of every two groupings too."""

    name: ClassVar[str] = "fairness"
    fmr: float = 1e-3
    threshold: float | None = None
    own: bool = False
    least: int = 30
    alpha: float = 0.5
    crossed: bool = True
    rounds: int = 1000
    seed: int = 0

    def run(self, data: Sequence[Compared]) -> Report:
        """Measure. Raises EvidenceError where there is nothing to compare, or too little for the rate aimed at."""
        if not 0 < self.fmr < 1 or not 0 <= self.alpha <= 1 or self.least < 2:
            raise UsageError("A rate and a weight lie between 0 and 1, and a group has 2 people at least.")
        if not data:
            raise EvidenceError("There is nothing to judge.", "Give pictures and labels, or scores.")
        return words.report([self.judge(one) for one in data], self.alpha, self.least)

    def judge(self, data: Compared) -> System:
        """One system."""
        if not data.labels:
            raise EvidenceError("There are no groups.", "Give labels: a column per grouping.")
        threshold, source, judged = self._threshold(data)
        kept = data.of(judged)
        pooled = count(kept, np.where(judged[data.owner], "all", ""), threshold)
        if not len(kept.genuine) or not data.trials(judged):
            raise EvidenceError(
                f"{data.system}: the people judged have no genuine or no impostor comparisons.",
                "It takes people with two pictures or more, and more than one person.",
            )
        drawn = draws(len(data.people), self.rounds, self.seed)
        rates, spread = _once(pooled, data), pooled.resampled(drawn)
        found = {kind: rate_of(kind, rates, spread, 0, pooled) for kind in ("fta", "fmr", "fnmr")}
        whole = {kind: metric for kind, metric in found.items() if metric is not None}
        aim = None if self.threshold is not None else self.fmr
        unjudged = _unjudged(data, kept)
        system = System(replace(kept, problems=(*data.problems, *unjudged)), threshold, source, aim, whole)
        groupings = _groupings(kept) if self.crossed else dict(kept.labels)
        named = [(name, labels) for name, labels in groupings.items() if (labels != "").any()]
        return replace(system, groupings=tuple(self._grouping(system, name, labels, drawn) for name, labels in named))

    def _threshold(self, data: Compared) -> tuple[float, str, Bools]:
        """The threshold, where it comes from, and (P,) which people are judged with it."""
        everyone = np.ones(len(data.people), bool)
        if self.threshold is not None:
            return self.threshold, "chosen by hand", everyone
        if data.points and not self.own:
            point = Policy(fmr=self.fmr).point(data.points)
            return (
                point.threshold,
                f"the card's for FMR {in_words(self.fmr)}, from {point.data or 'unnamed data'}",
                everyone,
            )
        chosen = np.zeros(len(data.people), bool)
        chosen[np.random.default_rng(self.seed).permutation(len(data.people))[: len(data.people) // 2]] = True
        part, trials = data.of(chosen), data.trials(chosen)
        pairs = int(chosen.sum() * (chosen.sum() - 1) // 2)
        require_support(self.fmr, min(pairs, trials), "pairs of people in the half that sets the threshold")
        scores = np.sort(part.impostor.scores)[::-1]
        allowed = int(self.fmr * trials * (1 + 1e-12))
        if allowed >= len(scores):
            raise EvidenceError(
                f"A false-match rate of {self.fmr:g} is too loose to be of use.", "Ask for 0.02 or less."
            )
        source = f"FMR {in_words(self.fmr)} among {int(chosen.sum()):,} other people of these data, all groups together"
        return float(np.nextafter(scores[allowed], np.inf)), source, ~chosen

    def _grouping(self, system: System, name: str, labels: Words, drawn: F64) -> Grouping:
        counted = count(system.data, labels, system.threshold)
        rates, spread = _once(counted, system.data), counted.resampled(drawn)
        why = {"fmr": self._few_impostors(system, counted), "fnmr": self._few_genuine(system, counted, rates)}
        fair = {kind: np.array([not reason for reason in reasons], bool) for kind, reasons in why.items()}
        chance = self._chance(counted, fair)
        found, values, missing = measured((rates, spread), fair, chance, self.alpha)
        code = coded(labels)[1]
        groups = []
        for number, group in enumerate(counted.groups):
            metrics = {kind: rate_of(kind, rates, spread, number, counted) for kind in ("fta", "fmr", "fnmr")}
            known = {kind: metric for kind, metric in metrics.items() if kind == "fta" or fair[kind][number]}
            if counted.people[number] < self.least:
                known.pop("fta", None)
            tested = _tested(chance, fair, number)
            groups.append(
                Group(
                    name=group,
                    people=int(counted.people[number]),
                    captures=int(rates.captures[0, number]),
                    comparisons={"fmr": int(rates.impostor[0, number]), "fnmr": int(rates.genuine[0, number])},
                    fta=known.get("fta"),
                    fmr=known.get("fmr"),
                    fnmr=known.get("fnmr"),
                    against_chance={kind: float(one.groups[at]) for kind, (one, at) in tested.items()},
                    relative={kind: float(one.relative[at]) for kind, (one, at) in tested.items()},
                    own_threshold=own_threshold(system.data, counted, number, code, system.aim),
                    why_not=tuple(f"{kind.upper()}: {why[kind][number]}" for kind in why if why[kind][number]),
                )
            )
        sweep = swept(system.data, counted, code, fair["fmr"] & fair["fnmr"])
        errors = {"fmr": rates.matched[0], "fnmr": rates.missed[0]}
        fewest = {kind: int(errors[kind][chosen].min()) for kind, chosen in fair.items() if chosen.any()}
        return Grouping(name, tuple(groups), found, values, missing, chance, fewest, counted.grid(), sweep)

    def _chance(self, counted: Counted, fair: Mapping[str, Bools]) -> dict[str, measure.Chance]:
        """Tests of "no group differs" among the groups large enough. Labels are dealt among these only."""
        found, dealt = {}, {}
        for number, (kind, chosen) in enumerate(fair.items()):
            if chosen.sum() < 2:
                continue
            key = chosen.tobytes()
            if key not in dealt:
                kept = np.append(chosen, False)[counted.code]  # -1, unknown, is the last
                part = replace(counted, code=np.where(kept, counted.code, -1))
                dealt[key] = part.dealt(np.random.default_rng(self.seed + 1), self.rounds)
            errors, trials = dealt[key][number]
            tested = measure.by_chance(errors[:, chosen], trials[:, chosen])
            if tested is not None:
                found[kind] = tested
        return found

    def _few_impostors(self, system: System, counted: Counted) -> list[str]:
        """Why each group is too small for a false-match rate; "" where it is not."""
        reasons = []
        for people, pairs in zip(counted.people, counted.pairs, strict=True):
            reason = f"{people:,} people, at least {self.least:,} wanted" if people < self.least else ""
            if not reason and system.rate > 0 and not supports(system.rate, int(pairs)):
                reason = _unsupported(f"{pairs:,} pairs of people", "false-match", system.rate)
            reasons.append(reason)
        return reasons

    def _few_genuine(self, system: System, counted: Counted, rates: Rates) -> list[str]:
        rate, reasons = system.pooled["fnmr"].value, []
        for people, trials in zip(counted.mated, rates.genuine[0], strict=True):
            few = f"{people:,} people with two pictures to compare, at least {self.least:,} wanted"
            reason = few if people < self.least else ""
            if not reason and rate > 0 and not supports(rate, int(trials)):
                reason = _unsupported(f"{int(trials):,} genuine comparisons", "false-non-match", rate)
            reasons.append(reason)
        return reasons


def _tested(
    chance: Mapping[str, measure.Chance], fair: Mapping[str, Bools], number: int
) -> dict[str, tuple[measure.Chance, int]]:
    """fmr, fnmr -> the test and the group's place in it: tests have the groups large enough only."""
    return {kind: (one, int(fair[kind][:number].sum())) for kind, one in chance.items() if fair[kind][number]}


def _unsupported(evidence: str, kind: str, rate: float) -> str:
    needed = f"{comparisons_needed(rate):,} would (rule of three)"
    return f"{evidence} cannot support a {kind} rate of {in_words(rate)}, {needed}"


def _once(counted: Counted, data: Compared) -> Rates:
    return counted.resampled(np.ones((1, len(data.people))))


def _unjudged(data: Compared, kept: Compared) -> tuple[Problem, ...]:
    """Groups nobody of whom is among the people judged, and groupings without any label."""
    lost = tuple(
        f"{name}={group}"
        for name, labels in data.labels.items()
        for group in np.setdiff1d(labels[labels != ""], kept.labels[name]).tolist()
    )
    empty = tuple(name for name, labels in data.labels.items() if not (labels != "").any())
    told = {
        "group_not_judged": ("A group all of whose people are in the half that sets the threshold.", lost),
        "empty_grouping": ("A grouping that nobody has a label of.", empty),
    }
    return tuple(Problem(kind, words, cases) for kind, (words, cases) in told.items() if cases)


def _groupings(data: Compared) -> dict[str, Words]:
    """The groupings given, and the intersection of every two."""
    names = list(data.labels)
    crossed = {
        f"{one}{CROSS}{other}": product(data.labels[one], data.labels[other])
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    }
    return {**data.labels, **crossed}
