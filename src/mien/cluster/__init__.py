"""Photos of unknown people to groups of one person each, which remember what you say about them.

    with open_album("people.cluster") as album:
        added, grouped = album.add(mien.Engine(), paths)
        for group in album.groups():
            print(group.number, group.name, group.faces)
        album.merge(3, 9)               # one person; album.separate("f12", 3): not that person; album.undo()

New photos join the groups there are. Faces too poor to say are left unsure, and two faces of one photo are two people.
"""

from __future__ import annotations

import os
from pathlib import Path

from mien.cluster.album import FMR, Album, bar_at
from mien.cluster.enrolling import enrol
from mien.cluster.linkage import Bar
from mien.cluster.nouns import Added, Alike, Group, Grouped, Seen

__all__ = ["FMR", "Added", "Album", "Alike", "Bar", "Group", "Grouped", "Seen", "bar_at", "enrol", "open_album"]


def open_album(path: str | os.PathLike[str], *, create: bool = True, read_only: bool = False) -> Album:
    """Open an album, or make one. read_only: for listings, also while another process adds photos.

    Raises GalleryNotFound, GalleryCorrupt, GalleryReadOnly, GalleryBusy, GalleryError."""
    return Album(Path(path).absolute(), create=create, read_only=read_only)
