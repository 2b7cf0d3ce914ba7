"""Arithmetic in Z_q[x] / (x^N + 1): tables per prime, and which of the two kernels do the work.

`kernels` (numba) and `kernels_plain` (numpy) hold the same functions with the same results, bit for bit: every number
that leaves them is canonical, in [0, q).
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.gallery.sealed.profiles import RING

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]
RUN = 32  # see Limb
_choice = ""  # tests name a module here


@dataclass(frozen=True, slots=True, eq=False)
class Limb:
    """One prime with the tables of its number-theoretic transform of length `size`.

    The transform evaluates at the odd powers of a root (Longa and Naehrig, CANS 2016, algorithms 1 and 2). Its last five
    stages work across runs of `RUN` coefficients, so that they too are long loops, and the values stay in that order: the
    bit-reversed one, seen as (size / RUN, RUN), transposed. Each table is (2, …): the powers of the root and, for Shoup's
    multiplication, floor(power 2^32 / q).
    """

    prime: int
    size: int
    forward: U32  # (2, size) powers of the root, bit-reversed
    forward_across: U32  # (2, RUN - 1, size / RUN) the same for the last five stages: a line per part of a run
    inverse: U32
    inverse_across: U32
    last: int  # 1 / size …
    last_shoup: int
    constants: U32  # (q, -1 / q mod 2^32, 2^64 mod q): for Montgomery's reduction and for lifting into his form


@functools.cache
def limb(prime: int, size: int = RING) -> Limb:
    """The tables of one prime, made once."""
    root = next(
        candidate
        for base in range(2, 1000)
        if pow(candidate := pow(base, (prime - 1) // (2 * size), prime), size, prime) == prime - 1
    )
    digits = size.bit_length() - 1
    order = [int(f"{number:0{digits}b}"[::-1], 2) for number in range(size)]
    tables = []
    for base in (root, pow(root, -1, prime)):
        powers = [pow(base, exponent, prime) for exponent in order]
        table = np.array([powers, [(power << 32) // prime for power in powers]], np.uint32)
        tables += [table, _across(table)]
    last = pow(size, -1, prime)
    return Limb(
        prime=prime,
        size=size,
        forward=tables[0],
        forward_across=tables[1],
        inverse=tables[2],
        inverse_across=tables[3],
        last=last,
        last_shoup=(last << 32) // prime,
        constants=np.array([prime, -pow(prime, -1, 1 << 32) % (1 << 32), pow(2, 64, prime)], np.uint32),
    )


def _across(table: U32) -> U32:
    """(2, size) -> (2, RUN - 1, size / RUN): line parts - 1 + c has the roots of part c of every run, for 1, 2, 4 … parts."""
    width = table.shape[1] // RUN
    lines = [
        table[:, width * parts + part : 2 * width * parts : parts]
        for parts in (1 << stage for stage in range(RUN.bit_length() - 1))
        for part in range(parts)
    ]
    return np.ascontiguousarray(np.stack(lines, axis=1))


def limbs(primes: tuple[int, ...], size: int = RING) -> list[Limb]:
    """The tables of several primes."""
    return [limb(prime, size) for prime in primes]


def kernels(name: str = "") -> Any:
    """The module that does the work: "kernels" (numba), "kernels_plain" (numpy), or the first of them that imports."""
    return _module(name or _choice)


@functools.cache
def _module(name: str) -> ModuleType:
    if name:
        return importlib.import_module(f"mien.gallery.sealed.{name}")
    try:
        return _module("kernels")
    except ImportError:
        return _module("kernels_plain")


def residues(values: NDArray[Any], prime: int) -> U32:
    """Signed integers of magnitude below the prime -> [0, prime)."""
    small = values.astype(np.int32, copy=False)
    return (small + (small >> 31 & prime)).astype(np.uint32)


def monomial(power: int, of: Limb) -> U32:
    """x^power, transformed; (1, size)."""
    row = np.zeros((1, of.size), np.uint32)
    row[0, power] = 1
    kernels().forward(row, of)
    return row


def centred(parts: list[U32], primes: tuple[int, ...]) -> I64:
    """Residues modulo one or two primes -> the integer of least magnitude that has them (Chinese remainders)."""
    value = parts[0].astype(np.int64)
    modulus = primes[0]
    if len(primes) == 2:
        first, second = primes
        step = (parts[1].astype(np.int64) - value) % second * pow(first, -1, second) % second
        value = value + first * step
        modulus = first * second
    return np.where(value > modulus // 2, value - modulus, value)
