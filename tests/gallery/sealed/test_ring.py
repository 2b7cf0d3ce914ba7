"""The ring's arithmetic against schoolbook multiplication, and both kernels against each other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.gallery.sealed import ring
from mien.gallery.sealed.profiles import PROFILES, RING
from mien.gallery.sealed.ring import Limb, centred, limb, limbs, residues

PRIMES = sorted({prime for of in PROFILES.values() for prime in of.primes})
NAMES = ("kernels", "kernels_plain")


def kernels(name: str):
    if name == "kernels":
        pytest.importorskip("numba", reason="numba is not installed")
    return ring.kernels(name)


def schoolbook(left: np.ndarray, right: np.ndarray, prime: int) -> np.ndarray:
    """Negacyclic product of whole numbers, written from its definition."""
    size = len(left)
    full = [0] * (2 * size)
    for i in np.flatnonzero(left):
        for j in np.flatnonzero(right):
            full[i + j] += int(left[i]) * int(right[j])
    return np.array([(full[i] - full[i + size]) % prime for i in range(size)])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("prime", PRIMES)
def test_product_is_that_of_schoolbook(name: str, prime: int) -> None:
    kernel, table, random = kernels(name), limb(prime), np.random.default_rng(prime)
    left = random.integers(0, prime, RING, dtype=np.uint32)
    right = np.where(random.random(RING) < 0.02, random.integers(0, prime, RING), 0).astype(np.uint32)
    right[-1] = prime - 1
    a, b = left[None].copy(), right[None].copy()
    kernel.forward(a, table)
    kernel.forward(b, table)
    product = kernel.multiply_add(a, b[0], np.zeros_like(a), table)
    kernel.inverse(product, table)
    assert np.array_equal(product[0], schoolbook(left, right, prime))


def test_schoolbook_wraps_with_a_minus_sign() -> None:
    assert schoolbook(np.array([0, 1]), np.array([3, 4]), 17).tolist() == [13, 3]


@pytest.mark.parametrize("name", NAMES)
def test_monomials_shift_and_change_sign(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, table = kernels(name), limb(PRIMES[0])
    monkeypatch.setattr(ring, "_choice", name)
    rows = np.arange(1, RING + 1, dtype=np.uint32)[None].copy()
    kernel.forward(rows, table)
    moved = kernel.multiply_add(rows, ring.monomial(3, table)[0], np.zeros_like(rows), table)
    kernel.inverse(moved, table)
    assert moved[0, 3:].tolist() == list(range(1, RING - 2))
    assert moved[0, :3].tolist() == [table.prime - value for value in range(RING - 2, RING + 1)]


def hard_rows(table: Limb, count: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).integers(0, table.prime, (count, RING), dtype=np.uint32)
    rows[0], rows[1, ::2] = table.prime - 1, 0
    return rows


@pytest.mark.parametrize("prime", PRIMES)
def test_kernels_agree_bit_for_bit(prime: int) -> None:
    fast, plain, table = kernels("kernels"), kernels("kernels_plain"), limb(prime)
    rows = hard_rows(table, 6, 1)
    once, twice = rows.copy(), rows.copy()
    fast.forward(once, table)
    plain.forward(twice, table)
    assert np.array_equal(once, twice) and once.max() < prime
    fast.inverse(once, table)
    plain.inverse(twice, table)
    assert np.array_equal(once, rows) and np.array_equal(twice, rows)
    for factor in rows[:3]:
        assert np.array_equal(
            fast.multiply_add(rows, factor, rows, table), plain.multiply_add(rows, factor, rows, table)
        )
        response = rows.reshape(2, 3, RING)
        assert np.array_equal(
            fast.combine(response, factor, rows[3], table), plain.combine(response, factor, rows[3], table)
        )
    assert np.array_equal(fast.add(rows, rows, table), plain.add(rows, rows, table))


@pytest.mark.parametrize("blocks", [1, 2, 3, 4, 7, 8, 64])
@pytest.mark.parametrize("name", PROFILES)
def test_scans_agree_bit_for_bit_and_stay_canonical(name: str, blocks: int) -> None:
    """The largest residues everywhere too: an overflow would show here."""
    fast, plain, tables = kernels("kernels"), kernels("kernels_plain"), limbs(PROFILES[name].primes)
    groups = np.stack([hard_rows(table, 4 * blocks, 2).reshape(2, blocks, 2, RING) for table in tables], axis=1)
    groups[1] = np.array(PROFILES[name].primes, np.uint32)[:, None, None, None] - 1
    for probe in (groups[0].copy(), groups[1].copy()):
        one, two = np.zeros((2, len(tables), 3, RING), np.uint32), np.ones((2, len(tables), 3, RING), np.uint32)
        fast.scan(groups, fast.prepare(probe, tables), one, (0, 2), tables)
        plain.scan(groups, plain.prepare(probe, tables), two, (0, 2), tables)
        assert np.array_equal(one, two)
        assert all(one[:, index].max() < table.prime for index, table in enumerate(tables))
    exact = sum(int(x) * int(y) for x, y in zip(groups[0, 0, :, 0, 5], groups[0, 0, :, 0, 5], strict=True))
    fast.scan(groups, fast.prepare(groups[0].copy(), tables), one, (0, 1), tables)
    assert one[0, 0, 0, 5] == exact % tables[0].prime  # and both are right


@pytest.mark.parametrize("blocks", [1, 2, 3, 8, 64])
@pytest.mark.parametrize("name", PROFILES)
def test_shared_scans_agree_bit_for_bit_and_stay_canonical(name: str, blocks: int) -> None:
    """Three groups, so that one is its own partner; the largest residues everywhere too."""
    fast, plain, tables = kernels("kernels"), kernels("kernels_plain"), limbs(PROFILES[name].primes)
    groups = np.stack([hard_rows(table, 3 * blocks + 3, 2).reshape(3, -1, RING) for table in tables], axis=1)
    groups[1] = np.array(PROFILES[name].primes, np.uint32)[:, None, None] - 1
    drawn = np.stack([hard_rows(table, 2 * blocks, 3).reshape(blocks, 2, RING) for table in tables])
    largest = np.broadcast_to(groups[1, :, :1, None], drawn.shape).copy()
    shape = (3, len(tables), 3, RING)
    for probe in (drawn, largest):
        one, two = np.zeros(shape, np.uint32), np.ones(shape, np.uint32)
        fast.scan_shared(groups, fast.prepare(probe, tables), one, (0, 3), tables)
        plain.scan_shared(groups, plain.prepare(probe, tables), two, (0, 3), tables)
        assert np.array_equal(one, two)
        assert all(one[:, index].max() < table.prime for index, table in enumerate(tables))
        assert np.array_equal(one[:, :, 2], groups[:, :, 0])
        for half in range(2):
            exact = sum(int(x) * int(y) for x, y in zip(groups[2, 0, 1:, 5], probe[0, :, half, 5], strict=True))
            assert one[2, 0, half, 5] == exact % tables[0].prime  # and both are right


@pytest.mark.parametrize("width", [RING, 1000, 1])
@pytest.mark.parametrize("count", [1, 3, 4, 129])
def test_open_scans_agree_bit_for_bit(width: int, count: int) -> None:
    random = np.random.default_rng(width)
    groups = random.integers(0, 1 << 32, (2, count + 1, RING), dtype=np.uint32)
    probe = random.integers(0, 1 << 32, (2, count), dtype=np.uint32)
    found = []
    for name in NAMES:
        out = np.zeros((2, 2, width), np.uint32)
        kernels(name).scan_open(groups, probe, out, (0, 2))
        found.append(out)
    assert np.array_equal(*found)
    for part in range(2):
        exact = sum(int(p) * int(v) for p, v in zip(probe[part], groups[1, 1:, 0], strict=True))
        assert int(found[0][1, part, 0]) == exact % (1 << 32)


@settings(deadline=None, max_examples=50)
@given(st.data(), st.sampled_from(list(PROFILES)))
def test_chinese_remainders_round_trip(data: st.DataObject, name: str) -> None:
    of = PROFILES[name]
    half = of.modulus // 2
    values = np.array(data.draw(st.lists(st.integers(-half, half), min_size=1, max_size=20)), np.int64)
    parts = [np.mod(values, prime).astype(np.uint32) for prime in of.primes]
    assert np.array_equal(centred(parts, of.primes), values)
    few = np.clip(values, -(of.primes[0] // 2), of.primes[0] // 2)
    assert np.array_equal(centred([np.mod(few, of.primes[0]).astype(np.uint32)], of.primes[:1]), few)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-12288, 12288), min_size=1, max_size=50))
def test_residues_of_signed_numbers(values: list[int]) -> None:
    for kind in (np.int32, np.int64):
        assert residues(np.array(values, kind), 12289).tolist() == [value % 12289 for value in values]
