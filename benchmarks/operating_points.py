"""Thresholds for the cards of dlib's embedder: from development people, judged on the others.

    python benchmarks/operating_points.py --data ../shared/data            # prints and keeps
    python benchmarks/operating_points.py --data ../shared/data --write    # and puts them on the cards

One photo of each person of lfw_grey, all pairs of people of the development half; intervals draw people. Rates that fewer
than 3 / rate pairs of people support are refused. The other half of the people tells what the thresholds really do, and so
do the colour photos of lfw10 and celebrity_pairs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import PER_PERSON, at_points, cosine, halves, pairs_of, photos, shown, vectors
from record import save

from mien.audit.impostors import Impostors, impostors
from mien.audit.metrics import Comparisons, bootstrap, fnmr
from mien.embed import OnnxEmbedder
from mien.errors import EvidenceError
from mien.types import F32, OperatingPoint

RATES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5)
CARDS = Path("src/mien/models/cards")
DATA = "LFW grey crops, development half, one photo per person"


def strangers(found: F32, person: Any, chosen: Any) -> Impostors:
    """The first photo with a face of each chosen person, against each other."""
    has = np.flatnonzero(found.any(1) & chosen[person])
    first = has[np.unique(person[has], return_index=True)[1]]
    return impostors(found[first], np.arange(len(first)))


def missed(found: F32, person: Any, chosen: Any, points: Sequence[OperatingPoint]) -> dict[str, Any]:
    """FNMR of the chosen people at each threshold: all pairs of a person's first photos, failures counted."""
    pairs = [
        (a, b) for p in np.flatnonzero(chosen) for a, b in combinations(np.flatnonzero(person == p)[:PER_PERSON], 2)
    ]
    one, other = (np.array(column) for column in zip(*pairs, strict=True))
    scores = cosine(found[one], found[other])
    compared = Comparisons(scores, person[one], person[other])
    return {
        f"{p.fmr:g}": shown(bootstrap(lambda w, t=p.threshold: fnmr(scores, t, w), compared, rounds=300))
        for p in points
    }


def points_of(known: Impostors, space: str) -> tuple[list[OperatingPoint], list[str]]:
    """The points that the development people support, and why not the others."""
    points, refused = [], []
    for rate in RATES:
        try:
            threshold = round(known.threshold(rate) + 5e-6, 5)  # rounded up: never looser
        except EvidenceError as error:
            refused.append(str(error))
            continue
        fmr = known.rate(threshold)
        points.append(OperatingPoint(threshold, rate, fmr.low, fmr.high, known.comparisons, known.people, DATA, space))
    return points, refused


def toml_of(points: Sequence[OperatingPoint], variant: str) -> str:
    """Tables for a card."""
    lines = []
    for point in points:
        lines += [
            f"[[operating_point]]  # {variant}",
            f"threshold = {point.threshold:.5f}",
            f"fmr = {point.fmr:g}",
            f"low = {point.low:.2g}",
            f"high = {point.high:.2g}",
            f"comparisons = {point.comparisons}",
            f"subjects = {point.subjects}",
            f'data = "{point.data}"',
            f'space = "{point.space}"',
            "",
        ]
    return "\n".join(lines)


def write(card: str, tables: str) -> None:
    """Replace the operating points of a card; they are its last tables."""
    path = CARDS / f"{card}.toml"
    kept = path.read_text("utf8").split("[[operating_point]]")[0].rstrip()
    path.write_text(f"{kept}\n\n{tables.rstrip()}\n", "utf8")


def main() -> None:
    """Measure, print, keep, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--embedders", nargs="+", default=["dlib_resnet", "dlib_resnet_int8"])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    pictures = {kind: photos(options.data, kind) for kind in ("lfw_grey", "lfw10", "celebrity_pairs", "orl")}
    names, person = np.unique([photo.person for photo in pictures["lfw_grey"]], return_inverse=True)
    development = halves(options.data, names)
    results: dict[str, Any] = {}
    for card in options.embedders:
        tables = []
        for variant, mirrored in (("plain", False), ("mirrored", True)):
            embedder = OnnxEmbedder(card, mirrored=mirrored)
            found = vectors(pictures["lfw_grey"], options.cache, embedder, "lfw_grey")
            points, refused = points_of(strangers(found, person, development), embedder.space)
            others = strangers(found, person, ~development)
            report: dict[str, Any] = {
                "points": [{"fmr": p.fmr, "threshold": p.threshold, "low": p.low, "high": p.high} for p in points],
                "refused": refused,
                "FNMR on the other people": missed(found, person, ~development, points),
                "FMR on the other people": {f"{p.fmr:g}": shown(others.rate(p.threshold)) for p in points},
            }
            for kind in ("lfw10", "celebrity_pairs", "orl"):
                pairs = pairs_of(options.data, kind, pictures[kind])
                seen = vectors(pictures[kind], options.cache, embedder, kind)
                report[f"on {kind}"] = at_points(pairs, cosine(seen[pairs.one], seen[pairs.other]), points)
            results[f"{card}, {variant}"] = report
            print(card, variant, report, flush=True)
            tables.append(toml_of(points, variant))
        if options.write:
            write(card, "\n".join(tables))
    save("operating_points", results, sys.argv)


if __name__ == "__main__":
    main()
