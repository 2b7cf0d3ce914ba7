"""A gallery that is searched while it stays encrypted: seal, search with matcher and keys apart, forget, rotate.

python examples/sealed.py        simulated templates; keys and gallery in two temporary folders
"""

import tempfile
from pathlib import Path

import numpy as np

import mien
from mien.gallery.sealed import life
from mien.gallery.sealed.key_holder import KeyHolder
from mien.gallery.sealed.keys import load, load_public
from mien.gallery.sealed.opening import make_keys
from mien.gallery.sealed.preselection import components, hits
from mien.types import Sample, Template

rows = np.random.default_rng(0).standard_normal((300, 512)).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
people, others = rows[:100], rows[100:]
probe = people[42] + 0.9 * others[0]
probe = Template(probe / np.linalg.norm(probe), "example")
with tempfile.TemporaryDirectory() as safe, tempfile.TemporaryDirectory() as disk, mien.open_gallery() as plain:
    for number, row in enumerate(people):
        plain.enrol(f"p{number}", [Sample(Template(row, "example"))])
    keys, path = Path(safe, "keys"), Path(disk, "people.sealed")
    made = life.seal(plain, path, make_keys(keys, "standard"))
    print(f"{made.templates} templates sealed in {made.bytes:,} bytes")
    print(
        "a probe device needs the public key alone:", load_public(keys).identity == KeyHolder(load(keys)).keys.identity
    )
    with mien.open_gallery(path, keys=keys) as people_sealed:
        for name, gallery in (("plain", plain), ("sealed", people_sealed)):
            best = gallery.search(probe, 1)[0]
            print(f"{name}: {best.subject} {best.score:.4f}")
        people_sealed.forget("p42")
        print("forgotten; nearest now:", people_sealed.search(probe, 1)[0].subject != "p42")
    old = load_public(keys).identity
    life.rotate(path, keys)
    print("new keys:", load_public(keys).identity != old)
print(*hits(components(others, 64), people, people[:50] * 0.8 + 0.6 * others[:50], np.arange(50), [10]))
