"""Where results go: a table for people, JSON or CSV for programs on stdout; progress and remarks on stderr.

Every verb that answers takes the same options through `answers`, and gets an `Output` to speak through:

    with out.listing("decisions", COLUMNS) as listing:
        for decision in engine.identify(...):
            listing.add(wire.decision(decision))

A listing is written as it comes; as JSON it is one object whose list grows, closed properly also when work is stopped.
"""

from __future__ import annotations

import csv
import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import click

from mien import wire
from mien.cli.group import lost_output, plain, say, tell, unforeseen
from mien.errors import MienError

if TYPE_CHECKING:
    from rich.console import Console

Format = Literal["table", "json", "csv"]
STYLES = {"accept": "bold green", "reject": "bold red", "abstain": "bold yellow", "OK": "green", "WARN": "yellow"} | {
    "FAIL": "bold red",
    "yes": "green",
    "no": "red",
    "unclear": "yellow",
}


class Step(Protocol):
    """Tells a bar how much more was done and, where that was learned meanwhile, of how much."""

    def __call__(self, done: float, total: float | None = None) -> None: ...


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or CSV: its title and how to get the cell out of a record's wire shape."""

    title: str
    cell: Callable[[Mapping[str, Any]], Any]
    width: int = 0  # cells a growing table reserves
    only: Literal["", "table", "csv"] = ""  # a table is narrow and for people, CSV is wide and exact


class Output:
    """One verb's voice."""

    def __init__(self, form: Format, quiet: bool) -> None:
        self.form = form
        self.quiet = quiet
        self._bar: Any = None

    def listing(self, key: str, columns: Sequence[Column], **widths: int) -> Listing:
        """A list that is written as it grows; `key` names it in the JSON object, `widths` are known better by now."""
        return Listing(self, key, [replace(column, width=widths.get(column.title, column.width)) for column in columns])

    def table(self, key: str, columns: Sequence[Column], records: Sequence[Mapping[str, Any]], **rest: Any) -> None:
        """A list that is known as a whole, columns as wide as they need; `rest` are more keys of the JSON object."""
        fitted = [
            replace(column, width=max((len(shown(column.cell(record))) for record in records), default=0))
            for column in columns
        ]
        with self.listing(key, fitted) as listing:
            for record in records:
                listing.add(record)
            listing.also(**rest)

    def answer(self, record: Mapping[str, Any], lines: Sequence[tuple[str, Any]]) -> None:
        """One answer: the record as JSON or one CSV row, the (title, words) lines for people."""
        if self.form == "json":
            self.write(dumps(record, indent=2))
        elif self.form == "csv":
            flat = dict(_flatten(record))
            self.rows(list(flat), [list(flat.values())])
        else:
            width = max((len(title) for title, _ in lines), default=0)
            for title, words in lines:
                self.line([(title, width), (shown(words), 0)], bold=0)

    def note(self, text: str) -> None:
        """A remark on stderr, for people; not when quiet."""
        if not self.quiet:
            sys.stdout.flush()
            with self._paused():
                say(text)

    def warn(self, text: str) -> None:
        """A warning on stderr, also when quiet."""
        sys.stdout.flush()
        with self._paused():
            say(f"mien: warning: {text}")

    def failures(self, refused: Sequence[tuple[str, MienError]]) -> None:
        """What went wrong along the way, listed at the end on stderr."""
        if refused:
            sys.stdout.flush()
            say(f"mien: {len(refused)} could not be used:")
            for source, error in refused:
                name = label(source)
                say(f"  {error}" if source in str(error) or name in str(error) else f"  {name}: {error}")

    def passed(self, count: int) -> None:
        """Remark how many files were passed over as no pictures and no videos."""
        if count:
            self.note(
                f"{count} {'file that is' if count == 1 else 'files that are'} no picture and no video passed over."
            )

    @staticmethod
    def problems(refused: Sequence[tuple[str, MienError]]) -> list[dict[str, Any]]:
        """The same for the JSON object."""
        return [{"source": source, **wire.problem(error)} for source, error in refused]

    @contextmanager
    def progress(self, doing: str, total: float | None, unit: str) -> Iterator[Step]:
        """A bar on stderr with count, rate and time left; the yielded function moves it."""
        if self.quiet or self._bar is not None or not sys.stderr.isatty():
            yield lambda done, total=None: None
            return
        self._bar = bar = _bar(unit)
        task = bar.add_task(doing, total=total)

        def step(done: float, total: float | None = None) -> None:
            bar.update(task, advance=done, total=total)

        bar.start()
        try:
            yield step
        finally:
            bar.stop()
            self._bar = None

    def rows(self, titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """CSV lines; titles only when there are any."""
        writer = csv.writer(_Lines(self.write), lineterminator="")
        if titles:
            writer.writerow([title.replace(" ", "_") for title in titles])
        for row in rows:
            writer.writerow([_raw(cell) for cell in row])

    def line(self, cells: Sequence[tuple[str, int]], bold: int = -1) -> None:
        """One line of words, each padded to its width."""
        from rich.cells import cell_len
        from rich.text import Text

        text = Text()
        for number, (cell, width) in enumerate(cells):
            word = plain(cell)
            text.append(word, "bold" if number == bold else STYLES.get(word, ""))
            if number < len(cells) - 1:
                text.append(" " * max(2, width + 2 - cell_len(word)))
        with self._paused():
            text.rstrip()
            self._console.print(text, soft_wrap=True)

    def write(self, text: str, newline: bool = True) -> None:
        """Text for stdout as it is."""
        with self._paused():
            click.echo(text, nl=newline)

    @contextmanager
    def _paused(self) -> Iterator[None]:
        """A live bar must not share the terminal with a line being written."""
        if self._bar is not None:
            self._bar.stop()
        yield
        if self._bar is not None:
            self._bar.start()

    @functools.cached_property
    def _console(self) -> Console:
        from rich.console import Console

        return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


class Listing:
    """A growing list of records. Rows appear as they are added."""

    def __init__(self, out: Output, key: str, columns: Sequence[Column]) -> None:
        self.out = out
        self.key = key
        self.columns = [column for column in columns if column.only in ("", out.form)]
        self._widths = [max(column.width, len(column.title)) for column in self.columns]
        self.count = 0
        self._rest: dict[str, Any] = {}
        self._open = False

    def add(self, record: Mapping[str, Any]) -> None:
        """One more record, in its wire shape."""
        self._begin()
        cells = [column.cell(record) for column in self.columns]
        if self.out.form == "json":
            self.out.write(("," if self.count else "") + "\n    " + dumps(record), newline=False)
        elif self.out.form == "csv":
            self.out.rows((), [cells])
        else:
            self.out.line(list(zip(map(shown, cells), self._widths, strict=True)))
        self.count += 1
        sys.stdout.flush()

    def also(self, **rest: Any) -> None:
        """More keys of the JSON object, after the list."""
        self._rest |= rest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, click.exceptions.Exit) or lost_output(error):
            return
        failure = unforeseen(error) if isinstance(error, Exception) and not isinstance(error, MienError) else error
        if isinstance(failure, MienError) and not self._open:
            return  # nothing was written: the error itself becomes the document
        if isinstance(failure, MienError):
            self._rest["error"] = wire.problem(failure)
        elif failure is not None:
            self._rest["stopped"] = True
        self._begin()
        if self.out.form == "json":
            rest = "".join(f",\n  {dumps(key)}: {dumps(value)}" for key, value in self._rest.items())
            self.out.write(("\n  " if self.count else "") + "]" + rest + "\n}")
            if isinstance(failure, MienError):  # stdout has its one document: the sentence goes to stderr only
                raise click.exceptions.Exit(tell(failure)) from error

    def _begin(self) -> None:
        if self._open:
            return
        self._open = True
        titles = [column.title for column in self.columns]
        if self.out.form == "json":
            self.out.write(f"{{\n  {dumps(self.key)}: [", newline=False)
        elif self.out.form == "csv":
            self.out.rows(titles, ())
        else:
            self.out.line([(title.upper(), width) for title, width in zip(titles, self._widths, strict=True)])


def answers(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options every answering verb has: --table, --json, --csv, --quiet; the verb gets `out`."""

    @click.option("--table", "form", flag_value="table", default="table", help="A table for people (default).")
    @click.option("--json", "form", flag_value="json", help="One JSON object on stdout.")
    @click.option("--csv", "form", flag_value="csv", help="Comma-separated values with a header line.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no remarks on stderr; failures are still told.")
    @functools.wraps(function)
    def with_output(*words: Any, form: Format, quiet: bool, **options: Any) -> Any:
        return function(*words, out=Output(form, quiet), **options)

    return with_output


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON text; characters beyond ASCII are kept where stdout can carry them."""
    utf8 = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not utf8, allow_nan=False, indent=indent)


def shown(cell: Any) -> str:
    """A cell for people: three decimals (two digits where small), a dash for nothing, lists with semicolons."""
    if cell is None or cell == "":
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.3f}" if abs(cell) >= 0.01 or not cell else f"{cell:.2g}"
    if isinstance(cell, (list, tuple)):
        return "; ".join(shown(item) for item in cell) or "–"
    return str(cell)


def label(source: str) -> str:
    """A source or subject at the head of a line: on one line, and never longer than one."""
    from mien.media.door import shown as named

    return named(source)


def _raw(cell: Any) -> Any:
    if isinstance(cell, (list, tuple)):
        return "; ".join(str(item) for item in cell)
    return "" if cell is None else cell


def _flatten(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested objects as dotted columns; lists of objects stay out of CSV."""
    for key, value in record.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        elif not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            yield f"{prefix}{key}", value


class _Lines:
    """What csv.writer writes to: one call per row."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def write(self, text: str) -> None:
        """One row."""
        self._write(text)


def _bar(unit: str) -> Any:
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        """How many a second."""

        def render(self, task: progress.Task) -> Text:
            # Several are begun at once, which looks like a wild speed at first.
            return Text(f"{task.speed:.1f} {unit}/s" if task.speed and (task.elapsed or 0) > 1 else "")

    counts = (progress.DownloadColumn(), progress.TransferSpeedColumn())
    shown = counts if unit == "bytes" else (progress.MofNCompleteColumn(), Rate())
    left = (progress.TimeRemainingColumn(compact=True), progress.TextColumn("left"))
    text = progress.TextColumn("{task.description}")
    return progress.Progress(text, progress.BarColumn(), *shown, *left, console=Console(stderr=True), transient=True)
