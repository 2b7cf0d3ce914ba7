"""What a threshold for 300 people is worth once 3,000 are enrolled, and what it should be then.

python examples/growth.py
"""

import numpy as np

import mien
from mien.types import Sample, Template

rng = np.random.default_rng(0)
vectors = rng.normal(size=(300, 32)) + rng.uniform(0.5, 2, (300, 1))  # stand-ins for templates: some look like many
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

people = mien.open_gallery()
for number, vector in enumerate(vectors.astype(np.float32)):
    people.enrol(f"person {number}", [Sample(Template(vector, "drawn"))])

found = mien.calibrate(people, fpirs=(0.01,), sizes=(300, 1000, 3000))
for row in found.sizes.rows:
    how = "predicted" if row.predicted else "counted"
    left = row.unchanged
    print(f"{row.size:,} people: threshold {row.point.threshold:.3f} ({how});", end=" ")
    print(f"left as it is, {left.value:.1%} of strangers named ({left.low:.1%} to {left.high:.1%})")

people.keep_points(found.points)
policy = mien.Policy(fpir=0.01)
print("for 2,000 people:", policy.sized(people.points, 2000).subjects, "is the size whose threshold serves")
print(policy.growth_warning(people.points, (), 3001, 3001, "people.db"))
