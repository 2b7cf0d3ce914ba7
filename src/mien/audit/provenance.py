"""What a number was made with: code, machine, day. A number without it cannot be defended."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from functools import cache
from pathlib import Path
from typing import Any

import mien


def provenance(seed: int | None = None, rounds: int | None = None) -> dict[str, Any]:
    """Version, commit, day and machine, with the seed and the number of resamples where something was drawn."""
    drawn = {"seed": seed, "rounds": rounds}
    return {
        "mien": mien.__version__,
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "python": platform.python_version(),
        "machine": machine(),
    } | {name: value for name, value in drawn.items() if value is not None}


@cache
def commit() -> str:
    """The commit of the checkout that this code runs from, "changed" behind it where the code differs; "" elsewhere.

    A checkout of something else that only holds this package's folder is not mistaken for ours."""
    here = Path(__file__)
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) != here.name:
        return ""
    changed = _git(here.parent, "status", "--porcelain", "--", str(Path(mien.__file__).parent))
    return _git(here.parent, "rev-parse", "HEAD") + (" changed" if changed else "")


@cache
def machine() -> dict[str, Any]:
    """Processor, cores, system."""
    return {"processor": _processor(), "cores": os.cpu_count(), "system": platform.system()}


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
