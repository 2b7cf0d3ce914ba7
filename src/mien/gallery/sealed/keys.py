"""Keys of a sealed gallery: made, kept in four files, loaded again.

    keys = Keys.generate(profile("standard"))
    keys.save("keys")                  # secret.key, public.key, mac.key, records.key
    public = load_public("keys")       # what a probe device and a matcher need

secret.key decrypts scores and templates; public.key encrypts; mac.key authenticates stored groups; records.key encrypts names
and pictures. Whoever holds the first can read every template that it was used on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import CannotWrite, InputError, UsageError
from mien.gallery.sealed.draws import Draws
from mien.gallery.sealed.profiles import FORMAT, RING, Profile, check_format, profile
from mien.gallery.sealed.ring import U32, kernels, limbs, residues

if TYPE_CHECKING:
    from mien.gallery.sealed.open_probe import OpenKey

_MAGIC = b"mien key\n"
_FILES = ("secret", "public", "mac", "records")
_SYMMETRIC = 32  # bytes of the MAC key and of the record key
_BOND = 32  # bytes of what binds a secret key to a public one that is nothing else


@dataclass(frozen=True, eq=False)
class PublicKey:
    """(b, a) with b = -a s + e, transformed; enough to encrypt, and no more.

    In the profile open-probe nothing is encrypted in public: L is 0, and all there is is a digest of the secret key."""

    profile: Profile
    b: U32  # (L, N)
    a: U32
    bond: bytes = b""  # that digest

    @functools.cached_property
    def identity(self) -> str:
        """A digest to show to people and to bind rows to: 32 hexadecimal digits in groups of eight."""
        digest = hashlib.blake2b(digest_size=16, person=b"mien sealed key")
        digest.update(f"{FORMAT} {self.profile.name} {self.profile.primes}".encode())
        digest.update(self.body)
        text = digest.hexdigest()
        return "-".join(text[start : start + 8] for start in range(0, 32, 8))

    @property
    def body(self) -> bytes:
        """All there is to it, as it is saved."""
        return _bytes(self.b) + _bytes(self.a) + self.bond


@dataclass(frozen=True, eq=False)
class SecretKey:
    """s: N coefficients in {-1, 0, 1}."""

    profile: Profile
    signs: np.ndarray[tuple[int], np.dtype[np.int8]]
    identity: str  # of the public key that belongs to it
    _open: dict[int, OpenKey] = field(default_factory=dict)

    def open_key(self, dimension: int) -> OpenKey:
        """The secrets of single coordinates that follow from this one: the profile open-probe uses them in its stead."""
        from mien.gallery.sealed.open_probe import OpenKey

        if dimension not in self._open:
            self._open[dimension] = OpenKey.derive(self.signs.tobytes(), dimension)
        return self._open[dimension]

    @functools.cached_property
    def powers(self) -> list[tuple[U32, U32, U32]]:
        """(s, -s, s^2) by limb, transformed, each (N,)."""
        made = []
        for table in limbs(self.profile.primes):
            row = residues(self.signs[None], table.prime)
            kernels().forward(row, table)
            nothing = np.zeros_like(row)
            negative = (np.uint32(table.prime) - row[0]) % np.uint32(table.prime)
            made.append((row[0], negative, kernels().multiply_add(row, row[0], nothing, table)[0]))
        return made

    def __repr__(self) -> str:
        return f"SecretKey({self.identity})"  # the key itself stays out of logs


@dataclass(frozen=True, eq=False)
class Keys:
    """All keys of one gallery: the key holder's."""

    secret: SecretKey
    public: PublicKey
    mac: bytes
    records: bytes

    @classmethod
    def generate(cls, of: Profile) -> Keys:
        """New keys from the operating system's randomness."""
        draws = Draws()
        signs = draws.ternary(RING)
        noise = draws.errors((1, RING))
        rows = []
        for table in limbs(of.primes):
            secret, error = residues(signs[None], table.prime), residues(noise, table.prime)
            kernels().forward(secret, table)
            kernels().forward(error, table)
            a = draws.uniform((1, RING), table.prime)
            negative = (np.uint32(table.prime) - secret[0]) % np.uint32(table.prime)
            rows.append((kernels().multiply_add(a, negative, error, table)[0], a[0]))
        halves = np.array([[b for b, _ in rows], [a for _, a in rows]], np.uint32).reshape(2, of.limbs, RING)
        public = PublicKey(of, halves[0], halves[1], b"" if rows else _bond(signs))
        symmetric = Draws().words(2 * _SYMMETRIC, np.uint8).tobytes()
        return cls(SecretKey(of, signs, public.identity), public, symmetric[:_SYMMETRIC], symmetric[_SYMMETRIC:])

    @property
    def identity(self) -> str:
        """The public key's digest, by which people name these keys."""
        return self.public.identity

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the four files into a folder (made, for its owner alone); those with secrets are readable by the owner alone.

        Raises UsageError where keys lie already: overwriting them would lose every gallery they opened; CannotWrite."""
        where = Path(folder)
        for kind in _FILES:
            if (where / f"{kind}.key").exists():
                raise UsageError(f"There is a {kind} key in {where} already.", "Name another folder.")
        bodies = {"secret": self.secret.signs.tobytes(), "public": self.public.body}
        bodies |= {"mac": self.mac, "records": self.records}
        try:
            where.mkdir(mode=0o700, parents=True, exist_ok=True)
            for kind in _FILES:
                _write(
                    where / f"{kind}.key",
                    _sealed(kind, self.public, bodies[kind]),
                    0o644 if kind == "public" else 0o600,
                )
        except OSError as error:
            raise CannotWrite(f"The keys cannot be written to {where}: {error.strerror}.") from error

    def __repr__(self) -> str:
        return f"Keys({self.identity})"


def load(folder: str | os.PathLike[str]) -> Keys:
    """All keys of a folder. Raises UsageError where one is missing, InputError where one is damaged or another's."""
    public = load_public(folder)
    signs = np.frombuffer(_read(folder, "secret", public), np.int8)
    if signs.shape != (RING,) or np.abs(signs.astype(np.int16)).max() > 1:
        raise InputError(f"The secret key in {folder} is damaged.", "Restore it from a copy.")
    if public.bond and public.bond != _bond(signs):
        raise InputError(
            f"The secret key in {folder} does not belong to the public key beside it.", "Keep keys by folder."
        )
    mac, records = _read(folder, "mac", public), _read(folder, "records", public)
    return Keys(SecretKey(public.profile, signs, public.identity), public, mac, records)


def load_enroller(folder: str | os.PathLike[str]) -> tuple[PublicKey, bytes, bytes]:
    """(public key, MAC key, record key): what an enroller needs; secret.key need not be there. Raises as `load`."""
    public = load_public(folder)
    return public, _read(folder, "mac", public), _read(folder, "records", public)


def load_public(folder: str | os.PathLike[str]) -> PublicKey:
    """The public key of a folder. Raises UsageError where it is missing, InputError where it is damaged."""
    header, body = _open(folder, "public")
    of = profile(str(header["profile"]))
    size = 2 * of.limbs * RING * 4
    damaged = InputError(f"The public key in {folder} is damaged.", "Restore it from a copy.")
    if len(body) != (size or _BOND):
        raise damaged
    halves = np.frombuffer(body[:size], "<u4").astype(np.uint32).reshape(2, of.limbs, RING)
    if (halves >= np.array(of.primes, np.uint32)[:, None]).any():
        raise damaged
    public = PublicKey(of, halves[0], halves[1], body[size:])
    if header["identity"] != public.identity:
        raise InputError(f"The public key in {folder} is not the one it says it is.", "Restore it from a copy.")
    return public


def _sealed(kind: str, public: PublicKey, body: bytes) -> bytes:
    header = {"format": FORMAT, "kind": kind, "profile": public.profile.name, "identity": public.identity}
    text = json.dumps(header, sort_keys=True).encode() + b"\n"
    return _MAGIC + text + hashlib.blake2b(text + body, digest_size=32).digest() + body


def _read(folder: str | os.PathLike[str], kind: str, public: PublicKey) -> bytes:
    header, body = _open(folder, kind)
    if header["identity"] != public.identity:
        raise InputError(
            f"The {kind} key in {folder} does not belong to the public key beside it.", "Keep keys by folder."
        )
    if kind in ("mac", "records") and len(body) != _SYMMETRIC:
        raise InputError(f"The {kind} key in {folder} is damaged.", "Restore it from a copy.")
    return body


def _open(folder: str | os.PathLike[str], kind: str) -> tuple[dict[str, object], bytes]:
    path = Path(folder) / f"{kind}.key"
    try:
        found = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"The {kind} key cannot be read at {path}: {error.strerror}.", "Name the folder of the gallery's keys."
        ) from error
    magic, rest = found[: len(_MAGIC)], found[len(_MAGIC) :]
    text, newline, body = rest.partition(b"\n")
    text += newline
    damaged = InputError(f"{path} is damaged or no key.", "Restore it from a copy.")
    if magic != _MAGIC:
        raise damaged
    try:
        header = json.loads(text)
    except ValueError:
        raise damaged from None
    if not isinstance(header, dict):
        raise damaged
    check_format(header.get("format"), str(path))
    if hashlib.blake2b(text + body[32:], digest_size=32).digest() != body[:32]:
        raise damaged
    if header.get("kind") != kind or not {"profile", "identity"} <= header.keys():
        raise InputError(
            f"{path} holds a {header.get('kind')} key, not a {kind} key.", "Keep each key in its own file."
        )
    return header, body[32:]


def _write(path: Path, content: bytes, mode: int) -> None:
    """A new file, with its mode from the first byte on; never over another."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _bond(signs: np.ndarray[tuple[int], np.dtype[np.int8]]) -> bytes:
    """Tells nothing of 2048 random thirds."""
    return hashlib.blake2b(signs.tobytes(), digest_size=_BOND, person=b"mien open bond").digest()


def _bytes(rows: U32) -> bytes:
    return rows.astype("<u4").tobytes()
