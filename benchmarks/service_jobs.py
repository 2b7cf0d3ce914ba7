"""What a video job costs the requests beside it, and what the requests cost the job.

    python benchmarks/service_jobs.py [--seconds 10] [--clients 2] [--rounds 3]

Clients ask one after another who is in a photo, through the queue that requests take. In turn: without a job; with a job as
it is (behind requests: it waits while they queue, and its thread is nicer); with a job that does neither. The video shows
faces at 640 x 360. Told are requests per second, their latency, and how many seconds of video a job does per second.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from record import save

from mien.cli.portraits import portraits
from mien.cli.scenes import from_portraits
from mien.engine import Engine
from mien.serve.jobs import runner, work
from mien.serve.service import Service
from mien.serve.settings import Settings

CACHE = Path(__file__).parents[1] / ".cache"
AS_IT_IS = runner.NICE, work.AWAY


async def clients(service: Service, picture: bytes, count: int, seconds: float) -> list[float]:
    """Latencies in s of `count` clients that ask without a pause."""
    people = service.galleries.open("default", "people")

    def ask(pictures: Sequence[Any]) -> Sequence[Any]:
        return service.engine.identify_many(pictures, people)

    taken: list[float] = []
    ends = time.perf_counter() + seconds

    async def one() -> None:
        while time.perf_counter() < ends:
            begun = time.perf_counter()
            await service.lines.together("identify", ask, picture)
            taken.append(time.perf_counter() - begun)

    await asyncio.gather(*(one() for _ in range(count)))
    return taken


def job(service: Service, video: bytes) -> str:
    """Start a job over the video."""
    number = service.jobs.new_id()
    service.jobs.folder(number).mkdir(parents=True)
    (service.jobs.folder(number) / "upload").write_bytes(video)
    service.jobs.make(number, ("default", "bench"), "video", {"gallery": "people", "upload": "upload"})
    return number


def done(service: Service, numbers: list[str], length: float) -> float:
    """Seconds of video that the jobs did; ends them."""
    total = 0.0
    for number in numbers:
        found = service.jobs.get("default", number)
        total += length * found.progress
        service.jobs.cancel("default", number)
    while service.runner.busy:
        time.sleep(0.05)
    return total


def measured(service: Service, picture: bytes, video: tuple[bytes, float], asked: tuple[int, float], how: str) -> Any:
    """One round."""
    count, seconds = asked
    runner.NICE, work.AWAY = AS_IT_IS if how == "behind" else (0, 0.0)
    numbers = [job(service, video[0]) for _ in range(10)] if how != "none" else []
    time.sleep(0.5 if numbers else 0)
    begun = time.perf_counter()
    taken = asyncio.run(clients(service, picture, count, seconds)) if count else time.sleep(seconds) or []
    length = time.perf_counter() - begun
    return taken, length, done(service, numbers, video[1])


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    photos = portraits(CACHE)
    cases = {
        "requests alone": ("none", given.clients),
        "requests beside a job": ("behind", given.clients),
        "requests beside a job that is not put behind": ("level", given.clients),
        "a job alone": ("behind", 0),
    }
    got: dict[str, list[Any]] = {name: [] for name in cases}
    with tempfile.TemporaryDirectory() as folder:
        scenes = from_portraits(CACHE, Path(folder))
        path = next(one for one in scenes.last if one.suffix == ".mp4")
        service = Service(Settings(data=Path(folder) / "service"), Engine())
        service.open()
        service.engine.enrol(service.galleries.create("default", "people"), "obama", [photos["obama"]])
        from mien import media

        with media.open_video(path) as opened:
            video = path.read_bytes(), opened.duration or 0.0
        picture = photos["obama2"].read_bytes()
        asyncio.run(clients(service, picture, given.clients, 1.0))
        for _ in range(given.rounds):
            for name, (how, count) in cases.items():
                got[name].append(measured(service, picture, video, (count, given.seconds), how))
        service.close()
    results: dict[str, Any] = {}
    for name, rounds in got.items():
        taken = sorted(value for one in rounds for value in one[0])
        length, seen = sum(one[1] for one in rounds), sum(one[2] for one in rounds)
        row: dict[str, Any] = {"video_s_per_s": round(seen / length, 3)} if cases[name][0] != "none" else {}
        if taken:
            row |= {"requests_per_s": round(len(taken) / length, 2), "n": len(taken)}
            row |= {
                "median_ms": round(statistics.median(taken) * 1e3, 1),
                "p95_ms": round(taken[int(0.95 * len(taken))] * 1e3, 1),
            }
        results[name] = row
        print(f"{name:50s} {row}")
    save("service_jobs", results, sys.argv)


if __name__ == "__main__":
    main()
