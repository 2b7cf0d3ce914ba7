"""A gallery to its own operating points as a job, with a report: what `mien calibrate` does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mien import wire
from mien.audit.calibration import RATES, SEARCH_RATES, Calibration, Refused, calibrate
from mien.audit.document import provenance
from mien.report import Report, Row
from mien.serve.jobs import timeline
from mien.serve.jobs.audits import written
from mien.serve.jobs.work import Work
from mien.types import Metric, OperatingPoint


def run(work: Work) -> Mapping[str, Any]:
    """Find the thresholds that the people of a gallery support, and keep them there where that was asked.

    Raises EvidenceError for fewer than two people, GalleryReadOnly, GalleryNotFound."""
    asked = work.job.asked
    gallery = work.service.galleries.open(work.job.tenant, asked["gallery"])
    folder = work.fresh(timeline.part(work.job))
    work.step(0.05)
    engine = work.engine
    card = engine.points if gallery.space == engine.embedder.space else ()
    keep, sizes = bool(asked.get("keep")), asked.get("sizes")
    found = calibrate(
        gallery,
        tuple(asked.get("fmr", RATES)),
        card,
        data=asked["gallery"],
        fpirs=tuple(asked.get("fpir", SEARCH_RATES)),
        sizes=tuple(sizes) if sizes else () if keep else None,
    )
    work.step(0.9)  # nobody's thresholds change once the job was cancelled
    if keep:
        gallery.keep_points(found.points)
    told = written(_report(found, asked["gallery"], keep), folder)
    counts = {"people": found.people, "templates": found.templates, "comparisons": found.comparisons, "kept": keep}
    points = [wire.encode(one) for one in found.points]
    refused = [wire.encode(one) for one in found.refused]
    return told | counts | {"points": points, "refused": refused}


def _report(found: Calibration, gallery: str, kept: bool) -> Report:
    origins = (("gallery", found.own), ("gallery", found.search), ("kept before", found.kept), ("card", found.card))
    rows = [_row(origin, one) for origin, several in origins for one in several]
    ours: list[Any] = [*found.own, *found.search]
    metrics: dict[str, Metric] = {f"strangers named at {_aim(one.point)} of its own": one.fpir for one in ours}
    tables: dict[str, tuple[Row, ...]] = {"Thresholds, judged on the people enrolled": tuple(rows)}
    if found.sizes and found.sizes.rows:
        tables["Thresholds for galleries of other sizes"] = tuple(_sized(one) for one in found.sizes.rows)
    refused = {f"No threshold for {_aimed(one)}: {one.reason}" for one in found.refused}
    state = "They are kept in the gallery now." if kept and found.points else "Nothing was kept in the gallery."
    report = Report(
        "calibrate",
        metrics,
        made=provenance(0) | {"data": gallery, "space": found.space},
        headline=f"{found.people:,} people support {len(found.own) + len(found.search)} thresholds of their own. {state}",
        findings=(*found.words, *sorted(refused)),
        tables=tables,
    )
    chart = found.sizes.chart if found.sizes else None
    return replace(report, charts=(chart,)) if chart else report


def _row(origin: str, one: Any) -> Row:
    return {
        "from": origin,
        "threshold": one.point.threshold,
        "score": one.point.score,
        "aimed at": _aim(one.point),
        "false-match rate here": getattr(one, "fmr", None),
        "strangers named here": one.fpir,
    }


def _sized(one: Any) -> Row:
    return {
        "people": one.size,
        "threshold": one.point.threshold,
        "aimed at": _aim(one.point),
        "how": "predicted" if one.predicted else "counted",
        "strangers named": one.fpir,
        "at today's threshold": one.unchanged,
        "mates missed": one.missed,
    }


def _aim(point: OperatingPoint) -> str:
    if point.fpir:
        return f"FPIR {point.fpir:.3g}"
    return f"FMR {point.fmr:.3g}" if point.fmr else "set by hand"


def _aimed(refused: Refused) -> str:
    return f"FMR {refused.fmr:.3g}" if refused.fmr else f"FPIR {refused.fpir:.3g}"
