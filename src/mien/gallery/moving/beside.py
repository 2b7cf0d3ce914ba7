"""What a change of a gallery must do in the other indexes that stand beside it. Costs one look at the folder where none does.

`EmbeddedGallery` goes through here: `in_turn` around every change, so that a switch is not overtaken, and `reaching` around
every erasure, so that nobody who is forgotten stays in an index that is being made or was kept for a way back.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mien.errors import GalleryBusy, GalleryError
from mien.gallery.moving.state import Ledger, Pair, kept_files, state_path
from mien.locks import locked

if TYPE_CHECKING:
    from mien.gallery.base import Removed
    from mien.gallery.embedded import EmbeddedGallery

_PAUSE = 0.01  # s between tries for the lock


class _Turn:
    """A lock of one gallery's migration in this process: one thread at a time, again and again by the same."""

    def __init__(self) -> None:
        self.thread = threading.RLock()
        self.depth = 0
        self.owner = 0  # the thread that has it
        self.file: IO[bytes] | None = None


_TURNS: dict[Path, _Turn] = {}
_REGISTRY = threading.Lock()


@contextmanager
def turn(gallery: Path, timeout: float = 10.0, *, first: bool = False) -> Iterator[None]:
    """Be the only one to change a gallery that is being migrated; nothing to wait for where none is.

    Raises GalleryBusy after `timeout` s."""
    if not state_path(gallery).exists():
        yield
        return
    with held(gallery, timeout, first=first):
        yield


@contextmanager
def held(gallery: Path, timeout: float = 10.0, *, first: bool = False) -> Iterator[None]:
    """`turn`, also where no migration is under way yet. first: ahead of everybody who comes from now on, so that those
    who change the gallery all the while cannot keep a switch waiting."""
    deadline = time.monotonic() + timeout
    with _REGISTRY:
        mine = _TURNS.setdefault(gallery, _Turn())
    with ExitStack() as stack:
        if mine.owner != threading.get_ident():
            if first:
                stack.enter_context(_lock(gate_path(gallery), deadline))
            elif gate_path(gallery).exists():
                _lock(gate_path(gallery), deadline).close()  # wait while somebody holds it
        if not mine.thread.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise GalleryBusy(f"The gallery {gallery} is being switched to another index.", "Try again in a moment.")
        stack.callback(mine.thread.release)
        if mine.depth == 0:
            mine.file = _lock(lock_path(gallery), deadline)
            mine.owner = threading.get_ident()
        mine.depth += 1
        try:
            yield
        finally:
            mine.depth -= 1
            if mine.depth == 0 and mine.file is not None:
                mine.owner = 0
                mine.file.close()  # which lets go of the lock
                mine.file = None


def gate_path(gallery: Path) -> Path:
    """The file that is locked by who wants to be first."""
    return gallery.with_name(gallery.name + ".migration-gate")


def lock_path(gallery: Path) -> Path:
    """The file that is locked."""
    return gallery.with_name(gallery.name + ".migration-lock")


@contextmanager
def alone(gallery: Path) -> Iterator[None]:
    """Be the only process that works on a migration, while others enrol and search. Raises GalleryBusy at once."""
    path = gallery.with_name(gallery.name + ".migration-run")
    try:
        file = _lock(path, 0.0)
    except GalleryBusy:
        raise GalleryBusy(
            f"Another process is at work on the migration of {gallery}.", "Wait until it has finished, or stop it."
        ) from None
    with file:
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # still locked, so nobody else has it


def _lock(path: Path, deadline: float) -> IO[bytes]:
    while True:
        try:
            file = path.open("ab")
        except OSError as error:
            raise GalleryError(f"{path} cannot be opened: {error.strerror}.", "Look at its permissions.") from error
        if locked(file):
            with suppress(FileNotFoundError):
                if os.fstat(file.fileno()).st_ino == path.stat().st_ino:  # not taken away meanwhile, by a `drop`
                    return file
        file.close()
        if time.monotonic() >= deadline:
            raise GalleryBusy(f"{path} is held by another process.", "Try again in a moment.")
        time.sleep(_PAUSE)


def in_turn(change: Callable[[EmbeddedGallery], AbstractContextManager[None]]) -> Callable[..., Any]:
    """Around `EmbeddedGallery._change`: a change waits while the gallery is switched to another index."""

    @contextmanager
    @wraps(change)
    def waiting(self: EmbeddedGallery) -> Iterator[None]:
        self.require_write()
        with turn(self._path, self._timeout), change(self):
            yield

    return waiting


def reaching(remove: Callable[[EmbeddedGallery, str, bytes | None], Removed]) -> Callable[..., Removed]:
    """Around `EmbeddedGallery._remove`: who is forgotten here is forgotten in the other index as well."""

    @wraps(remove)
    def removing(self: EmbeddedGallery, name: str, vector: bytes | None) -> Removed:
        self.require_write()
        with erasing(self, self._path, name, vector):
            return remove(self, name, vector)

    return removing


@contextmanager
def erasing(gallery: EmbeddedGallery, home: Path, name: str, vector: bytes | None) -> Iterator[None]:
    """Around the erasure of a subject, or of the one sample with these bytes: first in the other index, then in the gallery.

    An erasure that cannot reach the other index fails before it began, so what was acknowledged is out of both."""
    if not state_path(home).exists():
        yield
        if state_path(home).exists():  # a migration began meanwhile and may have read them
            _erase_second(gallery, home, name, vector)
        return
    with held(home):
        before = gallery.revision().epoch
        _erase_second(gallery, home, name, vector)
        yield
        after = gallery.revision().epoch
        with _opened(home) as ledger:
            if ledger is not None and ledger.state.epoch == before:
                ledger.write(replace(ledger.state, epoch=after))


@contextmanager
def _opened(home: Path) -> Iterator[Ledger | None]:
    try:
        ledger = Ledger(home)
    except FileNotFoundError:
        yield None
        return
    with ledger:
        yield ledger


def _erase_second(gallery: EmbeddedGallery, home: Path, name: str, vector: bytes | None) -> None:
    from mien.gallery.moving.follow import erase_there
    from mien.gallery.moving.recover import recover

    with held(home), _opened(home) as ledger:
        if ledger is None:
            return
        recover(gallery, ledger)
        person = ledger.person(name)
        gone: list[Pair] | None = None
        if vector is not None:
            mark = ledger.mark(name, vector)
            gone = [pair for pair in ledger.pairs(person) if pair.here == mark]
        erase_there(ledger, name, gone)


def erase_in_copies(path: str | os.PathLike[str], name: str) -> tuple[list[str], list[tuple[str, GalleryError]]]:
    """Erase a subject in every older copy that a migration left beside a gallery.

    Returns (paths of copies that held them and do not any more, copies that could not be reached with the reason)."""
    from mien.gallery.embedded import EmbeddedGallery

    reached, missed = [], []
    for copy in kept_files(Path(path).absolute()):
        try:
            with EmbeddedGallery(copy, create=False) as gallery:
                if name in gallery:
                    gallery.erase(name)
                    reached.append(str(copy))
        except GalleryError as error:
            missed.append((str(copy), error))
    return reached, missed
