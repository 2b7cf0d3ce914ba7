"""A program written for face_recognition, unchanged but for its import: who of the known people is in a picture?

python examples/compat_face_recognition.py [KNOWN... PICTURE]      without arguments: the demo's portraits
"""

import sys
from pathlib import Path

import mien.compat.face_recognition as face_recognition
from mien.cli.portraits import portraits
from mien.models import places


def pictures() -> list[str]:
    """Those of the command line, or the demo's."""
    if len(sys.argv) > 2:
        return sys.argv[1:]
    have = portraits(places.cache())
    return [str(have[name]) for name in ("obama", "biden", "obama2")]


*known_files, unknown_file = pictures()
names = [Path(file).stem for file in known_files]
known = [face_recognition.face_encodings(face_recognition.load_image_file(file))[0] for file in known_files]

image = face_recognition.load_image_file(unknown_file)
boxes = face_recognition.face_locations(image)
for (top, right, bottom, left), encoding in zip(boxes, face_recognition.face_encodings(image, boxes), strict=True):
    distances = face_recognition.face_distance(known, encoding)
    nearest = int(distances.argmin())
    same = face_recognition.compare_faces(known, encoding)[nearest]
    who = names[nearest] if same else "nobody known"
    print(f"{who} at {left},{top} to {right},{bottom}: distance {distances[nearest]:.2f} to {names[nearest]}")
