"""How much evidence an expression needs: error against coverage, and against the size of the face. For a card's [abstain].

Limits are read off the public test split of FER2013 (the dev split of the official protocol); the private one is only
looked at with limits that are given. Small faces are made: a crop is reduced to so many px and enlarged again, as a far
face is by the judge. The eye distance of a crop is its side times the median share on the default detector's boxes.
Intervals are Wilson's. Also told: what the judge says about pictures without a face that the detector takes for one, and
how it fares on other data, photos of LFW that one person labelled: grey crops of 250 px, padded, found by the detector.

    python benchmarks/expression_evidence.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import csv
import io
import math
import os
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from record import RESULTS, save

from mien import detect, judge, media
from mien.errors import MienError
from mien.judge.circumplex import named
from mien.judge.onnx import OnnxJudge
from mien.reproduce import fer2013
from mien.types import Face, Frame

LEAST = (0.0, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)
SIDES = (48, 32, 24, 20, 16, 12, 10, 8)  # px


def wilson(hits: int, count: int) -> dict[str, Any]:
    """A share with its 95 % interval."""
    if not count:
        return {"n": 0}
    z, share = 1.959964, hits / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return {"value": round(share, 4), "low": round(middle - half, 4), "high": round(middle + half, 4), "n": count}


def reduced(pixels: np.ndarray, side: int) -> np.ndarray:
    """(n, 48, 48) as they are after a stay at `side` px."""
    if side == 48:
        return pixels
    small = [cv2.resize(one, (side, side), interpolation=cv2.INTER_AREA) for one in pixels]
    return np.stack([cv2.resize(one, (48, 48), interpolation=cv2.INTER_LINEAR) for one in small])


def answers(one: OnnxJudge, pixels: np.ndarray) -> np.ndarray:
    """(n, labels) probabilities of grey crops."""
    return one.probabilities(one.crops_of(list(np.repeat(pixels[..., None], 3, axis=3))))


def coverage(found: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Accuracy of what is still answered as the least probability rises."""
    sure, right = found.max(1), found.argmax(1) == truth
    rows = []
    for least in LEAST:
        kept = sure >= least
        share = round(float(kept.mean()), 4)
        rows.append({"least_probability": least, "answered": share} | wilson(int(right[kept].sum()), int(kept.sum())))
    return rows


def faces_of(paths: list[Path]) -> list[Face]:
    """What the default detector takes for a face."""
    detector = detect.load("mtcnn")
    found: list[Face] = []
    for path in paths:
        try:
            found += detector.detect([media.read_image(path)])[0]
        except MienError as error:
            print(error, file=sys.stderr)
    return found


def no_faces(one: OnnxJudge, faces: list[Face], pictures: int) -> dict[str, Any]:
    """How sure the judge is of what is none."""
    sure = one.probabilities(one.crops(faces)).max(1)
    told = {"pictures": pictures, "taken for a face": len(faces)}
    above = {f"read at {least}": int((sure >= least).sum()) for least in LEAST[1:]}
    return told | above | {"detector's scores": sorted(round(face.score, 3) for face in faces)}


def elsewhere(one: OnnxJudge, path: Path, most: int) -> dict[str, Any]:
    """Recall of each class on at most `most` of LFW's labelled photos per class; no face is a miss."""
    detector = detect.load("mtcnn")
    recalls: dict[str, Any] = {}
    with ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("expressions.csv"))
        rows = list(csv.DictReader(io.StringIO(archive.read(name).decode())))
        folder = name.rpartition("/")[0]
        wanted = {str(named(label)): place for place, label in enumerate(one.labels)}
        for expression, place in wanted.items():
            chosen = [row["path"] for row in rows if row["expression"] == expression]
            order = np.random.default_rng(0).permutation(len(chosen))[:most]
            hits = 0
            for number in order:
                file = next(n for n in (f"{folder}/{chosen[number]}", chosen[number]) if n in archive.NameToInfo)
                pixels = np.pad(media.read_image(archive.read(file)).pixels, ((60, 60), (60, 60), (0, 0)), mode="edge")
                faces = detector.detect([Frame(pixels)])[0][:1]
                hits += bool(faces) and int(one.probabilities(one.crops(faces)).argmax()) == place
            recalls[expression] = wilson(hits, len(order))
    return recalls | {"UAR": round(float(np.mean([row["value"] for row in recalls.values()])), 4)}


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--judge", default="expression", help="a kind, or a card")
    parser.add_argument("--at-most", type=int, help="pictures of each split")
    parser.add_argument("--of-lfw", type=int, default=200, help="photos of LFW per class")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    one = judge.load(options.judge)
    assert isinstance(one, OnnxJudge)
    seen = faces_of(sorted(options.data.glob("faces/lfw10/*/*.jpg")))
    ratio = float(np.median([face.eye_distance / float(max(face.box[2:] - face.box[:2])) for face in seen]))
    results: dict[str, Any] = {"what": {"judge": one.name, "eye distance over crop": round(ratio, 3)}}
    for split in ("public_test", "private_test"):
        pictures = fer2013.read(options.data / "fer2013.zip", split, options.at_most)
        places = [[named(label) for label in one.labels].index(named(name)) for name in fer2013.CLASSES]
        truth = np.array(places)[pictures.labels]
        results[f"{split}, coverage"] = coverage(answers(one, pictures.pixels), truth)
        results[f"{split}, size"] = []
        for side in SIDES:
            found = answers(one, reduced(pictures.pixels, side))
            right = wilson(int((found.argmax(1) == truth).sum()), len(truth))
            row = {"crop": side, "eye distance": round(ratio * side, 1), **right}
            results[f"{split}, size"].append(
                row | {"mean of largest probability": round(float(found.max(1).mean()), 3)}
            )
    empty = sorted(options.data.glob("backgrounds/*/*.jpg"))
    results["no faces"] = no_faces(one, faces_of(empty), len(empty))
    results["LFW, recall"] = elsewhere(one, options.data / "lfw_grey.zip", options.of_lfw)
    for title, rows in results.items():
        print(title)
        for row in rows if isinstance(rows, list) else [rows]:
            print("   ", row)
    print(save("expression_evidence", results, sys.argv, options.out))


if __name__ == "__main__":
    main()
