"""Encrypt, search and decrypt: one multiplication, coefficient packing, no rotations and no evaluation keys.

    keys = Keys.generate(profile("standard"))
    layout = layout_for(512, len(vectors))
    groups = encrypt_templates(keys.secret, layout, vectors)           # the key holder
    probe = encrypt_probe(keys.public, layout, vector)                 # the probe device
    response = search(groups, probe, layout, keys.public.profile)      # the matcher, without a key
    scores = decrypt(keys.secret, layout, response, probe)[: len(vectors)]    # the key holder

Template j of a group has its coordinates at coefficients i n + j, the probe its coordinates at x^(-i n), so coefficient j of
the product, summed over the blocks, is the score of template j.

The blocks of a group share one public polynomial a, and each has a secret of its own (as Peikert, Vaikuntanathan and Waters,
CRYPTO 2008, pack many secrets): row i is -a s_i + e_i + T_i. A probe is encrypted block by block under one secret t:
p_i + p'_i t = P_i + f_i. The matcher sums r = sum of row_i p_i and r' = sum of row_i p'_i; the key holder computes
W = sum of s_i (p_i + p'_i t) once, and r + r' t + a W is the sum of (T_i + e_i)(P_i + f_i). So one polynomial is stored for
each block, not two, and half of the products of the usual multiplication are never made.

Groups (G, L, B + 1, N), a first, and probes (L, B, 2, N) are kept transformed, so the search is a pointwise
multiply-accumulate. Every function refuses arrays of another profile or layout with an InputError.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, UsageError
from mien.gallery.sealed.draws import Draws
from mien.gallery.sealed.keys import PublicKey, SecretKey
from mien.gallery.sealed.profiles import FLOOD, RING, SCORE_BOUND, Layout, Profile
from mien.gallery.sealed.ring import I64, U32, centred, kernels, limbs, monomial, residues
from mien.types import F32

F64 = NDArray[np.float64]
_BATCH = 32  # groups encrypted or decrypted at a time, so that memory stays small
_SPAN = 64  # groups a thread scans at a time


def encrypt_templates(secret: SecretKey, layout: Layout, vectors: F32) -> U32:
    """Vectors (m, d) of length at most 1 -> groups (G, L, B + 1, N). The key holder's: less noise than with the public key.

    A row of zeros is an empty slot."""
    of = secret.profile
    of.check(layout)
    _check_vectors(vectors, layout, of.steps)
    count = layout.groups(len(vectors))
    groups = np.empty((count, *layout.row_shape(of)), np.uint32)
    draws = Draws()
    for start in range(0, count, _BATCH):
        batch = vectors[start * layout.slots : (start + _BATCH) * layout.slots]
        plain = _pack(batch, layout, of)
        noisy = (plain + draws.errors(plain.shape)).transpose(1, 0, 2)  # (B, batch, N)
        for index, table in enumerate(limbs(of.primes)):
            a = draws.uniform((len(plain), RING), table.prime)
            groups[start : start + _BATCH, index, 0] = a
            for block, rows in enumerate(noisy):
                body = residues(rows, table.prime)
                kernels().forward(body, table)
                body = kernels().multiply_add(a, secret.negative[index][block], body, table)
                groups[start : start + _BATCH, index, 1 + block] = body
    return groups


def encrypt_template(public: PublicKey, layout: Layout, vector: F32) -> U32:
    """A vector (d,) at slot 0 -> (L, B + 1, N), with the edge's public key alone.

    It adds its noise to every score of the group that it is placed in (`Profile.noise`, edge), until the key holder
    writes that group anew; before that the exact profile is not exact.
    """
    of = public.profile
    of.check(layout)
    _check_vectors(vector[None], layout, of.steps)
    if public.edge is None:
        raise UsageError(
            "Templates are encrypted with the edge's key, which is not here.", "Put edge.key with the others."
        )
    plain = _pack(vector[None], layout, of)[0]
    draws = Draws()
    u, noise = draws.ternary((1, RING)), draws.errors((1 + layout.blocks, RING))
    noise[1:] += plain
    out = np.empty(layout.row_shape(of), np.uint32)
    for index, table in enumerate(limbs(of.primes)):
        hidden, message = residues(u, table.prime), residues(noise, table.prime)
        kernels().forward(hidden, table)
        kernels().forward(message, table)
        out[index] = kernels().multiply_add(public.edge[index, : 1 + layout.blocks], hidden[0], message, table)
    return out


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
    """Move an encrypted template from slot 0 to another: no key, no noise. (L, B + 1, N) -> the same shape."""
    _check_rows(row, layout.row_shape(of), of, "The template")
    if not 0 <= slot < layout.slots:
        raise InputError(f"There is no slot {slot} in a group of {layout.slots}.", "Number slots from 0.")
    moved = np.empty_like(row)
    for index, table in enumerate(limbs(of.primes)):
        rows = np.ascontiguousarray(row[index])
        moved[index] = kernels().multiply_add(rows, monomial(slot, table)[0], np.zeros_like(rows), table)
    return moved


def add(group: U32, row: U32, of: Profile) -> U32:
    """A group with a placed template added; a new array (L, B + 1, N)."""
    if group.shape != row.shape or group.shape[0] != of.limbs or group.dtype != np.uint32 or row.dtype != np.uint32:
        raise InputError(
            "The template to add is not of the group's layout and profile.", "Encrypt it for this gallery."
        )
    return np.stack([kernels().add(group[index], row[index], table) for index, table in enumerate(limbs(of.primes))])


def search(groups: U32, probe: U32, layout: Layout, of: Profile, threads: int = 1, out: U32 | None = None) -> U32:
    """Every score of every group, still encrypted: (G, L, B + 1, N) x (L, B, 2, N) -> response (G, L, 3, N).

    A probe of fewer blocks is compared with the first ones only. No key. Groups may be a read-only memory map and are read
    once, in order; the GIL is released. out: an earlier response of that shape to write over, because a system takes its
    time to hand out fresh memory.
    """
    of.check(layout)
    if groups.ndim != 4 or groups.shape[1:] != layout.row_shape(of) or groups.dtype != np.uint32:
        raise InputError(
            f"The groups are {groups.dtype} of shape {groups.shape}, not uint32 of {('G', *layout.row_shape(of))}.",
            "Search a gallery with its own layout and profile.",
        )
    _check_probe(probe, layout, of)
    count = len(groups)
    response = buffer((count, of.limbs, 3, RING), out)
    plain = np.ascontiguousarray(groups)  # of a memory map, the array beneath it
    tables, kernel = limbs(of.primes), kernels()
    spans = [(start, min(start + _SPAN, count)) for start in range(0, count, _SPAN)]
    prepared = kernel.prepare(probe, tables)

    def work(span: tuple[int, int]) -> None:
        kernel.scan_shared(plain, prepared, response, span, tables)

    if threads > 1 and len(spans) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, spans))
    else:
        for span in spans:
            work(span)
    return response


def sanitise(public: PublicKey, layout: Layout, response: U32, out: U32 | None = None) -> U32:
    """A response from which the key holder learns its scores and not the ciphertexts of the gallery; no secret.

    Without it a few responses let whoever holds the secret key solve for the gallery's rows. An encryption of zero under t
    is added on (r, r'), the coefficients that hold no score are masked, and scores get noise, uniform within `FLOOD`
    (2^-11 = 0.0005), that hides most of what the encryption's noise would tell of the templates (how much:
    docs/concepts/sealed-threat-model.md). Scores stay within 1e-3; the exact profile is then not exact. This construction
    has not been reviewed by a third party. out: where to, the response itself perhaps.
    """
    of = public.profile
    of.check(layout)
    _check_response(response, of)
    for index, prime in enumerate(of.primes):
        _check_canonical(response[:, index], prime, of)
    draws, clean = Draws(), buffer(response.shape, out)
    half = 1 << int(np.log2(FLOOD * of.scale))
    for start in range(0, len(response), _BATCH):
        part = response[start : start + _BATCH]
        shape = (len(part), RING)
        hidden, error = draws.ternary(shape), draws.errors(shape)
        flood = draws.errors(shape) + draws.spread(shape, half)
        for index, table in enumerate(limbs(of.primes)):
            mask = draws.uniform(shape, table.prime)
            mask[:, : layout.slots] = 0
            noise = (np.mod(flood, table.prime).astype(np.uint32) + mask) % np.uint32(table.prime)
            rows = [noise, residues(error, table.prime), residues(hidden, table.prime)]
            for row in rows:
                kernels().forward(row, table)
            for power, factor in enumerate((public.b[index], public.a[index])):
                held = kernels().add(np.ascontiguousarray(part[:, index, power]), rows[power], table)
                clean[start : start + _BATCH, index, power] = kernels().multiply_add(rows[2], factor, held, table)
            clean[start : start + _BATCH, index, 2] = part[:, index, 2]
    return clean


def decrypt(secret: SecretKey, layout: Layout, response: U32, probe: U32) -> F64:
    """Response (G, L, 3, N) to an encrypted probe (L, B, 2, N) -> scores (G * n,), by group and slot; empty slots score
    about 0. The probe is what the device made, not what a matcher says it was.

    In the exact profile each is a whole number of steps, without error (see `Profile`).
    """
    of = secret.profile
    of.check(layout)
    _check_response(response, of)
    _check_probe(probe, layout, of)
    shares = [_share(secret, probe[index], index) for index in range(of.limbs)]
    scores = []
    for start in range(0, len(response), _BATCH):
        parts = []
        for index, table in enumerate(limbs(of.primes)):
            part = np.ascontiguousarray(response[start : start + _BATCH, index])
            _check_canonical(part, table.prime, of)
            rows = kernels().combine(part, secret.probe[index], shares[index], table)
            kernels().inverse(rows, table)
            parts.append(rows[:, : layout.slots])
        value = centred(parts, of.primes).reshape(-1)
        scores.append(np.rint(value / of.lift) / (of.steps * of.probe_steps) if of.exact else value / of.scale)
    return np.concatenate(scores) if scores else np.empty(0)


def decrypt_templates(secret: SecretKey, layout: Layout, groups: U32) -> F64:
    """Groups (G, L, B + 1, N) -> vectors (G * n, d): for rotation, for erasing one slot, for checks.

    Of groups that the key holder encrypted, each coordinate comes back as it went in, to the step, so encrypting again
    changes nothing.
    """
    of = secret.profile
    of.check(layout)
    if groups.ndim != 4:
        raise InputError(f"The groups have {groups.ndim} axes, not 4.", "Give them as (G, L, B + 1, N).")
    vectors = np.empty((len(groups) * layout.slots, layout.dimension))
    for start in range(0, len(groups), _BATCH):
        batch = np.asarray(groups[start : start + _BATCH])
        for group in batch:
            _check_rows(group, layout.row_shape(of), of, "A group")
        parts = []
        for index, table in enumerate(limbs(of.primes)):
            a, found = np.ascontiguousarray(batch[:, index, 0]), np.empty((len(batch), layout.blocks, RING), np.uint32)
            for block in range(layout.blocks):
                body = np.ascontiguousarray(batch[:, index, 1 + block])
                rows = kernels().multiply_add(a, secret.blocks[index][block], body, table)
                kernels().inverse(rows, table)
                found[:, block] = rows
            parts.append(found)
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


def _share(secret: SecretKey, probe: U32, index: int) -> U32:
    """W of one limb (N,): the sum over the blocks of s_i (p_i + p'_i t), probe (B, 2, N)."""
    table, total = limbs(secret.profile.primes)[index], np.zeros((1, RING), np.uint32)
    whole = kernels().multiply_add(
        np.ascontiguousarray(probe[:, 1]), secret.probe[index], np.ascontiguousarray(probe[:, 0]), table
    )
    for row, block in zip(whole, secret.blocks[index], strict=False):
        total = kernels().multiply_add(row[None], block, total, table)
    return np.asarray(total[0])


def buffer(shape: tuple[int, ...], out: U32 | None) -> U32:
    """`out` where it is of that shape, whole and writable; else fresh memory."""
    fits = out is not None and out.shape == shape and out.dtype == np.uint32 and out.flags.carray
    return out if fits and out is not None else np.empty(shape, np.uint32)


def _pack(vectors: F32, layout: Layout, of: Profile) -> I64:
    """(m, d) -> (G, B, N): coordinate b * block + i of slot j at coefficient i * n + j."""
    count = layout.groups(len(vectors))
    padded = np.zeros((count * layout.slots, layout.blocks * layout.block))
    padded[: len(vectors), : layout.dimension] = vectors
    values = np.rint(padded * of.steps).astype(np.int64) * of.template_lift
    values = values.reshape(count, layout.slots, layout.blocks, layout.block).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(values).reshape(count, layout.blocks, RING)


def _check_vectors(vectors: F32, layout: Layout, steps: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != layout.dimension:
        raise InputError(
            f"The vectors are of shape {vectors.shape}, not (m, {layout.dimension}).",
            "Use the layout of their dimension.",
        )
    length = np.sqrt(np.square(np.rint(vectors.astype(np.float64) * steps)).sum(axis=1)) / steps
    if not (length <= np.sqrt(SCORE_BOUND)).all():  # written so that NaN fails too
        raise InputError("A vector is longer than 1 or not finite, so its scores would not fit.", "Seal unit vectors.")


def _check_probe(probe: U32, layout: Layout, of: Profile) -> None:
    blocks = probe.shape[1] if probe.ndim == 4 else 0
    shape = of.probe_shape(layout)
    _check_rows(probe, (shape[0], blocks, *shape[2:]) if 0 < blocks <= layout.blocks else shape, of, "The probe")


def _check_rows(row: U32, shape: tuple[int, ...], of: Profile, what: str) -> None:
    if row.shape != shape or row.dtype != np.uint32:
        raise InputError(
            f"{what} is {row.dtype} of shape {row.shape}, not uint32 of {shape}.",
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
