"""Changes of galleries have threads of their own: while another process keeps a gallery locked, only those who change wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from mien.errors import Overloaded

P = ParamSpec("P")
R = TypeVar("R")
THREADS = 16
WAITING = 64  # changes that wait for a thread, each with up to 32 crops; more are answered with 429


class Writers:
    """The threads of one process."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(THREADS)

    async def run(self, function: Callable[..., R], *given: Any, **named: Any) -> R:
        """`function` on one of the threads. Raises Overloaded, and what the function raises."""
        if self._limiter.statistics().tasks_waiting >= WAITING:
            raise Overloaded(f"{WAITING} changes of galleries wait already.", "Try again in a second.")
        return await to_thread.run_sync(partial(function, *given, **named), limiter=self._limiter)


def writes(route: Callable[P, R]) -> Callable[P, Awaitable[R]]:
    """A route with the parameter `service` that changes a gallery, to run on those threads."""

    @wraps(route)
    async def run(*given: P.args, **named: P.kwargs) -> R:
        writers: Writers = named["service"].writers  # type: ignore[attr-defined]
        return await writers.run(route, *given, **named)

    return run
