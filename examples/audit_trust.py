"""Train a small classifier, export it with its card, and ask what may be relied on: python audit_trust.py FOLDER

The pictures are simulated: noise with a bar across, a bar upright, or none.
"""

import sys
from pathlib import Path

import numpy as np

from mien import models
from mien.audit.document import write
from mien.audit.trust import Trust, TrustData
from mien.judge.onnx import OnnxJudge
from mien.reproduce.patch_classifier import fit
from mien.reproduce.patch_onnx import About, export


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count)
    pictures = rng.normal(120, 12, (count, 24, 24))
    pictures[labels == 0, 10:14, 4:-4] += 20
    pictures[labels == 1, 4:-4, 10:14] += 20
    return np.clip(pictures, 0, 255).astype(np.uint8), labels


folder = Path(sys.argv[1])
model = fit(*bars(400, seed=0), ("flat", "tall", "none"), filters=12)
judge = OnnxJudge(models.card(export(model, folder, About("bars", "Which bar.", "400 simulated pictures."))))

pictures, truth = bars(200, seed=1)
crops = judge.crops_of([np.repeat(picture[..., None], 3, axis=2) for picture in pictures])
names = tuple(f"picture {number}" for number in range(len(truth)))
report = Trust(rounds=100, spoilt=50).run(TrustData(judge, names, crops, truth, np.ones(len(truth), bool)))
print(report.headline)
for row in report.tables["Requirements"]:
    if row["state"] != "met":
        print(f"{row['state']}: {row['requirement']}")
print(write(report, folder).html)
