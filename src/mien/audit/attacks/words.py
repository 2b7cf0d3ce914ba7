"""What the audit of attacks says: its headline, findings, problems and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mien.audit.attacks.charts import points_of_det
from mien.audit.attacks.scores import AttackScores, Setting, Terms
from mien.audit.data.sheet import said
from mien.audit.metrics import attacks as a
from mien.decide import in_words
from mien.report import Problem, Row
from mien.types import Metric


@dataclass(frozen=True, slots=True)
class Words:
    """What was measured, to be put into words."""

    data: AttackScores
    setting: Setting | None
    able: tuple[int, ...]  # species with enough presentations
    metrics: Mapping[str, Metric]
    terms: Terms

    @property
    def headline(self) -> str:
        """The worst species, and what its threshold costs."""
        t, judged, setting = self.terms, self.data.judged, self.setting
        if setting is None:
            equal = self.metrics.get("D-EER")
            rest = f"the curve's D-EER is {said(equal)} of {equal.n:,}." if equal else "not enough data for a curve."
            return f"No threshold, so no {t.attack} and no {t.bona_fide}; {rest}"
        if not self.able:
            return f"Not enough data: no {t.species} has {a.LEAST} {t.attacks} to judge."
        _, number = a.max_apcer(judged, setting.threshold, self.able)
        worst = f"{judged.names[number]}, {len(judged.of(number)):,} {t.attacks}"
        bona_fide = self.metrics.get(t.bona_fide)
        cost = f"{t.bona_fide} {said(bona_fide)} of {bona_fide.n:,}" if bona_fide else f"too few for a {t.bona_fide}"
        return (
            f"The worst {t.species} ({worst}) has {t.attack} {said(self.metrics[f'max {t.attack}'])}; {cost}, "
            f"at the threshold {self.data.sign * setting.threshold:.4g} ({setting.origin})."
        )

    @property
    def findings(self) -> tuple[str, ...]:
        """What the numbers mean."""
        return (*(self._of_the_threshold() if self.setting else ()), *self._doubts())

    def _of_the_threshold(self) -> list[str]:
        t, found = self.terms, []
        pooled = self.metrics.get(f"{t.attack} of all {t.attacks} pooled")
        highest = self.metrics.get(f"max {t.attack}")
        if pooled and highest and len(self.able) > 1 and highest.value > pooled.value:
            found.append(
                f"Pooling all {t.attacks} would read {100 * pooled.value:.1f} %; the worst {t.species} decides, "
                "for an attacker chooses it."
            )
        dev = self.data.development
        if dev is not None:
            unseen = set(self.data.judged.species.tolist()) - set(dev.species.tolist()) - {a.BONA_FIDE}
            if unseen:
                named = ", ".join(self.data.judged.names[number] for number in sorted(unseen))
                found.append(f"Not in the development split, so new to the threshold: {named}.")
            found += self._in_development(dev)
        whole = self.metrics.get("RIAPAR")
        if whole:
            fares = "above 100 %, an attacker fares better than the people enrolled"
            found.append(f"Detection and comparison together: RIAPAR (IAPAR + FRR) {said(whole)}; {fares}.")
        return found

    def _in_development(self, dev: a.Presentations) -> list[str]:
        able = dev.enough()
        if not (able and self.setting and self.setting.chosen):
            return []
        worst = a.max_apcer(dev, self.setting.threshold, able)[0]
        refused = a.bpcer(dev.bona_fide, self.setting.threshold)
        t = self.terms
        return [
            f"In development the same threshold has max {t.attack} {100 * worst:.1f} % and {t.bona_fide} "
            f"{100 * refused:.1f} %."
        ]

    def _doubts(self) -> list[str]:
        found = []
        if self.data.judged.subject is None:
            found.append(
                "No subjects are known, so presentations are taken as independent: where people or instruments took part "
                "several times, the intervals are too narrow."
            )
        if np.any(np.isneginf(self.data.judged.scores)):
            t = self.terms
            found.append(
                f"Presentations without response count: as refused in {t.bona_fide}, as stopped in {t.attack}."
            )
        return found

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What there is too little of, with what can be said all the same."""
        t, found = self.terms, [*self.data.problems, *self._few()]
        if self.setting is None:
            words = (
                f"there is no development split and no threshold was given, so {t.attack} and {t.bona_fide} are not "
                "computed: chosen on the presentations that are judged, a threshold flatters them."
            )
            found.append(Problem("no_threshold", words, (self.data.source,)))
        elif self.data.development is not None:
            dev = self.data.development
            far = tuple(in_words(rate) for rate in a.RATES.values() if not a.can_set(dev, rate))
            if far:
                words = f"cannot be aimed at: no {t.species} in development has the 3 / rate presentations it takes."
                found.append(Problem("rate_not_supported", words, far))
        return tuple(found)

    def _few(self) -> list[Problem]:
        judged, found, cases = self.data.judged, [], []
        for number, name in enumerate(judged.names):
            scores = judged.of(number)
            if len(scores) and number not in self.able:
                hits = f", {np.sum(scores >= self.setting.threshold)} of them accepted" if self.setting else ""
                cases.append(f"{name}: {len(scores)}{hits}")
        if cases:
            words = f"has fewer than {a.LEAST} presentations: not enough data for a rate, and no part of the maximum."
            found.append(Problem("few_of_a_species", words, tuple(cases)))
        for kind, count in (
            ("bona fide presentations", len(judged.bona_fide)),
            (self.terms.attacks, len(judged.pooled)),
        ):
            if count < a.LEAST:
                words = f"{kind} are not enough data for a rate, which takes {a.LEAST}."
                found.append(Problem("not_enough_data", words, (), count))
        return found

    @property
    def tables(self) -> dict[str, tuple[Row, ...]]:
        """Species by species, the usual targets, and points of the curve."""
        t, tables = self.terms, {}
        if self.setting:
            tables[f"By {t.species}"] = tuple(self._species(self.setting))
            targets = tuple(self._targets())
            if targets:
                tables["At thresholds from the development split"] = targets
        points = tuple(points_of_det(self.data.judged, self.able, t))
        if points:
            tables["Points of the DET curve, read off the judged scores"] = points
        return tables

    def _species(self, setting: Setting) -> list[Row]:
        rows: list[Row] = []
        dev = self.data.development
        seen = set() if dev is None else set(dev.species.tolist())
        for number, name in enumerate(self.data.judged.names):
            scores = self.data.judged.of(number)
            accepted, silent = int(np.sum(scores >= setting.threshold)), int(np.sum(np.isneginf(scores)))
            rate = self.metrics.get(f"{self.terms.attack} {name}")
            rows.append(
                {
                    self.terms.species: name,
                    "presentations": len(scores),
                    "accepted": accepted,
                    self.terms.attack: rate.value if rate else "not enough data",
                    "low": rate.low if rate else None,
                    "high": rate.high if rate else None,
                    "no response": silent,
                    "of those answered": accepted / (len(scores) - silent) if rate and silent < len(scores) else None,
                    "in development": number in seen,
                }
            )
        return rows

    def _targets(self) -> list[Row]:
        dev, judged, t = self.data.development, self.data.judged, self.terms
        rows: list[Row] = []
        if dev is None:
            return rows
        for rate in a.RATES.values():
            if not a.can_set(dev, rate):
                continue
            threshold = a.threshold_at_apcer(dev, rate)
            rows.append(
                {
                    f"max {t.attack} in development": rate,
                    "threshold": self.data.sign * threshold if abs(threshold) < 1e300 else None,
                    f"{t.bona_fide} judged": a.bpcer(judged.bona_fide, threshold),
                    f"max {t.attack} judged": a.max_apcer(judged, threshold, self.able)[0] if self.able else None,
                }
            )
        return rows
