"""Templates to matches.

    gallery = open_gallery("people.db")      # one durable file
    gallery = open_gallery()                 # in memory

Whichever engine stands behind it, a gallery answers alike: exact search, the same scores, the same refusals.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from mien.errors import UsageError
from mien.gallery.base import BaseGallery, Receipt
from mien.gallery.embedded import EmbeddedGallery
from mien.gallery.memory import MemoryGallery
from mien.gallery.migrate import Migration, backups, migrate, migrate_in_place
from mien.gallery.names import subject_name

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

# The seam for engines that are no file: scheme -> opener(address, create, read_only).
_OPENERS: dict[str, Callable[[str, bool, bool], BaseGallery]] = {}


def open_gallery(
    where: str | os.PathLike[str] | None = None, *, create: bool = True, read_only: bool = False
) -> BaseGallery:
    """Open a gallery, or make one.

    where: None or ":memory:" keeps people in memory only; anything else is the path of one durable file.
    create: make the file if there is none. read_only: refuse every change; a missing file is then never made.

    Raises GalleryNotFound, GalleryCorrupt, GalleryReadOnly, GalleryBusy, UsageError (a folder, an unknown scheme).
    """
    address = ":memory:" if where is None else os.fspath(where)
    scheme, separator, _ = address.partition("://")
    if separator:
        opener = _OPENERS.get(scheme.lower())
        if opener is None:
            raise UsageError(
                f"No gallery engine serves {scheme}:// addresses.", "Give the path of a file, such as people.db."
            )
        return opener(address, create, read_only)
    if address == ":memory:":
        return MemoryGallery()
    return EmbeddedGallery(address, create=create, read_only=read_only)
