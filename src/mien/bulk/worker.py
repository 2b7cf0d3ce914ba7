"""What a worker process runs: read a chunk of jobs, say which one is being looked at, answer."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from mien.errors import MienError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from mien.bulk.makers import Maker, Plan


def serve(pipe: Connection, plan: Plan) -> None:
    """Until the pipe is closed. Words sent: ready (space), at (number, None for all so far), made (results), cannot (error)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever gave the work hears it, and closes the pipe
    one_thread()
    try:
        maker: Maker = plan.load()
    except MienError as error:
        pipe.send(("cannot", error))
        return
    try:
        pipe.send(("ready", maker.space))
        while True:
            jobs = pipe.recv()
            pipe.send(("made", maker.make(jobs, lambda number: pipe.send(("at", number)))))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def one_thread() -> None:
    """Each worker has a core; more threads would only take one another's."""
    import cv2

    cv2.setNumThreads(1)
