"""The gate that each request comes through: its key, from a header or the console's session, and how much that may ask."""

from __future__ import annotations

import hmac
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from mien.errors import MienError, NotAllowed, NotAuthenticated
from mien.serve.access import Caller
from mien.serve.keys import Key, Keys
from mien.serve.rates import Rates
from mien.serve.sessions import COOKIE, HEADER, Session, Sessions
from mien.serve.settings import Settings

_SAFE = {"GET", "HEAD", "OPTIONS"}


class Gate:
    """Requests (and WebSockets) to callers. It reads the records: call it from a thread, not from the event loop."""

    def __init__(self, keys: Keys, sessions: Sessions, rates: Rates, settings: Settings) -> None:
        self._keys, self._sessions, self._rates = keys, sessions, rates
        self._origins = settings.origins

    def caller(self, connection: HTTPConnection) -> Caller:
        """Who calls. Raises NotAuthenticated, NotAllowed (a change by cookie from another site), Overloaded."""
        text = self.sent(connection)
        if text:
            return self.admitted(self._keys.key(text))
        session = self.session(connection)
        if session is None:
            raise NotAuthenticated("The request has no key.", "Send it as `Authorization: Bearer mien_…`.")
        self._same_site(connection, session)
        return self.admitted(self._keys.numbered(session.key))

    def admitted(self, key: Key) -> Caller:
        """The caller of a key that was proved, counted against its rate and quota. Raises Overloaded."""
        self._rates.take(key)
        with suppress(MienError):  # a full disk, or somebody who writes for long: no reason to turn a reader away
            self._keys.use(key)
        return key.caller

    def sent(self, connection: HTTPConnection) -> str:
        """The key in the request's headers, as text; "" without one."""
        scheme, _, token = connection.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else connection.headers.get("x-api-key", "")

    def session(self, connection: HTTPConnection) -> Session | None:
        """The session of the request's cookie; None without one. Raises NotAuthenticated."""
        cookie = connection.cookies.get(COOKIE)
        return self._sessions.read(cookie) if cookie else None

    def again(self, caller: Caller) -> None:
        """Refuse what `caller` is about to make durable when its key was revoked meanwhile. Raises NotAuthenticated.

        Between this look and the change lie microseconds; a change that began before a revocation may end after it."""
        self._keys.again(caller)

    def _same_site(self, connection: HTTPConnection, session: Session) -> None:
        if connection.scope["type"] == "websocket":  # these send no headers of ours, but browsers say whence they come
            origin = connection.headers.get("origin", "")
            good = urlsplit(origin).netloc == connection.headers.get("host", "") or origin in self._origins
        elif connection.scope["method"] in _SAFE:
            return
        else:
            given = connection.headers.get(HEADER, "")
            good = hmac.compare_digest(given.encode(), self._sessions.token(session).encode())
        if not good:
            raise NotAllowed("A session was used without its token.", f"Send the session's `csrf` in {HEADER}.")
