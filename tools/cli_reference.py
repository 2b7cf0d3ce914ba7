"""Write docs/reference/cli.md from the commands themselves: `python tools/cli_reference.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from mien import errors
from mien.cli.group import group

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"
HEAD = """# Command line

Generated from the commands themselves by `python tools/cli_reference.py`; a test compares. How to use them: \
[the guide](../guides/command-line.md).
"""
CODES = """## Exit codes

| code | meaning |
| --- | --- |
| 0 | accept; or done |
| 1 | reject: seen and not accepted |
| 2 | abstain: cannot tell, or nobody seen |
"""
STOPPED = """| 130 | stopped by Ctrl-C; what was done is kept |
| 141 | the reader of the output went away |
"""


def page() -> str:
    """The whole page."""
    context = click.Context(group, info_name="mien", **group.context_settings)
    parts = [HEAD, "\n".join(_verbs(group, context)), CODES + "\n".join(_errors()) + "\n" + STOPPED]
    return "\n".join(parts)


def _verbs(family: click.Group, parent: click.Context) -> Iterator[str]:
    for name in family.list_commands(parent):
        command = family.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        yield f"## {context.command_path}\n" if family is group else f"### {context.command_path}\n"
        yield _prose(command.help or "")
        yield f"```console\n{command.get_usage(context).removeprefix('Usage: ')}\n```\n"
        yield from _options(command, context)
        if isinstance(command, click.Group):
            yield from _verbs(command, context)


def _prose(text: str) -> str:
    """Help as Markdown: blocks that click must not wrap become code."""
    blocks = []
    for block in text.split("\n\n"):
        lines = block.strip("\n").splitlines()
        if lines and lines[0].strip() == "\b":
            blocks.append("```console\n" + "\n".join(line.strip() for line in lines[1:]) + "\n```")
        elif lines:
            blocks.append(" ".join(line.strip() for line in lines))
    return "\n\n".join(blocks) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    yield "| option | meaning |\n| --- | --- |"
    for param in command.get_params(context):
        if isinstance(param, click.Option) and not param.hidden:
            value = "" if param.is_flag else f" {param.metavar or param.type.name.split()[0].upper()}"
            names = ", ".join(sorted(param.opts, key=len)) + value
            default = f" Default: {param.default}." if param.show_default else ""
            yield f"| `{names}` | {(param.help or '').replace('|', chr(92) + '|')}{default} |"
    yield ""


def _errors() -> Iterator[str]:
    """One row per exit code, naming the errors that end with it."""
    kinds: dict[int, list[type[errors.MienError]]] = {}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.MienError) and kind is not errors.MienError:
            kinds.setdefault(kind.exit_code, []).append(kind)
    kinds.setdefault(errors.MienError.exit_code, []).append(errors.MienError)
    for code, group_of in sorted(kinds.items()):
        said = "; ".join(f"`{kind.__name__}` {_first(kind)}" for kind in group_of)
        yield f"| {code} | {said} |"


def _first(kind: type[errors.MienError]) -> str:
    if kind is errors.MienError:
        return "something unforeseen"
    words = (kind.__doc__ or "").strip().splitlines()[0].rstrip(".")
    return words[0].lower() + words[1:]


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf8")
