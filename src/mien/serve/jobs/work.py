"""One attempt at a job: where its results go, how far it is, and whether it is still wanted."""

from __future__ import annotations

import copy
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import CannotWrite, Conflict
from mien.serve.jobs.job import Job

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.serve.service import Service

AWAY = 1.0  # s that a step of a job waits for requests, at most: a busy service slows jobs down and does not stop them
_LOOK = 0.005  # s between two looks at the queue


class Halted(Exception):
    """The process stops, or another one has the job: nothing more may be done for it here."""


class Work:
    """What whoever does a job is given. `step` is to be called often."""

    def __init__(self, service: Service, job: Job) -> None:
        self.service, self.job = service, job
        self.progress = 0.0  # 0..1
        self.so_far: dict[str, Any] = {}  # the result until now, which stands when the job fails
        self.cancelled, self.halted = threading.Event(), threading.Event()
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The service's models, with one thread."""
        if self._engine is None:
            whole = self.service.engine
            _ = whole.detector, whole.embedder, whole.judges, whole.points
            self._engine = copy.copy(whole)
            self._engine.threads = 1
        return self._engine

    @property
    def home(self) -> Path:
        """The job's folder."""
        return self.service.jobs.folder(self.job.id)

    def fresh(self, name: str) -> Path:
        """An empty folder for the results of this attempt. Raises CannotWrite."""
        folder = self.home / name
        try:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        except OSError as error:
            raise CannotWrite(f"The job's folder cannot be made: {error.strerror}.", "Check the disk.") from error
        return folder

    def step(self, progress: float | None = None) -> None:
        """Let requests go first, and tell how far it is. Raises Conflict once the job is cancelled, Halted."""
        if progress is not None:
            self.progress = min(max(progress, 0.0), 1.0)
        ends = time.monotonic() + AWAY
        while self.service.lines.depth and time.monotonic() < ends and not self._over():
            time.sleep(_LOOK)
        if self.halted.is_set():
            raise Halted
        if self.cancelled.is_set():
            raise Conflict("The job was cancelled.", "Start another.")

    def _over(self) -> bool:
        return self.halted.is_set() or self.cancelled.is_set()


Kind = Callable[[Work], Mapping[str, Any]]  # does the job and returns its result
