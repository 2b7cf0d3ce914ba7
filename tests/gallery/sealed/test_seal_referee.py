"""Microsoft SEAL as the referee: its keys, its encryption and its decryption around our multiplication."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.errors import InputError, UsageError
from mien.gallery.sealed.backend_seal import SCALE, SEAL_RING, SealBackend
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.profiles import Layout, profile
from mien.gallery.sealed.ring import kernels, limbs
from mien.gallery.sealed.scheme import decrypt, encrypt_probe, encrypt_templates, search

api = pytest.importorskip("tenseal.sealapi", reason="tenseal is not installed: SEAL cannot referee")
Unit = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def seal() -> SealBackend:
    return SealBackend(500)


def test_scores_by_seal_are_ours(seal: SealBackend, unit: Unit) -> None:
    vectors = unit(70, 500)
    response = seal.search(seal.encrypt_templates(vectors), seal.encrypt_probe(vectors[7]))
    found = seal.decrypt(response)
    exact = vectors.astype(np.float64) @ vectors[7]
    assert np.abs(found[:70] - exact).max() < 1e-4 and np.abs(found[70:]).max() < 1e-4
    keys, layout = Keys.generate(profile("standard")), Layout(500, 64)
    groups = encrypt_templates(keys.secret, layout, vectors)
    probe = encrypt_probe(keys.public, layout, vectors[7])
    ours = decrypt(keys.secret, layout, search(groups, probe, layout, keys.public.profile), probe)[:70]
    assert np.abs(found[:70] - ours).max() < 2e-4 and found.argmax() == ours.argmax() == 7


def rows(cipher: object, size: int) -> np.ndarray:
    data = cipher.dyn_array()
    numbers = np.array([data[index] for index in range(data.size())], np.uint64)
    return numbers.reshape(size, 2, SEAL_RING).transpose(1, 0, 2).astype(np.uint32)


def test_our_product_is_seals_bit_for_bit(seal: SealBackend) -> None:
    random, ciphers = np.random.default_rng(0), []
    for _ in range(2):
        plain, cipher = api.Plaintext(), api.Ciphertext()
        seal._encoder.encode(random.normal(size=SEAL_RING // 2).tolist(), SCALE, plain)
        seal._encryptor.encrypt(plain, cipher)
        ciphers.append(cipher)
    product = api.Ciphertext()
    api.Evaluator(seal._context).multiply(*ciphers, product)
    groups, probe = rows(ciphers[0], 2)[None, :, None], rows(ciphers[1], 2)[:, None]
    tables = limbs(seal.primes, SEAL_RING)
    for name in ("kernels", "kernels_plain"):
        out = np.empty((1, 2, 3, SEAL_RING), np.uint32)
        kernel = kernels(name)
        kernel.scan(np.ascontiguousarray(groups), kernel.prepare(probe, tables), out, (0, 1), tables)
        assert np.array_equal(out[0], rows(product, 3))


def test_keys_are_kept_and_wrong_ones_do_not_open(seal: SealBackend, unit: Unit, tmp_path: Path) -> None:
    vectors = unit(3, 500)
    groups = seal.encrypt_templates(vectors)
    seal.save(tmp_path / "seal.key")
    assert stat.S_IMODE((tmp_path / "seal.key").stat().st_mode) & 0o077 == 0
    with pytest.raises(UsageError, match="already"):
        seal.save(tmp_path / "seal.key")
    other = SealBackend(500)
    response = seal.search(groups, seal.encrypt_probe(vectors[0]))
    assert (np.abs(other.decrypt(response)) > 1.05).any()
    other.load(tmp_path / "seal.key")
    assert np.abs(other.decrypt(response)[:3] - vectors @ vectors[0]).max() < 1e-4
    assert (
        np.abs(seal.decrypt(other.search(groups, other.encrypt_probe(vectors[0])))[:3] - vectors @ vectors[0]).max()
        < 1e-4
    )
    (tmp_path / "bad.key").write_bytes(b"no key at all, and long enough to be read as one" * 9)
    with pytest.raises(InputError, match="holds no key"):
        other.load(tmp_path / "bad.key")
    assert np.abs(other.decrypt(response)[:3] - vectors @ vectors[0]).max() < 1e-4


def test_what_does_not_fit_is_refused(seal: SealBackend, unit: Unit) -> None:
    vectors = unit(1, 500)
    groups, probe = seal.encrypt_templates(vectors), seal.encrypt_probe(vectors[0])
    response = seal.search(groups, probe)
    for call in (
        lambda: seal.search(groups[:, :, :1], probe),
        lambda: seal.search(groups, probe | np.uint32(1 << 30)),
        lambda: seal.decrypt(response[:, :1]),
        lambda: seal.decrypt(response | np.uint32(1 << 30)),
        lambda: seal.encrypt_probe(vectors[0, :9]),
        lambda: seal.encrypt_templates(1.2 * vectors),
        lambda: seal.encrypt_probe(np.full(500, np.nan, np.float32)),
    ):
        with pytest.raises(InputError):
            call()
    with pytest.raises(UsageError, match="power of two"):
        SealBackend(500, 48)


def test_without_tenseal_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tenseal.sealapi", None)
    with pytest.raises(UsageError, match=r"mien\[tenseal\]"):
        SealBackend(500)
