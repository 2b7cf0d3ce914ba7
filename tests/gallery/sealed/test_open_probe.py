"""Open probes: right scores, erased slots, keys on disk."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.errors import InputError, UsageError
from mien.gallery.sealed import ring
from mien.gallery.sealed.open_probe import (
    FINE,
    PROBE_STEPS,
    SCORE_SD,
    TEMPLATE_STEPS,
    OpenKey,
    erase_slot,
    open_probe,
    open_scores,
    open_templates,
    scan,
    seal_templates,
)
from mien.gallery.sealed.profiles import CLASSICAL, QUANTUM, SCORE_BOUND

Unit = Callable[..., np.ndarray]
DIMENSION = 64
KEY = OpenKey.generate(DIMENSION)


def test_scores_are_right(unit: Unit) -> None:
    vectors = unit(3000, DIMENSION)
    groups = seal_templates(KEY, vectors)
    assert groups.shape == (2, DIMENSION + 1, 2048)
    probe = open_probe(vectors[2500])
    error = open_scores(KEY, probe, scan(groups, probe, 3000), 3000) - vectors.astype(np.float64) @ vectors[2500]
    assert 0.8 * SCORE_SD < error.std() < 1.2 * SCORE_SD
    assert np.abs(error).max() < 1e-4


@pytest.mark.usefixtures("known_entropy")
@pytest.mark.parametrize("kernels", ["kernels", "kernels_plain"])
def test_known_answers(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kernels == "kernels":
        pytest.importorskip("numba", reason="numba is not installed")
    monkeypatch.setattr(ring, "_choice", kernels)
    key = OpenKey.generate(3)
    groups = seal_templates(key, np.eye(5, 3, dtype=np.float32))
    probe = open_probe(np.array([0.5, -0.5, 0.25], np.float32))
    response = scan(groups, probe, 5)
    digest = hashlib.blake2b(groups.tobytes() + response.tobytes(), digest_size=16).hexdigest()
    assert (key.identity, digest) == ("f69e11380bf89a77e5ab955402a24c16", "c4d3dada7441ac7d542cd40d9d017e8d")


def test_products_of_the_ring_are_exact_in_the_worst_case() -> None:
    """A matcher may send any public polynomial; the largest sums must not wrap where they should not."""
    from mien.gallery.sealed.open_probe import _long_product

    for a, total in ((0xFFFFFFFF, 1 << 18), (0x80000000, -(1 << 18)), (0x7FFFFFFF, 185_000)):
        found = _long_product(np.full(2048, a, np.uint32), np.full((1, 2048), total))[0]
        signs = np.arange(2048) * 2 + 2 - 2048  # sum over i + j = k, less that over i + j = k + N
        assert [int(value) for value in found] == [a * total * int(sign) % (1 << 32) for sign in signs]


def test_parts_fit_32_bits_and_the_table() -> None:
    assert SCORE_BOUND * TEMPLATE_STEPS * PROBE_STEPS < 1 << 31
    halves = np.full(3_000, 17.5 / PROBE_STEPS, np.float32)  # every step leaves as much as can be left
    halves[1::2] *= -1
    coarse, fine = open_probe(halves)
    assert np.abs(fine).max() == FINE / 2
    assert np.array_equal(coarse + fine / FINE, halves * np.float64(PROBE_STEPS))
    assert SCORE_BOUND**0.5 * TEMPLATE_STEPS * np.linalg.norm(fine) < 1 << 31
    with pytest.raises(InputError, match="does not fit 32 bits"):
        open_probe(np.full(4_000, 15.5 / PROBE_STEPS, np.float32))
    assert CLASSICAL[128] > 32 and QUANTUM[128] > 32


def test_templates_come_back(unit: Unit) -> None:
    vectors = unit(100, DIMENSION)
    found = open_templates(KEY, seal_templates(KEY, vectors))
    assert np.abs(found[:100] - vectors).max() < 25 / TEMPLATE_STEPS
    assert np.abs(found[100:]).max() < 25 / TEMPLATE_STEPS


def test_an_erased_slot_is_gone_and_its_neighbours_stay(unit: Unit) -> None:
    vectors = unit(50, DIMENSION)
    groups = seal_templates(KEY, vectors)
    probe = open_probe(vectors[20])
    before = open_scores(KEY, probe, scan(groups, probe, 50), 50)
    blank = erase_slot(groups[0], 20)[None]
    after = open_scores(KEY, probe, scan(blank, probe, 50), 50)
    assert np.array_equal(np.delete(before, 20), np.delete(after, 20))
    assert not blank[0, 1:, 20].any() and abs(before[20] - 1) < 1e-3 < abs(after[20] - 1)
    assert np.abs(open_templates(KEY, blank)[20] - vectors[20]).max() > 0.5
    with pytest.raises(InputError, match="no slot 2048"):
        erase_slot(groups[0], 2048)


def test_wrong_key_gives_garbage(unit: Unit) -> None:
    vectors = unit(500, DIMENSION)
    probe = open_probe(vectors[0])
    response = scan(seal_templates(KEY, vectors), probe, 500)
    found = open_scores(OpenKey.generate(DIMENSION), probe, response, 500)
    assert (np.abs(found) > 1.05).mean() > 0.35


def test_threads_and_memory_maps_change_nothing(unit: Unit, tmp_path: Path) -> None:
    groups = np.random.default_rng(0).integers(0, 1 << 32, (9, 9, 2048), dtype=np.uint32)
    groups.tofile(tmp_path / "groups.bin")
    mapped = np.memmap(tmp_path / "groups.bin", np.uint32, "r", shape=groups.shape)
    probe = open_probe(unit(1, 8)[0])
    size = 8 * 2048 + 77
    assert np.array_equal(scan(mapped, probe, size, threads=2), scan(groups, probe, size))
    assert not scan(groups, probe, size)[8, 1:, 77:].any()


def test_key_on_disk(tmp_path: Path) -> None:
    KEY.save(tmp_path / "open.key")
    assert stat.S_IMODE((tmp_path / "open.key").stat().st_mode) & 0o077 == 0
    again = OpenKey.load(tmp_path / "open.key")
    assert np.array_equal(again.signs, KEY.signs) and again.identity == KEY.identity and KEY.identity in repr(again)
    with pytest.raises(UsageError, match="already"):
        KEY.save(tmp_path / "open.key")
    with pytest.raises(UsageError, match="cannot be read"):
        OpenKey.load(tmp_path / "no.key")
    whole = (tmp_path / "open.key").read_bytes()
    for broken in (whole[:-1], whole[:-2048], whole[:-9] + bytes(9), b"", b"mien open key 2" + whole[15:]):
        (tmp_path / "broken.key").write_bytes(broken)
        with pytest.raises(InputError):
            OpenKey.load(tmp_path / "broken.key")


def test_what_does_not_fit_is_refused(unit: Unit) -> None:
    vectors = unit(3, DIMENSION)
    groups, probe = seal_templates(KEY, vectors), open_probe(vectors[0])
    response = scan(groups, probe, 3)
    for call in (
        lambda: scan(groups[:, :-1], probe, 3),
        lambda: scan(groups.astype(np.int64), probe, 3),
        lambda: scan(groups, probe.astype(np.int64), 3),
        lambda: scan(groups, probe, 2049),
        lambda: open_scores(KEY, np.tile(probe, 2), response, 3),
        lambda: scan(groups, probe[0], 3),
        lambda: open_scores(KEY, probe, response[:, :1], 3),
        lambda: open_scores(KEY, probe, response, 2049),
        lambda: open_templates(KEY, groups[:, :-1]),
        lambda: seal_templates(KEY, vectors[:, :-1]),
        lambda: open_probe(1.2 * vectors[0]),
        lambda: open_probe(np.full(DIMENSION, np.nan, np.float32)),
    ):
        with pytest.raises(InputError):
            call()
    with pytest.raises(UsageError):
        OpenKey.generate(0)
