"""Templates to matches.

    gallery = open_gallery("people.db")      # one durable file
    gallery = open_gallery()                 # in memory
    gallery = open_gallery("people.sealed", keys="keys")    # encrypted, and searched so (see `mien.gallery.sealed`)

Whichever engine stands behind it, a gallery answers alike: exact search, the same scores, the same refusals.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from mien.errors import UsageError
from mien.gallery.base import BaseGallery, Receipt
from mien.gallery.embedded import EmbeddedGallery
from mien.gallery.memory import MemoryGallery
from mien.gallery.migrate import backups, migrate, migrate_in_place
from mien.gallery.moving.steps import Migration
from mien.gallery.names import subject_name
from mien.gallery.store import is_sealed

if TYPE_CHECKING:
    from mien.gallery.sealed.keys import Keys

__all__ = [
    "BaseGallery",
    "EmbeddedGallery",
    "MemoryGallery",
    "Migration",
    "Receipt",
    "backups",
    "migrate",
    "migrate_in_place",
    "open_gallery",
    "subject_name",
]


def _on_milvus(address: str, create: bool, read_only: bool) -> BaseGallery:
    from mien.gallery.milvus import open_milvus

    return open_milvus(address, create, read_only)


# The seam for engines that are no file: scheme -> opener(address, create, read_only).
_OPENERS: dict[str, Callable[[str, bool, bool], BaseGallery]] = {"milvus": _on_milvus, "milvus+tls": _on_milvus}
_SEALED = ("sealed+http",)  # matchers of sealed galleries


def open_gallery(
    where: str | os.PathLike[str] | None = None,
    *,
    create: bool = True,
    read_only: bool = False,
    keys: Keys | str | os.PathLike[str] | None = None,
) -> BaseGallery:
    """Open a gallery, or make one.

    where: None or ":memory:" keeps people in memory only; a name that ends in .sealed is the folder of a sealed gallery,
    sealed+http://127.0.0.1:8765 the matcher of one; milvus://host:19530/people a collection on a Milvus server;
    anything else is the path of one durable file.
    create: make it if there is none. read_only: refuse every change; what is missing is then never made.
    keys: the folder of a sealed gallery's keys; by default what MIEN_KEYS names.

    Raises GalleryNotFound, GalleryCorrupt, GalleryReadOnly, GalleryBusy, UsageError (a folder, an unknown scheme, no keys).
    """
    address = ":memory:" if where is None else os.fspath(where)
    scheme, separator, _ = address.partition("://")
    if separator:
        if scheme.lower() in _SEALED:
            from mien.gallery.sealed.remote import open_remote

            return open_remote(address, keys, read_only=read_only)
        opener = _OPENERS.get(scheme.lower())
        if opener is None:
            raise UsageError(
                f"No gallery engine serves {scheme}:// addresses.", "Give the path of a file, such as people.db."
            )
        return opener(address, create, read_only)
    if address == ":memory:":
        return MemoryGallery()
    if is_sealed(address):
        from mien.gallery.sealed.opening import open_sealed

        return open_sealed(address, keys, create=create, read_only=read_only)
    return EmbeddedGallery(address, create=create, read_only=read_only)
