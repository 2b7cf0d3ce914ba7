"""Keys: kept privately, checked on loading, never overwritten."""

from __future__ import annotations

import dataclasses
import stat
from pathlib import Path

import numpy as np
import pytest

from mien.errors import CannotWrite, InputError, UsageError
from mien.gallery.sealed.keys import Keys, load, load_public
from mien.gallery.sealed.profiles import PROFILES, profile
from mien.gallery.sealed.ring import centred, kernels, limbs

FILES = ("secret", "public", "mac", "records")


@pytest.fixture(params=PROFILES)
def keys(request: pytest.FixtureRequest) -> Keys:
    return Keys.generate(profile(request.param))


def test_keys_come_back_as_they_were(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path / "keys")
    again = load(tmp_path / "keys")
    assert again.identity == keys.identity and len(keys.identity) == 35
    assert np.array_equal(again.secret.signs, keys.secret.signs)
    assert np.array_equal(again.public.b, keys.public.b) and np.array_equal(again.public.a, keys.public.a)
    assert (again.mac, again.records) == (keys.mac, keys.records)
    assert len(keys.mac) == len(keys.records) == 32 and keys.mac != keys.records
    assert again.public.profile is keys.public.profile


def test_secrets_are_readable_by_their_owner_alone(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path / "keys")
    modes = {kind: stat.S_IMODE((tmp_path / "keys" / f"{kind}.key").stat().st_mode) for kind in FILES}
    assert {kind: mode & 0o077 for kind, mode in modes.items() if kind != "public"} == {
        "secret": 0,
        "mac": 0,
        "records": 0,
    }
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) & 0o077 == 0


def test_the_public_key_needs_no_other_file(keys: Keys, tmp_path: Path) -> None:
    keys.save(tmp_path)
    for kind in ("secret", "mac", "records"):
        (tmp_path / f"{kind}.key").unlink()
    assert load_public(tmp_path).identity == keys.identity
    with pytest.raises(UsageError, match="secret key cannot be read"):
        load(tmp_path)


def test_public_key_is_an_encryption_of_nothing(keys: Keys) -> None:
    """b + a s is the error: centred binomial, small."""
    parts = []
    for index, table in enumerate(limbs(keys.public.profile.primes)):
        rows = keys.public.a[index][None].copy()
        rows = kernels().multiply_add(rows, keys.secret.powers[index][0], keys.public.b[index][None], table)
        kernels().inverse(rows, table)
        parts.append(rows[0])
    error = centred(parts, keys.public.profile.primes)
    assert np.abs(error).max() <= 21 and 2.8 < error.std() < 3.7


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
    for kind in ("secret", "mac", "records"):
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
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(InputError, match="format 2, and this mien reads 1"):
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
