"""Where results are kept: JSON with what was measured and what it was made on.

    from record import save
    save("embed_speed", {"fp32, batch 1": {"ratio": 12.9, "n": 41}}, sys.argv)

A test refuses a result without commit, command, machine and load.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mien.audit.provenance import machine

RESULTS = Path(__file__).parent / "results"
PACKAGES = (
    "numpy",
    "embreex",
    "lightning",
    "onnxruntime",
    "opencv-python-headless",
    "av",
    "Pillow",
    "dlib-bin",
    "faiss-cpu",
    "usearch",
    "lancedb",
    "pymilvus",
    "milvus",
    "ray",
    "face_recognition",
    "numba",
    "cryptography",
    "tenseal",
    "torch",
)


def save(name: str, results: Mapping[str, Any], argv: Sequence[str], folder: Path = RESULTS) -> Path:
    """Write results/NAME.json and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    command = "python benchmarks/" + " ".join([Path(argv[0]).name, *argv[1:]])
    path.write_text(json.dumps({"name": name, "made": made(command), "results": results}, indent=1) + "\n", "utf8")
    return path


def made(command: str) -> dict[str, Any]:
    """Provenance: what was run, on which code and which machine, and how busy that was."""
    return {
        "command": command,
        "commit": _git("rev-parse", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "--", "src")),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "machine": machine(),
        "load": [round(value, 1) for value in os.getloadavg()],
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout.strip()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
