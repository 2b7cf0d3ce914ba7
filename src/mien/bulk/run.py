"""The run: a source is read as far as there is room, workers make samples, one writer commits them in the source's order."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mien.bulk.crew import PATIENCE, Crew, Inline, Processes
from mien.bulk.folders import Folder
from mien.bulk.items import Item, Problem, Source
from mien.bulk.journal import Journal, beside
from mien.bulk.lists import ListFile
from mien.bulk.makers import Made, Photos, Plan
from mien.bulk.outcome import Outcome
from mien.bulk.stores import Store, is_address
from mien.bulk.writer import Refused, Writer, height
from mien.errors import InputError, MediaNotFound, MienError, SpaceMismatch, UsageError
from mien.gallery import BaseGallery, subject_name

SMALL = 64  # pictures that are sooner done than worker processes are started
Progress = Callable[[Outcome], Any]


@dataclass(frozen=True)
class Options:
    """How a run is done."""

    workers: int | Literal["auto"] = (
        "auto"  # auto: one per core that this process may use, or per CPU of the Ray cluster
    )
    ray: str | None = None  # address of a Ray cluster, or "local"
    journal: str | os.PathLike[str] | None = None  # default: the gallery's name and .bulk
    retry: bool = False  # look again at pictures that failed before
    again: bool = False  # forget the journal: look at everything, people who were erased meanwhile included
    small: int = SMALL  # up to so many pictures no process is started
    patience: float = PATIENCE  # s until a worker is taken for hung


def open_source(where: str | os.PathLike[str], allow_remote: bool = False) -> Source:
    """A folder with a folder per person, a list (CSV, TSV, JSON lines; `-`: stdin), or s3://bucket/prefix and its kin.

    Raises MediaNotFound, UnreadableMedia, UsageError."""
    text = os.fspath(where)
    if is_address(text):
        return Store(text)
    if text != "-" and (not text or os.path.isdir(text)):  # noqa: PTH112 - an odd name is no error here
        return Folder(text)
    return ListFile(text, allow_remote)


def enrol(
    gallery: BaseGallery,
    source: Source | str | os.PathLike[str],
    *,
    plan: Plan | None = None,
    options: Options | None = None,
    refused: Refused | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Enrol everybody in `source`; the same call again goes on where this one was stopped, by whatever.

    plan: which models (default: the usual). refused: told of each failure (source, error). progress: told now and then.
    Nobody is compared with those enrolled: `mien dedupe` finds people enrolled twice.
    Raises GalleryBusy while another run is at it, UsageError, ModelError, GalleryError; what was committed stays."""
    options, plan = options or Options(), plan or Photos()
    if not hasattr(source, "entries"):
        source = open_source(source)
    where = options.journal or beside(gallery.where)
    if where is None:
        raise UsageError(f"{gallery.where} is no file that a journal could lie beside.", "Name one with --journal.")
    journal = Journal(where)
    try:
        if options.again:
            journal.clear()
        _check(gallery, journal)
        run = _Run(gallery, journal, plan, options)
        run.refused, run.progress = refused, progress
        return run.go(source)  # type: ignore[arg-type]
    finally:
        journal.close()


def _check(gallery: BaseGallery, journal: Journal) -> None:
    """Refuse a gallery that has less than its journal says."""
    told, now = journal.height, height(gallery)
    if told is not None and now is not None:
        behind = now.erasures <= told.erasures and now.samples < told.samples
    else:
        behind = not gallery.templates and journal.count("done") > 0
    if behind:
        raise UsageError(
            f"The journal {journal.path} knows more than is in {gallery.where}: that is a new gallery, or an older copy.",
            "To enrol into it whatever it lacks, add --again; nothing that it has is added twice.",
        )


@dataclass
class _Window:
    """Pictures given out and not yet written, in the source's order."""

    order: deque[tuple[int, bytes, Item]] = field(default_factory=deque)
    made: dict[int, Made] = field(default_factory=dict)
    keys: set[bytes] = field(default_factory=set)

    def finished(self) -> Iterator[tuple[bytes, Item, Made]]:
        """Those at the head whose answer is there."""
        while self.order and self.order[0][0] in self.made:
            number, key, item = self.order.popleft()
            self.keys.discard(key)
            yield key, item, self.made.pop(number)


class _Run:
    """One run's state."""

    refused: Refused | None = None
    progress: Progress | None = None

    def __init__(self, gallery: BaseGallery, journal: Journal, plan: Plan, options: Options) -> None:
        self._gallery = gallery
        self._journal = journal
        self._plan = plan
        self._options = options
        self._outcome = Outcome()
        self._window = _Window()
        self._number = 0

    def go(self, source: Source) -> Outcome:
        """All of the source. What is finished when the work is interrupted is committed first."""
        self._writer = Writer(self._gallery, self._journal, self._outcome, self.refused)
        told, now = self._journal.height, height(self._gallery)
        if told is not None and now is not None and now.erasures > told.erasures:
            self._journal.doubt(now)
        work = self._work(source)
        first = _some(work, self._options.small + 1)
        crew = self._crew(len(first))
        try:
            if first:
                self._same_space(crew)
            self._through(crew, _chained(first, work))
        except KeyboardInterrupt:
            self._write()
            self._writer.commit()
            raise
        finally:
            crew.close()
        self._writer.commit()
        self._outcome.passed = source.passed
        self._outcome.seconds = time.monotonic() - self._outcome.begun
        self._tell()
        return self._outcome

    def _through(self, crew: Crew, work: Iterator[tuple[bytes, Item]]) -> None:
        ended = False
        while True:
            while not ended and len(self._window.order) < crew.room:
                found = next(work, None)
                if found is None:
                    ended = True
                    break
                self._number += 1
                self._window.order.append((self._number, *found))
                crew.give((self._number, found[1].source))
            if not self._window.order:
                return
            self._window.made.update(crew.take())
            self._write()
            self._tell()

    def _write(self) -> None:
        for key, item, made in self._window.finished():
            self._writer.add(key, item, made)

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(self._outcome)

    def _work(self, source: Source) -> Iterator[tuple[bytes, Item]]:
        """What is left to do: (key, picture)."""
        for number, entry in enumerate(source.entries()):
            if number % 1000 == 999:
                self._tell()
            if isinstance(entry, Problem):
                self._writer.fail(entry.source, entry.error)
                continue
            try:
                item = replace(entry, subject=subject_name(entry.subject))
            except InputError as error:
                self._writer.fail(entry.source, error)
                continue
            key = self._journal.key(item)
            if key in self._window.keys:
                self._outcome.before += 1
            elif self._wanted(key, item):
                self._window.keys.add(key)
                yield key, item

    def _wanted(self, key: bytes, item: Item) -> bool:
        """Whether a picture is to be looked at; what is known of it already is counted."""
        state, template, error = self._journal.look(key, item)
        if state in ("open", "doubtful"):
            if self._writer.there(item, template):
                self._journal.settle([key], None)
                state = "done"
            elif state == "doubtful":
                told = f"{item.source} was being enrolled when the run was killed, and people were erased since."
                state, error = "failed", MienError(told, "If it is to be enrolled, add --retry.")
                self._journal.intend((), [(key, item, error)])
        if state == "done":
            self._outcome.before += 1
        if state == "failed" and not self._options.retry:
            self._writer.fail(item.source, error or MienError(f"{item.source} failed before."))
            return False
        return state != "done"

    def _crew(self, count: int) -> Crew:
        if not count:
            return _Nobody()
        if self._options.ray is not None and count > self._options.small:
            from mien.bulk.ray_crew import RayCrew

            many = RayCrew(self._plan, self._options.ray, self._options.workers)
            self._outcome.workers = many.count
            return many
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        workers = cores if self._options.workers == "auto" else self._options.workers
        if workers < 1:
            raise UsageError(f"{workers} workers cannot do anything.", "Ask for one or more.")
        self._outcome.workers = workers
        if workers == 1 or count <= self._options.small:
            chunk = -(-count // workers)
            return Inline(self._plan, min(workers, count), max(1, min(8, chunk)))
        return Processes(self._plan, workers, self._options.patience)

    def _same_space(self, crew: Crew) -> None:
        made, held = crew.space(), self._gallery.space
        if held not in (None, made):
            raise SpaceMismatch(
                f"The gallery holds templates of space {held}; the embedder makes {made}.",
                "Name the embedder the gallery was made with, or re-embed it with `mien migrate`.",
            )


class _Nobody:
    """The crew of a run that has nothing to do."""

    room = 1

    def space(self) -> str:
        """Never asked."""
        raise MediaNotFound("There is nothing to do.")

    def give(self, job: object) -> None:
        """Never called."""

    def take(self) -> list[Any]:
        """Nothing."""
        return []

    def close(self) -> None:
        """Nothing to close."""


def _some(work: Iterator[Any], count: int) -> list[Any]:
    found = []
    for one in work:
        found.append(one)
        if len(found) == count:
            break
    return found


def _chained(first: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
    yield from first
    yield from rest
