"""Settings to an application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

import mien
from mien.serve import headers, idempotency, limits, problems, routes
from mien.serve.paths import Segments
from mien.serve.service import Service
from mien.serve.settings import Settings

if TYPE_CHECKING:
    from mien.engine import Engine


def build(settings: Settings, engine: Engine | None = None, process: int = 0) -> FastAPI:
    """The application of one process; `engine` is a seam for tests. Raises UsageError, CannotWrite."""
    service = Service(settings, engine or _engine(settings))
    service.process = process

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        if not service.ready:  # `mien serve` has opened it before, to say in words what is amiss
            await run_in_threadpool(service.open)
        yield
        await run_in_threadpool(service.close)

    app = FastAPI(
        title="mien",
        version=mien.__version__,
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        openapi_url="/v1/openapi.json",
    )
    app.state.service = service
    problems.install(app)
    idempotency.install(app)
    app.add_middleware(Segments)  # around it: kept answers are found by the names in their paths
    limits.install(app, settings)
    headers.install(app, settings)
    routes.install(app)
    return app


def unopened(settings: Settings) -> Service:
    """A service that answers nobody: no models are loaded. For what is done beside one that runs; `close` it."""
    return Service(settings, _engine(settings))


def _engine(settings: Settings) -> Engine:
    from mien.engine import Engine

    given = settings.detector, settings.embedder, settings.judges, settings.workers
    return Engine(*given, device=settings.device)
