"""Rendered clips in memory, for recipes that learn from known causes. Nothing touches the disk unless a cache is asked for.

made = clips("ambiguous", subjects=20, frames=16, size=64, seed=0)
made.pixels (n, 16, 64, 64, 3), made.soft (n, classes), made.subjects
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import UsageError
from mien.learn.synth import sinks, workers
from mien.learn.synth.manifest import Wanted
from mien.learn.synth.produce import Job, Maker, Renderer, cast, film, jobs, moments
from mien.learn.synth.program import Program, load_program
from mien.learn.synth.script import unit_names
from mien.types import F32, U8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    I64 = NDArray[np.int64]
else:
    I64 = np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Pixels and the truth behind them; n clips, k classes, u units. All of it is synthetic."""

    pixels: U8  # (n, frames, size, size, 3) RGB
    truth: I64  # (n,) class that is shown
    written: I64  # (n,) class that the label says; differs where the label is noise
    soft: F32  # (n, k) shares of the classes that are shown, sum to 1
    units: F32  # (n, frames, u, 2) strengths on the subject's left and right, 0..1
    pulse: F32  # (n, frames) blood volume against its mean
    spans: I64  # (n, 3) frames of onset, apex, offset of the first expression; -1 where nothing is expressed
    labels: tuple[str, ...]  # k
    unit_names: tuple[str, ...]  # u
    subjects: tuple[str, ...]  # n
    names: tuple[str, ...]  # n
    groups: tuple[Mapping[str, str], ...]  # n

    @property
    def noisy(self) -> NDArray[np.bool_]:
        """(n,) whether the written label is not the true one."""
        return np.asarray(self.truth != self.written)

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, slots=True)
class More:
    """What is seldom asked for."""

    repeats: int = 1
    groups: Mapping[str, int] = field(default_factory=dict)  # controlled variable -> levels
    cache: Path | None = None  # folder that keeps what was made, as .npz
    threads: int = 1  # processes; more than one only where the calling script has a `__main__` guard
    make: Maker | None = None  # what renders; None: the face model of the registry


def clips(
    program: str | Path | Program,
    subjects: int = 20,
    frames: int = 16,
    size: int = 64,
    seed: int = 0,
    more: More | None = None,
) -> Clips:
    """Clips of every subject and expression, `frames` of them spread evenly over the program's seconds.

    frames=1 gives stills at the apex. Raises UsageError, InputError, ModelUnavailable."""
    from mien.learn.synth.maker import face_maker

    if min(subjects, frames, size) < 1:
        raise UsageError("Clips need at least 1 subject, 1 frame and 1 px.", "Ask for more.")
    rest, what = more or More(), load_program(program)
    make: Maker = rest.make or face_maker()
    wanted = Wanted(
        what,
        subjects,
        kind="stills" if frames == 1 else "clips",
        size=size,
        fps=frames / what.seconds,
        seed=seed,
        repeats=rest.repeats,
        groups=rest.groups,
    )
    at = rest.cache / f"clips-{_key(wanted, make.digest)}.npz" if rest.cache else None
    if at and (found := _kept(at)):
        return found
    every = jobs(wanted)
    made = _gather(wanted, every, list(_rendered(wanted, every, make, rest.threads)))
    if at:
        _keep(made, at)
    return made


_Row = tuple[U8, F32, F32]  # pixels, units, pulse of one clip


def _rendered(wanted: Wanted, every: Sequence[Job], make: Maker, threads: int) -> Iterator[_Row]:
    if threads <= 1:
        engine = make()
        yield from (_row(engine, wanted, job) for job in every)
        return
    with workers.pool(min(threads, len(every)), _start, (make, wanted)) as pool:
        yield from pool.map(_work, every)


_here: dict[str, tuple[Renderer, Wanted]] = {}  # of a worker process


def _start(make: Maker, wanted: Wanted) -> None:
    workers.settle()
    _here["all"] = make(), wanted


def _work(job: Job) -> _Row:
    engine, wanted = _here["all"]
    return _row(engine, wanted, job)


def _row(engine: Renderer, wanted: Wanted, job: Job) -> _Row:
    person, take = cast(wanted, job)
    names = unit_names()
    shots = list(film(engine, person, take, moments(wanted, take), wanted.size))
    units = np.array([[truth.units.get(name, (0.0, 0.0)) for name in names] for truth, _ in shots], np.float32)
    pulse = np.array([truth.pulse for truth, _ in shots], np.float32)
    return np.stack([shot.pixels for _, shot in shots]), units, pulse


def _gather(wanted: Wanted, every: Sequence[Job], rows: Sequence[_Row]) -> Clips:
    labels = wanted.program.labels
    cast_of = [cast(wanted, job) for job in every]
    takes = [take for _, take in cast_of]
    count = rows[0][0].shape[0]
    spans = [
        take.intervals[0].frames(wanted.fps, count) if take.intervals and count > 1 else (-1, -1, -1) for take in takes
    ]
    return Clips(
        pixels=np.stack([row[0] for row in rows]),
        truth=np.array([labels.index(take.true) for take in takes], np.int64),
        written=np.array([labels.index(take.label) for take in takes], np.int64),
        soft=np.array([[take.soft.get(label, 0.0) for label in labels] for take in takes], np.float32),
        units=np.stack([row[1] for row in rows]),
        pulse=np.stack([row[2] for row in rows]),
        spans=np.array(spans, np.int64),
        labels=labels,
        unit_names=unit_names(),
        subjects=tuple(person.name for person, _ in cast_of),
        names=tuple(job.name for job in every),
        groups=tuple(dict(person.group) for person, _ in cast_of),
    )


_ARRAYS = ("pixels", "truth", "written", "soft", "units", "pulse", "spans")
_WORDS = ("labels", "unit_names", "subjects", "names", "groups")


def _keep(made: Clips, at: Path) -> None:
    words = json.dumps({name: getattr(made, name) for name in _WORDS})
    arrays: dict[str, Any] = {name: getattr(made, name) for name in _ARRAYS}
    with sinks.whole(at) as part, part.open("wb") as stream:
        np.savez(stream, words=np.array(words), **arrays)


def _kept(at: Path) -> Clips | None:
    """What a cache holds; None where it is not there or damaged, and is made again."""
    try:
        with at.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            words = json.loads(str(held["words"]))
            arrays = {name: held[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    kept: dict[str, Any] = {**arrays, **{name: tuple(value) for name, value in words.items()}}
    return Clips(**kept)


def _key(wanted: Wanted, model: str) -> str:
    """20 hexadecimal digits that change with what is asked for, the face model and the code that renders."""
    recipe = json.dumps(replace(wanted, layout="plain").recipe(model), sort_keys=True)
    return hashlib.sha256(f"{recipe} {_code()}".encode()).hexdigest()[:20]


@cache
def _code() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
