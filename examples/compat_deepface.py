"""A program written for DeepFace, unchanged but for its import: is it the same person, and where else are they?

python examples/compat_deepface.py [PICTURE OTHER FOLDER]      without arguments: the demo's portraits
"""

import sys
from pathlib import Path

from mien.cli.portraits import portraits
from mien.compat import deepface as DeepFace
from mien.models import places

if len(sys.argv) == 4:
    one, other, folder = sys.argv[1:]
else:
    have = portraits(places.cache())
    one, other, folder = str(have["obama"]), str(have["obama2"]), str(have["obama"].parent)

result = DeepFace.verify(one, other)
print(
    "same person" if result["verified"] else "not the same",
    f"at distance {result['distance']:.4f} of {result['threshold']:.4f}",
)
print(
    "which lets through",
    result["evidence"]["fmr"],
    "of different people, after",
    result["evidence"]["comparisons"],
    "comparisons",
)

for face in DeepFace.find(one, folder, return_type="dict"):
    for row in face:
        print(Path(row["identity"]).name, f"{row['distance']:.4f}")
