"""Presentation attacks from a file of scores: which kind gets through, and how sure is that?

python examples/audit_attack.py [SCORES.csv]      without a file: simulated scores of a detector that has never seen masks
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

from mien.audit.attacks.attack import Attack
from mien.audit.attacks.scores import read_attacks


def simulate(path: Path) -> Path:
    """Bona fide presentations and three kinds of attack; development has 40 people and no mask."""
    rng = np.random.default_rng(7)
    kinds = {"bona_fide": (2.4, 6), "print": (-1.6, 4), "replay": (-1.0, 4), "mask": (0.4, 2)}  # mean, presentations
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["subject", "species", "split", "score"])
        for person in range(120):
            split, mood = "dev" if person < 40 else "eval", rng.normal(0, 0.5)
            for kind, (mean, times) in kinds.items():
                for _ in range(times if kind != "mask" or split == "eval" else 0):
                    rows.writerow([f"p{person}", kind, split, f"{1 / (1 + np.exp(-rng.normal(mean + mood, 1.1))):.4f}"])
    return path


with tempfile.TemporaryDirectory() as folder:
    scores = Path(sys.argv[1]) if sys.argv[1:] else simulate(Path(folder) / "scores.csv")
    report = Attack().run(read_attacks(scores))
print(report.headline)
for name, metric in report.metrics.items():
    print(f"{name:30} {metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f}) of {metric.n}")
for words in (*report.findings, *(f"{problem.kind}: {', '.join(problem.cases)}" for problem in report.problems)):
    print(words)
