"""The shape of every reproduction: a claim split into checks, each with its measurement, and the verdict that follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mien.errors import MediaNotFound
from mien.report import Report
from mien.types import Metric

Verdict = Literal["reproduced", "partly", "not reproduced", "cannot be tested here"]
Progress = Callable[[str, int, int], None]  # what, done, of how many


@dataclass(frozen=True, slots=True)
class Check:
    """One condition that the claim stands or falls with.

    `holds` is decided by the module that measured it, by a rule it states in `words`; None where it cannot be tested."""

    words: str  # "days differ by more than the trend over the period: ratio above 1, interval above 1"
    holds: bool | None
    measured: Metric | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a reproduction may use."""

    data: Path | None = None  # folder with the paper's own data in its official layout, or the reference data
    smoke: bool = False  # end within a minute, on less
    seeds: tuple[int, ...] = (0, 1, 2)
    progress: Progress = lambda what, done, total: None

    def need(self, *parts: str) -> Path:
        """A file or folder of the data. Raises MediaNotFound, naming what was looked for."""
        if self.data is None:
            raise MediaNotFound(f"This needs {'/'.join(parts)}.", "Name the folder that holds it with --data.")
        path = self.data.joinpath(*parts)
        if not path.exists():
            raise MediaNotFound(f"There is no {path}.", f"Name the folder that holds {'/'.join(parts)} with --data.")
        return path


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of it."""

    name: str
    claim: str  # what the paper says, with its reference
    checks: tuple[Check, ...]
    metrics: Mapping[str, Metric]
    baseline: Mapping[str, Metric]  # what it is held against
    report: Report  # with charts and rows
    made: Mapping[str, Any] = field(default_factory=dict)  # data, models, seeds; the command adds commit and machine

    @property
    def verdict(self) -> Verdict:
        """From the checks: all hold, some hold, none holds, or none could be tested."""
        known = [check.holds for check in self.checks if check.holds is not None]
        if not known:
            return "cannot be tested here"
        if all(known):
            return "reproduced" if len(known) == len(self.checks) else "partly"
        return "partly" if any(known) else "not reproduced"
