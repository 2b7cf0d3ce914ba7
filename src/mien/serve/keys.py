"""API keys: who may call, in which tenant and with which role. Only digests of their secrets are kept.

A key reads mien_<id>_<secret>. The secret is derived from the master secret and the id, so that signatures (AWS Signature
Version 4, which prove the secret without sending it) can be checked though it is kept nowhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime

from mien.errors import NotAuthenticated, NotFound
from mien.serve.access import Caller, Role
from mien.serve.records import Records

_TABLES = """
CREATE TABLE IF NOT EXISTS key (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, tenant TEXT NOT NULL,
    made TEXT NOT NULL, revoked TEXT
) STRICT;
"""


class Keys:
    """The keys in the service's records."""

    def __init__(self, records: Records, master: bytes) -> None:
        self._records, self._master = records, master
        records.keep(_TABLES)

    def make(self, name: str, role: Role, tenant: str) -> str:
        """A new key, as text; it is shown once and kept nowhere."""
        number = secrets.token_hex(6)
        secret = self.secret(number)
        with self._records.change() as db:
            db.execute(
                "INSERT INTO key VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (number, _digest(secret), name, role, tenant, datetime.now(UTC).isoformat(timespec="seconds")),
            )
        return f"mien_{number}_{secret}"

    def revoke(self, number: str) -> None:
        """Refuse a key from now on. Raises NotFound."""
        with self._records.change() as db:
            when = datetime.now(UTC).isoformat(timespec="seconds")
            if not db.execute("UPDATE key SET revoked = ? WHERE id = ? AND revoked IS NULL", (when, number)).rowcount:
                raise NotFound(f"There is no key {number!r} in force.", "See which there are with `mien keys list`.")

    def caller(self, text: str) -> Caller:
        """Whose key `text` is. Raises NotAuthenticated."""
        kind, _, rest = text.strip().partition("_")
        number, _, secret = rest.partition("_")
        with self._records.look() as db:
            row = db.execute("SELECT * FROM key WHERE id = ?", (number,)).fetchone()
        known = row["digest"] if row is not None else b"\0" * 32
        if kind != "mien" or not hmac.compare_digest(known, _digest(secret)) or row["revoked"]:
            raise NotAuthenticated("The key is unknown or was revoked.", "Send a key that is in force.")
        return Caller(row["id"], row["name"], row["role"], row["tenant"])

    def again(self, caller: Caller) -> None:
        """Raises NotAuthenticated when the caller's key is not in force any more."""
        with self._records.look() as db:
            row = db.execute("SELECT revoked FROM key WHERE id = ?", (caller.key,)).fetchone()
        if row is None or row["revoked"]:
            raise NotAuthenticated(
                "The key was revoked meanwhile; nothing was changed.", "Send a key that is in force."
            )

    def secret(self, number: str) -> str:
        """The secret of a key's id."""
        made = hmac.digest(self._master, b"mien key " + number.encode(), "sha256")
        return base64.urlsafe_b64encode(made).decode().rstrip("=").replace("_", ".")

    def __len__(self) -> int:
        with self._records.look() as db:
            return int(db.execute("SELECT count(*) FROM key WHERE revoked IS NULL").fetchone()[0])


def _digest(secret: str) -> bytes:
    # The secret has 256 random bits: there is nothing to guess that a slow hash would protect.
    return hashlib.sha256(secret.encode()).digest()
