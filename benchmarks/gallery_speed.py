"""How fast a gallery is, and against whom; kept in results/gallery_speed.json.

    python benchmarks/gallery_speed.py --people 10000 100000 --dimension 128 512 --data ../shared/data --cache /tmp/vectors

Every engine answers the same probes in turns, on one thread: in each round each is asked once, in random order. What is
kept is the median and 99th percentile of each and the median over rounds of FAISS flat's time over its own. The limit is
the time to read the float32 matrix once, at the best speed that a plain read of it reached in the same rounds.

With --data, rows of 128 dimensions are templates of one photo each of lfw_grey's people, and random ones of the same mean
and covariance as them to fill up; half of the probes are the people's other photos. Without, and for other dimensions, all
is random, and recall says little about faces. The floor is the score that one pair of strangers in a
million reaches.
Engines that are not installed, or would take too long to build, are listed with the reason.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from record import save
from threadpoolctl import threadpool_limits

from mien.gallery import EmbeddedGallery
from mien.gallery.scan import candidates, candidates_many, encode, exact, kernel
from mien.types import F32, Sample, Template

SPACE, K, BATCH = "benchmark", 5, 64
STEP = 10_000  # people enrolled in one durable step
Answer = list[int]


@dataclass
class Engine:
    """One that is asked. `floor` is `one` with a lowest score; None where it has no such thing that is quicker."""

    one: Callable[[F32], Answer]
    many: Callable[[F32], list[Answer]]
    floor: Callable[[F32, float], Answer] | None = None
    approximate: bool = False


# ---- what is searched ----


def unit(rows: F32) -> F32:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def real_templates(data: Path, cache: Path) -> tuple[F32, F32]:
    """Templates of first photos and of second photos of lfw_grey; (n, 128) each, another number of each."""
    from accuracy import photos, vectors

    from mien.embed import OnnxEmbedder

    cache.mkdir(parents=True, exist_ok=True)
    pictures = photos(data, "lfw_grey")
    found = vectors(pictures, cache, OnnxEmbedder("dlib_resnet"), "lfw_grey")
    people: dict[str, list[int]] = {}
    for number, photo in enumerate(pictures):
        if found[number].any():
            people.setdefault(photo.person, []).append(number)
    second = [numbers[1] for numbers in people.values() if len(numbers) > 1]
    return found[[numbers[0] for numbers in people.values()]], found[second]


def matrix(count: int, dimension: int, real: tuple[F32, F32] | None) -> tuple[F32, F32]:
    """(rows, probes)."""
    rng = np.random.default_rng(0)
    if real is None or dimension != real[0].shape[1]:
        rows = np.concatenate(
            [unit(rng.standard_normal((min(STEP, count - at), dimension), np.float32)) for at in range(0, count, STEP)]
        )
        picked = rows[rng.integers(0, count, 256)]
        return rows, unit(picked + rng.standard_normal(picked.shape, np.float32) / np.float32(dimension**0.5))
    known, seconds = real
    known = known[: count // 2]
    mean, spread = known.mean(axis=0), np.linalg.cholesky(np.cov(known.T) + 1e-9 * np.eye(dimension)).astype(np.float32)
    filled = [
        unit(mean + rng.standard_normal((min(STEP, count - len(known) - at), dimension), np.float32) @ spread.T)
        for at in range(0, count - len(known), STEP)
    ]
    rows = np.concatenate([known, *filled])[rng.permutation(count)]
    strangers = unit(mean + rng.standard_normal((128, dimension), np.float32) @ spread.T)
    return np.ascontiguousarray(rows), np.concatenate([seconds[rng.permutation(len(seconds))[:128]], strangers])


def floor_of(rows: F32) -> float:
    """The score that one pair of strangers in a million reaches, of four million pairs."""
    return float(np.quantile(rows[:2000] @ rows[2000:4000].T, 1 - 1e-6))


# ---- who is asked ----


def embedded(rows: F32, folder: Path, result: dict[str, Any]) -> Engine:
    """The public gallery. Also says what enrolling, opening and space cost."""
    path = folder / "people.db"
    with EmbeddedGallery(path) as gallery:
        singly = min(100, len(rows) // 10)
        took = seconds(lambda: [gallery.enrol(f"p{n}", [Sample(Template(rows[n], SPACE))]) for n in range(singly)])
        result["enrol one, durable, ms"] = round(1e3 * took / singly, 3)
        took = 0.0
        for at in range(singly, len(rows), STEP):
            people = [(f"p{n}", [Sample(Template(rows[n], SPACE))]) for n in range(at, min(at + STEP, len(rows)))]
            took += seconds(lambda people=people: gallery.enrol_many(people))
        result["enrol in steps of 10,000, templates/s"] = round((len(rows) - singly) / took)
    result["bytes on disk per template"] = round(sum(f.stat().st_size for f in folder.iterdir()) / len(rows))
    kept: list[EmbeddedGallery] = []
    result["open, ms"] = round(1e3 * seconds(lambda: kept.append(EmbeddedGallery(path, read_only=True))), 1)
    gallery = kept[0]
    probe = Template(rows[0], SPACE)
    result["first search after opening, ms"] = round(1e3 * seconds(lambda: gallery.search(probe, K)), 1)

    def ids(matches: Sequence[Any]) -> Answer:
        return [int(match.subject[1:]) for match in matches]

    return Engine(
        lambda one: ids(gallery.search(Template(one, SPACE), K)),
        lambda many: [ids(each) for each in gallery.search_many([Template(one, SPACE) for one in many], K)],
        lambda one, floor: ids(gallery.search(Template(one, SPACE), K, floor=floor)),
    )


def scan(rows: F32, folder: Path, result: dict[str, Any]) -> Engine:
    """The scan alone: rows in, row numbers out, scored in float64."""
    begun = time.perf_counter()
    codes = encode(rows)
    result["encode, templates/s"] = round(len(rows) / (time.perf_counter() - begun))
    result["bytes of memory per template"] = codes.nbytes / len(rows)
    result["kernel"] = kernel()

    def best(found: tuple[Any, float], probe: F32) -> Answer:
        scores = exact(rows[found[0]], probe)
        return [int(row) for row in found[0][np.argsort(-scores, kind="stable")[:K]]]

    return Engine(
        lambda one: best(candidates(codes, one, K), one),
        lambda many: [best(found, one) for found, one in zip(candidates_many(codes, many, K), many, strict=True)],
        lambda one, floor: best(candidates(codes, one, K, floor), one),
    )


def product(rows: F32, folder: Path, result: dict[str, Any]) -> Engine:
    """The float32 product by numpy's BLAS, and the largest of it."""

    def top(scores: F32) -> Answer:
        some = np.argpartition(scores, len(scores) - K)[-K:]
        return [int(row) for row in some[np.argsort(-scores[some])]]

    return Engine(lambda one: top(rows @ one), lambda many: [top(scores) for scores in many @ rows.T])


def faiss_index(index: Any, rows: F32, approximate: bool) -> Engine:
    index.add(rows)
    return Engine(
        lambda one: index.search(one[None], K)[1][0].tolist(),
        lambda many: index.search(many, K)[1].tolist(),
        approximate=approximate,
    )


def faiss_flat(rows: F32, folder: Path, result: dict[str, Any]) -> Engine:
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss_index(faiss.IndexFlatIP(rows.shape[1]), rows, False)


def faiss_hnsw(rows: F32, folder: Path, result: dict[str, Any]) -> Engine:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexHNSWFlat(rows.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efSearch = 64
    return faiss_index(index, rows, True)


def usearch(rows: F32, folder: Path, result: dict[str, Any]) -> Engine:
    from usearch.index import Index

    index = Index(ndim=rows.shape[1], metric="ip", dtype="f32")
    index.add(np.arange(len(rows)), rows, threads=1)
    return Engine(
        lambda one: index.search(one, K, threads=1).keys.tolist(),
        lambda many: index.search(many, K, threads=1).keys.tolist(),
        approximate=True,
    )


def lancedb(rows: F32, folder: Path, result: dict[str, Any]) -> Engine:
    os.environ["LANCE_CPU_THREADS"] = "1"
    import lancedb as lance
    import pyarrow as arrow

    vectors = arrow.FixedSizeListArray.from_arrays(arrow.array(rows.reshape(-1)), rows.shape[1])
    made = arrow.table({"id": np.arange(len(rows)), "vector": vectors})
    table = lance.connect(folder / "lance").create_table("people", made)

    def one(probe: F32) -> Answer:
        found = table.search(probe).distance_type("dot").select(["id", "_distance"]).limit(K).to_arrow()
        return found["id"].to_pylist()

    return Engine(one, lambda many: [one(probe) for probe in many])


ENGINES = {
    "faiss flat": faiss_flat,
    "mien embedded": embedded,
    "mien scan": scan,
    "numpy product": product,
    "lancedb flat": lancedb,
    "faiss hnsw 32/64": faiss_hnsw,
    "usearch": usearch,
}
GRAPHS = ("faiss hnsw 32/64", "usearch")


# ---- measuring ----


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turns(work: dict[str, Callable[[int], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each in every round, after one that does not count."""
    rng, times = np.random.default_rng(1), {name: [] for name in work}
    for number in range(-1, rounds):
        for place in rng.permutation(len(work)):
            name = list(work)[place]
            took = seconds(lambda name=name, number=number: work[name](number))
            if number >= 0:
                times[name].append(took)
    return times


def summary(times: dict[str, list[float]], base: Sequence[float], limit: float, each: int = 1) -> dict[str, Any]:
    shown = {}
    for name, took in times.items():
        median = float(np.median(took))
        shown[name] = {
            "p50 ms": round(1e3 * median, 4),
            "p99 ms": round(1e3 * float(np.quantile(took, 0.99)), 4),
            "best ms": round(1e3 * min(took), 4),
            "faster than faiss flat": round(float(np.median(np.array(base) / took)), 2),
            "of the float32 read limit": round(median / limit, 3),
            "best of the limit": round(min(took) / limit, 3),
        }
        if each > 1:
            shown[name]["probes/s"] = round(each / median)
    return shown


def recall(engine: Engine, rows: F32, probes: F32) -> dict[str, float]:
    """How often the first and how many of the K named score as the true ones do, to within float32 rounding."""
    first = all_ = 0
    for probe in probes:
        scores = rows @ probe
        true = np.sort(scores)[::-1][:K]
        found = scores[[row for row in engine.one(probe) if row >= 0]]
        first += bool(len(found) and found[0] >= true[0] - 1e-5)
        all_ += int(np.count_nonzero(found >= true[-1] - 1e-5))
    return {"@1": round(first / len(probes), 4), f"@{K}": round(min(1.0, all_ / len(probes) / K), 4)}


def measure(rows: F32, probes: F32, mixed: bool, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    result: dict[str, Any] = {"probes": "half real photos, half strangers" if mixed else "random"}
    engines: dict[str, Engine] = {}
    rounds = options.rounds
    for name, build in ENGINES.items():
        home = folder / name.replace("/", "-")
        home.mkdir()
        detail: dict[str, Any] = {}
        if name in GRAPHS and len(rows) > options.graphs_up_to:
            result[name] = f"skipped: a graph of {len(rows):,} rows takes too long to build on one core"
            continue
        begun = time.perf_counter()
        try:
            engines[name] = build(rows, home, detail)
        except ImportError as error:
            result[name] = f"skipped: {error}"
            continue
        took = time.perf_counter() - begun
        result[name] = {"build s": round(took, 2), **detail, "recall": recall(engines[name], rows, probes[:128])}
        print(f"{len(rows)} x {rows.shape[1]} {name}: {result[name]}", file=sys.stderr, flush=True)
    floor = floor_of(rows)
    result["floor"] = round(floor, 4)
    plain = rows.reshape(-1).view(np.int64)
    reads: dict[str, Callable[[int], object]] = {"read": lambda number: plain.max()}
    work = {name: lambda number, one=one: one.one(probes[number % len(probes)]) for name, one in engines.items()}
    times = in_turns({**work, **reads}, rounds)
    limit = min(times.pop("read"))
    result["read GB/s, best"] = round(rows.nbytes / limit / 1e9, 1)
    base = times.get("faiss flat", [float("nan")] * rounds)
    result["single"] = summary(times, base, limit)
    work = {
        name: lambda number, one=one: (one.floor or (lambda probe, _: one.one(probe)))(
            probes[number % len(probes)], floor
        )
        for name, one in engines.items()
        if one.floor or name == "faiss flat"
    }
    times = in_turns(work, rounds)
    result["single with a floor"] = summary(times, times.get("faiss flat", [float("nan")] * rounds), limit)
    batch = np.ascontiguousarray(probes[:BATCH])
    times = in_turns(
        {name: lambda number, one=one: one.many(batch) for name, one in engines.items()}, max(3, rounds // 10)
    )
    base = times.get("faiss flat", [float("nan")] * len(next(iter(times.values()))))
    result[f"batch of {BATCH}"] = summary(times, base, limit, BATCH)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000], help="templates, one a person")
    parser.add_argument("--dimension", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--rounds", type=int, default=50, help="single searches; a tenth of it batches")
    parser.add_argument("--data", type=Path, help="folder with lfw_grey.zip")
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy"), help="where real templates are kept")
    parser.add_argument("--graphs-up-to", type=int, default=100_000, help="rows; more take hours to build on one core")
    parser.add_argument("--only", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    options = parser.parse_args()
    for name in set(ENGINES) - set(options.only):
        del ENGINES[name]
    real = real_templates(options.data, options.cache) if options.data else None
    results = {}
    for count in options.people:
        for dimension in options.dimension:
            rows, probes = matrix(count, dimension, real)
            mixed = real is not None and dimension == real[0].shape[1]
            with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
                results[f"{count} x {dimension}"] = measure(rows, probes, mixed, Path(folder), options)
    print(save("gallery_speed", results, sys.argv).read_text("utf8"))


if __name__ == "__main__":
    main()
