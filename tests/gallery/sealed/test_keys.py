"""Keys: kept privately, checked on loading, never overwritten."""

from __future__ import annotations

import dataclasses
import hashlib
import stat
from pathlib import Path

import numpy as np
import pytest

from mien.errors import CannotWrite, InputError, UsageError
from mien.gallery.sealed.draws import derived
from mien.gallery.sealed.keys import Keys, load, load_enroller, load_public
from mien.gallery.sealed.profiles import MAX_BLOCKS, PROFILES, profile
from mien.gallery.sealed.ring import centred, kernels, limbs

FILES = ("secret", "public", "edge", "mac", "records")


@pytest.fixture(params=PROFILES)
def keys(request: pytest.FixtureRequest) -> Keys:
    return Keys.generate(profile(request.param))


def test_keys_come_back_as_they_were(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path / "keys")
    again = load(tmp_path / "keys")
    assert again.identity == keys.identity and len(keys.identity) == 35
    assert again.secret.body == keys.secret.body and len(keys.secret.body) == 2048 + 32
    assert np.array_equal(again.public.edge, keys.public.edge)
    assert np.array_equal(again.public.b, keys.public.b) and np.array_equal(again.public.a, keys.public.a)
    assert (again.mac, again.records) == (keys.mac, keys.records)
    assert len(keys.mac) == len(keys.records) == 32 and keys.mac != keys.records
    assert again.public.profile is keys.public.profile


def test_secrets_are_readable_by_their_owner_alone(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path / "keys")
    modes = {kind: stat.S_IMODE((tmp_path / "keys" / f"{kind}.key").stat().st_mode) for kind in FILES}
    assert {kind: mode & 0o077 for kind, mode in modes.items() if kind not in ("public", "edge")} == {
        "secret": 0,
        "mac": 0,
        "records": 0,
    }
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) & 0o077 == 0


def test_the_public_key_needs_no_other_file(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path)
    assert load_enroller(tmp_path)[0].identity == keys.identity
    (tmp_path / "secret.key").unlink()
    assert np.array_equal(load_enroller(tmp_path)[0].edge, keys.public.edge)
    with pytest.raises(UsageError, match="secret key cannot be read"):
        load(tmp_path)
    for kind in ("edge", "mac", "records"):
        (tmp_path / f"{kind}.key").unlink()
    assert load_public(tmp_path).identity == keys.identity and load_public(tmp_path).edge is None


def test_public_keys_are_encryptions_of_nothing(keys: Keys) -> None:
    """b + a s is the error: centred binomial, small; for the probe's secret and for each block's."""
    public, secret = keys.public, keys.secret
    assert public.edge is not None and public.edge.shape[1] == 1 + MAX_BLOCKS
    cases = [(public.a, public.b, secret.probe)]
    cases += [(public.edge[:, 0], public.edge[:, 1 + n], [rows[n] for rows in secret.blocks]) for n in (0, 7, 63)]
    for a, b, shares in cases:
        parts = []
        for index, table in enumerate(limbs(public.profile.primes)):
            rows = kernels().multiply_add(a[index][None].copy(), shares[index], b[index][None], table)
            kernels().inverse(rows, table)
            parts.append(rows[0])
        error = centred(parts, public.profile.primes)
        assert np.abs(error).max() <= 21 and 2.8 < error.std() < 3.7


def test_every_block_has_a_secret_of_its_own() -> None:
    """Uniform in {-1, 0, 1}, unrelated, and the same again from the same root; labels keep uses apart."""
    root = bytes(range(32))
    found = derived(root, b"one", 8)
    assert np.array_equal(derived(root, b"one", 3), found[:3])
    assert np.abs([(found == sign).mean() - 1 / 3 for sign in (-1, 0, 1)]).max() < 0.02
    wide = np.concatenate([found, derived(root, b"two", 8), derived(root[::-1], b"one", 8)]).astype(float)
    assert np.abs(np.corrcoef(wide) - np.eye(24)).max() < 5 / 2048**0.5
    known = hashlib.shake_256(b"one\0" + bytes(4) + root).digest(4096)
    thirds = [byte % 3 - 1 for byte in known if byte < 255]
    assert found[0].tolist() == thirds[:2048]


def test_keys_are_never_overwritten(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path)
    with pytest.raises(UsageError, match="already"):
        Keys.generate(keys.public.profile).save(tmp_path)
    assert load(tmp_path).identity == keys.identity


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_or_truncated_key_is_refused(kind: str, tmp_path: Path) -> None:
    Keys.generate(profile("standard")).save(tmp_path)
    path = tmp_path / f"{kind}.key"
    whole = path.read_bytes()
    for broken in (whole[:-1], whole[:-10] + bytes(10), whole[:40], b"", b"mien key\n", b"mien key\n{]\n", b"x" * 200):
        path.write_bytes(broken)
        with pytest.raises(InputError):
            load(tmp_path)


def test_keys_of_two_folders_do_not_mix(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Keys.generate(profile("standard")).save(tmp_path / name)
    for kind in ("secret", "edge", "mac", "records"):
        own = (tmp_path / "one" / f"{kind}.key").read_bytes()
        (tmp_path / "one" / f"{kind}.key").write_bytes((tmp_path / "two" / f"{kind}.key").read_bytes())
        with pytest.raises(InputError, match=f"{kind} key in .* does not belong to the public key"):
            load(tmp_path / "one")
        (tmp_path / "one" / f"{kind}.key").write_bytes(own)
    (tmp_path / "one" / "mac.key").write_bytes((tmp_path / "one" / "records.key").read_bytes())
    with pytest.raises(InputError, match="holds a records key"):
        load(tmp_path / "one")


def test_another_format_is_refused(tmp_path: Path) -> None:
    Keys.generate(profile("standard")).save(tmp_path)
    path = tmp_path / "public.key"
    path.write_bytes(path.read_bytes().replace(b'"format": 2', b'"format": 1'))
    with pytest.raises(InputError, match="format 1, and this mien reads 2"):
        load_public(tmp_path)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot be written"):
        Keys.generate(profile("standard")).save(tmp_path / "file" / "keys")


def test_keys_differ_and_stay_out_of_logs(keys: Keys) -> None:
    other = Keys.generate(keys.public.profile)
    assert other.identity != keys.identity
    assert not np.array_equal(other.secret.signs, keys.secret.signs)
    assert dataclasses.replace(keys.public).identity == keys.identity
    text = repr(keys) + repr(keys.secret)
    assert keys.mac.hex() not in text and "array" not in text and keys.identity in text
