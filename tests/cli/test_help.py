"""The list of verbs is quick, loads nothing heavy, and is true."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mien.cli import VERBS
from mien.cli.group import group

ROOT = Path(__file__).parents[2]
HEAVY = {"cv2", "onnxruntime", "onnx", "PIL", "av", "rich", "pillow_heif", "platformdirs"}


def seconds(*words: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
    return time.perf_counter() - start


def test_help_is_quick() -> None:
    """Under 0.3 s; on a machine that is busy with other work, not much more than what importing numpy and click takes."""
    ours, floor = [], []
    for _ in range(5):
        ours.append(seconds("-m", "mien", "--help"))
        if ours[-1] < 0.3:
            return
        floor.append(seconds("-c", "import numpy, click"))
    assert min(ours) < 1.6 * min(floor)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, json\nfrom click.testing import CliRunner\nfrom mien.cli.group import group\n"
        "assert CliRunner().invoke(group, ['--help']).exit_code == 0\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not HEAVY & set(json.loads(done.stdout))


def test_help_lists_every_verb_with_its_line() -> None:
    shown = " ".join(CliRunner().invoke(group, ["--help"]).stdout.split())
    for name, line in VERBS.items():
        assert f"{name} {line}" in shown


def test_alone_it_shows_the_help() -> None:
    assert CliRunner().invoke(group, []).stdout == CliRunner().invoke(group, ["--help"]).stdout


@pytest.mark.parametrize("name", VERBS)
def test_verb_has_its_file_and_its_help(name: str) -> None:
    result = CliRunner().invoke(group, [name, "--help"])
    assert result.exit_code == 0
    assert VERBS[name] in " ".join(result.stdout.split())
    for option in ("--table", "--json", "--csv", "--quiet"):
        assert option in result.stdout


def test_every_file_of_a_verb_is_in_the_table() -> None:
    """A file with a command that the table forgets could never be called."""
    folder = ROOT / "src" / "mien" / "cli"
    files = {path.stem: path for path in folder.glob("*.py")} | {
        path.parent.name: path for path in folder.glob("*/__init__.py")
    }
    verbs = {
        name.replace("_", "-") for name, path in files.items() if "\ndef command(" in path.read_text(encoding="utf8")
    }
    assert verbs == set(VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_verb_is_documented(name: str) -> None:
    guides = "".join(path.read_text(encoding="utf8") for path in (ROOT / "docs" / "guides").glob("*.md"))
    assert f"`mien {name}`" in guides
    assert f"## mien {name}\n" in (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf8")


def test_reference_is_what_the_commands_say() -> None:
    """In a process of its own: a command that a test called by itself keeps that call's help option."""
    code = "import cli_reference as tool\nassert tool.PAGE.read_text(encoding='utf8') == tool.page()"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.path.insert(0, 'tools')\n{code}"], cwd=ROOT, check=False
    )
    assert done.returncode == 0, "run python tools/cli_reference.py"


def test_every_option_explains_itself() -> None:
    context = click.Context(group)
    for name in VERBS:
        command = group.get_command(context, name)
        assert command is not None
        for param in command.params:
            assert isinstance(param, click.Argument) or getattr(param, "help", None), f"{name} {param.name}"


def test_version() -> None:
    assert CliRunner().invoke(group, ["--version"]).stdout.startswith("mien 0.")
