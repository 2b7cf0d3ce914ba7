"""Where pictures come from: what messages call a source, the one face wanted in it, and what became of it."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError, NoFace, SeveralFaces
from mien.types import Face, Frame

Source = str | os.PathLike[str] | bytes | NDArray[np.uint8] | Frame
T = TypeVar("T")
R = TypeVar("R")
Progress = Callable[[float, float | None], None]  # time of the frame and duration of the video, s


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
    known: int  # sources whose template was enrolled before
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...]  # in words: a poor picture, somebody enrolled who looks the same


def told(frames: Iterable[Frame], duration: float | None, progress: Progress | None) -> Iterator[Frame]:
    """`frames`, with `progress` called at each."""
    for frame in frames:
        yield frame
        if progress is not None:
            progress(frame.time, duration)


def the_one(faces: Sequence[Face], name: str) -> Face:
    """The face that is alone in `faces`. Raises NoFace, SeveralFaces."""
    if not faces:
        raise NoFace(f"No face was found in {name}.", "Give a picture that shows the face larger, sharper or brighter.")
    if len(faces) > 1:
        raise SeveralFaces(f"{len(faces)} faces were found in {name}, and one is wanted.", "Cut out the face you mean.")
    return faces[0]


def called(source: Source) -> str:
    """What a message calls a source."""
    if isinstance(source, Frame):
        return source.source or "the given frame"
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the given picture"


def ahead(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[tuple[T, R | MienError]]:
    """`function` over `items` on so many threads, in order, looking a few items ahead; a MienError is a result."""
    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[T, Future[R | MienError]]] = deque()
        try:
            for item in islice(rest, 2 * threads):
                waiting.append((item, pool.submit(or_error, function, item)))
            while waiting:
                item, future = waiting.popleft()
                result = future.result()
                for following in islice(rest, 1):
                    waiting.append((following, pool.submit(or_error, function, following)))
                yield item, result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def or_error(function: Callable[..., R], *given: Any) -> R | MienError:
    """What `function` gives, or the MienError that it raises."""
    try:
        return function(*given)
    except MienError as error:
        return error
