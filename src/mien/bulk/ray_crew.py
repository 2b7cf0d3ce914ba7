"""Workers on the machines of a Ray cluster. What a node that is lost was at is done by others.

Paths must be readable on every node (a shared file system, or object storage), and mien installed there. Only names of
files travel to the nodes, and samples back; gallery and journal stay with the one who started the run.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from mien.bulk.crew import Backlog
from mien.bulk.makers import CHUNK, Job, Plan, Results
from mien.errors import MienError, UsageError

_AHEAD = 2  # chunks that an actor holds
_TRIES = 3  # a lost node takes whole chunks along, innocent ones too, so that one try more is given than to processes
_FRUITLESS = 100  # actors lost without an answer in between, before the run gives up


class Actor:
    """What Ray keeps on a node, with its models."""

    def __init__(self, plan: Plan) -> None:
        from mien.bulk.worker import one_thread

        one_thread()
        self._error: MienError | None = None
        try:
            self._maker = plan.load()
        except MienError as error:
            self._error = error

    def space(self) -> str | MienError:
        """Template space of what is made here, or why nothing can be."""
        return self._error or self._maker.space

    def make(self, jobs: Sequence[Job]) -> Results:
        """Samples or failures."""
        return self._maker.make(jobs, lambda number: None)


@dataclass(eq=False)
class _Hand:
    actor: Any
    hello: Any  # reference to its space; None once it is ready
    held: dict[Any, list[Job]] = field(default_factory=dict)  # {reference: chunk}


class RayCrew:
    """As many actors as the cluster has CPUs (or as told), each with a bounded number of jobs in flight."""

    def __init__(self, plan: Plan, address: str, workers: int | Literal["auto"] = "auto") -> None:
        """Raises UsageError where Ray is not installed or the cluster cannot be reached."""
        self._ray = ray = _ray()
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(ray, address)
        count = int(ray.cluster_resources().get("CPU", 1)) if workers == "auto" else workers
        self.count = max(1, count)
        self.room = self.count * CHUNK * (_AHEAD + 1)
        self._kind = ray.remote(num_cpus=1, max_restarts=0)(Actor)
        self._plan = ray.put(plan)
        self._backlog = Backlog(_TRIES)
        self._early: Results = []
        self._space: str | None = None
        self._fruitless = 0
        self._hands: list[_Hand] = []
        for _ in range(self.count):
            self._hire()

    def space(self) -> str:
        while self._space is None:
            self._early += self._listen()
        return self._space

    def give(self, job: Job) -> None:
        self._backlog.add(job)

    def take(self) -> Results:
        results, self._early = self._early, []
        while not results:
            self._feed()
            results = self._listen()
        self._feed()
        return results

    def close(self) -> None:
        for hand in self._hands:
            self._ray.kill(hand.actor)
        self._hands.clear()
        if self._ours:
            self._ray.shutdown()

    def _hire(self) -> None:
        actor = self._kind.remote(self._plan)
        self._hands.append(_Hand(actor, actor.space.remote()))

    def _feed(self) -> None:
        for hand in sorted(self._hands, key=lambda hand: len(hand.held)):
            # One that is not ready may be waiting for a node that never comes: the others would wait for its jobs.
            while hand.hello is None and self._backlog and len(hand.held) < _AHEAD:
                chunk = self._backlog.chunk()
                hand.held[hand.actor.make.remote(chunk)] = chunk

    def _listen(self) -> Results:
        waiting = {reference: hand for hand in self._hands for reference in hand.held}
        waiting |= {hand.hello: hand for hand in self._hands if hand.hello is not None}
        ready, _ = self._ray.wait(list(waiting), num_returns=1, timeout=1.0)
        results: Results = []
        for reference in ready:
            hand = waiting[reference]
            if hand not in self._hands:
                continue  # buried meanwhile, with what it held
            try:
                answer = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                results += self._bury(hand, error)
                continue
            if reference is hand.hello:
                self._greet(hand, answer)
                continue
            del hand.held[reference]
            self._fruitless = 0
            for number, _ in answer:
                self._backlog.answered(number)
            results += answer
        return results

    def _greet(self, hand: _Hand, answer: str | MienError) -> None:
        if isinstance(answer, MienError):
            raise answer
        if self._space not in (None, answer):
            raise MienError(
                "The nodes of the Ray cluster make templates of different spaces.", "Install the same mien on all."
            )
        hand.hello, self._space = None, answer

    def _bury(self, hand: _Hand, error: Exception) -> Results:
        """An actor is lost: the chunk it was at goes on one by one, the next to others."""
        self._hands.remove(hand)
        self._fruitless += 1
        if self._fruitless >= _FRUITLESS:
            raise MienError(
                f"Ray workers are lost one after the other ({_line(error)}).", "Look at the cluster's logs."
            )
        results: Results = []
        for place, chunk in enumerate(hand.held.values()):
            if place:
                self._backlog.back(chunk)
                continue
            for job in chunk:
                results += self._backlog.blame(job, _line(error))
        self._hire()
        return results


def _ray() -> Any:
    # Ray reports to its makers how it is used unless it is told not to; what is done with faces is nobody's business.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        return import_module("ray")
    except ImportError as error:
        raise UsageError(
            "Work on a cluster needs the package ray, which is not installed.", "Install mien[ray]."
        ) from error


def _connect(ray: Any, address: str) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == "local":
            ray.init(include_dashboard=False, **options)
        else:
            _knock(address)
            ray.init(address=address, **options)
    except (OSError, ValueError, RuntimeError) as error:
        told = f"The Ray cluster at {address} cannot be reached: {_line(error)}."
        raise UsageError(told, "Start it with `ray start --head`, or say --ray local.") from error


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray itself tries for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120].rstrip(".") or type(error).__name__
