"""How long until the first answer: `import mien`, `mien --help`, and a first identification in a cold process.

Each is run in fresh processes, interleaved with its reference (`import numpy`, a bare interpreter), and told as the median and
the ratio of medians. The models are cached before the clock starts, as on any second run.

    python benchmarks/start.py [--repeats 15]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import save

from mien.cli.portraits import portraits

MIEN = str(Path(sys.executable).with_name("mien"))


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    taken = time.perf_counter() - start
    if done.returncode > 2:  # 0, 1 and 2 are verdicts
        raise SystemExit(f"{command} failed: {done.stdout}{done.stderr}")
    return taken


def imported(name: str) -> float:
    """Time of one import in a fresh process, without the interpreter's own start."""
    code = f"import time; t = time.perf_counter(); import {name}; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    """Measure and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    photos = portraits(Path(__file__).parents[1] / ".cache")
    with tempfile.TemporaryDirectory() as folder:
        people = str(Path(folder) / "people.db")
        subprocess.run([MIEN, "enrol", people, "obama", str(photos["obama"])], check=True, capture_output=True)
        identify = [MIEN, "identify", people, str(photos["obama2"]), "--json"]
        measures = {
            "import numpy": lambda: imported("numpy"),
            "import mien": lambda: imported("mien"),
            "bare interpreter": lambda: seconds([sys.executable, "-c", "pass"]),
            "mien --help": lambda: seconds([MIEN, "--help"]),
            "first identification, cold process": lambda: seconds(identify),
        }
        taken: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(repeats):
            for name, measure in measures.items():
                taken[name].append(measure())
    results = {
        name: {"median_s": round(statistics.median(values), 4), "least_s": round(min(values), 4), "n": repeats}
        for name, values in taken.items()
    }
    middle = {name: statistics.median(values) for name, values in taken.items()}
    results["import mien over import numpy"] = {"ratio": round(middle["import mien"] / middle["import numpy"], 3)}
    for name, row in results.items():
        print(f"{name:40s} {row}")
    save("start", results, sys.argv)


if __name__ == "__main__":
    main()
