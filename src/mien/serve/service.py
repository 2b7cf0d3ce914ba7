"""What the routes share: engine, galleries, keys, records."""

from __future__ import annotations

import math
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from mien import judge, models
from mien.errors import UnknownModel
from mien.protocols import Judge
from mien.serve import dropping, log
from mien.serve.cursors import Cursors
from mien.serve.doubles import Doubles
from mien.serve.erasing import Eraser, Receipts
from mien.serve.galleries import Galleries
from mien.serve.gate import Gate
from mien.serve.idempotency import Answers
from mien.serve.jobs import Jobs, Runner
from mien.serve.keys import Keys
from mien.serve.lines import Lines
from mien.serve.metrics import Metrics
from mien.serve.policies import Policies
from mien.serve.problems import Folders
from mien.serve.rates import Rates
from mien.serve.records import Records
from mien.serve.rekognition.counter import Counter
from mien.serve.retention import Retention
from mien.serve.review import Review
from mien.serve.sessions import Sessions
from mien.serve.settings import Settings
from mien.serve.traces import traces
from mien.serve.turns import Life
from mien.serve.watch import Lined
from mien.serve.writers import Writers

if TYPE_CHECKING:
    from mien.engine import Engine


KINDS = ("quality", "iso_quality", "expression", "liveness")  # what may be asked for by name; a path may not

LEAST = 1.0  # s for what stops, however late it is


class Service:
    """One per process. `open` is called when the process starts serving, `close` when it has drained."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self.settings, self.engine = settings, engine
        self.folders = Folders(settings)
        self.records = Records(settings.records)
        master = settings.master()
        self.keys = Keys(self.records, master)
        self.cursors = Cursors(master)
        self.log = log.opened(settings.data, self.records, master)
        self.receipts = Receipts(self.records)
        self.erasers: list[Eraser] = []  # what else keeps something about a subject (see `erasing`)
        self.rates = Rates(self.records, settings)
        self.sessions = Sessions(self.records, master)
        self.gate = Gate(self.keys, self.sessions, self.rates, settings)
        self.galleries = Galleries(settings, self.records)
        self.records.keep(dropping.TABLES)
        self.galleries.before_making = partial(dropping.resume, self)
        self.policies, self.writers = Policies(self.records), Writers()
        self.answers = Answers(self.records, Life(settings.data / "lives"))
        self.review = Review(
            self.records, lambda faces: [one.template for one in engine.shots(faces)], settings.keep_images
        )
        self.doubles = Doubles(lambda: engine.points)
        self.erasers += [self.answers.forget, self.review.forget]
        self.metrics, self.traces = Metrics(self), traces(settings.trace_endpoint)
        seen = Lined(self.metrics, self.traces)
        self.galleries.watch = seen.gallery
        self.lines = Lines(settings.threads or engine.threads, settings.queue, settings.batch, seen)
        self.jobs = Jobs(self.records, settings.data / "jobs")
        self.runner = Runner(self)
        self.retention = Retention(self)
        self.ready = False
        self.ends = math.inf  # when it has to be over, by the monotonic clock
        self.process = 0  # which of settings.processes
        self._judges: dict[str, Judge] = {one.kind: one for one in engine.__dict__.get("judges", ())}
        self._lock = threading.Lock()
        self.rekognition = Counter(self)

    def open(self) -> None:
        """Load the models, so that the first request does not wait for them, and end what was cut off. Raises ModelError."""
        _ = self.engine.detector, self.engine.embedder, self.engine.judges
        self.galleries.settle()
        dropping.resume(self)
        self.runner.start()
        self.retention.start()
        self.metrics.start()
        self.ready = True

    def judge(self, kind: str) -> Judge:
        """A judge by what it reads, of those that the operator allows. Raises UnknownModel."""
        if kind not in (*KINDS, *self.settings.judges):
            known = ", ".join((*KINDS, *self.settings.judges))
            raise UnknownModel(f"There is no judge {kind[:60]!r} here.", f"Choose among {known}.")
        with self._lock:
            if kind not in self._judges:
                with models.on(self.settings.device):
                    self._judges[kind] = judge.load(kind)
            return self._judges[kind]

    def close(self) -> None:
        """Finish what was taken and let go of everything."""
        self.ready = False
        ends = min(self.ends, time.monotonic() + self.settings.drain)
        self.runner.stop(max(LEAST, ends - time.monotonic()))
        self.lines.stop(max(LEAST, ends - time.monotonic()))
        self.retention.stop()
        self.metrics.stop()
        self.traces.close()
        self.log.close()
        self.rates.close()
        self.galleries.close()
        self.answers.life.close()
        self.records.close()


def _here(connection: HTTPConnection) -> Service:
    found: Service = connection.app.state.service
    return found


Here = Annotated[Service, Depends(_here)]
