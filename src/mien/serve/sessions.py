"""The console's sessions: a key once, then a signed cookie that scripts cannot read and other sites cannot use.

The cookie holds the key's id, an end and a number, under an HMAC of the master secret; nothing else is kept but the numbers
of sessions that were ended early. It is worth no more than its key: revoked or expired keys end their sessions."""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass

from mien.errors import NotAuthenticated
from mien.serve.records import Records

COOKIE = "mien_session"
TOKEN = "mien_csrf"
HEADER = "x-csrf-token"
_TABLES = "CREATE TABLE IF NOT EXISTS ended (session TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT;"
_REMEDY = "Sign in again."


@dataclass(frozen=True, slots=True)
class Session:
    """One signing in."""

    key: str  # id of the key
    until: int  # s since 1970
    number: str

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.key}.{self.until}.{self.number}"


class Sessions:
    """Makes and checks sessions."""

    def __init__(self, records: Records, master: bytes) -> None:
        self._records, self._master = records, master
        records.keep(_TABLES)

    def begin(self, key: str, seconds: float) -> Session:
        """A session of a key that lasts so long."""
        return Session(key, int(time.time() + seconds), secrets.token_hex(16))

    def cookie(self, session: Session) -> str:
        """The session with its signature."""
        return f"{session.text}.{self._signed('session', session.text)}"

    def token(self, session: Session) -> str:
        """What changes must send along in X-CSRF-Token: other sites cannot read it."""
        return self._signed("csrf", session.text)

    def read(self, cookie: str) -> Session:
        """The session of a cookie. Raises NotAuthenticated when it is forged, over or was ended."""
        text, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signed("session", text).encode()):
            raise NotAuthenticated("The session is not one of this service.", _REMEDY)
        key, until, number = text.split(".")
        session = Session(key, int(until), number)
        if session.until <= time.time() or self._ended(number):
            raise NotAuthenticated("The session is over.", _REMEDY)
        return session

    def end(self, session: Session) -> None:
        """Refuse the session from now on."""
        with self._records.change() as db:
            db.execute("DELETE FROM ended WHERE until < ?", (int(time.time()),))
            db.execute("INSERT OR IGNORE INTO ended VALUES (?, ?)", (session.number, session.until))

    def _ended(self, number: str) -> bool:
        with self._records.look() as db:
            return db.execute("SELECT 1 FROM ended WHERE session = ?", (number,)).fetchone() is not None

    def _signed(self, what: str, text: str) -> str:
        return hmac.digest(self._master, f"mien {what} {text}".encode(), "sha256").hex()
