"""Judge a classifier of expressions on people it has not seen, and hand the report on.

python examples/audit_affect.py [FOLDER]      simulated features of 20 people; the report goes into FOLDER, if given
"""

import sys

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from mien.audit.affect import Affect, from_outcome
from mien.audit.document import prepare, write
from mien.audit.evaluator import OneOf, Samples, evaluate, leave_one_out

rng = np.random.default_rng(0)
labels = rng.choice(["negative", "positive", "surprise"], 400, p=[0.6, 0.25, 0.15])
subjects = np.array([f"person {index % 20}" for index in range(400)])
signal = {"negative": 0.0, "positive": 1.0, "surprise": 2.0}
features = rng.normal(size=(400, 8)) + np.array([signal[name] for name in labels])[:, None] * np.eye(8)[0]

data = Samples(features, labels, subjects)
depths = {
    f"depth {depth}": DecisionTreeClassifier(max_depth=depth, class_weight="balanced", random_state=0)
    for depth in (1, 3, 9)
}
# The depth is chosen inside the training people of every fold, never on the person left out.
outcome = evaluate(OneOf(depths), data, leave_one_out(subjects))
report = Affect(rounds=500).run(from_outcome(outcome, "simulated features"))

print(report.headline)
for finding in report.findings:
    print(finding)
print("chosen:", ", ".join(sorted(set(outcome.chosen.values()))))
if sys.argv[1:]:
    print(write(report, prepare(sys.argv[1])).html)
