"""Imports go only down the layers, and level-2 rooms keep to themselves."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "mien"

LEVELS = {
    "types": 0, "errors": 0, "locks": 0, "report": 0, "where": 0,
    "protocols": 1, "wire": 1, "align": 1, "media": 1, "models": 1,
    "detect": 2, "embed": 2, "judge": 2, "edit": 2, "gallery": 2, "decide": 2, "sighting": 2, "sources": 2,
    "engine": 3,
    "audit": 4, "learn": 4, "bulk": 4, "cluster": 4, "dedupe": 4,
    "reproduce": 5, "compat": 5, "cli": 5, "serve": 5, "client": 5, "__main__": 5,
    "__init__": 6,
}  # fmt: skip


def room(path: Path) -> str:
    part = path.relative_to(SRC).parts[0]
    return part.removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module] if node.module != "mien" else [f"mien.{alias.name}" for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("mien.")}
    return found - {"__version__"}


FILES = sorted(SRC.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_imports_go_down(path: Path) -> None:
    here = room(path)
    assert here in LEVELS, f"{here} has no level: give it one here and in the design"
    for other in rooms_imported(path):
        if other == here or other not in LEVELS:
            continue
        assert LEVELS[other] <= LEVELS[here], f"{path.name} ({here}) imports {other}, which is above it"
        if LEVELS[here] == 2:
            assert LEVELS[other] < 2, f"{here} imports its sibling {other}"


def test_the_check_sees_an_upward_import(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("from mien.engine import Engine\nfrom mien import cli\nimport mien.serve.app\n")
    assert rooms_imported(bad) == {"engine", "cli", "serve"}
