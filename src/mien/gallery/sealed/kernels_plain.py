"""The ring's work in numpy alone: what runs where numba is not installed, and the yardstick of `kernels`.

Numbers are uint32 in [0, q), on the way in and out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.gallery.sealed.ring import RUN, U32, Limb

_U64 = NDArray[np.uint64]


def forward(rows: U32, of: Limb) -> None:
    """Transform each row (k, N) in place: coefficients to values, in the order that `Limb` describes."""
    prime, size = np.uint64(of.prime), of.size
    work = rows.astype(np.uint64)
    roots = of.forward[0].astype(np.uint64)
    parts, half = 1, size
    while parts < size:
        half >>= 1
        pairs = work.reshape(-1, parts, 2, half)
        low = pairs[:, :, 0].copy()
        high = pairs[:, :, 1] * roots[parts : 2 * parts, None] % prime
        pairs[:, :, 0] = (low + high) % prime
        pairs[:, :, 1] = (low + prime - high) % prime
        parts <<= 1
    rows[:] = work.reshape(-1, size // RUN, RUN).transpose(0, 2, 1).reshape(rows.shape)


def inverse(rows: U32, of: Limb) -> None:
    """Undo `forward`, in place."""
    prime, size = np.uint64(of.prime), of.size
    work = rows.reshape(-1, RUN, size // RUN).transpose(0, 2, 1).astype(np.uint64).reshape(rows.shape)
    roots = of.inverse[0].astype(np.uint64)
    parts, half = size >> 1, 1
    while parts:
        pairs = work.reshape(-1, parts, 2, half)
        low, high = pairs[:, :, 0].copy(), pairs[:, :, 1].copy()
        pairs[:, :, 0] = (low + high) % prime
        pairs[:, :, 1] = (low + prime - high) * roots[parts : 2 * parts, None] % prime
        parts >>= 1
        half <<= 1
    rows[:] = work * np.uint64(of.last) % prime


def multiply_add(rows: U32, factor: U32, plus: U32, of: Limb) -> U32:
    """rows (k, N) * factor (N,) + plus (k, N), pointwise; a new array."""
    prime = np.uint64(of.prime)
    return ((rows.astype(np.uint64) * factor + plus) % prime).astype(np.uint32)


def add(rows: U32, others: U32, of: Limb) -> U32:
    """rows + others, of one shape; a new array."""
    total = rows + others  # below 2^30
    return np.asarray(np.minimum(total, total - np.uint32(of.prime)))


def combine(response: U32, secret: U32, square: U32, of: Limb) -> U32:
    """r0 + r1 s + r2 s^2 for response (G, 3, N), s and s^2 (N,); (G, N)."""
    prime = np.uint64(of.prime)
    work = response.astype(np.uint64)
    total = work[:, 0] + work[:, 1] * secret % prime + work[:, 2] * square % prime
    return np.asarray(total % prime, np.uint32)


def scan(groups: U32, probe: U32, out: U32, span: tuple[int, int], of: Sequence[Limb]) -> None:
    """Products of degree two, summed over the blocks, for groups span[0] to span[1].

    groups (G, L, B, 2, N), probe (L, B, 2, N), out (G, L, 3, N). Sums of up to 2 B products stay below 2^64.
    """
    wide = probe.astype(np.uint64)
    for number in range(*span):
        for index, table in enumerate(of):
            prime = np.uint64(table.prime)
            group = groups[number, index].astype(np.uint64)  # (B, 2, N)
            first, second = wide[index, :, 0], wide[index, :, 1]
            out[number, index, 0] = _sum(group[:, 0], first) % prime
            out[number, index, 1] = (_sum(group[:, 0], second) + _sum(group[:, 1], first)) % prime
            out[number, index, 2] = _sum(group[:, 1], second) % prime


def scan_shared(groups: U32, probe: U32, out: U32, span: tuple[int, int], of: Sequence[Limb]) -> None:
    """Products of rows that share their public polynomial, summed over the blocks, for groups span[0] to span[1].

    groups (G, L, B + 1, N) with the public polynomial in row 0, probe (L, b, 2, N) for the first b blocks, out (G, L, 3, N):
    the sums of the rows with either half of the probe, and the public polynomial as it is.
    """
    wide = probe.astype(np.uint64)
    for number in range(*span):
        for index, table in enumerate(of):
            group = groups[number, index, 1 : 1 + probe.shape[1]].astype(np.uint64)  # (b, N)
            for half in range(2):
                out[number, index, half] = _sum(group, wide[index, :, half]) % np.uint64(table.prime)
            out[number, index, 2] = groups[number, index, 0]


def scan_open(groups: U32, probe: U32, out: U32, span: tuple[int, int]) -> None:
    """Sums over the coordinates modulo 2^32, of an open probe, for groups span[0] to span[1].

    groups (G, d + 1, N) with the public polynomial in row 0, probe (2, d), out (G, 2, W) zeros; W at most N slots are read.
    """
    width = out.shape[2]
    for number in range(*span):
        out[number] = np.einsum("dn,kd->kn", groups[number, 1 : 1 + probe.shape[1], :width], probe)


def _sum(left: _U64, right: _U64) -> _U64:
    return np.einsum("bn,bn->n", left, right)  # type: ignore[no-any-return]


def prepare(probe: U32, of: Sequence[Limb]) -> U32:
    """What `scan` wants of a probe (L, B, 2, N); here the probe itself."""
    return probe
