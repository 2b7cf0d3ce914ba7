"""Names in paths: a segment of an address may hold any name, percent-encoded, with "/" and "%" in it.

Servers hand out the path decoded, so that a%2Fb and a/b look alike. `Segments` decodes it anew from the raw one, segment by
segment, and leaves "/" and "%" inside a segment encoded; a route takes such a segment as {subject:name}."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send


class Segments:
    """ASGI middleware over /v1."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes = scope.get("raw_path") or b""
        if raw.startswith(b"/v1/") and b"%" in raw:
            scope["path"] = segments(raw.decode("ascii", "replace"))
        await self._app(scope, receive, send)


def segments(raw: str) -> str:
    """A raw path with each segment decoded, except for "/" and "%" in it. Bytes that are no UTF-8 become U+FFFD."""
    return "/".join(escaped(unquote(one)) for one in raw.partition("?")[0].split("/"))


def escaped(name: str) -> str:
    """A name as a segment of a decoded path."""
    return name.replace("%", "%25").replace("/", "%2F")


class Name(Convertor[str]):
    """A segment to the name in it, and back."""

    regex: ClassVar[str] = "[^/]+"

    def convert(self, value: str) -> str:
        """The name in a segment."""
        return value.replace("%2F", "/").replace("%25", "%")

    def to_string(self, value: str) -> str:
        """The segment of a name."""
        return escaped(value)


register_url_convertor("name", Name())
