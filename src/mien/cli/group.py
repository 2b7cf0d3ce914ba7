"""The command `mien`: verbs are loaded when called, and every way to end has one sentence and one exit code."""

from __future__ import annotations

import difflib
import errno
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import click

import mien
from mien.cli import VERBS
from mien.errors import CannotWrite, MienError, UsageError

_LOST = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
UNEXPECTED, INTERRUPTED, PIPE_CLOSED = 70, 130, 141  # 128 + signal number, as shells have it


class Catalogue(click.Group):
    """A group that knows each of its commands by a line, and imports the one that is called."""

    table: ClassVar[Mapping[str, str]]  # name -> what it does, in one line
    package: ClassVar[str]  # where the commands' files are
    heading: ClassVar[str]  # over the list in the help

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from its file."""
        if cmd_name not in self.table:
            return None
        command: click.Command = import_module(f"{self.package}.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without loading one."""
        with formatter.section(self.heading):
            formatter.write_dl(list(self.table.items()))


class Verbs(Catalogue):
    """The verbs of `mien`."""

    table, package, heading = VERBS, "mien.cli", "Verbs"

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a guess at what was meant."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            remedy = f"Did you mean 'mien {near[0]}'?" if near else "See 'mien --help' for the verbs."
            raise UsageError(f"There is no verb '{args[0]}'.", remedy)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does; a reader (head, less) that has seen enough is no error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # here, because click's own answer is exit code 1, which means reject
            _silence(sys.stdout)
            return PIPE_CLOSED

    def main(self, args: Sequence[str] | None = None, *positional: Any, **options: Any) -> NoReturn:
        """Run, say what went wrong in one sentence, and leave with the right code."""
        words = list(sys.argv[1:] if args is None else args)
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by who started this
                setattr(sys, name, Path(os.devnull).open("w", encoding="utf8"))  # noqa: SIM115 - open to the end
            stream = getattr(sys, name)
            if hasattr(stream, "reconfigure"):  # a file name that is no Unicode must not stop the listing
                stream.reconfigure(errors="backslashreplace")
        try:
            code = self._run(words, options.get("prog_name") or "mien")
            sys.stdout.flush()
        except BrokenPipeError:
            _silence(sys.stdout)
            code = PIPE_CLOSED
        except OSError as error:
            code = _lost(error)
        sys.exit(code)

    def _run(self, words: list[str], name: str) -> int:
        try:
            code = super().main(words or ["--help"], prog_name=name, standalone_mode=False)
            return code if isinstance(code, int) else 0
        except click.ClickException as error:
            return tell(_usage(error), words)
        except MienError as error:
            return tell(error, words)
        except (click.Abort, KeyboardInterrupt):
            say("mien: stopped; what was done before is kept.")
            return INTERRUPTED
        except Exception as error:  # the last stop: no traceback for a user who did not ask for one
            if lost_output(error):
                raise
            return tell(unforeseen(error), words)


def verb(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose help opens with its line of the table; the function's docstring is the rest."""
    return lambda function: click.command(name, help=_help(name, function), short_help=VERBS[name])(function)


def family(name: str, cls: type[click.Group] = click.Group) -> Callable[[Callable[..., Any]], click.Group]:
    """The same for a verb that has verbs of its own; alone it runs the function."""
    return lambda function: click.group(
        name, cls, help=_help(name, function), short_help=VERBS[name], invoke_without_command=True
    )(function)


def _help(name: str, function: Callable[..., Any]) -> str:
    return f"{VERBS[name]}\n\n{cleandoc(function.__doc__ or '')}"


def tell(error: MienError, words: Sequence[str] = ()) -> int:
    """One sentence on stderr; where the words of the command hold --json, the problem's shape on stdout too."""
    if os.environ.get("MIEN_DEBUG"):
        click.echo("".join(traceback.format_exception(error)), err=True)
    if "--json" in words:
        from mien import wire  # brings numpy, which help has no use for

        click.echo(json.dumps(wire.problem(error)))
    sys.stdout.flush()
    say(f"mien: {error}")
    return error.exit_code


def say(text: str) -> None:
    """A line on stderr. Where even that fails nobody can be told, and the exit code must still be right."""
    try:
        click.echo(plain(text), err=True)
    except OSError:
        _silence(sys.stderr)


def lost_output(error: BaseException | None) -> bool:
    """Whether stdout itself failed: nothing more can be written there. Failures of named files are not meant."""
    if isinstance(error, BrokenPipeError):
        return True
    return isinstance(error, OSError) and error.filename is None and error.errno in _LOST


def _lost(error: OSError) -> int:
    _silence(sys.stdout)
    why = error.strerror or str(error)
    return tell(CannotWrite(f"The output cannot be written: {why}.", "Make room, or send it elsewhere."))


def plain(text: str) -> str:
    """The text without control characters: a file name must not steer the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)


def _usage(error: click.ClickException) -> UsageError:
    context = getattr(error, "ctx", None)
    remedy = f"See '{context.command_path} --help'." if context else ""
    return UsageError(error.format_message(), remedy)


def unforeseen(error: Exception) -> MienError:
    """A failure that nobody planned for, in one sentence."""
    failure = MienError(
        f"Something unforeseen went wrong: {type(error).__name__}: {error}.".replace("..", "."),
        "" if os.environ.get("MIEN_DEBUG") else "Set MIEN_DEBUG=1 to see where.",
    )
    failure.__cause__ = error
    return failure


def _silence(stream: Any) -> None:
    """Let the interpreter's last flush go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mien.__version__, prog_name="mien", message="%(prog)s %(version)s")
def group() -> None:
    """Who is in this photo or video, how sure, and why you may believe it.

    Works offline. Answers are accept, reject or abstain, each with its evidence.

    \b
      mien enrol people.db --from photos/     a folder per person
      mien identify people.db party.jpg       who is there?
      mien verify a.jpg b.jpg                 the same person?
    """
