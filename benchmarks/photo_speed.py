"""One photo file in, templates out: mien beside the `face_recognition` library's default path, interleaved in one process.

Both decode the same JPEG file, detect, align and embed, on one thread each. Ratios are of medians over all photos and rounds,
for wall time and for processor time; the quartiles are of the ratios photo by photo.

    python benchmarks/photo_speed.py [--data ../shared/data] [--photos 12] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from record import save

from mien import detect, embed, media

SIZES = ((250, 250), (640, 480), (1280, 720))
Encode = Callable[[Path], int]


def theirs() -> Encode:
    """The library as its README uses it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import face_recognition

    return lambda path: len(face_recognition.face_encodings(face_recognition.load_image_file(str(path))))


def ours(embedder_name: str) -> Encode:
    """The default detector with its second looks, and the embedder of that name."""
    detector, embedder = detect.load("mtcnn"), embed.load(embedder_name)

    def encode(path: Path) -> int:
        (faces,) = detector.detect([media.read_image(path)])
        return len(embedder.embed(faces))

    return encode


def cropped(path: Path, width: int, height: int) -> Any:
    """The photo enlarged or reduced until it covers width x height, cut in the middle across and near the top."""
    pixels = cv2.imread(str(path))
    scale = max(width / pixels.shape[1], height / pixels.shape[0])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=way)
    x, y = (pixels.shape[1] - width) // 2, (pixels.shape[0] - height) // 4
    return pixels[y : y + height, x : x + width]


def files(data: Path, folder: Path, size: tuple[int, int], count: int) -> list[Path]:
    """Photos of that size as JPEG files: as they are for 250 x 250, made from larger ones otherwise."""
    if size == (250, 250):
        found = sorted((data / "faces" / "lfw10").rglob("*.jpg"))
        return found[:: max(1, len(found) // count)][:count]
    found = sorted((data / "faces" / "celebrity_pairs").glob("img*.jpg"))
    made = []
    for path in found[:: max(1, len(found) // count)][:count]:
        made.append(folder / f"{size[0]}_{path.name}")
        cv2.imwrite(str(made[-1]), cropped(path, *size), [cv2.IMWRITE_JPEG_QUALITY, 90])
    return made


def timed(encode: Encode, path: Path) -> tuple[float, float, int]:
    """Wall and processor time in ms, and the number of templates."""
    wall, cpu = time.perf_counter(), time.process_time()
    number = encode(path)
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000, number


def compared(paths: list[Path], ways: dict[str, Encode], rounds: int) -> dict[str, Any]:
    """Medians, faces, and how many times faster than the first way each of the others is."""
    times = {name: np.zeros((rounds, len(paths), 2)) for name in ways}
    faces = dict.fromkeys(ways, 0)
    for number in range(rounds):
        for place, path in enumerate(paths):
            for name, encode in ways.items():
                *spent, found = timed(encode, path)
                times[name][number, place] = spent
                faces[name] += found if number == 0 else 0
    reference = next(iter(ways))
    result: dict[str, Any] = {}
    for name, spent in times.items():
        wall, cpu = np.median(spent, axis=(0, 1))
        paired = np.median(times[reference], axis=0) / np.median(spent, axis=0)
        result[name] = {
            "wall_ms": round(float(wall), 1),
            "cpu_ms": round(float(cpu), 1),
            "faster_wall": round(float(np.median(times[reference][..., 0]) / wall), 2),
            "faster_cpu": round(float(np.median(times[reference][..., 1]) / cpu), 2),
            "faster_cpu_quartiles": [round(float(value), 2) for value in np.percentile(paired[:, 1], (25, 75))],
            "faces": faces[name],
            "photos": len(paths),
            "rounds": rounds,
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--photos", type=int, default=12, help="per size")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    ways = {
        "face_recognition": theirs(),
        "mien": ours("dlib_resnet"),
        "mien, 8-bit embedder": ours("dlib_resnet_int8"),
    }
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            paths = files(given.data, Path(folder), size, given.photos)
            for encode in ways.values():
                encode(paths[0])  # models are loaded before the clock runs
            results[f"{size[0]}x{size[1]}"] = compared(paths, ways, given.rounds)
    for size_name, rows in results.items():
        for name, row in rows.items():
            print(
                f"{size_name:>9} {name:22} {row['wall_ms']:7.1f} ms wall {row['cpu_ms']:7.1f} ms cpu  "
                f"x{row['faster_wall']:.1f} wall x{row['faster_cpu']:.1f} cpu  {row['faces']} faces"
            )
    save("photo_speed", results, sys.argv)


if __name__ == "__main__":
    main()
