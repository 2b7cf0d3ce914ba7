"""`mien enrol --from` where the photos are many: options, progress, failures, counts."""

from __future__ import annotations

import csv
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.options import gallery_at
from mien.cli.output import Output, Step
from mien.errors import CannotWrite, MienError, UsageError

if TYPE_CHECKING:
    from mien.bulk import Outcome
    from mien.bulk.items import Entry, Source

REFUSED = 65  # exit code when a picture could not be used, though the rest went in
TOLD = 20  # failures on stderr
LISTED = 1000  # failures in the JSON object; all are in the file that --failures names
FIRST, EVERY = 5.0, 30.0  # s until the first line of progress, and between two, where there is no terminal


def workers(text: str) -> int | str:
    """auto, or how many."""
    if text != "auto" and not (text.isdigit() and 1 <= int(text) <= 1024):
        raise click.BadParameter(f"'{text}' is neither auto nor a number of workers.")
    return text if text == "auto" else int(text)


@dataclass(frozen=True)
class Bulk:
    """What was said about bulk work."""

    workers: int | str | None
    ray: str | None
    journal: str | None
    retry: bool
    again: bool
    failures: str | None
    allow_remote: bool

    def wanted(self, source: str | None) -> bool:
        """Whether a journal is to be kept and workers started, rather than one person told after the other."""
        said = self.workers is not None or any((self.ray, self.journal, self.retry, self.again, self.failures))
        return source is not None and (said or source == "-" or "://" in source or Path(source).is_file())


def with_bulk(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of bulk work; the verb gets `bulk`."""

    @click.option("--workers", type=workers, metavar="N|auto", help="Processes that work (auto: one per core).")
    @click.option("--ray", metavar="ADDRESS|local", help="Work on a Ray cluster instead (needs mien[ray]).")
    @click.option("--journal", metavar="FILE", help="What is finished (default: GALLERY.bulk).")
    @click.option("--retry", is_flag=True, help="Look again at pictures that failed before.")
    @click.option("--again", is_flag=True, help="Forget the journal: whoever was erased meanwhile comes back.")
    @click.option("--failures", metavar="FILE", help="Write every failure to this CSV file.")
    @click.option("--allow-remote", is_flag=True, help="Fetch addresses that a list names.")
    @functools.wraps(function)
    def with_options(*words: Any, **options: Any) -> Any:
        names = ("workers", "ray", "journal", "retry", "again", "failures", "allow_remote")
        return function(*words, bulk=Bulk(**{name: options.pop(name) for name in names}), **options)

    return with_options


def run(gallery: str, source: str, bulk: Bulk, out: Output, **more: Any) -> int:
    """Enrol everybody in a source, tell how it goes, and give the exit code. more: keep_images, metadata, keys."""
    from mien.bulk import Options, Photos, enrol, open_source

    given = click.get_current_context().params
    models = {name: given[name] for name in ("detector", "embedder") if given.get(name)}
    plan = Photos(**models, keep_images=more["keep_images"])
    options = Options(bulk.workers or "auto", bulk.ray, bulk.journal, bulk.retry, bulk.again)  # type: ignore[arg-type]
    photos = open_source(source, bulk.allow_remote)
    if more["metadata"]:
        photos = _Noted(photos, more["metadata"])
    refused: list[tuple[str, MienError]] = []
    with (
        _failure_file(bulk.failures) as write,
        gallery_at(gallery, create=True, keys=more["keys"], out=out) as people,
        _told(out, None if source == "-" else functools.partial(open_source, source, bulk.allow_remote)) as tell,
    ):

        def failed(name: str, error: MienError) -> None:
            write(name, error)
            if len(refused) < LISTED:
                refused.append((name, error))

        outcome = enrol(people, photos, plan=plan, options=options, refused=failed, progress=tell)
    _answer(gallery, outcome, refused, bulk.failures, out)
    return REFUSED if outcome.failed else 0


def _answer(
    gallery: str, outcome: Outcome, refused: list[tuple[str, MienError]], failures: str | None, out: Output
) -> None:
    counts = {name: getattr(outcome, name) for name in ("photos", "samples", "added", "known", "before", "failed")}
    record = {"gallery": gallery, **counts, "poor": outcome.poor, "passed": outcome.passed}
    record |= {"seconds": round(outcome.seconds, 3), "rate": round(outcome.rate, 3), "workers": outcome.workers}
    record |= {"failures": out.problems(refused), "failures_left_out": outcome.failed - len(refused)}
    earlier = f", {outcome.before} finished before" if outcome.before else ""
    lines = [
        ("gallery", gallery),
        ("photos", f"{outcome.photos}: {outcome.samples} enrolled{earlier}, {outcome.failed} failed"),
        ("templates", f"{outcome.added} new, {outcome.known} that were there"),
        ("poor", f"{outcome.poor} to know somebody by; better ones would help" if outcome.poor else "none"),
        (
            "speed",
            f"{outcome.rate:.1f} photos/s by {outcome.workers} in {_long(outcome.seconds)}" if outcome.looked else "",
        ),
    ]
    out.answer(record, lines)
    out.passed(outcome.passed)
    out.failures(refused[:TOLD])
    if outcome.failed > TOLD:
        place = f"all are in {failures}" if failures else "--failures FILE lists all"
        out.warn(f"{outcome.failed - min(TOLD, len(refused))} more could not be used: {place}.")


@contextmanager
def _failure_file(path: str | None) -> Iterator[Callable[[str, MienError], None]]:
    if path is None:
        yield lambda name, error: None
        return
    try:
        with Path(path).open("w", encoding="utf8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["source", "type", "message", "remedy"])

            def write(name: str, error: MienError) -> None:
                writer.writerow([name, error.code, error.message, error.remedy])
                file.flush()

            yield write
    except OSError as error:
        if error.filename != path:
            raise
        raise CannotWrite(f"{path} cannot be written: {error.strerror}.", "Name another file.") from error


@contextmanager
def _told(out: Output, fresh: Callable[[], Source] | None) -> Iterator[Callable[[Outcome], None]]:
    """Tells how far it is: a bar on a terminal, a line now and then elsewhere. The whole is counted meanwhile."""
    if out.quiet:
        yield lambda outcome: None
        return
    count = _Count()
    if fresh is not None:
        threading.Thread(target=count.over, args=(fresh,), daemon=True).start()
    try:
        with out.progress("enrolling", None, "photos") as step:
            yield _Teller(out, step, count)
    except KeyboardInterrupt:
        out.note("The same command goes on from here.")
        raise
    finally:
        count.stopped.set()


@dataclass
class _Count:
    """How many there are; known when the source has been walked once more, beside the work."""

    total: int | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    def over(self, fresh: Callable[[], Source]) -> None:
        number = 0
        try:
            for _ in fresh().entries():
                number += 1
                if self.stopped.is_set():
                    return
        except MienError:  # the run itself comes upon it too, and tells
            return
        self.total = number


class _Teller:
    def __init__(self, out: Output, step: Step, count: _Count) -> None:
        self._out, self._step, self._count = out, step, count
        self._bar = out._bar
        self._done = 0
        self._next = time.monotonic() + FIRST

    def __call__(self, outcome: Outcome) -> None:
        self._step(outcome.photos - self._done, self._count.total)
        self._done = outcome.photos
        if self._bar is not None:
            words = f"enrolling ({outcome.failed} failed)" if outcome.failed else "enrolling"
            self._bar.update(self._bar.task_ids[0], description=words)
        elif outcome.photos and time.monotonic() >= self._next and not sys.stderr.isatty():
            self._next = time.monotonic() + EVERY
            self._out.note(self._line(outcome))

    def _line(self, outcome: Outcome) -> str:
        total, rate = self._count.total, outcome.rate
        of = f" of {total}" if total else ""
        left = f", {_long((total - outcome.photos) / rate)} left" if total and rate else ""
        return f"{outcome.photos}{of} photos, {rate:.1f}/s{left}, {outcome.failed} failed"


@dataclass
class _Noted:
    """A source whose people all get the same metadata; what a list says of one of them comes first."""

    source: Source
    metadata: Mapping[str, Any]

    @property
    def passed(self) -> int:
        return self.source.passed

    def entries(self) -> Iterator[Entry]:
        from mien.bulk.items import Item

        for entry in self.source.entries():
            if isinstance(entry, Item):
                entry = replace(entry, metadata={**self.metadata, **(entry.metadata or {})})
            yield entry


def _long(seconds: float) -> str:
    """A length of time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def no_bulk(bulk: Bulk) -> None:
    """Raise UsageError where options of bulk work are given without a source."""
    if bulk.wanted("."):
        raise UsageError("Options of bulk work need --from.", "Name a folder, a list or s3://bucket/prefix.")
