"""The verbs: what a method must offer to live on the street. Parameters go into constructors, data into methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, runtime_checkable

from mien.report import Report
from mien.types import Clip, Face, Frame, Match, OperatingPoint, Person, Reading, Sample, Template

if TYPE_CHECKING:
    from mien.where import Where


@dataclass(frozen=True, slots=True)
class Needs:
    """What a judge must be fed. The engine feeds it, or says in a reading why it cannot."""

    frames: int = 1  # faces in a clip, at least
    fps: float = 0.0  # frames per second, at least; 0: any
    audio: bool = False
    around: float = 0.0  # boxes that must be seen around a face; a video's faces then keep a second, wider crop


@runtime_checkable
class Detector(Protocol):
    """Frames to faces."""

    name: str  # card name

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        """One list of faces per frame, largest face first; an empty list where there is none."""


@runtime_checkable
class Embedder(Protocol):
    """Faces to templates, all in one space."""

    name: str  # card name
    space: str  # digest of weights + alignment + preprocessing

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        """One unit-length template per face, in order."""


@runtime_checkable
class Judge(Protocol):
    """A clip to readings."""

    name: str  # card name
    kind: str
    needs: Needs

    def judge(self, clip: Clip) -> list[Reading]:
        """Readings of this kind; a clip that is too poor gives a reading without scores and with its reason."""


@runtime_checkable
class Editor(Protocol):
    """A frame to a frame."""

    def edit(self, frame: Frame, faces: Sequence[Face]) -> Frame:
        """A new frame; the given one is left as it was."""


# What `Gallery.enrol_many` takes of each: (subject, samples), then metadata and the date of enrolment where they are known.
Enrolment = (
    tuple[str, Sequence[Sample]]
    | tuple[str, Sequence[Sample], Mapping[str, Any] | None]
    | tuple[str, Sequence[Sample], Mapping[str, Any] | None, str]
)


@runtime_checkable
class Gallery(Protocol):
    """Templates to matches. The caller cannot tell which engine it holds."""

    @property
    def space(self) -> str | None:
        """Space of the templates held; None while nothing was enrolled."""

    def enrol(self, subject: str, samples: Sequence[Sample], metadata: Mapping[str, Any] | None = None) -> int:
        """Add samples to a subject (made if new), durable on return; returns how many were new.

        Raises SpaceMismatch when a template is of another space; then nothing is added."""

    def forget(self, subject: str) -> int:
        """Erase a subject with templates, crops and metadata; returns how many samples went. Raises UnknownSubject."""

    def people(
        self, *, after: str | None = None, limit: int | None = None, containing: str | None = None
    ) -> list[Person]:
        """All subjects, by name; by pages: those behind the name `after`, at most `limit`.

        containing: only names that hold this text, in upper or lower case."""

    def person(self, subject: str) -> Person:
        """One subject. Raises UnknownSubject."""

    def samples(self, subject: str | None = None) -> Iterator[tuple[str, Sample]]:
        """(subject, sample) pairs, of one subject or of all."""

    def enrol_many(self, people: Sequence[Enrolment]) -> int:
        """`enrol` for many subjects in one durable step, all or none; returns how many templates were new.

        Each is (subject, samples), and metadata behind that where there are some."""

    def search(
        self, probe: Template, k: int = 5, *, floor: float | None = None, where: Where | None = None
    ) -> list[Match]:
        """The k best subjects, best first, ties by name; exact. Raises SpaceMismatch.

        floor: only those who score at least that. where: only those of whom it is true."""

    def search_many(
        self, probes: Sequence[Template], k: int = 5, *, floor: float | None = None, where: Where | None = None
    ) -> list[list[Match]]:
        """`search` for several probes at once, which is quicker than one after the other."""

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """Operating points measured on the people enrolled here; none until `keep_points`."""

    def keep_points(self, points: Sequence[OperatingPoint]) -> None:
        """Keep operating points measured on this gallery, in place of those kept before."""

    def count(self, where: Where | None = None) -> tuple[int, int]:
        """How many people a search compares with, and how many templates: of all, or of those of whom `where` is true."""

    @property
    def templates(self) -> int:
        """Number of templates that a search compares with."""

    def __len__(self) -> int:
        """Number of subjects."""

    def close(self) -> None:
        """Let go of files; closing twice is allowed."""


Data = TypeVar("Data", contravariant=True)


@runtime_checkable
class Audit(Protocol[Data]):
    """Data to a report. Parameters go into the constructor: what is asked, how many resamples, which seed."""

    name: ClassVar[str]  # the verb's word: `mien audit NAME`

    def run(self, data: Data) -> Report:
        """Measure. The same data and seed give the same report. Raises EvidenceError for data that can support nothing."""
