"""Grouping unknown people, and finding doubts in a gallery, on lfw_grey.

    python benchmarks/clustering.py --data ../shared/data

Every method's one parameter (ours: two) is chosen on the people of one half, by BCubed F1, and judged on the people of
the other. A photo without a face is a group of its own. Intervals draw people with replacement. "album": the people
with 8 photos or more, and 300 with one; "all": everybody, most of them with one photo.

Vectors and qualities are kept under --cache.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import LFW_BORDER, _decoded, _padded, halves
from numpy.typing import NDArray
from record import save

import mien
from mien import models
from mien.audit.metrics.grouping import grouping
from mien.cluster import FMR, Bar, bar_at
from mien.cluster.grouping import assign
from mien.cluster.state import State
from mien.dedupe.pairs import Held
from mien.dedupe.pictures import misfits
from mien.types import Frame

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Labels = NDArray[np.int64]
CHOSEN_BY = "BCubed F1"


def look(data: Path, cache: Path) -> Mapping[str, NDArray[Any]]:
    """names, person, vectors (zeros: no face) and quality of every photo."""
    path = cache / "clustering_lfw_grey.npz"
    if not path.is_file():
        import zipfile

        archive = zipfile.ZipFile(data / "lfw_grey.zip")
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        engine = mien.Engine(threads=1)
        vectors, quality = np.zeros((len(names), 128), np.float32), np.zeros(len(names))
        for index, name in enumerate(names):
            faces = engine.faces(Frame(_padded(_decoded(archive.read(name)), LFW_BORDER), name))
            if faces:
                (shot,) = engine.shots(faces[:1])
                vectors[index], quality[index] = shot.template.vector, shot.worth
        cache.mkdir(parents=True, exist_ok=True)
        person = [name.split("/")[1] for name in names]
        space = engine.embedder.space
        np.savez(path, names=names, person=person, vectors=vectors, quality=quality, space=space)
    return dict(np.load(path))


# Methods: vectors, qualities and a parameter to labels.


def labels_of(groups: Sequence[Sequence[int] | NDArray[np.intp]], count: int) -> Labels:
    """Items in no group are groups of their own."""
    labels = np.arange(count) + count
    for number, rows in enumerate(groups):
        labels[np.asarray(rows)] = number
    return labels


def ours(vectors: F32, quality: NDArray[np.float64], bar: Bar, gate: bool = True) -> Labels:
    """What an album does when all photos come at once."""
    return labels_of(assign(state_of(vectors, quality if gate else np.ones(len(vectors))), bar), len(vectors))


def state_of(vectors: F32, quality: NDArray[np.float64], groups: I64 | None = None) -> State:
    """One face a photo, nothing said."""
    count = len(vectors)
    number = np.arange(1, count + 1)
    held = np.zeros(count, np.int64) if groups is None else groups
    return State(number, number, held, quality, vectors, set(), {}, {int(g): ("", False) for g in set(held) if g})


def in_batches(vectors: F32, quality: NDArray[np.float64], bar: Bar, batches: int, seed: int) -> Labels:
    """The same, photos coming in random order in so many batches."""
    order = np.array_split(np.random.default_rng(seed).permutation(len(vectors)), batches)
    groups, here = np.zeros(len(vectors), np.int64), np.zeros(len(vectors), bool)
    for batch in order:
        here[batch] = True
        rows = np.flatnonzero(here)
        found = assign(state_of(vectors[rows], quality[rows], groups[rows]), bar)
        groups[:] = 0
        for number, members in enumerate(found, 1):
            groups[rows[members]] = number
    return np.where(groups > 0, groups, len(vectors) + np.arange(len(vectors)))


def single_link(vectors: F32, quality: Any, threshold: float) -> Labels:
    from sklearn.cluster import DBSCAN

    return _dbscan(DBSCAN, vectors, threshold, 1)


def dbscan(vectors: F32, quality: Any, threshold: float) -> Labels:
    """Core faces have three of the like, themselves included; as photo libraries commonly do."""
    from sklearn.cluster import DBSCAN

    return _dbscan(DBSCAN, vectors, threshold, 3)


def _dbscan(kind: Any, vectors: F32, threshold: float, least: int) -> Labels:
    near = np.maximum(2 - 2 * threshold, 0) ** 0.5
    labels = kind(eps=near, min_samples=least, algorithm="brute").fit(vectors).labels_
    return np.where(labels < 0, len(labels) + np.arange(len(labels)), labels)


def hdbscan(vectors: F32, quality: Any, how: tuple[int, str]) -> Labels:
    import warnings

    from sklearn.cluster import HDBSCAN

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        labels = (
            HDBSCAN(min_cluster_size=how[0], cluster_selection_method=how[1], algorithm="brute").fit(vectors).labels_
        )
    return np.where(labels < 0, len(labels) + np.arange(len(labels)), labels)


def complete(vectors: F32, quality: Any, threshold: float) -> Labels:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    return np.asarray(fcluster(linkage(pdist(vectors, "sqeuclidean") / 2, "complete"), 1 - threshold, "distance"))


def whispers(vectors: F32, quality: Any, threshold: float) -> Labels:
    """Chinese whispers (Biemann, 2006): each face takes the label that weighs most among those like it."""
    scores = vectors @ vectors.T
    near = [np.flatnonzero(row >= threshold) for row in scores]
    labels, rng = np.arange(len(vectors)), np.random.default_rng(0)
    for _ in range(20):
        before = labels.copy()
        for face in rng.permutation(len(vectors)):
            others = near[face][near[face] != face]
            if len(others):
                known, place = np.unique(labels[others], return_inverse=True)
                labels[face] = known[np.bincount(place, weights=scores[face, others]).argmax()]
        if (labels == before).all():
            break
    return labels


def rank_order(vectors: F32, quality: Any, threshold: float, nearest: int = 20) -> Labels:
    """Approximate rank-order (Otto, Wang and Jain, 2018): faces are linked that share near neighbours."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    scores = vectors @ vectors.T
    order = np.argsort(-scores, 1)[:, : nearest + 1]
    rank = [{int(face): place for place, face in enumerate(row)} for row in order]
    links = []
    for one in range(len(vectors)):
        for other in order[one, 1:]:
            mine, theirs = rank[one], rank[int(other)]
            if one in theirs and one < other:
                apart = sum(face not in theirs for face in list(mine)[: mine[int(other)] + 1])
                apart += sum(face not in mine for face in list(theirs)[: theirs[one] + 1])
                if apart / max(1, min(mine[int(other)], theirs[one])) < threshold:
                    links.append((one, int(other)))
    first, second = np.array(links).T if links else np.empty((2, 0), int)
    graph = coo_matrix((np.ones(len(first)), (first, second)), (len(vectors), len(vectors)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


COSINES = (0.93, 0.935, 0.94, 0.945, 0.95, 0.955, 0.96, 0.965)
LOWER = (0.915, 0.92, 0.925, 0.93, 0.935, 0.94, 0.945)
BARS = [Bar(large, single) for large in LOWER[1:5] for single in (0.94, 0.945, 0.95, 0.955)]
METHODS: dict[str, tuple[Callable[..., Labels], Sequence[Any]]] = {
    "single linkage": (single_link, COSINES),
    "DBSCAN, 3 faces": (dbscan, COSINES),
    "HDBSCAN": (hdbscan, [(least, how) for least in (2, 3, 4) for how in ("eom", "leaf")]),
    "Chinese whispers": (whispers, COSINES),
    "rank-order": (rank_order, (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)),
    "complete linkage": (complete, LOWER),
    "average linkage, one bar": (ours, [Bar(bar, bar) for bar in LOWER]),
    "average linkage, bar by size": (ours, BARS),
}


def shown(found: Labels, person: I64) -> dict[str, list[float]]:
    return {name: [round(v, 4) for v in (m.value, m.low, m.high)] for name, m in grouping(found, person).items()}


def chosen(kind: Mapping[str, Any], wanted: NDArray[np.bool_], mix: str) -> I64:
    """Photos of the people `wanted` (p,) that a mix takes."""
    rows = np.flatnonzero(wanted[kind["number"]])
    count = np.bincount(kind["number"][rows], minlength=len(wanted))[kind["number"][rows]]
    return rows if mix == "all" else np.r_[rows[count >= 8], rows[count == 1][:300]]


def methods(kind: Mapping[str, Any], development: NDArray[np.bool_], mix: str) -> dict[str, Any]:
    """Each method at the parameter chosen on one half, judged on the other."""
    tuned, judged = chosen(kind, development, mix), chosen(kind, ~development, mix)
    result: dict[str, Any] = {}
    for name, (method, grid) in METHODS.items():
        scores = []
        for value in grid:
            found = method(kind["vectors"][tuned], kind["quality"][tuned], value)
            scores.append(grouping(found, kind["number"][tuned], rounds=0)[CHOSEN_BY].value)
        best = grid[int(np.argmax(scores))]
        began = time.process_time()
        found = method(kind["vectors"][judged], kind["quality"][judged], best)
        spent = time.process_time() - began
        result[name] = {
            "parameter": str(best),
            "seconds of processor": round(spent, 2),
            **shown(found, kind["number"][judged]),
        }
        print(mix, name, best, result[name][CHOSEN_BY], result[name]["pair F1"], flush=True)
    return {"photos": len(judged), "people": len(set(kind["number"][judged])), **result}


def shipped(kind: Mapping[str, Any], development: NDArray[np.bool_], mix: str, bar: Bar) -> dict[str, Any]:
    """What `mien cluster` does by default on the half that was not used, at once and in batches."""
    rows = chosen(kind, ~development, mix)
    vectors, quality, person = (kind[name][rows] for name in ("vectors", "quality", "number"))
    result = {"at once": shown(ours(vectors, quality, bar), person)}
    for batches in (10, 100):
        result[f"in {batches} batches"] = shown(in_batches(vectors, quality, bar, batches, 0), person)
    return result


def doubts(kind: Mapping[str, Any], development: NDArray[np.bool_], usual: float) -> dict[str, Any]:
    """Wrong pictures planted among a person's: found, and how many right ones are doubted, on the judged half."""
    rows = chosen(kind, ~development, "all")
    rows = rows[kind["vectors"][rows].any(1)]
    vectors, person = kind["vectors"][rows], kind["number"][rows]
    rng = np.random.default_rng(0)
    one, other = rng.integers(len(rows), size=(2, 200_000))
    apart = person[one] != person[other]
    bar = float(np.quantile((vectors[one[apart]] * vectors[other[apart]]).sum(1), 1 - usual))
    lone = np.flatnonzero(np.bincount(person)[person] == 1)
    result = {}
    for size in (3, 5, 8):
        folders = [np.flatnonzero(person == p)[:size] for p in np.flatnonzero(np.bincount(person) >= size)]
        planted = [np.r_[folder[:-1], lone[index % len(lone)]] for index, folder in enumerate(folders)]
        found = [_doubted(vectors, folder, bar) for folder in planted]
        clean = [_doubted(vectors, folder, bar) for folder in folders]
        hits = sum(folder[-1] in hit for folder, hit in zip(planted, found, strict=True))
        beside = sum(map(len, found)) - hits
        result[f"{size} pictures"] = {
            "folders": len(folders),
            "planted found": round(hits / len(folders), 4),
            "right ones doubted beside it": round(beside / (len(folders) * (size - 1)), 4),
            "right ones doubted in clean folders": round(sum(map(len, clean)) / (len(folders) * size), 4),
        }
    return result


def _doubted(vectors: F32, folder: I64, bar: float) -> list[int]:
    held = Held(vectors[folder], np.zeros(len(folder), np.int64), ("one",))
    return [int(folder[row]) for row, _, _ in misfits(held, bar)]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--mix", choices=("album", "all"), action="append")
    parser.add_argument("--brief", action="store_true", help="only what is shipped, without the other methods")
    options = parser.parse_args()
    kind = dict(look(options.data, options.cache))
    names, kind["number"] = np.unique(kind["person"], return_inverse=True)
    development = halves(options.data, names)
    points = [one for one in models.card("dlib_resnet").operating_points if one.space == str(kind["space"])]
    bar = bar_at(points, FMR)
    for mix in options.mix or ("album", "all"):
        results: dict[str, Any] = {
            "bar by default": [round(bar.large, 4), round(bar.single, 4)],
            "photos": len(chosen(kind, ~development, mix)),
            "by default": shipped(kind, development, mix, bar),
        }
        if not options.brief:
            results["chosen on the other half"] = methods(kind, development, mix)
        if mix == "all":
            results["wrong pictures"] = doubts(kind, development, 0.05)
        save(f"clustering_{mix}", results, sys.argv)


if __name__ == "__main__":
    main()
