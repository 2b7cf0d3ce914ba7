"""Preselection inside a gallery: the same scores, a shorter first round, and what that loses and tells."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from mien.errors import EvidenceError, UsageError
from mien.gallery import BaseGallery, MemoryGallery, open_gallery
from mien.gallery.sealed import life
from mien.gallery.sealed.coarse import Coarse, fitted
from mien.gallery.sealed.gallery import SealedGallery
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.matcher import Matcher
from mien.gallery.sealed.opening import open_sealed
from mien.gallery.sealed.preselection import shortlist
from mien.gallery.sealed.probe_device import Probe
from mien.gallery.sealed.profiles import EVERY, profile
from mien.gallery.sealed.remote import RemoteEnroller
from mien.gallery.sealed.server import MatcherServer
from mien.gallery.sealed.store import Store
from mien.types import Sample, Template

D, PEOPLE = 128, 80


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def captured(seed: int = 0) -> np.ndarray:
    """(people, 2, D) simulated, of falling variance so that components say something; two captures of each."""
    random = np.random.default_rng(seed)
    spread = 1 / np.sqrt(1 + np.arange(D) / 8)
    own = unit(random.standard_normal((PEOPLE, D)) * spread)
    return np.stack([unit(own + 0.5 * unit(random.standard_normal((PEOPLE, D)))) for _ in range(2)], axis=1)


ROWS = captured()
OWNERS = [f"p{number:02}" for number in range(PEOPLE) for _ in range(2)]


@pytest.fixture(scope="module")
def plain() -> BaseGallery:
    gallery = MemoryGallery()
    for number, pair in enumerate(ROWS):
        gallery.enrol(f"p{number:02}", [Sample(Template(row, "space")) for row in pair])
    return gallery


@pytest.fixture(params=EVERY)
def people(request: pytest.FixtureRequest, plain: BaseGallery, path: Path) -> Path:
    keys = Keys.generate(profile(request.param))
    keys.save(path.parent / "safe" / "keys")
    life.seal(plain, path, keys, preselect=64)
    return path


def test_a_turn_is_a_turn() -> None:
    """Lengths and angles stay, and it is undone; the first coordinates are the principal components, up to sign."""
    coarse = fitted(ROWS.reshape(-1, D), OWNERS, 64)
    rows = unit(np.random.default_rng(5).standard_normal((50, D)))
    turned = coarse.on(rows)
    assert np.abs(turned @ turned.T - rows @ rows.T).max() < 1e-6
    assert np.abs(coarse.off(turned) - rows).max() < 1e-6
    kept = np.delete(ROWS.reshape(-1, D), np.arange(1, 2 * PEOPLE, 2), axis=0)  # all but everybody's last
    _, directions = np.linalg.eigh(kept.T.astype(np.float64) @ kept)
    known = rows @ directions[:, ::-1][:, :64]
    assert np.abs(np.abs(known) - np.abs(turned[:, :64])).max() < 5e-3  # kept in half precision
    again = Coarse.of(coarse.note())
    assert again is not None and np.array_equal(again.on(rows), turned) and again.hits == coarse.hits


def test_hits_are_those_of_a_count() -> None:
    """Written out for the probe that is everybody's last template."""
    random = np.random.default_rng(1)  # no direction says more than another, and captures are far apart
    own = unit(random.standard_normal((400, 512)))
    rows = np.stack([unit(own + 1.7 * unit(random.standard_normal((400, 512)))) for _ in range(2)], axis=1)
    coarse = fitted(rows.reshape(-1, 512), [f"p{number:03}" for number in range(400) for _ in range(2)], 64)
    kept, probes = rows[:, 0], rows[:, 1]
    codes, asked = coarse.on(kept)[:, :64], coarse.on(probes)[:, :64]
    for one in coarse.hits:
        found = of = 0
        for number in range(400):
            if (kept @ probes[number]).argmax() == number:
                of += 1
                found += number in shortlist(codes @ asked[number], one.size)
        assert (one.found, one.of) == (found, of)
    assert coarse.hits[0].found < coarse.hits[0].of  # some are lost
    told = coarse.told(12)
    assert coarse.hits[3].size == 10 and str(coarse.hits[3]) in told and "The matcher learns" in told
    assert "was not measured" in Coarse(coarse.reflections, ()).told(2)


def test_a_gallery_sealed_for_preselection_answers_as_any(people: Path, plain: BaseGallery) -> None:
    at = people.parent / "safe" / "keys"
    slack = 2e-2 if profile_of(people) == "exact" else 1e-4
    with open_sealed(people, at) as gallery:
        assert gallery.verify() == [] and gallery.coarse is not None
        for number in (3, 40):
            probe = Template(ROWS[number, 1], "space")
            found, wanted = gallery.search(probe, 5), plain.search(probe, 5)
            assert found[0].subject == wanted[0].subject
            assert np.allclose([one.score for one in found], [one.score for one in wanted], atol=slack)
        (_, sample) = next(gallery.samples("p07"))
        assert np.array_equal(sample.template.vector, ROWS[7, 0])


def profile_of(people: Path) -> str:
    with open_sealed(people, people.parent / "safe" / "keys") as gallery:
        return gallery.profile


def test_two_rounds_compare_the_groups_of_the_best(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Probe] = []
    search = Matcher.search

    def watched(self: Matcher, probe: Probe) -> object:
        seen.append(probe)
        return search(self, probe)

    monkeypatch.setattr(Matcher, "search", watched)
    with open_sealed(people, people.parent / "safe" / "keys") as gallery:
        probe = Template(ROWS[11, 1], "space")
        whole = gallery.search(probe, 1)
        groups, short = len(gallery._index.groups), seen[-1].body.size
        gallery.shortlist = 2
        assert gallery.search(probe, 1)[0].subject == whole[0].subject == "p11"
        assert abs(gallery.search(probe, 1)[0].score - whole[0].score) <= 1e-4  # each errs by 1e-5 or so
        first, second = seen[1], seen[2]
        assert first.numbers is None and first.body.size == short // 2  # half of the coordinates
        assert second.numbers is not None and list(second.numbers) == sorted(second.numbers)
        assert len(second.numbers) <= min(2, groups) and second.body.size == short
        assert gallery._holder.ledger._read()["used"] == 3  # two rounds are one search


def test_what_is_not_on_the_shortlist_is_not_found(plain: BaseGallery, path: Path, keys: Keys) -> None:
    """Losses in the gallery are those that were measured, or fewer: groups are compared whole."""
    life.seal(plain, path, keys, preselect=64)
    with open_sealed(path, keys) as gallery:
        gallery._holder.ledger.allow(1000)
        gallery.shortlist = 1
        found = [gallery.search(Template(row, "space"), 200) for row in ROWS[:40, 1]]
        assert all(0 < len(matches) < PEOPLE for matches in found)  # of one group of six
        assert sum(matches[0].subject == f"p{n:02}" for n, matches in enumerate(found)) >= 30


def test_it_lives_on(plain: BaseGallery, path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Enrolling, forgetting and rotating keep the turn."""
    at = tmp_path_factory.mktemp("safe") / "keys"
    keys = Keys.generate(profile("standard"))
    keys.save(at)
    life.seal(plain, path, keys, preselect=64)
    fresh = captured(9)[0]
    with open_gallery(path, keys=at) as gallery:
        gallery.enrol("new", [Sample(Template(fresh[0], "space"))])
        gallery.forget("p03")
        assert gallery.verify() == []
    life.rotate(path, at)
    with open_gallery(path, keys=at) as gallery:
        assert isinstance(gallery, SealedGallery) and gallery.coarse is not None and gallery.verify() == []
        gallery.shortlist = 5
        assert gallery.search(Template(fresh[1], "space"), 1)[0].subject == "new"
        assert "p03" not in gallery
        with pytest.raises(UsageError, match="holds people already"):
            gallery.preselect(gallery.coarse)


def test_what_cannot_be_measured_is_refused(plain: BaseGallery, path: Path, keys: Keys) -> None:
    single = MemoryGallery()
    with pytest.raises(EvidenceError, match="nobody is enrolled"):
        life.seal(single, path, keys, preselect=64)
    single.enrol("ana", [Sample(Template(ROWS[0, 0], "space"))])
    with pytest.raises(EvidenceError, match="nobody here has two templates"):
        life.seal(single, path, keys, preselect=64)
    for size in (0, 63, 128, 1024):
        with pytest.raises(UsageError, match="are no preselection"):
            life.seal(plain, path, keys, preselect=size)
    assert not path.exists()


def test_groups_alone_do_not_show_the_turn(plain: BaseGallery, path: Path, keys: Keys) -> None:
    """Neither names nor the turn are in the files."""
    life.seal(plain, path, keys, preselect=64)
    with open_sealed(path, keys) as gallery:
        assert gallery.coarse is not None
        turn = gallery.coarse.reflections.tobytes()
    files = b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())
    assert turn[:64] not in files


def test_two_rounds_over_http(plain: BaseGallery, path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With sanitised answers, and a matcher that is asked for groups it does not have."""
    at = tmp_path_factory.mktemp("safe") / "keys"
    keys = Keys.generate(profile("standard"))
    keys.save(at)
    life.seal(plain, path, keys, preselect=64)
    matcher = Matcher(Store(path), sanitise=True)
    with MatcherServer(matcher) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            with open_gallery(serving.address, keys=at) as gallery:
                assert isinstance(gallery, SealedGallery)
                gallery.shortlist = 3
                for number in (5, 60):
                    (match,) = gallery.search(Template(ROWS[number, 1], "space"), 1)
                    assert match.subject == f"p{number:02}" and match.score == pytest.approx(1, abs=1e-3)
                fresh = captured(9)[0]
                RemoteEnroller(serving.address, at).enrol("edge", [Sample(Template(fresh[0], "space"))])
                assert gallery.search(Template(fresh[1], "space"), 1)[0].subject == "edge"
                assert gallery.verify() == []
            answer = matcher.search(Probe(keys.identity, np.zeros((2, 2, 2, 2048), np.uint32), (0, 99)))
            assert answer.numbers == (0,) and len(answer.body) == 1
        finally:
            serving.shutdown()
            thread.join()
    matcher.close()
