"""What a server costs: a gallery on Milvus against FAISS flat and the embedded engine in this process; kept in
results/milvus_speed.json.

    python benchmarks/milvus_speed.py milvus://127.0.0.1:19530 --people 10000 100000 --dimension 512

The server must run (docs/guides/milvus.md says how to start one). All answer the same probes in turns; in each round each is
asked once. Kept: median and 99th percentile, the median over rounds of FAISS's time over the engine's, searches a second in
batches of 64, templates enrolled a second in durable steps of 1,000, and how many answers differed from the embedded engine's:
names, order and scores to the last bit. Random unit vectors: an exact search takes as long on them as on faces. The gallery
is dropped at the end.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from record import save

from mien.gallery import EmbeddedGallery
from mien.gallery.base import BaseGallery
from mien.gallery.milvus import open_milvus
from mien.types import F32, Sample, Template

SPACE, K, BATCH, STEP = "benchmark", 5, 64, 1_000


def unit(rng: np.random.Generator, count: int, dimension: int) -> F32:
    rows = rng.standard_normal((count, dimension), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def fill(gallery: BaseGallery, rows: F32) -> float:
    """Templates enrolled a second."""
    began = time.perf_counter()
    for start in range(0, len(rows), STEP):
        part = rows[start : start + STEP]
        gallery.enrol_many(
            [(f"p{start + number:07d}", [Sample(Template(row, SPACE))]) for number, row in enumerate(part)]
        )
    return len(rows) / (time.perf_counter() - began)


def figures(times: Sequence[float], faiss: Sequence[float]) -> dict[str, float]:
    return {
        "p50_ms": round(float(np.median(times)) * 1e3, 3),
        "p99_ms": round(float(np.percentile(times, 99)) * 1e3, 3),
        "best_ms": round(min(times) * 1e3, 3),
        "faiss_over_it": round(float(np.median(np.array(faiss) / np.array(times))), 3),
    }


def compare(address: str, count: int, dimension: int, rounds: int, folder: Path) -> dict[str, Any]:
    import faiss

    rng = np.random.default_rng(0)
    rows = unit(rng, count, dimension)
    near = rows[rng.integers(0, count, rounds)] + unit(rng, rounds, dimension)
    probes = [Template(row / np.linalg.norm(row), SPACE) for row in near]
    flat = faiss.IndexFlatIP(dimension)
    flat.add(rows)
    faiss.omp_set_num_threads(1)
    with open_milvus(f"{address}/b{uuid4().hex}") as remote, EmbeddedGallery(folder / "people.db") as embedded:
        galleries = {"milvus": remote, "embedded": embedded}
        found: dict[str, Any] = {name: {"enrolled_per_s": round(fill(each, rows))} for name, each in galleries.items()}
        remote._link.call("flush", remote._tables.people)  # type: ignore[attr-defined]
        for each in galleries.values():
            each.search(probes[0], K)
        times: dict[str, list[float]] = {"faiss flat": [], "milvus": [], "embedded": []}
        different = 0
        for probe in probes:
            times["faiss flat"].append(seconds(lambda probe=probe: flat.search(probe.vector[None], K)))
            answers: list[object] = []
            for name, each in galleries.items():
                began = time.perf_counter()
                answers.append(each.search(probe, K))
                times[name].append(time.perf_counter() - began)
            different += answers[0] != answers[1]
        for name in times:
            found.setdefault(name, {}).update(figures(times[name], times["faiss flat"]))
        batch = (probes * BATCH)[:BATCH]
        for name, each in galleries.items():
            took = min(seconds(lambda each=each: each.search_many(batch, K)) for _ in range(3))
            found[name]["batch_64_per_s"] = round(BATCH / took, 1)
        matrix = np.stack([probe.vector for probe in batch])
        took = min(seconds(lambda: flat.search(matrix, K)) for _ in range(3))
        found["faiss flat"]["batch_64_per_s"] = round(BATCH / took, 1)
        found["answers"] = {"searches": len(probes), "different": different}
        drop(remote)
    return found


def drop(gallery: Any) -> None:
    for name in (gallery._tables.people, gallery._tables.records):
        gallery._link.call("drop_collection", name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="milvus://host:port of a running server")
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dimension", type=int, nargs="+", default=[512])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--dry", action="store_true", help="keep no results")
    asked = parser.parse_args()
    results: dict[str, Any] = {}
    for dimension in asked.dimension:
        for count in asked.people:
            with tempfile.TemporaryDirectory() as folder:
                found = compare(asked.address.rstrip("/"), count, dimension, asked.rounds, Path(folder))
            for name, values in found.items():
                results[f"{count} x {dimension}, {name}"] = values
                print(f"{count:>9} x {dimension}  {name:12}", values, flush=True)
    if not asked.dry:
        print("kept in", save("milvus_speed", results, sys.argv))


if __name__ == "__main__":
    main()
