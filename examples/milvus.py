"""Two galleries on one Milvus server, as two processes would hold them: python examples/milvus.py milvus://127.0.0.1:19530/people

The server must run (docs/guides/milvus.md)."""

from __future__ import annotations

import sys

import numpy as np

import mien
from mien.types import Sample, Template


def template(seed: int) -> Template:
    """Stands for a face; an embedder makes real ones."""
    row = np.random.default_rng(seed).standard_normal(512, np.float32)
    return Template(row / np.linalg.norm(row), "example")


address = sys.argv[1]
with mien.open_gallery(address) as door, mien.open_gallery(address + "?consistency=strong") as office:
    office.enrol_many([(f"p{number}", [Sample(template(number))]) for number in range(100)])
    office.enrol("ana", [Sample(template(1000)), Sample(template(1001))], {"badge": 17})
    print("enrolled", len(office), "people,", office.templates, "templates")
    again = office.enrol("ana", [Sample(template(1000))])
    print("again:", again, "new")
    best = office.search(template(1001), k=3)[0]
    print("nearest:", best.subject, round(best.score, 6), "exact:", best.evidence.exact if best.evidence else None)
    receipt = office.erase("ana")
    print("erased", receipt.samples, "samples; still there:", "ana" in office)
    print("through the door:", door.people()[0].subject)
