"""Random numbers for encryption: AES-256 in counter mode, keyed anew from the operating system for every call that encrypts.

The block cipher is that of the `cryptography` package. Nothing here takes a seed: tests that need known answers replace
`_entropy`.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import UsageError
from mien.gallery.sealed.profiles import ERROR_BITS, RING
from mien.gallery.sealed.ring import I64, U32

Shape = int | tuple[int, ...]
_CHUNK = 1 << 20  # bytes encrypted at a time
_entropy: Callable[[int], bytes] = os.urandom


class Draws:
    """A stream of random numbers. Make one per call; two threads must not share it.

    Raises UsageError where `cryptography` is not installed.
    """

    def __init__(self) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        except ImportError:
            raise needs("cryptography") from None
        # A fresh key for each stream, so the counter may start anywhere.
        self._stream = Cipher(algorithms.AES(_entropy(32)), modes.CTR(_entropy(16))).encryptor()
        self._zeros = bytes(_CHUNK)

    def words(self, count: int, kind: Any) -> NDArray[Any]:
        """`count` uniform unsigned integers of a numpy type."""
        size = count * np.dtype(kind).itemsize
        zeros = memoryview(self._zeros)
        parts = [self._stream.update(zeros[: min(_CHUNK, size - start)]) for start in range(0, size, _CHUNK)]
        return np.frombuffer(b"".join(parts), kind)

    def ternary(self, shape: Shape) -> NDArray[np.int8]:
        """Uniform in {-1, 0, 1}."""
        count = _count(shape)
        kept = np.empty(0, np.uint8)
        while kept.size < count:
            found = self.words(count - kept.size + 64, np.uint8)
            kept = np.concatenate([kept, found[found < 255]])  # 255 = 3 * 85, so that thirds are equal
        return ((kept[:count] % 3).astype(np.int8) - 1).reshape(shape)

    def errors(self, shape: Shape) -> NDArray[np.int32]:
        """Centred binomial: the ones among 21 bits less the ones among 21 others; standard deviation 3.24."""
        bits = self.words(_count(shape), np.uint64)
        mask = np.uint64((1 << ERROR_BITS) - 1)
        ones: NDArray[np.int32] = np.bitwise_count(bits & mask).astype(np.int32)
        ones -= np.bitwise_count(bits >> np.uint64(ERROR_BITS) & mask)
        return ones.reshape(shape)

    def uniform(self, shape: Shape, prime: int) -> U32:
        """Uniform in [0, prime), by rejection."""
        count, mask = _count(shape), np.uint32((1 << prime.bit_length()) - 1)
        kept = self.words(count, np.uint32) & mask
        kept = kept[kept < prime]
        while kept.size < count:
            found = self.words(count - kept.size + 64, np.uint32) & mask
            kept = np.concatenate([kept, found[found < prime]])
        return kept[:count].reshape(shape)

    def spread(self, shape: Shape, half: int) -> I64:
        """Uniform in [-half, half), half a power of two."""
        mask = np.uint64(2 * half - 1)
        return (self.words(_count(shape), np.uint64) & mask).astype(np.int64).reshape(shape) - half


def derived(root: bytes, label: bytes, count: int) -> NDArray[np.int8]:
    """(count, N) uniform in {-1, 0, 1}, each row a secret of its own that follows from a root of 256 bits: SHAKE-256 of the
    label, the row's number (4 bytes) and the root. A row is the same whatever `count` is; labels keep uses apart.

    Bytes of 255 are left out, as 255 = 3 * 85 makes thirds equal; that fewer than N of 2 N are left: less than 2^-10000."""
    found = np.empty((count, RING), np.int8)
    for number in range(count):
        asked = label + b"\0" + number.to_bytes(4, "little") + root
        seen = np.frombuffer(hashlib.shake_256(asked).digest(2 * RING), np.uint8)
        found[number] = (seen[seen < 255][:RING] % 3).astype(np.int8) - 1
    return found


def needs(package: str) -> UsageError:
    """What to raise where a package of the extra is not installed."""
    return UsageError(
        f"Sealed galleries need the package {package}, which is not installed.",
        'Install it: pip install "mien[sealed]"',
    )


def _count(shape: Shape) -> int:
    return shape if isinstance(shape, int) else math.prod(shape)
