"""Error rates with intervals from a file of scores: python examples/audit_verification.py [scores.csv]

Without a file it simulates one: 200 people, two captures each, and a recogniser that fails on one comparison in a hundred.
"""

import csv
import random
import sys
import tempfile
from pathlib import Path

from mien.audit.data import read_scores
from mien.audit.recognition.verification import Verification


def simulated(people: int = 200) -> Path:
    """A file of simulated scores; a failed comparison has none."""
    chance = random.Random(0)
    path = Path(tempfile.mkdtemp()) / "scores.csv"
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.writer(file)
        writer.writerow(("probe_subject", "reference_subject", "score"))
        for one in range(people):
            for other in range(one + 1):
                score = chance.gauss(3.5 if one == other else 0, 1)
                writer.writerow((one, other, "" if chance.random() < 0.01 else f"{score:.4f}"))
    return path


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else simulated()
    report = Verification(rounds=500).run(read_scores(path))
    print(report.headline)
    for name, metric in report.metrics.items():
        print(f"{name:16} {metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f}), n = {metric.n:,}")
    print(*report.findings, sep="\n")
