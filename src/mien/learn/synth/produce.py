"""Many subjects by many expressions, rendered in several processes into a folder. Stopped at any time, it goes on where it was.

What a clip shows follows from the seed, the subject and the expression alone, so any number of workers writes the same
bytes. A clip is done when its truth is there, which is written last; everything appears whole or not at all.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Protocol

from mien.errors import MienError
from mien.learn.synth import sinks, workers
from mien.learn.synth.layouts import LAYOUTS, Layout, check
from mien.learn.synth.manifest import Wanted, begin, end, people
from mien.learn.synth.people import draw_person
from mien.learn.synth.script import unit_names
from mien.learn.synth.state import Person, Rendered, Scene, State
from mien.learn.synth.take import Take, draw, style
from mien.learn.synth.truth import FrameTruth, Truth, beats, frame_truth, interval_truth, scene_truth

Progress = Callable[[int, int], None]  # done, in all


class Renderer(Protocol):
    """What draws a face; `render.Engine` does."""

    def render(self, person: Person, state: State, scene: Scene) -> Rendered:
        """One picture and its truth."""


class Maker(Protocol):
    """Makes a renderer in a worker. It travels to other processes, so it holds a path, not a face."""

    @property
    def digest(self) -> str:
        """Of the face model: another one makes other data."""

    def __call__(self) -> Renderer:
        """A renderer."""


@dataclass(frozen=True, slots=True)
class Job:
    """One clip to make."""

    number: int
    subject: int
    expression: int  # its place in the program
    repeat: int
    name: str


@dataclass(frozen=True, slots=True)
class Produced:
    """What there is now."""

    folder: Path
    made: int  # clips made by this run
    kept: int  # clips that were there
    frames: int  # made by this run


def jobs(wanted: Wanted) -> list[Job]:
    """All clips, subject by subject."""
    found: list[Job] = []
    single = LAYOUTS[wanted.layout].single
    for subject in range(wanted.subjects):
        seen: Counter[str] = Counter()
        for number, expression in enumerate(wanted.program.expressions):
            if single and number != subject % len(wanted.program.expressions):
                continue
            for repeat in range(1 if single else expression.repeats * wanted.repeats):
                word = re.sub(r"[^a-z0-9]+", "_", expression.label.lower()).strip("_") or "clip"
                name = f"s{subject + 1:04d}-{word}-{seen[word]}"
                seen[word] += 1
                found.append(Job(len(found), subject, number, repeat, name))
    return found


def produce(wanted: Wanted, folder: Path, make: Maker, threads: int = 1, progress: Progress | None = None) -> Produced:
    """Make what is missing of the data in `folder`, then its lists, its manifest and its sheet.

    Raises UsageError when the folder holds something else, CannotWrite when there is no room, MienError when a worker
    is killed; what is finished by then is kept."""
    told = progress or (lambda done, total: None)
    check(wanted)
    every = jobs(wanted)
    begin(wanted, folder, make.digest, len(every))
    done = {path.stem for path in (folder / "truth").glob("*.json")}
    missing = [job for job in every if job.name not in done]
    kept, frames = len(every) - len(missing), 0
    told(kept, len(every))
    for count, more in enumerate(_run(missing, wanted, folder, make, threads), 1):
        frames += more
        told(kept + count, len(every))
    end(wanted, folder, make.digest, [job.name for job in every])
    return Produced(folder, len(missing), kept, frames)


def _run(missing: Sequence[Job], wanted: Wanted, folder: Path, make: Maker, threads: int) -> Iterator[int]:
    """Frames of each clip as it gets done."""
    if threads <= 1 or len(missing) <= 1:
        engine = make() if missing else None
        for job in missing:
            assert engine is not None
            yield one_clip(engine, job, wanted, folder)
        return
    ahead = iter(missing)
    with workers.pool(min(threads, len(missing)), _start, (make, wanted, folder)) as pool:
        waiting: set[Future[int]] = {pool.submit(_work, job) for job in islice(ahead, 2 * threads)}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for one in finished:
                yield _result(one)
                waiting |= {pool.submit(_work, job) for job in islice(ahead, 1)}


def _result(future: Future[int]) -> int:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise MienError(
            "A worker was stopped from outside, perhaps because memory ran out.",
            "Run the same command again with fewer --threads: finished clips are kept.",
        ) from error


_here: dict[str, tuple[Renderer, Wanted, Path]] = {}  # of a worker process


def _start(make: Maker, wanted: Wanted, folder: Path) -> None:
    workers.settle()
    _here["all"] = make(), wanted, folder


def _work(job: Job) -> int:
    engine, wanted, folder = _here["all"]
    return one_clip(engine, job, wanted, folder)


def one_clip(engine: Renderer, job: Job, wanted: Wanted, folder: Path) -> int:
    """Render a clip and write it, its truth last. Gives the number of frames."""
    person, take = cast(wanted, job)
    layout = LAYOUTS[wanted.layout]
    times = moments(wanted, take)
    head = _head(wanted, job, person, take, len(times))
    media = layout.media(head, wanted) | {extra: f"{extra}/{job.name}" for extra in wanted.extras}
    frames = []
    with ExitStack() as stack:
        main = stack.enter_context(_sink(layout, head, wanted, folder))
        others = {one: stack.enter_context(sinks.folder(folder / media[one], "{:04d}.png")) for one in wanted.extras}
        for truth, shot in film(engine, person, take, times, wanted.size):
            frames.append(truth)
            main.add(sinks.grey(shot.pixels) if layout.grey else shot.pixels)
            if "masks" in others:
                others["masks"].add(shot.mask)
            if "depth" in others:
                others["depth"].add(sinks.millimetres(shot.depth))
    with sinks.whole(folder / "truth" / f"{job.name}.json") as part:
        part.write_text(replace(head, frames=tuple(frames), media=media).text(), encoding="utf8")
    return len(frames)


def film(
    engine: Renderer, person: Person, take: Take, times: Sequence[float], size: int
) -> Iterator[tuple[FrameTruth, Rendered]]:
    """The frames of a take at given times in s."""
    plain = replace(person, gain={})  # a take is drawn with the person's style in it
    for number, time in enumerate(times):
        state = take.state(time)
        shot = engine.render(plain, state, take.scene(size, number))
        yield frame_truth(take, time, state, shot), shot


def moments(wanted: Wanted, take: Take) -> list[float]:
    """Times of the frames in s: the apex alone for stills."""
    if wanted.kind == "stills":
        return [take.apex]
    return [number / wanted.fps for number in range(max(1, math.floor(take.seconds * wanted.fps + 1e-6)))]


def cast(wanted: Wanted, job: Job) -> tuple[Person, Take]:
    """Who plays, and what."""
    person, gain = _player(wanted.seed, job.subject, people(wanted)[job.subject], wanted.program.style)
    expression = wanted.program.expressions[job.expression]
    take = draw(wanted.program, expression, gain, (wanted.seed, job.subject, job.expression, job.repeat))
    return person, take


@lru_cache(maxsize=64)
def _player(
    seed: int, subject: int, groups: tuple[tuple[str, str], ...], spread: float
) -> tuple[Person, dict[str, float]]:
    person = draw_person(workers.number(seed, 1, subject), dict(groups))
    own = style(unit_names(), spread, (seed, 2, subject))
    gain = {unit: factor * person.gain.get(unit, 1.0) for unit, factor in own.items()}
    return replace(person, name=f"s{subject + 1:04d}"), gain


def _head(wanted: Wanted, job: Job, person: Person, take: Take, count: int) -> Truth:
    return Truth(
        name=job.name,
        number=job.number,
        subject=person.name,
        seed=(wanted.seed, job.subject, job.expression, job.repeat),
        group=dict(person.group),
        label=take.label,
        true=take.true,
        noisy=take.noisy,
        soft={name: round(share, 6) for name, share in take.soft.items()},
        fps=0.0 if wanted.kind == "stills" else wanted.fps,
        size=wanted.size,
        heart_rate=round(take.life.pulse.mean_rate(take.seconds), 4),
        beats=beats(take),
        blinks=tuple((round(one.onset, 4), round(one.offset, 4)) for one in take.life.blinks),
        scene=scene_truth(take.scene(wanted.size)),
        intervals=() if wanted.kind == "stills" else interval_truth(take, wanted.fps, count),
        frames=(),
        melanin=round(float(person.melanin), 4),
    )


def _sink(layout: Layout, head: Truth, wanted: Wanted, folder: Path) -> sinks.Opened:
    kind, place = next(iter(layout.media(head, wanted).items()))
    target = folder / place
    if kind == "picture":
        return sinks.picture(target)
    if kind == "frames":
        return sinks.folder(target, layout.names(wanted))
    return sinks.video(target, wanted.fps, wanted.size, "ffv1" if target.suffix == ".avi" else "h264")
