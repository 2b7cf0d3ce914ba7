"""A process that does the jobs in a folder: worker.py FOLDER SECONDS-PER-FRAME. For tests that kill it."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

from mien.serve.jobs.work import Work
from mien.serve.service import Service
from mien.serve.settings import Settings


def main(folder: str, pause: float) -> None:
    spec = importlib.util.spec_from_file_location("stubs", Path(__file__).parents[1] / "stubs.py")
    assert spec is not None and spec.loader is not None
    stubs: Any = importlib.util.module_from_spec(spec)
    sys.modules["stubs"] = stubs
    spec.loader.exec_module(stubs)
    step = Work.step

    def slow(self: Work, progress: float | None = None) -> None:
        time.sleep(pause)
        step(self, progress)

    Work.step = slow  # type: ignore[method-assign]
    service = Service(Settings(data=Path(folder), job_lease=1.0), stubs.engine())
    service.open()
    while True:
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
