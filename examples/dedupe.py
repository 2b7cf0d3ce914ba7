"""Who is enrolled twice, and whose pictures show two people: found by comparing everybody with everybody.

python examples/dedupe.py        simulated templates; a duplicate and a wrong picture are planted
"""

import numpy as np

import mien
from mien.dedupe import Wanted, dedupe, merge
from mien.types import Sample, Template

rng = np.random.default_rng(0)


def looks(middle: np.ndarray, count: int) -> list[Sample]:
    rows = middle + 0.05 * rng.normal(size=(count, 128))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return [Sample(Template(row, "example"), source=f"{number}.jpg") for number, row in enumerate(rows)]


middles = rng.normal(size=(200, 128))
middles /= np.linalg.norm(middles, axis=1, keepdims=True)
with mien.open_gallery() as people:
    for number, middle in enumerate(middles):
        people.enrol(f"p{number}", looks(middle, 3))
    people.enrol("alias of p7", looks(middles[7], 2))
    people.enrol("p9", looks(middles[33], 1))
    people.keep_points(mien.calibrate(people, fmrs=(1e-3,)).points)
    found = dedupe(people)
    print(f"threshold {found.point.threshold:.3f}, {found.expected:.0f} false pairs expected by chance at most")
    for pair in dedupe(people, Wanted(threshold=0.6)).pairs:
        print(f"one person twice? {pair.one} and {pair.other}, {pair.score:.3f}")
    for odd in found.misfits:
        print(f"another person? {odd.source} of {odd.subject}; it resembles {odd.resembles}")
    print("merged:", merge(people, "p7", "alias of p7").samples, "pictures")
