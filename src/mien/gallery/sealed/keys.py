"""Keys of a sealed gallery: made, kept in four files, loaded again.

    keys = Keys.generate(profile("standard"))
    keys.save("keys")                  # secret.key, public.key, edge.key, mac.key, records.key
    public = load_public("keys")       # what a probe device and a matcher need

secret.key decrypts scores and templates; public.key encrypts probes, edge.key templates; mac.key authenticates stored groups;
records.key encrypts names and pictures. Whoever holds the first can read every template that it was used on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import CannotWrite, InputError, UsageError
from mien.gallery.sealed.draws import Draws, derived
from mien.gallery.sealed.profiles import (
    FORMAT,
    MAX_BLOCKS,
    RING,
    Layout,
    OpenProfile,
    Profile,
    SealProfile,
    check_format,
    profile,
)
from mien.gallery.sealed.ring import U32, kernels, limbs, residues

if TYPE_CHECKING:
    from mien.gallery.sealed.backend_seal import SealBackend
    from mien.gallery.sealed.open_probe import OpenKey

_MAGIC = b"mien key\n"
_FILES = ("secret", "public", "edge", "mac", "records")
_OPEN = {"public": 0o644, "edge": 0o644}  # modes of those that are no secret
_SYMMETRIC = 32  # bytes of the MAC key and of the record key
_ROOT = 32  # bytes that the secrets of blocks and of coordinates follow from
_BOND = 32  # bytes of what binds the edge's key, or a secret one that has no public part, to a public key
_BLOCK = b"mien sealed block"


@dataclass(frozen=True, eq=False)
class PublicKey:
    """(b, a) with b = -a t + e, transformed; enough to encrypt a probe, and no more.

    In the profile open-probe nothing is encrypted in public: L is 0, and all there is is a digest of the secret key. In the
    profile seal L is 0 too, and all there is is SEAL's public key."""

    profile: Profile
    b: U32  # (L, N)
    a: U32
    bond: bytes  # a digest of the edge's key; in the profiles open-probe and seal see above
    edge: U32 | None = None  # (L, MAX_BLOCKS + 1, N) a0, and -a0 s_i + e_i for each block: for enrolling
    _open: dict[int, Any] = field(default_factory=dict)

    def seal(self, layout: Layout) -> SealBackend:
        """SEAL with this public key, in the profile seal."""
        if layout.dimension not in self._open:
            self._open[layout.dimension] = _seal(layout, public=self.bond)
        found: SealBackend = self._open[layout.dimension]
        return found

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
    """t, under which probes are encrypted: N coefficients in {-1, 0, 1}; and a root, from which one such secret for each block
    of templates follows (`blocks`), or for each coordinate (`open_key`). In the profile seal the root is SEAL's own secret key.
    """

    profile: Profile
    signs: np.ndarray[tuple[int], np.dtype[np.int8]]
    root: bytes
    identity: str  # of the public key that belongs to it
    _open: dict[int, Any] = field(default_factory=dict)

    def seal(self, layout: Layout) -> SealBackend:
        """SEAL with this key, in the profile seal."""
        if layout.dimension not in self._open:
            self._open[layout.dimension] = _seal(layout, secret=self.root)
        found: SealBackend = self._open[layout.dimension]
        return found

    def open_key(self, dimension: int) -> OpenKey:
        """The secrets of single coordinates: the profile open-probe uses them alone."""
        from mien.gallery.sealed.open_probe import OpenKey

        if dimension not in self._open:
            self._open[dimension] = OpenKey.derive(self.root, dimension)
        found: OpenKey = self._open[dimension]
        return found

    @functools.cached_property
    def probe(self) -> list[U32]:
        """t by limb, transformed, each (N,)."""
        return [rows[0] for rows in _transformed(self.signs[None], self.profile)]

    @functools.cached_property
    def blocks(self) -> list[U32]:
        """The secrets of the blocks by limb, transformed, each (MAX_BLOCKS, N)."""
        return _transformed(derived(self.root, _BLOCK, MAX_BLOCKS), self.profile)

    @functools.cached_property
    def negative(self) -> list[U32]:
        """`blocks` with the other sign."""
        primes = [np.uint32(prime) for prime in self.profile.primes]
        return [(prime - rows) % prime for prime, rows in zip(primes, self.blocks, strict=True)]

    @property
    def body(self) -> bytes:
        """All there is to it, as it is saved."""
        return self.signs.tobytes() + self.root

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
        words = draws.words(_ROOT + 2 * _SYMMETRIC, np.uint8).tobytes()
        secret = SecretKey(of, draws.ternary(RING), words[:_ROOT], "")
        mac, records = words[_ROOT : _ROOT + _SYMMETRIC], words[_ROOT + _SYMMETRIC :]
        nothing = np.empty((0, RING), np.uint32)
        if isinstance(of, SealProfile):
            made = _seal(Layout(1, 1))
            secret = replace(secret, root=made.secret_bytes())
            public = PublicKey(of, nothing, nothing, made.public_bytes())
        elif of.limbs:
            probe = _encrypted_nothing([rows[None] for rows in secret.probe], of, draws)
            edge = _encrypted_nothing(secret.blocks, of, draws)
            public = PublicKey(of, probe[:, 1], probe[:, 0], _bond(_bytes(edge)), edge)
        else:
            public = PublicKey(of, nothing, nothing, _bond(secret.body))
        return cls(replace(secret, identity=public.identity), public, mac, records)

    @property
    def identity(self) -> str:
        """The public key's digest, by which people name these keys."""
        return self.public.identity

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the files into a folder (made, for its owner alone); those with secrets are readable by the owner alone.

        Raises UsageError where keys lie already: overwriting them would lose every gallery they opened; CannotWrite."""
        where = Path(folder)
        for kind in _FILES:
            if (where / f"{kind}.key").exists():
                raise UsageError(f"There is a {kind} key in {where} already.", "Name another folder.")
        edge = b"" if self.public.edge is None else _bytes(self.public.edge)
        bodies = {"secret": self.secret.body, "public": self.public.body, "edge": edge}
        bodies |= {"mac": self.mac, "records": self.records}
        try:
            where.mkdir(mode=0o700, parents=True, exist_ok=True)
            for kind in _FILES:
                _write(where / f"{kind}.key", _sealed(kind, self.public, bodies[kind]), _OPEN.get(kind, 0o600))
        except OSError as error:
            raise CannotWrite(f"The keys cannot be written to {where}: {error.strerror}.") from error

    def __repr__(self) -> str:
        return f"Keys({self.identity})"


def load(folder: str | os.PathLike[str]) -> Keys:
    """All keys of a folder. Raises UsageError where one is missing, InputError where one is damaged or another's."""
    public, mac, records = load_enroller(folder)
    body = _read(folder, "secret", public)
    signs = np.frombuffer(body[:RING], np.int8)
    own = isinstance(public.profile, SealProfile)
    if (len(body) != RING + _ROOT and not own) or len(signs) != RING or np.abs(signs.astype(np.int16)).max() > 1:
        raise InputError(f"The secret key in {folder} is damaged.", "Restore it from a copy.")
    secret = SecretKey(public.profile, signs, body[RING:], public.identity)
    if isinstance(public.profile, OpenProfile) and public.bond != _bond(secret.body):
        raise InputError(
            f"The secret key in {folder} does not belong to the public key beside it.", "Keep keys by folder."
        )
    return Keys(secret, public, mac, records)


def load_enroller(folder: str | os.PathLike[str]) -> tuple[PublicKey, bytes, bytes]:
    """(public key with the edge's, MAC key, record key): what an enroller needs; secret.key need not be there.

    Raises as `load`."""
    public = load_public(folder)
    found = _read(folder, "edge", public)
    if not isinstance(public.profile, (OpenProfile, SealProfile)):
        if _bond(found) != public.bond:  # of the right length too, and below the primes: it is what was made
            raise InputError(f"The edge key in {folder} is damaged.", "Restore it from a copy.")
        rows = np.frombuffer(found, "<u4").astype(np.uint32)
        public = replace(public, edge=rows.reshape(public.profile.limbs, MAX_BLOCKS + 1, RING))
    return public, _read(folder, "mac", public), _read(folder, "records", public)


def load_public(folder: str | os.PathLike[str]) -> PublicKey:
    """The public key of a folder. Raises UsageError where it is missing, InputError where it is damaged."""
    header, body = _open(folder, "public")
    of = profile(str(header["profile"]))
    own = 0 if isinstance(of, SealProfile) else of.limbs
    size = 2 * own * RING * 4
    damaged = InputError(f"The public key in {folder} is damaged.", "Restore it from a copy.")
    if len(body) != size + _BOND and not isinstance(of, SealProfile):
        raise damaged
    halves = np.frombuffer(body[:size], "<u4").astype(np.uint32).reshape(2, own, RING)
    if (halves >= np.array(of.primes[:own], np.uint32)[:, None]).any():
        raise damaged
    public = PublicKey(of, halves[0], halves[1], body[size:])
    if header["identity"] != public.identity:
        raise InputError(f"The public key in {folder} is not the one it says it is.", "Restore it from a copy.")
    return public


def public_file(public: PublicKey) -> bytes:
    """public.key, as it is saved."""
    return _sealed("public", public, public.body)


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


def _bond(body: bytes) -> bytes:
    """Tells nothing of 2048 random thirds."""
    return hashlib.blake2b(body, digest_size=_BOND, person=b"mien key bond").digest()


def _seal(layout: Layout, **keys: bytes) -> SealBackend:
    """SEAL for a layout; its ring is twice ours, so its blocks are too (see `SealProfile`)."""
    from mien.gallery.sealed.backend_seal import SealBackend

    return SealBackend(layout.dimension, 2 * layout.block, **keys)


def _transformed(signs: np.ndarray[tuple[int, int], np.dtype[np.int8]], of: Profile) -> list[U32]:
    made = []
    for table in limbs(of.primes):
        rows = residues(signs, table.prime)
        kernels().forward(rows, table)
        made.append(rows)
    return made


def _encrypted_nothing(secrets: list[U32], of: Profile, draws: Draws) -> U32:
    """Secrets by limb (k, N) -> (L, 1 + k, N): a, and -a s + e under each of them."""
    noise = draws.errors(secrets[0].shape)
    out = np.empty((of.limbs, 1 + len(noise), RING), np.uint32)
    for index, table in enumerate(limbs(of.primes)):
        error = residues(noise, table.prime)
        kernels().forward(error, table)
        out[index, 0] = draws.uniform(RING, table.prime)
        prime = np.uint32(table.prime)
        out[index, 1:] = kernels().multiply_add((prime - secrets[index]) % prime, out[index, 0], error, table)
    return out


def _bytes(rows: U32) -> bytes:
    return rows.astype("<u4").tobytes()
