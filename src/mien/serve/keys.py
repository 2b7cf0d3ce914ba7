"""API keys: who may call, in which tenant and with which role. Only digests of their secrets are kept.

A key reads mien_<id>_<secret>. The secret is derived from the master secret and the id, so that signatures (AWS Signature
Version 4, which prove the secret without sending it) can be checked though it is kept nowhere.

Every request looks its key up in the records (some 25 µs), so a key that one process revoked is refused at once by all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mien.errors import InputError, NotAuthenticated, NotFound
from mien.serve.access import ROLES, Caller, Role
from mien.serve.galleries import DEFAULT, checked
from mien.serve.records import Records

_TABLES = """
CREATE TABLE IF NOT EXISTS key (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, tenant TEXT NOT NULL,
    made TEXT NOT NULL, revoked TEXT, expires TEXT, rate REAL, burst INTEGER, quota INTEGER, used TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS key_tenant ON key (tenant, made);
"""
_REMEDY = "See which there are with `mien keys list`."


@dataclass(frozen=True, slots=True)
class Terms:
    """What a key may use up; None is the service's setting, or no limit."""

    rate: float | None = None  # requests per second, on average
    burst: int | None = None  # requests at once
    quota: int | None = None  # requests per day (UTC)
    expires: str | None = None  # ISO 8601: refused from then on; a bare date ends with that day (UTC)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as lists show it: without its secret."""

    id: str
    name: str
    role: Role
    tenant: str
    made: str  # ISO 8601 UTC
    expires: str | None
    revoked: str | None
    used: str | None  # the last day on which it was used
    rate: float | None
    burst: int | None
    quota: int | None

    @property
    def state(self) -> str:
        """in force, revoked or expired."""
        return "revoked" if self.revoked else "expired" if self.expires and self.expires <= _now() else "in force"

    @property
    def caller(self) -> Caller:
        """Who calls with it."""
        return Caller(self.id, self.name, self.role, self.tenant)


class Keys:
    """The keys in the service's records."""

    def __init__(self, records: Records, master: bytes) -> None:
        self._records, self._master = records, master
        records.keep(_TABLES)

    def make(self, name: str, role: Role, tenant: str, terms: Terms = Terms()) -> str:
        """A new key, as text; it is shown once and kept nowhere. Raises InputError."""
        with self._records.change() as db:
            return self._made(db, name, role, tenant, _usable(terms))

    def first(self) -> str | None:
        """An admin's key of the default tenant where there never was a key; None where there was one."""
        with self._records.change() as db:
            if db.execute("SELECT 1 FROM key LIMIT 1").fetchone():
                return None
            return self._made(db, "first", "admin", DEFAULT, Terms())

    def adopt(self, number: str, name: str, role: Role, tenant: str) -> None:
        """Take a key that another replica with the same master secret made, unless it is known here. Raises InputError."""
        if not re.fullmatch(r"[0-9a-f]{12}", number):
            raise InputError(f"{number[:40]!r} is no id of a key.", "See `mien keys list`.")
        with self._records.change() as db:
            if not db.execute("SELECT 1 FROM key WHERE id = ?", (number,)).fetchone():
                self._made(db, name, role, tenant, Terms(), number)

    def rotate(self, number: str, hours: float = 0.0, tenant: str | None = None) -> str:
        """A new key in place of one in force, which is refused after `hours`. Raises NotFound, InputError."""
        ends = (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds")
        with self._records.change() as db:
            old = self._in_force(db, number, tenant)
            terms = Terms(old.rate, old.burst, old.quota, old.expires)
            made = self._made(db, old.name, old.role, old.tenant, terms)
            if hours > 0:
                db.execute("UPDATE key SET expires = min(ifnull(expires, ?1), ?1) WHERE id = ?2", (ends, number))
            else:
                db.execute("UPDATE key SET revoked = ? WHERE id = ?", (_now(), number))
            return made

    def revoke(self, number: str, tenant: str | None = None) -> Key:
        """Refuse a key from now on. tenant: only one of it. Raises NotFound."""
        with self._records.change() as db:
            found = self._in_force(db, number, tenant)
            db.execute("UPDATE key SET revoked = ? WHERE id = ?", (_now(), number))
            return found

    def listed(self, tenant: str | None = None) -> list[Key]:
        """All keys, revoked ones too, oldest first."""
        with self._records.look() as db:
            rows = db.execute(
                "SELECT * FROM key WHERE tenant = ifnull(?, tenant) ORDER BY made, rowid", (tenant,)
            ).fetchall()
        return [_key(row) for row in rows]

    def tenants(self) -> list[str]:
        """Every tenant that ever had a key, and the one that galleries of the operator are in."""
        with self._records.look() as db:
            return sorted({DEFAULT} | {row["tenant"] for row in db.execute("SELECT DISTINCT tenant FROM key")})

    def caller(self, text: str) -> Caller:
        """Whose key `text` is. Raises NotAuthenticated."""
        return self.key(text).caller

    def key(self, text: str) -> Key:
        """The key in force that `text` is. Raises NotAuthenticated."""
        kind, _, rest = text.strip().partition("_")
        number, _, secret = rest.partition("_")
        row = self._row(number)
        known = row["digest"] if row is not None else bytes(32)
        if kind != "mien" or not hmac.compare_digest(known, _digest(secret)):
            raise NotAuthenticated("The key is unknown.", "Send a key that is in force.")
        return self._good(row)

    def numbered(self, number: str) -> Key:
        """The key in force with this id, whose secret was proved otherwise: a signature, a session. Raises NotAuthenticated."""
        return self._good(self._row(number))

    def again(self, caller: Caller) -> None:
        """Raises NotAuthenticated when the caller's key is not in force any more. The service itself has none."""
        if not caller.key:
            return
        try:
            self._good(self._row(caller.key))
        except NotAuthenticated as error:
            raise NotAuthenticated(f"Nothing was changed: {error.message}", error.remedy) from error

    def use(self, key: Key) -> None:
        """Put down the day on which a key was used, once a day."""
        today = _now()[:10]
        if key.used != today:
            with self._records.change() as db:
                db.execute("UPDATE key SET used = ? WHERE id = ?", (today, key.id))

    def secret(self, number: str) -> str:
        """The secret of a key's id."""
        made = hmac.digest(self._master, b"mien key " + number.encode(), "sha256")
        return base64.urlsafe_b64encode(made).decode().rstrip("=").replace("_", ".")

    def __len__(self) -> int:
        return sum(one.state == "in force" for one in self.listed())

    def _row(self, number: str) -> sqlite3.Row | None:
        with self._records.look() as db:
            row: sqlite3.Row | None = db.execute("SELECT * FROM key WHERE id = ?", (number,)).fetchone()
        return row

    def _good(self, row: sqlite3.Row | None) -> Key:
        if row is None:
            raise NotAuthenticated("The key is unknown.", "Send a key that is in force.")
        found = _key(row)
        if found.state != "in force":
            raise NotAuthenticated(f"The key {found.name!r} is {found.state}.", "Send a key that is in force.")
        return found

    def _made(self, db: sqlite3.Connection, name: str, role: Role, tenant: str, terms: Terms, number: str = "") -> str:
        if role not in ROLES:
            raise InputError(f"There is no role {role!r}.", f"Choose among {', '.join(ROLES)}.")
        if not name.isprintable() or not 1 <= len(name) <= 100:
            raise InputError("A key's name has 1 to 100 printable characters.", "Choose another.")
        number = number or secrets.token_hex(6)
        secret = self.secret(number)
        limits = (terms.expires, terms.rate, terms.burst, terms.quota)
        db.execute(
            "INSERT INTO key (id, digest, name, role, tenant, made, expires, rate, burst, quota)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, _digest(secret), name, role, checked(tenant, "tenant"), _now(), *limits),
        )
        return f"mien_{number}_{secret}"

    def _in_force(self, db: sqlite3.Connection, number: str, tenant: str | None) -> Key:
        row = db.execute("SELECT * FROM key WHERE id = ? AND tenant = ifnull(?, tenant)", (number, tenant)).fetchone()
        if row is None or _key(row).state != "in force":
            raise NotFound(f"There is no key {number[:40]!r} in force.", _REMEDY)
        return _key(row)


def number(text: str) -> str:
    """The id in a key's text."""
    return text.split("_")[1]


def _key(row: sqlite3.Row) -> Key:
    return Key(**{name: row[name] for name in Key.__slots__})


def _usable(terms: Terms) -> Terms:
    for name, least in (("rate", 0.001), ("burst", 1), ("quota", 1)):
        value = getattr(terms, name)
        if value is not None and not (math.isfinite(value) and least <= value <= 1e9):
            raise InputError(f"{value} is no {name} for a key.", f"Give at least {least}, or none.")
    if terms.expires is None:
        return terms
    return Terms(terms.rate, terms.burst, terms.quota, _moment(terms.expires))


def _moment(text: str) -> str:
    try:
        day = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text[:40]!r} is no date.", "Write one such as 2027-06-30.") from None
    if len(text.strip()) <= 10:
        day += timedelta(days=1)
    return (day.replace(tzinfo=UTC) if day.tzinfo is None else day.astimezone(UTC)).isoformat(timespec="seconds")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest(secret: str) -> bytes:
    # The secret has 256 random bits: there is nothing to guess that a slow hash would protect.
    return hashlib.sha256(secret.encode()).digest()
