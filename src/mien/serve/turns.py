"""One at a time, over all threads and processes of a machine: what may not be done twice at once takes a turn."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mien.errors import CannotWrite, GalleryBusy
from mien.locks import locked

_PAUSE = 0.01  # s between tries for another process's lock
_WAIT = 10.0  # s


class Turns:
    """Locks by name, each a file in `folder`. The system lets go of it when its process dies, however that dies."""

    def __init__(self, folder: Path, wait: float = _WAIT) -> None:
        self._folder, self._wait = folder, wait
        self._threads: dict[tuple[str, ...], threading.RLock] = {}
        self._held: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, *what: str) -> Iterator[bool]:
        """Be the only one at `what`; again within itself is allowed. Gives whether it is the outermost.

        Raises GalleryBusy when the others are not done in time."""
        ends = time.monotonic() + self._wait
        with self._lock:
            mine = self._threads.setdefault(what, threading.RLock())
        if not mine.acquire(timeout=self._wait):
            raise _busy(what)
        try:
            first = self._held.get(what, 0) == 0
            if not first:
                yield False
                return
            with self._file(what) as file:
                while not locked(file):
                    if time.monotonic() > ends:
                        raise _busy(what)
                    time.sleep(_PAUSE)
                self._held[what] = 1
                try:
                    yield True
                finally:
                    self._held[what] = 0
        finally:
            mine.release()

    def _file(self, what: tuple[str, ...]) -> IO[bytes]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return (self._folder / hashlib.blake2b("\0".join(what).encode(), digest_size=12).hexdigest()).open("ab")
        except OSError as error:
            raise CannotWrite(
                f"The folder {self._folder} cannot be used: {error.strerror}.", "Check the disk and its rights."
            ) from error


class Life:
    """A sign that this process lives, which others can look for: a locked file of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()
        self._name = ""

    @property
    def name(self) -> str:
        """What this process is called; the sign is made at first need."""
        with self._lock:
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                for left in self._folder.glob("*.life"):
                    if not self._alive(left):
                        left.unlink(missing_ok=True)
                self._name = os.urandom(8).hex()
                path = self._folder / f".{self._name}.new"
                self._file = path.open("ab")
                locked(self._file)
                path.rename(self._folder / f"{self._name}.life")  # nobody sees it unlocked
            return self._name

    def lives(self, name: str) -> bool:
        """Whether the process of that name is there still."""
        if name == self._name:
            return self._file is not None
        path = self._folder / f"{name}.life"
        return path.exists() and self._alive(path)

    def close(self) -> None:
        """Take the sign away."""
        with self._lock:
            if self._file is not None:
                (self._folder / f"{self._name}.life").unlink(missing_ok=True)
                self._file.close()
                self._file = None

    def _alive(self, path: Path) -> bool:
        try:
            with path.open("r+b") as file:  # which makes none
                return not locked(file)
        except OSError:
            return False


def _busy(what: tuple[str, ...]) -> GalleryBusy:
    return GalleryBusy(f"{what[-1]!r} is being changed by another request for too long.", "Try again in a moment.")
