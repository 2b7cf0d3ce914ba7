"""Scores of bona fide presentations and attacks to a report, by ISO/IEC 30107-3.

Thresholds come from the development split, or from a hand. Without either there is no APCER and no BPCER here: a
threshold chosen on the presentations that are judged would make both look better than they are. What needs no threshold
(DET, AUC, D-EER) is reported all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mien.audit.attacks.charts import bars, det
from mien.audit.attacks.scores import PAD, AttackScores, Setting, Terms
from mien.audit.attacks.words import Words
from mien.audit.metrics import attacks as a
from mien.audit.metrics.recognition import Bools
from mien.errors import EvidenceError, UsageError
from mien.report import Report, Row
from mien.types import Metric


@dataclass(frozen=True, slots=True)
class Attack:
    """Presentation attack detection from scores."""

    name: ClassVar[str] = "attack"

    threshold: float | None = None  # given by hand, on the scale of the file
    target: float | None = None  # APCER that the development split must keep; None: where its two errors are equal
    rounds: int = 1000
    seed: int = 0
    terms: Terms = PAD

    def run(self, data: AttackScores) -> Report:
        """Judge. Raises EvidenceError where a target is asked for and no development split can give its threshold."""
        if self.target is not None and not 0 < self.target < 1:
            raise UsageError(f"A rate lies between 0 and 1, and {self.target} does not.", "For 5 % write 0.05.")
        if self.threshold is not None and not np.isfinite(self.threshold):
            raise UsageError(f"{self.threshold} is no threshold.", "Give a number on the scale of the scores.")
        setting = self._setting(data)
        able = data.judged.enough()
        metrics: dict[str, Metric] = {}
        if setting:
            metrics |= self._rates(data, setting, able)
            metrics |= self._at_targets(data)
            metrics |= self._whole_system(data, setting)
        metrics |= self._curve(data.judged)
        words = Words(data, setting, able, metrics, self.terms)
        return Report(
            self.name,
            metrics,
            rows=_rows(data, setting),
            made={"data": data.source, **({"threshold": data.sign * setting.threshold} if setting else {})},
            headline=words.headline,
            findings=words.findings,
            problems=words.problems,
            tables=words.tables,
            charts=(*det(data.judged, able, setting, self.terms), *bars(metrics, self.target, self.terms)),
        )

    def _setting(self, data: AttackScores) -> Setting | None:
        dev, t = data.development, self.terms
        if self.threshold is not None:
            return Setting(data.sign * self.threshold, "given by hand", False)
        if dev is None:
            if self.target is None:
                return None
            raise EvidenceError(
                f"{data.source} has no development split to choose a threshold on, and on the presentations that are "
                "judged none may be chosen: the rates would look better than they are.",
                "Add a column split (dev, eval), name the development file, or give a threshold.",
            )
        if self.target is not None:
            return Setting(
                a.threshold_at_apcer(dev, self.target), f"max {t.attack} {self.target:g} in development", True
            )
        for kind, scores in ((t.attacks, dev.pooled), ("bona fide presentations", dev.bona_fide)):
            if len(scores) < a.LEAST:
                raise EvidenceError(
                    f"{len(scores)} {kind} in the development split cannot carry a threshold.",
                    f"It takes {a.LEAST}, or give a threshold.",
                )
        return Setting(a.threshold_at_eer(dev.bona_fide, dev.pooled), "equal errors in development", True)

    def _rates(self, data: AttackScores, setting: Setting, able: tuple[int, ...]) -> dict[str, Metric]:
        judged, t = data.judged, self.terms
        accepted, silent = judged.scores >= setting.threshold, np.isneginf(judged.scores)
        found: dict[str, Metric] = {}
        if able:
            found[f"max {t.attack}"] = a.max_share(judged, accepted, able, self.rounds, self.seed)
        if len(judged.bona_fide) >= a.LEAST:
            found[t.bona_fide] = self._share(judged, ~accepted, ~judged.attacks)
        if len(found) == 2 and t is PAD:
            found["ACER (deprecated)"] = a.added(found["max APCER"], found["BPCER"], 0.5)
        for number in able:
            found[f"{t.attack} {judged.names[number]}"] = self._share(judged, accepted, judged.species == number)
        if len(judged.pooled) >= a.LEAST:
            found[f"{t.attack} of all {t.attacks} pooled"] = self._share(judged, accepted, judged.attacks)
        if silent.any():
            for number in able:
                found[f"APNRR {judged.names[number]}"] = self._share(judged, silent, judged.species == number)
            found["BPNRR"] = self._share(judged, silent, ~judged.attacks)
        return found

    def _at_targets(self, data: AttackScores) -> dict[str, Metric]:
        """BPCER at thresholds that the development split's APCER sets, and HTER at its equal error."""
        dev, judged, t = data.development, data.judged, self.terms
        found: dict[str, Metric] = {}
        if dev is None or len(judged.bona_fide) < a.LEAST:
            return found
        for name, rate in a.RATES.items():
            if a.can_set(dev, rate):
                refused = judged.scores < a.threshold_at_apcer(dev, rate)
                named = name if t is PAD else f"{t.bona_fide} at {t.attack} {rate:g}"
                found[named] = self._share(judged, refused, ~judged.attacks)
        if min(len(dev.pooled), len(dev.bona_fide), len(judged.pooled)) >= a.LEAST:
            accepted = judged.scores >= a.threshold_at_eer(dev.bona_fide, dev.pooled)
            found["HTER"] = a.hter(judged, accepted, self.rounds, self.seed)
        return found

    def _curve(self, judged: a.Presentations) -> dict[str, Metric]:
        """What needs no threshold."""
        if min(len(judged.bona_fide), len(judged.pooled)) < a.LEAST or np.all(judged.scores == judged.scores[0]):
            return {}
        equal, area = a.curve(judged, self.rounds, self.seed)
        return {"D-EER": equal, "AUC": area}

    def _whole_system(self, data: AttackScores, setting: Setting) -> dict[str, Metric]:
        """Detection and comparison together, on the presentations whose comparison is known."""
        if data.matched is None:
            return {}
        some = data.judged.only(data.matched >= 0)
        through = (some.scores >= setting.threshold) & (data.matched[data.matched >= 0] == 1)
        able = some.enough()
        found: dict[str, Metric] = {}
        if able:
            found["max IAPAR"] = a.max_share(some, through, able, self.rounds, self.seed)
        for number in able:
            found[f"IAPAR {some.names[number]}"] = self._share(some, through, some.species == number)
        if len(some.bona_fide) >= a.LEAST:
            found["FRR"] = self._share(some, ~through, ~some.attacks)
        if able and "FRR" in found:
            found["RIAPAR"] = a.riapar(found["max IAPAR"], found["FRR"])
        return found

    def _share(self, presentations: a.Presentations, hits: Bools, chosen: Bools) -> Metric:
        return a.share(presentations, hits, chosen, self.rounds, self.seed)


def _rows(data: AttackScores, setting: Setting | None) -> tuple[Row, ...]:
    rows = []
    for index, case in enumerate(data.cases):
        score, number = float(data.judged.scores[index]), int(data.judged.species[index])
        row: dict[str, object] = {
            "case": case,
            "species": "bona_fide" if number == a.BONA_FIDE else data.judged.names[number],
            "score": data.sign * score if np.isfinite(score) else None,
        }
        if data.judged.subject is not None:
            row["subject"] = data.people[int(data.judged.subject[index])]
        if setting:
            row["accepted"] = score >= setting.threshold
        if data.matched is not None:
            row["matched"] = None if data.matched[index] < 0 else bool(data.matched[index])
        rows.append(row)
    return tuple(rows)
