"""Run every benchmark of this folder, one after the other: `python -m benchmarks [NAME …]`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main() -> int:
    """Number of benchmarks that failed."""
    known = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("__main__", "record"))
    failed = 0
    for name in sys.argv[1:] or known:
        print(f"== {name}", flush=True)
        failed += bool(subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=False).returncode)
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
