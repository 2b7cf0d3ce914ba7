"""Opaque positions in lists, signed, so that nobody can make one up or use one elsewhere."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Any

from mien.errors import InputError

_MARK = 16  # bytes of the signature
LARGEST = 1000  # items of a page
USUAL = 100


class Cursors:
    """Positions to cursors and back. A cursor fits one list: the tenant, the gallery, what is listed and the filter."""

    def __init__(self, master: bytes) -> None:
        self._secret = hmac.digest(master, b"mien cursors", "sha256")

    def give(self, position: Any, *of: str | None) -> str:
        """The cursor for a `position` (JSON) in the list `of`."""
        text = json.dumps(position).encode()
        return _written(self._mark(text, of) + text)

    def take(self, cursor: str, *of: str | None) -> Any:
        """The position behind a cursor of the list `of`. Raises InputError for any other."""
        try:
            found = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            found = b""
        mark, text = found[:_MARK], found[_MARK:]
        if not hmac.compare_digest(mark, self._mark(text, of)) or _written(found) != cursor:
            raise InputError("The cursor is not one of this list.", "Use `next` of the page before as it came.")
        return json.loads(text)

    def _mark(self, text: bytes, of: tuple[str | None, ...]) -> bytes:
        return hmac.digest(self._secret, json.dumps(of).encode() + b"\0" + text, "sha256")[:_MARK]


def _written(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
