"""How fast the quality components are, and how far those that five points stand in for may be off.

    python benchmarks/iso_quality.py --data ../shared/data

1. Luminance of the standard's frame (616 px square) by table and by three powers per pixel, with numpy both times; all
   components at hand of one 640 x 480 photo, detection left out.
2. Simulated heads of the ICT face model, each another identity, turned, smiling and with an open mouth at random, their
   five points moved by noise of 2 % of the eye distance: how far pose and the distance from eyes to chin are off in 95 of
   100. These are the errors that `mien.judge.iso_quality.components` allows for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from record import save

from mien import detect, media
from mien.judge.iso_quality import assess
from mien.judge.iso_quality.frame import SIDE, luminance, outline
from mien.judge.quality import pose
from mien.types import Frame

F64 = NDArray[np.float64]
LEVEL = np.radians(11.5)  # forward lean of a head that looks at the camera, as in `mien.judge.quality`


def by_powers(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luminance as the formula has it."""
    values = pixels / 255
    linear = np.where(values > 0.04045, ((values + 0.055) / 1.055) ** 2.4, values / 12.92)
    return np.floor(linear @ np.array([0.2126, 0.7152, 0.0722]) * 255 + 0.5).astype(np.uint8)


def best(function: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """Least and median ms of `rounds` calls."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(1000 * (time.perf_counter() - start))
    return min(times), float(np.median(times))


def speed(data: Path) -> dict[str, Any]:
    """Times, and whether both ways agree."""
    pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    table, powers = best(lambda: luminance(pixels), 40), best(lambda: by_powers(pixels), 40)
    photo = media.read_image(data / "faces" / "single" / "single_face.jpg").pixels
    frame = Frame(np.asarray(cv2.resize(photo, (640, 480), interpolation=cv2.INTER_AREA), np.uint8))
    faces = detect.load("mtcnn").detect([frame])[0]
    whole = best(lambda: assess(faces[0], faces), 200)
    return {
        "luminance by table": {"least_ms": round(table[0], 2), "median_ms": round(table[1], 2), "n": 40},
        "luminance by powers": {"least_ms": round(powers[0], 2), "median_ms": round(powers[1], 2), "n": 40},
        "table over powers": {
            "ratio": round(powers[0] / table[0], 1),
            "differing_pixels": int((luminance(pixels) != by_powers(pixels)).sum()),
        },
        "all components of a 640 x 480 photo": {
            "least_ms": round(whole[0], 2),
            "median_ms": round(whole[1], 2),
            "n": 200,
        },
    }


def turned(yaw: float, pitch: float, roll: float) -> F64:
    """(3, 3) of a head in degrees: yaw to the subject's left, pitch up, roll clockwise in the picture."""
    a, b, c = np.radians([yaw, -pitch, roll])
    lean, nod = (np.array([[1, 0, 0], [0, np.cos(d), np.sin(d)], [0, -np.sin(d), np.cos(d)]]) for d in (LEVEL, b))
    shake = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return tilt @ nod @ shake @ lean


def errors(data: Path, heads: int = 4000, noise: float = 0.02) -> dict[str, Any]:
    """95 % quantiles of absolute errors on simulated heads."""
    model = np.load(data / "ict_face_model_light.npz")
    marks = model["idx_to_landmark_verts"]
    mean, deltas = model["neutral"][marks].astype(float), model["identity_deltas"][:, marks].astype(float)
    moved, names = model["expression_deltas"][:, marks].astype(float), [str(name) for name in model["expression_names"]]
    smile, jaw = [names.index(f"mouthSmile_{side}") for side in "LR"], names.index("jawOpen")
    rng, found = np.random.default_rng(0), []
    for _ in range(heads):
        head = mean + np.tensordot(rng.normal(size=len(deltas)), deltas, 1)
        head = head + rng.uniform(0, 1) * moved[smile].sum(0) + rng.uniform(0, 0.4) * moved[jaw]
        eyes = np.array([head[36:42].mean(0), head[42:48].mean(0)])
        head = (head - eyes.mean(0)) / np.linalg.norm(eyes[1] - eyes[0]) * [1, -1, 1]
        angles = rng.uniform(-25, 25), rng.uniform(-15, 15), rng.uniform(-20, 20)
        seen = (head @ turned(*angles).T)[:, :2] * 100
        five = np.array([seen[36:42].mean(0), seen[42:48].mean(0), seen[30], seen[48], seen[54]])
        five = (five + rng.normal(size=(5, 2)) * noise * 100).astype(np.float32)
        to_chin = np.linalg.norm(outline(five)[-1] - five[:2].mean(0))
        true = np.linalg.norm(seen[8] - seen[[36, 39, 42, 45]].mean(0))
        found.append([*np.subtract(pose(five), angles), to_chin / true - 1])
    limits = np.quantile(np.abs(found), 0.95, axis=0)
    names = ("yaw, degrees", "pitch, degrees", "roll, degrees", "eyes to chin, share")
    return {name: {"within": round(float(limit), 3), "n": heads} for name, limit in zip(names, limits, strict=True)}


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    options = parser.parse_args()
    results = {**speed(options.data), **{f"simulated heads: {name}": one for name, one in errors(options.data).items()}}
    for name, one in results.items():
        print(f"{name}: {one}")
    save("iso_quality", results, sys.argv)


if __name__ == "__main__":
    main()
