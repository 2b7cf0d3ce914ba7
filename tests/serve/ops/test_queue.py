"""What goes through the models together fails alone, and is seen."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import pytest

from mien.errors import InputError, Overloaded
from mien.serve.lines import Lines, Watch


class Noted(Watch):
    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.full_ = 0

    def full(self) -> None:
        self.full_ += 1

    def done(self, tasks: Sequence[tuple[Any, float]], span: tuple[float, float], results: Sequence[Any]) -> None:
        assert all(since <= span[0] <= span[1] for _, since in tasks)
        self.sizes.append(len(results))
        raise RuntimeError("nobody waits in vain because of me")


def doubled(payloads: Sequence[int]) -> list[int]:
    if 13 in payloads:
        raise InputError("13 breaks whatever it is in.")
    return [2 * each for each in payloads]


def test_one_that_breaks_its_batch_fails_alone() -> None:
    hold, watch = threading.Event(), Noted()
    lines = Lines(1, queue=20, batch=8, watch=watch)

    async def go() -> list[Any]:
        first = asyncio.create_task(lines.run(hold.wait, 10))
        await asyncio.sleep(0.05)
        rest = [asyncio.create_task(lines.together("kind", doubled, each)) for each in (1, 13, 3)]
        await asyncio.sleep(0.05)
        hold.set()
        await first
        return await asyncio.gather(*rest, return_exceptions=True)

    one, bad, three = asyncio.run(go())
    lines.stop(5)
    assert (one, three) == (2, 6)
    assert isinstance(bad, InputError)
    assert watch.sizes == [1, 3]


def test_a_batch_that_loses_an_answer_is_a_failure_and_not_the_end() -> None:
    lines = Lines(1)

    async def go() -> int:
        with pytest.raises(RuntimeError, match="1 went"):
            await lines.together("kind", lambda payloads: [], 1)
        return int(await lines.together("kind", doubled, 4))

    assert asyncio.run(go()) == 8
    lines.stop(5)


def test_a_full_queue_is_seen() -> None:
    hold, watch = threading.Event(), Noted()
    lines = Lines(1, queue=1, watch=watch)

    async def go() -> None:
        tasks = []
        for _ in range(2):
            tasks.append(asyncio.create_task(lines.run(hold.wait, 10)))
            await asyncio.sleep(0.05)
        with pytest.raises(Overloaded):
            await lines.run(hold.wait, 10)
        hold.set()
        await asyncio.gather(*tasks)

    asyncio.run(go())
    lines.stop(5)
    assert watch.full_ == 1


def test_whoever_went_away_is_not_worked_for(live: Any, stubs: ModuleType) -> None:
    one = live(threads=1)
    hold, seen, found = threading.Event(), [], one.service.engine.faces

    def faces(frame: Any) -> Any:
        seen.append(frame.width)
        hold.wait(10)
        return found(frame)

    one.service.engine.faces = faces
    headers = b"authorization: Bearer " + one.service.keys.make("tests", "admin", "default").encode() + b"\r\n"

    def asked(people: int) -> Any:
        data = stubs.picture(*[stubs.RED] * people)
        line = one.connected()
        head = b"POST /v1/detect HTTP/1.1\r\nhost: x\r\ncontent-type: image/png\r\ncontent-length: %d\r\n" % len(data)
        line.sendall(head + headers + b"\r\n" + data)
        time.sleep(0.3)
        return line

    first, second, third = asked(1), asked(2), asked(3)
    assert one.service.lines.depth == 2
    second.close()
    time.sleep(0.5)
    assert one.service.lines.depth == 1
    hold.set()
    for each in (first, third):
        assert each.recv(65536).startswith(b"HTTP/1.1 200")
        each.close()
    assert seen == [64, 192]
