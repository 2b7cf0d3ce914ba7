"""A gallery whose keys, encryption and decryption are Microsoft SEAL's: for whoever refuses ours."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.errors import GalleryError, InputError, UsageError
from mien.gallery import MemoryGallery, open_gallery
from mien.gallery.sealed import life
from mien.gallery.sealed.cipher import cipher
from mien.gallery.sealed.key_holder import KeyHolder
from mien.gallery.sealed.keys import Keys, load, load_public
from mien.gallery.sealed.matcher import Matcher, Response
from mien.gallery.sealed.opening import make_keys, open_sealed, public_bytes
from mien.gallery.sealed.probe_device import ProbeDevice
from mien.gallery.sealed.profiles import SEAL, SEAL_NOISE
from mien.gallery.sealed.remote import RemoteEnroller
from mien.gallery.sealed.server import MatcherServer
from mien.gallery.sealed.store import Store
from mien.types import Sample

pytest.importorskip("tenseal.sealapi", reason="tenseal is not installed")
Of = Callable[..., list[Sample]]


@pytest.fixture
def at(tmp_path: Path) -> Path:
    """A folder of keys, away from the gallery."""
    return tmp_path / "safe" / "keys"


@pytest.fixture
def people(path: Path, at: Path, of: Of) -> Path:
    """Five people, two templates each, sealed from a plain gallery."""
    plain = MemoryGallery()
    for number in range(5):
        plain.enrol(f"p{number}", of(number))
    made = life.seal(plain, path, make_keys(at, SEAL))
    assert (made.people, made.templates, made.profile) == (5, 10, "seal")
    return path


def test_it_is_a_gallery_like_any_other(people: Path, at: Path, of: Of) -> None:
    with open_gallery(people, keys=at) as gallery:
        assert gallery.search(of(2)[1].template, 1)[0].subject == "p2"
        assert gallery.search(of(2)[1].template, 1)[0].score == pytest.approx(1, abs=1e-4)
        gallery.enrol("ana", of(9))
        assert gallery.forget("p1") == 2
        assert gallery.verify() == []
        assert gallery.search(of(9)[0].template, 1)[0].subject == "ana"
        (_, sample) = next(gallery.samples("p3"))
        assert np.array_equal(sample.template.vector, of(3)[0].template.vector)
    old = load(at)
    assert life.rotate(people, at).identity != old.identity
    with open_gallery(people, keys=at) as gallery:
        assert gallery.search(of(9)[0].template, 1)[0].subject == "ana" and len(gallery) == 5
    with pytest.raises(GalleryError, match="sealed with"):
        open_sealed(people, old)


def test_scores_and_templates_err_as_little_as_the_profile_says() -> None:
    rows = np.random.default_rng(0).standard_normal((100, 512)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    keys, by = Keys.generate(SEAL), cipher(SEAL)
    layout = by.layout(512, 100)
    groups = by.encrypt(keys.secret, layout, rows)
    assert groups.shape == (2, *SEAL.row_shape(layout)) and layout.slots == 64
    assert np.abs(by.templates(keys.secret, layout, groups)[:100] - rows).max() < SEAL.slack(layout)
    errors = []
    for probe in rows[:4]:
        asked = by.probe(keys.public, layout, probe)
        errors.append(by.scores(keys.secret, layout, by.search(groups, asked, layout, 1), asked)[:100] - rows @ probe)
    assert 0.5 * SEAL_NOISE < np.std(errors) < 1.3 * SEAL_NOISE and np.abs(errors).max() < 1e-4


def test_the_probe_device_needs_the_public_key_only(people: Path, at: Path, of: Of) -> None:
    for name in ("secret", "mac", "records", "edge"):
        (at / f"{name}.key").rename(at / f"{name}.away")
    device, matcher = ProbeDevice(load_public(at)), Matcher(Store(people))
    probe = device.encrypt(matcher.head().layout, of(4)[0].template.vector)
    answer = matcher.search(probe)
    for name in ("secret", "mac", "records", "edge"):
        (at / f"{name}.away").rename(at / f"{name}.key")
    with open_sealed(people, at) as gallery:
        holder = KeyHolder(load(at))
        released = holder.release(gallery._index, probe, answer, 0.5)
        assert released.matches[0].subject == "p4"
        body = np.random.default_rng(0).integers(0, 2**24, answer.body.shape, dtype=np.uint32)
        with pytest.raises(GalleryError, match="refused"):
            holder.release(gallery._index, probe, Response(answer.revision, answer.numbers, body), 0.5)
    matcher.close()


def test_answers_are_not_sanitised_and_it_is_said_at_once(people: Path, at: Path, of: Of) -> None:
    with pytest.raises(UsageError, match="cannot be sanitised"):
        Matcher(Store(people), sanitise=True).ready()
    matcher = Matcher(Store(people))
    matcher.ready()
    with MatcherServer(matcher) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            with open_gallery(serving.address, keys=at) as gallery:
                assert gallery.search(of(3)[0].template, 1)[0].subject == "p3"
            with pytest.raises(UsageError, match="where its secret key is"):
                RemoteEnroller(serving.address, at).enrol("cy", of(7))
        finally:
            serving.shutdown()
            thread.join()
    matcher.close()


def test_keys_are_kept_and_checked(people: Path, at: Path) -> None:
    keys = load(at)
    assert keys.secret.root[:64] not in public_bytes(keys)
    for kind in ("secret", "public"):
        path = at / f"{kind}.key"
        whole = path.read_bytes()
        path.write_bytes(whole[:-9] + bytes(9))
        with pytest.raises(InputError):
            load(at)
        path.write_bytes(whole)
    other = at.parent / "other"
    Keys.generate(SEAL).save(other)
    (at / "secret.key").write_bytes((other / "secret.key").read_bytes())
    with pytest.raises(InputError, match="does not belong to the public key"):
        load(at)


def test_without_tenseal_the_remedy_is_named(people: Path, at: Path, of: Of, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenseal.sealapi", None)
    with open_gallery(people, keys=at) as gallery, pytest.raises(UsageError, match=r"mien\[tenseal\]"):
        gallery.search(of(1)[0].template)
