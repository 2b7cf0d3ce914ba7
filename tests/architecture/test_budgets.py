"""The house's budgets: short functions, short files, few parameters, no print, no swallowed failures."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "mien"
FILES = sorted(SRC.rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[Path, Function]]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, Function):
                yield path, node


def length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_are_short() -> None:
    lengths = sorted(length(node) for _, node in functions())
    assert lengths[int(0.95 * (len(lengths) - 1))] <= 45
    too_long = [f"{path.name}:{node.lineno} {node.name}" for path, node in functions() if length(node) > 60]
    assert not too_long


def test_files_are_short() -> None:
    assert not [path.name for path in FILES if len(path.read_text(encoding="utf8").splitlines()) >= 400]


def test_few_parameters() -> None:
    def count(node: Function) -> int:
        names = [arg.arg for arg in node.args.posonlyargs + node.args.args + node.args.kwonlyargs]
        return len([name for name in names if name not in ("self", "cls")])

    # compat/ keeps other people's signatures, cli/ callbacks take one parameter per option.
    crowded = [
        f"{path.name}:{node.lineno} {node.name}"
        for path, node in functions()
        if count(node) > 6 and not {"compat", "cli"} & set(path.parts)
    ]
    assert not crowded


def test_no_print_and_no_swallowed_failures() -> None:
    prints, broad = [], []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                prints.append(where)
            if isinstance(node, ast.ExceptHandler) and not {"cli", "serve"} & set(path.parts):
                caught = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
                if any(kind is None or getattr(kind, "id", "") in ("Exception", "BaseException") for kind in caught):
                    broad.append(where)
    assert not prints
    assert not broad


def test_every_room_opens_with_its_arrow() -> None:
    for path in SRC.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf8"))), f"{path} has no opening line"


def test_project_names_no_machine() -> None:
    """The project speaks of itself alone: no machine path, no registry host."""
    words = ("/" + "work/", "index" + "-url", "pypi" + ".org", "files.python" + "hosted")
    found = []
    for pattern in ("src/**/*.py", "src/**/*.toml", "tests/**/*.py", "docs/**/*.md", "benchmarks/**/*", "examples/*", "*.md",
                    "Makefile"):  # fmt: skip
        for path in ROOT.glob(pattern):
            if path.is_file() and path.suffix not in (".png", ".pyc"):
                text = path.read_text(encoding="utf8")
                found += [f"{path.relative_to(ROOT)}: {word}" for word in words if word in text]
    assert not found
