"""What keys and the log cost a service, and what a kill takes from the log.

    python benchmarks/service_security.py [--entries 20000] [--kills 20]

Keys: time of one look at the gate (digest, state, bucket; one thread), and how long after a revocation in another process
the key is refused. Log: entries per second of reads and of changes (each waits for the disk) from 1 and 16 threads, and of
`verify`. Kills: a process adds a change and then reads, is killed with SIGKILL at a random time; every change that was told
must be there, reads may be missing that were younger than GATHER, and the chain must be whole.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from record import save
from starlette.requests import HTTPConnection

from mien.errors import NotAuthenticated
from mien.serve.access import Caller
from mien.serve.gate import Gate
from mien.serve.keys import Keys, number
from mien.serve.log import GATHER, Log
from mien.serve.rates import Rates
from mien.serve.records import Records
from mien.serve.sessions import Sessions
from mien.serve.settings import Settings

MASTER = b"a master secret of a benchmark"
ANNA = Caller("0a", "anna", "admin", "default")


def looks(folder: Path, count: int) -> dict[str, float]:
    """us of CPU per look, and ms from a revocation elsewhere to the end of the look that refuses."""
    settings = Settings(data=folder, rate=1e9, burst=10**9)
    records = Records(settings.records)
    keys, sessions = Keys(records, MASTER), Sessions(records, MASTER)
    gate = Gate(keys, sessions, Rates(records, settings), settings)
    text = keys.make("bench", "reader", "default")
    for other in range(1000):
        keys.make(f"other {other}", "reader", "default")
    found: dict[str, float] = {}
    cookie = sessions.cookie(sessions.begin(number(text), 3600))
    for name, header in (("key", f"Bearer {text}"), ("session", "")):
        given = (b"authorization", header.encode()) if header else (b"cookie", f"mien_session={cookie}".encode())
        scope = {"type": "http", "method": "GET", "headers": [given]}
        gate.caller(HTTPConnection(scope))
        begun = time.thread_time()
        for _ in range(count):
            gate.caller(HTTPConnection(scope))
        found[f"{name}_us_of_cpu"] = (time.thread_time() - begun) / count * 1e6
    elsewhere = Keys(Records(settings.records), MASTER)
    elsewhere.revoke(number(text))
    begun = time.perf_counter()
    try:
        keys.caller(text)
        raise SystemExit("a revoked key was let in")
    except NotAuthenticated:
        found["refused_after_ms"] = (time.perf_counter() - begun) * 1e3
    return found


def entries(folder: Path, count: int) -> dict[str, float]:
    """Entries per second."""
    found = {}
    for threads in (1, 16):
        log = Log(Records(folder / f"log{threads}.db"), MASTER)
        for kind, durable, part in (("reads", False, count), ("changes", True, max(threads, count // 20))):
            begun = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                for done in [pool.submit(add, log, part // threads, durable) for _ in range(threads)]:
                    done.result()
            log.flush()
            found[f"{kind}_{threads}_threads_per_s"] = part // threads * threads / (time.perf_counter() - begun)
        begun = time.perf_counter()
        verdict = log.verify()
        found["verify_per_s"] = verdict.entries / (time.perf_counter() - begun)
        log.close()
    return found


def add(log: Log, count: int, durable: bool) -> None:
    """So many entries; not more at once than may wait."""
    for one in range(count):
        log.add(ANNA, "identify", durable=durable, gallery="people", subject=f"person {one % 100}", verdict="accept")
        if one % 500 == 499:
            log.flush()


def work(folder: Path) -> None:
    """What the process does that is killed: says each change that is durable, and each read with its time."""
    log = Log(Records(folder / "log.db"), MASTER)
    for one in range(10**6):
        log.add(ANNA, "subject.enrol", durable=True, count=one)
        print("change", one, flush=True)
        for _ in range(20):
            log.add(ANNA, "identify", count=one)
            print("read", time.time(), flush=True)
            time.sleep(0.002)


def kills(folder: Path, trials: int, seed: int) -> dict[str, Any]:
    """What was missing after each kill, at worst."""
    chance, lost, changes, oldest = random.Random(seed), 0, 0, 0.0
    for trial in range(trials):
        place = folder / f"kill{trial}"
        place.mkdir()
        process = subprocess.Popen([sys.executable, __file__, "--work", str(place)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.5))
        process.kill()
        killed = time.time()
        told = [line.split() for line in [first, *process.stdout]]
        process.wait()
        log = Log(Records(place / "log.db"), MASTER)
        verdict = log.verify()
        if verdict.fault:
            raise SystemExit(f"trial {trial}: {verdict.fault}")
        kept = [one["action"] for one in log.entries(None, limit=10**6)]
        changes += sum(one[0] == "change" for one in told)
        lost += max(0, sum(one[0] == "change" for one in told) - kept.count("subject.enrol"))
        reads = [float(one[1]) for one in told if one[0] == "read" and len(one) > 1]
        missing = reads[kept.count("identify") :]
        oldest = max([oldest, *(killed - at for at in missing)])
        log.close()
    if lost:
        raise SystemExit(f"{lost} changes that were told are gone")
    return {"kills": trials, "changes_told": changes, "changes_lost": lost, "oldest_read_lost_ms": oldest * 1e3}


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found: dict[str, Any] = {"gate": looks(folder, given.entries), "log": entries(folder, given.entries)}
        found["kills"] = {"gather_ms": GATHER * 1e3} | kills(folder, given.kills, given.seed)
    save("service_security", found, sys.argv)


if __name__ == "__main__":
    main()
