"""Search among some of the people only: python examples/filters.py"""

from __future__ import annotations

import numpy as np

import mien
from mien.types import Sample, Template
from mien.where import parse

drawn = np.random.default_rng(1).normal(size=(300, 128)).astype(np.float32)
faces = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)  # stands in for what an embedder makes of pictures

with mien.open_gallery() as gallery:
    for number, face in enumerate(faces):
        noted = {"site": "berlin" if number % 10 == 0 else "bern", "age": 20 + number % 50, "blocked": number % 7 == 0}
        gallery.enrol(f"person {number}", [Sample(Template(face, "drawn"))], noted)

    where = parse("site = 'berlin' and age >= 30 and not blocked")
    people, templates = gallery.count(where)
    print(f"{people} of {len(gallery)} people: {where}")

    probe = Template(faces[40], "drawn")
    print("among all:", gallery.search(probe, 1)[0].subject)
    print("among them:", gallery.search(probe, 1, where=where)[0].subject)
    print("among the others:", gallery.search(probe, 1, where=~where)[0].subject)
