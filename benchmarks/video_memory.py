"""Does identifying people in a one-hour video run in flat memory?

The hour is made by looping a short video of one person (tests of other projects, or --video): every frame is decoded, tracked,
judged and its best shots embedded, as `mien identify` does. Resident memory is looked at ten times a second by a second thread.

    python benchmarks/video_memory.py [--video FILE] [--minutes 60] [--rate 5] [--height 360]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import psutil
from record import save

import mien
from mien import media

MB = 1024 * 1024


def loop(source: Path, target: Path, minutes: float, rate: int, height: int) -> int:
    """Write `target`: the frames of `source` over and over at `rate` frames per second. Returns the number of frames."""
    frames = [frame.pixels for frame in media.frames_of(source)][:: max(1, 25 // rate)]
    width = frames[0].shape[1] * height // frames[0].shape[0] // 2 * 2
    small = [cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA) for pixels in frames]
    wanted = round(minutes * 60 * rate)
    with av.open(str(target), "w") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(wanted):
            frame = av.VideoFrame.from_ndarray(small[number % len(small)], format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return wanted


def watch(done: threading.Event, seen: list[float]) -> None:
    """Resident memory in MB, ten times a second."""
    process = psutil.Process()
    while not done.wait(0.1):
        seen.append(process.memory_info().rss / MB)


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--video", type=Path, default=Path("../shared/data/video/WolfgangLanger_Pexels.mp4"))
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, default=5)
    parser.add_argument("--height", type=int, default=360)
    given = parser.parse_args()
    engine, people = mien.Engine(), mien.open_gallery()
    first = next(iter(engine.clips(given.video)))
    people.enrol("the one", [mien.Sample(engine.template(first))])
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "hour.mp4"
        frames = loop(given.video, film, given.minutes, given.rate, given.height)
        seen: list[float] = []
        done = threading.Event()
        watcher = threading.Thread(target=watch, args=(done, seen))
        watcher.start()
        start = time.perf_counter()
        try:
            decisions = list(engine.identify(film, people))
        finally:
            done.set()
            watcher.join()
        taken = time.perf_counter() - start
    quarter = max(1, len(seen) // 4)
    results = {
        "minutes": given.minutes,
        "frames": frames,
        "size": f"height {given.height}",
        "seconds": round(taken, 1),
        "frames_per_second": round(frames / taken, 1),
        "people": [[decision.verdict, decision.subject, decision.span] for decision in decisions][:20],
        "decisions": len(decisions),
        "resident_mb": {
            "peak": round(max(seen)),
            "median of the second quarter": round(sorted(seen[quarter : 2 * quarter])[quarter // 2]),
            "median of the last quarter": round(sorted(seen[-quarter:])[quarter // 2]),
        },
    }
    for name, value in results.items():
        print(f"{name:20s} {value}")
    save("video_memory", {"identify": results}, sys.argv)


if __name__ == "__main__":
    main()
