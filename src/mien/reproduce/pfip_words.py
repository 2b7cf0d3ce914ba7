"""The reproduction of encrypted search in words, tables and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.audit.metrics import wilson
from mien.report import Bars, Line, Lines, Problem, Report
from mien.reproduce.pfip_measures import Outcome, Timed
from mien.reproduce.pfip_people import People
from mien.types import Metric

WAYS = {
    "plain": "plaintext float32 product",
    "standard": "sealed, standard profile",
    "exact": "sealed, exact profile",
    "open": "sealed gallery, probe in the open",
    "rebuild": "paper's shape on SEAL",
    "naive": "naive loop on SEAL, scaled",
}


def share(found: int, of: int) -> Metric:
    """A share with Wilson's interval."""
    return wilson(found, of)


def report(
    timed: Sequence[Timed],
    outcomes: Sequence[Outcome],
    photographed: Sequence[People],
    medians: Sequence[Mapping[str, Metric]],
) -> Report:
    """Everything that was measured."""
    return Report(
        "pfip",
        metrics={},
        rows=tuple(_accuracy(outcomes)),
        headline=_headline(timed[0], medians[0]),
        findings=tuple(_findings(outcomes)),
        problems=_problems(photographed),
        tables={
            "Times, ms of CPU": tuple(_times(timed, medians)),
            "Bytes": tuple(_bytes(timed)),
            "Preselection": tuple(_preselection(outcomes)),
        },
        charts=tuple(_charts(timed, outcomes, medians)),
    )


def _headline(small: Timed, medians: Mapping[str, Metric]) -> str:
    parts = [f"{WAYS[name]} {medians[name].value:,.3g} ms" for name in WAYS if name in medians]
    return f"Probe to answer among {small.people:,} templates of 512 dimensions, CPU medians of one run: {', '.join(parts)}."


def _findings(outcomes: Sequence[Outcome]) -> list[str]:
    lost = [
        f"{one.name}: {code}, shortlist {size}: {100 * found.value:.1f} % of {found.n:,}"
        for one in outcomes
        for (code, size), found in one.preselected.items()
        if size == 10 and found.value < 1
    ]
    searched = "The sealed gallery searches everybody, so it has no hits to lose."
    said = (
        f"What a shortlist of 10 kept of those whom plaintext puts first, where not all: {'; '.join(lost)}."
        if lost
        else ""
    )
    return [
        "Whose time: CPU time of this process, all in turns in one run. The paper's machine, parameters and code were not "
        "seen; its shape was rebuilt from the abstract and a description of its packing. No network is in any figure.",
        "What both do: the key holder sees every score of what was compared; neither thresholds under encryption. What "
        "differs: the paper's second round also tells the matcher who is like the probe.",
        f"{searched} {said}".strip(),
        "Intervals: times, bootstrap over rounds; shares, Wilson over probes with the threshold taken as given.",
    ]


def _problems(photographed: Sequence[People]) -> tuple[Problem, ...]:
    return photographed[0].problems if photographed else ()


def _accuracy(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            "people": one.name,
            "enrolled": one.people,
            "rank-1 plaintext": one.plain.rank1,
            "rank-1 sealed": one.sealed.rank1,
            "FMR": one.rate,
            "TAR plaintext": one.plain.tar,
            "TAR sealed": one.sealed.tar,
            "hit rate sealed": one.hit,
            "largest score error": one.error.value,
        }
        for one in outcomes
    ]


def _times(timed: Sequence[Timed], medians: Sequence[Mapping[str, Metric]]) -> list[dict[str, Any]]:
    return [
        {"templates": one.people, "step": WAYS.get(name, name), "ms CPU": metric}
        for one, found in zip(timed, medians, strict=True)
        for name, metric in found.items()
    ]


def _bytes(timed: Sequence[Timed]) -> list[dict[str, Any]]:
    return [
        {
            "templates": one.people,
            "way": WAYS[way],
            "gallery": held["gallery"],
            "per template": held["gallery"] / one.people,
            "places": held.get("places", one.people),
            "probe": held.get("probe"),
            "response": held.get("response"),
            "evaluation keys": held.get("evaluation keys"),
        }
        for one in timed
        for way, held in one.bytes.items()
    ]


def _preselection(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {"people": one.name, "code": code, "shortlist": size, "hit rate": found}
        for one in outcomes
        for (code, size), found in one.preselected.items()
    ]


def _charts(
    timed: Sequence[Timed], outcomes: Sequence[Outcome], medians: Sequence[Mapping[str, Metric]]
) -> list[Bars | Lines]:
    charts: list[Bars | Lines] = [
        Bars(
            f"Probe to answer, {one.people:,} templates",
            "ms of CPU, median",
            {WAYS[name]: found[name] for name in WAYS if name in found},
            axis="log",
        )
        for one, found in zip(timed, medians, strict=True)
    ]
    kept = {
        f"{one.name}: {code}": found
        for one in outcomes
        for (code, size), found in one.preselected.items()
        if size == 10
    }
    whole = {f"{one.name}: sealed, everybody": one.hit for one in outcomes}
    charts.append(
        Bars(
            "Hit rate with a shortlist of 10, and without",
            "share of those whom plaintext puts first",
            {**whole, **kept},
        )
    )
    lines = [
        Line(
            f"{code}, {'simulated' if simulated else 'photos'}",
            tuple(float(one.people) for one in some),
            tuple(one.preselected[code, 10].value for one in some),
            tuple(one.preselected[code, 10].low for one in some),
            tuple(one.preselected[code, 10].high for one in some),
            "points",
        )
        for simulated in (True, False)
        for code in ("64 components", "128 components", "signs")
        if (some := [one for one in outcomes if one.simulated == simulated and (code, 10) in one.preselected])
    ]
    charts.append(Lines("Hit rate of a shortlist of 10", "people enrolled", "share kept", tuple(lines), x_axis="log"))
    return charts
