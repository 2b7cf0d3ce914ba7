"""Pictures to samples, some together: what every worker does, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from mien.bulk.stores import fetch, is_address
from mien.errors import MienError, UnreadableMedia
from mien.media.door import shown
from mien.types import Sample

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.types import Frame

Job = tuple[int, str]  # number, source
Made = Sample | MienError
Results = list[tuple[int, Made]]
Mark = Callable[[int | None], None]  # told which job is being looked at (None: all so far), in case it ends the process

CHUNK = 8  # pictures embedded together: 1.10 of the speed of one by one, and more gains nothing
_PIXELS = 32_000_000  # that wait for the others of a chunk; 96 MB


class Maker(Protocol):
    """Makes samples; kept by one worker, with its models."""

    space: str  # of the templates made

    def make(self, jobs: Sequence[Job], mark: Mark) -> Results:
        """A sample, or why there is none, for each job; in any order."""


class Plan(Protocol):
    """What travels to a worker, and becomes a maker there."""

    def load(self) -> Maker:
        """Load models. Raises ModelError."""


@dataclass(frozen=True)
class Photos:
    """Faces of photos, by the models of these cards."""

    detector: str = "mtcnn"
    embedder: str = "dlib_resnet"
    keep_images: bool = False

    def load(self) -> Maker:
        """An engine with its models loaded."""
        from mien.engine import Engine

        return EngineMaker(Engine(self.detector, self.embedder, threads=1), self.keep_images)


class EngineMaker:
    """`Engine.samples`, where nothing that a picture can do ends the work."""

    def __init__(self, engine: Engine, keep_images: bool = False) -> None:
        self._engine = engine
        self._keep = keep_images
        self.space = engine.embedder.space
        _ = engine.detector, engine.judges  # a model that is missing is no fault of a picture

    def make(self, jobs: Sequence[Job], mark: Mark) -> Results:
        """Decode all, then detect and embed them together, unless they are so large that they would fill the memory."""
        done: Results = []
        waiting: list[tuple[int, Frame]] = []
        for number, source in jobs:
            mark(number)
            failure = Failure(source)
            with failure:
                waiting.append((number, read(source)))
            if failure.error is not None:
                done.append((number, failure.error))
            if sum(frame.width * frame.height for _, frame in waiting) > _PIXELS:
                done += self._embedded(waiting, mark)
                waiting = []
        return done + self._embedded(waiting, mark)

    def _embedded(self, waiting: Sequence[tuple[int, Frame]], mark: Mark) -> Results:
        mark(None)
        failure = Failure("a picture")
        with failure:
            made = self._engine.samples([frame for _, frame in waiting], keep_images=self._keep)
            return [(number, one) for (number, _), one in zip(waiting, made, strict=True)]
        if len(waiting) == 1:
            return [(waiting[0][0], Failure.told(waiting[0][1].source, failure.cause))]
        singly: Results = []  # whichever it was
        for one in waiting:
            singly += self._embedded([one], mark)
        return singly


def read(source: str) -> Frame:
    """The picture of a path or an address, under its name. Raises MediaNotFound, UnreadableMedia."""
    from mien.media.image import read_image

    if Path(source).is_absolute() or not is_address(source):
        return read_image(source)
    data = fetch(source)
    try:
        return replace(read_image(data), source=source)
    except MienError as error:
        raise type(error)(error.message.replace("The given data", shown(source)), error.remedy) from error


class Failure:
    """A block in which whatever goes wrong with one picture, foreseen or not, is kept to be told of that picture.

    A million pictures hold some that trip a decoder up in a way nobody thought of; the others must not wait for that."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.error: MienError | None = None
        self.cause: Exception | None = None

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.cause, self.error = error, self.told(self._source, error)
        return True

    @staticmethod
    def told(source: str, error: Exception | None) -> MienError:
        """The failure in words."""
        if isinstance(error, MienError):
            return error
        words = " ".join(str(error).split())[:160].rstrip(".")
        told = f"{shown(source)} cannot be used: {type(error).__name__}: {words}."
        return UnreadableMedia(told, "Save it anew with a picture editor; tell us if that does not help.")
