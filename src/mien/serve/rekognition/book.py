"""What the protocol knows and a gallery does not: when collections were made, whose faces are whose, answers given."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from mien.serve.records import Records
from mien.serve.rekognition.refusal import Refused

FULLEST = 100  # faces of one user
MOST_TAGS = 200  # of one collection
_KEPT = 24 * 3600.0  # s for which a ClientRequestToken is remembered
_TABLES = """
CREATE TABLE IF NOT EXISTS rekognition_collection (
    tenant TEXT NOT NULL, collection TEXT NOT NULL, made REAL, tags TEXT NOT NULL,
    PRIMARY KEY (tenant, collection)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rekognition_user (
    tenant TEXT NOT NULL, collection TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY (tenant, collection, user)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rekognition_face (
    tenant TEXT NOT NULL, collection TEXT NOT NULL, face TEXT NOT NULL, user TEXT NOT NULL,
    PRIMARY KEY (tenant, collection, face)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS rekognition_face_of ON rekognition_face (tenant, collection, user);
CREATE TABLE IF NOT EXISTS rekognition_token (
    tenant TEXT NOT NULL, operation TEXT NOT NULL, token TEXT NOT NULL, request BLOB NOT NULL, answer TEXT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (tenant, operation, token)
) STRICT, WITHOUT ROWID;
"""
_PARTS = ("rekognition_collection", "rekognition_user", "rekognition_face")


class Book:
    """Those tables in the service's records. Names of users are text that the client chose: they go with DeleteUser."""

    def __init__(self, records: Records) -> None:
        self._records = records
        records.keep(_TABLES)

    # --- collections ----------------------------------------------------------------------------------------------

    def made(self, tenant: str, collection: str) -> float | None:
        """When a collection was made, s since 1970; None where that was not done through the protocol."""
        with self._records.look() as db:
            row = db.execute(
                "SELECT made FROM rekognition_collection WHERE tenant = ? AND collection = ?", (tenant, collection)
            ).fetchone()
        return None if row is None else row["made"]

    def begin(self, tenant: str, collection: str, tags: dict[str, str]) -> None:
        """Note a new collection, and drop what is left of one of the same name."""
        with self._records.change() as db:
            for part in _PARTS:
                db.execute(f"DELETE FROM {part} WHERE tenant = ? AND collection = ?", (tenant, collection))
            db.execute(
                "INSERT INTO rekognition_collection VALUES (?, ?, ?, ?)",
                (tenant, collection, time.time(), json.dumps(tags, sort_keys=True)),
            )

    def tags(self, tenant: str, collection: str) -> dict[str, str]:
        """Tags of a collection."""
        with self._records.look() as db:
            return _tags(db, tenant, collection)

    def tag(self, tenant: str, collection: str, more: Mapping[str, str], without: Collection[str] = ()) -> None:
        """Add tags to a collection, or take some away. Raises Refused for more than `MOST_TAGS`."""
        with self._records.change() as db:
            tags = {**_tags(db, tenant, collection), **more}
            kept = {name: value for name, value in tags.items() if name not in without}
            if len(kept) > MOST_TAGS:
                raise Refused("ServiceQuotaExceededException", f"A collection has at most {MOST_TAGS} tags.")
            db.execute(
                "INSERT INTO rekognition_collection VALUES (?1, ?2, NULL, ?3)"
                " ON CONFLICT (tenant, collection) DO UPDATE SET tags = ?3",
                (tenant, collection, json.dumps(kept, sort_keys=True)),
            )

    def end(self, tenant: str, collection: str) -> None:
        """Drop all about a collection."""
        with self._records.change() as db:
            for part in _PARTS:
                db.execute(f"DELETE FROM {part} WHERE tenant = ? AND collection = ?", (tenant, collection))
        self._records.settle()

    # --- users ----------------------------------------------------------------------------------------------------

    def users(self, tenant: str, collection: str, after: str = "", limit: int = 500) -> list[str]:
        """Users of a collection, by name, behind `after`."""
        with self._records.look() as db:
            rows = db.execute(
                "SELECT user FROM rekognition_user WHERE tenant = ? AND collection = ? AND user > ? ORDER BY user LIMIT ?",
                (tenant, collection, after, limit),
            ).fetchall()
        return [row["user"] for row in rows]

    def count(self, tenant: str, collection: str) -> int:
        """How many users a collection has."""
        with self._records.look() as db:
            found = db.execute(
                "SELECT count(*) FROM rekognition_user WHERE tenant = ? AND collection = ?", (tenant, collection)
            ).fetchone()[0]
        return int(found)

    def known(self, tenant: str, collection: str, user: str) -> bool:
        """Whether a collection has a user."""
        with self._records.look() as db:
            return _has(db, tenant, collection, user)

    def add(self, tenant: str, collection: str, user: str) -> bool:
        """Make a user; False when there is one."""
        with self._records.change() as db:
            given = (tenant, collection, user)
            return bool(db.execute("INSERT OR IGNORE INTO rekognition_user VALUES (?, ?, ?)", given).rowcount)

    def drop(self, tenant: str, collection: str, user: str) -> bool:
        """Erase a user; their faces stay, without one. False when there was none."""
        given = (tenant, collection, user)
        with self._records.change() as db:
            db.execute("DELETE FROM rekognition_face WHERE tenant = ? AND collection = ? AND user = ?", given)
            gone = db.execute("DELETE FROM rekognition_user WHERE tenant = ? AND collection = ? AND user = ?", given)
            found = bool(gone.rowcount)
            db.execute(
                "DELETE FROM rekognition_token WHERE tenant = ? AND instr(answer, ?)", (tenant, json.dumps(user))
            )
        self._records.settle()
        return found

    # --- faces of users -------------------------------------------------------------------------------------------

    def faces(self, tenant: str, collection: str, user: str) -> list[str]:
        """Ids of a user's faces, in order."""
        with self._records.look() as db:
            rows = db.execute(
                "SELECT face FROM rekognition_face WHERE tenant = ? AND collection = ? AND user = ? ORDER BY face",
                (tenant, collection, user),
            ).fetchall()
        return [row["face"] for row in rows]

    def owners(self, tenant: str, collection: str, faces: Iterable[str]) -> dict[str, str]:
        """{face: user} of those of the faces that have one."""
        found = {}
        with self._records.look() as db:
            for face in faces:
                row = db.execute(
                    "SELECT user FROM rekognition_face WHERE tenant = ? AND collection = ? AND face = ?",
                    (tenant, collection, face),
                ).fetchone()
                if row is not None:
                    found[face] = row["user"]
        return found

    def associate(self, tenant: str, collection: str, user: str, faces: Sequence[str]) -> tuple[list[str], list[str]]:
        """Give faces to a user as far as there is room: (those that are theirs now, those for which there was none).

        Raises Refused when the user is gone, or another was quicker with one of the faces."""
        with self._records.change() as db:
            if not _has(db, tenant, collection, user):
                raise Refused("ResourceNotFoundException", f"There is no user {user!r}.")
            (held,) = db.execute(
                "SELECT count(*) FROM rekognition_face WHERE tenant = ? AND collection = ? AND user = ?",
                (tenant, collection, user),
            ).fetchone()
            room = max(0, FULLEST - held)
            for face in faces[:room]:
                given = (tenant, collection, face, user)
                if not db.execute("INSERT OR IGNORE INTO rekognition_face VALUES (?, ?, ?, ?)", given).rowcount:
                    raise Refused(
                        "ConflictException", "A face was associated by another request meanwhile.", "Try again."
                    )
        return list(faces[:room]), list(faces[room:])

    def disassociate(self, tenant: str, collection: str, user: str, faces: Iterable[str]) -> None:
        """Take faces from a user."""
        with self._records.change() as db:
            for face in faces:
                db.execute(
                    "DELETE FROM rekognition_face WHERE tenant = ? AND collection = ? AND face = ? AND user = ?",
                    (tenant, collection, face, user),
                )

    def erased(self, tenant: str, collection: str, face: str) -> None:
        """Forget whose a face was, which is erased."""
        with self._records.change() as db:
            db.execute(
                "DELETE FROM rekognition_face WHERE tenant = ? AND collection = ? AND face = ?",
                (tenant, collection, face),
            )

    # --- answers that were given ----------------------------------------------------------------------------------

    def once(self, tenant: str, operation: str, given: dict[str, Any], answer: Callable[[], Any]) -> Any:
        """`answer()`, or what it gave when the same request came with the same ClientRequestToken.

        Raises Refused for a token that came with another request."""
        token = given.get("ClientRequestToken")
        if token is None:
            return answer()
        request = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).digest()
        with self._records.look() as db:
            row = db.execute(
                "SELECT request, answer FROM rekognition_token WHERE tenant = ? AND operation = ? AND token = ? AND at > ?",
                (tenant, operation, token, time.time() - _KEPT),
            ).fetchone()
        if row is not None:
            if row["request"] != request:
                told = f"The ClientRequestToken {token!r} came with another request before."
                raise Refused("IdempotentParameterMismatchException", told, "Use a new one for each request.")
            return json.loads(row["answer"])
        found = answer()
        with self._records.change() as db:
            db.execute("DELETE FROM rekognition_token WHERE at <= ?", (time.time() - _KEPT,))
            kept = (tenant, operation, token, request, json.dumps(found), time.time())
            db.execute("INSERT OR REPLACE INTO rekognition_token VALUES (?, ?, ?, ?, ?, ?)", kept)
        return found


def _tags(db: Any, tenant: str, collection: str) -> dict[str, str]:
    asked = "SELECT tags FROM rekognition_collection WHERE tenant = ? AND collection = ?"
    row = db.execute(asked, (tenant, collection)).fetchone()
    return {} if row is None else dict(json.loads(row["tags"]))


def _has(db: Any, tenant: str, collection: str, user: str) -> bool:
    given = (tenant, collection, user)
    asked = "SELECT 1 FROM rekognition_user WHERE tenant = ? AND collection = ? AND user = ?"
    return db.execute(asked, given).fetchone() is not None
