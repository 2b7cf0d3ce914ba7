"""Another model without losing people: prepare beside the gallery, compare, switch, roll back.

python examples/migration.py obama.jpg obama2.jpg biden.jpg      two photos of one person, one of another
"""

import sys
import tempfile
from pathlib import Path

import mien
from mien import embed
from mien.gallery.moving.prepared import compare_prepared
from mien.gallery.moving.steps import drop, prepare, roll_back, status, switch

one, again, other = sys.argv[1:4]
engine = mien.Engine()
new = embed.load("dlib_resnet_int8")
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "people.db")
    with mien.open_gallery(path) as people:
        engine.enrol(people, "ana", [one, again], keep_images=True)
        prepare(path, new)
        engine.enrol(people, "ben", [other], keep_images=True)  # meanwhile
        print("waiting:", status(path).waiting, "person")
        print("caught up:", prepare(path, new).done, "pictures")
        print(compare_prepared(path, embedders=(engine.embedder, new)).words)
        switch(path, new)
        print("in the new space:", people.space == new.space, [person.subject for person in people.people()])
        people.forget("ben")  # reaches the old index as well
        roll_back(path)
        print("back again:", people.space == engine.embedder.space, [person.subject for person in people.people()])
        print("erased:", *(Path(each).name for each in drop(path)))
