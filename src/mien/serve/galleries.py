"""The galleries of each tenant: those the operator named, and those made by request."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mien.errors import Conflict, GalleryError, GalleryNotFound, InputError, UsageError
from mien.gallery import BaseGallery
from mien.serve.homes import Destroyed, Files, Home, Milvus
from mien.serve.moves import Moves
from mien.serve.records import Records
from mien.serve.served import opened
from mien.serve.settings import Settings
from mien.serve.turns import Turns

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")  # with what stands beside it, a file's name may have 255
DEFAULT = "default"  # the tenant of the galleries that the operator named


def checked(name: str, what: str = "gallery") -> str:
    """A name that can be part of a path and an address. Raises InputError."""
    if not NAME.fullmatch(name) or name.endswith(".db"):
        raise InputError(
            f"{name[:80]!r} cannot be the name of a {what}.",
            "Use up to 200 letters, digits, '-', '_' and '.', beginning with a letter, digit or '_' and without '.db'.",
        )
    return name


class Galleries:
    """Open galleries, one object of each per process. Threads may share it."""

    def __init__(self, settings: Settings, records: Records) -> None:
        self.home: Home = Milvus(settings.home) if settings.home else Files(settings.data / "tenants")
        self.mounted = _named(settings.galleries)
        self._turns, self._moves = Turns(settings.data / "locks"), Moves(records)
        self.before_making: Callable[[str, str], object] = lambda tenant, name: None  # ends a drop that was cut off
        self._open: dict[tuple[str, str], BaseGallery] = {}
        self._opening: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()
        self.watch: Callable[[BaseGallery], BaseGallery] = lambda found: found  # sees each that is opened

    def opened(self) -> dict[tuple[str, str], BaseGallery]:
        """Those that are open in this process, by tenant and name."""
        with self._lock:
            return dict(self._open)

    def names(self, tenant: str) -> list[str]:
        """Galleries of a tenant, by name."""
        mounted = set(self.mounted) if tenant == DEFAULT else set()
        return sorted(mounted.union(self.home.names(checked(tenant, "tenant"))))

    def __contains__(self, named: tuple[str, str]) -> bool:
        """Whether a tenant has a gallery of that name."""
        tenant, name = named
        return self.belongs(tenant, name) or self.home.has(tenant, checked(name))

    def belongs(self, tenant: str, name: str) -> bool:
        """Whether a gallery is the operator's, so that no request can drop it."""
        return tenant == DEFAULT and name in self.mounted

    def open(self, tenant: str, name: str) -> BaseGallery:
        """A gallery of a tenant. Raises InputError, GalleryNotFound, GalleryCorrupt, GalleryBusy."""
        return self._opened(tenant, checked(name))

    def create(self, tenant: str, name: str) -> BaseGallery:
        """A new gallery, of which whoever asks first is the maker. Raises InputError, Conflict, CannotWrite."""
        with self.alone(tenant, checked(name)):
            self.before_making(tenant, name)
            if (tenant, name) in self:
                raise Conflict(f"There is a gallery {name!r} already.", "Choose another name.")
            self.home.make(checked(tenant, "tenant"), name)
            return self._opened(tenant, name)

    def may_go(self, tenant: str, name: str) -> None:
        """Raise Conflict for a gallery that belongs to the operator, or is being migrated."""
        if self.belongs(tenant, name):
            raise Conflict(
                f"The gallery {name!r} belongs to the operator of the service.", "Ask for it to be taken out."
            )
        self.home.may_go(tenant, name)

    def destroy(self, tenant: str, name: str) -> Destroyed:
        """Erase everybody in a gallery, and the gallery. `dropping.dropped` keeps the receipt.

        Raises GalleryNotFound, Conflict for one that belongs to the operator or is being migrated, GalleryBusy."""
        self.may_go(tenant, name)
        with self.turn(tenant, name) as gallery:
            self._moves.drop(tenant, name)
            gone = self.home.destroy(tenant, name, gallery)
            with self._lock:  # nobody closes them: those who search just now finish, and the last one lets go
                self._open.pop((tenant, name), None)
            return gone

    def wreck(self, tenant: str, name: str) -> None:
        """Take away a gallery that is damaged, without reading it. Within its turn."""
        self._moves.drop(tenant, name)
        self.home.wreck(tenant, name)
        with self._lock:
            self._open.pop((tenant, name), None)

    @contextmanager
    def alone(self, tenant: str, name: str) -> Iterator[bool]:
        """A gallery's turn, whether there is such a gallery or not; gives whether this is the outermost."""
        with self._turns.turn("gallery", tenant, name) as first:
            yield first

    @contextmanager
    def turn(self, tenant: str, name: str) -> Iterator[BaseGallery]:
        """A gallery, and nobody else who moves or erases people in it; what was cut off while doing so is ended first.

        Enrolling and searching go on. Raises as `open`, and GalleryBusy when others take too long."""
        checked(name)
        with self.alone(tenant, name) as first:
            gallery = self._opened(tenant, name)
            if first:
                self._moves.settle(tenant, name, gallery)
            yield gallery

    @property
    def moves(self) -> Moves:
        """What moves samples from one name to another. To be used within a turn."""
        return self._moves

    def settle(self) -> int:
        """End the moves that were cut off, when the service starts; returns in how many galleries."""
        unsettled = self._moves.unsettled()
        for tenant, name in unsettled:
            with suppress(GalleryError), self.turn(tenant, name):  # what cannot be opened now is ended when it can
                pass
        return len(unsettled)

    def close(self) -> None:
        """Let go of all."""
        with self._lock:
            for one in self._open.values():
                one.close()
            self._open.clear()

    def _opened(self, tenant: str, name: str) -> BaseGallery:
        key = tenant, name
        with self._lock:
            opening = self._opening.setdefault(key, threading.Lock())
        with opening:
            address = self._address(tenant, name)
            if not self._there(tenant, name):
                with self._lock:
                    self._open.pop(key, None)
                raise _missing(name)
            found = self._open.get(key)
            if found is None:
                found = self._open[key] = self.watch(opened(address))
            return found

    def _address(self, tenant: str, name: str) -> str:
        if self.belongs(tenant, name):
            return self.mounted[name]
        return self.home.address(checked(tenant, "tenant"), name)

    def _there(self, tenant: str, name: str) -> bool:
        """Whether it is there still: another process may have dropped it."""
        if self.belongs(tenant, name):
            return "://" in self.mounted[name] or Path(self.mounted[name]).exists()
        return self.home.has(tenant, name)


def _missing(name: str) -> GalleryNotFound:
    return GalleryNotFound(f"There is no gallery {name[:80]!r}.", "Make it, or see which there are.")


def _named(addresses: tuple[str, ...]) -> dict[str, str]:
    """The operator's galleries by name: the file's without its ending, or the collection's. Raises UsageError, InputError."""
    found: dict[str, str] = {}
    for address in addresses:
        rest = address.partition("?")[0].rstrip("/")
        name = checked(Path(rest).stem if "://" not in rest else rest.rsplit("/", 1)[-1].replace(":", "-"))
        if name in found:
            raise UsageError(f"Two galleries are called {name!r}: {found[name]} and {address}.", "Rename one of them.")
        found[name] = address
    return found
