"""How fast a sealed gallery is searched, beside the plaintext product, the paper's shape on SEAL and the naive loop.

    OMP_NUM_THREADS=1 python benchmarks/sealed_search.py
    OMP_NUM_THREADS=1 python benchmarks/sealed_search.py --people 1000 --rivals 1000
    OMP_NUM_THREADS=1 python benchmarks/sealed_search.py --million            # 11 GB of memory

Everything of one size is timed in turns in one run: CPU time of the process, linear algebra on one thread, medians with
intervals of a bootstrap over rounds. Goals are ratios of these. Templates are simulated; every gallery is really encrypted,
every way must name the right person, and its largest score error is kept. No network. `mien reproduce pfip` shows the same
with accuracies.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from record import save

from mien.gallery.sealed.profiles import PROFILES
from mien.reproduce import pfip_people as people_of
from mien.reproduce import pfip_rivals as rivals
from mien.reproduce.pfip import sums
from mien.reproduce.pfip_measures import Bench, Timed
from mien.reproduce.pfip_timing import median, one_thread, ratio
from mien.types import Metric

MOST_EXACT = 40_000  # the exact profile is timed up to here
GOALS: Sequence[tuple[int, str, str, float, bool]] = (  # templates, what, over what, bound, whether at most
    (1_000, "standard", "plain", 30, True),
    (1_000, "rebuild", "standard", 50, False),
    (100_000, "standard: search", "plain", 4, True),
    (100_000, "open: search", "plain", 1.3, True),
)


def shown(metric: Metric) -> dict[str, float]:
    digits = (float(f"{value:.4g}") for value in (metric.value, metric.low, metric.high))
    return {**dict(zip(("value", "low", "high"), digits, strict=True)), "n": metric.n}


def size(count: int, dimension: int, rounds: int, few: int) -> Timed:
    """One size, all ways in turns."""
    people = people_of.simulated(count, 1, people_of.EASY, 0, dimension)
    profiles = {name: one for name, one in PROFILES.items() if name == "standard" or count <= MOST_EXACT}
    return Bench(people, profiles, few).run(rounds)


def told(done: Timed) -> dict[str, Any]:
    times = {**done.times, **sums(done)}
    wrong = [way for way, row in done.answers.items() if row != done.mate]
    if wrong:
        raise SystemExit(f"named the wrong person: {', '.join(wrong)}")
    found: dict[str, Any] = {
        "ms CPU": {name: shown(median(values)) for name, values in times.items() if name != "naive" or done.few},
        "ratio to plain": {
            name: shown(ratio(values, times["plain"])) for name, values in times.items() if name != "plain"
        },
        "largest score error": {way: float(f"{error:.3g}") for way, error in done.errors.items()},
        "bytes": done.bytes,
        "bytes per template": {way: round(held["gallery"] / done.people, 1) for way, held in done.bytes.items()},
    }
    if done.few:
        found["naive loop"] = f"{done.few} templates timed, scaled to {done.people:,}"
        found["ratio to standard"] = {
            name: shown(ratio(times[name], times["standard"])) for name in ("rebuild", "naive")
        }
    return found


def goals(done: Sequence[Timed]) -> list[dict[str, Any]]:
    found = []
    for count, what, over, bound, at_most in GOALS:
        for one in done:
            times = {**one.times, **sums(one)}
            if one.people == count and what in times and over in times:
                measured = ratio(times[what], times[over])
                met = measured.value <= bound if at_most else measured.value >= bound
                words = f"{count:,}: {what} / {over} {'at most' if at_most else 'at least'} {bound:g}"
                found.append({"goal": words, "measured": shown(measured), "met": met})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rivals", type=int, default=1_000, help="the rivals take part up to so many people")
    parser.add_argument("--few", type=int, default=4, help="templates of the naive loop that are timed")
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--million", action="store_true", help="1,000,000 people too")
    options = parser.parse_args()
    counts = [*options.people, *([1_000_000] if options.million else [])]
    done = []
    with one_thread():
        for count in counts:
            few = options.few if count <= options.rivals and rivals.available() else 0
            done.append(size(count, options.dimension, max(5, options.rounds // (1 if count < 100_000 else 2)), few))
    results: dict[str, Any] = {
        "goals": goals(done),
        **{f"{one.people} x {options.dimension}": told(one) for one in done},
    }
    print(save("sealed_search", results, sys.argv).read_text("utf8"))


if __name__ == "__main__":
    main()
