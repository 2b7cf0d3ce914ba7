"""A durable gallery in one file: SQLite keeps the rows, a float32 matrix in memory answers the searches."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryFull, GalleryNotFound
from mien.gallery import store
from mien.gallery.base import BaseGallery, Newcomer, Removed, View
from mien.gallery.matrix import Fusion, Matrix, check_samples
from mien.gallery.moving.beside import in_turn, reaching
from mien.gallery.names import subject_name
from mien.gallery.rows import Rows
from mien.gallery.store import Head, plain_errors, xor
from mien.types import Person, Sample

if TYPE_CHECKING:
    from mien.where import Where

_BLOCK = 64  # samples read from the file at a time, crops with them


class EmbeddedGallery(BaseGallery):
    """A gallery in one file, such as people.db, for any number of reading processes and one writing at a time.

    An enrol that returned is on the disk (write-ahead log, synced). A search sees what other processes enrolled before
    it began. While the gallery is open, people.db-wal and people.db-shm are beside it; the last to close removes them.
    timeout: s to wait for another process that is writing, before GalleryBusy.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        create: bool = True,
        read_only: bool = False,
        timeout: float = 10.0,
        fusion: Fusion = "max",
    ) -> None:
        super().__init__(os.fspath(path), fusion)
        self._path = Path(path).absolute()
        self._read_only = read_only
        self._timeout = timeout
        self._reset()
        if not store.present(self._path):
            if read_only or not create:
                raise GalleryNotFound(
                    f"There is no gallery at {self._path}.", "Enrol somebody to make one, or check the path."
                )
            store.create(self._path)
        self._connect()
        self._refresh()
        self._tidy()

    def people(self) -> list[Person]:
        with self._reading():
            rows = self._rows.subjects()
            self._rows.hold({name for _, name, *_ in rows} == set(self._ids), "subjects are missing")
            found = []
            for number, name, metadata, enrolled in rows:
                kept = self._kept[number]
                found.append(Person(name, len(kept), sum(kept.values()), json.loads(metadata), enrolled))
        return sorted(found, key=lambda person: person.subject)

    def samples(self, subject: str | None = None) -> Iterator[tuple[str, Sample]]:
        name = None if subject is None else subject_name(subject)
        with self._reading():
            if name is not None and name not in self._ids:
                raise self._unknown(name)
            names = sorted(self._ids) if name is None else [name]
            walk = [(each, number) for each in names for number in self._kept[self._ids[each]]]
        return self._walk(walk)

    def verify(self) -> list[str]:
        faults: list[str] = []
        try:
            with self._lock, plain_errors(self._path):
                self._refresh()
                faults += self._rows.faults()
                self._reset()  # so that every row is read again
                self.people()
                walk = [(name, number) for name, subject in self._ids.items() for number in self._kept[subject]]
        except GalleryCorrupt as error:
            return [*faults, error.message]
        for step in walk:
            try:
                list(self._walk([step]))
            except GalleryCorrupt as error:
                faults.append(error.message)
        return faults

    def backup(self, path: str | os.PathLike[str]) -> None:
        with self._lock, store.appear(path) as fresh, store.connect(fresh, "rwc", self._timeout) as copy:
            self._refresh()
            self._db.backup(copy)

    def require_write(self) -> None:
        """Raise GalleryReadOnly now rather than after long work."""
        if not self._may_write:
            raise store.read_only(self._path)

    def revision(self) -> Head:
        """What differs after any change of the gallery, by whomever."""
        with self._reading():
            return self._head

    def replace_with(self, path: Path, seen: Head) -> None:
        """Take over all people of the closed gallery file at `path` in one transaction: readers see the old or the new.

        Raises GalleryBusy when anything was changed here since `revision` gave `seen`."""
        with self._lock:
            self._usable()
            with plain_errors(self._path):
                self._db.execute("ATTACH ? AS other", (str(path),))
                try:
                    with self._change():
                        if self._head != seen:
                            raise GalleryBusy(f"The gallery {self._path} was changed meanwhile.", "Run the same again.")
                        self._rows.adopt("other")
                        head = store.read_head(self._db, self._path)
                        store.write_head(self._db, replace(head, epoch=seen.epoch + 1, purge=1))
                finally:
                    self._db.execute("DETACH other")
            self._purge()

    @property
    def _space(self) -> str | None:
        return self._head.space

    @property
    def _points(self) -> str:
        return self._head.points

    def _keep(self, points: str) -> None:
        with self._change():
            store.write_head(self._db, replace(self._head, points=points))

    def _reset(self) -> None:
        self._matrix = Matrix(self._fusion)
        self._ids: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._kept: dict[int, dict[int, bool]] = {}  # {subject: {sample: whether its crop is kept}}
        self._head = Head()
        self._version = -1

    def _connect(self) -> None:
        self._seen = store.footprint(self._path)
        self._db, self._frozen = store.open_file(self._path, self._timeout, self._read_only)
        self._may_write = not self._read_only and store.writable(self._path)
        self._rows = Rows(self._db, self._path)
        self._finalizer = weakref.finalize(self, _let_go, self._db, self._process)

    def _refresh(self) -> None:
        self._usable()
        seen = store.footprint(self._path)
        # A frozen connection does not look at the file again by itself; a replaced file has another inode.
        if seen.inode != self._seen.inode or (self._frozen and seen != self._seen):
            self._finalizer()
            self._reset()
            self._connect()
        with plain_errors(self._path):
            version = self._db.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                with store.transaction(self._db, "DEFERRED"):
                    self._pull()
                self._version = version

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Hold still one state of the file, with the matrix at that state."""
        with self._lock, plain_errors(self._path):
            self._refresh()
            with store.transaction(self._db, "DEFERRED"):
                self._pull()
                yield

    def _pull(self) -> None:
        """Read what the matrix lacks; must run inside a transaction."""
        head = store.read_head(self._db, self._path)
        if head == self._head:
            return
        if head.epoch != self._head.epoch:
            self._reset()
        people = self._rows.subjects_after(self._head.last_subject)
        samples = self._rows.vectors_after(self._head.last_sample)
        balance = self._head.balance
        for mark in (*(mark for *_, mark in people), *(sample.mark for sample in samples)):
            balance = xor(balance, mark)
        counts = (self._head.subjects + len(people), self._head.samples + len(samples), balance)
        self._rows.hold(counts == (head.subjects, head.samples, head.balance), "rows are missing or doubled")
        for number, name, _ in people:
            self._ids[name], self._names[number], self._kept[number] = number, name, {}
        for sample in samples:
            self._kept[sample.subject][sample.number] = sample.image
        if samples:
            vectors = np.frombuffer(b"".join(sample.vector for sample in samples), np.float32)
            owners = [self._names[sample.subject] for sample in samples]
            self._matrix.extend(owners, vectors.reshape(len(samples), -1))
        self._head = head

    @in_turn
    @contextmanager
    def _change(self) -> Iterator[None]:
        """Be the one writer; on leaving, all is on the disk or nothing is."""
        self.require_write()
        with plain_errors(self._path):
            with store.transaction(self._db, "IMMEDIATE"):
                self._pull()
                yield
            with store.transaction(self._db, "DEFERRED"):
                self._pull()

    @property
    def _dimension(self) -> int | None:
        return self._head.dimension

    def _view(self, where: Where | None) -> View:
        if where is None:
            return self._matrix.rows()
        chosen = [one.subject for one in self.people() if where.matches(one.subject, one.metadata, one.enrolled)]
        return self._matrix.rows(chosen)

    def _add(self, newcomers: Sequence[Newcomer]) -> int:
        with self._change():
            head = self._head
            fresh: dict[str, tuple[int, set[bytes]]] = {}  # subjects of this step: id and templates
            for one in newcomers:
                head = self._take(head, one, fresh)
            added = head.samples - self._head.samples
            if head != self._head:
                store.write_head(self._db, head)
        return added

    def _take(self, head: Head, one: Newcomer, fresh: dict[str, tuple[int, set[bytes]]]) -> Head:
        number = self._ids.get(one.name)
        if one.samples or (number is None and one.name not in fresh):
            space, dimension = check_samples(one.samples, head.space, head.dimension, self.where)
            head = replace(head, space=space, dimension=dimension)
        if one.name not in fresh:
            if number is None:
                head = self._rows.add_subject(head, one.name, one.enrolled)
                number = head.last_subject
            fresh[one.name] = number, {self._rows.vector(each) for each in self._kept.get(number, ())}
        number, known = fresh[one.name]
        if one.metadata is not None:
            head = self._rows.note(head, number, one.metadata)
        for sample in one.samples:
            vector = sample.template.vector.tobytes()
            if vector not in known:
                known.add(vector)
                head = self._rows.add_sample(head, number, sample)
        return head

    @reaching
    def _remove(self, name: str, vector: bytes | None) -> Removed:
        vectors: list[bytes] = []
        with self._change():
            subject = self._ids.get(name)
            if subject is None:
                raise self._unknown(name)
            gone: dict[int, bool] = {}
            for number, image in self._kept[subject].items():
                held = self._rows.vector(number)
                if vector is None or held == vector:
                    gone[number] = image
                    vectors.append(held)
            images = sum(gone.values())
            if gone:
                last = subject if len(gone) == len(self._kept[subject]) else None
                store.write_head(self._db, self._rows.delete(self._head, list(gone), last))
        if vectors:
            self._purge()
        return Removed(len(vectors), images, hashlib.blake2b(b"".join(vectors), digest_size=16).hexdigest())

    def _purge(self) -> None:
        """Write the file anew and empty the log, so that no byte of what was erased stays in either.

        `secure_delete` alone is not enough: balancing its tree, SQLite may leave old copies of rows in page gaps."""
        try:
            with plain_errors(self._path):
                self._db.execute("VACUUM")
                with self._change():
                    store.write_head(self._db, replace(self._head, purge=0))
                store.empty_log(self._db, self._timeout)
        except (GalleryBusy, GalleryFull) as error:
            why = "another process is using it" if isinstance(error, GalleryBusy) else "the disk is full"
            raise type(error)(
                f"What was erased is out of the gallery {self._path}, but {why}, so old bytes may be in its files.",
                "Close the gallery everywhere, make room if need be, and open it once: that clears them.",
            ) from error

    def _tidy(self) -> None:
        """Finish what a process that died, or met a busy gallery or a full disk, left to do."""
        if not self._may_write:
            return
        with suppress(GalleryBusy, GalleryFull), plain_errors(self._path):
            if self._head.purge:
                self._purge()
            elif self._seen.log:
                store.empty_log(self._db, 0.0)

    def _walk(self, walk: list[tuple[str, int]]) -> Iterator[tuple[str, Sample]]:
        # Blocks, not one open cursor: a reader in the middle of a walk would keep the log from being emptied.
        for start in range(0, len(walk), _BLOCK):
            block = walk[start : start + _BLOCK]
            with self._reading():
                found = [(name, self._rows.sample(number, self._space or "")) for name, number in block]
                for (name, sample), (_, number) in zip(found, block, strict=True):
                    still_here = number in self._kept.get(self._ids.get(name, 0), ())
                    self._rows.hold(sample is not None or not still_here, f"sample {number} is missing")
            yield from ((name, sample) for name, sample in found if sample is not None)

    def _release(self) -> None:
        self._finalizer()


def _let_go(db: sqlite3.Connection, process: int) -> None:
    """Close, unless this is a fork of the process that opened it: its locks are the parent's to drop."""
    if os.getpid() == process:
        db.close()
