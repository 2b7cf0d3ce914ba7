"""A search of a sealed gallery: one question to the matcher per probe, read by the key holder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mien.types import F32, Match, SearchEvidence


@dataclass(frozen=True, slots=True)
class SealedView:
    """compared: (D,) vector and k to the k best of everybody. among: whom the answer may name; None: anybody.

    The matcher compares with all in any case: what it is asked tells it nothing about whom a filter leaves out."""

    compared: Callable[[F32, int], list[Match]]
    everybody: int
    among: frozenset[str] | None = None

    def search(self, probes: F32, k: int, floor: float | None) -> list[list[Match]]:
        """As every gallery's, one probe after the other."""
        return [
            self._kept(self.compared(probe, k if self.among is None else self.everybody), k, floor) for probe in probes
        ]

    def _kept(self, found: Sequence[Match], k: int, floor: float | None) -> list[Match]:
        evidence = SearchEvidence(True, "every template, encrypted", self.everybody)
        return [
            replace(match, evidence=evidence)
            for match in found
            if (self.among is None or match.subject in self.among) and (floor is None or match.score >= floor)
        ][:k]
