"""Answers in words, the same wherever the command line gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.gallery import BaseGallery


def evidence(point: Mapping[str, Any] | None) -> str:
    """What stands behind a threshold, from the wire shape of an operating point."""
    if point is None:
        return "none"
    if point["fmr"] is None and point["fpir"] is None:
        return "none: the threshold was set by hand"
    words = (
        f"share of strangers named {rate(point['fpir'])}" if point["fpir"] else f"false-match rate {rate(point['fmr'])}"
    )
    if point["low"] is not None and point["high"] is not None:
        words += f" (95 % interval {rate(point['low'])} to {rate(point['high'])})"
    if point["fpir"] and point["subjects"] > point["comparisons"]:
        return f"{words}, predicted for {point['subjects']:,} people from {point['comparisons']:,} of {point['data']}"
    if point["comparisons"] and point["fpir"]:
        words += f", from searching each of {point['subjects']:,} people among the others"
    elif point["comparisons"]:
        words += f", from {point['comparisons']:,} comparisons of different people"
        words += f" among {point['subjects']:,}" if point["subjects"] else ""
    return words + (f", measured on {point['data']}" if point["data"] else "")


def outgrown(gallery: BaseGallery) -> str | None:
    """What to say of a gallery whose size no known threshold fits any more; no model is loaded for it."""
    from mien import models
    from mien.decide import Policy

    space, kept = gallery.space, gallery.points
    if space is None:
        return None
    cards = [point for card in models.catalogue() for point in card.operating_points if point.space == space]
    own = [point for point in kept if point.space == space]
    return Policy().growth_warning(own, cards, len(gallery), gallery.templates, gallery.where)


def standing(record: Mapping[str, Any]) -> str:
    """What a clear answer rests on: the evidence of its threshold and what that means in a gallery."""
    point = record["threshold"]
    kind = "Threshold of the relative score" if point["score"] == "relative" else "Threshold"
    threshold = f"{kind} {point['threshold']:.3f}: {evidence(point)}"
    return ". ".join([threshold, *(reason.capitalize() for reason in record["reasons"][1:]), ""]).rstrip()


def why(record: Mapping[str, Any]) -> list[str]:
    """The reasons, where score and threshold beside each other do not say it already."""
    score, point = record["score"], record["threshold"]
    said = record["verdict"] == "accept" or (record["verdict"] == "reject" and score < point["threshold"])
    return [] if said else list(record["reasons"])


def rate(value: float) -> str:
    """A rate with two digits."""
    return f"{value:.2g}"


def clock(seconds: float) -> str:
    """Minutes and seconds: 1:05.2."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths % 600 // 10:02d}.{tenths % 10}"


def place(decision: Mapping[str, Any]) -> str:
    """When somebody was seen in a video, or where in a still, from the wire shape of a decision."""
    if decision["span"]:
        start, end = decision["span"]
        return f"{clock(start)} to {clock(end)}"
    if decision["faces"]:
        return box(decision["faces"][0]["box"])
    return ""


def box(corners: list[float]) -> str:
    """A box as people read it: width x height and the upper left corner."""
    x0, y0, x1, y1 = corners
    return f"{x1 - x0:.0f}x{y1 - y0:.0f} at {x0:.0f},{y0:.0f}"
