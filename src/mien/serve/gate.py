"""The gate that each request comes through: its key, from a header or the console's session."""

from __future__ import annotations

from fastapi import Request

from mien.errors import NotAuthenticated
from mien.serve.access import Caller
from mien.serve.keys import Keys


class Gate:
    """Requests to callers."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def caller(self, request: Request) -> Caller:
        """Who calls. Raises NotAuthenticated."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        text = token if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        if not text:
            raise NotAuthenticated("The request has no key.", "Send it as `Authorization: Bearer mien_…`.")
        return self._keys.caller(text)

    def again(self, caller: Caller) -> None:
        """Refuse what `caller` is about to make durable when its key was revoked meanwhile. Raises NotAuthenticated."""
        self._keys.again(caller)
