"""What Prometheus reads: how much is asked, how long it takes, what is decided, how much is kept.

Each process counts for itself (label `process`). Where there are several, each keeps what it counted in a file once a second,
and whichever is asked answers for all, from the files: a counter that was read there never goes back."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mien.errors import MienError
from mien.types import Decision, Face

if TYPE_CHECKING:
    from mien.serve.service import Service

TIMES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # s
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
EVERY = 1.0  # s between the files of a process


class Metrics:
    """The numbers of one process."""

    def __init__(self, service: Service) -> None:
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._service, self.registry = service, CollectorRegistry()
        own: Any = {"registry": self.registry}
        self.requests = Counter("mien_requests", "Requests answered.", ("route", "method", "status"), **own)
        self.seconds = Histogram("mien_request_seconds", "Time to answer.", ("route",), buckets=TIMES, **own)
        self.waits = Histogram("mien_queue_seconds", "Time in the engine's queue.", buckets=TIMES, **own)
        self.sizes = Histogram("mien_batch_size", "Requests put through the models together.", buckets=SIZES, **own)
        self.engine = Counter("mien_engine_seconds", "Time that the engine's workers worked.", **own)
        self.searches = Histogram("mien_search_seconds", "Time of a search of a gallery.", buckets=TIMES, **own)
        self.faces = Counter("mien_faces", "Faces seen.", **own)
        self.decisions = Counter("mien_decisions", "Decisions by verdict.", ("verdict",), **own)
        self.refused = Counter("mien_refused", "Requests that found the engine's queue full.", **own)
        for verdict in ("accept", "reject", "abstain"):
            self.decisions.labels(verdict)
        self.registry.register(_Now(service))
        ProcessCollector(registry=self.registry)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request that was answered."""
        self.requests.labels(route, method, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def batch(self, waits: Sequence[float], seconds: float, results: Iterable[Any]) -> None:
        """What went through the engine together: how long each waited, how long it took, what came out."""
        self.sizes.observe(len(waits))
        self.engine.inc(seconds)
        for each in waits:
            self.waits.observe(each)
        for each in results:
            self._seen(each)

    def _seen(self, result: Any, depth: int = 3) -> None:
        if isinstance(result, Decision):
            self.decisions.labels(result.verdict).inc()
            self.faces.inc(len(result.faces))
        elif isinstance(result, Face):
            self.faces.inc()
        elif isinstance(result, list | tuple) and depth:
            for each in result:
                self._seen(each, depth - 1)

    def start(self) -> None:
        """Begin to keep files, where there are siblings."""
        if self._service.settings.processes > 1 and self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="metrics", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Leave a last file."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """The page of all processes, and its content type."""
        encode, kind = prometheus_client.exposition.choose_encoder(accept)
        page = CollectorRegistry()
        page.register(_All(self))
        return encode(page), kind

    def families(self) -> list[Metric]:
        """This process's, then its siblings'; the former from its file too, so that no other reading is ahead."""
        service = self._service
        if service.settings.processes == 1:
            return _merged([(str(service.process), _told(self.registry))])
        self._write()
        kept = ((str(number), self._read(number)) for number in range(service.settings.processes))
        return _merged([(number, told) for number, told in kept if told is not None])

    def _keep(self) -> None:
        while not self._stop.wait(EVERY):
            with suppress(OSError):  # a full disk must not end the counting
                self._write()

    @property
    def _folder(self) -> Path:
        return self._service.settings.data / "metrics"

    def _write(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._service.process}.json"
        part = path.with_suffix(f".{threading.get_ident()}.part")
        part.write_text(json.dumps({"parent": os.getppid(), "families": _told(self.registry)}))
        part.replace(path)

    def _read(self, number: int) -> Any:
        try:
            found = json.loads((self._folder / f"{number}.json").read_text())
        except (OSError, ValueError):
            return None
        return found["families"] if found["parent"] == os.getppid() else None  # else from an earlier run


class _Now(Collector):
    """What is so just now in this process."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        lines = self._service.lines
        yield GaugeMetricFamily("mien_queue_depth", "Requests that wait for the engine.", lines.depth)
        yield GaugeMetricFamily("mien_workers_busy", "Workers of the engine that work.", lines.busy)
        yield GaugeMetricFamily("mien_workers", "Workers of the engine.", lines.workers)
        yield GaugeMetricFamily("mien_ready", "1 while the process takes requests.", float(self._service.ready))


class _All(Collector):
    """All processes, and what they share."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics.families()
        yield from _kept(self._metrics._service)


def _kept(service: Service) -> Iterator[Metric]:
    """Sizes of the galleries that are open in this process or the operator's, and jobs by state."""
    names = ("tenant", "gallery")
    people = GaugeMetricFamily("mien_gallery_subjects", "People in a gallery.", labels=names)
    templates = GaugeMetricFamily("mien_gallery_templates", "Templates in a gallery.", labels=names)
    for (tenant, name), gallery in service.galleries.opened().items():
        with suppress(MienError):  # busy, or gone just now
            people.add_metric((tenant, name), len(gallery))
            templates.add_metric((tenant, name), gallery.templates)
    jobs = GaugeMetricFamily("mien_jobs", "Jobs by state.", labels=("state",))
    with suppress(MienError), service.records.look() as db:
        for state, count in db.execute("SELECT state, count(*) FROM job GROUP BY state ORDER BY state").fetchall():
            jobs.add_metric((state,), count)
    yield from (people, templates, jobs)


def _told(registry: CollectorRegistry) -> list[list[Any]]:
    return [
        [one.name, one.documentation, one.type, [[each.name, each.labels, each.value] for each in one.samples]]
        for one in registry.collect()
    ]


def _merged(processes: Sequence[tuple[str, Any]]) -> list[Metric]:
    """Families with the samples of all processes, each labelled with its process."""
    found: dict[str, Metric] = {}
    for number, told in processes:
        for name, about, kind, samples in told:
            family = found.setdefault(name, Metric(name, about, kind))
            for sample, labels, value in samples:
                family.add_sample(sample, {**labels, "process": number}, value)
    return list(found.values())
