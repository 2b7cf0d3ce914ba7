"""Jobs outlive the process that works on them, and are done once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mien.serve.jobs import timeline
from mien.serve.jobs.job import Job
from mien.serve.jobs.store import MOST_ATTEMPTS
from mien.serve.service import Service


@pytest.fixture
def queued(service: Service, people: str, film: Callable[..., bytes], stubs: ModuleType) -> Iterator[Job]:
    """A video job that nobody works on; `service` is not open."""
    jobs = service.jobs
    number = jobs.new_id()
    jobs.folder(number).mkdir(parents=True)
    (jobs.folder(number) / "upload").write_bytes(film((stubs.RED,), (stubs.GREEN,), (stubs.BLUE,), each=10))
    asked = {"gallery": people, "upload": "upload", "hook": "http://127.0.0.1:9/"}
    yield jobs.make(number, ("default", "key"), "video", asked)
    service.close()


@contextmanager
def process(service: Service, pause: float) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, str(Path(__file__).with_name("worker.py")), str(service.settings.data), str(pause)]
    one = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        yield one
    finally:
        one.kill()
        one.wait()


def until(service: Service, job: Job, true: Callable[[Job], bool], seconds: float = 40.0) -> Job:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = service.jobs.get("default", job.id)
        if true(found):
            return found
        time.sleep(0.02)
    raise AssertionError(found)


def hooks(service: Service, job: Job) -> list[Any]:
    return service.runner.hooks.of(job)


def subjects(service: Service, job: Job) -> list[Any]:
    return [one["subject"] for one in timeline.page(service.jobs.folder(job.id), job, None, 100)]


def test_a_job_whose_process_was_killed_is_finished_by_another(service: Service, queued: Job) -> None:
    with process(service, 0.1) as first:
        until(service, queued, lambda job: job.progress > 0.3)
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert service.jobs.get("default", queued.id).state == "running"
    with process(service, 0.0):
        done = until(service, queued, lambda job: job.over)
    assert (done.state, done.attempts) == ("done", 2)
    assert done.result is not None and done.result["seen"] == 3
    assert subjects(service, done) == ["Red", None, "Blue"]
    assert len(hooks(service, done)) == 1
    assert not (service.jobs.folder(done.id) / "upload").exists()


@pytest.mark.slow
def test_a_process_that_slept_through_its_lease_changes_nothing(service: Service, queued: Job) -> None:
    with process(service, 0.1) as first:
        until(service, queued, lambda job: job.progress > 0.3)
        first.send_signal(signal.SIGSTOP)
        with process(service, 0.0):
            done = until(service, queued, lambda job: job.over)
            first.send_signal(signal.SIGCONT)
            time.sleep(4)
    again = service.jobs.get("default", queued.id)
    assert again == done and done.attempts == 2
    assert subjects(service, again) == ["Red", None, "Blue"]
    assert len(hooks(service, done)) == 1


def test_only_the_holder_of_the_lease_finishes(service: Service, queued: Job) -> None:
    jobs = service.jobs
    assert jobs.lease("a", True, 10) is None
    first = jobs.lease("a", False, 0.01)
    assert first is not None and first.worker == "a"
    time.sleep(0.02)
    second = jobs.lease("b", False, 10)
    assert second is not None and (second.id, second.attempts) == (first.id, 2)
    assert jobs.lease("c", False, 10) is None
    assert not jobs.renew(first, 0.5, 10) and not jobs.holds(first)
    assert not jobs.finish(first, "done", {"seen": 1})
    jobs.give_back(first)
    jobs.settle(first, {"seen": 1})
    assert jobs.renew(second, 0.5, 10) and jobs.holds(second)
    assert jobs.finish(second, "done", {"seen": 2})
    assert not jobs.finish(second, "failed", None)
    done = jobs.get("default", first.id)
    assert (done.state, done.result, done.progress) == ("done", {"seen": 2}, 1.0)
    assert len(hooks(service, done)) == 1


def test_a_lease_goes_to_one_of_many(service: Service, queued: Job) -> None:
    got: list[Any] = []
    barrier = threading.Barrier(8)

    def take(name: str) -> None:
        barrier.wait()
        got.append(service.jobs.lease(name, False, 10))

    threads = [threading.Thread(target=take, args=(str(number),)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(job is not None for job in got) == 1


def test_a_job_that_ends_its_processes_is_given_up(service: Service, queued: Job) -> None:
    for _ in range(MOST_ATTEMPTS):
        assert service.jobs.lease("a", False, 0.0) is not None
        time.sleep(0.001)
    assert service.jobs.lease("a", False, 10) is None
    failed = service.jobs.get("default", queued.id)
    assert failed.state == "failed" and failed.problem is not None and "3 processes" in failed.problem["detail"]


def test_a_stopping_service_gives_its_job_back(service: Service, queued: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.serve.jobs.work import Work

    step = Work.step

    def slow(self: Work, progress: float | None = None) -> None:
        time.sleep(0.05)
        step(self, progress)

    monkeypatch.setattr(Work, "step", slow)
    service.open()
    until(service, queued, lambda job: job.progress > 0.1)
    began = time.monotonic()
    service.runner.stop(10)
    assert time.monotonic() - began < 2
    back = service.jobs.get("default", queued.id)
    assert (back.state, back.attempts, back.worker) == ("queued", 0, None)
    assert (service.jobs.folder(queued.id) / "upload").exists()


def test_a_tenant_with_many_jobs_does_not_hold_up_another(service: Service) -> None:
    jobs = service.jobs
    for number in range(5):
        jobs.make(f"a{number}", ("many", "k"), "video", {})
    jobs.make("b", ("few", "k"), "video", {})
    order = []
    while (job := jobs.lease("w", False, 10)) is not None:
        order.append(job.id)
        jobs.finish(job, "done", None)
        time.sleep(0.002)
    assert order == ["a0", "b", "a1", "a2", "a3", "a4"]
    service.close()


def test_results_go_after_so_many_days(service: Service, queued: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = service.jobs
    held = jobs.lease("w", False, 10)
    assert held is not None and jobs.finish(held, "done", {"seen": 1})
    waiting = jobs.make(jobs.new_id(), ("default", "key"), "video", {})
    jobs.make(jobs.new_id(), ("default", "key"), "video", {}, live=True)
    camera = jobs.lease("w", True, 10)
    assert camera is not None
    part = jobs.folder(camera.id) / timeline.part(camera)
    part.mkdir(parents=True)
    (part / timeline.LINES).write_text('{"id": "1-0", "seen": "2020-01-01T00:00:00.000+00:00"}\n')
    stray = jobs.folder("0" * 16)
    stray.mkdir()
    now = time.time()
    monkeypatch.setattr("mien.serve.jobs.store.time.time", lambda: now + 29 * 86_400)
    assert jobs.sweep(0) == 0 and timeline.page(jobs.folder(camera.id), camera, None, 10)
    assert jobs.sweep(30) == 0 and jobs.folder(queued.id).exists() and not stray.exists()
    monkeypatch.setattr("mien.serve.jobs.store.time.time", lambda: now + 31 * 86_400)
    assert jobs.sweep(30) == 1 and not jobs.folder(queued.id).exists()
    assert {job.id for job in jobs.listed("default", None, 10)} == {waiting.id, camera.id}
    assert timeline.page(jobs.folder(camera.id), camera, None, 10) == []  # what it showed so long ago is gone too


def test_requests_go_before_jobs(service: Service, queued: Job) -> None:
    from mien.serve.jobs.work import AWAY, Work

    work = Work(service, queued)
    began = time.monotonic()
    work.step()
    assert time.monotonic() - began < 0.1

    class Busy:
        depth = 1

    lines, service.lines = service.lines, Busy()  # type: ignore[assignment]
    began = time.monotonic()
    work.step()
    service.lines = lines
    assert AWAY * 0.9 < time.monotonic() - began < AWAY * 2  # and still goes on after a while
