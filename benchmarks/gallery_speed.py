"""How fast a gallery is: enrolling, opening, searching, forgetting; durable and in memory; kept in results/gallery_speed.json.

    OMP_NUM_THREADS=1 python benchmarks/gallery_speed.py --people 1000 10000 100000

Templates are random unit vectors: exact search takes the same time on them as on faces. The yardstick of a search is the
bare float32 product of the same matrix with the same probe, measured in turns with it; no exact search over one float32
matrix can be faster.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from record import save

from mien.gallery import BaseGallery, EmbeddedGallery, MemoryGallery
from mien.types import Sample, Template

SPACE = "benchmark"


def unit_rows(count: int, dimension: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def search_times(gallery: BaseGallery, rows: np.ndarray, rounds: int) -> dict[str, float]:
    """Medians in ms of a search and of the bare product, interleaved, and the median of their ratios."""
    ours, bare = [], []
    for number in range(rounds):
        probe = rows[number % len(rows)]
        template = Template(probe, SPACE)
        ours.append(1e3 * seconds(lambda template=template: gallery.search(template, 5)))
        bare.append(1e3 * seconds(lambda probe=probe: rows @ probe))
    ratios = [a / b for a, b in zip(ours, bare, strict=True)]
    return {
        "search_ms": statistics.median(ours),
        "product_ms": statistics.median(bare),
        "ratio": statistics.median(ratios),
    }


def measure(people: int, dimension: int, folder: Path, rounds: int) -> dict[str, object]:
    rows = unit_rows(people, dimension)
    samples = [Sample(Template(row, SPACE)) for row in rows]
    path = folder / f"people-{people}.db"
    singly = min(people, 300)
    result: dict[str, object] = {}
    with EmbeddedGallery(path) as gallery:
        took = seconds(lambda: [gallery.enrol(f"p{n}", [samples[n]]) for n in range(singly)])
        result["enrol_one_ms"] = 1e3 * took / singly
        # The rest ten templates a person, as folders of photos bring them.
        rest = range(singly, people, 10)
        took = seconds(lambda: [gallery.enrol(f"p{n}", samples[n : n + 10]) for n in rest])
        result["enrol_templates_per_s"] = (people - singly) / took if rest else None
        result["embedded"] = search_times(gallery, rows, rounds)
    result["bytes_per_template"] = path.stat().st_size / people
    opened: list[EmbeddedGallery] = []
    result["open_ms"] = 1e3 * seconds(lambda: opened.append(EmbeddedGallery(path)))
    with opened[0] as gallery:
        result["first_search_ms"] = 1e3 * seconds(lambda: gallery.search(samples[-1].template))
        result["forget_ms"] = 1e3 * seconds(lambda: gallery.forget("p1"))
    with MemoryGallery() as gallery:
        for number in range(people):
            gallery.enrol(f"p{number}", [samples[number]])
        result["memory_one_template_each"] = search_times(gallery, rows, rounds)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="templates enrolled")
    parser.add_argument("--dimension", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = {
            f"{people} x {options.dimension}": measure(people, options.dimension, Path(folder), options.rounds)
            for people in options.people
        }
    print(save("gallery_speed", results, sys.argv).read_text("utf8"))


if __name__ == "__main__":
    main()
