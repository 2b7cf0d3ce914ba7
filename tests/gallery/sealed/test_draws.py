"""Random numbers: right moments, right ranges, new ones each time."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from mien.errors import UsageError
from mien.gallery.sealed import draws
from mien.gallery.sealed.draws import Draws

COUNT = 200_000


def test_errors_are_centred_binomial() -> None:
    found = Draws().errors(COUNT).astype(float)
    assert abs(found.mean()) < 5 * 3.25 / COUNT**0.5
    assert np.isclose(found.var(), 10.5, rtol=0.02)
    assert np.isclose((found**4).mean() / 10.5**2, 3 - 1 / 21, rtol=0.05)  # binomial of 42 coins: excess -2 / 42
    assert 12 < np.abs(found).max() <= 21


def test_ternary_is_uniform() -> None:
    found = Draws().ternary((COUNT // 2, 2))
    assert found.shape == (COUNT // 2, 2) and found.dtype == np.int8
    counts = np.array([(found == value).sum() for value in (-1, 0, 1)])
    assert counts.sum() == COUNT
    assert ((counts - COUNT / 3) ** 2 / (COUNT / 3)).sum() < 25  # chi square of 2 degrees: far beyond chance


def test_ternary_has_no_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all 256 bytes, each value comes from 85 and one is drawn again."""
    monkeypatch.setattr(Draws, "words", lambda self, count, kind: np.tile(np.r_[255, 0:255], 2).astype(kind))
    assert np.bincount(Draws().ternary(255) + 1).tolist() == [85, 85, 85]


@pytest.mark.parametrize("prime", [33550337, 40961])  # 40961: five of eight draws are kept, so rejection is at work
def test_uniform_is_uniform(prime: int) -> None:
    found = Draws().uniform(COUNT, prime)
    assert found.dtype == np.uint32 and found.size == COUNT and found.max() < prime
    counts = np.bincount((found.astype(np.uint64) * 16 // prime).astype(int), minlength=16)
    assert ((counts - COUNT / 16) ** 2 / (COUNT / 16)).sum() < 60  # chi square of 15 degrees


def test_spread_is_uniform() -> None:
    found = Draws().spread(COUNT, 1 << 37)
    assert found.min() >= -(1 << 37) and found.max() < 1 << 37
    assert abs(found.mean()) < 5 * 2**37 / (3 * COUNT) ** 0.5
    assert np.isclose(found.astype(float).std(), 2**37 / 3**0.5, rtol=0.01)


def test_streams_differ() -> None:
    assert not np.array_equal(Draws().words(8, np.uint64), Draws().words(8, np.uint64))


@pytest.mark.usefixtures("known_entropy")
def test_a_stream_goes_on_and_is_aes_in_counter_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """NIST SP 800-38A, F.5.5: AES-256-CTR; of zeros, the output blocks."""
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    counter = bytes.fromhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    monkeypatch.setattr(draws, "_entropy", lambda count: key if count == 32 else counter)
    stream = Draws()
    assert stream.words(16, np.uint8).tobytes().hex() == "0bdf7df1591716335e9a8b15c860c502"
    assert stream.words(2, np.uint64).tobytes().hex() == "5a6e699d536119065433863c8f657b94"


def test_long_draws_are_one_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "_entropy", bytes)
    whole = Draws().words(1 << 19, np.uint32)
    assert whole.nbytes == 2 << 20
    assert np.array_equal(whole[-4:], Draws().words((1 << 19) + 1, np.uint32)[-5:-1])
    assert len(np.unique(whole[:: 1 << 10])) > 500  # the second mebibyte does not repeat the first
    assert not np.array_equal(whole[: 1 << 18], whole[1 << 18 :])


def test_without_cryptography_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(UsageError, match=r'pip install "mien\[sealed\]"'):
        Draws()
