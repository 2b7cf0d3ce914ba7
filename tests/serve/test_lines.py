"""The queue before the engine: what waits goes together, what is too much is refused, what was taken is finished."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mien.errors import NoFace, Overloaded, Unavailable
from mien.serve.lines import Lines


async def until(true: Callable[[], bool]) -> None:
    """Wait for the workers, a second at most."""
    ends = time.monotonic() + 1
    while not true():
        assert time.monotonic() < ends
        await asyncio.sleep(0.001)


def test_what_came_while_a_worker_worked_goes_together() -> None:
    gate, sizes = threading.Event(), []

    def batch(tasks: Sequence[int]) -> list[int]:
        gate.wait(5)
        sizes.append(len(tasks))
        return [task * 10 for task in tasks]

    async def scene(lines: Lines) -> list[Any]:
        calls = [asyncio.create_task(lines.together("a", batch, 0))]
        await until(lambda: lines.busy == 1)
        calls += [asyncio.create_task(lines.together("a", batch, number)) for number in range(1, 7)]
        await until(lambda: lines.depth == 6)
        gate.set()
        return await asyncio.gather(*calls)

    lines = Lines(1, queue=20, batch=4)
    assert asyncio.run(scene(lines)) == [number * 10 for number in range(7)]
    assert sizes[0] == 1 and max(sizes) == 4 and sum(sizes) == 7
    lines.stop(1)


def test_two_kinds_never_go_together_and_neither_starves() -> None:
    def batch(tasks: Sequence[str]) -> list[str]:
        time.sleep(0.01)
        assert len(set(tasks)) == 1
        return list(tasks)

    async def scene(lines: Lines) -> list[Any]:
        return await asyncio.gather(*(lines.together(kind, batch, kind) for kind in "abaabbaab"))

    lines = Lines(2, batch=4)
    assert asyncio.run(scene(lines)) == list("abaabbaab")
    lines.stop(1)


def test_more_than_may_wait_is_refused_with_a_time() -> None:
    gate = threading.Event()

    async def scene(lines: Lines) -> None:
        calls = [asyncio.create_task(lines.run(gate.wait, 5))]
        await until(lambda: lines.busy == 1)
        calls += [asyncio.create_task(lines.run(int)) for _ in range(2)]
        await until(lambda: lines.depth == 2)
        with pytest.raises(Overloaded) as refused:
            await lines.run(int)
        assert refused.value.after >= 1
        gate.set()
        await asyncio.gather(*calls)

    lines = Lines(1, queue=2)
    asyncio.run(scene(lines))
    lines.stop(1)


def test_each_gets_its_own_error_and_a_failed_batch_tells_all() -> None:
    def refuse() -> None:
        raise NoFace("Nobody.")

    def broken(tasks: Sequence[int]) -> list[int]:
        raise ZeroDivisionError

    async def scene(lines: Lines) -> list[Any]:
        calls = (lines.run(refuse), lines.run(int), lines.together("b", broken, 1))
        return await asyncio.gather(*calls, return_exceptions=True)

    lines = Lines(1)
    first, second, third = asyncio.run(scene(lines))
    assert isinstance(first, NoFace) and second == 0 and isinstance(third, ZeroDivisionError)
    lines.stop(1)


def test_a_task_whose_client_left_is_left_out() -> None:
    gate, done = threading.Event(), []

    async def scene(lines: Lines) -> None:
        first = asyncio.create_task(lines.run(gate.wait, 5))
        await until(lambda: lines.busy == 1)
        left = asyncio.create_task(lines.run(done.append, "left"))
        stays = asyncio.create_task(lines.run(done.append, "stays"))
        await until(lambda: lines.depth == 2)
        left.cancel()
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, stays)

    lines = Lines(1, batch=1)
    asyncio.run(scene(lines))
    assert done == ["stays"]
    lines.stop(1)


def test_stopping_finishes_what_was_taken_and_takes_no_more() -> None:
    async def scene(lines: Lines) -> Any:
        taken = [asyncio.create_task(lines.run(time.sleep, 0.02)) for _ in range(5)]
        await until(lambda: lines.busy == 2 and lines.depth == 3)
        await asyncio.to_thread(lines.stop, 5)
        with pytest.raises(Unavailable):
            await lines.run(int)
        return await asyncio.gather(*taken)

    assert asyncio.run(scene(Lines(2))) == [None] * 5
