"""Every refusal in one shape: problem+json (RFC 9457), with the request's id and nothing of the inside."""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from mien import wire
from mien.errors import GalleryBusy, MienError, NotAuthenticated, Overloaded, Unavailable
from mien.serve.settings import Settings

log = logging.getLogger("mien.serve")


class Problem(JSONResponse):
    """An application/problem+json response."""

    media_type = "application/problem+json"


class Folders:
    """Where the service keeps things, which is nothing to a client: messages name files without their folders."""

    def __init__(self, settings: Settings) -> None:
        files = [Path(one) for one in settings.galleries if "://" not in one]
        places = {one.absolute() for one in (settings.data, Path.cwd(), Path.home(), *(file.parent for file in files))}
        texts = sorted({str(form) for one in places for form in (one, one.resolve())} - {"/"}, key=len, reverse=True)
        self._pattern = re.compile(f"(?:{'|'.join(map(re.escape, texts))})/(?:[\\w.\\-]+/)*")

    def without(self, text: str) -> str:
        """A message without the folders in it."""
        return self._pattern.sub("", text)

    def told(self, error: MienError) -> dict[str, Any]:
        """The shape of an error for a client."""
        shape = wire.problem(error)
        return shape | {key: self.without(shape[key]) for key in ("detail", "remedy")}


def problem(request: Request, error: MienError) -> Problem:
    """The response that tells of `error`."""
    headers = {}
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(math.ceil(error.after))
    elif isinstance(error, GalleryBusy | Unavailable):
        headers["Retry-After"] = "1"
    if isinstance(error, NotAuthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return Problem(request.app.state.service.folders.told(error) | _which(request), error.status, headers)


def failed(request: Request, error: Exception) -> Problem:
    """The response to a failure that nobody planned for; the log has where it was."""
    log.error("internal error", exc_info=error, extra={"id": _which(request)["request_id"]})
    told = "The service failed; the log has more under the request's id."
    return Problem(_shape("InternalError", 500, told) | _which(request), 500)


def install(app: FastAPI) -> None:
    """Answer every error of `app` in this shape."""

    @app.exception_handler(MienError)
    async def known(request: Request, error: MienError) -> Problem:
        return problem(request, error)

    @app.exception_handler(RequestValidationError)
    async def unusable(request: Request, error: RequestValidationError) -> Problem:
        faults = [{"where": ".".join(str(one) for one in each["loc"]), "what": each["msg"]} for each in error.errors()]
        told = "; ".join(f"{one['where']}: {one['what']}" for one in faults[:3])
        return Problem(
            _shape("InputError", 422, f"The request cannot be used: {told}.", faults=faults) | _which(request), 422
        )

    @app.exception_handler(HTTPException)
    async def general(request: Request, error: HTTPException) -> Problem:
        code = {404: "NotFound", 405: "UsageError"}.get(error.status_code, "UsageError")
        told = "There is no such address." if error.status_code == 404 else f"{error.detail}."
        return Problem(_shape(code, error.status_code, told) | _which(request), error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Problem:
        return failed(request, error)


def _shape(code: str, status: int, detail: str, **further: Any) -> dict[str, Any]:
    return {"type": code, "title": code, "status": status, "detail": detail, "remedy": "", **further}


def _which(request: Request) -> dict[str, Any]:
    return {"request_id": getattr(request.state, "request_id", ""), "instance": request.url.path}
