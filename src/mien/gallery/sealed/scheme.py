"""Encrypt, search and decrypt: one multiplication, coefficient packing, no rotations and no evaluation keys.

    keys = Keys.generate(profile("standard"))
    layout = layout_for(512, len(vectors))
    groups = encrypt_templates(keys.secret, layout, vectors)           # the key holder
    probe = encrypt_probe(keys.public, layout, vector)                 # the probe device
    response = search(groups, probe, layout, keys.public.profile)      # the matcher, without a key
    scores = decrypt(keys.secret, layout, response)[: len(vectors)]    # the key holder

Template j of a group has its coordinates at coefficients i n + j, the probe its coordinates at x^(-i n), so coefficient j of
the product, summed over the blocks, is the score of template j. Groups and probes are kept transformed (G, L, B, 2, N), so the
search is a pointwise multiply-accumulate. Every function refuses arrays of another profile or layout with an InputError.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError
from mien.gallery.sealed.draws import Draws
from mien.gallery.sealed.keys import PublicKey, SecretKey
from mien.gallery.sealed.profiles import FLOOD, RING, SCORE_BOUND, Layout, Profile
from mien.gallery.sealed.ring import I64, U32, centred, kernels, limbs, monomial, residues
from mien.types import F32

F64 = NDArray[np.float64]
Progress = Callable[[int, int], None]  # (groups done, groups in all)
_BATCH = 32  # groups encrypted or decrypted at a time, so that memory stays small
_SPAN = 64  # groups a thread scans at a time


def encrypt_templates(secret: SecretKey, layout: Layout, vectors: F32) -> U32:
    """Vectors (m, d) of length at most 1 -> groups (G, L, B, 2, N). The key holder's: less noise than with the public key.

    A row of zeros is an empty slot."""
    of = secret.profile
    of.check(layout)
    _check_vectors(vectors, layout, of.steps)
    count = layout.groups(len(vectors))
    groups = np.empty((count, *layout.row_shape(of)), np.uint32)
    draws = Draws()
    for start in range(0, count, _BATCH):
        batch = vectors[start * layout.slots : (start + _BATCH) * layout.slots]
        plain = _pack(batch, layout, of).reshape(-1, RING)
        noisy = plain + draws.errors(plain.shape)
        for index, table in enumerate(limbs(of.primes)):
            a = draws.uniform(plain.shape, table.prime)
            body = residues(noisy, table.prime)
            kernels().forward(body, table)
            body = kernels().multiply_add(a, secret.powers[index][1], body, table)
            groups[start : start + _BATCH, index] = np.stack([body, a], axis=1).reshape(-1, layout.blocks, 2, RING)
    return groups


def encrypt_template(public: PublicKey, layout: Layout, vector: F32) -> U32:
    """A vector (d,) at slot 0 -> (L, B, 2, N), with the public key alone: for enrolling at the edge.

    It adds its noise to every score of the group that it is placed in (`Profile.noise`, edge), until the key holder
    writes that group anew; before that the exact profile is not exact.
    """
    of = public.profile
    of.check(layout)
    _check_vectors(vector[None], layout, of.steps)
    plain = _pack(vector[None], layout, of)[0]
    return _encrypt(public, [residues(plain, prime) for prime in of.primes])


def encrypt_probe(public: PublicKey, layout: Layout, vector: F32) -> U32:
    """A vector (d,) of length at most 1 -> probe (L, B, 2, N), with the public key alone."""
    of = public.profile
    of.check(layout)
    _check_vectors(vector[None], layout, of.probe_steps)
    padded = np.zeros(layout.blocks * layout.block)
    padded[: layout.dimension] = vector
    values = (np.rint(padded * of.probe_steps).astype(np.int64) * of.probe_lift).reshape(layout.blocks, layout.block)
    values[:, 1:] *= -1  # x^(-i n) = -x^(N - i n)
    places = -np.arange(layout.block) * layout.slots % RING
    plain = np.zeros((of.limbs, layout.blocks, RING), np.uint32)
    for index, prime in enumerate(of.primes):
        plain[index][:, places] = np.mod(values, prime)
    return _encrypt(public, list(plain))


def place(row: U32, slot: int, layout: Layout, of: Profile) -> U32:
    """Move an encrypted template from slot 0 to another: no key, no noise. (L, B, 2, N) -> the same shape."""
    _check_rows(row, layout, of, "The template")
    if not 0 <= slot < layout.slots:
        raise InputError(f"There is no slot {slot} in a group of {layout.slots}.", "Number slots from 0.")
    moved = np.empty_like(row)
    for index, table in enumerate(limbs(of.primes)):
        rows = np.ascontiguousarray(row[index]).reshape(-1, RING)
        moved[index] = (
            kernels()
            .multiply_add(rows, monomial(slot, table)[0], np.zeros_like(rows), table)
            .reshape(layout.blocks, 2, RING)
        )
    return moved


def add(group: U32, row: U32, of: Profile) -> U32:
    """A group with a placed template added; a new array (L, B, 2, N)."""
    if group.shape != row.shape or group.shape[0] != of.limbs or group.dtype != np.uint32 or row.dtype != np.uint32:
        raise InputError(
            "The template to add is not of the group's layout and profile.", "Encrypt it for this gallery."
        )
    return np.stack([kernels().add(group[index], row[index], table) for index, table in enumerate(limbs(of.primes))])


def search(
    groups: U32, probe: U32, layout: Layout, of: Profile, threads: int = 1, progress: Progress | None = None
) -> U32:
    """Every score of every group, still encrypted: (G, L, B, 2, N) x (L, B, 2, N) -> response (G, L, 3, N).

    No key. Groups may be a read-only memory map and are read once, in order; the GIL is released. progress(done, all).
    """
    of.check(layout)
    if groups.ndim != 5 or groups.shape[1:] != layout.row_shape(of) or groups.dtype != np.uint32:
        raise InputError(
            f"The groups are {groups.dtype} of shape {groups.shape}, not uint32 of {('G', *layout.row_shape(of))}.",
            "Search a gallery with its own layout and profile.",
        )
    _check_rows(probe, layout, of, "The probe")
    count = len(groups)
    response = np.empty((count, of.limbs, 3, RING), np.uint32)
    plain = np.ascontiguousarray(groups)  # of a memory map, the array beneath it
    tables, kernel = limbs(of.primes), kernels()
    spans = [(start, min(start + _SPAN, count)) for start in range(0, count, _SPAN)]
    prepared = kernel.prepare(probe, tables)

    def work(span: tuple[int, int]) -> int:
        kernel.scan(plain, prepared, response, span, tables)
        return span[1] - span[0]

    done = 0
    if threads > 1 and len(spans) > 1:
        with ThreadPoolExecutor(threads) as pool:
            for finished in pool.map(work, spans):
                done = _tell(progress, done + finished, count)
    else:
        for span in spans:
            done = _tell(progress, done + work(span), count)
    return response


def sanitise(public: PublicKey, layout: Layout, response: U32) -> U32:
    """A response from which the key holder learns its scores and not the ciphertexts of the gallery; no secret.

    Without it a degree-2 response lets whoever holds the secret key solve for the gallery's rows. Encryptions of zero are
    added on (r0, r1) and on (r1, r2), the coefficients that hold no score are masked, and scores get noise, uniform within
    `FLOOD` (2^-11 = 0.0005), that hides most of what the encryption's noise would tell of the templates (how much:
    docs/concepts/sealed-threat-model.md). Scores stay within 1e-3; the exact profile is then not exact. This construction
    has not been reviewed by a third party.
    """
    of = public.profile
    of.check(layout)
    _check_response(response, of)
    for index, prime in enumerate(of.primes):
        _check_canonical(response[:, index], prime, of)
    draws, clean = Draws(), np.empty_like(response)
    half = 1 << int(np.log2(FLOOD * of.scale))
    for start in range(0, len(response), _BATCH):
        part = response[start : start + _BATCH]
        shape = (len(part), RING)
        hidden = [draws.ternary(shape), draws.ternary(shape)]
        errors = [draws.errors(shape) for _ in range(3)]
        flood = errors[0] + draws.spread(shape, half)
        drawn_small: list[NDArray[Any]] = [*errors[1:], *hidden]
        for index, table in enumerate(limbs(of.primes)):
            mask = draws.uniform(shape, table.prime)
            mask[:, : layout.slots] = 0
            noise = (np.mod(flood, table.prime).astype(np.uint32) + mask) % np.uint32(table.prime)
            rows = [noise, *(residues(drawn, table.prime) for drawn in drawn_small)]
            for row in rows:
                kernels().forward(row, table)
            b, a = public.b[index], public.a[index]
            r0, r1, r2 = (
                kernels().add(np.ascontiguousarray(part[:, index, power]), rows[power], table) for power in range(3)
            )
            clean[start : start + _BATCH, index, 0] = kernels().multiply_add(rows[3], b, r0, table)
            r1 = kernels().multiply_add(rows[3], a, r1, table)
            clean[start : start + _BATCH, index, 1] = kernels().multiply_add(rows[4], b, r1, table)
            clean[start : start + _BATCH, index, 2] = kernels().multiply_add(rows[4], a, r2, table)
    return clean


def decrypt(secret: SecretKey, layout: Layout, response: U32) -> F64:
    """Response (G, L, 3, N) -> scores (G * n,), by group and slot; empty slots score about 0.

    In the exact profile each is a whole number of steps, without error (see `Profile`).
    """
    of = secret.profile
    _check_response(response, of)
    scores = []
    for start in range(0, len(response), _BATCH):
        parts = []
        for index, table in enumerate(limbs(of.primes)):
            part = np.ascontiguousarray(response[start : start + _BATCH, index])
            _check_canonical(part, table.prime, of)
            s, _, square = secret.powers[index]
            rows = kernels().combine(part, s, square, table)
            kernels().inverse(rows, table)
            parts.append(rows[:, : layout.slots])
        value = centred(parts, of.primes).reshape(-1)
        scores.append(np.rint(value / of.lift) / (of.steps * of.probe_steps) if of.exact else value / of.scale)
    return np.concatenate(scores) if scores else np.empty(0)


def decrypt_templates(secret: SecretKey, layout: Layout, groups: U32) -> F64:
    """Groups (G, L, B, 2, N) -> vectors (G * n, d): for rotation, for erasing one slot, for checks.

    Of groups that the key holder encrypted, each coordinate comes back as it went in, to the step, so encrypting again
    changes nothing.
    """
    of = secret.profile
    if groups.ndim != 5:
        raise InputError(f"The groups have {groups.ndim} axes, not 5.", "Give them as (G, L, B, 2, N).")
    vectors = np.empty((len(groups) * layout.slots, layout.dimension))
    for start in range(0, len(groups), _BATCH):
        batch = np.asarray(groups[start : start + _BATCH])
        for group in batch:
            _check_rows(group, layout, of, "A group")
        parts = []
        for index, table in enumerate(limbs(of.primes)):
            body, a = (np.ascontiguousarray(batch[:, index, :, half]).reshape(-1, RING) for half in range(2))
            rows = kernels().multiply_add(a, secret.powers[index][0], body, table)
            kernels().inverse(rows, table)
            parts.append(rows)
        value = centred(parts, of.primes).reshape(-1, layout.blocks, layout.block, layout.slots)
        flat = value.transpose(0, 3, 1, 2).reshape(len(batch) * layout.slots, -1)[:, : layout.dimension]
        vectors[start * layout.slots :][: len(flat)] = np.rint(flat / of.template_lift) / of.steps
    return vectors


def _encrypt(public: PublicKey, plain: list[U32]) -> U32:
    """Residues (L of (k, N)) -> (L, k, 2, N): (u b + e0 + m, u a + e1)."""
    draws, shape = Draws(), plain[0].shape
    u, noise, other = draws.ternary(shape), draws.errors(shape), draws.errors(shape)
    out = np.empty((len(plain), shape[0], 2, RING), np.uint32)
    for index, table in enumerate(limbs(public.profile.primes)):
        message = kernels().add(residues(noise, table.prime), plain[index], table)
        rows = np.concatenate([residues(u, table.prime), message, residues(other, table.prime)])
        kernels().forward(rows, table)
        hidden, message, error = rows.reshape(3, *shape)
        out[index, :, 0] = kernels().multiply_add(hidden, public.b[index], message, table)
        out[index, :, 1] = kernels().multiply_add(hidden, public.a[index], error, table)
    return out


def _pack(vectors: F32, layout: Layout, of: Profile) -> I64:
    """(m, d) -> (G, B, N): coordinate b * block + i of slot j at coefficient i * n + j."""
    count = layout.groups(len(vectors))
    padded = np.zeros((count * layout.slots, layout.blocks * layout.block))
    padded[: len(vectors), : layout.dimension] = vectors
    values = np.rint(padded * of.steps).astype(np.int64) * of.template_lift
    values = values.reshape(count, layout.slots, layout.blocks, layout.block).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(values).reshape(count, layout.blocks, RING)


def _tell(progress: Progress | None, done: int, count: int) -> int:
    if progress is not None:
        progress(done, count)
    return done


def _check_vectors(vectors: F32, layout: Layout, steps: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != layout.dimension:
        raise InputError(
            f"The vectors are of shape {vectors.shape}, not (m, {layout.dimension}).",
            "Use the layout of their dimension.",
        )
    length = np.sqrt(np.square(np.rint(vectors.astype(np.float64) * steps)).sum(axis=1)) / steps
    if not (length <= np.sqrt(SCORE_BOUND)).all():  # written so that NaN fails too
        raise InputError("A vector is longer than 1 or not finite, so its scores would not fit.", "Seal unit vectors.")


def _check_rows(row: U32, layout: Layout, of: Profile, what: str) -> None:
    if row.shape != layout.row_shape(of) or row.dtype != np.uint32:
        raise InputError(
            f"{what} is {row.dtype} of shape {row.shape}, not uint32 of {layout.row_shape(of)}.",
            "Use one layout and profile throughout.",
        )
    if any((row[index] >= prime).any() for index, prime in enumerate(of.primes)):
        raise InputError(
            f"{what} holds numbers that the profile {of.name} does not have.", "It is damaged, or another's."
        )


def _check_response(response: U32, of: Profile) -> None:
    if response.ndim != 4 or response.shape[1:] != (of.limbs, 3, RING) or response.dtype != np.uint32:
        raise InputError(
            f"The response is {response.dtype} of shape {response.shape}, not uint32 of {('G', of.limbs, 3, RING)}.",
            "Decrypt it with the profile that it was made with.",
        )
    if any((response[:, index] >= prime).any() for index, prime in enumerate(of.primes)):
        raise InputError(
            f"The response holds numbers that the profile {of.name} does not have.",
            "It is damaged, or another profile's.",
        )


def _check_canonical(part: U32, prime: int, of: Profile) -> None:
    if part.size and part.max() >= prime:
        raise InputError(
            f"The response holds numbers that the profile {of.name} does not have.",
            "It is damaged, or another profile's.",
        )
