"""Where galleries made by request live: files in a folder per tenant, or collections on a Milvus server."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mien.errors import CannotWrite, Conflict, InputError
from mien.gallery import BaseGallery, open_gallery
from mien.gallery import store as files
from mien.gallery.moving.state import kept_files, state_path
from mien.types import Sample

if TYPE_CHECKING:
    from mien.gallery.milvus.link import Link

_WAIT = 10.0  # s for another process that is writing to a gallery which is to go
_TRUST = 1.0  # s for which a collection that was there is taken to be there still


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What went with a gallery."""

    people: int
    samples: int  # templates
    images: int  # crops
    digest: str  # BLAKE2b over all templates, people by name and each one's in the order they were enrolled; hex


class Home(Protocol):
    """Makes, finds and destroys the galleries of tenants. Names were checked before."""

    def names(self, tenant: str) -> list[str]:
        """Those of a tenant."""

    def has(self, tenant: str, name: str) -> bool:
        """Whether one is there."""

    def address(self, tenant: str, name: str) -> str:
        """What `open_gallery` takes."""

    def make(self, tenant: str, name: str) -> None:
        """Make an empty one."""

    def may_go(self, tenant: str, name: str) -> None:
        """Raise Conflict for one that is being migrated."""

    def destroy(self, tenant: str, name: str, gallery: BaseGallery) -> Destroyed:
        """Erase everybody in `gallery`, which is this one, and take it away."""

    def wreck(self, tenant: str, name: str) -> None:
        """Take one away that cannot be read."""


class Files:
    """A file per gallery in a folder per tenant."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def names(self, tenant: str) -> list[str]:
        """Those of a tenant."""
        return [path.stem for path in (self._folder / tenant).glob("*.db") if not path.name.startswith(".")]

    def has(self, tenant: str, name: str) -> bool:
        """Whether one is there."""
        return self._path(tenant, name).exists()

    def address(self, tenant: str, name: str) -> str:
        """Its path."""
        return str(self._path(tenant, name))

    def make(self, tenant: str, name: str) -> None:
        """Make an empty one. Raises CannotWrite, GalleryFull."""
        path = self._path(tenant, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            open_gallery(path).close()
        except OSError as error:
            raise CannotWrite(
                f"The gallery {name!r} cannot be made: {error.strerror}.", "Check the disk and its rights."
            ) from error

    def may_go(self, tenant: str, name: str) -> None:
        """Raise Conflict for one that is being migrated."""
        if state_path(self._path(tenant, name)).exists():
            raise Conflict(f"The gallery {name!r} is being migrated.", "Finish that with `mien migrate`.")

    def destroy(self, tenant: str, name: str, gallery: BaseGallery) -> Destroyed:
        """Erase everybody and the file. Raises GalleryBusy, GalleryFull."""
        return destroyed_file(self._path(tenant, name), gallery)

    def wreck(self, tenant: str, name: str) -> None:
        """Take one away that cannot be read."""
        _removed(self._path(tenant, name))

    def _path(self, tenant: str, name: str) -> Path:
        return self._folder / tenant / f"{name}.db"


def destroyed_file(path: Path, gallery: BaseGallery) -> Destroyed:
    """Empty a gallery's file, so that nobody who still holds it can enrol into it, and take it away with all beside it."""
    with files.plain_errors(path), closing(files.connect(path, "rw", _WAIT)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("BEGIN IMMEDIATE")  # from here on nobody else enrols: what is counted is what goes
        try:
            gone = tally(gallery)
            for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                db.execute(f"DELETE FROM {table}")  # with secure_delete: zeros; without its head row it is no gallery
            db.execute("COMMIT")
        except BaseException:
            _undone(db)
            raise
        # What was zeroed is in the log; the file has it as soon as no reader is in the way, or goes away as it is.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    _removed(path)
    return gone


def _removed(path: Path) -> None:
    for one in kept_files(path):
        files.remove(one)
    files.remove(path)
    files.sync_folder(path.parent)


def _undone(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        db.execute("ROLLBACK")


def tally(gallery: BaseGallery) -> Destroyed:
    """Who and what is in a gallery, for a receipt."""
    digest = hashlib.blake2b(digest_size=16)
    samples, images = _added(digest, (sample for _, sample in gallery.samples()))
    return Destroyed(len(gallery), samples, images, digest.hexdigest())


def _added(digest: hashlib.blake2b, found: Iterable[Sample]) -> tuple[int, int]:
    samples = images = 0
    for one in found:
        digest.update(one.template.vector.tobytes())
        samples += 1
        images += one.face is not None
    return samples, images


class Milvus:
    """A collection per gallery on a server, named mien_TENANT__GALLERY; what a collection's name may not hold is _XX in it."""

    def __init__(self, address: str) -> None:
        self._server, _, options = address.rstrip("/").partition("?")
        self._server, self._options = self._server.rstrip("/"), options
        self._link: Link | None = None
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], float] = {}

    def names(self, tenant: str) -> list[str]:
        """Those of a tenant."""
        begins, ends = f"mien_{escaped(tenant)}__", "__records"
        found = self._linked().call("list_collections")
        return [
            unescaped(one[len(begins) : -len(ends)]) for one in found if one.startswith(begins) and one.endswith(ends)
        ]

    def has(self, tenant: str, name: str) -> bool:
        """Whether one is there; within a second of when that was seen."""
        key = tenant, name
        if time.monotonic() - self._seen.get(key, -_TRUST) < _TRUST:
            return True
        there = bool(self._linked().call("has_collection", self._collection(tenant, name) + "__records"))
        if there:
            self._seen[key] = time.monotonic()
        return there

    def address(self, tenant: str, name: str) -> str:
        """Its address."""
        return f"{self._server}/{self._collection(tenant, name)}" + (f"?{self._options}" if self._options else "")

    def make(self, tenant: str, name: str) -> None:
        """Make an empty one. Raises GalleryBusy, InputError for a name too long for a collection."""
        open_gallery(self.address(tenant, name)).close()

    def may_go(self, tenant: str, name: str) -> None:
        """All may: collections are migrated into new ones."""

    def destroy(self, tenant: str, name: str, gallery: BaseGallery) -> Destroyed:
        """Erase everybody and the collections. Raises GalleryBusy."""
        gone = tally(gallery)
        self.wreck(tenant, name)
        return gone

    def wreck(self, tenant: str, name: str) -> None:
        """Take one away that cannot be read."""
        collection = self._collection(tenant, name)
        for one in (collection, collection + "__records"):  # the records last: without them it is not there
            if self._linked().call("has_collection", one):
                self._linked().call("drop_collection", one)
        self._seen.pop((tenant, name), None)

    def _collection(self, tenant: str, name: str) -> str:
        found = f"mien_{escaped(tenant)}__{escaped(name)}"
        if len(found) > 190:
            raise InputError(f"The name {name[:40]!r}… is too long for a collection.", "Choose a shorter one.")
        return found

    def _linked(self) -> Link:
        from mien.gallery.milvus.address import read_address
        from mien.gallery.milvus.link import Link

        with self._lock:
            if self._link is None:
                self._link = Link(read_address(self.address("_", "_")))
            return self._link


def escaped(name: str) -> str:
    """A name in letters, digits and _XX only."""
    return re.sub(r"[^A-Za-z0-9]", lambda found: f"_{ord(found.group()):02x}", name)


def unescaped(text: str) -> str:
    """The name that `escaped` was given."""
    return re.sub(r"_([0-9a-f]{2})", lambda found: chr(int(found.group(1), 16)), text)
