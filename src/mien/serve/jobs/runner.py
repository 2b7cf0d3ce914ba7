"""One thread that hands out jobs: one at a time of those that end, and beside it a few live sources.

It also renews the leases of what is worked on, sees what was cancelled, and once an hour deletes what is old."""

from __future__ import annotations

import importlib
import logging
import os
import secrets
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from mien.errors import MienError
from mien.serve.jobs.hooks import Hooks
from mien.serve.jobs.job import Job, State
from mien.serve.jobs.work import Halted, Kind, Work

if TYPE_CHECKING:
    from mien.serve.service import Service

Result = dict[str, Any] | None

log = logging.getLogger("mien.serve")

KINDS = {"video": "video", "audit": "audits", "calibrate": "calibration"}  # kind -> its module, which has `run`
NICE = 10  # added to the niceness of threads that do jobs
_TICK = 0.2  # s between looks at what is worked on: a cancelled job stops within this and its step
_IDLE = 1.0  # s between looks for jobs of other processes
_STALLED = 1.0  # s that a stopping service waits for a live source
_SWEEP = 3600.0  # s


class Runner:
    """The jobs of one process."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lease = service.settings.job_lease
        self._room = {False: 1, True: service.settings.cameras}  # live? -> how many at once
        self._works: dict[Work, threading.Thread] = {}
        self._lock = threading.Lock()
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="jobs", daemon=True)
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self.hooks = Hooks(service.records, service.settings.master(), service.settings.hooks)
        service.jobs.made, service.jobs.ended = self._wake.set, self.hooks.put
        service.erasers.append(service.jobs.forget)

    def start(self) -> None:
        """Begin to take jobs."""
        self._keeper.start()
        self.hooks.start()

    def stop(self, seconds: float) -> None:
        """Take no more, and give back what is not done: another process goes on with it, or this one when it is back."""
        self._stopping.set()
        self._wake.set()
        with self._lock:
            works = dict(self._works)
        for work in works:
            work.halted.set()
        ends = time.monotonic() + seconds
        for work, thread in works.items():
            # A camera that says nothing keeps its thread for longer; the job need not wait for that.
            thread.join(max(0.0, min(_STALLED, seconds) if work.job.live else ends - time.monotonic()))
            if thread.is_alive():
                self._service.jobs.give_back(work.job)
        if self._keeper.ident is not None:
            self._keeper.join(max(0.0, ends - time.monotonic()))
        self.hooks.stop(max(0.0, ends - time.monotonic()))

    @property
    def busy(self) -> int:
        """How many jobs are worked on."""
        return len(self._works)

    # --- the keeper -----------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        renewed, swept = 0.0, -_SWEEP
        while not self._stopping.is_set():
            now = time.monotonic()
            try:
                self._watch(renew=now - renewed >= min(1.0, self._lease / 4))
                renewed = now if now - renewed >= min(1.0, self._lease / 4) else renewed
                for live in (False, True):
                    self._hand_out(live)
                if now - swept >= _SWEEP:
                    swept = now
                    self._service.jobs.sweep(self._service.settings.job_days)
            except Exception as error:  # the records are busy, or the disk is full: that may pass
                log.warning("jobs wait: %s", error, exc_info=not isinstance(error, MienError | OSError))
            self._wake.wait(_TICK if self._works else _IDLE)
            self._wake.clear()

    def _watch(self, renew: bool) -> None:
        jobs = self._service.jobs
        with self._lock:
            works = list(self._works)
        for work in works:
            if jobs.renew(work.job, work.progress, self._lease) if renew else jobs.holds(work.job):
                continue
            mine = jobs.mine(work.job)
            (work.cancelled if mine else work.halted).set()

    def _hand_out(self, live: bool) -> None:
        while not self._stopping.is_set() and sum(one.job.live == live for one in self._works) < self._room[live]:
            job = self._service.jobs.lease(f"{self._process}:{secrets.token_hex(4)}", live, self._lease)
            if job is None:
                return
            work = Work(self._service, job)
            thread = threading.Thread(target=self._do, args=(work,), name=f"job-{job.id}", daemon=True)
            with self._lock:
                self._works[work] = thread
            thread.start()

    # --- a job ----------------------------------------------------------------------------------------------------

    def _do(self, work: Work) -> None:
        _behind()
        try:
            self._finish(work, *_outcome(work))
        except MienError as error:  # the records take nothing now: the lease runs out, and the job is done again
            log.warning("job %s could not be finished: %s", work.job.id, error)
        finally:
            with self._lock:
                self._works.pop(work, None)
            self._wake.set()

    def _finish(self, work: Work, state: State | None, result: Result, problem: Result) -> None:
        jobs, job = self._service.jobs, work.job
        if state is None:
            jobs.give_back(job)
        elif work.cancelled.is_set():
            jobs.settle(job, result or {})
            jobs.let_go(job)
        elif jobs.finish(job, state, result, problem):
            jobs.let_go(job)


def _outcome(work: Work) -> tuple[State | None, Result, Result]:
    """What became of the work: state, result and problem; no state where it was left as it is."""
    try:
        return "done", dict(kind_of(work.job)(work)), None
    except Halted:
        return None, None, None
    except MienError as error:
        return "failed", work.so_far or None, work.service.folders.told(error)
    except Exception as error:
        log.error("job %s failed", work.job.id, exc_info=error)
        told = "The service failed at it; its log has more under the job's id."
        return "failed", work.so_far or None, {"type": "InternalError", "title": "InternalError", "detail": told}


def kind_of(job: Job) -> Kind:
    """What does a job of this kind. Loaded when it is needed: audits take seconds to import."""
    found: Kind = importlib.import_module(f"mien.serve.jobs.{KINDS[job.kind]}").run
    return found


def _behind() -> None:
    """Let this thread's work, and that of threads it starts, come after requests. Only Linux has it by thread."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + NICE))
