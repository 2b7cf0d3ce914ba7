"""Jobs: what takes longer than a request."""

from __future__ import annotations

import shutil
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, Response
from starlette.concurrency import run_in_threadpool

from mien.errors import NotFound, Overloaded
from mien.serve.access import Caller, needs
from mien.serve.jobs import timeline
from mien.serve.jobs.asking import asked
from mien.serve.jobs.bodies import Body, body_of
from mien.serve.jobs.job import told
from mien.serve.service import Here, Service

router = APIRouter(prefix="/v1", tags=["jobs"])
Reader: Any = needs("reader")
Operator: Any = needs("operator")
Admin: Any = needs("admin")
QUEUED = 1000  # jobs of one tenant that may wait, with those that are worked on …
VIDEOS = 10  # … and their uploads, in the size of the largest
Limit = Annotated[int, Query(ge=1, le=500)]
# A report holds its pictures and styles itself, and no script.
_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"
_REPORT = {"Content-Security-Policy": _CSP, "Cache-Control": "private, no-store"}
_FIELDS = {
    "kind": {"type": "string", "enum": ["video", "audit", "calibrate"]},
    "gallery": {"type": "string"},
    "source": {"type": "string", "description": "rtsp://, http:// or https:// address that the operator allows."},
    "hook": {"type": "string", "description": "Address, allowed by the operator, to be told when the job is over."},
    "audit": {"type": "string"},
    "data": {"type": "string", "description": "Name of a data set of the operator's."},
    "keep": {"type": "boolean", "description": "Keep the thresholds found in the gallery."},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "properties": _FIELDS}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": _FIELDS | {"video": {"type": "string", "format": "binary"}},
                }
            },
            "video/*": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/jobs", status_code=202, openapi_extra=_BODY)
async def make(request: Request, service: Here, who: Caller = Operator) -> dict[str, Any]:
    """Start a job. A video is a file (saved as it comes, never held in memory) or an address that the operator allows."""
    await run_in_threadpool(_room, service, who)
    number = service.jobs.new_id()
    folder = service.jobs.folder(number)
    try:
        body = await body_of(request, folder, service.settings.max_video_bytes)
        return await run_in_threadpool(_made, service, who, number, body)
    except BaseException:  # also when the client goes away
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _room(service: Service, who: Caller) -> None:
    """Refuse more than a tenant may have waiting, before its video is taken. Raises Overloaded."""
    count, size = service.jobs.waiting(who.tenant)
    if count >= QUEUED or size >= VIDEOS * service.settings.max_video_bytes:
        told = f"{count} jobs with {size / 1e9:.1f} GB of video wait already."
        raise Overloaded(told, "Wait until some are done, or cancel them.", after=60.0)


def _made(service: Service, who: Caller, number: str, body: Body) -> dict[str, Any]:
    jobs = service.jobs
    kind, what, live = asked(service, who.tenant, body, jobs.folder(number))
    facts = {one: what[one] for one in ("gallery", "audit", "data", "source") if one in what}
    service.log.add(who, "job.start", durable=True, job=number, kind=kind, **facts)
    job = jobs.make(number, (who.tenant, who.key), kind, what, live)
    return told(job, service.runner.hooks.of(job))


@router.get("/jobs")
def listed(
    service: Here,
    who: Caller = Reader,
    cursor: str | None = None,
    limit: Limit = 50,
    state: Annotated[list[Literal["queued", "running", "done", "failed", "cancelled"]] | None, Query()] = None,
) -> dict[str, Any]:
    """Jobs of the tenant, newest first."""
    of = (who.tenant, "jobs", ",".join(state or ()))
    before = service.cursors.take(cursor, *of) if cursor else None
    found = service.jobs.listed(who.tenant, before, limit + 1, state or ())
    more = service.cursors.give(found[limit - 1].number, *of) if len(found) > limit else None
    return {"items": [told(job) for job in found[:limit]], "next": more}


@router.get("/jobs/{job}")
def one(job: str, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """How it stands with a job."""
    found = service.jobs.get(who.tenant, job)
    return told(found, service.runner.hooks.of(found))


@router.delete("/jobs/{job}")
def cancel(job: str, service: Here, who: Caller = Operator, erase: bool = False) -> dict[str, Any]:
    """End a job; what was seen until then stays. `erase`: delete it with its results, if it is over."""
    found = service.jobs.get(who.tenant, job)
    action = "job.erase" if found.over and erase else "job.cancel"
    service.log.add(who, action, durable=True, job=job)
    if action == "job.erase":
        service.jobs.erase(who.tenant, job)
        return told(found)
    return told(service.jobs.cancel(who.tenant, job))


@router.get("/jobs/{job}/timeline")
def seen(
    job: str, service: Here, who: Caller = Reader, cursor: str | None = None, limit: Limit = 100
) -> dict[str, Any]:
    """Everybody seen so far, in the order in which they left: span in s, verdict, subject, score, reasons.

    While the job runs, ask again with the last `next` for what is new: it is only null once there can be no more."""
    found = service.jobs.get(who.tenant, job)
    _of_kind(found.kind == "video", job, "timeline")
    of = (who.tenant, "timeline", job)
    after: timeline.Place | None = tuple(service.cursors.take(cursor, *of)) if cursor else None
    items = timeline.page(service.jobs.folder(job), found, after, limit + 1)
    service.log.add(who, "job.timeline", job=job, count=len(items[:limit]))
    last = timeline.place(items[:limit][-1]["id"]) if items else after or (0, 0)
    following = service.cursors.give(last, *of) if len(items) > limit or not found.over else None
    return {"items": items[:limit], "next": following, "state": found.state, "progress": round(found.progress, 4)}


@router.get("/jobs/{job}/timeline/{number}/image", response_class=Response)
def image(job: str, number: str, service: Here, who: Caller = Reader) -> Response:
    """The best crop of somebody seen, JPEG."""
    found = service.jobs.get(who.tenant, job)
    data = timeline.image(service.jobs.folder(job), found, number)
    return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, no-store"})


@router.get("/hooks")
def secret(service: Here, who: Caller = Admin) -> dict[str, Any]:
    """What the words to webhooks are signed with: HMAC-SHA256 over "<t>.<body>", in the header Mien-Signature."""
    service.log.add(who, "hook.secret", durable=True)
    return {"secret": service.runner.hooks.secret(who.tenant), "header": "Mien-Signature", "form": "t=<s>,v1=<hex>"}


@router.get("/jobs/{job}/report", response_class=FileResponse)
def report(job: str, service: Here, who: Caller = Reader) -> FileResponse:
    """The report of an audit or a calibration: one HTML page that loads nothing."""
    found = service.jobs.get(who.tenant, job)
    _of_kind(found.kind != "video", job, "report")
    path = service.jobs.folder(job) / timeline.part(found) / "report.html"
    if found.state != "done" or not path.is_file():
        raise NotFound(f"The job {job[:40]!r} has no report, as it is {found.state}.", "Wait until it is done.")
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=_REPORT)


def _of_kind(right: bool, job: str, what: str) -> None:
    if not right:
        raise NotFound(f"The job {job[:40]!r} is of a kind without a {what}.", "See its result.")
