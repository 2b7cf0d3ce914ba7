"""Are error rates the same for all groups? On simulated scores of 240 people; give your own file to judge your system.

python examples/audit_fairness.py [scores.csv]   columns probe_subject, reference_subject, score, probe_X, reference_X
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

from mien.audit.fairness import Fairness, read_scores


def simulated(path: Path) -> Path:
    """Impostors of site B score higher: one threshold for all is looser there."""
    rng = np.random.default_rng(0)
    site = ["A" if person < 120 else "B" for person in range(240)]
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["probe_subject", "reference_subject", "score", "probe_site", "reference_site"])
        for one in range(240):
            for other in range(one + 1):
                centre = 0.9 if one == other else 0.12 if site[one] == site[other] == "B" else 0.0
                for score in rng.normal(centre, 0.2, 4 if one == other else 1):
                    writer.writerow([one, other, f"{score:.4f}", site[one], site[other]])
    return path


with tempfile.TemporaryDirectory() as folder:
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else simulated(Path(folder) / "scores.csv")
    report = Fairness(fmr=1e-2, rounds=300).run([read_scores(given)])
print(report.headline)
for name in ("fmr[site=A]", "fmr[site=B]", "fmr_max_min[site]", "garbe[site]"):
    if name in report.metrics:
        metric = report.metrics[name]
        print(f"{name:20} {metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f}) of {metric.n:,}")
print(*report.findings, sep="\n")
