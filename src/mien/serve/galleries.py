"""The galleries of each tenant: those the operator named, and those made by request."""

from __future__ import annotations

import re
import threading
from pathlib import Path

from mien.errors import Conflict, GalleryNotFound, InputError
from mien.gallery import BaseGallery, open_gallery
from mien.serve.settings import Settings

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,254}")
DEFAULT = "default"  # the tenant of the galleries that the operator named


def checked(name: str, what: str = "gallery") -> str:
    """A name that can be part of a path and an address. Raises InputError."""
    if not NAME.fullmatch(name) or name.endswith((".db", ".users")):
        raise InputError(
            f"{name[:80]!r} cannot be the name of a {what}.",
            "Use up to 255 letters, digits, '-', '_' and '.', beginning with a letter, digit or '_' and without '.db'.",
        )
    return name


class Galleries:
    """Open galleries, one object of each per process. Threads may share it."""

    def __init__(self, settings: Settings) -> None:
        self._home, self._remote = settings.data / "tenants", settings.home.rstrip("/")
        self._mounted = {checked(_stem(one)): one for one in settings.galleries}
        self._open: dict[tuple[str, str], BaseGallery] = {}
        self._lock = threading.RLock()

    def names(self, tenant: str) -> list[str]:
        """Galleries of a tenant, by name."""
        mounted = set(self._mounted) if tenant == DEFAULT else set()
        return sorted(
            mounted | {path.stem for path in self._folder(tenant).glob("*.db") if not path.stem.endswith(".users")}
        )

    def open(self, tenant: str, name: str) -> BaseGallery:
        """A gallery of a tenant. Raises GalleryNotFound, GalleryCorrupt, GalleryBusy."""
        with self._lock:
            address = self._address(tenant, checked(name))
            found = self._open.get((tenant, name))
            if found is None or self._gone(address):
                if self._gone(address):
                    self._open.pop((tenant, name), None)
                    raise GalleryNotFound(f"There is no gallery {name!r}.", "Make it, or see which there are.")
                found = self._open[tenant, name] = open_gallery(address, create=False)
            return found

    def create(self, tenant: str, name: str) -> BaseGallery:
        """A new gallery. Raises Conflict when there is one."""
        with self._lock:
            address = self._address(tenant, checked(name))
            if not self._gone(address):
                raise Conflict(f"There is a gallery {name!r} already.", "Choose another name.")
            if "://" not in address:
                Path(address).parent.mkdir(parents=True, exist_ok=True)
            self._open[tenant, name] = found = open_gallery(address)
            return found

    def drop(self, tenant: str, name: str) -> int:
        """Erase everybody in a gallery and the gallery; returns how many people it held. Raises GalleryNotFound, Conflict."""
        if name in self._mounted and tenant == DEFAULT:
            raise Conflict(
                f"The gallery {name!r} belongs to the operator of the service.", "Ask for it to be taken out."
            )
        raise NotImplementedError

    def close(self) -> None:
        """Let go of all."""
        with self._lock:
            for one in self._open.values():
                one.close()
            self._open.clear()

    def _folder(self, tenant: str) -> Path:
        return self._home / checked(tenant, "tenant")

    def _address(self, tenant: str, name: str) -> str:
        if tenant == DEFAULT and name in self._mounted:
            return self._mounted[name]
        return str(self._folder(tenant) / f"{name}.db")

    def _gone(self, address: str) -> bool:
        return "://" not in address and not Path(address).exists()


def _stem(address: str) -> str:
    return Path(address.rstrip("/")).stem if "://" not in address else address.rstrip("/").rsplit("/", 1)[-1]
