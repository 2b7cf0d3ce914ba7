"""Whether it lives, whether it can work, and what it counts. No key is needed, but for the numbers from elsewhere."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from mien.errors import MienError, NotAllowed
from mien.serve.server import loopback
from mien.serve.service import Here

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> dict[str, str]:
    """The process lives and answers. Nothing else is looked at: who restarts it on a failure could not mend more."""
    return {"status": "ok"}


@router.get("/ready", responses={503: {"description": "Not ready, with the reasons."}})
def ready(service: Here) -> Response:
    """Whether requests should be sent here: models are loaded, records can be read, and it is not stopping."""
    reasons = [] if service.ready else ["starting or stopping"]
    try:
        with service.records.look() as db:
            db.execute("SELECT 1")
    except MienError as error:
        reasons.append(service.folders.without(error.message))
    told = {"status": "unready" if reasons else "ready", "reasons": reasons}
    return JSONResponse(told, 503 if reasons else 200)


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, service: Here) -> Response:
    """The numbers for Prometheus: for this machine, or with an admin's key."""
    here = request.client is not None and loopback(request.client.host) and not service.settings.behind_proxy
    if not here:
        caller: Any = service.gate.caller(request)
        if not caller.may("admin"):
            raise NotAllowed("The numbers are an admin's.", "Use an admin's key.")
    page, kind = service.metrics.text(request.headers.get("accept", ""))
    return Response(page, media_type=kind)
