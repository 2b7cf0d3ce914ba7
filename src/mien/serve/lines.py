"""The engine's workers: one bounded queue, and what waits in it goes through the models together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mien.errors import Overloaded, Unavailable

log = logging.getLogger("mien.serve")
T = TypeVar("T")
# Of the request that is being answered: returns when its client has gone away. Set by `limits`.
GONE: ContextVar[Callable[[], Awaitable[None]] | None] = ContextVar("gone", default=None)
Batch = Callable[[Sequence[Any]], Sequence[Any]]  # payloads -> a result or a MienError for each


@dataclass(slots=True, eq=False)
class _Task:
    kind: Hashable  # tasks of one kind may go together
    batch: Batch
    payload: Any
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    about: Any = None  # what the watch remembers of its request
    since: float = field(default_factory=time.monotonic)


class Watch:
    """Sees what goes through the lines. This one looks away."""

    def here(self) -> Any:
        """What a task is to remember of the request that it is for."""
        return None

    def full(self) -> None:
        """A request found the queue full."""

    def begun(self) -> None:
        """A worker begins a batch, in its own thread."""

    def done(self, tasks: Sequence[tuple[Any, float]], span: tuple[float, float], results: Sequence[Any]) -> None:
        """It is done: for each task `here()` and when it came, when the batch began and ended (s, monotonic)."""


class Lines:
    """`workers` threads over a queue of at most `queue` tasks; a worker takes up to `batch` of one kind at once.

    Nobody waits for a batch to fill: while the workers are idle each task goes alone, and under load those that came
    meanwhile go together. A task whose client went away while it waited is left out; one that has begun is ended, because what
    it changes must be told to the log."""

    def __init__(self, workers: int, queue: int = 64, batch: int = 8, watch: Watch | None = None) -> None:
        self.workers, self.most, self.batch, self._watch = workers, queue, batch, watch or Watch()
        self._waiting: deque[_Task] = deque()
        self._change = threading.Condition()
        self._stopping = False
        self._busy = 0
        self._pace = 0.05  # s per task and worker, a moving mean
        self.sizes: deque[int] = deque(maxlen=1000)  # of the latest batches, for the metrics
        self._threads = [threading.Thread(target=self._work, name=f"line-{n}", daemon=True) for n in range(workers)]
        for one in self._threads:
            one.start()

    @property
    def depth(self) -> int:
        """Tasks that wait."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Workers that work."""
        return self._busy

    async def run(self, function: Callable[..., T], *given: Any) -> T:
        """`function(*given)` on a worker, by itself. Raises Overloaded, Unavailable, and what the function raises."""
        return await self.together(object(), lambda tasks: [_result(function, tasks[0])], given)  # type: ignore[no-any-return]

    async def together(self, kind: Hashable, batch: Batch, payload: Any) -> Any:
        """The result for `payload` of `batch`, which is given those of one `kind` that wait, in one call."""
        loop = asyncio.get_running_loop()
        task = _Task(kind, batch, payload, loop, loop.create_future(), self._watch.here())
        with self._change:
            if self._stopping:
                raise Unavailable("The service is stopping.", "Try again in a moment.")
            if len(self._waiting) >= self.most:
                self._watch.full()
                after = max(1.0, len(self._waiting) * self._pace / self.workers)
                raise Overloaded(f"{self.most} requests wait already.", f"Try again in {after:.0f} s.", after)
            self._waiting.append(task)
            self._change.notify()
        gone = GONE.get()
        mind = loop.create_task(self._mind(gone, task)) if gone is not None else None
        try:
            return await task.future
        finally:
            if mind is not None:
                mind.cancel()

    async def _mind(self, gone: Callable[[], Awaitable[None]], task: _Task) -> None:
        """Take a task out of the queue when nobody waits for it any more."""
        await gone()
        with self._change:
            if task not in self._waiting:
                return
            self._waiting.remove(task)
        if not task.future.done():
            task.future.set_exception(Unavailable("The client went away.", "Ask again."))

    def stop(self, seconds: float) -> None:
        """Take nothing more, and wait until what was taken is done, at most so long."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        ends = time.monotonic() + seconds
        for one in self._threads:
            one.join(max(0.0, ends - time.monotonic()))

    def _work(self) -> None:
        while tasks := self._take():
            begun = time.monotonic()
            self._watch.begun()
            results = _results(tasks)
            ended = time.monotonic()
            with self._change:
                self._busy -= 1
                self._pace += 0.1 * ((ended - begun) / len(tasks) - self._pace)
            try:
                self._watch.done([(task.about, task.since) for task in tasks], (begun, ended), results)
            except Exception as error:
                log.error("what watches the queue failed", exc_info=error)
            for task, result in zip(tasks, results, strict=True):
                _hand_over(task, result)

    def _take(self) -> list[_Task]:
        with self._change:
            while True:
                while self._waiting and self._waiting[0].future.cancelled():
                    self._waiting.popleft()
                if self._waiting:
                    break
                if self._stopping:
                    return []
                self._change.wait()
            first = self._waiting.popleft()
            tasks, rest = [first], deque[_Task]()
            share = -(-(len(self._waiting) + 1) // self.workers)  # so that no worker is idle while another has a heap
            while self._waiting and len(tasks) < min(self.batch, share):
                task = self._waiting.popleft()
                if not task.future.cancelled():
                    (tasks if task.kind == first.kind else rest).append(task)
            self._waiting.extendleft(reversed(rest))
            self._busy += 1
            self.sizes.append(len(tasks))
            return tasks


def _results(tasks: Sequence[_Task]) -> list[Any]:
    """A result or an error for each. Where one picture breaks the batch, each goes alone: others must not pay for it."""
    try:
        found = list(tasks[0].batch([task.payload for task in tasks]))
        if len(found) == len(tasks):
            return found
        raise RuntimeError(f"{len(tasks)} went into a batch and {len(found)} came out.")
    except Exception as error:  # noqa: BLE001 - each of them is told
        return [error] if len(tasks) == 1 else [_results([task])[0] for task in tasks]


def _result(function: Callable[..., Any], given: Sequence[Any]) -> Any:
    try:
        return function(*given)
    except Exception as error:  # noqa: BLE001 - handed over, not lost
        return error


def _hand_over(task: _Task, result: Any) -> None:
    def settle() -> None:
        if task.future.done():
            return
        if isinstance(result, Exception):
            task.future.set_exception(result)
        else:
            task.future.set_result(result)

    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        task.loop.call_soon_threadsafe(settle)
