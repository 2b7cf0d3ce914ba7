"""What faces look like: one reading per face of a picture, or per second of a video; where there is none, why.

python examples/expressions.py [PICTURE_OR_VIDEO ...]      without arguments: the demo's portraits
"""

import sys

import mien
from mien import wire
from mien.cli.portraits import portraits
from mien.compat import tables
from mien.models import places

sources = sys.argv[1:] or [str(path) for path in portraits(places.cache()).values()]

engine = mien.Engine(judges=["expression"])  # or the path of a classifier's card, or the folder of a training run
for source in sources:
    for clip, readings in engine.readings(source, every=1.0):
        found = {reading.kind: reading for reading in readings}  # quality always looks too
        expression, where = found["expression"], f"{source} at {clip.span[0]:.1f} s"
        if not expression.scores:
            print(where, "cannot tell:", *expression.reasons)
            continue
        plane = found["valence_arousal"].scores
        print(where, f"looks {expression.label} ({expression.scores[expression.label]:.2f}),", end=" ")
        print(f"valence {plane['valence']:+.2f}, arousal {plane['arousal']:+.2f}")
        row = tables.fex(wire.seen(clip, readings))  # as Py-Feat writes it; tables.openface is OpenFace's
        print("   ", ", ".join(f"{name} {row[name]:.2f}" for name in tables.EMOTIONS))
