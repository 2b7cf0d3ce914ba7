"""Does tracking keep up with a 720p video, and does it see the people that frame by frame detection sees?

Each clip is decoded, scaled to 720p, and run twice, interleaved frame by frame: through the tracker, and through the
detector alone on every frame (one look). Found means that a tracked face shares 0.4 of the union with the detected one.
The goal is 25 frames per second with decoding; on a busy machine the rate by processor time is the one to trust.

    python benchmarks/video_speed.py [--data ../shared/data] [--frames 200] [--height 720]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
from record import save

from mien import detect, media
from mien.detect.boxes import overlaps
from mien.detect.track import Tracker
from mien.types import F32, Face, Frame

SAME = 0.4


@dataclass
class Seen:
    """What one clip gave."""

    decode: list[float] = field(default_factory=list)  # ms per frame
    track: list[float] = field(default_factory=list)
    search: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # of decoding and tracking
    detected: int = 0
    found: int = 0
    more: int = 0  # tracked faces that the detector alone does not see
    tracks: Counter[int] = field(default_factory=Counter)


def scaled(frames: Iterator[Frame], height: int) -> Iterator[Frame]:
    """Frames of that height."""
    for frame in frames:
        if frame.height == height:
            yield frame
        else:
            size = round(frame.width * height / frame.height), height
            yield replace(frame, pixels=np.asarray(cv2.resize(frame.pixels, size, interpolation=cv2.INTER_LINEAR)))


def boxes(faces: list[Face]) -> F32:
    return np.array([face.box for face in faces], np.float32).reshape(-1, 4)


def matched(faces: list[Face], others: list[Face]) -> int:
    """How many of the faces are among the others."""
    return int((overlaps(boxes(faces), boxes(others)).max(axis=1) > SAME).sum()) if faces and others else 0


def watch(path: Path, detector: Any, height: int, most: int) -> Seen:
    """Both ways over one clip."""
    seen, tracker = Seen(), Tracker(detector)
    frames = scaled(media.open_video(path).frames(), height)
    for _ in range(most):
        started, cpu = time.perf_counter(), time.process_time()
        frame = next(frames, None)
        if frame is None:
            break
        decoded = time.perf_counter()
        tracked = tracker.update(frame)
        ended = time.perf_counter()
        seen.cpu.append((time.process_time() - cpu) * 1000)
        found = detector.detect([frame])[0]
        seen.search.append((time.perf_counter() - ended) * 1000)
        seen.decode.append((decoded - started) * 1000)
        seen.track.append((ended - decoded) * 1000)
        seen.detected += len(found)
        seen.found += matched(found, tracked)
        seen.more += len(tracked) - matched(tracked, found)
        seen.tracks.update(face.track for face in tracked)
    return seen


def figures(seen: Seen) -> dict[str, Any]:
    """Rates and counts."""
    whole = sum(seen.decode) + sum(seen.track)
    frames = len(seen.track)
    return {
        "frames": frames,
        "fps_with_decoding": round(1000 * frames / whole, 1),
        "cpu_ms_per_frame": round(sum(seen.cpu) / frames, 1),
        "fps_by_processor_time": round(1000 * frames / sum(seen.cpu), 1),
        "decode_and_scale_ms": round(float(np.mean(seen.decode)), 1),
        "track_ms": round(float(np.mean(seen.track)), 1),
        "track_ms_95th": round(float(np.percentile(seen.track, 95)), 1),
        "every_frame_ms": round(float(np.mean(seen.search)), 1),
        "faces_frame_by_frame": seen.detected,
        "of_those_tracked": seen.found,
        "tracked_besides": seen.more,
        "tracks": len(seen.tracks),
        "frames_per_track": sorted(seen.tracks.values(), reverse=True),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--frames", type=int, default=200, help="of each clip, at most")
    parser.add_argument("--height", type=int, default=720)
    given = parser.parse_args()
    detector = detect.load("mtcnn", retries=())
    results = {}
    for path in sorted((given.data / "video").glob("*.m*")):
        row = figures(watch(path, detector, given.height, given.frames))
        results[path.name] = row
        print(
            f"{path.name:28} {row['fps_with_decoding']:6.1f} fps ({row['fps_by_processor_time']:.1f} by cpu)"
            f"  decode {row['decode_and_scale_ms']:5.1f}  track {row['track_ms']:5.1f} (95th {row['track_ms_95th']:5.1f})"
            f"  every frame {row['every_frame_ms']:5.1f} ms"
            f"  found {row['of_those_tracked']}/{row['faces_frame_by_frame']} + {row['tracked_besides']}"
            f"  tracks {row['frames_per_track']}"
        )
    save("video_speed", results, sys.argv)


if __name__ == "__main__":
    main()
