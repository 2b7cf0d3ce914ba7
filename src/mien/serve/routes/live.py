"""The live view over a WebSocket: the client sends JPEG (or any picture) as binary messages, the service answers JSON.

    {"time": 1.23, "faces": [{"box", "track", "verdict", "subject", "score", "reasons"}], "dropped": 4}

`time` is s since the connection was opened, when the picture came. The newest picture wins: one that comes while another is
looked at waits, and is dropped for the next. The key comes in the Authorization header, as the console's cookie, as a second
subprotocol beside "mien", or in a first message {"key": "mien_…"}: browsers can set no headers. Closing codes: 4400 no such
request, 4401 the key, 4403 not allowed, 4404 no such gallery, 4408 no picture for long, 4429 too many, 1009 too large."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocketDisconnect, WebSocketState

from mien.errors import (
    EvidenceError,
    InputError,
    MienError,
    NotAllowed,
    NotAuthenticated,
    Overloaded,
    TooLarge,
    Unavailable,
    UnreadableMedia,
)
from mien.serve.access import Caller
from mien.serve.live import View
from mien.serve.policies import policy, where
from mien.serve.service import Service

router = APIRouter(prefix="/v1/galleries", tags=["see"])
PROTOCOL = "mien"
CONNECTIONS = 4  # of one key, to one process
PICTURE = 4_000_000  # bytes, at most
_KEY_WITHIN = 5.0  # s for a first message with the key
_IDLE = 60.0  # s without a picture
_PAUSE = 0.1  # s before a picture is tried again that the queue had no room for
_LOOK = 2.0  # s between looks whether the key is in force
_CODES: tuple[tuple[type[MienError], int], ...] = (
    (NotAuthenticated, 4401),
    (NotAllowed, 4403),
    (Overloaded, 4429),
    (TooLarge, 1009),
    (Unavailable, 1012),
)
_open: Counter[str] = Counter()
_lock = threading.Lock()


@router.websocket("/{gallery}/live")
async def live(socket: WebSocket, gallery: str) -> None:
    """Follow the faces of a camera and say who they are."""
    service: Service = socket.app.state.service
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(PROTOCOL if PROTOCOL in offered else None)
    try:
        who, cookie = await _caller(service, socket)
        with _Place(who):
            await _Connection(service, socket, who, cookie).run(gallery)
    except MienError as error:
        code = next((number for kind, number in _CODES if isinstance(error, kind)), 4000 + error.status)
        await _close(socket, code, error.message)
    except WebSocketDisconnect:
        pass


async def _caller(service: Service, socket: WebSocket) -> tuple[Caller, bool]:
    """Who it is, and whether the cookie says so. Raises NotAuthenticated, NotAllowed, Overloaded."""
    origin = socket.headers.get("origin", "")
    own = urlsplit(origin).netloc == socket.headers.get("host", "")
    if origin and not own and origin not in service.settings.origins:
        raise NotAllowed("A page of another site may not open a live view.", "Let the operator list its origin.")
    gate = service.gate
    text = next((one for one in socket.scope.get("subprotocols", []) if one.startswith("mien_")), "")
    cookie = not text and not gate.sent(socket) and await run_in_threadpool(lambda: gate.session(socket) is not None)
    if cookie or (not text and gate.sent(socket)):
        return await run_in_threadpool(gate.caller, socket), cookie
    if not text:
        try:
            first = json.loads(await asyncio.wait_for(socket.receive_text(), _KEY_WITHIN))
            text = first["key"]
        except (TimeoutError, ValueError, KeyError, TypeError):
            text = ""
    if not isinstance(text, str) or not text:
        raise NotAuthenticated("No key came.", 'Send {"key": "mien_…"} first.')
    return await run_in_threadpool(lambda: gate.admitted(service.keys.key(text))), False


class _Place:
    """One of the connections that a key may have."""

    def __init__(self, who: Caller) -> None:
        self._key = who.key

    def __enter__(self) -> None:
        with _lock:
            if _open[self._key] >= CONNECTIONS:
                raise Overloaded(f"The key has {CONNECTIONS} live views open.", "Close one.")
            _open[self._key] += 1

    def __exit__(self, *_: object) -> None:
        with _lock:
            _open[self._key] -= 1
            if not _open[self._key]:
                del _open[self._key]


class _Connection:
    """One camera."""

    def __init__(self, service: Service, socket: WebSocket, who: Caller, cookie: bool) -> None:
        self._service, self._socket, self._who, self._cookie = service, socket, who, cookie
        self._began = time.monotonic()
        self._latest: tuple[bytes, float] | None = None
        self._came = asyncio.Event()
        self._dropped = 0

    async def run(self, gallery: str) -> None:
        """Until somebody leaves. Raises NotAuthenticated once the key was revoked, and what ends a connection."""
        view = await run_in_threadpool(self._view, gallery)
        tasks = [asyncio.create_task(one) for one in (self._receive(), self._answer(view, gallery), self._check())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                if not one.cancelled():
                    one.result()
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.wait(tasks)  # not gather, which hides who cancelled
            for one in tasks:
                _ = one.cancelled() or one.exception()  # looked at, or it is told as lost

    def _view(self, gallery: str) -> View:
        service, who = self._service, self._who
        fields = dict(self._socket.query_params)
        held = service.galleries.open(who.tenant, gallery)
        wanted = policy(fields, service.policies.of(who.tenant, gallery).policy)
        service.log.add(who, "live.open", gallery=gallery)
        return View(service.engine, held, wanted, where(fields), service.settings.max_faces)

    async def _receive(self) -> None:
        while True:
            try:
                message = await asyncio.wait_for(self._socket.receive(), _IDLE)
            except TimeoutError:
                await _close(self._socket, 4408, f"No picture came for {_IDLE:.0f} s.")
                return
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("bytes")
            if not data:
                raise InputError("A message was no picture.", "Send pictures as binary messages.")
            if len(data) > PICTURE:
                raise TooLarge(f"A picture of {len(data):,} bytes came; {PICTURE:,} are taken.", "Send it smaller.")
            self._dropped += self._latest is not None
            self._latest = data, time.monotonic() - self._began
            self._came.set()

    async def _answer(self, view: View, gallery: str) -> None:
        pixels = int(self._service.settings.max_megapixels * 1e6)
        while True:
            await self._came.wait()
            self._came.clear()
            latest, self._latest = self._latest, None
            if latest is None:
                continue
            data, when = latest
            answer: dict[str, Any] = {"time": round(when, 3)}
            try:
                answer["faces"] = await self._service.lines.run(view.look, data, when, pixels)
            except Overloaded:
                # Tried again unless a newer one came: whoever waits for each answer must get one.
                if self._latest is None:
                    self._latest = latest
                    self._came.set()
                else:
                    self._dropped += 1
                await asyncio.sleep(_PAUSE)
                continue
            except (UnreadableMedia, EvidenceError) as error:
                answer |= {"faces": [], "problem": self._service.folders.told(error)}
            for one in view.changed:
                facts: dict[str, Any] = {"gallery": gallery, "verdict": one.verdict, "subject": one.subject}
                self._service.log.add(self._who, "identify", live=True, **facts)
            answer["dropped"] = self._dropped
            await self._socket.send_json(answer)

    async def _check(self) -> None:
        """The key, and the session where one is used, are looked at as long as the view is open."""
        gate = self._service.gate
        while True:
            await asyncio.sleep(_LOOK)
            await run_in_threadpool(gate.again, self._who)
            if self._cookie:
                await run_in_threadpool(lambda: gate.session(self._socket) is not None)


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    # A reason may have 123 bytes (RFC 6455, 5.5).
    if socket.application_state is WebSocketState.CONNECTED and socket.client_state is WebSocketState.CONNECTED:
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(code, reason.encode()[:120].decode(errors="ignore"))
