"""Does a long video run in flat memory, what does a picture of 100 MP cost, and how fast are pictures read?

The video is made here: one hour at 10 frames per second, 640x360. Resident memory is looked at every 1,000 frames. The
picture is a JPEG of 10,000 x 10,000 px, read in a process of its own. Reading speed is told against the way
`face_recognition.load_image_file` reads (Pillow, convert, array), interleaved, as medians.

    python benchmarks/media_memory.py [--seconds 3600] [--photo ../shared/data/faces/group_photo.jpg]
"""

from __future__ import annotations

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
from PIL import Image
from record import save

from mien.media import open_video, read_image

RATE = 10  # frames per second
SIZES = ((250, 250), (640, 480), (1280, 720), (6000, 4000))
READ_LARGE = """
import sys, time
from mien.media import read_image
def peak():  # getrusage would begin with the peak of the process that started this one
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
before, start = peak(), time.perf_counter()
read_image(sys.argv[1])
print(peak() - before, time.perf_counter() - start)
"""


def make_video(path: Path, seconds: int) -> None:
    """A disc that moves over a gradient."""
    y, x = np.mgrid[0:360, 0:640]
    ground = np.stack([x * 255 // 640, y * 255 // 360, (x + y) % 256], axis=2).astype(np.uint8)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(seconds * RATE):
            pixels = ground.copy()
            left = number * 4 % 560
            pixels[140:220, left : left + 80] = (230, 180, 150)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def long_video(seconds: int) -> dict[str, Any]:
    """Resident memory while a long video goes by."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hour.mp4"
        make_video(path, seconds)
        process, sizes, count, start = psutil.Process(), [], 0, time.perf_counter()
        for frame in open_video(path).frames():
            count += 1
            if frame.index % 1000 == 999:
                sizes.append(process.memory_info().rss)
        taken = time.perf_counter() - start
    return {
        "frames": count,
        "seconds_of_video": seconds,
        "frames_per_s": round(count / taken),
        "rss_mb_first": round(sizes[0] / 1e6, 1),
        "rss_mb_last": round(sizes[-1] / 1e6, 1),
        "rss_mb_most": round(max(sizes) / 1e6, 1),
    }


def large_picture() -> dict[str, Any]:
    """Peak memory beyond the bare process, and time, for 100 MP."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jpg"
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)).resize(
            (10_000, 10_000)
        ).save(path)
        done = subprocess.run([sys.executable, "-c", READ_LARGE, str(path)], capture_output=True, text=True, check=True)
    kilobytes, seconds = (float(word) for word in done.stdout.split())
    return {
        "peak_mb": round(kilobytes / 1000),
        "bytes_per_px": round(kilobytes * 1024 / 1e8, 2),
        "seconds": round(seconds, 2),
    }


def reading(photo: Path, repeats: int) -> dict[str, Any]:
    """Median time to read one JPEG, ours and the reference's, and the ratio."""
    rows: dict[str, Any] = {}
    whole = Image.fromarray(read_image(photo).pixels)
    for size in SIZES:
        buffer = io.BytesIO()
        whole.resize(size).save(buffer, "JPEG", quality=90)
        data = buffer.getvalue()
        ways: dict[str, Callable[[], Any]] = {
            "mien": lambda data=data: read_image(data),
            "pillow": lambda data=data: np.array(Image.open(io.BytesIO(data)).convert("RGB")),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(max(5, repeats // (1 + size[0] // 2000))):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                taken[name].append(time.perf_counter() - start)
        ours, theirs = (statistics.median(taken[name]) for name in ways)
        rows[f"{size[0]}x{size[1]}"] = {
            "mien_ms": round(1000 * ours, 2), "pillow_ms": round(1000 * theirs, 2), "ratio": round(theirs / ours, 2),
        }  # fmt: skip
    return rows


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--photo", type=Path, default=Path("../shared/data/faces/group_photo.jpg"))
    parser.add_argument("--repeats", type=int, default=41)
    asked = parser.parse_args()
    results: dict[str, Any] = {"long video": long_video(asked.seconds), "JPEG of 100 MP": large_picture()}
    if asked.photo.is_file():
        results["reading JPEG"] = reading(asked.photo, asked.repeats)
    for name, row in results.items():
        print(f"{name:16s} {row}")
    save("media_memory", results, sys.argv)


if __name__ == "__main__":
    main()
