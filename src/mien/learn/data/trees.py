"""A data set's folder as its annotations see it: every name is looked up within the root and never leaves it.

Annotation files come from elsewhere: a name in them that climbs out of the root, or that leads out through a link, is
refused. Folders are listed once and kept, so that a million names cost a few thousand listings. Links to folders are
not walked through, so no loop of links holds a reader up; a link that an annotation names is followed if it stays inside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path

from mien.errors import InputError, MediaNotFound
from mien.media.door import shown

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
VIDEOS = (".avi", ".mp4", ".mov", ".mkv", ".mpg", ".mpeg", ".wmv", ".m4v", ".webm")
DEEPEST = 12  # folders below the root; no official layout is deeper, a tree without end is
_LONGEST = 4096  # characters of a path that any system takes


class Outside(Exception):
    """A name that leads out of the root. Never leaves the readers."""


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts img2 before img10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


class Tree:
    """The files under a root. Names are relative, with slashes, whatever the system."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        """Raises MediaNotFound, InputError."""
        path = Path(root)
        try:
            if not path.is_dir():
                if path.exists():
                    raise InputError(f"{shown(path)} is a file, not a folder.", "Name the unpacked data set's folder.")
                raise MediaNotFound(f"There is no folder {shown(path)}.", "Check the name.")
            self._real = path.resolve()
        except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
            raise MediaNotFound(f"{shown(path)} cannot be the name of a folder.", "Check the name.") from error
        self.root = path
        self._listed: dict[str, dict[str, bool]] = {}  # folder -> {name: whether it is a folder}
        self._folded: dict[str, dict[str, str]] = {}
        self._known: dict[str, str | None] = {}  # folders asked for -> as the disk spells them

    def path(self, name: str) -> Path:
        """Where a name of this tree lies."""
        return self.root / name if name else self.root

    def find(self, name: str) -> str | None:
        """The name as the disk spells it (capitals may differ); None where nothing of it is there.

        Raises Outside where it leads out of the root."""
        parts = parts_of(name)
        if not parts:
            return ""
        above = self._above("/".join(parts[:-1])) if len(parts) > 1 else ""
        return None if above is None else self._within_folder(above, parts[-1])

    def _above(self, folder: str) -> str | None:
        """`find` for a folder whose parts are checked, remembered: its million files ask for it one by one."""
        if folder not in self._known:
            above, _, own = folder.rpartition("/")
            held = self._above(above) if above else ""
            found = None if held is None else self._within_folder(held, own)
            self._known[folder] = found if found and self._kind(found) else None
        return self._known[folder]

    def _within_folder(self, folder: str, own: str) -> str | None:
        held = self._list(folder)
        found = own if own in held else self._fold(folder).get(own.casefold())
        return None if found is None else f"{folder}/{found}" if folder else found

    def file(self, name: str) -> str | None:
        """`find` for files only."""
        found = self.find(name)
        return found if found and not self._kind(found) else None

    def folder(self, name: str) -> str | None:
        """`find` for folders only; "" is the root."""
        found = self.find(name)
        return found if found is not None and (not found or self._kind(found)) else None

    def files(self, folder: str = "", suffixes: Collection[str] = ()) -> list[str]:
        """Names, without the folder, of the files right in a folder, in natural order."""
        held = self._list(folder)
        wanted = tuple(suffixes)
        return sorted(
            (name for name, inner in held.items() if not inner and (not wanted or name.lower().endswith(wanted))),
            key=natural,
        )

    def folders(self, folder: str = "") -> list[str]:
        """Names, without the folder, of the folders right in a folder, in natural order."""
        return sorted((name for name, inner in self._list(folder).items() if inner), key=natural)

    def walk(self, folder: str = "", deepest: int = DEEPEST) -> Iterator[str]:
        """Names from the root of all folders below, itself first, nearer ones first. Links are not walked through."""
        level = [folder]
        yield folder
        for _ in range(deepest):  # the deepest are named, not opened: they may hold a million pictures
            level = [
                f"{held}/{name}" if held else name
                for held in level
                for name in self.folders(held)
                if not self.path(held).joinpath(name).is_symlink()
            ]
            if not level:
                return
            yield from level

    def search(self, pattern: str, folder: str = "", deepest: int = 3) -> list[str]:
        """Names from the root of the files below whose own name matches all of `pattern` (capitals do not matter)."""
        wanted = re.compile(pattern, re.IGNORECASE)
        return [
            f"{held}/{name}" if held else name
            for held in self.walk(folder, deepest)
            for name in self.files(held)
            if wanted.fullmatch(name)
        ]

    @cached_property
    def top(self) -> str:
        """What lies in the root, as a message shows it."""
        names = [f"{name}/" for name in self.folders()] + self.files()
        return (", ".join(map(shown, names[:8])) + (", …" if len(names) > 8 else "")) or "nothing"

    def _kind(self, name: str) -> bool:
        parent, _, own = name.rpartition("/")
        return self._list(parent)[own]

    def _list(self, folder: str) -> dict[str, bool]:
        if folder not in self._listed:
            self._listed[folder] = self._read(folder)
        return self._listed[folder]

    def _fold(self, folder: str) -> dict[str, str]:
        if folder not in self._folded:
            self._folded[folder] = {name.casefold(): name for name in sorted(self._list(folder), reverse=True)}
        return self._folded[folder]

    def _read(self, folder: str) -> dict[str, bool]:
        """What a folder holds. A link out of the root is not there; a folder that may not be read holds nothing."""
        held = {}
        try:
            if folder and not self._within(self.path(folder)):
                raise Outside(folder)
            with os.scandir(self.path(folder)) as entries:
                for entry in entries:
                    if not entry.is_symlink() or self._within(Path(entry.path)):
                        held[entry.name] = entry.is_dir()
        except OSError:
            return {}
        return held

    def _within(self, path: Path) -> bool:
        try:
            return path.resolve(strict=True).is_relative_to(self._real)
        except (OSError, RuntimeError):  # no such target; a loop of links
            return False


def parts_of(name: str) -> list[str]:
    """The parts of a relative name, slashes either way. Raises Outside for one that is absolute or climbs out."""
    clean = name.strip().replace("\\", "/")
    if len(clean) > _LONGEST or "\0" in clean or clean.startswith("/") or re.match(r"[A-Za-z]:", clean):
        raise Outside(name)
    parts = [part for part in clean.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Outside(name)
    return parts
