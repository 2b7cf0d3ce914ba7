"""What a gallery keeps when its process is killed: SIGKILL at random points of enrolling, forgetting and migrating.

Each trial starts a process that works on a copy of one gallery and says what is done as soon as the call returns, kills it
after a random time, opens what is left in this process and looks: everything told is there, nothing told to be gone is, every
batch is whole or absent, `verify` finds no fault, and searches equal those of a fresh gallery of the same people. Segments
are made small (64 templates), so that their writing and wiping is killed too.

    python benchmarks/gallery_durability.py [--trials 200] [--seed 0]
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from record import save

from mien.gallery import EmbeddedGallery, MemoryGallery, migrate_in_place
from mien.types import Face, Frame, Sample, Template

DIMENSION = 64
BATCH = 7  # people enrolled in one step
STOCK = 260  # people there before forgetting or migrating begins
KINDS = ("enrol", "forget", "migrate")


def sample(number: int, *, crop: bool = False) -> Sample:
    """The one sample of a person, the same in every process."""
    rng = np.random.default_rng(number)
    row = rng.normal(size=DIMENSION)
    template = Template((row / np.linalg.norm(row)).astype(np.float32), "old")
    if not crop:
        return Sample(template)
    frame = Frame(rng.integers(0, 256, (24, 24, 3), np.uint8), f"{number}.png", 0, 0.0)
    points = rng.uniform(6, 18, (5, 2)).astype(np.float32)
    return Sample(template, Face(frame, np.array([2, 2, 22, 22], np.float32), points, 1.0), f"{number}.png")


class Projection:
    """An embedder that can be told apart: a fixed projection of the crop's pixels."""

    name, space = "projection", "new"

    def __init__(self) -> None:
        self._matrix = np.random.default_rng(7).normal(size=(24 * 24 * 3, 48))

    def embed(self, faces: list[Face]) -> list[Template]:
        """One template per face."""
        time.sleep(0.002 * len(faces))  # a network takes time; a kill should be able to fall into it
        rows = [(face.frame.pixels[:24, :24].reshape(-1) / 255.0 - 0.5) @ self._matrix for face in faces]
        return [Template((row / np.linalg.norm(row)).astype(np.float32), self.space) for row in rows]


def work(kind: str, path: str, seed: int) -> None:
    """What the process does that is killed."""
    EmbeddedGallery.FIRST = EmbeddedGallery.SEGMENT = 64
    if kind == "migrate":
        print("begun", flush=True)
        migrate_in_place(path, Projection(), keep_backup=False)
        print("done", flush=True)
        return
    gallery = EmbeddedGallery(path)
    print("begun", flush=True)
    if kind == "enrol":
        for batch in range(10_000):
            numbers = range(10_000 + batch * BATCH, 10_000 + (batch + 1) * BATCH)
            gallery.enrol_many([(f"p{number}", [sample(number)]) for number in numbers])
            print(batch, flush=True)
    else:
        order = list(range(STOCK))
        random.Random(seed).shuffle(order)
        for number in order:
            gallery.forget(f"p{number}")
            print(number, flush=True)


def killed(kind: str, path: Path, seed: int, seconds: float) -> list[str]:
    """What the process told before it was killed; whole lines only."""
    command = [sys.executable, __file__, "--work", kind, str(path), "--seed", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "begun\n":
        raise SystemExit(f"{kind} did not begin.")
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    told = process.stdout.read().split("\n")[:-1]
    process.stdout.close()
    process.wait()
    return told


def uninterrupted(stock: Path, home: Path) -> float:
    """Seconds that a migration takes here, so that kills fall into all of it."""
    home.mkdir()
    shutil.copy(stock, home / "people.db")
    start = time.monotonic()
    if killed("migrate", home / "people.db", 0, 600) != ["done"]:
        raise SystemExit("A migration that nobody killed did not end.")
    return time.monotonic() - start


def faults(kind: str, path: Path, told: list[str]) -> list[str]:
    """What is wrong with what is left."""
    found: list[str] = []
    with EmbeddedGallery(path) as gallery:
        found += gallery.verify()
        names = {person.subject for person in gallery.people()}
        stock = {f"p{number}" for number in range(STOCK)}
        if kind == "enrol":
            batches = {(int(name[1:]) - 10_000) // BATCH for name in names - stock}
            found += [f"batch {number} is lost" for number in map(int, told) if number not in batches]
            wanted = {
                f"p{number}"
                for batch in batches
                for number in range(10_000 + batch * BATCH, 10_000 + (batch + 1) * BATCH)
            }
            found += ["half a batch is there"] * (names - stock != wanted) + ["somebody is lost"] * (not stock <= names)
        elif kind == "forget":
            found += [f"p{number} is still there" for number in told if f"p{number}" in names]
            found += ["others are gone too"] * (len(names) < STOCK - len(told) - 1)
        else:
            found += ["somebody is lost"] * (names != stock)
            found += ["it was told to be done and is not"] * ("done" in told and gallery.space != "new")
        with MemoryGallery() as memory:
            for person in gallery.people():
                memory.enrol(person.subject, [one for _, one in gallery.samples(person.subject)])
            for _, probe in list(gallery.samples())[:3]:
                if gallery.search(probe.template, 9) != memory.search(probe.template, 9):
                    found.append("a search differs")
    return found


def main() -> None:
    """All trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(*options.work, options.seed)
        return
    EmbeddedGallery.FIRST = EmbeddedGallery.SEGMENT = 64
    rng = random.Random(options.seed)
    results: dict[str, dict[str, int]] = {kind: {"trials": 0, "told": 0, "cut off": 0, "faults": 0} for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        stock = Path(folder) / "stock.db"
        with EmbeddedGallery(stock) as gallery:
            for start in range(0, STOCK, 20):
                gallery.enrol_many([(f"p{n}", [sample(n, crop=True)]) for n in range(start, start + 20)])
        whole = uninterrupted(stock, Path(folder) / "whole")
        for trial in range(options.trials):
            kind = KINDS[trial % len(KINDS)]
            home = Path(folder) / f"trial{trial}"
            home.mkdir()
            shutil.copy(stock, home / "people.db")
            shutil.copytree(f"{stock}-codes", home / "people.db-codes")
            told = killed(kind, home / "people.db", trial, rng.uniform(0, 1.1 * whole if kind == "migrate" else 0.8))
            wrong = faults(kind, home / "people.db", told)
            for fault in wrong:
                print(f"trial {trial}, {kind}: {fault}", flush=True)
            one = results[kind]
            one["trials"] += 1
            one["told"] += len(told)
            one["cut off"] += "done" not in told
            one["faults"] += bool(wrong)
            shutil.rmtree(home)
    for kind, one in results.items():
        print(f"{kind:8} {one['trials']} killed, {one['told']} acknowledged, {one['faults']} with a fault")
    save("gallery_durability", results, sys.argv)
    if any(one["faults"] for one in results.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
