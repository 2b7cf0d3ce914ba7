"""Morphs to a report: in how many recognisers they pass for all their people (ISO/IEC 20059), and who detects them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from mien.audit.attacks.attack import Attack
from mien.audit.attacks.morph_scores import MorphScores, Threshold
from mien.audit.attacks.scores import MAD, AttackScores
from mien.audit.data.sheet import said
from mien.audit.metrics import morphing
from mien.audit.metrics.attacks import LEAST
from mien.audit.metrics.morphing import Morphs, over_morphs
from mien.audit.metrics.recognition import F64
from mien.errors import EvidenceError, UsageError
from mien.report import Bars, Chart, Grid, Problem, Report, Row
from mien.types import Metric


@dataclass(frozen=True, slots=True, eq=False)
class MorphData:
    """Scores of comparing morphs, scores of detecting them, or both."""

    comparisons: MorphScores | None = None
    detection: AttackScores | None = None


@dataclass(frozen=True, slots=True)
class Potential:
    """What one set of morphs achieves."""

    name: str  # of the set
    morphs: Morphs
    cells: tuple[tuple[Metric, ...], ...]  # [r - 1][c - 1]: MAP[r, c]
    systems: dict[str, dict[str, Metric]]  # system -> MMPMR, ProdAvg-MMPMR, FMMPMR
    found: F64  # (morphs, systems) attempts matched by the least successful person

    def named(self, metric: str) -> str:
        """The metric's name, with that of the set before it where it has one."""
        return f"{self.name}: {metric}" if self.name else metric


@dataclass(frozen=True, slots=True)
class Morph:
    """Morphing Attack Potential, match rates of morphs, and errors of detecting them."""

    name: ClassVar[str] = "morph"

    threshold: float | None = None  # of detection; see `Attack`
    target: float | None = None
    rounds: int = 1000
    seed: int = 0

    def run(self, data: MorphData) -> Report:
        """Measure. Raises UsageError for no data, EvidenceError for too few morphs throughout."""
        whole = self._detection(data.detection) if data.detection else None
        if data.comparisons is None:
            if whole is None:
                raise UsageError("There is nothing to audit.", "Give scores of comparisons, of detection, or both.")
            return replace(whole, name=self.name)
        found = self._comparisons(data.comparisons)
        if whole is None:
            return found
        return Report(
            self.name,
            {**found.metrics, **whole.metrics},
            found.rows,
            {**found.made, **whole.made, "data": [found.made["data"], whole.made["data"]]},
            f"{found.headline} {whole.headline}",
            (*found.findings, *whole.findings),
            (*found.problems, *whole.problems),
            {**found.tables, **whole.tables, "Detection, case by case": whole.rows},
            (*found.charts, *whole.charts),
        )

    def _detection(self, data: AttackScores) -> Report:
        return Attack(self.threshold, self.target, self.rounds, self.seed, MAD).run(data)

    def _comparisons(self, data: MorphScores) -> Report:
        thin = {name: len(one.names) for name, one in data.sets.items() if len(one.names) < LEAST}
        sets = [self._potential(name, one) for name, one in data.sets.items() if name not in thin]
        if not sets:
            most = max(thin.values(), default=0)
            raise EvidenceError(f"{most} morphs are not enough data for a rate, which takes {LEAST}.", "Add morphs.")
        words = f"has fewer than {LEAST} morphs, which are not enough data for a rate; left out."
        few = [Problem("few_morphs", words, tuple(f"{name or data.source}: {n}" for name, n in thin.items()))]
        return Report(
            self.name,
            {name: metric for one in sets for name, metric in _metrics(one, data)},
            rows=tuple(row for one in sets for row in _rows(one)),
            made={"data": data.source, "thresholds": {name: one.value for name, one in data.thresholds.items()}},
            headline=_headline(sets[0]),
            findings=tuple(sentence for one in sets for sentence in _findings(one, data)),
            problems=(*data.problems, *(few if thin else [])),
            tables=_tables(sets, data),
            charts=tuple(chart for one in sets for chart in _charts(one)),
        )

    def _potential(self, name: str, morphs: Morphs) -> Potential:
        found = morphing.matches(morphs)
        cases = morphing.potential(found, morphs.attempts)
        flat = over_morphs(cases.reshape(len(cases), -1).astype(np.float64), None, self.rounds, self.seed)
        width = len(morphs.systems)
        cells = tuple(tuple(flat[start : start + width]) for start in range(0, len(flat), width))
        hits, trials = morphing.fully_mated(morphs)
        rates = {
            "MMPMR": over_morphs((found >= 1).astype(np.float64), None, self.rounds, self.seed),
            "ProdAvg-MMPMR": over_morphs(morphing.product_of_shares(morphs), None, self.rounds, self.seed),
        }
        if np.all(trials.sum(axis=0)):
            rates["FMMPMR"] = over_morphs(hits, trials, self.rounds, self.seed)
        systems = {
            system: {kind: values[index] for kind, values in rates.items()}
            for index, system in enumerate(morphs.systems)
        }
        return Potential(name, morphs, cells, systems, found)


def _metrics(one: Potential, data: MorphScores) -> Iterator[tuple[str, Metric]]:
    last = len(one.cells)
    for attempts in (1, last) if last > 1 else (1,):
        for count, metric in enumerate(one.cells[attempts - 1], 1):
            yield one.named(f"MAP[{attempts},{count}]"), metric
    for system, rates in one.systems.items():
        yield one.named(f"MMPMR {system}"), rates["MMPMR"]
    for system, rates in one.systems.items():
        relative = _relative(rates["MMPMR"], data.thresholds[system])
        if relative:
            yield one.named(f"RMMR {system}"), relative


def _relative(rate: Metric, threshold: Threshold) -> Metric | None:
    """RMMR; its interval is that of the MMPMR, the FNMR being given as a number."""
    if threshold.fnmr is None:
        return None
    value, low, high = (morphing.rmmr(end, threshold.fnmr) for end in (rate.value, rate.low, rate.high))
    return Metric(value, low, high, rate.n)


def _headline(one: Potential) -> str:
    first, systems = one.cells[0], len(one.morphs.systems)
    named = f" of the set {one.name}" if one.name else ""
    many = f"; {said(first[-1])} in all {systems}" if systems > 1 else ""
    some = "at least one of them" if systems > 1 else "it"
    return (
        f"{said(first[0])} of {len(one.morphs.names):,} morphs{named}, tried on {_several(systems, 'recogniser')}, match "
        f"all their people at least once in {some}{many} (Morphing Attack Potential, first row)."
    )


def _findings(one: Potential, data: MorphScores) -> Iterator[str]:
    where = f"Set {one.name}: " if one.name else ""
    if len(one.cells) > 1 and len(one.morphs.systems) > 1:
        yield (
            f"{where}where all {len(one.cells)} attempts of each person must match, {said(one.cells[-1][0])} still pass in one "
            f"recogniser and {said(one.cells[-1][-1])} in all."
        )
    if len(one.systems) > 1:
        worst = max(one.systems, key=lambda system: one.systems[system]["MMPMR"].value)
        yield f"{where}the recogniser that takes most morphs is {worst}: MMPMR {said(one.systems[worst]['MMPMR'])}."
    if one.name in data.shared:
        yield (
            f"{where}the morphs are made of {data.shared[one.name]:,} people, several of whom occur in more than one. "
            "Intervals draw morphs and take the people as given: they do not tell how other people's morphs would fare."
        )


def _several(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _rows(one: Potential) -> Iterator[Row]:
    for name, counts in zip(one.morphs.names, one.found, strict=True):
        matched = {f"attempts matched, {s}": int(n) for s, n in zip(one.morphs.systems, counts, strict=True)}
        yield {"set": one.name, "morph": name, **matched}


def _tables(sets: list[Potential], data: MorphScores) -> dict[str, tuple[Row, ...]]:
    cells = tuple(
        {"set": one.name, "attempts": r, "recognisers": c, **dict(_ends(cell, "MAP")), "morphs": cell.n}
        for one in sets
        for r, row in enumerate(one.cells, 1)
        for c, cell in enumerate(row, 1)
    )
    systems = tuple(
        {
            "set": one.name,
            "recogniser": system,
            "threshold": data.thresholds[system].value,
            **{name: value for kind, rate in rates.items() for name, value in _ends(rate, kind)},
            "FNMR": data.thresholds[system].fnmr,
        }
        for one in sets
        for system, rates in one.systems.items()
    )
    return {"Morphing Attack Potential": cells, "By recogniser": systems}


def _ends(rate: Metric, name: str) -> Iterator[tuple[str, float]]:
    yield from ((name, rate.value), (f"{name} low", rate.low), (f"{name} high", rate.high))


def _charts(one: Potential) -> Iterator[Chart]:
    yield Grid(
        one.named("Morphing Attack Potential"),
        tuple(str(r) for r in range(1, len(one.cells) + 1)),
        tuple(str(c) for c in range(1, len(one.morphs.systems) + 1)),
        tuple(tuple(cell.value for cell in row) for row in one.cells),
        "attempts of each person that match, at least",
        "recognisers, at least",
        f"Share of {len(one.morphs.names):,} morphs.",
    )
    bars = {system: rates["MMPMR"] for system, rates in one.systems.items()}
    yield Bars(one.named("MMPMR by recogniser"), "MMPMR", bars)
