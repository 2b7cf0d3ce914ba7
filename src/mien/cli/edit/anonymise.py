"""`mien edit anonymise`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.edit import EDITS
from mien.cli.edit.targets import targets
from mien.cli.options import gallery_at, rate, with_engine, with_keys
from mien.cli.output import Column, Listing, Output, Step, answers
from mien.cli.pictures import Canvas
from mien.cli.sources import Refused, Share, gather, is_still
from mien.errors import InputError, MienError, UnreadableMedia, UsageError

if TYPE_CHECKING:
    from mien.edit import Edited, Hide, Keep, Plan
    from mien.engine import Engine
    from mien.protocols import Detector
    from mien.types import Face, Frame

COLUMNS = (
    Column("source", lambda one: one["source"]),
    Column("written", lambda one: one["output"]),
    Column("people", lambda one: one["people"], width=6),
    Column("left", lambda one: one["left"], width=4),
    Column("frames", lambda one: one["frames"], width=6),
    Column("hidden", lambda one: one["hidden"], width=6),
    Column("of those unseen", lambda one: one["unseen"], width=15),
    Column("sound", lambda one: one["sound"], width=5),
)
HOWS = ("blur", "pixelate", "cover")  # as in mien.edit, written again because help must stay light


@click.command("anonymise", short_help=EDITS["anonymise"])
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option("-o", "--out", "place", metavar="PATH", required=True, help="A file for one source, else a folder.")
@click.option("--how", type=click.Choice(HOWS), default="blur", show_default=True, help="What becomes of a face.")
@click.option("--cells", type=int, metavar="N", help="Blur, pixelate: colours across a head, 1 to 8 (default 6).")
@click.option("--box", is_flag=True, help="Hide a box round the head instead of an ellipse.")
@click.option("--margin", type=float, metavar="X", help="Size of what is hidden over that of the head (default 1.1).")
@click.option("--only-unknown", metavar="GALLERY", help="Leave the people enrolled there as they are.")
@click.option("--only", "names", multiple=True, metavar="NAME", help="Hide this person alone; repeatable.")
@click.option("--gallery", metavar="GALLERY", help="Where the people of --only are enrolled.")
@click.option("--fmr", type=rate, metavar="RATE", help="False-match rate per look to decide at who is who.")
@click.option("--threshold", type=float, help="A similarity to decide at, by hand and without evidence.")
@click.option("--smallest", type=click.IntRange(12), metavar="PX", help="Width of the smallest face (default 20).")
@click.option("--no-sound", is_flag=True, help="Leave the sound of videos out: voices are known too.")
@click.option("--copy", is_flag=True, help="Write sources without a face too, as they are.")
@click.option("--draw", metavar="DIR", help="Write pictures into this folder that show what was hidden and what left.")
@with_keys
@with_engine()
@answers
def command(sources: tuple[str, ...], place: str, engine: Engine, out: Output, **options: Any) -> int:
    """Hide faces in photos and videos: all of them, those of strangers, or those of named people.

    Whole heads are reduced to 6 x 7 colours (blur, pixelate) or to one (cover). Videos are gone through twice, every
    frame is searched, and faces that were missed between two sightings are hidden too. In doubt a face is hidden. The
    original is left as it is; EXIF, places and subtitles are left out; the sound is copied.

    Exit code: 0 all is written; 2 a source shows no face that was found: it is not written (without --copy), because
    somebody should look at it; that of the first failure when a source could not be used.

    \b
      mien edit anonymise street.mp4 -o hidden.mp4 --how cover
      mien edit anonymise photos/ -o hidden/ --only-unknown people.db
      mien edit anonymise photos/ -o hidden/ --only Ana --gallery people.db"""
    from mien import edit

    shape = {"shape": "box"} if options["box"] else {}
    chosen = {key: options[key] for key in ("cells", "margin") if options[key] is not None} | shape
    editor = edit.load(options["how"], **chosen)
    found = gather(sources)
    _no_streams(found.sources, found.refused)
    stills = [is_still(source) for source in found.sources]
    homes = targets(place, found.sources, stills)
    jobs = [_Job(*each) for each in zip(found.sources, homes, stills, strict=True)]
    with (
        _kept(engine, out, options) as keep,
        out.listing("edited", COLUMNS, source=found.width, written=_width(homes)) as listing,
        out.progress("hiding", len(jobs), "sources") as step,
    ):
        canvas = Canvas.folder(options["draw"]) if options["draw"] else None
        how = _How(engine, _watchful(engine, options["smallest"]), editor, keep, options)
        work = _Work(how, listing, step, canvas, out, found.refused)
        work.do(jobs)
        listing.also(how=editor.name, without_faces=work.empty, failures=out.problems(work.refused))
        listing.also(drawn=canvas.written if canvas else [])
    for name in work.empty:
        done = "written as it is" if options["copy"] else "not written (--copy writes it as it is)"
        out.warn(f"{name}: no face was found; {done}. Look at it: what was not found is not hidden.")
    out.passed(found.passed)
    out.failures(work.refused)
    return work.refused[0][1].exit_code if work.refused else 2 if work.empty else 0


@dataclass(frozen=True, slots=True)
class _Job:
    source: str | Path
    target: Path
    still: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Done:
    record: dict[str, Any]
    shown: Edited | None  # the frame with the most faces, for --draw
    warning: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _How:
    """How one source is done."""

    engine: Engine
    detector: Detector
    editor: Hide
    keep: Keep | None
    options: dict[str, Any]

    def still(self, job: _Job) -> _Done:
        """A picture. Raises MienError."""
        from mien import edit
        from mien.media import read_image, write_image

        frames = [read_image(job.source)]
        plan = edit.plan(frames, lambda frame: self.detector.detect([frame])[0], self.keep)
        if not plan.people and not self.options["copy"]:
            return _Done(_record(job, plan, None), None)
        (edited,) = plan.apply(frames, self.editor)
        write_image(edited.frame, job.target, mark=self._mark(plan))
        return _Done(_record(job, plan, job.target), edited)

    def video(self, job: _Job, share: Share) -> _Done:
        """A video, gone through twice. Raises MienError."""
        from mien import edit
        from mien.detect.track import Tracker, TrackerOptions
        from mien.media import open_video, write_video

        with open_video(job.source) as video:
            fps, duration = video.fps, video.duration
        tracker = Tracker(self.detector, TrackerOptions(**edit.TRACKING))

        def see(frame: Frame) -> Sequence[Face]:
            share(frame.time * 0.8, duration)  # finding takes most of the time
            return tracker.update(frame)

        frames = edit.Again(job.source)
        plan = edit.plan(frames, see, self.keep)
        if not plan.people and not self.options["copy"]:
            return _Done(_record(job, plan, None), None)
        most = _Most()
        told = write_video(
            most.of(plan.apply(frames, self.editor), share, duration),
            job.target,
            fps=fps,
            sound=None if self.options["no_sound"] else job.source,
            mark=self._mark(plan),
        )
        record = _record(job, plan, job.target) | {"sound": told.sound}
        return _Done(record, most.edited, f"{job.target}: {told.silent}" if told.silent else "")

    def _mark(self, plan: Plan) -> str:
        return self.editor.name if plan.hidden() else "none"


@dataclass
class _Work:
    how: _How
    listing: Listing
    step: Step
    canvas: Canvas | None
    out: Output
    refused: Refused
    empty: list[str] = field(default_factory=list)

    def do(self, jobs: Sequence[_Job]) -> None:
        """Stills side by side on all threads, each video by itself as it goes."""
        for still, group in groupby(jobs, key=lambda job: job.still):
            if still:
                for job, answer in self.how.engine.map(self.how.still, group):
                    self._note(job, answer)
                    self.step(1)
            else:
                for job in group:
                    share = Share(self.step)
                    self._note(job, _or_error(self.how.video, job, share))
                    self.step(1 - share.done)

    def _note(self, job: _Job, answer: _Done | MienError) -> None:
        if isinstance(answer, InputError):
            self.refused.append((str(job.source), answer))
            return
        if isinstance(answer, MienError):  # a full disk, a gallery that went away: the rest would fail too
            raise answer
        self.listing.add(answer.record)
        if not answer.record["people"]:
            self.empty.append(str(job.source))
        if answer.warning:
            self.out.warn(answer.warning)
        if self.canvas is not None and answer.shown is not None:
            self._draw(self.canvas, job, answer.shown)

    @staticmethod
    def _draw(canvas: Canvas, job: _Job, edited: Edited) -> None:
        from mien.media import draw_faces

        faces = [*edited.hidden, *edited.kept]
        labels = [*["hidden"] * len(edited.hidden), *["left as it is"] * len(edited.kept)]
        colours = [*["accept"] * len(edited.hidden), *["abstain"] * len(edited.kept)]
        canvas.write(draw_faces(edited.frame, faces, labels, colours), job.source, "hidden.jpg")  # type: ignore[arg-type]


@dataclass(slots=True)
class _Most:
    """Remembers the frame with the most faces as frames go by."""

    edited: Edited | None = None

    def of(self, frames: Iterator[Edited], share: Share, duration: float | None) -> Iterator[Frame]:
        """The frames themselves."""
        for one in frames:
            if self.edited is None or _faces(one) > _faces(self.edited):
                self.edited = one
            yield one.frame
            share((duration or 0) * 0.8 + one.frame.time * 0.2, duration)


def _faces(edited: Edited) -> int:
    return len(edited.hidden) + len(edited.kept)


def _record(job: _Job, plan: Plan, output: Path | None) -> dict[str, Any]:
    counts = {"people": plan.people, "left": plan.stayed, "frames": plan.frames}
    counts |= {"hidden": plan.hidden(), "unseen": plan.unseen()}
    return {"source": str(job.source), "output": None if output is None else str(output), **counts, "sound": None}


def _watchful(engine: Engine, smallest: int | None) -> Detector:
    """The engine's detector; the default one looks for smaller and poorer faces than are needed to know anybody by."""
    from mien import detect
    from mien.edit import WATCHFUL

    chosen: dict[str, Any] = {} if smallest is None else {"minimum": float(smallest)}
    if engine.detector.name == "mtcnn":
        return detect.load("mtcnn", **{**WATCHFUL, **chosen})
    return detect.load(engine.detector.name, **chosen) if chosen else engine.detector


@contextmanager
def _kept(engine: Engine, out: Output, options: dict[str, Any]) -> Iterator[Keep | None]:
    """Who may stay. Raises UsageError for options that do not go together, and what opening a gallery raises."""
    known, names, place = options["only_unknown"], options["names"], options["gallery"]
    if known and (names or place):
        raise UsageError("--only-unknown and --only exclude each other.", "Give one of them.")
    if bool(names) != bool(place):
        raise UsageError("--only NAME and --gallery GALLERY go together.", "Give both.")
    wanted = {key: options[key] for key in ("fmr", "threshold") if options[key] is not None}
    path = known or place
    if wanted and not path:
        raise UsageError("--fmr and --threshold decide who stays, and nobody may.", "Give --only-unknown or --only.")
    with gallery_at(path, read_only=True, keys=options["keys"], out=out) if path else nullcontext() as people:
        if people is None:
            yield None
            return
        from mien.cli.edit.keeping import Known, Others
        from mien.decide import Policy

        policy = Policy(**wanted)
        yield Known.of(engine, people, policy) if known else Others.of(engine, people, names, policy)


def _no_streams(sources: list[str | Path], refused: Refused) -> None:
    """Cameras and addresses cannot be gone through twice."""
    from mien.media.video import is_camera, is_remote

    for source in [one for one in sources if is_camera(one) or is_remote(one)]:
        sources.remove(source)
        told = UnreadableMedia(f"{source} cannot be gone through twice.", "Record it, and give the file.")
        refused.append((str(source), told))


def _or_error(function: Callable[[_Job, Share], _Done], job: _Job, share: Share) -> _Done | MienError:
    try:
        return function(job, share)
    except MienError as error:
        return error


def _width(homes: Sequence[Path]) -> int:
    return min(60, max((len(str(home)) for home in homes), default=0))
