"""Those who turn pictures into samples: this process, or others that may die at it.

A crew takes jobs as long as it has `room` and hands back results in any order; each job is answered exactly once.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import connection, get_context
from typing import TYPE_CHECKING, Protocol

from mien.bulk.makers import CHUNK, Job, Plan, Results
from mien.bulk.worker import serve
from mien.errors import MienError, UnreadableMedia
from mien.media.door import shown

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

_AHEAD = 2  # chunks that a worker holds, so that it never waits for the next
_STILLBORN = 3  # processes that end before they are ready, one after the other, before the run gives up
_FRUITLESS = 30  # the same for processes that end without an answer in between
PATIENCE = 300.0  # s without a sign of life before a worker that has work is taken for hung


class Crew(Protocol):
    """Who works, and how much may be given to them."""

    room: int  # jobs that may be unanswered: work for everybody, and no more in memory than that

    def space(self) -> str:
        """Template space of what is made; waits until somebody is ready. Raises ModelError."""

    def give(self, job: Job) -> None:
        """One more job."""

    def take(self) -> Results:
        """The next answers; waits for one at least. Only while jobs are unanswered."""

    def close(self) -> None:
        """Send everybody home; unanswered jobs are dropped."""


class Inline:
    """This process, on as many threads."""

    def __init__(self, plan: Plan, threads: int = 1, chunk: int = CHUNK) -> None:
        self._maker = plan.load()
        self._chunk = chunk
        self._waiting: deque[Job] = deque()
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._futures: set[Future[Results]] = set()
        self.room = 2 * threads * chunk

    def space(self) -> str:
        return self._maker.space

    def give(self, job: Job) -> None:
        self._waiting.append(job)

    def take(self) -> Results:
        if self._pool is None:
            return self._maker.make(self._next(), _unmarked)
        while self._waiting and len(self._futures) < 2 * self._threads:
            self._futures.add(self._pool.submit(self._maker.make, self._next(), _unmarked))
        done, self._futures = wait(self._futures, return_when=FIRST_COMPLETED)
        return [result for future in done for result in future.result()]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def _next(self) -> list[Job]:
        return [self._waiting.popleft() for _ in range(min(self._chunk, len(self._waiting)))]


def _unmarked(number: int | None) -> None:
    """Nobody watches whether this process dies."""


class Backlog:
    """Jobs that wait, and those that are suspected of having ended a worker: these go alone, `tries` times in all."""

    def __init__(self, tries: int = 2) -> None:
        self._waiting: deque[Job] = deque()
        self._suspects: deque[Job] = deque()
        self._tries: dict[int, int] = {}
        self._most = tries

    def __len__(self) -> int:
        return len(self._waiting) + len(self._suspects)

    def add(self, job: Job) -> None:
        self._waiting.append(job)

    def chunk(self) -> list[Job]:
        """What a worker gets next: several jobs, or one suspect."""
        if self._suspects:
            return [self._suspects.popleft()]
        return [self._waiting.popleft() for _ in range(min(CHUNK, len(self._waiting)))]

    def back(self, jobs: Sequence[Job]) -> None:
        """Jobs of a dead worker that are not to blame."""
        self._waiting.extendleft(reversed(jobs))

    def blame(self, job: Job, how: str) -> Results:
        """A job at which a worker died: once more, or its failure."""
        number, source = job
        self._tries[number] = self._tries.get(number, 0) + 1
        if self._tries[number] < self._most:
            self._suspects.append(job)
            return []
        del self._tries[number]
        told = f"{shown(source)} ended the process that looked at it, {self._most} times ({how})."
        remedy = "It may be made to break decoders, or memory is short: look at it, or use fewer workers and --retry."
        return [(number, UnreadableMedia(told, remedy))]

    def answered(self, number: int) -> None:
        """A job that went well after all."""
        self._tries.pop(number, None)


@dataclass(eq=False)
class _Hand:
    """One worker process and what it has not answered yet."""

    process: SpawnProcess
    pipe: connection.Connection
    held: dict[int, Job] = field(default_factory=dict)  # in the order given
    at: int | None = None  # the job it is looking at; None: at those that it has looked at, together
    together: set[int] = field(default_factory=set)  # those it has looked at and not answered: at most a chunk
    ready: bool = False
    since: float = field(default_factory=time.monotonic)  # last sign of life


class Processes:
    """Worker processes, each with models of its own. One that dies or hangs is replaced, and costs the picture it was at
    after one more try; the others it held are done by others."""

    def __init__(self, plan: Plan, count: int, patience: float = PATIENCE) -> None:
        self._plan = plan
        self._patience = patience
        self._backlog = Backlog()
        self._early: Results = []
        self._space: str | None = None
        self._stillborn = self._fruitless = 0
        self.room = count * CHUNK * (_AHEAD + 1)
        self._hands: list[_Hand] = []
        self._hands += [self._hire() for _ in range(count)]

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
            hand.pipe.close()  # an idle worker reads this as the end of its day
            if hand.held or not hand.ready:
                hand.process.kill()
        for hand in self._hands:
            hand.process.join(2)
            if hand.process.is_alive():
                hand.process.kill()
                hand.process.join()
            hand.process.close()
        self._hands.clear()

    def _hire(self) -> _Hand:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=serve, args=(theirs, self._plan), daemon=True)
        with _without_interrupts():
            process.start()
        theirs.close()
        return _Hand(process, ours)

    def _feed(self) -> None:
        for hand in sorted(self._hands, key=lambda hand: len(hand.held)):
            while hand.ready and self._backlog and len(hand.held) <= CHUNK * (_AHEAD - 1):
                chunk = self._backlog.chunk()
                if not hand.held:
                    hand.since = time.monotonic()
                hand.held.update((job[0], job) for job in chunk)
                with suppress(OSError):  # it is dead: the next listening finds that out
                    hand.pipe.send(chunk)

    def _listen(self) -> Results:
        results: Results = []
        spoken = connection.wait([hand.pipe for hand in self._hands], timeout=1.0)
        for hand in list(self._hands):
            if hand.pipe in spoken:
                results += self._hear(hand)
            elif (hand.held or not hand.ready) and time.monotonic() - hand.since > self._patience:
                hand.process.kill()
                results += self._bury(hand, f"no sign of life for {self._patience:.0f} s")
        return results

    def _hear(self, hand: _Hand) -> Results:
        results: Results = []
        try:
            while hand.pipe.poll():
                word, value = hand.pipe.recv()
                hand.since = time.monotonic()
                if word == "at":
                    hand.together |= set() if hand.at is None else {hand.at}
                    hand.at = value
                elif word == "made":
                    results += self._answers(hand, value)
                elif word == "ready":
                    hand.ready, self._stillborn = True, 0
                    self._space = value
                else:
                    raise value  # "cannot": no worker can start
        except (EOFError, OSError):
            return results + self._bury(hand, "")
        return results

    def _answers(self, hand: _Hand, made: Results) -> Results:
        self._fruitless, hand.at = 0, None
        hand.together.clear()
        for number, _ in made:
            del hand.held[number]
            self._backlog.answered(number)
        return made

    def _bury(self, hand: _Hand, how: str) -> Results:
        """A worker is dead: blame what it was at, give the rest to others, hire another."""
        self._hands.remove(hand)
        hand.pipe.close()
        hand.process.join()
        code = hand.process.exitcode or 0
        hand.process.close()
        how = how or (f"signal {-code}" if code < 0 else f"exit code {code}")
        self._stillborn += not hand.ready
        self._fruitless += 1
        if self._stillborn >= _STILLBORN or self._fruitless >= _FRUITLESS:
            what = "before they are ready" if self._stillborn >= _STILLBORN else "one after the other"
            raise MienError(
                f"Worker processes end {what} ({how}).",
                "Memory may be short: use fewer workers; a script must start the work under if __name__ == '__main__'.",
            )
        suspects = {hand.at} if hand.at is not None else hand.together
        results: Results = []
        for number in suspects & set(hand.held):
            results += self._backlog.blame(hand.held.pop(number), how)
        self._backlog.back(list(hand.held.values()))
        self._hands.append(self._hire())
        return results


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal; a child begun in here never hears it, this process hears it after."""
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
