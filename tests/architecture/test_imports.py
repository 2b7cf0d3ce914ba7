"""`import mien` is light, and the public names are true."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import mien

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "cv2", "onnxruntime", "onnx", "fastapi", "click", "av", "PIL", "scipy", "rich")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_mien_loads_nothing_heavy() -> None:
    loaded = json.loads(run("import json, sys, mien; print(json.dumps(sorted(m.split('.')[0] for m in sys.modules)))"))
    assert not set(HEAVY) & set(loaded)


def test_import_mien_costs_little_more_than_numpy() -> None:
    """Under 1.3 times `import numpy`, medians of interleaved runs in fresh processes."""
    clock = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    numpy, ours = [], []
    for _ in range(9):
        numpy.append(float(run(clock.format("numpy"))))
        ours.append(float(run(clock.format("mien"))))
    # The smallest of several runs is the least disturbed by whatever else the machine does.
    assert min(ours) < 1.3 * min(numpy)


def test_public_names_are_sorted_and_exist() -> None:
    assert sorted(mien.__all__, key=str.casefold) == sorted(mien.__all__, key=str.casefold)
    assert mien.__all__ == sorted(mien.__all__)
    for name in mien.__all__:
        assert getattr(mien, name) is not None


def test_unknown_public_name_is_an_attribute_error() -> None:
    assert not hasattr(mien, "Enigne")


def test_public_names_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "library.md").read_text(encoding="utf8")
    for name in mien.__all__:
        assert f"`{name}`" in page, f"{name} is missing in docs/reference/library.md"


def test_reference_pages_are_fresh() -> None:
    done = subprocess.run([sys.executable, "tools/reference.py", "--check"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_every_module_imports() -> None:
    root = Path(mien.__file__).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if parts[-1] == "__main__":
            continue
        importlib.import_module(".".join(part for part in parts if part != "__init__"))
