"""Bulk enrolment: photos per second against `Engine.enrol`, exactly once after kills, and two Ray nodes against one.

    python benchmarks/bulk_enrol.py speed --photos 2000 --workers 2
    python benchmarks/bulk_enrol.py once --photos 100000 --kills 10 [--stub]
    python benchmarks/bulk_enrol.py ray --photos 600

Photos are grey face crops of LFW (../shared/data/lfw_grey.zip), 250 of them, set on a larger grey picture and repeated under
as many names as photos are wanted. --stub puts a vector made of the file's bytes in the place of the models: it shows the
journal and the writer at work, not recognition. `once` adds noise to that vector, so that the gallery's own check for equal
bytes cannot hide a photo that was done twice. --save keeps the result.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien import Engine, open_gallery
from mien.bulk import Options, Photos, enrol
from mien.bulk.makers import Job, Mark, Results
from mien.types import Sample, Template

ROOT = Path(__file__).parents[1]
DISTINCT = 250
SIDE, MARGIN = 400, 75  # px


@dataclass(frozen=True)
class Stub:
    """A vector out of a file's bytes and noise, in the place of the models."""

    space: str = "stub"

    def load(self) -> Stub:
        return self

    def make(self, jobs: Sequence[Job], mark: Mark) -> Results:
        results: Results = []
        for number, source in jobs:
            seed = hashlib.sha256(Path(source).read_bytes()).digest()[:8]
            vector = np.random.default_rng(int.from_bytes(seed, "big")).normal(size=128)
            vector += np.random.default_rng().normal(scale=1e-6, size=128)
            template = Template((vector / np.linalg.norm(vector)).astype(np.float32), self.space, 0.9)
            results.append((number, Sample(template, None, source)))
        return results


def pictures(folder: Path) -> list[Path]:
    """Photos in which the models find one good face."""
    from PIL import Image

    folder.mkdir()
    engine, paths = Engine(threads=1), []
    with zipfile.ZipFile(ROOT.parent / "shared" / "data" / "lfw_grey.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        for name in names[:: max(1, len(names) // (2 * DISTINCT))]:
            picture = Image.new("RGB", (SIDE, SIDE), (120, 120, 120))
            picture.paste(Image.open(io.BytesIO(archive.read(name))).convert("RGB"), (MARGIN, MARGIN))
            path = folder / f"{len(paths):04d}.jpg"
            picture.save(path, quality=92)
            if isinstance(engine.samples([path])[0], Sample):
                paths.append(path)
            if len(paths) == DISTINCT:
                break
    return paths


def listed(folder: Path, photos: Sequence[Path], count: int) -> Path:
    """A list with `count` rows, each of another person."""
    path = folder / "list.csv"
    rows = (f"person {number:07d},{photos[number % len(photos)]}\n" for number in range(count))
    path.write_text("subject,path\n" + "".join(rows), encoding="utf8")
    return path


def speed(folder: Path, photos: Sequence[Path], args: argparse.Namespace) -> dict[str, Any]:
    """Photos per second, one after the other: Engine.enrol a person at a time, then bulk with 1 and more workers."""
    few = max(DISTINCT, args.photos // 4)
    engine = Engine(threads=1)
    engine.sample(photos[0])  # loads models
    start = time.perf_counter()
    with open_gallery(folder / "engine.db") as people:
        for number in range(few):
            engine.enrol(people, f"person {number:07d}", [photos[number % len(photos)]])
    found = {"Engine.enrol, one by one": {"photos_per_s": round(few / (time.perf_counter() - start), 1), "n": few}}
    source = listed(folder, photos, args.photos)
    for workers in (1, args.workers):
        with open_gallery(folder / f"{workers}.db") as people:
            outcome = enrol(people, source, options=Options(workers=workers))
            assert (len(people), outcome.failed) == (args.photos, 0)
        name = f"bulk, {workers} worker{'s' * (workers > 1)}"
        found[name] = {"photos_per_s": round(outcome.rate, 1), "n": args.photos, "s": round(outcome.seconds, 1)}
    return found


def once(folder: Path, photos: Sequence[Path], args: argparse.Namespace) -> dict[str, Any]:
    """A run killed at random times and resumed; what the gallery holds in the end."""
    source = listed(folder, photos, args.photos)
    words = [sys.executable, __file__, "run", "--folder", str(folder), "--workers", str(args.workers)]
    words += ["--stub"] if args.stub else []
    rng, killed, begun = np.random.default_rng(7), 0, time.perf_counter()
    while killed < args.kills:
        with subprocess.Popen(words) as process:
            try:
                process.wait(float(rng.uniform(*args.between)))
                break  # it came to its end before its time
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
    subprocess.run(words, check=True)
    with open_gallery(folder / "people.db") as people:
        held = Counter(name for name, _ in people.samples())
    rows = sum(1 for _ in source.open(encoding="utf8")) - 1
    result = {"photos": rows, "killed": killed, "people": len(held), "templates": held.total()}
    result |= {"twice": sum(count > 1 for count in held.values()), "lost": rows - len(held)}
    return {f"once, {'stub' if args.stub else 'models'}": result | {"s": round(time.perf_counter() - begun, 1)}}


def run(folder: Path, args: argparse.Namespace) -> None:
    """One run of `once`, to be killed."""
    with open_gallery(folder / "people.db") as people:
        plan = Stub() if args.stub else Photos()
        enrol(people, folder / "list.csv", plan=plan, options=Options(workers=args.workers))


def nodes(folder: Path, photos: Sequence[Path], args: argparse.Namespace) -> dict[str, Any]:
    """The same photos by one Ray node of one CPU and by two; time from the first template to the last."""
    from ray.cluster_utils import Cluster

    source, found = listed(folder, photos, args.photos), {}
    for count in (1, 2):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(count):
            cluster.add_node(num_cpus=1)
        times: list[tuple[float, int]] = []

        def seen(outcome: Any, times: list[tuple[float, int]] = times) -> None:
            times.append((time.perf_counter(), outcome.looked))

        with open_gallery(folder / f"ray{count}.db") as people:
            outcome = enrol(people, source, options=Options(ray=cluster.address, small=0), progress=seen)
        cluster.shutdown()
        (start, before), (end, after) = next(pair for pair in times if pair[1] >= 8 * count), times[-2]
        rate = (after - before) / (end - start)
        found[f"ray, {count} node{'s' * (count > 1)}"] = {"photos_per_s": round(rate, 1), "n": outcome.samples}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "once", "ray", "run"])
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--between", type=float, nargs=2, default=(3.0, 12.0), help="s of a run before it is killed")
    parser.add_argument("--stub", action="store_true")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault(
        "RAY_worker_niceness", "0"
    )  # 15 by default: then other work on the machine is what is measured
    if args.what == "run":
        run(args.folder, args)
        return
    folder = Path(tempfile.mkdtemp(prefix="bulk"))
    try:
        work = {"speed": speed, "once": once, "ray": nodes}[args.what]
        found = work(folder, pictures(folder / "photos"), args)
    finally:
        shutil.rmtree(folder)
    print(json.dumps(found, indent=1))
    if args.save:
        from record import save

        save(f"bulk_enrol_{args.what}", found, sys.argv)


if __name__ == "__main__":
    main()
