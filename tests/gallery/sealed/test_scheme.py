"""The scheme: right scores, bounded noise, known answers, and refusals."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import InputError, UsageError
from mien.gallery.sealed import ring
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.profiles import PROFILES, Layout, Profile, layout_for, profile
from mien.gallery.sealed.scheme import (
    add,
    decrypt,
    decrypt_templates,
    encrypt_probe,
    encrypt_template,
    encrypt_templates,
    place,
    search,
)

Unit = Callable[..., np.ndarray]
KEYS = {name: Keys.generate(of) for name, of in PROFILES.items()}
STANDARD, EXACT = profile("standard"), profile("exact")


def scores(keys: Keys, layout: Layout, groups: np.ndarray, vector: np.ndarray) -> np.ndarray:
    probe = encrypt_probe(keys.public, layout, vector)
    return decrypt(keys.secret, layout, search(groups, probe, layout, keys.public.profile), probe)


def truth(of: Profile, vectors: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Scores without encryption: of the vectors, or of their steps in the exact profile."""
    left, right = vectors.astype(np.float64), vector.astype(np.float64)
    return (
        np.rint(left * of.steps) @ np.rint(right * of.probe_steps) / of.steps / of.probe_steps
        if of.exact
        else left @ right
    )


# Made once by both kernels and compared from then on: a change of any bit of what is stored or sent shows.
KNOWN = {
    "standard": "855f8d1ad26586a89f3cc982fbce492b",
    "exact": "5fd4090b4cfc34cd51abcdf06bfbad3c",
}


@pytest.mark.usefixtures("known_entropy")
@pytest.mark.parametrize("kernels", ["kernels", "kernels_plain"])
@pytest.mark.parametrize("name", PROFILES)
def test_known_answers(name: str, kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kernels == "kernels":
        pytest.importorskip("numba", reason="numba is not installed")
    monkeypatch.setattr(ring, "_choice", kernels)
    keys, layout = Keys.generate(profile(name)), Layout(100, 32)
    vectors = np.eye(70, 100, dtype=np.float32)[::-1].copy()
    groups = encrypt_templates(keys.secret, layout, vectors)
    row = place(encrypt_template(keys.public, layout, vectors[3]), 9, layout, keys.public.profile)
    groups[1] = add(groups[1], row, keys.public.profile)
    probe = encrypt_probe(keys.public, layout, vectors[5])
    response = search(groups, probe, layout, keys.public.profile)
    digest = hashlib.blake2b(digest_size=16)
    for part in (keys.public.b, keys.public.a, groups, probe, response, decrypt(keys.secret, layout, response, probe)):
        digest.update(np.ascontiguousarray(part).tobytes())
    assert digest.hexdigest() == KNOWN[name]


@pytest.mark.parametrize("size", [1_000, 10_000, 100_000, 1_000_000])
def test_standard_scores_err_below_a_ten_thousandth(size: int, unit: Unit) -> None:
    """Public-key probes, 512 coordinates, new keys for each; errors as predicted."""
    errors = []
    for seed in range(4):
        keys, layout = Keys.generate(STANDARD), layout_for(512, size)
        vectors = unit(512, 512, seed)
        groups = encrypt_templates(keys.secret, layout, vectors)
        for vector in vectors[:4]:
            errors.append(scores(keys, layout, groups, vector) - truth(STANDARD, vectors, vector))
    found = np.concatenate(errors)
    assert np.abs(found).max() < 1e-4
    expected = np.hypot(STANDARD.noise(layout), STANDARD.rounding)
    assert 0.8 * expected < found.std() < 1.2 * expected
    assert abs(found.mean()) < expected / 20


def test_exact_scores_have_no_error(unit: Unit) -> None:
    """Of at least 20,000, with the most crowded layout that the profile allows too."""
    wrong = count = 0
    for seed, block in enumerate((64, 32, 32)):
        keys, layout = Keys.generate(EXACT), Layout(512, block)
        vectors = unit(1024, 512, seed)
        groups = encrypt_templates(keys.secret, layout, vectors)
        for vector in vectors[:8]:
            found = scores(keys, layout, groups, vector)
            wrong += int((found != truth(EXACT, vectors, vector)).sum())
            count += len(found)
    assert count >= 20_000 and wrong == 0


def test_longest_scores_do_not_wrap(unit: Unit) -> None:
    """One vector in every slot, against itself and its opposite: the largest sums there are."""
    for name, keys in KEYS.items():
        layout, vector = Layout(512, 64), unit(1, 512)[0]
        groups = encrypt_templates(keys.secret, layout, np.tile(vector, (32, 1)))
        for sign in (1, -1):
            assert np.allclose(
                scores(keys, layout, groups, sign * vector), sign, atol=2e-2 if name == "exact" else 1e-4
            )


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(list(PROFILES)),
    st.integers(1, 70),
    st.integers(1, 130),
    st.sampled_from([32, 64, 128]),
    st.integers(0, 99),
)
def test_templates_and_scores_round_trip(name: str, count: int, dimension: int, block: int, seed: int) -> None:
    """Any number of vectors of any dimension, a multiple of the block or not."""
    keys, of, layout = KEYS[name], PROFILES[name], Layout(dimension, block)
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = encrypt_templates(keys.secret, layout, vectors)
    assert groups.shape == (layout.groups(count), *layout.row_shape(of)) and groups.nbytes == len(
        groups
    ) * layout.group_bytes(of)
    found = decrypt_templates(keys.secret, layout, groups)
    steps = np.abs(
        found * of.steps - np.rint(np.vstack([vectors, np.zeros((len(found) - count, dimension))]) * of.steps)
    )
    assert steps.max() <= (0 if of.exact else 1) and (steps > 0).sum() < 10 + steps.size / 20
    error = scores(keys, layout, groups, vectors[0])[:count] - truth(of, vectors, vectors[0])
    assert np.abs(error).max() < (1e-12 if of.exact else 1e-4)


@pytest.mark.parametrize("name", PROFILES)
def test_encrypting_again_hardly_changes_templates(name: str, unit: Unit) -> None:
    """Ten rotations without a vault: in the exact profile every step stays, else a few of 2^-16 move, and scores by 10^-6."""
    keys = KEYS[name]
    layout, old, of = Layout(512, 64), keys, PROFILES[name]
    groups = encrypt_templates(old.secret, layout, unit(40, 512))
    first = decrypt_templates(old.secret, layout, groups)
    for _ in range(10):
        new = Keys.generate(of)
        groups = encrypt_templates(new.secret, layout, decrypt_templates(old.secret, layout, groups).astype(np.float32))
        old = new
    last = decrypt_templates(old.secret, layout, groups)
    assert np.abs(last - first).max() <= (0 if of.exact else 3 / of.steps)
    assert np.abs((last - first)[:40] @ unit(40, 512).T).max() < 4e-5


def test_placed_templates_score_where_they_are_and_leave_their_neighbours(unit: Unit) -> None:
    keys, layout, vectors = KEYS["standard"], Layout(500, 64), unit(32, 500)
    group = encrypt_templates(keys.secret, layout, vectors * (np.arange(32) < 20)[:, None])[0]
    before = scores(keys, layout, group[None], vectors[21])
    for slot in (21, 31):
        row = encrypt_template(keys.public, layout, vectors[slot])
        group = add(group, place(row, slot, layout, STANDARD), STANDARD)
    after = scores(keys, layout, group[None], vectors[21])
    expected = truth(STANDARD, vectors, vectors[21])
    noise = np.hypot(STANDARD.noise(layout, edge=2), STANDARD.rounding)
    assert np.abs(after[[21, 31]] - expected[[21, 31]]).max() < 5 * noise
    assert np.abs(after[:20] - before[:20]).max() < 5 * noise < 2e-3
    assert np.abs(after[22:31]).max() < 5 * noise


def test_noise_of_a_group_filled_at_the_edge_is_as_predicted(unit: Unit) -> None:
    keys, layout, vectors = KEYS["standard"], Layout(512, 64), unit(32, 512)
    group = np.zeros(layout.row_shape(STANDARD), np.uint32)
    for slot, vector in enumerate(vectors):
        group = add(group, place(encrypt_template(keys.public, layout, vector), slot, layout, STANDARD), STANDARD)
    error = np.concatenate([scores(keys, layout, group[None], vector) - vectors @ vector for vector in vectors])
    assert 0.8 < error.std() / STANDARD.noise(layout, edge=32) < 1.2
    assert np.abs(error).max() < 5e-3


def test_placing_adds_no_noise(unit: Unit) -> None:
    keys, layout, vector = KEYS["exact"], Layout(512, 64), unit(1, 512)[0]
    row = encrypt_template(keys.public, layout, vector)
    here = decrypt_templates(keys.secret, layout, row[None])[0]
    there = decrypt_templates(keys.secret, layout, place(row, 17, layout, EXACT)[None])
    assert np.array_equal(there[17], here)
    assert np.array_equal(place(row, 0, layout, EXACT), row)


@pytest.mark.parametrize("name", PROFILES)
def test_a_wrong_key_gives_garbage_outside_the_range_of_scores(name: str, unit: Unit) -> None:
    keys, wrong, layout, vectors = KEYS[name], Keys.generate(PROFILES[name]), Layout(512, 64), unit(320, 512)
    groups = encrypt_templates(keys.secret, layout, vectors)
    probe = encrypt_probe(keys.public, layout, vectors[0])
    response = search(groups, probe, layout, PROFILES[name])
    garbage = decrypt(wrong.secret, layout, response, probe)
    assert (np.abs(decrypt(keys.secret, layout, response, probe)) <= 1.05).all()
    outside = (np.abs(garbage) > 1.05).mean()
    assert outside > (0.35 if name == "standard" else 0.01)  # the exact profile fills its modulus: few fall outside
    assert abs(np.corrcoef(garbage, vectors @ vectors[0])[0, 1]) < 0.25
    found = decrypt_templates(wrong.secret, layout, groups)
    assert np.abs(found).max() > 100


def test_threads_and_memory_maps_change_nothing(unit: Unit, tmp_path) -> None:
    keys, layout, vectors = KEYS["standard"], Layout(64, 64), unit(150 * 32, 64)
    groups = encrypt_templates(keys.secret, layout, vectors)
    probe = encrypt_probe(keys.public, layout, vectors[9])
    response = search(groups, probe, layout, STANDARD)
    used = np.full_like(response, 7)
    assert search(groups, probe, layout, STANDARD, 2, used) is used and np.array_equal(used, response)
    for misfit in (used[1:], used.astype(np.int64), used[::-1], np.broadcast_to(used[:1], used.shape)):
        assert np.array_equal(search(groups, probe, layout, STANDARD, 1, misfit), response)
    groups.tofile(tmp_path / "groups.bin")
    mapped = np.memmap(tmp_path / "groups.bin", np.uint32, "r", shape=groups.shape)
    assert np.array_equal(search(mapped, probe, layout, STANDARD, threads=3), response)
    assert np.array_equal(
        decrypt_templates(keys.secret, layout, mapped[:1]), decrypt_templates(keys.secret, layout, groups[:1])
    )


def test_empty_galleries_are_searched_too(unit: Unit) -> None:
    keys, layout = KEYS["standard"], Layout(512, 64)
    groups = encrypt_templates(keys.secret, layout, np.empty((0, 512), np.float32))
    assert scores(keys, layout, groups, unit(1, 512)[0]).size == 0
    assert decrypt_templates(keys.secret, layout, groups).shape == (0, 512)


def test_ciphertexts_of_one_vector_have_nothing_in_common(unit: Unit) -> None:
    keys, layout, vector = KEYS["standard"], Layout(512, 64), unit(1, 512)[0]
    for encrypt in (encrypt_probe, encrypt_template):
        one, two = encrypt(keys.public, layout, vector), encrypt(keys.public, layout, vector)
        assert (one == two).mean() < 1e-3
        share = (one / np.array(STANDARD.primes).reshape(2, *[1] * (one.ndim - 1))).reshape(-1)
        off = np.abs(np.histogram(share, 16, (0, 1))[0] / share.size * 16 - 1)
        assert off.max() < 6 * (16 / share.size) ** 0.5  # looks uniform


BAD = {
    "another layout": lambda a: np.concatenate([a, a[..., :4, :]], axis=-2),
    "a transposed array": lambda a: np.swapaxes(a, -1, -2),
    "another type": lambda a: a.astype(np.int64),
    "numbers beyond the prime": lambda a: a | np.uint32(1 << 30),
}


@pytest.mark.parametrize("bad", BAD)
def test_arrays_of_another_shape_or_profile_are_refused(bad: str, unit: Unit) -> None:
    keys, layout, vectors = KEYS["standard"], Layout(512, 64), unit(3, 512)
    groups = encrypt_templates(keys.secret, layout, vectors)
    probe = encrypt_probe(keys.public, layout, vectors[0])
    response = search(groups, probe, layout, STANDARD)
    spoil = BAD[bad]
    with pytest.raises(InputError):
        search(groups, spoil(probe), layout, STANDARD)
    with pytest.raises(InputError):
        place(spoil(groups[0]), 1, layout, STANDARD)
    with pytest.raises(InputError):
        decrypt(keys.secret, layout, response, spoil(probe))
    with pytest.raises(InputError):
        decrypt_templates(keys.secret, layout, spoil(groups))
    with pytest.raises(InputError):
        decrypt(keys.secret, layout, spoil(response) if bad != "another layout" else response[:, :1], probe)
    if bad != "numbers beyond the prime":  # of a whole gallery, numbers are not read twice to look
        with pytest.raises(InputError):
            search(spoil(groups), probe, layout, STANDARD)
        with pytest.raises(InputError):
            add(groups[0], spoil(groups[0]), STANDARD)


def test_the_other_profile_is_refused(unit: Unit) -> None:
    keys, layout, vectors = KEYS["exact"], Layout(512, 64), unit(3, 512)
    groups = encrypt_templates(keys.secret, layout, vectors)
    probe = encrypt_probe(keys.public, layout, vectors[0])
    with pytest.raises(InputError, match="does not have"):
        search(groups, probe, layout, STANDARD)
    with pytest.raises(InputError, match="does not have"):
        decrypt(KEYS["standard"].secret, layout, search(groups, probe, layout, EXACT), probe)


def test_vectors_that_do_not_fit_are_refused(unit: Unit) -> None:
    keys, layout, vector = KEYS["standard"], Layout(512, 64), unit(1, 512)[0]
    for bad in (vector[:100], 1.2 * vector, np.full(512, np.nan, np.float32), vector[None]):
        for encrypt in (encrypt_probe, encrypt_template):
            with pytest.raises(InputError):
                encrypt(keys.public, layout, bad)
        with pytest.raises(InputError):
            encrypt_templates(keys.secret, layout, bad[None])
    with pytest.raises(InputError, match="no slot 32"):
        place(encrypt_template(keys.public, layout, vector), 32, layout, STANDARD)
    with pytest.raises(UsageError, match=r"edge\.key"):
        encrypt_template(dataclasses.replace(keys.public, edge=None), layout, vector)
    with pytest.raises(UsageError, match="not exact"):
        encrypt_templates(KEYS["exact"].secret, Layout(512, 8), vector[None])
