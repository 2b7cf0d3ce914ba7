"""Videos, cameras and streams: one frame at a time, with its time, turned as displayed.

A video is never held in memory: a frame is decoded when it is asked for. Libav may open only what a video file needs
(no playlists, no further files or addresses named inside a file), and its pixels are bounded.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, SupportsFloat
from urllib.parse import urlsplit

import numpy as np

from mien.errors import MediaNotFound, MienError, UnreadableMedia, UsageError
from mien.media.door import head_of, shown
from mien.media.orient import orientation_of, upright
from mien.media.sniff import HEAD, picture_format
from mien.types import U8, Frame

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_FRAME_PIXELS = 40_000_000  # 8K is 33 MP
PATIENCE = (10.0, 10.0)  # s to wait for a stream to open, and for its next data
RETRY_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0)  # s before each try to get a lost stream back

_LIVE = {"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "tcp", "srt"}
_REMOTE = {*_LIVE, "http", "https"}
_FILE_FORMATS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,ivf,yuv4mpegpipe,rm,h264,hevc,m4v,mxf,dv,"
    "wav,mp3,flac,aac,aiff,au,amr,ac3"
)
_PROTOCOLS = "http,https,httpproxy,tcp,tls,udp,rtp,srtp,rtsp,rtsps,rtmp,rtmps,srt,crypto"

_sleep: Callable[[float], None] = time.sleep


class Video:
    """An opened video; iterate over `frames()`. Closes itself after the last frame; also a context manager."""

    source: str  # path or address, without any password
    fps: float  # frames per second on average; 0 where it is not known
    duration: float | None  # s; None where it is not known, as of a camera
    count: int | None  # frames, as the file says or as fps and duration suggest; for progress only
    live: bool  # a camera or a stream without an end
    has_audio: bool
    damaged: int  # frames or packets so far that could not be decoded and were passed over

    def __init__(self, source: str | os.PathLike[str] | bytes) -> None:
        self._source = source
        self.source = "" if isinstance(source, bytes) else public_name(source)
        self._name = shown(source) if isinstance(source, bytes) else shown(self.source)
        self.live = is_camera(source) or _scheme(source) in _LIVE
        self.damaged = 0
        self._orientation: tuple[int | None, int] = (
            None,
            1,
        )  # angle of the last frame, and the orientation it came with
        self._container: InputContainer | None = open_container(source)
        stream = self._stream(self._container)
        rate = stream.average_rate or stream.guessed_rate
        self.fps = float(rate) if rate else 0.0
        self.duration = None if self.live else _duration(self._container, stream)
        known = stream.frames or (round(self.duration * self.fps) if self.duration else 0)
        self.count = None if self.live else known or None
        self.has_audio = bool(self._container.streams.audio)

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file or camera; closing twice is allowed."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def frames(self, *, every: int = 1, start: float = 0.0, end: float | None = None) -> Iterator[Frame]:
        """Frames in order of display; times are s from the start of the source and never go back.

        every: keep each n-th frame. start, end: s; `end` itself is left out. After a jump to `start`, which goes by key
        frames, indices follow from time and average rate. May be called again; a file then starts anew.
        Raises UnreadableMedia where a file is cut short or a stream is lost, after the frames that were there."""
        if every < 1 or start < 0 or (end is not None and end < start):
            raise UsageError(
                f"Frames cannot be taken every {every} from {start} s to {end} s.",
                "Give every >= 1 and 0 <= start <= end.",
            )
        return self._live_frames(every, end) if self.live else self._file_frames(every, start, end)

    def _file_frames(self, every: int, start: float, end: float | None) -> Iterator[Frame]:
        container = self._take()
        try:
            stream = self._stream(container)
            origin = start_of(container, stream)
            first = 0
            if start > 0:
                first = -1  # told by the first frame
                _seek(container, start + origin)
            last, seen = -1.0, 0
            for raw in self._decoded(container, stream):
                seen += 1
                now = self._time(raw, origin, last)
                if first < 0:
                    first = round(now * self.fps)
                index, last = first, now
                first += 1
                if end is not None and now >= end:
                    return
                if now >= start and index % every == 0:
                    yield Frame(self._pixels(raw), self.source, index, now)
            self._check_end(stream, origin, last, seen)
        finally:
            container.close()

    def _live_frames(self, every: int, end: float | None) -> Iterator[Frame]:
        began, index, tries, now = time.monotonic(), 0, 0, 0.0
        while True:
            failure: MienError | None = None
            try:
                container = self._take()
            except MienError as error:
                failure = error
            else:
                # A stream's clock starts anew after each loss; ours goes on.
                offset, origin, last = max(now, time.monotonic() - began) if index else 0.0, None, -1.0
                try:
                    for raw in self._decoded(container, self._stream(container)):
                        tries = 0
                        origin = (raw.time or 0.0) if origin is None else origin
                        last = self._time(raw, origin, last)
                        now = last + offset
                        if end is not None and now >= end:
                            return
                        if index % every == 0:
                            yield Frame(self._pixels(raw), self.source, index, now)
                        index += 1
                except MienError as error:
                    failure = error
                finally:
                    container.close()
            if tries == len(RETRY_WAITS):
                raise UnreadableMedia(
                    f"{self._name} was lost and did not come back in {tries} tries.",
                    "Check the camera and the network.",
                ) from failure
            _sleep(RETRY_WAITS[tries])
            tries += 1

    def _take(self) -> InputContainer:
        """The container that probing opened, or a fresh one."""
        held, self._container = self._container, None
        return held if held is not None else open_container(self._source)

    def _stream(self, container: InputContainer) -> VideoStream:
        if not container.streams.video:
            has = "only sound" if container.streams.audio else "no picture"
            container.close()
            raise UnreadableMedia(f"{self._name} holds {has}, no video.", "Give a file with a video stream.")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            container.close()
            raise UnreadableMedia(f"The video in {self._name} is coded in an unknown way.", "Convert it to MP4.")
        # Decoding ahead on all cores costs a live stream one frame of delay per core.
        stream.thread_type = "SLICE" if self.live else "AUTO"
        stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
        return stream

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except damage() as error:
                raise UnreadableMedia(
                    f"{self._name} breaks off: {reason(error)}.", "Copy or record it again."
                ) from error
            try:
                frames = packet.decode()
            except damage():
                self.damaged += 1
                continue
            for frame in frames:
                if frame.is_corrupt:
                    self.damaged += 1
                else:
                    yield frame

    def _time(self, raw: VideoFrame, origin: float, last: float) -> float:
        """s from the start; where a frame has no time of its own, one frame after the one before."""
        step = 1.0 / self.fps if self.fps else 0.04
        return max(0.0, last, raw.time - origin if raw.time is not None else last + step)

    def _pixels(self, raw: VideoFrame) -> U8:
        try:
            pixels = raw.to_ndarray(format="rgb24")
            if raw.rotation != self._orientation[0]:
                self._orientation = raw.rotation, orientation_of(_display_matrix(raw))
        except damage() as error:
            raise UnreadableMedia(f"{self._name} cannot be decoded: {reason(error)}.", "Convert it to MP4.") from error
        return upright(np.asarray(pixels, np.uint8), self._orientation[1])

    def _check_end(self, stream: VideoStream, origin: float, last: float, seen: int) -> None:
        """A file that ended long before its own header says is cut short."""
        if seen == 0:
            raise UnreadableMedia(f"{self._name} holds no frame that can be decoded.", "Copy or record it again.")
        if stream.duration is None or stream.time_base is None:
            return
        wanted = _seconds(stream.duration, stream.time_base) + _seconds(stream.start_time, stream.time_base) - origin
        if last < wanted - max(1.0, 0.05 * wanted, 3.0 / self.fps if self.fps else 0.0):
            raise UnreadableMedia(
                f"{self._name} is cut short: it ends after {last:.1f} of {wanted:.1f} s.",
                "What came before that was used; copy it again for the rest.",
            )


def open_video(source: str | os.PathLike[str] | bytes) -> Video:
    """Open a video file, its bytes, a camera (`camera:0`) or an address (rtsp, http, …).

    Raises MediaNotFound; UnreadableMedia when it is empty, damaged, or has no video stream."""
    return Video(source)


def is_camera(source: object) -> bool:
    """Whether `source` names a camera: `camera:0`, `camera:1`, …"""
    return isinstance(source, str) and source.startswith("camera:")


def is_remote(source: object) -> bool:
    """Whether `source` is an address that a stream or file is fetched from."""
    return _scheme(source) in _REMOTE


def public_name(source: str | os.PathLike[str]) -> str:
    """`source` without the name and password that an address may carry."""
    text = os.fspath(source)
    if not is_remote(text):
        return text
    scheme, rest = text.split("://", 1)
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def open_container(source: str | os.PathLike[str] | bytes) -> InputContainer:
    """Libav's container, opened for reading with nothing allowed that `source` itself does not need.

    Raises MediaNotFound, UnreadableMedia."""
    import av

    if isinstance(source, bytes) and not source:
        raise UnreadableMedia("The given data is empty.", "Give the bytes of a whole video file.")
    name = shown(source) if isinstance(source, bytes) else shown(public_name(source))
    try:
        if is_camera(source):
            return _open_camera(str(source))
        if is_remote(source):
            options = {"protocol_whitelist": _PROTOCOLS, "rtsp_transport": "tcp"}
            return av.open(os.fspath(source), "r", options=options, timeout=PATIENCE)
        head = source[:HEAD] if isinstance(source, bytes) else head_of(source, HEAD)
        if picture_format(head):
            raise UnreadableMedia(f"{name} is a picture, not a video.", "Read it as a picture.")
        local = BytesIO(source) if isinstance(source, bytes) else f"file:{os.fspath(source)}"
        options = {"format_whitelist": _FILE_FORMATS, "protocol_whitelist": "file"}
        return av.open(local, "r", options=options)
    except damage() as error:
        if is_camera(source):
            raise MediaNotFound(f"There is no camera {name}.", "Plug it in, or try another number.") from error
        if is_remote(source):
            raise UnreadableMedia(
                f"{name} cannot be opened: {reason(error)}.", "Check the address and the network."
            ) from error
        raise UnreadableMedia(
            f"{name} is no video or is damaged: {reason(error)}.", "Copy it again, or give another file."
        ) from error


@cache
def damage() -> tuple[type[Exception], ...]:
    """What libav and its Python side raise on damaged data."""
    import av

    plain = (OSError, EOFError, ValueError, RuntimeError, LookupError, ArithmeticError, MemoryError, TypeError)
    return (av.FFmpegError, AttributeError, *plain)


def reason(error: BaseException) -> str:
    """Libav's own words, without the name of the file, which may carry a password."""
    words = " ".join(str(getattr(error, "strerror", "") or error).split()).rstrip(".") or type(error).__name__
    return words if len(words) <= 120 else f"{words[:119]}…"


def _open_camera(source: str) -> InputContainer:
    import av

    number = source.removeprefix("camera:")
    if not number.isdecimal():
        raise UsageError(f"{shown(source)} names no camera.", "Write camera:0 for the first one.")
    devices = {"linux": ("video4linux2", f"/dev/video{number}"), "darwin": ("avfoundation", number)}
    format, device = devices.get(sys.platform, ("vfwcap", number))
    return av.open(device, "r", format=format, timeout=PATIENCE)


def _scheme(source: object) -> str:
    if not isinstance(source, str) or "://" not in source:
        return ""
    try:
        return urlsplit(source).scheme
    except ValueError:  # a file may have any name
        return ""


def _seconds(value: int | None, base: SupportsFloat | None) -> float:
    """`base` is a Fraction, or a rational type of PyAV's own from its version 19 on."""
    return value * float(base) if value is not None and base is not None else 0.0


def start_of(container: InputContainer, stream: Stream) -> float:
    """s at which the source begins on its own clock: of all its streams, so that sound and picture stay together."""
    if container.start_time is not None:
        return float(Fraction(container.start_time, 1_000_000))
    return _seconds(stream.start_time, stream.time_base)


def _duration(container: InputContainer, stream: VideoStream) -> float | None:
    if container.duration and container.duration > 0:
        return float(Fraction(container.duration, 1_000_000))
    return _seconds(stream.duration, stream.time_base) or None


def _seek(container: InputContainer, seconds: float) -> None:
    """To the key frame before; a file without an index stays at its start, and decoding finds the place."""
    try:
        container.seek(int(seconds * 1_000_000))
    except damage():
        container.seek(0)


def _display_matrix(raw: VideoFrame) -> bytes:
    """To be asked for rarely: looking at side data ties a frame into a cycle that only the garbage collector undoes."""
    data: Any = raw.side_data.get("DISPLAYMATRIX")
    return bytes(data) if data is not None else b""
