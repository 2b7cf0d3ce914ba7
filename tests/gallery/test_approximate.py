"""Approximate search stays shut unless measured, says what it is, and shuts again when what was measured is gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mien.errors import EvidenceError, SpaceMismatch, UsageError
from mien.gallery import EmbeddedGallery, MemoryGallery
from mien.gallery import approximate as room
from mien.gallery.approximate import open_gate
from mien.types import Sample, Template

pytest.importorskip("faiss", reason="faiss is absent (mien[approximate])")
SIZE = 1200


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def made(path: Path, each: int, dimension: int = 8, size: int = SIZE) -> EmbeddedGallery:
    gallery, rng = EmbeddedGallery(path), np.random.default_rng(0)
    centres = unit(rng.normal(size=(size, dimension)))
    people = []
    for number, centre in enumerate(centres):
        rows = unit(centre + 0.02 * rng.normal(size=(each, dimension)))
        people.append((f"p{number:04d}", [Sample(Template(row, "s")) for row in rows]))
    gallery.enrol_many(people)
    return gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[EmbeddedGallery]:
    with made(tmp_path / "people.db", 2) as found:
        yield found


def probes(gallery: EmbeddedGallery, count: int) -> list[Template]:
    rng = np.random.default_rng(3)
    rows = [sample.template.vector for _, sample in gallery.samples()][: 3 * count : 3]
    return [Template(row, "s") for row in unit(np.stack(rows) + 0.05 * rng.normal(size=(len(rows), rows[0].size)))]


def test_an_easy_gallery_opens_the_gate_and_hits_say_what_they_are(gallery: EmbeddedGallery) -> None:
    gate = open_gate(gallery, recall=0.99)
    one = gate.measured
    assert gate.open and one.passed and one.low >= 0.99
    assert (one.people, one.templates, one.probes, one.held_out) == (SIZE, 2 * SIZE, 1000, 1000)
    asked = probes(gallery, 50)
    found, exact = [gate.search(one, 3) for one in asked], gallery.search_many(asked, 3)
    assert sum(one[0] == other[0] for one, other in zip(found, exact, strict=True)) >= 49
    evidence = found[0][0].evidence
    assert evidence is not None and not evidence.exact and evidence.measured_recall == one.low
    assert "HNSW, 1,000 probes" in evidence.proof
    assert all(match.score >= 0.99 for match in gate.search(asked[0], 5, floor=0.99))


def test_people_with_one_template_are_measured_with_noise(tmp_path: Path) -> None:
    with made(tmp_path / "people.db", 1, dimension=32) as gallery:
        one = open_gate(gallery, recall=0.99).measured
    assert one.held_out == 0 and one.held_out_recall is None and one.noised_recall is not None
    assert one.weak_score < 0.9


def test_a_graph_that_misses_keeps_the_gate_shut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LINKS", 2)
    with made(tmp_path / "people.db", 1, dimension=64) as gallery:
        gate = open_gate(gallery, recall=0.99, effort=1)
        assert not gate.open and not gate.measured.passed
        with pytest.raises(UsageError, match="is wanted"):
            gate.search(probes(gallery, 1)[0])


def test_erasing_anybody_shuts_the_gate(gallery: EmbeddedGallery) -> None:
    gate = open_gate(gallery, recall=0.99)
    (probe,) = probes(gallery, 1)
    gallery.forget("p0700")
    with pytest.raises(UsageError, match="erased"):
        gate.search(probe)
    gallery.enrol("p0700", [Sample(probe)])
    assert not gate.open and len(gate._held.vectors) == 0


def test_a_little_growth_is_taken_in_and_much_shuts_the_gate(gallery: EmbeddedGallery, tmp_path: Path) -> None:
    gate = open_gate(gallery, recall=0.99)
    rng = np.random.default_rng(8)
    fresh = [Template(row, "s") for row in unit(rng.normal(size=(300, 8)))]
    with EmbeddedGallery(tmp_path / "people.db") as other:  # as another process would
        other.enrol("newcomer", [Sample(fresh[0])])
        assert gate.search(fresh[0], 1)[0].subject == "newcomer"
        other.enrol("p0000", [Sample(one) for one in fresh[1:240]])
        assert gate.search(fresh[5], 1)[0].subject == "p0000" and gate.open
        other.enrol("p0001", [Sample(fresh[250])])
    with pytest.raises(UsageError, match="has grown from 2,400 to 2,641"):
        gate.search(fresh[0])


def test_what_cannot_be_shown_is_refused(gallery: EmbeddedGallery, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cannot show"):
        open_gate(gallery, recall=0.999, probes=1000)
    with pytest.raises(EvidenceError, match="cannot show"):
        open_gate(gallery, recall=0.9, probes=999)
    with pytest.raises(UsageError, match="no recall"):
        open_gate(gallery, recall=1.0)
    with pytest.raises(UsageError, match="not one file"), MemoryGallery() as other:
        open_gate(other)  # type: ignore[arg-type]
    with EmbeddedGallery(tmp_path / "few.db") as few, pytest.raises(EvidenceError, match="0 templates"):
        open_gate(few, recall=0.99)
    gate = open_gate(gallery, recall=0.99)
    with pytest.raises(SpaceMismatch):
        gate.search(Template(unit(np.ones(8)), "other"))
    with pytest.raises(UsageError):
        gate.search(probes(gallery, 1)[0], 0)


@pytest.mark.parametrize(("hits", "count"), [(1000, 1000), (999, 1000), (0, 1000), (850, 1000), (6000, 6000)])
def test_the_interval_is_the_exact_one(hits: int, count: int) -> None:
    low = stats.beta.ppf(0.025, hits, count - hits + 1) if hits else 0.0
    high = stats.beta.ppf(0.975, hits + 1, count - hits) if hits < count else 1.0
    assert room._interval(hits, count) == pytest.approx((low, high), abs=1e-9)


def test_noised_probes_score_as_drawn() -> None:
    rng = np.random.default_rng(1)
    rows = unit(rng.normal(size=(200, 64)))
    mates = rng.uniform(0.3, 0.9, 100)
    made = room._noised(rows, np.arange(200), mates, 500, rng)
    own = (made @ rows.T).max(axis=1)
    assert made.shape == (500, 64) and np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
    assert np.quantile(own, [0.1, 0.9]) == pytest.approx(np.quantile(mates, [0.1, 0.9]), abs=0.08)


def test_second_templates_are_of_those_who_have_several() -> None:
    owners = np.array([0, 1, 1, 2, 2, 2, 3])
    for seed in range(10):
        rows = room._second_ones(owners, np.random.default_rng(seed))
        assert sorted(owners[rows].tolist()) == [1, 2]


def test_no_engine_loads_it_by_itself() -> None:
    code = "import sys, mien.gallery; print('faiss' in sys.modules, 'mien.gallery.approximate' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        == ["False"] * 2
    )
