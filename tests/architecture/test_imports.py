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


def test_import_mien_loads_not_even_numpy() -> None:
    """So it cannot cost more than numpy does; `benchmarks/start.py` has the figures."""
    loaded = json.loads(run("import json, sys, mien; print(json.dumps(sorted(sys.modules)))"))
    assert "numpy" not in loaded
    assert [name for name in loaded if name.startswith("mien")] == ["mien"]


def test_every_public_name_has_a_home() -> None:
    assert sorted(mien._HOME) == sorted(mien.__all__)


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
