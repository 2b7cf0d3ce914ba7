"""Options that audits of pictures share, and what they make: labelled pictures, and captures of them.

@audit_verb("verification")
@with_pictures()
def command(sources: Sources, run: Run) -> Report:
    captures = sources.capture(run)
    …
    return replace(report, problems=(*sources.problems, *report.problems))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from mien.cli.options import with_engine
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.audit.captures import Captures
    from mien.audit.data import Ijb, Labelled
    from mien.cli.audit.common import Run
    from mien.engine import Engine
    from mien.report import Problem

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(slots=True)
class Sources:
    """The pictures that a command was given, and what was wrong with them so far."""

    path: str | None  # of --data
    pad: float
    labels: str | None  # of --labels: CSV with path or subject, and columns of groups
    engine: Engine
    problems: list[Problem] = field(default_factory=list)
    ijb: Ijb | None = None  # where --data is IJB-B or IJB-C: known once `pictures` was asked for
    _pictures: tuple[Labelled, ...] | None = None

    def pictures(self) -> tuple[Labelled, ...]:
        """The labelled pictures of --data, read once. Subjects come from --labels where it has the columns path and
        subject. Raises UsageError without --data."""
        from mien.audit.data import has_subjects, is_ijb, pictures, read_ijb

        if self._pictures is None:
            if self.path is None:
                raise UsageError("No pictures are given.", "Give --data a folder with one subfolder per person.")
            if is_ijb(self.path):
                self.ijb = read_ijb(self.path)
                self._pictures, self.problems = self.ijb.pictures, [*self.problems, *self.ijb.problems]
                return self._pictures
            named = self.labels if self.labels is not None and has_subjects(self.labels) else None
            self._pictures, problems = pictures(self.path, self.pad, named)
            self.problems += problems
        return self._pictures

    def capture(self, run: Run, floor: float = 0.0) -> Captures:
        """All pictures (of IJB: all templates) as captures, with a bar, and tells the run about data and models.

        With -o, what is done is kept beside the report until it is written, so that a killed run goes on."""
        from mien.audit.captures.capturing import capture, forget, lost
        from mien.audit.captures.resume import TEMPLATES
        from mien.audit.data import aggregate

        listed = self.pictures()
        run.made |= {"data": str(self.path), "pad": self.pad, "models": models_of(self.engine)}
        store = run.folder / TEMPLATES if run.folder is not None else None
        with run.out.progress("looking", len(listed), "pictures") as step:
            captures = capture(
                self.engine, listed, store=store, floor=floor, progress=lambda done, total: step(1, total)
            )
        self.problems += lost(captures)
        if store is not None:
            run.after.append(lambda: forget(store))
        return captures if self.ijb is None else aggregate(captures, self.ijb)


def models_of(engine: Engine) -> dict[str, str]:
    """Which models were used, and in which template space."""
    return {"detector": engine.detector.name, "embedder": engine.embedder.name, "space": engine.embedder.space}


def with_pictures(required: bool = True, labels: bool = False) -> Decorator:
    """--data, --pad, --detector, --embedder, --threads (and --labels): the command gets `sources`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def wrapped(*words: Any, engine: Engine, data: str | None, pad: float, **options: Any) -> Any:
            sources = Sources(data, pad, options.pop("labels", None), engine)
            return function(*words, sources=sources, **options)

        command = with_engine()(wrapped)
        if labels:
            text = "CSV: path or subject, and columns of labels; with both, it also says whose pictures they are."
            command = click.option("--labels", metavar="FILE", help=text)(command)
        command = click.option(
            "--pad",
            type=float,
            default=0.0,
            show_default=True,
            help="Share of each side added around, for tight crops.",
        )(command)
        text = "Folder per person, a zip of one, a .bin of InsightFace, IJB, or a flat folder (with --labels)."
        return click.option("--data", metavar="DATA", required=required, help=text)(command)

    return decorate
