"""The ring's work compiled by numba: the functions of `kernels_plain`, bit for bit, many times as fast.

Loops are written so that the compiler turns them into vector instructions: 32-bit residues, min(x, x - q) in place of a
branch (an unsigned difference that wraps around is the larger), Shoup's multiplication in the transforms (Harvey, Faster
arithmetic for number-theoretic transforms, 2014) and sums of products kept in 64 bits with one Montgomery reduction at the
end. Everything releases the GIL. Compiled once, and kept beside this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numba as nb
import numpy as np
from numba import uint32, uint64

from mien.gallery.sealed.profiles import RING
from mien.gallery.sealed.ring import RUN, U32, Limb

_READ = {rank: nb.types.Array(nb.uint32, rank, "C", readonly=True) for rank in range(1, 6)}  # takes writable ones too
_SUMS = nb.types.Array(nb.uint64, 1, "C", readonly=True)
_TILE = 1024  # coefficients summed at a time; divides the length of every ring in use
_WRITE = {rank: nb.types.Array(nb.uint32, rank, "C") for rank in range(1, 5)}


def _compiled(*signature: Any) -> Callable[[Callable[..., Any]], Any]:
    def compile_(function: Callable[..., Any]) -> Any:
        try:
            return nb.njit(nb.void(*signature), nogil=True, cache=True)(function)
        except RuntimeError:  # nowhere to keep the compiled code: compile in each process
            return nb.njit(nb.void(*signature), nogil=True)(function)

    return compile_


def _inlined(*signature: Any) -> Callable[[Callable[..., Any]], Any]:
    def compile_(function: Callable[..., Any]) -> Any:
        return nb.njit(*signature, inline="always")(function)

    return compile_


@_inlined(nb.uint32(nb.uint32, nb.uint32, nb.uint32, nb.uint32))
def _shoup(x: Any, root: Any, factor: Any, q: Any) -> Any:
    """x root mod q, canonical, for any x of 32 bits; factor = floor(root 2^32 / q)."""
    top = uint32((uint64(factor) * uint64(x)) >> uint64(32))
    v = uint32(uint32(root * x) - uint32(top * q))
    return min(v, uint32(v - q))


@_compiled(_WRITE[2], _READ[2], _READ[3], nb.uint32)
def _forward(rows: Any, roots: Any, across: Any, q: Any) -> None:
    size = rows.shape[1]
    width = size // RUN
    turned = np.empty((RUN, width), np.uint32)
    for index in range(rows.shape[0]):
        row = rows[index]
        half, parts = size >> 1, 1
        while half >= RUN:
            for part in range(parts):
                root, factor = roots[0, parts + part], roots[1, parts + part]
                start = 2 * part * half
                low, high = row[start : start + half], row[start + half : start + 2 * half]
                for j in range(half):
                    u, v = low[j], _shoup(high[j], root, factor, q)
                    plus, minus = uint32(u + v), uint32(uint32(u + q) - v)
                    low[j], high[j] = min(plus, uint32(plus - q)), min(minus, uint32(minus - q))
            half >>= 1
            parts <<= 1
        for i in range(width):
            for j in range(RUN):
                turned[j, i] = row[i * RUN + j]
        parts = 1
        while half:
            for part in range(parts):
                line, factors = across[0, parts - 1 + part], across[1, parts - 1 + part]
                for place in range(2 * half * part, 2 * half * part + half):
                    low, high = turned[place], turned[place + half]
                    for i in range(width):
                        u, v = low[i], _shoup(high[i], line[i], factors[i], q)
                        plus, minus = uint32(u + v), uint32(uint32(u + q) - v)
                        low[i], high[i] = min(plus, uint32(plus - q)), min(minus, uint32(minus - q))
            half >>= 1
            parts <<= 1
        for j in range(RUN):
            row[j * width : (j + 1) * width] = turned[j]


@_compiled(_WRITE[2], _READ[2], _READ[3], nb.uint32, nb.uint32, nb.uint32)
def _inverse(rows: Any, roots: Any, across: Any, last: Any, last_shoup: Any, q: Any) -> None:
    size = rows.shape[1]
    width = size // RUN
    turned = np.empty((RUN, width), np.uint32)
    for index in range(rows.shape[0]):
        row = rows[index]
        for j in range(RUN):
            turned[j] = row[j * width : (j + 1) * width]
        half, parts = 1, RUN >> 1
        while parts:
            for part in range(parts):
                line, factors = across[0, parts - 1 + part], across[1, parts - 1 + part]
                for place in range(2 * half * part, 2 * half * part + half):
                    low, high = turned[place], turned[place + half]
                    for i in range(width):
                        u, v = low[i], high[i]
                        plus, minus = uint32(u + v), uint32(uint32(u + q) - v)
                        low[i], high[i] = min(plus, uint32(plus - q)), _shoup(minus, line[i], factors[i], q)
            half <<= 1
            parts >>= 1
        for j in range(RUN):
            line = turned[j]
            for i in range(width):
                line[i] = _shoup(line[i], last, last_shoup, q)
        for i in range(width):
            for j in range(RUN):
                row[i * RUN + j] = turned[j, i]
        parts = width >> 1
        while parts:
            for part in range(parts):
                root, factor = roots[0, parts + part], roots[1, parts + part]
                start = 2 * part * half
                low, high = row[start : start + half], row[start + half : start + 2 * half]
                for j in range(half):
                    u, v = low[j], high[j]
                    plus, minus = uint32(u + v), uint32(uint32(u + q) - v)
                    low[j], high[j] = min(plus, uint32(plus - q)), _shoup(minus, root, factor, q)
            half <<= 1
            parts >>= 1


@_inlined(nb.uint32(nb.uint32, nb.uint32, nb.uint32, nb.uint32))
def _times(x: Any, y: Any, q: Any, k: Any) -> Any:
    """x y / 2^32 mod q, canonical, for x and y below q: Montgomery's product."""
    a = uint64(x) * uint64(y)
    m = uint32(uint32(a) * k)
    v = uint32((a + uint64(m) * uint64(q)) >> uint64(32))
    return min(v, uint32(v - q))


@_compiled(_READ[2], _WRITE[2], _READ[1])
def _lift(rows: Any, out: Any, constants: Any) -> None:
    q, k, square = constants[0], constants[1], constants[2]
    for index in range(rows.shape[0]):
        row, target = rows[index], out[index]
        for j in range(row.shape[0]):
            target[j] = _times(row[j], square, q, k)


@_compiled(_READ[2], _READ[1], _READ[2], _WRITE[2], _READ[1])
def _multiply_add(rows: Any, factor: Any, plus: Any, out: Any, constants: Any) -> None:
    q, k, square = constants[0], constants[1], constants[2]
    lifted = np.empty(factor.shape[0], np.uint32)
    for j in range(factor.shape[0]):
        lifted[j] = _times(factor[j], square, q, k)
    for index in range(rows.shape[0]):
        row, extra, target = rows[index], plus[index], out[index]
        for j in range(factor.shape[0]):
            v = uint32(_times(row[j], lifted[j], q, k) + extra[j])
            target[j] = min(v, uint32(v - q))


@_compiled(_READ[3], _READ[1], _READ[1], _WRITE[2], _READ[1])
def _combine(response: Any, secret: Any, square: Any, out: Any, constants: Any) -> None:
    q, k, lift = constants[0], constants[1], constants[2]
    size = secret.shape[0]
    first, second = np.empty(size, np.uint32), np.empty(size, np.uint32)
    for j in range(size):
        first[j] = _times(secret[j], lift, q, k)
        second[j] = _times(square[j], lift, q, k)
    for index in range(response.shape[0]):
        r0, r1, r2, target = response[index, 0], response[index, 1], response[index, 2], out[index]
        for j in range(size):
            a = uint64(r1[j]) * uint64(first[j]) + uint64(r2[j]) * uint64(second[j])
            m = uint32(uint32(a) * k)
            v = uint32((a + uint64(m) * uint64(q)) >> uint64(32))  # below 2 q, as q is below 2^29
            v = uint32(min(v, uint32(v - q)) + r0[j])
            target[j] = min(v, uint32(v - q))


@_inlined(nb.uint32(nb.uint64, nb.uint32, nb.uint32))
def _reduce(a: Any, q: Any, k: Any) -> Any:
    """a / 2^32 mod q, canonical, for a below 7 q 2^32."""
    m = uint32(uint32(a) * k)
    v = uint32((a + uint64(m) * uint64(q)) >> uint64(32))
    v = min(v, uint32(v - uint32(q << uint32(2))))
    v = min(v, uint32(v - uint32(q << uint32(1))))
    return min(v, uint32(v - q))


@_inlined()
def _pair(rows: Any, b: Any, tile: Any) -> Any:
    return rows[b, 0, tile : tile + _TILE], rows[b, 1, tile : tile + _TILE]


@_compiled(_WRITE[2], nb.int64, _SUMS, _SUMS, _SUMS, _READ[1])
def _finish(out: Any, tile: Any, first: Any, second: Any, third: Any, constants: Any) -> None:
    q, k = constants[0], constants[1]
    o0, o1, o2 = out[0, tile : tile + _TILE], out[1, tile : tile + _TILE], out[2, tile : tile + _TILE]
    for j in range(_TILE):
        o0[j], o1[j], o2[j] = _reduce(first[j], q, k), _reduce(second[j], q, k), _reduce(third[j], q, k)


@_compiled(_READ[5], _READ[4], _WRITE[4], nb.int64, nb.int64, _READ[2])
def _scan(groups: Any, probe: Any, out: Any, start: Any, stop: Any, constants: Any) -> None:
    """Two groups and two blocks for each pass over the sums, so that the probe, which is as large as a group, is read half as
    often. Slices of a constant length, and all written out: that takes half the time. A last odd group is its own partner."""
    blocks, size = groups.shape[2], groups.shape[4]
    r0, r1, r2 = np.empty(_TILE, np.uint64), np.empty(_TILE, np.uint64), np.empty(_TILE, np.uint64)
    s0, s1, s2 = np.empty(_TILE, np.uint64), np.empty(_TILE, np.uint64), np.empty(_TILE, np.uint64)
    for g in range(start, stop, 2):
        h = min(g + 1, stop - 1)
        for limb in range(groups.shape[1]):
            one, two, factor = groups[g, limb], groups[h, limb], probe[limb]
            for tile in range(0, size, _TILE):
                for sums in (r0, r1, r2, s0, s1, s2):
                    sums[:] = 0
                for b in range(0, blocks - 1, 2):
                    p0, p1 = _pair(factor, b, tile)
                    q0, q1 = _pair(factor, b + 1, tile)
                    a0, a1 = _pair(one, b, tile)
                    b0, b1 = _pair(one, b + 1, tile)
                    c0, c1 = _pair(two, b, tile)
                    d0, d1 = _pair(two, b + 1, tile)
                    for j in range(_TILE):
                        p, r, q, t = uint64(p0[j]), uint64(p1[j]), uint64(q0[j]), uint64(q1[j])
                        u, v, x, y = uint64(a0[j]), uint64(a1[j]), uint64(b0[j]), uint64(b1[j])
                        r0[j] += u * p + x * q
                        r1[j] += u * r + v * p + x * t + y * q
                        r2[j] += v * r + y * t
                        u, v, x, y = uint64(c0[j]), uint64(c1[j]), uint64(d0[j]), uint64(d1[j])
                        s0[j] += u * p + x * q
                        s1[j] += u * r + v * p + x * t + y * q
                        s2[j] += v * r + y * t
                if blocks % 2:
                    p0, p1 = _pair(factor, blocks - 1, tile)
                    a0, a1 = _pair(one, blocks - 1, tile)
                    c0, c1 = _pair(two, blocks - 1, tile)
                    for j in range(_TILE):
                        p, r, u, v = uint64(p0[j]), uint64(p1[j]), uint64(a0[j]), uint64(a1[j])
                        r0[j] += u * p
                        r1[j] += u * r + v * p
                        r2[j] += v * r
                        u, v = uint64(c0[j]), uint64(c1[j])
                        s0[j] += u * p
                        s1[j] += u * r + v * p
                        s2[j] += v * r
                _finish(out[g, limb], tile, r0, r1, r2, constants[limb])
                _finish(out[h, limb], tile, s0, s1, s2, constants[limb])


@_compiled(_WRITE[2], _READ[2], _SUMS, _SUMS, _READ[1])
def _finish_shared(out: Any, group: Any, first: Any, second: Any, constants: Any) -> None:
    q, k = constants[0], constants[1]
    o0, o1 = out[0], out[1]
    for j in range(RING):
        o0[j], o1[j] = _reduce(first[j], q, k), _reduce(second[j], q, k)
    out[2] = group[0]


@_compiled(_READ[4], _READ[4], _WRITE[4], nb.int64, nb.int64, _READ[2])
def _scan_shared(groups: Any, probe: Any, out: Any, start: Any, stop: Any, constants: Any) -> None:
    """As `_scan`: two groups and two blocks for each pass. More of either takes longer: the compiler runs out of registers."""
    blocks = probe.shape[1]
    r0, r1 = np.empty(RING, np.uint64), np.empty(RING, np.uint64)
    s0, s1 = np.empty(RING, np.uint64), np.empty(RING, np.uint64)
    for g in range(start, stop, 2):
        h = min(g + 1, stop - 1)
        for limb in range(groups.shape[1]):
            one, two, factor = groups[g, limb], groups[h, limb], probe[limb]
            for sums in (r0, r1, s0, s1):
                sums[:] = 0
            for b in range(0, blocks - 1, 2):
                p0, p1, q0, q1 = (
                    factor[b, 0, :RING],
                    factor[b, 1, :RING],
                    factor[b + 1, 0, :RING],
                    factor[b + 1, 1, :RING],
                )
                a, c = one[b + 1, :RING], one[b + 2, :RING]
                d, e = two[b + 1, :RING], two[b + 2, :RING]
                for j in range(RING):
                    p, r, q, t = uint64(p0[j]), uint64(p1[j]), uint64(q0[j]), uint64(q1[j])
                    u, v, x, y = uint64(a[j]), uint64(c[j]), uint64(d[j]), uint64(e[j])
                    r0[j] += u * p + v * q
                    r1[j] += u * r + v * t
                    s0[j] += x * p + y * q
                    s1[j] += x * r + y * t
            if blocks % 2:
                p0, p1 = factor[blocks - 1, 0, :RING], factor[blocks - 1, 1, :RING]
                a, d = one[blocks, :RING], two[blocks, :RING]
                for j in range(RING):
                    p, r, u, x = uint64(p0[j]), uint64(p1[j]), uint64(a[j]), uint64(d[j])
                    r0[j] += u * p
                    r1[j] += u * r
                    s0[j] += x * p
                    s1[j] += x * r
            _finish_shared(out[g, limb], one, r0, r1, constants[limb])
            _finish_shared(out[h, limb], two, s0, s1, constants[limb])


@_compiled(_READ[3], _READ[2], _WRITE[3], nb.int64, nb.int64)
def _scan_open(groups: Any, probe: Any, out: Any, start: Any, stop: Any) -> None:
    """(G, d + 1, N) x (2, d) -> (G, 2, N), modulo 2^32; four coordinates for each pass over the sums."""
    count = probe.shape[1]
    for g in range(start, stop):
        group, first, second = groups[g], out[g, 0], out[g, 1]
        width = first.shape[0]
        i = 0
        while i + 4 <= count:
            a, b, c, d = group[i + 1, :width], group[i + 2, :width], group[i + 3, :width], group[i + 4, :width]
            pa, pb, pc, pd = probe[0, i], probe[0, i + 1], probe[0, i + 2], probe[0, i + 3]
            qa, qb, qc, qd = probe[1, i], probe[1, i + 1], probe[1, i + 2], probe[1, i + 3]
            for j in range(width):
                u, v, x, y = a[j], b[j], c[j], d[j]
                more = uint32(uint32(pa * u) + uint32(pb * v)) + uint32(uint32(pc * x) + uint32(pd * y))
                first[j] = uint32(first[j] + uint32(more))
                more = uint32(uint32(qa * u) + uint32(qb * v)) + uint32(uint32(qc * x) + uint32(qd * y))
                second[j] = uint32(second[j] + uint32(more))
            i += 4
        while i < count:
            a, pa, qa = group[i + 1, :width], probe[0, i], probe[1, i]
            for j in range(width):
                first[j] = uint32(first[j] + uint32(pa * a[j]))
                second[j] = uint32(second[j] + uint32(qa * a[j]))
            i += 1


def forward(rows: U32, of: Limb) -> None:
    """Transform each row (k, N) in place: coefficients to values, in the order that `Limb` describes."""
    _forward(rows, of.forward, of.forward_across, np.uint32(of.prime))


def inverse(rows: U32, of: Limb) -> None:
    """Undo `forward`, in place."""
    _inverse(rows, of.inverse, of.inverse_across, np.uint32(of.last), np.uint32(of.last_shoup), np.uint32(of.prime))


def multiply_add(rows: U32, factor: U32, plus: U32, of: Limb) -> U32:
    """rows (k, N) * factor (N,) + plus (k, N), pointwise; a new array."""
    out = np.empty_like(rows)
    _multiply_add(rows, factor, plus, out, of.constants)
    return out


def add(rows: U32, others: U32, of: Limb) -> U32:
    """rows + others, of one shape; a new array."""
    total = rows + others  # below 2^30
    return np.asarray(np.minimum(total, total - np.uint32(of.prime)))


def combine(response: U32, secret: U32, square: U32, of: Limb) -> U32:
    """r0 + r1 s + r2 s^2 for response (G, 3, N), s and s^2 (N,); (G, N)."""
    out = np.empty((response.shape[0], response.shape[2]), np.uint32)
    _combine(response, secret, square, out, of.constants)
    return out


def prepare(probe: U32, of: Sequence[Limb]) -> U32:
    """What `scan` wants of a probe (L, B, 2, N): the same in Montgomery's form."""
    probe = np.ascontiguousarray(probe)
    out = np.empty_like(probe)
    for index, table in enumerate(of):
        rows = probe[index].reshape(-1, probe.shape[-1])
        _lift(rows, out[index].reshape(rows.shape), table.constants)
    return out


def scan(groups: U32, probe: Any, out: U32, span: tuple[int, int], of: Sequence[Limb]) -> None:
    """Products of degree two, summed over the blocks, for groups span[0] to span[1]; see `kernels_plain`."""
    _scan(groups, probe, out, span[0], span[1], np.stack([table.constants for table in of]))


def scan_shared(groups: U32, probe: Any, out: U32, span: tuple[int, int], of: Sequence[Limb]) -> None:
    """Products of rows that share their public polynomial, summed over the blocks; see `kernels_plain`."""
    _scan_shared(groups, probe, out, span[0], span[1], np.stack([table.constants for table in of]))


def scan_open(groups: U32, probe: U32, out: U32, span: tuple[int, int]) -> None:
    """Sums over the coordinates modulo 2^32, of an open probe, for groups span[0] to span[1]; see `kernels_plain`."""
    _scan_open(groups, probe, out, span[0], span[1])
