"""Verification accuracy with intervals, against `face_recognition` on the same photos and pairs.

    python benchmarks/accuracy.py --data ../shared/data
    python benchmarks/accuracy.py --rival 15        # `face_recognition` takes 10 times as long

A photo without a face counts as an error: a genuine pair with it is missed, and in the 10-fold accuracy an impostor pair
with it is wrong too. Pictures in which the face fills the frame (lfw_grey, orl) get their edge colours continued all
round, for both systems alike; orl is enlarged twice. Of several faces the largest counts.

Vectors are kept under --cache, so that a second run takes seconds.
"""

from __future__ import annotations

import argparse
import csv
import random
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from record import save

from mien import detect
from mien.audit.metrics import Comparisons, bootstrap, eer, fmr, fnmr, tar_at_fmr, ten_fold, wilson
from mien.embed import OnnxEmbedder
from mien.errors import EvidenceError
from mien.types import Face, Frame, Metric, OperatingPoint

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

SETS = ("lfw_grey", "orl", "lfw10", "celebrity_pairs")
PER_PERSON = 6  # lfw_grey: photos of a person beyond those in the official pairs
LFW_BORDER, ORL_BORDER = 75, 60  # px


@dataclass(frozen=True, slots=True)
class Photo:
    """A labelled picture and the way to read it."""

    name: str
    person: str
    read: Callable[[], U8]  # (H, W, 3) RGB


# Pictures and pairs.


def photos(data: Path, kind: str) -> list[Photo]:
    """The pictures of a set."""
    if kind == "lfw_grey":
        return list(_lfw_grey(data / "lfw_grey.zip"))
    pattern = {"orl": "orl/*/*.pgm", "lfw10": "lfw10/*/*.jpg", "celebrity_pairs": "celebrity_pairs/*.jpg"}[kind]
    found = sorted((data / "faces").glob(pattern))
    read = _orl_reader if kind == "orl" else _reader
    return [
        Photo(path.name if kind == "celebrity_pairs" else str(path), path.parent.name, read(path)) for path in found
    ]


def _lfw_grey(path: Path) -> Iterator[Photo]:
    archive = zipfile.ZipFile(path)
    names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
    wanted = {name for pair in official_pairs(path) for name in pair[:2]}
    count: dict[str, int] = {}
    for name in names:
        person = name.split("/")[1]
        count[person] = count.get(person, 0) + 1
        if count[person] <= PER_PERSON or name in wanted:
            yield Photo(name, person, lambda name=name: _padded(_decoded(archive.read(name)), LFW_BORDER))


def official_pairs(path: Path) -> list[tuple[str, str, int]]:
    """The pairs of the protocol whose photos are present: two names and the fold."""
    archive = zipfile.ZipFile(path)
    present = set(archive.namelist())
    pairs = []
    lines = archive.read("pairs.txt").decode().splitlines()[1:]
    for index, line in enumerate(line.split("\t") for line in lines if line.strip()):
        one, other = ((line[0], line[1]), (line[-2] if len(line) == 4 else line[0], line[-1]))
        names = [f"lfw/{person}/{person}_{int(number):04d}.jpg" for person, number in (one, other)]
        if present.issuperset(names):
            pairs.append((names[0], names[1], index // 600))
    return pairs


def halves(data: Path, people: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(p,) which of lfw_grey's sorted people serve development: those of folds 1 to 5 and a random half of the rest.

    No person of the official protocol is in two folds, so neither is one in both halves."""
    fold = {name.split("/")[1]: fold for a, b, fold in official_pairs(data / "lfw_grey.zip") for name in (a, b)}
    coin = np.random.default_rng(0).permutation(len(people)) % 2 == 0
    return np.array([fold[person] < 5 if person in fold else coin[index] for index, person in enumerate(people)])


def _reader(path: Path) -> Callable[[], U8]:
    return lambda: _decoded(path.read_bytes())


def _orl_reader(path: Path) -> Callable[[], U8]:
    return lambda: _padded(np.asarray(cv2.resize(_decoded(path.read_bytes()), None, fx=2, fy=2), np.uint8), ORL_BORDER)


def _decoded(content: bytes) -> U8:
    found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if found is None:
        raise SystemExit("a picture of the set cannot be read")
    return np.ascontiguousarray(found[..., ::-1])


def _padded(pixels: U8, border: int) -> U8:
    return np.pad(pixels, ((border, border), (border, border), (0, 0)), "edge")


# Vectors.


def faces(pictures: Sequence[Photo], cache: Path, detector: str = "mtcnn") -> tuple[F32, F32, F32]:
    """Points (n, 5, 2), boxes (n, 4) and scores (n,) of the largest face of each picture; score 0 where there is none."""
    if cache.is_file():
        kept = np.load(cache)
        if kept["names"].tolist() == [photo.name for photo in pictures]:
            return kept["points"], kept["boxes"], kept["scores"]
    finder = detect.load(detector)
    points, boxes = np.zeros((len(pictures), 5, 2), np.float32), np.zeros((len(pictures), 4), np.float32)
    scores = np.zeros(len(pictures), np.float32)
    for index, photo in enumerate(pictures):
        (found,) = finder.detect([Frame(photo.read(), photo.name)])
        if found:
            points[index], boxes[index], scores[index] = found[0].points, found[0].box, found[0].score
    names = np.array([photo.name for photo in pictures])
    np.savez(cache, names=names, points=points, boxes=boxes, scores=scores)
    return points, boxes, scores


def vectors(pictures: Sequence[Photo], cache: Path, embedder: OnnxEmbedder, kind: str) -> F32:
    """Unit vectors (n, D); a row of zeros where there is no face."""
    points, boxes, scores = faces(pictures, cache / f"{kind}_faces.npz")
    path = cache / f"{kind}_{embedder.space}.npy"
    if path.is_file() and len(kept := np.load(path)) == len(pictures):
        return np.asarray(kept, np.float32)
    found = np.zeros((len(pictures), 128), np.float32)
    seen = np.flatnonzero(scores)
    for start in range(0, len(seen), 32):
        rows = seen[start : start + 32]
        shown = [Face(Frame(pictures[i].read()), boxes[i], points[i], float(scores[i])) for i in rows]
        found[rows] = np.stack([template.vector for template in embedder.embed(shown)])
    np.save(path, found)
    return found


def rival_vectors(pictures: Sequence[Photo], cache: Path, kind: str) -> F32:
    """The vectors of `face_recognition` with its default settings, negated distances' worth: raw, not unit length."""
    path = cache / f"{kind}_face_recognition.npz"
    kept = dict(np.load(path)) if path.is_file() else {}
    import warnings

    warnings.simplefilter("ignore")  # it imports a deprecated module
    import face_recognition

    for index, photo in enumerate(pictures):
        if photo.name in kept:
            continue
        pixels = photo.read()
        places = face_recognition.face_locations(pixels)
        largest = sorted(places, key=lambda place: -(place[2] - place[0]) * (place[1] - place[3]))[:1]
        encoded = face_recognition.face_encodings(pixels, largest)
        kept[photo.name] = np.array(encoded[0] if encoded else np.zeros(128), np.float32)
        if index % 200 == 0:
            np.savez(path, **kept)
    np.savez(path, **kept)
    return np.stack([kept[photo.name] for photo in pictures])


def cosine(one: F32, other: F32) -> NDArray[np.float64]:
    """(n,) cosines of rows; -inf where either is zero."""
    scores = (one * other).sum(1).astype(np.float64)
    scores[~(one.any(1) & other.any(1))] = -np.inf
    return scores


def closeness(one: F32, other: F32) -> NDArray[np.float64]:
    """(n,) negated Euclidean distances of rows, as `face_recognition` compares; -inf where either is zero."""
    scores = -np.linalg.norm(one - other, axis=1).astype(np.float64)
    scores[~(one.any(1) & other.any(1))] = -np.inf
    return scores


# Measures.


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Which pictures are compared."""

    one: I64
    other: I64
    person: I64  # (n,) number of the person of each picture
    same: NDArray[np.bool_]
    fold: I64 | None = None


def pairs_of(data: Path, kind: str, pictures: Sequence[Photo]) -> Pairs:
    """Official pairs where a set has them, otherwise all pairs."""
    where = {photo.name: index for index, photo in enumerate(pictures)}
    person = np.unique([photo.person for photo in pictures], return_inverse=True)[1].astype(np.int64)
    if kind == "lfw_grey":
        listed = [(where[a], where[b], fold) for a, b, fold in official_pairs(data / "lfw_grey.zip")]
        one, other, fold = (np.array(column) for column in zip(*listed, strict=True))
        return Pairs(one, other, person, person[one] == person[other], fold)
    if kind == "celebrity_pairs":
        with (data / "faces" / kind / "pairs.csv").open(encoding="utf8") as file:
            rows = [row for row in csv.DictReader(file) if row["file_x"] in where and row["file_y"] in where]
        one, other = (np.array([where[row[key]] for row in rows]) for key in ("file_x", "file_y"))
        same = np.array([row["Decision"].strip().lower() in ("yes", "true", "1") for row in rows])
        return Pairs(one, other, np.arange(len(pictures)), same)
    one, other = np.triu_indices(len(pictures), 1)
    return Pairs(one, other, person, person[one] == person[other])


def beside_rival(data: Path, pictures: Sequence[Photo], kind: str, count: int) -> tuple[list[Photo], Pairs]:
    """The part of a set that the slower system is measured on: all of it, or of lfw_grey `count` pairs per fold and kind.

    There, genuine pairs are the official ones drawn, and impostor pairs are all pairs of the photos drawn."""
    if kind != "lfw_grey":
        return list(pictures), pairs_of(data, kind, pictures)
    groups: dict[tuple[int, bool], list[tuple[str, str, int]]] = {}
    for one, other, fold in official_pairs(data / "lfw_grey.zip"):
        groups.setdefault((fold, one.split("/")[1] == other.split("/")[1]), []).append((one, other, fold))
    rng = random.Random(0)
    drawn = [pair for group in groups.values() for pair in rng.sample(group, count)]
    names = {name for pair in drawn for name in pair[:2]}
    some = [photo for photo in pictures if photo.name in names]
    where = {photo.name: index for index, photo in enumerate(some)}
    person = np.unique([photo.person for photo in some], return_inverse=True)[1].astype(np.int64)
    genuine = np.array([(where[a], where[b]) for a, b, _ in drawn if person[where[a]] == person[where[b]]])
    one, other = np.triu_indices(len(some), 1)
    strangers = person[one] != person[other]
    firsts, seconds = np.r_[genuine[:, 0], one[strangers]], np.r_[genuine[:, 1], other[strangers]]
    return some, Pairs(firsts, seconds, person, person[firsts] == person[seconds])


def measured(pairs: Pairs, scores: NDArray[np.float64], pictures: int, failures: int) -> dict[str, Any]:
    """Everything reported on one set for one system."""
    genuine, impostor = scores[pairs.same], scores[~pairs.same]
    result: dict[str, Any] = {
        "genuine pairs": len(genuine),
        "impostor pairs": len(impostor),
        "failure to acquire": shown(wilson(failures, pictures)),
    }
    compared = Comparisons(scores, pairs.person[pairs.one], pairs.person[pairs.other])
    by_people = np.array_equal(compared.same, pairs.same)  # pairs labelled one by one have no people to draw

    def interval(statistic: Callable[..., float]) -> Any:
        if not by_people:
            return round(statistic(genuine, impostor), 4)
        return shown(bootstrap(lambda w: statistic(*_parts(compared, w)), compared, rounds=200))

    result["EER"] = interval(lambda g, i, w=None: eer(g, i, w))
    for rate in (1e-2, 1e-3):
        try:
            result[f"TAR at FMR {rate:g}"] = interval(lambda g, i, w=None, r=rate: tar_at_fmr(g, i, r, w))
        except EvidenceError as error:
            result[f"TAR at FMR {rate:g}"] = str(error)
    if pairs.fold is not None:
        folds = ten_fold(scores, pairs.same, pairs.fold)
        result["10-fold accuracy"] = {"value": round(folds.accuracy, 4), "standard error": round(folds.error, 4)}
    return result


def _parts(compared: Comparisons, weights: NDArray[np.float64]) -> tuple[Any, Any, Any]:
    return compared.split(weights)


def shown(metric: Metric) -> dict[str, Any]:
    """A metric as JSON."""
    return {"value": round(metric.value, 5), "low": round(metric.low, 5), "high": round(metric.high, 5), "n": metric.n}


def judged(pairs: Pairs, found: F32, likeness: Callable[[F32, F32], NDArray[np.float64]]) -> dict[str, Any]:
    """`measured` for vectors (n, D) of all pictures."""
    used = np.union1d(pairs.one, pairs.other)
    scores = likeness(found[pairs.one], found[pairs.other])
    return measured(pairs, scores, len(used), int((~found[used].any(1)).sum()))


def at_points(pairs: Pairs, scores: NDArray[np.float64], points: Sequence[OperatingPoint]) -> dict[str, Any]:
    """How thresholds fare on a set that had no part in them."""
    impostor, genuine = scores[~pairs.same], scores[pairs.same]
    compared = Comparisons(scores, pairs.person[pairs.one], pairs.person[pairs.other])
    result = {}
    for point in points:
        rate = bootstrap(lambda w, t=point.threshold: fmr(impostor, t, w[~pairs.same]), compared, rounds=200)
        if rate.value == 0:  # nothing seen: the rule of three, on pairs of people
            rate = replace(rate, high=min(1.0, 3 / (compared.people * (compared.people - 1) / 2)))
        result[f"FMR {point.fmr:g} at {point.threshold:.4f}"] = {
            "measured FMR": shown(rate),
            "FNMR": round(fnmr(genuine, point.threshold), 4),
        }
    return result


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--embedder", default="dlib_resnet")
    parser.add_argument(
        "--rival", type=int, default=0, help="measure face_recognition too; of lfw_grey, N pairs a fold"
    )
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    systems = [OnnxEmbedder(options.embedder, mirrored=mirrored) for mirrored in (False, True)]
    results: dict[str, Any] = {}
    for kind in options.sets:
        pictures = photos(options.data, kind)
        pairs = pairs_of(options.data, kind, pictures)
        results[kind] = {}
        for name, embedder in zip(("plain", "mirrored"), systems, strict=True):
            results[kind][name] = judged(pairs, vectors(pictures, options.cache, embedder, kind), cosine)
            print(kind, name, results[kind][name], flush=True)
        if options.rival:
            some, pairs = beside_rival(options.data, pictures, kind, options.rival)
            names = {photo.name for photo in some}
            rows = [index for index, photo in enumerate(pictures) if photo.name in names]
            results[kind]["beside face_recognition"] = {
                "mien, plain": judged(pairs, vectors(pictures, options.cache, systems[0], kind)[rows], cosine),
                "mien, mirrored": judged(pairs, vectors(pictures, options.cache, systems[1], kind)[rows], cosine),
                "face_recognition": judged(pairs, rival_vectors(some, options.cache, kind), closeness),
            }
            print(kind, results[kind]["beside face_recognition"], flush=True)
    save("accuracy", results, sys.argv)


if __name__ == "__main__":
    main()
