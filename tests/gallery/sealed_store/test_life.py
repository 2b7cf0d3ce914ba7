"""Sealing a plain gallery, rotating keys, and what is left when either is stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.errors import GalleryCorrupt, GalleryError, UsageError
from mien.gallery import BaseGallery, open_gallery
from mien.gallery.base import Newcomer
from mien.gallery.sealed import life, opening
from mien.gallery.sealed.gallery import SealedGallery
from mien.gallery.sealed.keys import load
from mien.gallery.sealed.opening import make_keys
from mien.gallery.sealed.store import ROTATING, Store
from mien.types import Face, Frame, OperatingPoint, Sample

Of = Callable[..., list[Sample]]


@pytest.fixture
def plain(tmp_path: Path, of: Of) -> Iterator[BaseGallery]:
    """Forty people in a plain gallery, some with crops."""
    with open_gallery(tmp_path / "people.db") as gallery:
        for number in range(40):
            samples = of(number, 1 + number % 3)
            if number % 10 == 0:
                frame = Frame(np.random.default_rng(number).integers(0, 256, (24, 24, 3), np.uint8), "é.jpg")
                face = Face(frame, np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
                samples = [Sample(sample.template, face, "é.jpg") for sample in samples]
            gallery.enrol(f"p{number:02d}", samples, {"number": number}, enrolled="2020-01-02T03:04:05+00:00")
        gallery.keep_points([OperatingPoint(0.5, fmr=1e-2, space="space")])
        yield gallery


@pytest.fixture
def at(tmp_path: Path) -> Path:
    """Where keys are kept: not beside the gallery."""
    return tmp_path / "safe" / "keys"


@pytest.fixture
def sealed(plain: BaseGallery, at: Path, tmp_path: Path) -> Path:
    life.seal(plain, tmp_path / "people.sealed", make_keys(at, "standard"))
    return tmp_path / "people.sealed"


def same(one: BaseGallery, other: BaseGallery) -> bool:
    """The same people, byte for byte."""
    assert one.people() == other.people()
    assert (one.space, one.points, one.templates) == (other.space, other.points, other.templates)
    for (name, sample), (known, wanted) in zip(one.samples(), other.samples(), strict=True):
        assert name == known
        assert sample.template.vector.tobytes() == wanted.template.vector.tobytes()
        assert (sample.face is None) == (wanted.face is None)
        assert sample.source == wanted.source
    return True


def test_a_sealed_copy_is_the_same_gallery(plain: BaseGallery, at: Path, tmp_path: Path, of: Of) -> None:
    seen: list[tuple[int, int]] = []
    keys = make_keys(at, "standard")
    made = life.seal(plain, tmp_path / "people.sealed", keys, lambda done, total: seen.append((done, total)))
    assert (made.people, made.templates, made.images) == (40, 79, 7)
    assert seen[-1] == (79, 79)
    assert make_keys(at, "standard").identity == keys.identity == made.identity
    with open_gallery(tmp_path / "people.sealed", keys=at) as gallery:
        assert same(gallery, plain)
        for number in (0, 7, 39):
            found, wanted = gallery.search(of(number)[0].template), plain.search(of(number)[0].template)
            assert [match.subject for match in found] == [match.subject for match in wanted]
            assert np.allclose([m.score for m in found], [m.score for m in wanted], atol=1e-4)
        order = [gallery._index.people[subject].name for subject in gallery._index.subjects]
        assert [name for name in order if name] != sorted(name for name in order if name)  # drawn anew
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    with pytest.raises(UsageError, match="already something"):
        life.seal(plain, tmp_path / "people.sealed", keys)


def test_a_stopped_seal_leaves_nothing(plain: BaseGallery, at: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        life.seal(plain, tmp_path / "people.sealed", make_keys(at, "standard"), stop)
    assert sorted(path.name for path in tmp_path.iterdir() if "sealed" in path.name) == []


def test_a_copy_that_is_not_true_never_takes_its_name(
    plain: BaseGallery, at: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in = SealedGallery.take_in

    def forgetful(self: SealedGallery, newcomers: list[Newcomer], size: int = 0) -> int:
        return take_in(self, newcomers[1:], size)

    monkeypatch.setattr(SealedGallery, "take_in", forgetful)
    with pytest.raises(GalleryCorrupt, match="people are missing"):
        life.seal(plain, tmp_path / "people.sealed", make_keys(at, "standard"))
    assert not (tmp_path / "people.sealed").exists()


def test_rotation_keeps_people_and_ends_old_keys(
    sealed: Path, plain: BaseGallery, at: Path, tmp_path: Path, of: Of
) -> None:
    old = load(at)
    backup = tmp_path / "backup.sealed"
    shutil.copytree(sealed, backup)
    bodies = {path.read_bytes() for path in sealed.glob("groups.*.bin")}
    made = life.rotate(sealed, at)
    assert made.identity == load(at).identity != old.identity
    assert sorted(path.name for path in at.iterdir()) == [
        "edge.key", "ledger.json", "ledger.lock", "mac.key", "public.key", "records.key", "secret.key",
    ]  # fmt: skip
    with open_gallery(sealed, keys=at) as gallery:
        assert same(gallery, plain)
        assert gallery.verify() == []
        assert gallery.search(of(7)[0].template, 1)[0].subject == "p07"
    assert not bodies & {path.read_bytes() for path in sealed.glob("groups.*.bin")}
    assert len(list(sealed.glob("public-*"))) == len(list(sealed.glob("groups.*"))) == 1
    with pytest.raises(GalleryError, match="sealed with"):
        open_gallery(sealed, keys=old)
    with pytest.raises(GalleryError):
        open_gallery(backup, keys=at)  # backups open with the old keys only, and those are gone
    with open_gallery(backup, keys=old) as gallery:
        assert len(gallery) == 40


def test_a_rotation_may_die_anywhere(sealed: Path, plain: BaseGallery, at: Path) -> None:
    """Killed at more and more of its steps, it leaves the old gallery or the new one, whole, and goes on when run again."""
    names = ("build", "_pour", "_check", "finish_rotation")
    for step in (*names, "adopt", "shred"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
                where = {"build": life.home, "adopt": Store, "shred": opening}.get(step, life)
                setattr(where, step, die)
                life.rotate(sealed, at)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), step
        with open_gallery(sealed, keys=at) as gallery:
            assert same(gallery, plain)
    before = load(at).identity
    life.rotate(sealed, at)
    assert load(at).identity != before
    assert not (at / opening.NEXT).exists()
    assert not (sealed / ROTATING).exists()
    with open_gallery(sealed, keys=at) as gallery:
        assert gallery.verify() == []


def test_forgetting_during_a_rotation_is_not_undone(sealed: Path, at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt = Store.adopt

    def interrupted(self: Store, folder: Path) -> None:
        with open_gallery(sealed, keys=at) as gallery:
            gallery.forget("p07")
        adopt(self, folder)

    monkeypatch.setattr(Store, "adopt", interrupted)
    with pytest.raises(GalleryError):
        life.rotate(sealed, at)
    monkeypatch.undo()
    with open_gallery(sealed, keys=at) as gallery:
        assert "p07" not in gallery
    life.rotate(sealed, at)
    with open_gallery(sealed, keys=at) as gallery:
        assert "p07" not in gallery
        assert gallery.verify() == []


def test_keys_of_two_galleries_are_not_rotated_away(sealed: Path, plain: BaseGallery, at: Path, tmp_path: Path) -> None:
    life.seal(plain, tmp_path / "second.sealed", load(at))
    for name in ("people.sealed", "second.sealed"):
        open_gallery(tmp_path / name, keys=at).close()
    with pytest.raises(UsageError, match=r"also open .*second\.sealed"):
        life.rotate(sealed, at)
    shutil.rmtree(tmp_path / "second.sealed")
    life.rotate(sealed, at)


def test_the_plain_gallery_goes_when_asked(plain: BaseGallery, tmp_path: Path) -> None:
    plain.close()
    (tmp_path / "people.db.20200101T000000.bak").write_bytes(b"x")
    assert life.remove_plain(tmp_path / "people.db") == [str(tmp_path / "people.db.20200101T000000.bak")]
    assert [path.name for path in tmp_path.iterdir()] == ["people.db.20200101T000000.bak"]


def test_the_ledger_remembers_what_was_sealed(sealed: Path, at: Path) -> None:
    with open_gallery(sealed, keys=at) as gallery:
        gallery.forget("p01")
    notes = json.loads((at / "ledger.json").read_text())
    ((revision, _, where),) = notes["galleries"].values()
    assert (revision > 1, where) == (True, str(sealed))
