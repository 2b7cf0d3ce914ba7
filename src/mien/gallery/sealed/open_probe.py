"""The mode for one organisation whose matcher may see the probe: the gallery and the scores stay encrypted, the probe does not.

    key = OpenKey.generate(512)
    groups = seal_templates(key, vectors)                    # the key holder; 2 KiB per template of 512 coordinates
    probe = open_probe(vector)                               # whole numbers, in the clear
    response = scan(groups, probe, len(vectors))             # the matcher, without a key
    scores = open_scores(key, probe, response, len(vectors))

One public polynomial `a` per group is shared by all coordinates, each of which has a secret of its own (as Peikert,
Vaikuntanathan and Waters, CRYPTO 2008, pack many secrets): row 1 + i of a group is a s_i + e_i + the i-th coordinates of its
templates, one per coefficient, modulo 2^32. A search is a sum of rows with small whole weights, so it costs what the product of
a float32 matrix costs; the key holder takes away a times the same sum of secrets. 32 bits for this ring lie within the
standard's row for 128 bits (`profiles`), against quantum computers too.

32 bits do not hold a score to 1e-4 with templates and a probe in fine steps at once. So the probe goes in two parts, coarse
steps and what those leave, and a row is weighed with both while it is at hand; the sums meet again after decryption.

Since all templates of a group share `a`, no slot may ever be written twice: two templates under the same `a` would give away
their difference. `erase_slot` blanks a slot for good; whoever wants it back seals the group anew.
"""

from __future__ import annotations

import functools
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import CannotWrite, InputError, UsageError
from mien.gallery.sealed.draws import Draws, derived
from mien.gallery.sealed.profiles import OPEN, OPEN_FINE, PROFILES, RING, SCORE_BOUND
from mien.gallery.sealed.ring import I64, U32, centred, kernels, limbs, residues
from mien.gallery.sealed.scheme import buffer
from mien.types import F32

F64 = NDArray[np.float64]
TEMPLATE_STEPS = OPEN.steps  # a template's coordinate enters as round(this times it) …
PROBE_STEPS = OPEN.probe_steps  # … the probe's coarsely, …
FINE = OPEN_FINE  # … and what that leaves, in 1 / FINE of a step
SCORE_SD = 5.4e-6  # standard deviation of a score's error: the probe's rounding 4.4e-6, the noise 3.1e-6
_PRIMES = PROFILES[
    "exact"
].primes  # two primes in which products of the ring are computed before they are cut to 32 bits
_MAGIC = b"mien open key 1\n"
_COORDINATES = 64  # secrets multiplied at a time


@dataclass(frozen=True, eq=False)
class OpenKey:
    """One ternary secret per coordinate: (d, N) in {-1, 0, 1}."""

    signs: NDArray[np.int8]

    @classmethod
    def generate(cls, dimension: int) -> OpenKey:
        """A new key from the operating system's randomness."""
        if dimension < 1:
            raise UsageError(f"A vector of {dimension} coordinates cannot be sealed.", "Give at least one.")
        return cls(Draws().ternary((dimension, RING)))

    @classmethod
    def derive(cls, root: bytes, dimension: int) -> OpenKey:
        """The key that follows from a secret of at least 256 bits: each coordinate's is the same whatever the dimension."""
        return cls(derived(root, b"mien open key", dimension))

    @property
    def dimension(self) -> int:
        """Coordinates of a vector, d."""
        return int(self.signs.shape[0])

    @functools.cached_property
    def identity(self) -> str:
        """A digest to bind groups to; tells nothing of the key."""
        digest = hashlib.blake2b(self.signs.tobytes(), digest_size=16, person=b"mien open key")
        return digest.hexdigest()

    @functools.cached_property
    def weights(self) -> F32:
        """The secrets as float32 (d, N): sums of them with a probe's whole numbers stay below 2^24, so they are exact."""
        return self.signs.astype(np.float32)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a new file, readable by its owner alone. Raises UsageError where there is one, CannotWrite."""
        digest = hashlib.blake2b(self.signs.tobytes(), digest_size=32).digest()
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise UsageError(f"There is a file {path} already.", "Name another.") from None
        except OSError as error:
            raise CannotWrite(f"The key cannot be written to {path}: {error.strerror}.") from error
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + digest + self.signs.tobytes())
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> OpenKey:
        """Read what `save` wrote. Raises UsageError where it is missing, InputError where it is damaged."""
        try:
            found = Path(path).read_bytes()
        except OSError as error:
            raise UsageError(
                f"The key cannot be read at {path}: {error.strerror}.", "Name the gallery's key."
            ) from error
        digest, body = found[len(_MAGIC) :][:32], found[len(_MAGIC) + 32 :]
        whole = found.startswith(_MAGIC) and body and len(body) % RING == 0
        if not whole or hashlib.blake2b(body, digest_size=32).digest() != digest:
            raise InputError(f"{path} is damaged or no key of an open probe's gallery.", "Restore it from a copy.")
        return cls(np.frombuffer(body, np.int8).reshape(-1, RING))

    def __repr__(self) -> str:
        return f"OpenKey({self.identity})"  # the key itself stays out of logs


def seal_templates(key: OpenKey, vectors: F32) -> U32:
    """Vectors (m, d) of length at most 1 -> groups (G, d + 1, N) with fresh public polynomials, slot by slot.

    Slots beyond the last vector hold encrypted zeros. More templates go into a new group, never into those."""
    _check_vectors(vectors, key.dimension, TEMPLATE_STEPS)
    count = -(-len(vectors) // RING)
    groups = np.empty((count, key.dimension + 1, RING), np.uint32)
    draws = Draws()
    for number in range(count):
        batch = vectors[number * RING : (number + 1) * RING]
        a = draws.words(RING, np.uint32)
        groups[number, 0] = a
        plain = np.zeros((key.dimension, RING), np.int64)
        plain[:, : len(batch)] = np.rint(batch.T.astype(np.float64) * TEMPLATE_STEPS).astype(np.int64)
        for start in range(0, key.dimension, _COORDINATES):
            part = slice(start, start + _COORDINATES)
            body = _products(a, key.signs[part].astype(np.int32)) + draws.errors(plain[part].shape) + plain[part]
            groups[number, 1:][part] = body.astype(np.uint32)
    return groups


def erase_slot(group: U32, slot: int) -> U32:
    """A group (d + 1, N) without what one slot held; a new array. Its score is noise from then on: leave it out."""
    if group.ndim != 2 or group.shape[1] != RING or group.dtype != np.uint32 or not 0 <= slot < RING:
        raise InputError(f"There is no slot {slot} in a group of shape {group.shape}.", f"Slots are 0 to {RING - 1}.")
    blank = group.copy()
    blank[1:, slot] = 0
    return blank


def open_probe(vector: F32) -> NDArray[np.int32]:
    """A vector (d,) of length at most 1 -> whole numbers (2, d), what the matcher sees: coarse, and what that leaves."""
    _check_vectors(vector[None], len(vector), PROBE_STEPS)
    whole = vector.astype(np.float64) * PROBE_STEPS
    coarse = np.rint(whole)
    fine = np.rint((whole - coarse) * FINE)
    if np.sqrt(SCORE_BOUND) * TEMPLATE_STEPS * np.linalg.norm(fine) >= 1 << 31:
        raise InputError(
            f"The probe has {len(vector)} coordinates: what their steps leave does not fit 32 bits.",
            "Use fewer than 3,000, or another profile.",
        )
    return np.stack([coarse, fine]).astype(np.int32)


def scan(groups: U32, probe: NDArray[np.int32], size: int, threads: int = 1, out: U32 | None = None) -> U32:
    """Every score, still encrypted: groups (G, d + 1, N) x (2, d) -> response (G, 3, N): public polynomial, two sums.

    size: how many slots hold templates, counted from the first; the rest are not read. No key; the GIL is released.
    A probe of fewer coordinates is compared with the first ones only. out: an earlier response of that shape to write over.
    """
    if probe.dtype != np.int32 or probe.ndim != 2 or len(probe) != 2 or not 0 <= size <= len(groups) * RING:
        raise InputError(
            f"{size} slots cannot be searched with a {probe.dtype} probe of shape {probe.shape}.", "Use `open_probe`."
        )
    rows = probe.shape[1] + 1
    if groups.ndim != 3 or groups.shape[1] < rows or groups.shape[2] != RING or groups.dtype != np.uint32:
        raise InputError(
            f"The groups are {groups.dtype} of shape {groups.shape}, not uint32 of ('G', {rows}, {RING}).",
            "Search a gallery with probes of its own dimension.",
        )
    full, rest = divmod(size, RING)
    plain, weights = np.asarray(groups), np.ascontiguousarray(probe).view(np.uint32)
    response = buffer((len(groups), 3, RING), out)
    response[:, 0] = plain[:, 0]
    response[full:, 1:] = 0
    sums = np.zeros((full, 2, RING), np.uint32)
    spans = [(start, min(start + 4, full)) for start in range(0, full, 4)]
    if threads > 1 and len(spans) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda span: kernels().scan_open(plain, weights, sums, span), spans))
    else:
        kernels().scan_open(plain, weights, sums, (0, full))
    response[:full, 1:] = sums
    if rest:
        last = np.zeros((1, 2, rest), np.uint32)
        kernels().scan_open(plain[full : full + 1], weights, last, (0, 1))
        response[full, 1:, :rest] = last
    return response


def open_scores(key: OpenKey, probe: NDArray[np.int32], response: U32, size: int) -> F64:
    """Response (G, 3, N) -> scores (size,), slot by slot; those of blanked slots mean nothing."""
    if (
        response.ndim != 3
        or response.shape[1:] != (3, RING)
        or response.dtype != np.uint32
        or probe.ndim != 2
        or not 0 < probe.shape[1] <= key.dimension
    ):
        raise InputError("The response or the probe is not of this key's gallery.", "Use those of one search.")
    if not 0 <= size <= len(response) * RING:
        raise InputError(
            f"A response of {len(response)} groups has no {size} scores.", "Ask for those that were searched."
        )
    total = np.rint(probe.astype(np.float32) @ key.weights[: probe.shape[1]]).astype(np.int64)
    scores = np.empty((len(response), RING))
    for number, (public, coarse, fine) in enumerate(response):
        shares = _long_product(public, total)
        scores[number] = _signed(coarse - shares[0]) + _signed(fine - shares[1]) / FINE
    return scores.reshape(-1)[:size] / (TEMPLATE_STEPS * PROBE_STEPS)


def open_templates(key: OpenKey, groups: U32) -> F64:
    """Groups (G, d + 1, N) -> vectors (G * N, d): for compaction and rotation; noise of 3.1e-6 a coordinate stays in them."""
    if groups.ndim != 3 or groups.shape[1:] != (key.dimension + 1, RING) or groups.dtype != np.uint32:
        raise InputError("The groups are not of this key's gallery.", "Use a gallery with its own key.")
    vectors = np.empty((len(groups), RING, key.dimension))
    for number, group in enumerate(groups):
        for start in range(0, key.dimension, _COORDINATES):
            part = slice(start, start + _COORDINATES)
            shares = _products(group[0], key.signs[part].astype(np.int32)).astype(np.uint32)
            vectors[number, :, part] = (_signed(group[1:][part] - shares) / TEMPLATE_STEPS).T
    return vectors.reshape(-1, key.dimension)


def _products(a: U32, others: NDArray[np.int32]) -> I64:
    """a (N,) modulo 2^32 times each of others (k, N), whose entries times N times 2^31 stay below 2^53; exact integers."""
    whole = _signed(a)
    parts = []
    for table in limbs(_PRIMES):
        left = np.mod(whole, table.prime).astype(np.uint32)[None]
        right = residues(others, table.prime)
        kernels().forward(left, table)
        kernels().forward(right, table)
        product = kernels().multiply_add(right, left[0], np.zeros_like(right), table)
        kernels().inverse(product, table)
        parts.append(product)
    return centred(parts, _PRIMES)


def _long_product(a: U32, total: I64) -> U32:
    """a (N,) times each of total (k, N) modulo 2^32; in two halves of a, so that whatever a matcher sends fits."""
    rows = total.astype(np.int32)
    high = _products(a >> np.uint32(16), rows).astype(np.uint32) << np.uint32(16)
    return np.asarray(high + _products(a & np.uint32(0xFFFF), rows).astype(np.uint32))


def _signed(values: U32) -> I64:
    return np.asarray(values, np.uint32).view(np.int32).astype(np.int64)


def _check_vectors(vectors: F32, dimension: int, steps: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise InputError(
            f"The vectors are of shape {vectors.shape}, not (m, {dimension}).", "Use the key of their dimension."
        )
    length = np.sqrt(np.square(np.rint(vectors.astype(np.float64) * steps)).sum(axis=1)) / steps
    if not (length <= np.sqrt(SCORE_BOUND)).all():  # written so that NaN fails too
        raise InputError("A vector is longer than 1 or not finite, so its scores would not fit.", "Seal unit vectors.")
