"""What every engine shares: the checks, the lock, the search. An engine only says how rows are kept."""

from __future__ import annotations

import json
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from mien.errors import InputError, UnknownSubject, UsageError
from mien.gallery.crops import check_face
from mien.gallery.listing import Page
from mien.gallery.matrix import Fusion, check_template
from mien.gallery.names import metadata_text, subject_name
from mien.protocols import Enrolment
from mien.types import F32, Match, OperatingPoint, Person, Sample, Template

if TYPE_CHECKING:
    from mien.where import Where


_COPIED = 256  # people written to a copy at a time


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure took away. It names the subject, so whoever keeps it keeps that."""

    subject: str
    samples: int  # templates erased
    images: int  # crops erased
    when: str  # ISO 8601 UTC
    digest: str  # BLAKE2b over the erased templates in the order they were enrolled, hex


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to enrol, checked already."""

    name: str
    samples: Sequence[Sample]
    metadata: str | None  # JSON; None leaves what was there
    enrolled: str

    def joined(self, other: Newcomer) -> Newcomer:
        """One newcomer of two of the same name."""
        metadata = self.metadata if other.metadata is None else other.metadata
        return Newcomer(self.name, [*self.samples, *other.samples], metadata, self.enrolled)


def _newcomer(
    subject: str, samples: Sequence[Sample], metadata: Mapping[str, Any] | None = None, enrolled: str = ""
) -> Newcomer:
    name, text = subject_name(subject), None if metadata is None else metadata_text(metadata)
    for sample in samples:
        if sample.face is not None:
            check_face(sample.face)
    return Newcomer(name, list(samples), text, enrolled or now())


class View(Protocol):
    """The templates of a gallery as they are at one moment, or those of some of its subjects."""

    def search(self, probes: F32, k: int, floor: float | None) -> list[list[Match]]:
        """For each of the (q, D) unit vectors the k best subjects that score at least `floor`."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What an engine's `_remove` took out."""

    samples: int
    images: int
    digest: str


def now() -> str:
    """The time, ISO 8601 UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class BaseGallery(ABC):
    """A gallery of any engine (see `mien.protocols.Gallery`). Threads may share one object.

    where: what messages call it. fusion: how a subject's templates make one score, "max" or "mean" (see `Matrix`).
    """

    def __init__(self, where: str, fusion: Fusion = "max") -> None:
        self.where = where
        self._fusion: Fusion = fusion
        self._lock = threading.RLock()
        self._closed = False
        self._process = os.getpid()

    def enrol(
        self, subject: str, samples: Sequence[Sample], metadata: Mapping[str, Any] | None = None, *, enrolled: str = ""
    ) -> int:
        """Add samples to a subject (made if new), all or none, durable on return; returns how many were new.

        A template that the subject already has, byte for byte, is not added again. Metadata that is given replaces
        what was there; None leaves it. `enrolled` (ISO 8601 UTC) is for moving people here with the date they have.
        Raises BadSubject, InputError, SpaceMismatch, GalleryReadOnly, GalleryBusy, GalleryFull; then nothing was added.
        """
        return self.enrol_many([(subject, samples, metadata, enrolled)])

    def enrol_many(self, people: Sequence[Enrolment]) -> int:
        """`enrol` for many subjects in one durable step, all or none; returns how many templates were new.

        Each is what `enrol` takes: (subject, samples), then metadata and the date where they are known. A subject may come
        up several times; of metadata the last given counts, of dates the first. Raises what `enrol` raises; then nobody
        was added."""
        together: dict[str, Newcomer] = {}
        for each in people:
            one = _newcomer(*each)
            before = together.get(one.name)
            together[one.name] = one if before is None else before.joined(one)
        with self._lock:
            self._refresh()
            return self._add(list(together.values())) if together else 0

    def forget(self, subject: str) -> int:
        """Erase a subject with templates, crops and metadata; returns how many samples went. Raises UnknownSubject."""
        return self.erase(subject).samples

    def erase(self, subject: str) -> Receipt:
        """`forget`, with a receipt."""
        name = subject_name(subject)
        with self._lock:
            self._refresh()
            removed = self._remove(name, None)
        return Receipt(name, removed.samples, removed.images, now(), removed.digest)

    def forget_sample(self, subject: str, template: Template) -> bool:
        """Erase one sample of a subject, found by its template's bytes; with the last one the subject goes too.

        Returns whether the subject had it. Raises UnknownSubject."""
        name = subject_name(subject)
        with self._lock:
            self._refresh()
            check_template(template, self._space, self._dimension, self.where)
            return self._remove(name, template.vector.tobytes()).samples > 0

    def people(
        self, *, after: str | None = None, limit: int | None = None, containing: str | None = None
    ) -> list[Person]:
        """All subjects, by name; by pages: those behind the name `after` (enrolled or not), at most `limit`.

        containing: only names that hold this text, in upper or lower case. Raises BadSubject for an `after` that can be
        no name, UsageError for a limit below 1."""
        page = Page.of(after, limit, containing)
        with self._lock:
            self._refresh()
            return self._listed(page)

    def person(self, subject: str) -> Person:
        """One subject, as `people` lists it. Raises UnknownSubject."""
        name = subject_name(subject)
        with self._lock:
            self._refresh()
            found = self._person(name)
        if found is None:
            raise self._unknown(name)
        return found

    def search(
        self, probe: Template, k: int = 5, *, floor: float | None = None, where: Where | None = None
    ) -> list[Match]:
        """The k best subjects (fewer where fewer are enrolled), best first, ties by name; exact.

        floor: only those who score at least that, which is quicker. where: only those of whom it is true.
        Raises SpaceMismatch, InputError for a probe that is no unit vector, UsageError for k < 1.
        """
        return self.search_many([probe], k, floor=floor, where=where)[0]

    def search_many(
        self, probes: Sequence[Template], k: int = 5, *, floor: float | None = None, where: Where | None = None
    ) -> list[list[Match]]:
        """`search` for several probes at once, in their order, which is quicker than one after the other."""
        if k < 1:
            raise UsageError(f"{k} matches were asked for.", "Ask for at least one.")
        if floor is not None and not -1.0 <= floor <= 1.0:  # NaN fails too
            raise UsageError(f"{floor} is no score to ask for.", "Give one from -1 to 1.")
        if not probes:
            return []
        with self._lock:
            self._refresh()
            for probe in probes:
                check_template(probe, self._space, self._dimension, self.where)
            view = self._view(where)
        if len(probes) == 1:
            return view.search(probes[0].vector[None], k, floor)
        lengths = {probe.vector.size for probe in probes}
        if len(lengths) > 1:
            raise InputError("The probes have different lengths.", "Make all of them with one embedder.")
        return view.search(np.stack([probe.vector for probe in probes]), k, floor)

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """Operating points measured on the people enrolled here; none until `keep_points`."""
        with self._lock:
            self._refresh()
            return tuple(OperatingPoint(**point) for point in json.loads(self._points))

    def keep_points(self, points: Sequence[OperatingPoint]) -> None:
        """Keep operating points measured on this gallery, in place of those kept before; () drops them.

        Raises GalleryReadOnly, GalleryBusy, GalleryFull."""
        with self._lock:
            self._refresh()
            self._keep(json.dumps([asdict(point) for point in points], allow_nan=False))

    @property
    def templates(self) -> int:
        """Number of templates that a search compares with."""
        with self._lock:
            self._refresh()
            return self._counts()[1]

    def count(self, where: Where | None = None) -> tuple[int, int]:
        """How many people a search compares with, and how many templates: of all, or of those of whom `where` is true."""
        with self._lock:
            self._refresh()
            return self._counts() if where is None else self._counts_among(where)

    def _counts_among(self, where: Where) -> tuple[int, int]:
        found = [one.samples for one in self.people() if where.matches(one.subject, one.metadata, one.enrolled)]
        return len(found), sum(found)

    @property
    def space(self) -> str | None:
        """Space of the templates held; None while nothing was enrolled."""
        with self._lock:
            self._refresh()
            return self._space

    def __len__(self) -> int:
        with self._lock:
            self._refresh()
            return self._counts()[0]

    def __bool__(self) -> bool:
        return True  # an empty gallery is still a gallery: `gallery or other` must not pass over it

    def __contains__(self, subject: str) -> bool:
        name = subject_name(subject)
        with self._lock:
            self._refresh()
            return self._has(name)

    def close(self) -> None:
        """Let go of files; closing twice is allowed, any other use afterwards raises UsageError."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.where!r})"

    @abstractmethod
    def samples(self, subject: str | None = None) -> Iterator[tuple[str, Sample]]:
        """(subject, sample) pairs, of one subject or of all, by name and then in the order they were enrolled.

        Raises UnknownSubject at once, not at the first step. People enrolled during the walk may be missed."""

    @abstractmethod
    def verify(self) -> list[str]:
        """Check everything that is kept, crops too; one sentence per fault, none when all is well."""

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Write a copy to a new embedded gallery at `path`. Raises UsageError when something is there already."""
        from mien.gallery.embedded import EmbeddedGallery
        from mien.gallery.store import appear

        with self._lock, appear(path) as fresh, EmbeddedGallery(fresh) as target:
            everybody = self.people()
            for start in range(0, len(everybody), _COPIED):
                part = everybody[start : start + _COPIED]
                target.enrol_many(
                    [
                        (one.subject, [sample for _, sample in self.samples(one.subject)], one.metadata, one.enrolled)
                        for one in part
                    ]
                )

    @property
    @abstractmethod
    def _space(self) -> str | None: ...

    @property
    @abstractmethod
    def _dimension(self) -> int | None: ...

    @property
    @abstractmethod
    def _points(self) -> str: ...

    @abstractmethod
    def _keep(self, points: str) -> None: ...

    @abstractmethod
    def _refresh(self) -> None:
        """Refuse when closed, and bring the matrix up to date with what is stored."""

    @abstractmethod
    def _counts(self) -> tuple[int, int]:
        """Number of subjects and of their templates."""

    @abstractmethod
    def _has(self, name: str) -> bool: ...

    @abstractmethod
    def _listed(self, page: Page) -> list[Person]:
        """The subjects that a listing wants, by name."""

    @abstractmethod
    def _person(self, name: str) -> Person | None: ...

    @abstractmethod
    def _view(self, where: Where | None) -> View:
        """What a search looks at, of everybody or of those of whom `where` is true. Called under the lock."""

    @abstractmethod
    def _add(self, newcomers: Sequence[Newcomer]) -> int: ...

    @abstractmethod
    def _remove(self, name: str, vector: bytes | None) -> Removed:
        """Take out a subject, or the one sample with these bytes. Raises UnknownSubject."""

    @abstractmethod
    def _release(self) -> None: ...

    def _usable(self) -> None:
        if self._closed:
            raise UsageError(f"The gallery {self.where} is closed.", "Open it again.")
        if os.getpid() != self._process:
            raise UsageError(
                f"The gallery {self.where} was opened before this process was forked.", "Open it in each process."
            )

    def _unknown(self, name: str) -> UnknownSubject:
        return UnknownSubject(f"Nobody called {name!r} is enrolled in {self.where}.", "See who is with `mien people`.")
