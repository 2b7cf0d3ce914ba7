"""A gallery of the profile open-probe: the matcher sees the probe, and all else is as in every sealed gallery."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.errors import GalleryError, InputError, UsageError
from mien.gallery import open_gallery
from mien.gallery.sealed import life
from mien.gallery.sealed.index import Index
from mien.gallery.sealed.keys import Keys, load, load_public
from mien.gallery.sealed.matcher import Matcher, Response
from mien.gallery.sealed.open_probe import OpenKey, open_probe, open_templates
from mien.gallery.sealed.opening import make_keys, new_head, open_sealed, public_bytes
from mien.gallery.sealed.probe_device import Probe, ProbeDevice
from mien.gallery.sealed.profiles import OPEN, Layout
from mien.gallery.sealed.remote import RemoteEnroller
from mien.gallery.sealed.scheme import encrypt_probe, encrypt_templates
from mien.gallery.sealed.server import MatcherServer
from mien.gallery.sealed.store import Store
from mien.types import Sample

Of = Callable[..., list[Sample]]
DIMENSION = 64


@pytest.fixture
def at(tmp_path: Path) -> Path:
    """A folder of keys, away from the gallery."""
    Keys.generate(OPEN).save(tmp_path / "safe" / "keys")
    return tmp_path / "safe" / "keys"


@pytest.fixture
def people(path: Path, at: Path, of: Of) -> Path:
    """Five people, two templates each."""
    with open_sealed(path, at) as gallery:
        for number in range(5):
            gallery.enrol(f"p{number}", of(number))
    return path


def only_group(folder: Path) -> np.ndarray:
    matcher = Matcher(Store(folder))
    ((_, body),) = matcher.groups([0]).values()
    matcher.close()
    return body


def test_what_a_matcher_is_asked_is_the_probe_and_the_gallery_is_not_in_the_open(
    people: Path, at: Path, of: Of
) -> None:
    vector, keys = of(1)[0].template.vector, load(at)
    probe = ProbeDevice(load_public(at)).encrypt(Layout(DIMENSION, 1), vector)
    assert np.array_equal(probe.body.view(np.int32), open_probe(vector))
    body = only_group(people)
    assert body.shape == (DIMENSION + 1, 2048) and body.nbytes == 4 * 2048 * (DIMENSION + 1)
    assert 0.99 < body.astype(np.float64).mean() / 2**31 < 1.01  # taken places and empty ones look alike
    held = OpenKey.derive(keys.secret.root, DIMENSION)
    assert held.signs.shape == (DIMENSION, 2048) and abs(held.signs.mean()) < 0.02
    assert np.array_equal(OpenKey.derive(keys.secret.root, 3).signs, held.signs[:3])


def test_every_write_of_a_group_has_a_fresh_public_polynomial(people: Path, at: Path, of: Of) -> None:
    """Two templates in one slot under one of them would give away their difference."""
    seen = [only_group(people)[0]]
    with open_sealed(people, at) as gallery:
        for step in (
            lambda: gallery.enrol("ana", of(9)),
            lambda: gallery.forget("p1"),
            lambda: gallery.enrol("bo", of(8)),
        ):
            step()
            seen.append(only_group(people)[0])
    for one in range(len(seen)):
        for other in range(one):
            assert (seen[one] == seen[other]).mean() < 0.01


def test_forget_really_erases(people: Path, at: Path, of: Of) -> None:
    old, keys = only_group(people), load(at)
    with open_sealed(people, at) as gallery:
        gone = [of(3)[number].template.vector for number in range(2)]
        others = {match.subject: match.score for match in gallery.search(of(1)[0].template, 5)}
        gallery.forget("p3")
        found = {match.subject: match.score for match in gallery.search(of(1)[0].template, 5)}
        assert set(found) == set(others) - {"p3"}
        assert all(abs(score - others[name]) < 1e-4 for name, score in found.items())
        assert gallery.verify() == []
    held = keys.secret.open_key(DIMENSION)
    before, after = (open_templates(held, body[None]) for body in (old, only_group(people)))
    assert all(np.abs(before - vector).max(axis=1).min() < 1e-3 for vector in gone)  # the test would see it
    assert all(np.abs(after - vector).max(axis=1).min() > 0.1 for vector in gone)
    files = b"".join(file.read_bytes() for file in people.rglob("*") if file.is_file())
    for row in old:
        assert row.tobytes()[:64] not in files


def test_rotation_moves_everybody_to_other_keys(people: Path, at: Path, of: Of) -> None:
    old, before = load(at), only_group(people)
    made = life.rotate(people, at)
    assert (made.people, made.templates, made.profile) == (5, 10, "open-probe")
    assert made.identity != old.identity == Keys(old.secret, old.public, old.mac, old.records).identity
    with open_sealed(people, at) as gallery:
        assert gallery.search(of(2)[1].template, 1)[0].subject == "p2"
        assert gallery.search(of(2)[1].template, 1)[0].score == pytest.approx(1, abs=1e-4)
    with pytest.raises(GalleryError, match="sealed with"):
        open_sealed(people, old)
    assert not (before == only_group(people)).mean() > 0.01


def test_the_wrong_kind_of_keys_is_told(people: Path, path: Path, at: Path, keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="they are of the profile standard, and it is of the profile open-probe"):
        open_sealed(people, keys)
    with pytest.raises(InputError, match="of the profile open-probe, not standard"):
        make_keys(at, "standard")
    Keys.generate(OPEN).save(tmp_path / "other")
    (at / "secret.key").write_bytes((tmp_path / "other" / "secret.key").read_bytes())
    with pytest.raises(InputError, match="does not belong to the public key"):
        load(at)
    secret = Keys.generate(OPEN).secret
    with pytest.raises(UsageError, match="no encrypted probes"):
        encrypt_templates(secret, Layout(DIMENSION, 1), np.zeros((1, DIMENSION), np.float32))
    with pytest.raises(UsageError, match="no encrypted probes"):
        encrypt_probe(load_public(at), Layout(DIMENSION, 1), np.zeros(DIMENSION, np.float32))


def test_a_secret_key_that_is_anothers_is_noticed(at: Path) -> None:
    """Also where the headers agree: the public key is bound to the secret."""
    mine, other = load(at), Keys.generate(OPEN)
    mixed = Keys(other.secret, mine.public, mine.mac, mine.records)
    mixed.save(at.parent / "mixed")
    with pytest.raises(InputError, match="does not belong to the public key"):
        load(at.parent / "mixed")


def test_behind_an_address(people: Path, at: Path, of: Of) -> None:
    matcher = Matcher(Store(people), sanitise=True, threads=2)
    with MatcherServer(matcher) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            with open_gallery(serving.address, keys=at) as gallery:
                gallery.enrol("ana", of(9))
                gallery.forget("p0")
                assert gallery.search(of(9)[0].template, 1)[0].subject == "ana"
                assert len(gallery) == 5 and gallery.verify() == []
            with pytest.raises(UsageError, match="where its secret key is"):
                RemoteEnroller(serving.address, at).enrol("cy", of(7))
        finally:
            serving.shutdown()
            thread.join()
    matcher.close()


def test_probes_of_other_shapes_and_answers_without_the_probe_are_refused(people: Path, at: Path, of: Of) -> None:
    matcher, keys = Matcher(Store(people)), load(at)
    good = ProbeDevice(keys.public).encrypt(matcher.head().layout, of(1)[0].template.vector)
    for body in (good.body[:-1], good.body[:, None], good.body.reshape(16, 8), good.body[:0]):
        with pytest.raises(InputError):
            matcher.search(Probe(good.identity, body))
    with open_sealed(people, keys) as gallery:
        holder, index = gallery._holder, gallery._index
        assert isinstance(index, Index)
        response = matcher.search(good)
        with pytest.raises(InputError, match=r"uint32 of \(2, 64\)"):
            holder.matches(index, Probe(good.identity, good.body[:1]), response, 1)
        assert holder.matches(index, good, response, 1)[0].subject == "p1"
        other = ProbeDevice(keys.public).encrypt(matcher.head().layout, of(2)[0].template.vector)
        zeros = Response(response.revision, response.numbers, np.zeros_like(response.body))
        zeros.body[:, 0] = response.body[:, 0]
        for probe, answer in ((other, response), (good, zeros)):  # the wrong secrets are taken away, and noise is left
            with pytest.raises(GalleryError, match="refused"):
                holder.matches(index, probe, answer, 1)
    matcher.close()


def test_the_public_file_says_nothing_of_the_secret(at: Path) -> None:
    keys = load(at)
    text = public_bytes(keys)
    assert len(text) < 400 and keys.secret.signs.tobytes()[:32] not in text and keys.secret.root not in text
    assert new_head(keys).profile == "open-probe"
