"""Opening sealed galleries: which keys, from where, and which words of warning.

gallery = open_gallery("people.sealed", keys="keys")              # keys and ciphertexts in one process: encryption at rest
gallery = open_gallery("sealed+http://127.0.0.1:8765", keys="keys")   # the matcher is another process, without keys
"""

from __future__ import annotations

import hashlib
import os
import secrets
import warnings
from contextlib import ExitStack
from pathlib import Path

from mien.errors import GalleryNotFound, InputError, UsageError
from mien.gallery import store as plain
from mien.gallery.sealed import folder as home
from mien.gallery.sealed.gallery import SealedGallery
from mien.gallery.sealed.groups_file import shred
from mien.gallery.sealed.key_holder import KeyHolder
from mien.gallery.sealed.keys import Keys, load, load_public, public_file
from mien.gallery.sealed.ledger import Ledger
from mien.gallery.sealed.matcher import Matcher
from mien.gallery.sealed.profiles import Profile, profile
from mien.gallery.sealed.records import Head, Marker
from mien.gallery.sealed.store import Store

VARIABLE = "MIEN_KEYS"  # names the folder of keys where none is given
NEXT = "next"  # folder within the keys' folder: those that a rotation is moving to
FILES = (
    "secret.key",
    "mac.key",
    "records.key",
    "edge.key",
    "public.key",
)  # the public one last: it says which keys these are
KeysAt = Keys | str | os.PathLike[str]


class KeyWarning(UserWarning):
    """Keys are kept in a way that weakens what they are for."""


def open_sealed(
    where: str | os.PathLike[str], keys: KeysAt | None = None, *, create: bool = True, read_only: bool = False
) -> SealedGallery:
    """The sealed gallery in a folder, made if there is none and `create` says so.

    keys: the folder with its keys, or `Keys`; by default what MIEN_KEYS names. Raises UsageError where the keys are not to be
    had or lie inside the gallery, GalleryError where they are another gallery's, and whatever `open_gallery` raises."""
    path = Path(where)
    at = keys_at(keys)
    if not isinstance(at, Keys):
        check_place(at, path)
    if not (path / home.RECORDS).exists():
        if path.exists():
            raise UsageError(f"{path} is no sealed gallery.", "Name a folder that `mien seal` made, or a new one.")
        if read_only or not create:
            raise GalleryNotFound(f"There is no sealed gallery at {path}.", "Make one with `mien seal`.")
        found = at if isinstance(at, Keys) else load(at)
        home.create(path.absolute(), new_head(found), public_bytes(found))
    with ExitStack() as undo:
        store = Store(path, read_only=read_only)
        undo.callback(store.close)
        holder = holder_of(at, store.head().identity)
        gallery = SealedGallery(Matcher(store), holder, os.fspath(where), read_only=read_only or not store.writable)
        undo.pop_all()
    return gallery


def keys_at(keys: KeysAt | None) -> Keys | Path:
    """The keys given, or those that MIEN_KEYS names. Raises UsageError for neither."""
    if isinstance(keys, Keys):
        return keys
    named = keys if keys is not None else os.environ.get(VARIABLE)
    if not named:
        raise UsageError(
            "A sealed gallery opens with its keys only, and none were named.",
            f"Give the folder with --keys (in Python: keys=), or set {VARIABLE}.",
        )
    return Path(named)


def holder_of(at: Keys | Path, identity: str) -> KeyHolder:
    """The key holder with the keys that a gallery was sealed with; finishes a rotation that was stopped at its end."""
    if isinstance(at, Keys):
        return KeyHolder(at)
    finish_rotation(at, identity)
    warn_permissions(at)
    return KeyHolder(load(at), Ledger(at))


def check_place(at: Path, gallery: Path) -> None:
    """Refuse keys inside the gallery, warn of keys beside it: who copies or steals one would have the other."""
    inner, outer = at.absolute(), gallery.absolute()
    if inner.resolve() == outer.resolve() or outer.resolve() in inner.resolve().parents:
        raise UsageError(
            f"The keys in {at} lie inside the gallery {gallery}: whoever copies it could open it.",
            "Move them elsewhere.",
        )
    if inner.resolve().parent == outer.resolve().parent:
        _warn(
            f"The keys in {at} lie beside the gallery {gallery}: whoever copies both can open it. Keep them elsewhere."
        )


def warn_permissions(at: Path) -> None:
    """Warn of secrets that others on this machine may read."""
    if os.name != "posix":
        return
    for name in FILES[:3]:
        path = at / name
        if path.exists() and path.stat().st_mode & 0o077:
            _warn(f"{path} may be read by others than its owner. Mend that with: chmod 600 {path}")


def new_head(keys: Keys, gallery: bytes | None = None) -> Head:
    """The head of an empty gallery."""
    gallery = gallery or secrets.token_bytes(16)
    door = hashlib.sha256(Marker(keys.mac, keys.identity, gallery).token()).digest()
    return signed(Head(gallery, keys.identity, keys.public.profile.name, door, digest=hashlib.sha256().digest()), keys)


def signed(head: Head, keys: Keys) -> Head:
    """The head with its mark."""
    return Marker(keys.mac, keys.identity, head.gallery).head(head)


def public_bytes(keys: Keys) -> bytes:
    """The file of the public key, as it is saved."""
    return public_file(keys.public)


def make_keys(at: Path, of: Profile | str) -> Keys:
    """The keys in a folder; made where there are none. Raises InputError where they are of another profile."""
    wanted = profile(of) if isinstance(of, str) else of
    if not (at / "public.key").exists():
        Keys.generate(wanted).save(at)
    found = load(at)
    if found.public.profile.name != wanted.name:
        raise InputError(
            f"The keys in {at} are of the profile {found.public.profile.name}, not {wanted.name}.",
            "Name another folder, or that profile.",
        )
    return found


def finish_rotation(at: Path, identity: str) -> None:
    """Put the next keys in the place of the old ones, which are erased, where the gallery is sealed with the next."""
    fresh = at / NEXT
    if not (fresh / "public.key").exists():
        if fresh.is_dir() and not any(fresh.iterdir()):
            fresh.rmdir()
        return
    if load_public(fresh).identity != identity:
        return
    for name in FILES:
        if (fresh / name).exists():
            shred(at / name)
            (fresh / name).replace(at / name)
    plain.sync_folder(at)
    fresh.rmdir()
    Ledger(at).forgive()


def _warn(words: str) -> None:
    warnings.warn(words, KeyWarning, stacklevel=2)
