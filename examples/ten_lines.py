"""The whole job: enrol two people, then say who is in a picture.

python examples/ten_lines.py [ANA_1 ANA_2 BEN PICTURE]      without arguments: the demo's portraits
"""

import sys

import mien
from mien.cli.portraits import portraits
from mien.models import places

if sys.argv[1:]:
    ana1, ana2, ben, picture = sys.argv[1:]
else:
    have = portraits(places.cache())
    ana1, ana2, ben, picture = (str(have[name]) for name in ("obama", "obama2", "biden", "obama3"))

engine = mien.Engine()
people = mien.open_gallery()  # in memory; a path, "people.db", makes it last
engine.enrol(people, "ana", [ana1, ana2])
engine.enrol(people, "ben", [ben])
for decision in engine.identify(picture, people):
    print(decision.verdict, decision.subject, *decision.reasons)
