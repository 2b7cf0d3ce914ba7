"""A search among some finds what a gallery of just these would, in every engine at hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.gallery import BaseGallery, EmbeddedGallery, MemoryGallery
from mien.types import Sample, Template
from mien.where import parse

FILTERS = (
    "site = 'berlin'",
    "number >= 100 and not blocked",
    "number >= 29.999999999999996 and number < 30.000000000000004",
    "subject starts with 'p01' or subject in ('p000', 'p299', 'nobody')",
    "exists note.by and note.by > 'b'",
    "not exists site",
    "site = 'nowhere'",
    "metadata['quo\"te'] = 1",
    "enrolled < '2020' or number between 3 and 4",
)
SITES = ("berlin", "berlin\x00", "bern", None)


@pytest.fixture(params=["memory", "embedded"])
def gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseGallery]:
    made = MemoryGallery() if request.param == "memory" else EmbeddedGallery(tmp_path / "people.db")
    rng = np.random.default_rng(5)
    with made:
        for number in range(300):
            rows = rng.normal(size=(1 + number % 2, 16)).astype(np.float32)
            samples = [Sample(Template(row / np.linalg.norm(row), "s")) for row in rows]
            noted = {"number": number, "site": SITES[number % 4], "blocked": number % 3 == 0, 'quo"te': number % 2}
            noted |= {"note": {"by": "abc"[number % 3]}} if number % 5 else {}
            date = "2019-01-01T00:00:00+00:00" if number == 7 else ""
            made.enrol(f"p{number:03d}", samples, noted, enrolled=date)
        yield made


@pytest.mark.parametrize("text", FILTERS)
def test_a_search_among_some(gallery: BaseGallery, text: str) -> None:
    where = parse(text)
    vector = np.random.default_rng(9).normal(size=16).astype(np.float32)
    probe = Template(vector / np.linalg.norm(vector), "s")
    meant = [one for one in gallery.people() if where.matches(one.subject, one.metadata, one.enrolled)]
    names = {one.subject for one in meant}
    wanted = [match for match in gallery.search(probe, 300) if match.subject in names]
    assert gallery.search(probe, 300, where=where) == wanted
    assert gallery.search(probe, 3, where=where) == wanted[:3]
    assert gallery.search(probe, 300, floor=0.2, where=where) == [match for match in wanted if match.score >= 0.2]
    assert gallery.count(where) == (len(meant), sum(one.samples for one in meant))


def test_metadata_that_change_are_seen(gallery: BaseGallery) -> None:
    probe = next(gallery.samples("p001"))[1].template
    assert gallery.search(probe, 1, where=parse("site = 'moved'")) == []
    gallery.enrol("p001", [sample for _, sample in gallery.samples("p001")], {"site": "moved"})
    assert [one.subject for one in gallery.search(probe, 5, where=parse("site = 'moved'"))] == ["p001"]
    gallery.forget("p001")
    assert gallery.search(probe, 1, where=parse("site = 'moved'")) == []
