"""What a report on identification shows: tables, charts and sentences from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mien.audit.captures.captures import Captures
from mien.audit.metrics import F64, I64, Bools
from mien.audit.metrics import people as resampled
from mien.audit.metrics.curves import bounded
from mien.audit.metrics.searches import Open, Searches, cmc
from mien.audit.recognition.verification_parts import span
from mien.decide import in_words, supports
from mien.errors import EvidenceError
from mien.report import Line, Lines, Row
from mien.types import Metric, OperatingPoint, Score

SWAY = 0.05  # share of the searches that one person may make unremarked

Measures = Mapping[Score, Open]


def failures(probes: Captures, rounds: int, seed: int) -> dict[str, Metric]:
    """FTA of the probes."""
    return {"FTA": share(probes.failed, probes.owner, rounds, seed)}


def ranks(whole: Searches, rounds: int, seed: int) -> dict[str, Metric]:
    """Rank-1 rate of the closed set."""
    found = whole.rank[whole.mated] == 1
    return {"rank-1, closed set": share(found, whole.person[whole.mated], rounds, seed)}


def share(hits: Bools, person: I64, rounds: int, seed: int) -> Metric:
    """A share of captures with the interval of a bootstrap over the people they are of."""
    owner = np.unique(person, return_inverse=True)[1].reshape(-1)
    all_of, hits_of = np.bincount(owner), np.bincount(owner, weights=hits)

    def statistic(weights: F64) -> F64:
        return ((weights @ hits_of) / (weights @ all_of))[:, None]

    found = resampled.measure(statistic, len(all_of), {"": len(owner)}, rounds, seed)
    return bounded(found[""], len(all_of))


def headline(whole: Searches, found: Measures) -> str:
    """FNIR at the strictest FPIR that the strangers support."""
    best = found.get("relative", found["cosine"])
    mated, others = int(whole.mated.sum()), int((~whole.mated).sum())
    made = f"{mated:,} searches for enrolled people and {others:,} by strangers"
    if not best.fnir:
        return f"Too few strangers for an operating point among {whole.subjects:,} enrolled people: {made}."
    rate = min(best.fnir)
    called = "relative score" if best is found.get("relative") else "cosine"
    cosine = f", by cosine {span(found['cosine'].fnir[rate])}" if called != "cosine" else ""
    return (
        f"Among {whole.subjects:,} enrolled people, naming {in_words(rate)} strangers, "
        f"{span(best.fnir[rate])} of searches miss by {called}{cosine}; {made}."
    )


def operating(whole: Searches, found: Measures) -> tuple[Row, ...]:
    """One row per score and rate, also for those refused."""
    rows = []
    for score, result in found.items():
        for rate in sorted({*result.fnir, *result.refused}, reverse=True):
            fnir = result.fnir.get(rate)
            rows.append(
                {
                    "N": whole.subjects,
                    "score": score,
                    "FPIR": rate,
                    "threshold": result.threshold.get(rate),
                    "FNIR": fnir.value if fnir else None,
                    "low": fnir.low if fnir else None,
                    "high": fnir.high if fnir else None,
                    "DIR": 1 - fnir.value if fnir else None,
                    "mated searches": int(whole.mated.sum()),
                    "strangers' searches": int((~whole.mated).sum()),
                    "refused": result.refused.get(rate, ""),
                }
            )
    return tuple(rows)


def policy_rows(points: Sequence[OperatingPoint], found: Measures) -> tuple[Row, ...]:
    """What each threshold of the policy does here."""
    rows = []
    for score, result in found.items():
        chosen = [point for point in points if point.score == score]
        for point, judged in zip(chosen, result.at, strict=True):
            rows.append(
                {
                    "score": score,
                    "threshold": point.threshold,
                    "FPIR promised": point.fpir,
                    "FMR promised": point.fmr,
                    "FPIR": judged.fpir.value,
                    "FPIR low": judged.fpir.low,
                    "FPIR high": judged.fpir.high,
                    "FNIR": judged.fnir.value,
                    "FNIR low": judged.fnir.low,
                    "FNIR high": judged.fnir.high,
                    "data": point.data,
                }
            )
    return tuple(rows)


def cmc_rows(whole: Searches, asked: Sequence[int]) -> tuple[Row, ...]:
    """Rank-k rates for k up to N."""
    inside = [rank for rank in asked if rank <= whole.subjects]
    return tuple({"rank": k, "found": float(v)} for k, v in zip(inside, cmc(whole, inside), strict=True))


def sweep_rows(
    whole: Searches, sizes: Sequence[int], smaller: Sequence[Searches], rates: Sequence[float], fixed: float | None
) -> tuple[Row, ...]:
    """Errors per gallery size: with the threshold set anew at that size, and with one threshold for all sizes.

    Values are means over the galleries drawn, "least" and "most" their range: it shows what the choice of people does."""
    if not sizes:
        return ()
    count = len(smaller) // len(sizes)
    groups = [smaller[index * count : (index + 1) * count] for index in range(len(sizes))]
    rows = []
    for size, drawn in zip([*sizes, whole.subjects], [*groups, [whole]], strict=True):
        scores: tuple[Score, ...] = ("cosine", "relative")
        for score in scores:
            try:
                sets = [one.scored(score) for one in drawn]
            except EvidenceError:  # too few subjects for a relative score
                continue
            row: dict[str, object] = {"N": size, "score": score, "galleries drawn": len(drawn)}
            for rate in rates:
                known = supports(rate, sets[0].people)
                row |= _ranged(
                    f"FNIR at FPIR {rate:g}", [one.fnir(one.threshold(rate)) for one in sets] if known else []
                )
            held = fixed if score == "cosine" else None
            row["fixed threshold"] = held
            row |= _ranged("FPIR, fixed", [one.fpir(held) for one in sets] if held is not None else [])
            row |= _ranged("FNIR, fixed", [one.fnir(held) for one in sets] if held is not None else [])
            rows.append(row)
    return tuple(rows)


def sweep_charts(rows: Sequence[Row]) -> list[Lines]:
    """FNIR, and FPIR at one threshold, against the gallery's size."""
    note = "Means over galleries drawn from the people enrolled; the band is the range of the draws, not an interval."
    named = [
        key
        for key in (rows[0] if rows else {})
        if key.startswith("FNIR at FPIR") and not key.endswith(("least", "most"))
    ]
    lines = [
        line
        for key in named
        for score in ("cosine", "relative")
        if (line := _swept(rows, key, score, f"{key[13:]}, {score}"))
    ]
    charts = []
    if lines:
        title = "Misses by gallery size, the threshold set at each size"
        charts.append(Lines(title, "people enrolled, N", "FNIR at", tuple(lines), "log", note=note))
    fixed = [line for key in ("FPIR, fixed", "FNIR, fixed") if (line := _swept(rows, key, "cosine", key[:4]))]
    if fixed:
        title = "One threshold at every size"
        charts.append(Lines(title, "people enrolled, N", "rate", tuple(fixed), "log", note=note))
    return charts


def open_chart(whole: Searches, found: Measures) -> Lines:
    """FNIR against FPIR."""
    lines = []
    for score, result in found.items():
        x, y, low, high = (tuple(float(value) for value in part) for part in result.curve)
        lines.append(Line(score, x, y, low, high))
    note = f"N = {whole.subjects:,}. The band is 95 %, those who search resampled, the gallery as it is."
    return Lines("Open-set identification", "FPIR", "FNIR, failures counted", tuple(lines), "log", "linear", note=note)


def cmc_chart(whole: Searches, asked: Sequence[int]) -> Lines:
    """The closed set's curve."""
    last = min(max(asked), whole.subjects)
    at = list(range(1, last + 1))
    line = Line("found", tuple(float(k) for k in at), tuple(float(v) for v in cmc(whole, at)), style="steps")
    note = "Closed set: everybody searched for is enrolled and no threshold is used. It says nothing about strangers."
    return Lines("Cumulative match characteristic", "rank", "share found within it", (line,), note=note)


def rows(probes: Captures, whole: Searches, subjects: Sequence[str], mates: I64) -> tuple[Row, ...]:
    """One row per search."""
    listed = zip(
        probes.names, probes.subjects, mates, whole.mate, whole.rank, whole.others[:, 0], probes.failures, strict=True
    )
    return tuple(
        {
            "probe": name,
            "subject": subject,
            "enrolled": bool(mate >= 0),
            "mate's score": _number(score),
            "rank": int(rank) if mate >= 0 and np.isfinite(score) else None,
            "best other": _number(other),
            "failure": why,
        }
        for name, subject, mate, score, rank, other, why in listed
    )


def findings(whole: Searches, found: Measures, judged: Sequence[Row]) -> tuple[str, ...]:
    """What it means, in sentences."""
    said = [
        f"All figures are for N = {whole.subjects:,} enrolled people; more of them name more strangers at one threshold."
    ]
    for words, chosen in (("enrolled people", whole.mated), ("strangers", ~whole.mated)):
        most = np.bincount(whole.person[chosen]).max() / max(int(chosen.sum()), 1)
        if most > SWAY:
            said.append(
                f"One person makes {most:.0%} of the searches by {words}; the intervals know it. See --at-most."
            )
    refused = found["cosine"].refused
    if refused:
        said.append(f"Refused: {' '.join(refused.values())}")
    for row in judged:
        promised = row["FPIR promised"]
        if promised and row["FPIR low"] > promised:
            said.append(
                f"The threshold {row['threshold']:.4f} on {row['score']} scores promises {in_words(promised)} and names "
                f"{in_words(row['FPIR'])} strangers here: calibrate the gallery (`mien calibrate`)."
            )
    both = [set(found[score].fnir) for score in found]
    if len(both) == 2 and both[0] & both[1]:
        rate = min(both[0] & both[1])
        gain = found["cosine"].fnir[rate].value - found["relative"].fnir[rate].value
        points = f"{100 * abs(gain):.1f} points {'fewer' if gain > 0 else 'more'}"
        said.append(f"At FPIR {rate:g} the relative score misses {points} than the cosine, each at its own threshold.")
    return tuple(said)


def _ranged(name: str, values: Sequence[float]) -> dict[str, object]:
    if not values:
        return {name: None, f"{name}, least": None, f"{name}, most": None}
    return {name: float(np.mean(values)), f"{name}, least": min(values), f"{name}, most": max(values)}


def _swept(rows: Sequence[Row], key: str, score: str, name: str) -> Line | None:
    chosen = [row for row in rows if row["score"] == score and row[key] is not None]
    if not chosen:
        return None
    x, y, low, high = (tuple(float(row[k]) for row in chosen) for k in ("N", key, f"{key}, least", f"{key}, most"))
    return Line(name, x, y, low, high)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
