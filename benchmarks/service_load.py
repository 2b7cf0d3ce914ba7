"""The service under load, against the engine in process and against two others, on loopback.

    python benchmarks/service_load.py                            # all parts, short, and keeps the result
    python benchmarks/service_load.py --parts saturation --seconds 8 --rounds 5
    python benchmarks/service_load.py --parts soak --hours 1     # memory, for a scheduled run

- saturation: identify with all connections busy, over the engine's own batches in this process (`identify_many` of 8 pictures
  on as many threads), the same pictures and gallery, decoding included; segments in turns. Bare, JSON and multipart bodies.
  Beside pictures per second, the processor's time per picture, which other work on the machine does not blur.
- overload: requests that come at 1x and 4x of what it can do, whoever waits; latencies of answers and of 429s.
- restart: people are enrolled while the service is ended (SIGTERM, then SIGKILL) and started again; who is lost?
- others: a minimal FastAPI service around `face_recognition`, and one around the same ONNX weights without batching.
- soak: memory of the service over time at two thirds of its throughput.

The generator shares the cores with what it measures; its own time is in the figures and told (`generator_share`).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import itertools
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image
from record import RESULTS, save

import mien
from mien.cli.portraits import portraits
from mien.types import Sample, Template

ROOT = Path(__file__).parents[1]
PATH = "/v1/galleries/people/identify"
BATCH, CONNECTIONS, PEOPLE = 8, 32, 1000
NAIVE = {
    "onnx": """
        import os
        import mien
        from fastapi import FastAPI, Request
        from starlette.concurrency import run_in_threadpool
        app, engine, people = FastAPI(), mien.Engine(), mien.open_gallery(os.environ["GALLERY"])
        engine.detector, engine.embedder, engine.judges

        @app.post("/identify")
        async def identify(request: Request):
            data = await request.body()
            found = await run_in_threadpool(lambda: list(engine.identify(data, people)))
            return [{"verdict": one.verdict, "subject": one.subject} for one in found]
    """,
    "face_recognition": """
        import io, threading
        import face_recognition, numpy as np
        from fastapi import FastAPI, Request
        from starlette.concurrency import run_in_threadpool
        app = FastAPI()
        known = np.random.default_rng(0).normal(0, 0.08, (1000, 128))
        turn = threading.Lock()  # dlib's nets are not made for threads: without this the process dies

        def who(data):
            image = face_recognition.load_image_file(io.BytesIO(data))
            with turn:
                found = face_recognition.face_encodings(image)
            return [int(np.argmin(face_recognition.face_distance(known, one))) for one in found]

        @app.post("/identify")
        async def identify(request: Request):
            return await run_in_threadpool(who, await request.body())
    """,
}


def requests(path: str, pictures: Sequence[bytes], key: str, form: str) -> list[bytes]:
    """Whole HTTP requests, made beforehand: the generator only writes and reads."""
    made = []
    for data in pictures:
        kind, body = "image/jpeg", data
        if form == "json":
            kind, body = "application/json", json.dumps({"image": base64.b64encode(data).decode()}).encode()
        elif form == "multipart":
            kind = "multipart/form-data; boundary=x"
            head = b'--x\r\ncontent-disposition: form-data; name="image"; filename="a.jpg"\r\ncontent-type: image/jpeg\r\n\r\n'
            body = head + data + b"\r\n--x--\r\n"
        top = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: {kind}\r\n"
        made.append(f"{top}content-length: {len(body)}\r\n\r\n".encode() + body)
    return made


class Line:
    """A kept connection."""

    def __init__(self, port: int) -> None:
        self._port, self._reader, self._writer = port, None, None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body; 0 when the connection broke."""
        try:
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._writer.write(request)
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await self._reader.readexactly(size)
            if b"connection: close" in head:
                self.close()
            return int(head[9:12]), body
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self.close()
            return 0, b""

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


async def closed_loop(port: int, asked: Sequence[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """All connections always busy: answers with 200 per second, after a first second in which the queue fills."""
    turns, counts, times, everything = itertools.cycle(asked), Counter(), [], 0
    starts = time.perf_counter() + 1.0
    ends = starts + seconds

    async def one() -> None:
        nonlocal everything
        line = Line(port)
        while time.perf_counter() < ends:
            begun = time.perf_counter()
            status, _ = await line.ask(next(turns))
            now = time.perf_counter()
            everything += status == 200
            if starts < now <= ends:
                counts[status] += 1
                times.append(now - begun)
        line.close()

    before, own = time.perf_counter(), time.process_time()
    await asyncio.gather(*[one() for _ in range(connections)])
    share = (time.process_time() - own) / (time.perf_counter() - before)
    told = {"per_second": counts[200] / seconds, "statuses": dict(counts), "times": times, "share": share}
    return told | {"all": everything}  # with those before and after the time that counts


async def open_loop(port: int, asked: Sequence[bytes], rate: float, seconds: float) -> dict[int, list[float]]:
    """Requests come at a rate, whoever waits: seconds to the answer, by status."""
    free: list[Line] = []
    times: dict[int, list[float]] = {}

    async def one(request: bytes) -> None:
        line = free.pop() if free else Line(port)
        begun = time.perf_counter()
        status, _ = await line.ask(request)
        times.setdefault(status, []).append(time.perf_counter() - begun)
        free.append(line)

    begun, tasks, random = time.perf_counter(), set(), np.random.default_rng(1)
    at = 0.0
    for request in itertools.cycle(asked):
        at += random.exponential(1 / rate)
        if at > seconds:
            break
        await asyncio.sleep(max(0.0, begun + at - time.perf_counter()))
        tasks.add(task := asyncio.create_task(one(request)))
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    for line in free:
        line.close()
    return times


@contextmanager
def serving(folder: Path, port: int, **settings: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """`mien serve`, ready."""
    usual = {"RATE": "1e9", "BURST": "1000000000", "PORT": str(port), "DATA": str(folder / "kept")}
    named = {f"MIEN_SERVE_{key}": value for key, value in (usual | settings).items()}
    words = [sys.executable, "-m", "mien", "serve", str(folder / "people.db"), "--json"]
    with (folder / "log").open("a") as log:
        env = os.environ | {"OMP_NUM_THREADS": "1"} | named
        one = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True, env=env)
    assert one.stdout is not None
    text = ""
    while line := one.stdout.readline():
        text += line
        if line.startswith("}"):
            break
    else:
        raise SystemExit((folder / "log").read_text()[-2000:])
    try:
        yield one, json.loads(text)
    finally:
        one.send_signal(signal.SIGTERM)
        one.wait(60)
        one.stdout.close()


@contextmanager
def naive(folder: Path, kind: str, port: int) -> Iterator[psutil.Process]:
    """One of the others, ready."""
    (folder / f"naive_{kind}.py").write_text(textwrap.dedent(NAIVE[kind]))
    words = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "uvicorn",
        "--port",
        str(port),
        "--log-level",
        "warning",
        f"naive_{kind}:app",
    ]
    if kind == "face_recognition":
        words += ["--workers", str(os.cpu_count())]
    env = os.environ | {"OMP_NUM_THREADS": "1", "GALLERY": str(folder / "people.db"), "PYTHONPATH": str(folder)}
    one = subprocess.Popen(words, env=env, cwd=folder)
    try:
        _listening(port)
        yield psutil.Process(one.pid)
    finally:
        one.terminate()
        one.wait(30)


def free() -> int:
    """A port that nobody listens at."""
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


def _listening(port: int) -> None:
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("It does not listen.")


def gallery(folder: Path, engine: mien.Engine, pictures: dict[str, bytes]) -> mien.Gallery:
    """Three real people among `PEOPLE` made up."""
    people = mien.open_gallery(folder / "people.db")
    for name in ("obama", "biden"):
        engine.enrol(people, name, [pictures[name]])
    random = np.random.default_rng(0)
    made = random.normal(size=(PEOPLE, len(next(iter(people.samples()))[1].template.vector))).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    space = engine.embedder.space
    people.enrol_many([(f"person {n}", [Sample(Template(row, space, 0.9))]) for n, row in enumerate(made)])
    return people


def in_process(engine: mien.Engine, people: mien.Gallery, pictures: Sequence[bytes], seconds: float) -> float:
    """Pictures per second of the engine's own batches, on as many threads as the service has workers."""
    ends, turns = time.perf_counter() + seconds, itertools.cycle(pictures)

    def work(_: int) -> float:
        begun, done = time.perf_counter(), 0
        while time.perf_counter() < ends:
            engine.identify_many([next(turns) for _ in range(BATCH)], people)
            done += BATCH
        return done / (time.perf_counter() - begun)

    with ThreadPoolExecutor(engine.threads) as pool:
        return sum(pool.map(work, range(engine.threads)))


def saturation(
    one: psutil.Process, port: int, key: str, work: tuple[mien.Engine, mien.Gallery], options: Any, pictures: Any
) -> Any:
    forms = ("raw", "json", "multipart")
    rates: dict[str, list[float]] = {name: [] for name in ("engine", *forms)}
    spent: dict[str, list[float]] = {name: [] for name in ("engine", *forms)}
    shares = []
    asked = {form: requests(PATH, pictures, key, form) for form in forms}
    asyncio.run(closed_loop(port, asked["raw"], CONNECTIONS, 1.0))
    in_process(*work, pictures, 1.0)
    for _ in range(options.rounds):
        before, begun = time.process_time(), time.perf_counter()
        rates["engine"].append(in_process(*work, pictures, options.seconds))
        done = rates["engine"][-1] * (time.perf_counter() - begun)
        spent["engine"].append((time.process_time() - before) / done)
        for form, each in asked.items():
            before, begun = _cpu(one), _answered(port)
            result = asyncio.run(closed_loop(port, each, CONNECTIONS, options.seconds))
            rates[form].append(result["per_second"])
            spent[form].append((_cpu(one) - before) / (_answered(port) - begun))
            shares.append(result["share"])

    def over(found: dict[str, list[float]], form: str, up: bool) -> list[float]:
        pairs = zip(found[form], found["engine"], strict=True)
        return sorted(round(a / b if up else b / a, 3) for a, b in pairs)

    def told(up: bool, found: dict[str, list[float]]) -> dict[str, Any]:
        ratios = {form: over(found, form, up) for form in forms}
        return {
            form: {"median": statistics.median(each), "range": [each[0], each[-1]]} for form, each in ratios.items()
        }

    return {
        "pictures_per_second": {name: [round(value, 1) for value in each] for name, each in rates.items()},
        "rate_over_engine": told(True, rates),
        "cpu_ms_per_picture": {name: round(1000 * statistics.median(each), 1) for name, each in spent.items()},
        "engine_cpu_over_service_cpu": told(False, spent),
        "generator_share_of_a_core": round(statistics.median(shares), 3),
    }


def _cpu(one: psutil.Process) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in (one, *one.children(recursive=True)))


def _answered(port: int) -> float:
    """Pictures that the service has put through its models."""
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/metrics") as page:
        lines = page.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("mien_batch_size_sum"))


def overload(port: int, key: str, capacity: float, seconds: float, pictures: Sequence[bytes]) -> Any:
    asked, found = requests(PATH, pictures, key, "raw"), {}
    for times in (0.8, 1.0, 4.0):
        answered = asyncio.run(open_loop(port, asked, times * capacity, seconds))
        found[f"{times:g}x"] = {"rate": round(times * capacity, 1)} | {
            str(status): {"count": len(each)}
            | {f"p{q}_ms": round(1000 * float(np.percentile(each, q)), 1) for q in (50, 99)}
            for status, each in sorted(answered.items())
        }
    return found


async def _enrol(port: int, key: str, picture: bytes, stop: asyncio.Event, told: list[str], number: int) -> None:
    line = Line(port)
    for turn in itertools.count():
        if stop.is_set():
            break
        name = f"load {number} {turn}"
        path = f"/v1/galleries/people/subjects/{name.replace(' ', '%20')}/samples"
        status, _ = await line.ask(requests(path, [picture], key, "multipart")[0])
        if status in (200, 201):
            told.append(name)
        elif not status:
            await asyncio.sleep(0.1)
    line.close()


def restart(folder: Path, port: int, key: str, picture: bytes) -> Any:
    """Whom the service acknowledged while it was ended and started, and who of them is there."""
    told: list[str] = []
    kinds = []

    async def go() -> None:
        stop = asyncio.Event()
        tasks = [asyncio.create_task(_enrol(port, key, picture, stop, told, number)) for number in range(4)]
        for kind in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            await asyncio.to_thread(_cycle, folder, port, kind)
            kinds.append(kind.name)
        stop.set()
        await asyncio.gather(*tasks)

    asyncio.run(go())
    with mien.open_gallery(folder / "people.db") as people:
        there = {one.subject for one in people.people()}
    return {"ended_by": kinds, "acknowledged": len(told), "lost": len(set(told) - there)}


def _cycle(folder: Path, port: int, kind: signal.Signals) -> None:
    with serving(folder, port) as (one, _):
        time.sleep(4)
        one.send_signal(kind)
        one.wait(60)


def others(folder: Path, port: int, options: Any, pictures: Sequence[bytes], key: str) -> Any:
    """Pictures per second at saturation and the processor's time per picture, in turns with ours."""
    found: dict[str, dict[str, list[float]]] = {}
    one, two = free(), free()
    with (
        serving(folder, port) as (ours, _),
        naive(folder, "onnx", one) as onnx,
        naive(folder, "face_recognition", two) as theirs,
    ):
        asked, plain = (requests(path, pictures, key, "raw") for path in (PATH, "/identify"))
        for _ in range(options.rounds):
            for name, process, at, each in (
                ("mien serve", psutil.Process(ours.pid), port, asked),
                ("same weights, no batching", onnx, one, plain),
                ("FastAPI + face_recognition", theirs, two, plain),
            ):
                before = _cpu(process)
                result = asyncio.run(closed_loop(at, each, CONNECTIONS, options.seconds))
                told = found.setdefault(name, {"per_second": [], "cpu_ms": [], "p99_ms": []})
                told["per_second"].append(round(result["per_second"], 1))
                told["cpu_ms"].append(round(1000 * (_cpu(process) - before) / max(1, result["all"]), 1))
                told["p99_ms"].append(round(1000 * float(np.percentile(result["times"] or [0], 99))))
                if set(result["statuses"]) - {200}:
                    told.setdefault("not_200", []).append(str(result["statuses"]))
    return found


def soak(folder: Path, port: int, key: str, hours: float, capacity: float, pictures: Sequence[bytes]) -> Any:
    """Memory of the service while it works: MB after a tenth of the time and at the end, and per hour between."""
    asked, seen, counts = requests(PATH, pictures, key, "raw"), [], Counter()
    with serving(folder, port) as (one, _):
        process, begun, ends = psutil.Process(one.pid), time.time(), time.time() + 3600 * hours
        while time.time() < ends:
            found = asyncio.run(open_loop(port, asked, capacity * 2 / 3, min(15.0, 3600 * hours / 8)))
            counts.update({status: len(each) for status, each in found.items()})
            seen.append((time.time() - begun, process.memory_info().rss / 1e6))
    later = [(t, mb) for t, mb in seen if t >= 0.1 * seen[-1][0]]
    slope = float(np.polyfit([t for t, _ in later], [mb for _, mb in later], 1)[0]) * 3600 if len(later) > 2 else 0.0
    return {
        "hours": round(seen[-1][0] / 3600, 3),
        "answers": {str(key_): value for key_, value in counts.items()},
        "mb_first_and_last": [round(later[0][1]), round(later[-1][1])],
        "mb_per_hour": round(slope, 1),
        "mb": [round(mb) for _, mb in seen[:: max(1, len(seen) // 40)]],
    }


def smaller(data: bytes, size: int) -> bytes:
    """The photo with its longer side of `size` px, as a camera at a door gives it."""
    image = Image.open(io.BytesIO(data))
    image.thumbnail((size, size))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def main() -> None:
    options = parsed()
    parts = options.parts.split(",")
    port = free()
    results: dict[str, Any] = {}
    files = {name: path.read_bytes() for name, path in portraits(ROOT / ".cache").items()}
    pictures = [smaller(files[name], options.size) for name in ("obama", "obama2", "obama3", "biden")]
    with tempfile.TemporaryDirectory() as name:
        folder, engine = Path(name), mien.Engine(threads=os.cpu_count())
        people = gallery(folder, engine, files)
        with serving(folder, port) as (one, said):
            key, capacity = said["admin_key"], 0.0
            if "saturation" in parts:
                results["saturation"] = saturation(
                    psutil.Process(one.pid), port, key, (engine, people), options, pictures
                )
                capacity = statistics.median(results["saturation"]["pictures_per_second"]["raw"])
                print(json.dumps(results["saturation"], indent=1), flush=True)
            asked = requests(PATH, pictures, key, "raw")
            capacity = capacity or asyncio.run(closed_loop(port, asked, CONNECTIONS, 4.0))["per_second"]
            if "overload" in parts:
                results["overload"] = overload(port, key, capacity, options.seconds * 2, pictures)
                print(json.dumps(results["overload"], indent=1), flush=True)
        people.close()
        if "restart" in parts:
            results["restart"] = restart(folder, port, key, files["obama"])
            print(json.dumps(results["restart"], indent=1), flush=True)
        if "others" in parts:
            results["others"] = others(folder, port, options, pictures, key)
            print(json.dumps(results["others"], indent=1), flush=True)
        if "soak" in parts:
            results["soak"] = soak(folder, port, key, options.hours, capacity, pictures)
            print(json.dumps(results["soak"], indent=1), flush=True)
    if not options.dry:
        kept = RESULTS / "service_load.json"
        words = " ".join(sys.argv[1:])
        told = {part: {"options": words, "load": os.getloadavg()[0], "found": found} for part, found in results.items()}
        before = json.loads(kept.read_text())["results"] if kept.exists() and options.add else {}
        save("service_load", before | told, sys.argv)


def parsed() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="saturation,overload,restart,others,soak")
    parser.add_argument("--seconds", type=float, default=5.0, help="of a segment")
    parser.add_argument("--size", type=int, default=800, help="px of a picture's longer side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hours", type=float, default=0.01, help="of the soak")
    parser.add_argument("--add", action="store_true", help="to the parts that are kept already")
    parser.add_argument("--dry", action="store_true", help="keep nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
