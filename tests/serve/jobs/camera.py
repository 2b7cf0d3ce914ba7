"""A camera: an RTSP server on the loopback that sends MPEG-TS over RTP within its TCP connection (RFC 2326 and 2250)."""

from __future__ import annotations

import io
import socket
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av

from mien.types import Frame

_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:track\r\n"
)


def stream(frames: Iterable[Frame], fps: int = 10) -> bytes:
    """The frames as an MPEG transport stream."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as out:
        video: Any = out.add_stream("mpeg2video", rate=fps, options={"g": "5", "b": "2M"})
        for number, frame in enumerate(frames):
            if not number:
                video.width, video.height, video.pix_fmt = frame.width, frame.height, "yuv420p"
            picture = av.VideoFrame.from_ndarray(frame.pixels, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, fps)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
    return file.getvalue()


class Camera:
    """Serves `data` over `seconds`, then holds the connection; `elsewhere` is pointed to instead."""

    def __init__(self, data: bytes = b"", seconds: float = 2.0, elsewhere: str = "") -> None:
        self._data, self._seconds, self._elsewhere = data, seconds, elsewhere
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self.asked: list[str] = []  # first lines of requests
        self.logins: list[str] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._door, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._door.accept()
                self._open.append(caller)
                self._threads.append(threading.Thread(target=self._talk, args=(caller,)))
                self._threads[-1].start()

    def _talk(self, caller: socket.socket) -> None:
        held = b""
        with suppress(OSError):
            while data := caller.recv(65_536):
                held += data
                while b"\r\n\r\n" in held:
                    head, _, held = held.partition(b"\r\n\r\n")
                    self._answer(caller, head.decode())

    def _answer(self, caller: socket.socket, head: str) -> None:
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.asked.append(first)
        verb = first.split()[0]
        more = {
            "OPTIONS": "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n",
            "DESCRIBE": "Content-Type: application/sdp\r\n",
        }
        more |= {"SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n", "PLAY": "Session: 1\r\n"}
        status, body = "200 OK", _SDP if verb == "DESCRIBE" else ""
        if verb == "DESCRIBE" and self._elsewhere:
            status, body = "302 Moved", ""
            more["DESCRIBE"] = f"Location: {self._elsewhere}\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        answer = f"RTSP/1.0 {status}\r\nCSeq: {headers.get('cseq', '0')}\r\n{more.get(verb, '')}{length}\r\n{body}"
        caller.sendall(answer.encode())
        if verb == "PLAY":
            self._threads.append(threading.Thread(target=self._play, args=(caller,)))
            self._threads[-1].start()

    def _play(self, caller: socket.socket) -> None:
        packets = [self._data[start : start + 188 * 7] for start in range(0, len(self._data), 188 * 7)]
        with suppress(OSError):
            for number, packet in enumerate(packets):
                moment = number / len(packets) * self._seconds
                head = struct.pack(">BBHII", 0x80, 33, number & 0xFFFF, round(moment * 90_000), 1)
                caller.sendall(b"$\0" + struct.pack(">H", len(head) + len(packet)) + head + packet)
                time.sleep(self._seconds / len(packets))
