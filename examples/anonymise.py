"""Everybody hidden in a photo, and then everybody but the people enrolled.

python examples/anonymise.py ENROLLED PHOTO OTHER      ENROLLED and PHOTO show one person, OTHER shows another
"""

import sys
import tempfile
from pathlib import Path

import mien
from mien import edit
from mien.cli.edit.keeping import Known
from mien.decide import Policy
from mien.media import read_image, read_mark, write_image

enrolled, photo, other = sys.argv[1:4]
engine = mien.Engine()
editor = edit.load("pixelate")
with tempfile.TemporaryDirectory() as folder, mien.open_gallery() as people:
    engine.enrol(people, "ana", [enrolled])
    (hidden,) = edit.anonymised([read_image(photo)], engine.faces, editor)
    out = Path(folder, "hidden.png")
    write_image(hidden.frame, out, mark=editor.name)
    print(f"hidden: {len(hidden.hidden)}, marked {read_mark(out)}, found again: {len(engine.faces(hidden.frame))}")
    keep = Known.of(engine, people, Policy())
    for path in (photo, other):
        (left,) = edit.anonymised([read_image(path)], engine.faces, editor, keep)
        print(f"{Path(path).name}: {len(left.kept)} left as they are, {len(left.hidden)} hidden")
