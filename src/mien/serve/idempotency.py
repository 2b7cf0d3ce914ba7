"""A change that is asked for twice under one Idempotency-Key is made once, and answered twice alike.

Only what succeeded is kept, for a day: a refusal changed nothing, and asking again is answered again. The answer is on the
disk before it is sent, so it is there after a kill; one that was cut off before may be asked for again at once, because
whatever the service changes is changed whole or not at all. No pixels are kept: bodies of requests only as digests, and what
answers with pictures or secrets is kept without its answer."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mien.errors import Conflict, MienError, UsageError
from mien.serve.paths import Name, escaped
from mien.serve.problems import problem
from mien.serve.records import Records
from mien.serve.turns import Life

log = logging.getLogger("mien.serve")
HEADER = b"idempotency-key"
KEPT = 86_400.0  # s
LARGEST = 1_000_000  # bytes of an answer
_CHANGES = ("POST", "PUT", "PATCH", "DELETE")
# They change nothing, so that asking again is answered again, and nothing of the answer has to be kept.
_ASKS = re.compile(r"/v1/(detect|verify|quality|judge/[^/]*|edit/[^/]*|galleries/[^/]+/identify)/?")
_SECRETS = ("/v1/keys", "/v1/session")  # their answers hold secrets
_ERASES = re.compile(r"/v1/galleries/[^/]+/subjects/([^/]+)(?:/samples/[^/]+)?/?")
_KEY = re.compile(rb"[\x21-\x7e]{1,255}")
_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request under the same key is done once and answered alike, for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_LONGEST = 3600.0  # s that a request takes; one that is older could not put down how it ended, on a full disk
_TABLES = """
CREATE TABLE IF NOT EXISTS answer (
    id BLOB PRIMARY KEY, tenant TEXT NOT NULL, path TEXT NOT NULL, since REAL NOT NULL, life TEXT, digest BLOB,
    status INTEGER, kind TEXT, body BLOB
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered; body None where it is not kept."""

    digest: bytes  # of the request
    status: int
    kind: str  # content type
    body: bytes | None


class Answers:
    """The answers of a day, in the records."""

    def __init__(self, records: Records, life: Life) -> None:
        self._records, self.life = records, life
        records.keep(_TABLES)

    def begin(self, number: bytes, tenant: str, path: str) -> Answer | None:
        """What was answered to `number` before; None when it is ours to answer now. Raises Conflict while another is at it."""
        now = time.time()
        with self._records.change() as db:
            row = db.execute("SELECT * FROM answer WHERE id = ? AND since >= ?", (number, now - KEPT)).fetchone()
            if row is not None and row["life"] is None:
                return Answer(row["digest"], row["status"], row["kind"], row["body"])
            if row is not None and now - row["since"] < _LONGEST and self.life.lives(row["life"]):
                raise Conflict("A request with this Idempotency-Key is being answered.", "Ask again in a second.")
            given = number, tenant, path, now, self.life.name
            db.execute("INSERT OR REPLACE INTO answer (id, tenant, path, since, life) VALUES (?, ?, ?, ?, ?)", given)
        return None

    def end(self, number: bytes, answer: Answer) -> None:
        """Keep an answer; on return it is on the disk."""
        given = answer.digest, answer.status, answer.kind, answer.body, number
        with self._records.change() as db:
            db.execute("UPDATE answer SET life = NULL, digest = ?, status = ?, kind = ?, body = ? WHERE id = ?", given)

    def release(self, number: bytes) -> None:
        """Let the same be asked again."""
        with self._records.change() as db:
            db.execute("DELETE FROM answer WHERE id = ? AND life IS NOT NULL", (number,))

    def sweep(self) -> None:
        """Erase what is older than a day."""
        with self._records.change() as db:
            db.execute("DELETE FROM answer WHERE since < ?", (time.time() - KEPT,))

    def forget(self, tenant: str, gallery: str, subject: str) -> None:
        """Erase the answers about a subject, and those that name it (an `Eraser`)."""
        named = json.dumps(subject, ensure_ascii=False)
        places = (f"/{gallery}/subjects/{escaped(subject)}/", named, f"looks like {named[1:-1]}, who")
        with self._records.change() as db:
            db.execute(
                "DELETE FROM answer WHERE tenant = ? AND life IS NULL AND (instr(path || '/', ?) > 0"
                " OR instr(CAST(ifnull(body, '') AS TEXT), ?) > 0 OR instr(CAST(ifnull(body, '') AS TEXT), ?) > 0)",
                (tenant, *places),
            )


class Once:
    """ASGI middleware: looks for the key in the request's headers, and without one it lets all pass."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answers: Answers = scope["app"].state.service.answers
        try:
            number = await run_in_threadpool(_entered, request, key)
            known = await run_in_threadpool(answers.begin, *number)
        except MienError as error:
            refusal = problem(request, error)
            if isinstance(error, Conflict):
                refusal.headers["Retry-After"] = "1"
            await refusal(scope, receive, send)
            return
        heard = _Heard(scope, receive)
        if known is not None:
            await heard.out()
            await _again(request, known, heard.digest())(scope, receive, send)
            return
        said = _Said(scope, send, heard, answers, number[0])
        try:
            await self._app(scope, heard.receive, said.send)
        finally:
            if not said.kept:
                with suppress(MienError):  # a full disk: it is free again in an hour, or with the next process
                    await run_in_threadpool(answers.release, number[0])


def _key(scope: Scope) -> bytes | None:
    if scope["type"] != "http" or scope["method"] not in _CHANGES or not scope["path"].startswith("/v1/"):
        return None
    if _ASKS.fullmatch(scope["path"]):
        return None
    found: bytes | None = dict(scope["headers"]).get(HEADER)
    return found


def _entered(request: Request, key: bytes) -> tuple[bytes, str, str]:
    """(id, tenant, path) of a request under a key; one caller's keys are not another's. Raises NotAuthenticated, UsageError."""
    if not _KEY.fullmatch(key):
        raise UsageError("The Idempotency-Key is not 1 to 255 visible ASCII characters.", "Use a UUID, for example.")
    caller = request.state.caller = request.app.state.service.gate.caller(request)
    path = "" if _erased(request.scope) else request.scope["path"]
    scope = f"{caller.tenant}\0{caller.key}\0".encode()
    return hashlib.blake2b(scope + key, digest_size=16).digest(), caller.tenant, path


def _again(request: Request, known: Answer, digest: bytes) -> Response:
    if known.digest != digest:
        error = Conflict("The Idempotency-Key was used for another request.", "Use a new key for each change.")
        return problem(request, error)
    if known.body is None:
        told = "The request was answered before, and the answer is not kept."
        return problem(request, Conflict(told, "Look at what it made, or use a new key."))
    headers = {"content-type": known.kind} if known.kind else {}
    name = _erased(request.scope)
    body = _with(known.body, name) if name else known.body
    return Response(body, known.status, headers | {"idempotency-replayed": "true"})


def _erased(scope: Scope) -> str | None:
    """Who is erased by a request, wholly or a sample of theirs. The answer to it is kept without the name: whoever asks again
    names them again."""
    found = _ERASES.fullmatch(scope["path"]) if scope["method"] == "DELETE" else None
    return unicodedata.normalize("NFC", Name().convert(found[1]).strip()) if found else None


def _with(body: bytes, name: str | None) -> bytes:
    """A JSON answer whose subjects are all called `name`; None takes the names out."""

    def named(one: Any) -> Any:
        if not isinstance(one, dict):
            return one
        return {key: name if key == "subject" else named(value) for key, value in one.items()}

    return json.dumps(named(json.loads(body)), ensure_ascii=False, separators=(",", ":")).encode()


class _Heard:
    """The body of a request as it goes by, to a digest. The boundary of a form, which differs each time, is left out."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        content = dict(scope["headers"]).get(b"content-type", b"")
        kind, _, rest = content.partition(b";")
        boundary = re.search(rb'boundary="?([^";,]+)', rest) if kind.strip().lower().startswith(b"multipart/") else None
        self._boundary = boundary.group(1) if boundary else b""
        self._tail, self._whole = b"", False
        head = [scope["method"].encode(), scope.get("raw_path") or scope["path"].encode(), scope["query_string"], kind]
        self._digest = hashlib.blake2b(b"\0".join(head) + b"\0", digest_size=16)

    async def receive(self) -> Message:
        """The next message."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._take(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        elif message["type"] == "http.disconnect":
            self._whole = True
        return message

    async def out(self) -> None:
        """Read what was not read."""
        while not self._whole:
            await self.receive()

    def digest(self) -> bytes:
        """Of the request, once all of it was read."""
        self._digest.update(self._tail)
        self._tail = b""
        return self._digest.digest()

    def _take(self, body: bytes) -> None:
        if not self._boundary:
            self._digest.update(body)
            return
        body = (self._tail + body).replace(self._boundary, b"\0")
        kept = len(self._boundary) - 1  # a boundary may begin here and go on in the next part
        cut = max(0, len(body) - kept)
        self._digest.update(body[:cut])
        self._tail = body[cut:]


class _Said:
    """The response as it goes by; one that is to be kept is held back until it is on the disk."""

    def __init__(self, scope: Scope, send: Send, heard: _Heard, answers: Answers, number: bytes) -> None:
        self._send, self._heard, self._answers, self._number = send, heard, answers, number
        self._secret = scope["path"].startswith(_SECRETS)
        self._unnamed = _erased(scope) is not None
        self._start: Message | None = None
        self._body = b""
        self._long = False
        self.kept = False

    async def send(self, message: Message) -> None:
        """The next message."""
        if message["type"] == "http.response.start" and 200 <= message["status"] < 300:
            self._start = message
            return
        if self._start is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            if not self._long:
                await self._keep()
            await self._go(False)
        elif len(self._body) > LARGEST:
            if not self._long:
                self._long = True
                await self._keep()
            await self._go(True)

    async def _keep(self) -> None:
        assert self._start is not None
        await self._heard.out()
        kind = dict(self._start.get("headers", [])).get(b"content-type", b"").decode("latin-1")
        plain = not self._body or kind.partition(";")[0].strip() == "application/json"
        whole = plain and not self._secret and not self._long and len(self._body) <= LARGEST
        body = _with(self._body, None) if whole and self._unnamed and self._body else self._body
        answer = Answer(self._heard.digest(), self._start["status"], kind, body if whole else None)
        try:
            await run_in_threadpool(self._answers.end, self._number, answer)
        except MienError as error:  # what was done is done, and has to be told
            log.error("an answer could not be kept", extra={"why": error.message})
        else:
            self.kept = True

    async def _go(self, more: bool) -> None:
        """Send on what was held back."""
        assert self._start is not None
        if self._start:
            await self._send(self._start)
        self._start = {}
        await self._send({"type": "http.response.body", "body": self._body, "more_body": more})
        self._body = b""


def install(app: FastAPI) -> None:
    """Put it before the routes of `app`, and into their description."""
    app.add_middleware(Once)
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            for path, methods in plain()["paths"].items():
                for method, told in methods.items():
                    if method.upper() in _CHANGES and not _ASKS.fullmatch(path) and path.startswith("/v1/"):
                        told.setdefault("parameters", []).append(_PARAMETER)
        found: dict[str, Any] = plain()
        return found

    setattr(app, "openapi", described)  # noqa: B010 - it is made to be replaced
