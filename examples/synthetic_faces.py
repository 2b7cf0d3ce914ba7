"""Render faces whose truth is known, and check a measurement against it.

python examples/synthetic_faces.py [FACE.npz]      the face model; without it, that of the registry
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from mien.learn.synth.clips import More, clips
from mien.learn.synth.maker import FaceMaker, face_maker
from mien.learn.synth.program import load_program
from mien.learn.synth.script import changed

path = Path(sys.argv[1]) if sys.argv[1:] else None
make = FaceMaker(path, hashlib.sha256(path.read_bytes()).hexdigest()) if path else face_maker()

# Smiles on the left, on the right and on both sides; the head looks ahead, the light comes from the front.
ahead = {"yaw": 0, "pitch": 0, "roll": 0, "light_yaw": 0, "off": 0}
program = changed(load_program("unilateral"), ahead, {"head": 0, "blinks": 0})
made = clips(program, subjects=2, frames=5, size=64, more=More(make=make))
print(f"synthetic: {made.pixels.shape[0]} clips of {made.pixels.shape[1]} frames, labels {', '.join(made.labels)}")

smile = made.unit_names.index("AU12")
right = 0
for name, pixels, units in zip(made.names, made.pixels.astype(float).mean(-1), made.units, strict=True):
    rest, top = units[:, smile].max(1).argmin(), units[:, smile].max(1).argmax()
    moved = np.abs(pixels[top] - pixels[rest])[36:58]  # around the mouth
    sides = moved[:, 32:].sum(), moved[:, :32].sum()  # the subject's left is on the right of the picture
    seen = "both" if min(sides) > 0.5 * max(sides) else "left" if sides[0] > sides[1] else "right"
    left_truth, right_truth = units[top, smile]
    print(f"{name}: AU12 {left_truth:.2f} left, {right_truth:.2f} right; more moved on: {seen}")
    right += seen == name.split("-")[1]
print(f"The side is right in {right} of {len(made)} clips.")
