"""Unknown people grouped, a group named and enrolled, and a word taken back.

python examples/cluster.py [PHOTO ...]        without arguments: the demo's portraits
"""

import sys
import tempfile
from pathlib import Path

import mien
from mien.cli.portraits import portraits
from mien.cluster import enrol, open_album
from mien.models import places

photos = sys.argv[1:] or [str(path) for path in portraits(places.cache()).values()]
engine = mien.Engine()
with tempfile.TemporaryDirectory() as folder, open_album(Path(folder, "people.cluster")) as album:
    added, grouped = album.add(engine, photos)
    print(f"{added.photos} photos, {added.faces} faces, {len(grouped.new)} groups")
    print(f"{album.add(engine, photos)[0].known} seen before")
    largest = album.groups()[0]
    for face in album.faces(largest.number):
        print(f"group {largest.number}: f{face.face} in {Path(face.source).name}")
    album.name(largest.number, "Ana")
    with mien.open_gallery() as people:
        print("enrolled:", enrol(album, people))
    print("taken back:", album.undo())
