"""The engine wires the street; it holds models, never people.

    engine = mien.Engine()
    people = mien.open_gallery("people.db")
    engine.enrol(people, "ana", ["ana1.jpg", "ana2.jpg"])
    for decision in engine.identify("door.mp4", people):
        print(decision.verdict, decision.subject, *decision.reasons)

Models load on first use. One engine may be used from several threads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError, NoFace, SeveralFaces
from mien.types import Clip, Decision, Face, Frame, Reading, Sample, Template

if TYPE_CHECKING:
    from mien.decide import Policy
    from mien.protocols import Detector, Embedder, Gallery, Judge

Source = str | os.PathLike[str] | bytes | NDArray[np.uint8] | Frame
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A source that could not be used, and why."""

    source: str
    error: MienError


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of the sources given for one subject."""

    subject: str
    added: int  # templates that are new in the gallery
    known: int  # sources that were enrolled before
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...]  # in words: poor quality, looks like somebody else who is enrolled


class Engine:
    """Detector, embedder and judges behind a dozen verbs.

    detector, embedder, judges: names of model cards. threads: workers for work on many pictures (default: all cores);
    one picture uses one thread, because small networks gain nothing from more."""

    def __init__(
        self,
        detector: str = "mtcnn",
        embedder: str = "dlib_resnet",
        judges: Sequence[str] = (),
        threads: int | None = None,
    ) -> None: ...

    def detect(self, source: Source) -> Iterator[Face]:
        """Every face of a picture or video, frame by frame, largest first."""

    def clips(self, source: Source) -> Iterator[Clip]:
        """One clip per person of a picture; bounded windows per person of a video."""

    def template(self, source: Source | Clip) -> Template:
        """The template of the one person in `source`. Raises NoFace, SeveralFaces."""

    def sample(self, source: Source, *, keep_image: bool = False) -> Sample:
        """The one face of a picture as an enrolled capture. Raises NoFace, SeveralFaces."""

    def judge(self, clip: Clip) -> list[Reading]:
        """All judges' readings; a need that the clip does not meet is a reading with its reason."""

    def enrol(
        self,
        gallery: Gallery,
        subject: str,
        sources: Iterable[Source],
        *,
        keep_images: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> Enrolment:
        """Enrol one subject from pictures; what cannot be used is listed, the rest is durable on return."""

    def verify(self, one: Source, other: Source, policy: Policy | None = None) -> Decision:
        """Is it the same person?"""

    def identify(self, source: Source, gallery: Gallery, policy: Policy | None = None) -> Iterator[Decision]:
        """One decision per person seen, as soon as the person has left or the source ends."""

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R | MienError]]:
        """`function` over `items` on all threads, in order, with bounded look-ahead; an item's MienError is its result."""
