"""A durable gallery: SQLite keeps the rows in one file, which is the record; templates or their codes in memory answer.

A small gallery is read and checked as a whole when it is opened. In a large one the codes of what was enrolled earlier stand
beside the file (`segments`); they are derived from it, and only what came later is read. Whoever is named is named by the
sealed row in the file, whatever the codes said."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryFull, GalleryNotFound
from mien.gallery import store
from mien.gallery.base import BaseGallery, Newcomer, Removed, View
from mien.gallery.contents import Contents
from mien.gallery.filed import Filed, Moved
from mien.gallery.listing import Page
from mien.gallery.matrix import Fusion, check_samples
from mien.gallery.moving.beside import in_turn, reaching
from mien.gallery.names import subject_name
from mien.gallery.scan import encode
from mien.gallery.schema import bring_up_to_date
from mien.gallery.store import Head, plain_errors
from mien.types import Match, Person, Sample, Template

if TYPE_CHECKING:
    from mien.where import Where

_BLOCK = 64  # samples read from the file at a time, crops with them
_REWRITTEN = 64 << 20  # bytes; a smaller file is written anew at every erasure
_LOOKS = 5  # searches begun anew because somebody was erased meanwhile


class EmbeddedGallery(BaseGallery):
    """A gallery in one file, such as people.db, for any number of reading processes and one writing at a time.

    An enrol that returned is on the disk (write-ahead log, synced). A search sees what other processes enrolled before
    it began. While the gallery is open, people.db-wal and people.db-shm are beside it; the last to close removes them.
    From `FIRST` templates on, people.db-codes is beside it too; it may be lost or left out of a copy, and is made again.
    timeout: s to wait for another process that is writing, before GalleryBusy."""

    FIRST = 25_000  # templates kept in memory as they are: fewer are opened in no time, and searched without the file
    SEGMENT = 8_192  # the same, of those that come later: as many at a time have their codes go into a segment

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
        self._path, self._read_only, self._timeout = Path(path).absolute(), read_only, timeout
        if not store.present(self._path):
            if read_only or not create:
                raise GalleryNotFound(
                    f"There is no gallery at {self._path}.", "Enrol somebody to make one, or check the path."
                )
            store.create(self._path)
        self._connect()
        self._reset()
        self._refresh()
        self._tidy()

    def samples(self, subject: str | None = None) -> Iterator[tuple[str, Sample]]:
        name = None if subject is None else subject_name(subject)
        with self._reading():
            if name is None:
                return self._walk(self._held.roster.walk())
            number = self._held.roster.find(name)
            if number is None:
                raise self._unknown(name)
            return self._walk([(name, sample) for sample in self._held.roster.kept(number)])

    def verify(self) -> list[str]:
        faults: list[str] = []
        try:
            with self._lock, plain_errors(self._path):
                self._refresh()
                faults += self._held.rows.faults()
                self._reset()  # so that every row is read again
                self.people()
                with self._reading():
                    faults += self._held.shelf.faults()
                walk = self._held.roster.walk()
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
            return self._held.head

    def replace_with(self, path: Path, seen: Head) -> None:
        """Take over all people of the closed gallery file at `path` in one transaction: readers see the old or the new.

        Raises GalleryBusy when anything was changed here since `revision` gave `seen`."""
        with self._lock:
            self._usable()
            with plain_errors(self._path):
                self._db.execute("ATTACH ? AS other", (str(path),))
                try:
                    with self._change():
                        if self._held.head != seen:
                            raise GalleryBusy(f"The gallery {self._path} was changed meanwhile.", "Run the same again.")
                        self._held.rows.adopt("other")
                        head = store.read_head(self._db, self._path)
                        store.write_head(self._db, replace(head, epoch=seen.epoch + 1, purge=1))
                finally:
                    self._db.execute("DETACH other")
            self._purge()

    @property
    def _space(self) -> str | None:
        return self._held.head.space

    @property
    def _points(self) -> str:
        return self._held.head.points

    def _keep(self, points: str) -> None:
        with self._change():
            store.write_head(self._db, replace(self._held.head, points=points))

    def _reset(self) -> None:
        self._held, self._version = Contents(self._db, self._path, self._fusion), -1

    def _connect(self) -> None:
        self._seen = store.footprint(self._path)
        self._db, self._frozen = store.open_file(self._path, self._timeout, self._read_only)
        self._may_write = not self._read_only and store.writable(self._path)
        self._finalizer = weakref.finalize(self, _let_go, self._db, self._process)

    def _refresh(self) -> None:
        self._usable()
        # A frozen connection does not look at the file again by itself; a replaced file has another inode.
        replaced = store.look(self._path).st_ino != self._seen.inode
        if replaced or (self._frozen and store.footprint(self._path) != self._seen):
            self._finalizer()
            self._connect()
            self._reset()
        with plain_errors(self._path):
            version = self._db.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                with store.transaction(self._db, "DEFERRED"):
                    self._held.pull()
                self._version = version

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Hold still one state of the file, with the matrix at that state."""
        with self._lock, plain_errors(self._path):
            self._refresh()
            with store.transaction(self._db, "DEFERRED"):
                self._held.pull()
                yield

    @in_turn
    @contextmanager
    def _change(self) -> Iterator[None]:
        """Be the one writer; on leaving, all is on the disk or nothing is."""
        self.require_write()
        before, done = self._held.shelf.covered, False
        try:
            with plain_errors(self._path):
                with store.transaction(self._db, "IMMEDIATE"):
                    bring_up_to_date(self._db)
                    self._held.pull()
                    yield
                self._held.shelf.settle()
                with store.transaction(self._db, "DEFERRED"):
                    self._held.pull()
            done = True
        finally:
            if not done and self._held.shelf.covered is not before:
                self._reset()  # what was done to the segments in memory is not what the file says

    def _counts(self) -> tuple[int, int]:
        return self._held.head.subjects, self._held.head.samples

    def _counts_among(self, where: Where) -> tuple[int, int]:
        with self._reading():
            chosen = self._held.rows.chosen(where)
            return len(chosen), len(self._held.roster.samples_of(chosen))

    def _has(self, name: str) -> bool:
        with self._reading():
            return self._held.roster.find(name) is not None

    def _listed(self, page: Page) -> list[Person]:
        with self._reading():
            return self._held.everybody() if page.whole else self._held.people(self._held.roster.page(page))

    def _person(self, name: str) -> Person | None:
        with self._reading():
            number = self._held.roster.find(name)
            return None if number is None else self._held.people([number])[0]

    @property
    def _dimension(self) -> int | None:
        return self._held.head.dimension

    def search_many(
        self, probes: Sequence[Template], k: int = 5, *, floor: float | None = None, where: Where | None = None
    ) -> list[list[Match]]:
        for _ in range(_LOOKS):
            with suppress(Moved):
                return super().search_many(probes, k, floor=floor, where=where)
        with self._lock:  # holds this process's threads off
            for _ in range(_LOOKS):
                with suppress(Moved):
                    return super().search_many(probes, k, floor=floor, where=where)
        raise GalleryBusy(f"People are erased from {self._path} all the time.", "Try again in a moment.")

    def _view(self, where: Where | None) -> View:
        if not self._held.shelf.segments:
            if where is None:
                return self._held.matrix.rows()
            with self._reading():
                chosen = self._held.rows.chosen(where)
            return self._held.matrix.rows(name for _, name in chosen)
        with nullcontext() if where is None else self._reading():  # all is known already but whom a filter chooses
            held, epoch = self._held, self._held.head.epoch
            reach = (partial(self._fetch, epoch), partial(self._named, epoch))
            view = Filed(tuple(held.shelf.segments), held.matrix.rows(), held.owners, *reach)
            return view if where is None else view.among(held.later, held.roster.samples_of(held.rows.chosen(where)))

    def _fetch(self, epoch: int, numbers: Sequence[int]) -> tuple[list[int], list[bytes]]:
        """Owners and templates of samples, from their sealed rows. Raises Moved when something was erased meanwhile."""
        with self._still(epoch):
            found = list(self._held.rows.templates(numbers))
            return [subject for subject, _ in found], [vector for _, vector in found]

    def _named(self, epoch: int, subjects: Sequence[int]) -> list[str]:
        with self._still(epoch):
            return [self._held.roster.name(subject) for subject in subjects]

    @contextmanager
    def _still(self, epoch: int) -> Iterator[None]:
        with self._reading():
            if self._held.head.epoch != epoch:
                raise Moved
            yield

    def _add(self, newcomers: Sequence[Newcomer]) -> int:
        with self._change():
            head = self._held.head
            for one in newcomers:
                head = self._take(head, one)
            added = head.samples - self._held.head.samples
            if head != self._held.head:
                store.write_head(self._db, head)
        self._cover()
        return added

    def _take(self, head: Head, one: Newcomer) -> Head:
        number = self._held.roster.find(one.name)
        if one.samples or number is None:
            space, dimension = check_samples(one.samples, head.space, head.dimension, self.where)
            if head.space is None:
                head = replace(head, space=space, dimension=dimension)
        known: set[bytes] = set()
        if number is None:
            head = self._held.rows.add_subject(head, one.name, one.enrolled)
            number = head.last_subject
        elif one.samples:
            known = {self._held.rows.vector(each) for each in self._held.roster.kept(number)}
        if one.metadata is not None:
            head = self._held.rows.note(head, number, one.metadata)
        for sample in one.samples:
            vector = sample.template.vector.tobytes()
            if vector not in known:
                known.add(vector)
                head = self._held.rows.add_sample(head, number, sample)
        return head

    @reaching
    def _remove(self, name: str, vector: bytes | None) -> Removed:
        vectors: list[bytes] = []
        traces: list[bytes] = []
        with self._change():
            subject = self._held.roster.find(name)
            if subject is None:
                raise self._unknown(name)
            gone: dict[int, bool] = {}
            kept = self._held.roster.kept(subject)
            for number, image in kept.items():
                held = self._held.rows.vector(number)
                if vector is None or held == vector:
                    gone[number] = image
                    vectors.append(held)
                    traces += self._held.rows.traces(number)
            images = sum(gone.values())
            if gone:
                last = subject if len(gone) == len(kept) else None
                traces += [] if last is None else self._held.rows.traces_of(last)
                store.write_head(self._db, self._held.rows.delete(self._held.head, list(gone), last))
        if vectors:
            self._purge(list(gone), traces)
        return Removed(len(vectors), images, hashlib.blake2b(b"".join(vectors), digest_size=16).hexdigest())

    def _purge(self, gone: Sequence[int] | None = None, traces: Sequence[bytes] = ()) -> None:
        """Leave no byte of samples that were erased in the file, in the log or in the codes.

        SQLite zeroes what it deletes, but balancing its tree earlier it may have left copies of rows in page gaps. So the file
        is written anew; where that would take long, only if it still holds one of the `traces`."""
        try:
            with plain_errors(self._path):
                store.empty_log(self._db, self._timeout)
                if gone is None or self._path.stat().st_size < _REWRITTEN or store.holds(self._path, traces):
                    self._db.execute("VACUUM")
                with self._change():
                    self._held.shelf.wipe(gone)
                    store.write_head(self._db, replace(self._held.head, purge=0))
                store.empty_log(self._db, self._timeout)
        except (GalleryBusy, GalleryFull) as error:
            why = "another process is using it" if isinstance(error, GalleryBusy) else "the disk is full"
            raise type(error)(
                f"What was erased is out of the gallery {self._path}, but {why}, so old bytes may be in its files.",
                "Close the gallery everywhere, make room if need be, and open it once: that clears them.",
            ) from error

    def _cover(self) -> None:
        """Put the codes of what is in memory into a segment, once that is much. They are derived: a failure loses nothing."""
        if not self._much() or self._fusion != "max":
            return
        with suppress(GalleryBusy, GalleryFull, OSError), self._change():
            if not self._much():
                return  # another process was faster
            rows = self._held.matrix.rows()
            self._held.shelf.cover(self._held.later, rows.codes or encode(rows.vectors), self._held.head)
            self._nudge()

    def _much(self) -> bool:
        return len(self._held.later) >= (self.SEGMENT if self._held.shelf.segments else self.FIRST)

    def _nudge(self) -> None:
        """Make others look again, though nobody came or went."""
        store.write_head(self._db, replace(self._held.head, edits=self._held.head.edits + 1))

    def _tidy(self) -> None:
        """Finish what a process that died, or met a busy gallery or a full disk, left to do."""
        if not self._may_write:
            return
        with suppress(GalleryBusy, GalleryFull, OSError), plain_errors(self._path):
            if self._held.head.purge:
                self._purge()
            elif self._seen.log:
                store.empty_log(self._db, 0.0)
            if self._held.shelf.lost:
                with self._change():
                    self._held.shelf.mend()
                    self._nudge()
            self._cover()

    def _walk(self, walk: list[tuple[str, int]]) -> Iterator[tuple[str, Sample]]:
        # Blocks, not one open cursor: a reader in the middle of a walk would keep the log from being emptied.
        for start in range(0, len(walk), _BLOCK):
            block = walk[start : start + _BLOCK]
            with self._reading():
                found = self._held.samples(block)
            yield from found

    def _release(self) -> None:
        self._held = Contents(self._db, self._path, self._fusion)
        self._finalizer()


def _let_go(db: sqlite3.Connection, process: int) -> None:
    """Close, unless this is a fork of the process that opened it: its locks are the parent's to drop."""
    if os.getpid() == process:
        db.close()
