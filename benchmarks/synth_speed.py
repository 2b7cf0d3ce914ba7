"""How many frames a second the synthetic face engine renders, and what takes the time.

frames            whole frames (truth, mask, depth, noise) of several people who move, one process: processor time
                  per frame, median over rounds, and the frames per second that two cores make of it
two processes     the same frames shared by two processes: wall-clock time, which other load on the machine lengthens
a new person      what the first frame of somebody costs more
engine            what making an engine costs
parts             share of each step in one frame, by a profile of processor time

python benchmarks/synth_speed.py --face ../shared/data/ict_face_model_light.npz
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import os
import pstats
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from record import save

from mien.learn.synth.model import load_face
from mien.learn.synth.people import draw_person
from mien.learn.synth.render import Engine
from mien.learn.synth.state import Scene, State

GOAL = 50  # frames per second at 128 px on two cores
PEOPLE = 4
STEPS = {
    "Embree: handing over triangles": "trace.py:__init__",
    "Embree: building and casting": "trace.py:first",
    "triangles that may be seen": "surface.py:facing surface.py:meeting",
    "interpolating": "surface.py:_interpolated",
    "shading": "shade.py:shade",
    "shadow": "render.py:_shadow",
    "normals": "surface.py:faces surface.py:normals",
    "blendshapes": "model.py:express units.py:blendshapes",
    "spoiling": "spoil.py:spoil",
}


def states(count: int) -> list[State]:
    """A head that turns and a face that talks, smiles and blinks."""
    rng = np.random.default_rng(1)
    phase = rng.uniform(0, 6, 6)
    made = []
    for number in range(count):
        wave = 0.5 + 0.5 * np.sin(number / 5 + phase)
        units = {"AU12": (wave[0], wave[1]), "AU06": (wave[0], wave[0]), "AU25": (wave[2], wave[2]),
                 "AU26": (wave[3], wave[3]), "AU01": (wave[4], wave[4])}  # fmt: skip
        units = {name: (float(left), float(right)) for name, (left, right) in units.items()}
        pose = (0.5 * float(wave[5] - 0.5), 0.2 * float(wave[4] - 0.5), 0.1 * float(wave[3] - 0.5))
        blink = float(number % 25 == 0)
        made.append(State(units=units, pose=pose, gaze=(0.1, 0.0), blink=(blink, blink), pulse=float(wave[1])))
    return made


def render_all(engine: Engine, size: int, count: int) -> None:
    people = [draw_person(number) for number in range(PEOPLE)]
    for number, state in enumerate(states(count)):
        engine.render(people[number % PEOPLE], state, Scene(size=size, noise=2.0, seed=number))


def rounds(engine: Engine, size: int, count: int, repeats: int) -> dict[str, float]:
    """Processor time per frame, ms."""
    render_all(engine, size, PEOPLE)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        render_all(engine, size, count)
        times.append((time.process_time() - start) / count * 1e3)
    low, middle, high = np.percentile(times, [0, 50, 100])
    return {
        "cpu_ms": round(float(middle), 2),
        "least": round(float(low), 2),
        "most": round(float(high), 2),
        "frames_per_second_on_two_cores": round(2000 / float(middle), 1),
        "n": repeats,
    }


def worker(path: Path, size: int, count: int, gate: Any) -> None:
    engine = Engine(load_face(path))
    render_all(engine, size, PEOPLE)
    gate.wait()
    render_all(engine, size, count)
    gate.wait()


def together(path: Path, size: int, count: int, processes: int = 2) -> dict[str, float]:
    """Wall-clock time of all frames, when every process has its engine and knows its people."""
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(processes + 1)
    made = [context.Process(target=worker, args=(path, size, count // processes, gate)) for _ in range(processes)]
    for one in made:
        one.start()
    gate.wait()
    start = time.perf_counter()
    gate.wait()
    seconds = time.perf_counter() - start
    for one in made:
        one.join()
    return {"frames_per_second": round(count / seconds, 1), "frames": count, "processes": processes}


def parts(engine: Engine, size: int, count: int) -> dict[str, float]:
    """Share of steps in the time of `render`."""
    profile = cProfile.Profile(time.process_time)
    profile.enable()
    render_all(engine, size, count)
    profile.disable()
    found: dict[str, float] = {}
    for (file, _, name), (_, _, _, whole, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        found[f"{Path(file).name}:{name}"] = whole
    whole = found["render.py:render"]
    return {
        step: round(sum(found.get(name, 0.0) for name in names.split()) / whole, 3) for step, names in STEPS.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, required=True, help="ict_face_model_light.npz")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    told = parser.parse_args()
    start = time.process_time()
    engine = Engine(load_face(told.face))
    results: dict[str, Any] = {"engine": {"cpu_ms": round((time.process_time() - start) * 1e3)}}
    start = time.process_time()
    for number in range(100, 110):
        engine.render(draw_person(number), State(), Scene())
    first = (time.process_time() - start) / 10 * 1e3
    for size in (64, 128, 256):
        results[f"frames, {size} px"] = rounds(engine, size, told.frames, told.repeats)
    results["a new person"] = {"cpu_ms": round(first - results["frames, 128 px"]["cpu_ms"], 1)}
    results["parts, 128 px"] = parts(engine, 128, told.frames)
    results["two processes, 128 px"] = together(told.face, 128, 4 * told.frames)
    results["goal"] = {"frames_per_second": GOAL, "px": 128, "cores": 2}
    path = save("synth_speed", results, sys.argv)
    print(path.read_text(encoding="utf8"))


if __name__ == "__main__":
    main()
