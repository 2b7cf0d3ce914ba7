"""The same search with keys, encryption and decryption by Microsoft SEAL: a referee for `scheme`, and a choice for whoever
refuses an implementation that nobody has reviewed.

    seal = SealBackend(512, block=64)
    groups = seal.encrypt_templates(vectors)
    response = seal.search(groups, seal.encrypt_probe(vector))
    scores = seal.decrypt(response)[: len(vectors)]

SEAL is reached through the low-level interface of the package `tenseal` (extra `mien[tenseal]`). Its CKKS stands in for our
encryption, in a ring of 4096 with two primes of 27 bits (and a third for keys), which SEAL itself checks for 128 bits; only the
multiplication of ciphertexts, which holds no secret, is ours. It is slower (tens of milliseconds a probe), knows neither
placing at the edge nor sanitising, and its scores err by about 1e-5.

SEAL's deserialiser is not for files of strangers (see the notes of its release 4.4.0). Ciphertexts go through it here only in
files written in this process, into a folder of its own, around numbers that were checked; keys only from the owner's folder.
"""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, UsageError
from mien.gallery.sealed.profiles import SCORE_BOUND, SEAL, SEAL_RING
from mien.gallery.sealed.ring import U32, kernels, limbs
from mien.gallery.sealed.scheme import buffer
from mien.types import F32

F64 = NDArray[np.float64]
PRIME_BITS = (27, 27, 27)  # 81 of the 109 bits that SEAL allows this ring at 128 bits of security
SCALE = 2.0**24  # of templates and of probes: scores at 2^48 fit the 54 bits of two primes
_LIMBS = 2
_PLAIN = 0  # SEAL's mark of a file that is not compressed


class SealBackend:
    """Keys and parameters for vectors of one dimension; arrays are groups (G, L, B, 2, N), a probe (L, B, 2, N), N = 4096.

    secret, public: keys as `secret_bytes` and `public_bytes` gave them; with neither, new ones are made. With a public key
    alone it can encrypt probes. Raises UsageError where `tenseal` is not installed, InputError for bytes that are no key.
    """

    def __init__(
        self, dimension: int, block: int = 64, *, secret: bytes | None = None, public: bytes | None = None
    ) -> None:
        if dimension < 1 or block < 1 or block & (block - 1) or block > SEAL_RING:
            raise UsageError(
                f"Vectors of {dimension} in blocks of {block} cannot be packed.", "Use a block that is a power of two."
            )
        self.dimension, self.block = dimension, block
        self.blocks, self.slots = -(-dimension // block), SEAL_RING // block
        self._api = _api()
        api = self._api
        parameters = api.EncryptionParameters(api.SCHEME_TYPE.CKKS)
        parameters.set_poly_modulus_degree(SEAL_RING)
        parameters.set_coeff_modulus(api.CoeffModulus.Create(SEAL_RING, list(PRIME_BITS)))
        self._context = api.SEALContext(parameters, True, api.SEC_LEVEL_TYPE.TC128)
        moduli = self._context.first_context_data().parms().coeff_modulus()
        self.primes = tuple(int(modulus.value()) for modulus in moduli)
        if self.primes != SEAL.primes:
            raise UsageError("This version of SEAL chooses other primes than ours knows.", "Use tenseal 0.3.18.")
        self._encoder = api.CKKSEncoder(self._context)
        if secret is None and public is not None:
            self._public = self._loaded(api.PublicKey(), public)
            self._encryptor = api.Encryptor(self._context, self._public)
        elif secret is None:
            self._use(api.KeyGenerator(self._context).secret_key())
        else:
            self._use(self._loaded(api.SecretKey(), secret))

    def _use(self, secret: Any) -> None:
        self._public = self._api.PublicKey()
        self._api.KeyGenerator(self._context, secret).create_public_key(self._public)
        self._secret = secret
        self._encryptor = self._api.Encryptor(self._context, self._public, secret)
        self._decryptor = self._api.Decryptor(self._context, secret)

    def _loaded(self, key: Any, content: bytes) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "key"
            path.write_bytes(content)
            try:
                key.load(self._context, os.fspath(path))
            except (RuntimeError, ValueError, IndexError) as error:
                raise InputError(f"A key for SEAL is damaged: {error}.", "Restore it from a copy.") from error
            finally:
                path.write_bytes(bytes(len(content)))
        return key

    def _kept(self, key: Any) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "key"
            key.save(os.fspath(path))
            content = path.read_bytes()
            path.write_bytes(bytes(len(content)))
        return content

    def secret_bytes(self) -> bytes:
        """The secret key as SEAL writes it."""
        return self._kept(self._secret)

    def public_bytes(self) -> bytes:
        """The public key as SEAL writes it."""
        return self._kept(self._public)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the secret key to a new file, readable by its owner alone. Raises UsageError where there is one."""
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise UsageError(f"There is a file {path} already.", "Name another.") from None
        self._secret.save(os.fspath(path))

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take the secret key of a file of your own in place of this object's. Raises InputError for a file that holds none."""
        secret = self._api.SecretKey()
        try:
            secret.load(self._context, os.fspath(path))
        except (RuntimeError, ValueError, IndexError) as error:
            raise InputError(f"{path} holds no key for SEAL: {error}.", "Name the file that `save` wrote.") from error
        self._use(secret)

    def encrypt_templates(self, vectors: F32) -> U32:
        """Vectors (m, d) of length at most 1 -> groups (G, L, B, 2, N), with the secret key."""
        self._check_vectors(vectors)
        count = -(-len(vectors) // self.slots)
        padded = np.zeros((count * self.slots, self.blocks * self.block))
        padded[: len(vectors), : self.dimension] = vectors
        plain = padded.reshape(count, self.slots, self.blocks, self.block).transpose(0, 2, 3, 1)
        groups = np.empty((count, _LIMBS, self.blocks, 2, SEAL_RING), np.uint32)
        for group, polynomials in zip(groups, plain.reshape(count, self.blocks, SEAL_RING), strict=True):
            for block, polynomial in enumerate(polynomials):
                group[:, block] = self._encrypt(polynomial, self._encryptor.encrypt_symmetric)
        return groups

    def encrypt_probe(self, vector: F32) -> U32:
        """A vector (d,) of length at most 1 -> probe (L, B, 2, N), with the public key."""
        self._check_vectors(vector[None])
        padded = np.zeros(self.blocks * self.block)
        padded[: self.dimension] = vector
        values = padded.reshape(self.blocks, self.block)
        values[:, 1:] *= -1  # x^(-i n) = -x^(N - i n)
        plain = np.zeros((self.blocks, SEAL_RING))
        plain[:, -np.arange(self.block) * self.slots % SEAL_RING] = values
        return np.stack([self._encrypt(polynomial, self._encryptor.encrypt) for polynomial in plain], axis=1)

    def search(self, groups: U32, probe: U32) -> U32:
        """Every score, still encrypted: response (G, L, 3, N). Our multiplication; no key."""
        return search(groups, probe, (_LIMBS, self.blocks, 2, SEAL_RING))

    def decrypt_templates(self, groups: U32) -> F64:
        """Groups (G, L, B, 2, N) -> vectors (G * n, d), decrypted and decoded by SEAL."""
        if groups.ndim != 5 or groups.shape[1:] != (_LIMBS, self.blocks, 2, SEAL_RING) or groups.dtype != np.uint32:
            raise InputError("The groups are not those of this backend.", "Decrypt what `encrypt_templates` gave.")
        _check_canonical(groups, 1)
        flat = groups.transpose(0, 2, 1, 3, 4).reshape(-1, _LIMBS, 2, SEAL_RING)
        values = np.stack([self._decrypt(rows, SCALE) for rows in flat]) if len(flat) else np.empty((0, SEAL_RING))
        blocks = values.reshape(len(groups), self.blocks, self.block, self.slots).transpose(0, 3, 1, 2)
        return blocks.reshape(len(groups) * self.slots, -1)[:, : self.dimension]

    def decrypt(self, response: U32) -> F64:
        """Response (G, L, 3, N) -> scores (G * n,), decrypted and decoded by SEAL."""
        if response.ndim != 4 or response.shape[1:] != (_LIMBS, 3, SEAL_RING) or response.dtype != np.uint32:
            raise InputError("The response is not one of this backend.", "Decrypt what `search` gave.")
        _check_canonical(response, 1)
        scores = np.empty((len(response), self.slots))
        for number, rows in enumerate(response):
            scores[number] = self._decrypt(rows, SCALE * SCALE)[: self.slots]
        return scores.reshape(-1)

    def _decrypt(self, rows: U32, scale: float) -> F64:
        """(L, 2 or 3, N) -> coefficients (N,)."""
        plain = self._api.Plaintext()
        with tempfile.TemporaryDirectory() as folder:
            self._decryptor.decrypt(self._ciphertext(rows, Path(folder) / "rows", scale), plain)
        return _coefficients(np.array(self._encoder.decode_complex(plain)))

    def _encrypt(self, polynomial: F64, encrypt: Any) -> U32:
        """Coefficients (N,) -> (L, 2, N)."""
        plain, cipher = self._api.Plaintext(), self._api.Ciphertext()
        self._encoder.encode(_slots(polynomial).tolist(), SCALE, plain)
        encrypt(plain, cipher)
        data = cipher.dyn_array()
        rows = np.fromiter((data[index] for index in range(data.size())), np.uint64, data.size())
        return np.asarray(rows.reshape(2, _LIMBS, SEAL_RING).transpose(1, 0, 2), np.uint32)

    def _ciphertext(self, rows: U32, path: Path, scale: float) -> Any:
        """(L, k, N) -> a ciphertext of SEAL's of degree k - 1, by way of a file in its format."""
        numbers = np.ascontiguousarray(rows.transpose(1, 0, 2)).astype("<u8").tobytes()
        empty = self._api.Plaintext()
        empty.save(os.fspath(path))
        mark = path.read_bytes()[:5]  # magic, header size and version of the SEAL in use
        parms = struct.pack("<4Q", *self._context.first_parms_id())
        fields = struct.pack("<?3QdQ", True, rows.shape[1], SEAL_RING, _LIMBS, scale, 1)
        array = _file(mark, struct.pack("<Q", rows.size) + numbers)
        path.write_bytes(_file(mark, parms + fields + array))
        cipher = self._api.Ciphertext()
        cipher.load(self._context, os.fspath(path))
        return cipher

    def _check_vectors(self, vectors: F32) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise InputError(
                f"The vectors are of shape {vectors.shape}, not (m, {self.dimension}).", "Use their own backend."
            )
        if not (np.linalg.norm(vectors.astype(np.float64), axis=1) ** 2 <= SCORE_BOUND).all():
            raise InputError(
                "A vector is longer than 1 or not finite, so its scores would not fit.", "Seal unit vectors."
            )


def search(groups: U32, probe: U32, shape: tuple[int, ...], out: U32 | None = None) -> U32:
    """Groups (G, *shape) x probe of that shape, or of fewer blocks -> response (G, L, 3, N). No key, and no SEAL."""
    blocks = probe.shape[1] if probe.ndim == 4 else 0
    fits = groups.shape[1:] == shape and probe.shape == (shape[0], min(blocks, shape[1]), *shape[2:]) and blocks
    if not fits or groups.dtype != np.uint32 or probe.dtype != np.uint32:
        raise InputError(f"The groups or the probe are not uint32 of {shape}.", "Use those of this backend.")
    _check_canonical(probe, 0)
    tables = limbs(SEAL.primes, SEAL_RING)
    response = buffer((len(groups), _LIMBS, 3, SEAL_RING), out)
    plain = np.ascontiguousarray(groups if blocks == shape[1] else groups[:, :, :blocks])
    kernels().scan(plain, kernels().prepare(probe, tables), response, (0, len(groups)), tables)
    return response


def _check_canonical(rows: U32, axis: int) -> None:
    for index, prime in enumerate(SEAL.primes):
        if rows.size and rows.take(index, axis).max() >= prime:
            raise InputError("The array holds numbers that SEAL's primes do not have.", "It is damaged, or another's.")


def _api() -> Any:
    try:
        import tenseal.sealapi as api
    except ImportError:
        raise UsageError(
            "The SEAL backend needs the package tenseal.", 'Install it: pip install "mien[tenseal]".'
        ) from None
    return api


def _file(mark: bytes, body: bytes) -> bytes:
    """SEAL's framing: magic, header size, version (5 bytes), compression, two bytes of nothing, size of all."""
    return mark + bytes([_PLAIN, 0, 0]) + struct.pack("<Q", 16 + len(body)) + body


def _places() -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    """Where SEAL's slots stand among the values at the odd powers of zeta = exp(i pi / N), and the powers of zeta."""
    powers = np.array([pow(3, slot, 2 * SEAL_RING) for slot in range(SEAL_RING // 2)])
    return (powers - 1) // 2, np.exp(1j * np.pi / SEAL_RING * np.arange(SEAL_RING))


def _slots(coefficients: F64) -> NDArray[np.complex128]:
    """Coefficients (N,) -> the complex slots (N / 2,) that SEAL encodes to them: slot j is the value at zeta^(3^j)."""
    places, zeta = _places()
    return np.asarray((np.fft.ifft(coefficients * zeta) * SEAL_RING)[places])


def _coefficients(slots: NDArray[np.complex128]) -> F64:
    """Undo `_slots`."""
    places, zeta = _places()
    values = np.empty(SEAL_RING, np.complex128)
    values[places], values[SEAL_RING - 1 - places] = slots, np.conj(slots)
    return np.asarray((np.fft.fft(values) / SEAL_RING / zeta).real)
