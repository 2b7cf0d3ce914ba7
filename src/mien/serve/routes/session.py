"""Sessions of the console."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from mien.errors import NotAuthenticated
from mien.serve.access import Caller
from mien.serve.service import Here, Service
from mien.serve.sessions import COOKIE, TOKEN, Session

router = APIRouter(prefix="/v1", tags=["session"])


class Given(BaseModel):
    """What signing in takes."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field(max_length=200, description="A key, as `mien keys make` showed it.")


@router.post("/session")
def begin(given: Given, request: Request, response: Response, service: Here) -> dict[str, Any]:
    """A key to a session: a cookie that only this service reads, and the token that changes must send along."""
    caller = service.gate.admitted(service.keys.key(given.key))
    session = service.sessions.begin(caller.key, service.settings.session_hours * 3600)
    service.log.add(caller, "session.begin", durable=True)
    of = service.settings
    secure = request.url.scheme == "https" or of.tls_certificate is not None or of.behind_proxy
    left = int(service.settings.session_hours * 3600)
    common: dict[str, Any] = {"max_age": left, "samesite": "strict", "secure": secure, "path": "/"}
    response.set_cookie(COOKIE, service.sessions.cookie(session), httponly=True, **common)
    response.set_cookie(TOKEN, service.sessions.token(session), httponly=False, **common)
    return _told(service, caller, session)


@router.get("/session")
def who(request: Request, service: Here) -> dict[str, Any]:
    """Who asks, by session or by key. `csrf` is the token of a session, null with a key."""
    caller = service.gate.caller(request)
    return _told(service, caller, None if service.gate.sent(request) else service.gate.session(request))


@router.delete("/session", status_code=204)
def end(request: Request, service: Here) -> Response:
    """End the session and take its cookies back. A session that is over already is no error."""
    answer = Response(status_code=204)
    try:
        session = service.gate.session(request)
        if session is not None:
            caller = service.gate.caller(request)
            service.sessions.end(session)
            service.log.add(caller, "session.end", durable=True)
    except NotAuthenticated:
        pass  # its key was revoked, or its time is over
    answer.delete_cookie(COOKIE, path="/")
    answer.delete_cookie(TOKEN, path="/")
    return answer


def _told(service: Service, caller: Caller, session: Session | None) -> dict[str, Any]:
    shown = {"key": caller.key, "name": caller.name, "role": caller.role, "tenant": caller.tenant}
    if session is None:
        return shown | {"until": None, "csrf": None}
    return shown | {"until": session.until, "csrf": service.sessions.token(session)}
