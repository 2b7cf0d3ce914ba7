"""Do scores fall with time, or do days differ by more? A simulated study in which a camera was changed.

python examples/audit_longitudinal.py [SCORES.csv]      columns subject, date, score (and reference_date, device)
"""

import sys

from mien.audit.longitudinal import Longitudinal, read_records
from mien.audit.longitudinal.simulated import Simulation

if sys.argv[1:]:
    scores = read_records(sys.argv[1])
else:
    scores = Simulation(people=60, visits=12, captures=4, days=60, joining=1.0, step=-0.05).draw(seed=1)

report = Longitudinal(threshold=0.55, fnmr_limit=0.05, rounds=200).run(scores)
print(report.headline)
for name, metric in report.metrics.items():
    print(f"{name}: {metric.value:.3g} ({metric.low:.3g} to {metric.high:.3g}), n = {metric.n:,}")
for sentence in report.findings:
    print("-", sentence)
