"""Processes that render side by side, and numbers that any number of them draws alike."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any

import numpy as np


@contextmanager
def pool(count: int, start: Callable[..., None], given: tuple[Any, ...]) -> Iterator[ProcessPoolExecutor]:
    """Processes that call `start(*given)` first. On the way out what has not begun is dropped."""
    context = multiprocessing.get_context("spawn")  # forked copies of threads and locks would hang
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # the processes are the parallelism
    made = ProcessPoolExecutor(count, context, start, given)
    try:
        yield made
    finally:
        made.shutdown(cancel_futures=True)
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def settle() -> None:
    """In a worker: leave Ctrl-C to the parent, and end when the parent is gone, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True).start()


def number(*parts: int) -> int:
    """A number for seeds, far from those of neighbouring parts."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
