"""The console: one page and the files it loads. No key is needed for these; every answer it shows comes from /v1 and is."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from mien.errors import NotFound
from mien.serve.console import CSP, media_type, site

router = APIRouter(include_in_schema=False)
READ = ["GET", "HEAD"]

_HEADERS = {
    "Content-Security-Policy": CSP,
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FRESH = "no-cache"  # asked for each time, and answered with 304 while nothing changed
_FOREVER = "public, max-age=31536000, immutable"


@router.api_route("/", methods=READ)
def front() -> RedirectResponse:
    """Where people arrive; programs that speak another protocol POST here."""
    return RedirectResponse("console/", 307)


@router.api_route("/console", methods=READ)
def bare() -> RedirectResponse:
    """The address without its last stroke. Relative, so that it holds behind a proxy's prefix."""
    return RedirectResponse("console/", 308)


@router.api_route("/console/", methods=READ)
def index(request: Request) -> Response:
    """The page."""
    found = site()
    return _answer(request, found.index, f'"{found.version}"', ("text/html", _FRESH))


@router.api_route("/console/{version}/{name:path}", methods=READ)
def file(version: str, name: str, request: Request) -> Response:
    """A file of the page. Raises NotFound.

    While replicas are being replaced a page may ask another version: it gets what there is, and may not keep it."""
    found = site()
    if name not in found.files or name == "index.html":
        raise NotFound(f"The console has no file {name[:80]!r}.", "Load the page again.")
    keeping = _FOREVER if version == found.version else _FRESH
    return _answer(request, found.files[name], f'"{found.version}"', (media_type(name), keeping))


def _answer(request: Request, content: bytes, tag: str, how: tuple[str, str]) -> Response:
    headers = _HEADERS | {"ETag": tag, "Cache-Control": how[1]}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=how[0])
