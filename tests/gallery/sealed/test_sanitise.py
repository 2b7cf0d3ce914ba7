"""Sanitised responses: the same scores, and nothing to solve for. (`test_privacy` has the attack with one probe.)"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mien.errors import InputError
from mien.gallery.sealed.keys import Keys, SecretKey
from mien.gallery.sealed.profiles import FLOOD, PROFILES, Layout, layout_for, profile
from mien.gallery.sealed.ring import U32, centred, kernels, limbs
from mien.gallery.sealed.scheme import (
    _share,
    decrypt,
    decrypt_templates,
    encrypt_probe,
    encrypt_templates,
    sanitise,
    search,
)

Unit = Callable[..., np.ndarray]


def inverses(values: np.ndarray, prime: int) -> np.ndarray:
    return np.array([pow(int(value), -1, prime) if value else 0 for value in values], np.uint64)


def solve_two_blocks(layout: Layout, probe: U32, response: U32) -> U32:
    """The key holder's attack: a response is two equations for the two rows of a group at every point."""
    group = np.empty((1, 2, 3, 2048), np.uint32)
    for index, prime in enumerate(profile("standard").primes):
        q = np.uint64(prime)
        (p, s), (r, t) = probe[index].astype(np.uint64)  # of the first block and of the second
        over = inverses((p * t + (q - r) * s % q) % q, prime)
        left, right, public = response[0, index].astype(np.uint64)
        first = (left * t % q + (q - right) * r % q) % q * over % q
        second = (right * p % q + (q - left) * s % q) % q * over % q
        group[0, index] = public, first, second
    return group


@pytest.mark.parametrize("sanitised", [False, True])
def test_a_response_gives_a_group_of_two_blocks_unless_sanitised(sanitised: bool, unit: Unit) -> None:
    keys, layout, vectors = Keys.generate(profile("standard")), Layout(128, 64), unit(32, 128)
    groups = encrypt_templates(keys.secret, layout, vectors)
    probe = encrypt_probe(keys.public, layout, unit(1, 128, 1)[0])
    response = search(groups, probe, layout, keys.public.profile)
    if sanitised:
        response = sanitise(keys.public, layout, response)
    found = solve_two_blocks(layout, probe, response)
    assert np.array_equal(found, groups) == (not sanitised)
    rebuilt = decrypt_templates(keys.secret, layout, found)
    likeness = (rebuilt * vectors).sum(axis=1) / np.linalg.norm(rebuilt, axis=1)
    assert (likeness > 0.9999).all() if not sanitised else np.abs(likeness).max() < 0.5


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("size", [1_000, 100_000])
def test_sanitised_scores_stay_within_a_thousandth(name: str, size: int, unit: Unit) -> None:
    of = PROFILES[name]
    keys, layout, vectors = Keys.generate(of), layout_for(512, size, of), unit(1024, 512)
    groups = encrypt_templates(keys.secret, layout, vectors)
    probe = encrypt_probe(keys.public, layout, vectors[3])
    response = search(groups, probe, layout, of)
    before = decrypt(keys.secret, layout, response, probe)
    clean = sanitise(keys.public, layout, response)
    shift = decrypt(keys.secret, layout, clean, probe) - before
    assert np.abs(shift).max() < 1.1 * FLOOD
    assert np.abs(before + shift - vectors @ vectors[3]).max() < (1e-3 if name == "standard" else 1e-2)
    half = 2.0 ** np.floor(np.log2(FLOOD * of.scale)) / of.scale
    assert np.isclose(shift.std(), half / 3**0.5, rtol=0.1)  # uniform, and wide beside the noise that it hides:
    assert half / 3**0.5 > 13 * of.noise(layout)
    again = sanitise(keys.public, layout, response)
    assert (again[:, :, :2] == clean[:, :, :2]).mean() < 1e-3  # each response is masked anew
    assert np.array_equal(clean[:, :, 2], groups[:, :, 0])  # the public polynomial is public
    assert sanitise(keys.public, layout, again, again) is again
    assert np.abs(decrypt(keys.secret, layout, again, probe) - before).max() < 2.2 * FLOOD


def decrypted(secret: SecretKey, response: U32, probe: U32) -> np.ndarray:
    parts = []
    for index, table in enumerate(limbs(secret.profile.primes)):
        share = _share(secret, probe[index], index)
        rows = kernels().combine(np.ascontiguousarray(response[:, index]), secret.probe[index], share, table)
        kernels().inverse(rows, table)
        parts.append(rows)
    return centred(parts, secret.profile.primes)


def test_coefficients_without_a_score_are_masked(unit: Unit) -> None:
    """They hold products of one template's coordinates with the probe's others: uniform noise once sanitised."""
    of = profile("standard")
    keys, layout, vectors = Keys.generate(of), Layout(512, 64), unit(64, 512)
    groups = encrypt_templates(keys.secret, layout, vectors)
    probe = encrypt_probe(keys.public, layout, vectors[3])
    response = search(groups, probe, layout, of)
    rest = decrypted(keys.secret, response, probe)[:, layout.slots :] / of.modulus
    masked = decrypted(keys.secret, sanitise(keys.public, layout, response), probe)[:, layout.slots :] / of.modulus
    assert np.abs(rest).max() < 0.2 and rest.std() > 1e-3
    assert np.isclose(masked.std(), 12**-0.5, rtol=0.05)
    assert abs(np.corrcoef(rest.ravel(), masked.ravel())[0, 1]) < 0.1


def test_responses_that_do_not_fit_are_refused() -> None:
    keys, layout = Keys.generate(profile("standard")), Layout(512, 64)
    good = np.zeros((1, 2, 3, 2048), np.uint32)
    for bad in (good[0], good[:, :, :2], good.astype(np.int64), good + np.uint32(1 << 26)):
        with pytest.raises(InputError):
            sanitise(keys.public, layout, bad)
    assert sanitise(keys.public, layout, good[:0]).shape == (0, 2, 3, 2048)
