"""Frames to a video file, with the sound of the video they came from copied as it is.

H.264 in MP4, MOV and Matroska, VP9 in WebM. Frames keep their own times, so uneven rates stay uneven. What else the source
holds stays behind: places, dates, cover pictures, subtitles, further tracks.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mien.errors import CannotWrite, MediaNotFound, UnreadableMedia, UsageError
from mien.media import marks
from mien.media.door import shown
from mien.media.video import damage, open_container, reason, start_of
from mien.types import Frame

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_CLOCK = Fraction(1, 90_000)  # s; of MPEG, fine enough for any rate
_BT709 = 1  # in libav's words for primaries, transfer and matrix alike
_X264 = ("libx264", {"crf": "18", "preset": "veryfast"})
_VP9 = ("libvpx-vp9", {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"})
RECORDED: Mapping[str, tuple[str, str, Mapping[str, str]]] = {  # suffix -> container, codec and its options
    ".m4v": ("mp4", *_X264),
    ".mkv": ("matroska", *_X264),
    ".mov": ("mov", *_X264),
    ".mp4": ("mp4", *_X264),
    ".webm": ("webm", *_VP9),
}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written."""

    frames: int
    sound: bool  # whether there is sound
    silent: str = ""  # why the sound that was wanted is not, or not all, there


def write_video(
    frames: Iterable[Frame],
    path: str | os.PathLike[str],
    *,
    fps: float = 0.0,
    sound: str | os.PathLike[str] | bytes | None = None,
    mark: str = "",
) -> Recorded:
    """Write a video in the container that the suffix names; the file appears whole or not at all.

    fps: the average rate, which helps to plan the size; frames are shown at their own `time`. An odd last row or column of
    pixels is left out. sound: a source whose first sound is copied. mark: what was done, kept in the file (`mien.media.marks`).
    Raises UsageError for another suffix, MediaNotFound when there is no such folder, CannotWrite (disk full, read-only),
    UnreadableMedia when there are no frames or their size changes, and what taking the frames raises."""
    target = Path(path)
    if target.suffix.lower() not in RECORDED:
        known = " ".join(sorted(RECORDED))
        raise UsageError(f"A video cannot be written as {shown(path)}.", f"Use one of the suffixes {known}.")
    if not target.parent.is_dir():
        raise MediaNotFound(f"There is no folder {shown(target.parent)}.", "Make it first.")
    comment = marks.words(mark) if mark else ""
    # A sibling, because a rename is atomic only within one file system.
    temporary = target.with_name(f".mien-{secrets.token_hex(8)}{target.suffix}")
    try:
        recorder = _Recorder(temporary, shown(path), fps, comment)
        try:
            told = recorder.record(frames, sound)
        finally:
            recorder.close()
        with _writing(shown(path)):
            temporary.replace(target)
    finally:  # also when somebody stops it
        temporary.unlink(missing_ok=True)
    return told


class _Recorder:
    """One file being written."""

    def __init__(self, path: Path, name: str, fps: float, comment: str) -> None:
        import av

        self._name = name
        container, codec, options = RECORDED[path.suffix.lower()]
        moved = {"movflags": "+faststart"} if container in ("mp4", "mov") else {}
        with _writing(name):
            path.open("xb").close()  # libav's own words for a folder that may not be written to are vague
            self._out: OutputContainer = av.open(f"file:{path}", "w", format=container, options=moved)
        if comment:
            self._out.metadata["comment"] = comment
        rate = Fraction(fps if 0 < fps < 1000 else 25).limit_denominator(1001)
        self._stream: Any = self._out.add_stream(codec, rate=rate, options=dict(options))
        self._size: tuple[int, int] | None = None
        self._last = -1  # pts
        self._closed = False

    def record(self, frames: Iterable[Frame], sound: str | os.PathLike[str] | bytes | None) -> Recorded:
        """Write it all."""
        count, copied = 0, _Sound(self._out)
        packets: Iterator[tuple[float, Packet[Any]]] = iter(())
        try:
            for frame in frames:
                if self._size is None:
                    self._begin(frame)
                    packets = copied.packets(sound) if sound is not None else iter(())
                for packet in _until(packets, frame.time, copied):
                    self._mux(packet)
                self._add(frame)
                count += 1
            for packet in _until(packets, float("inf"), copied):
                self._mux(packet)
            if not count:
                raise UnreadableMedia("There is no frame to be written.", "Give a video that holds some.")
            with _writing(self._name):
                self._out.mux(self._stream.encode(None))
            self.close()
        finally:
            copied.close()
        return Recorded(count, copied.any, copied.silent)

    def close(self) -> None:
        """Finish the file; closing twice is allowed."""
        if not self._closed:
            self._closed = True
            with _writing(self._name):
                self._out.close()

    def _begin(self, frame: Frame) -> None:
        self._size = frame.width, frame.height
        context = self._stream.codec_context
        self._stream.width, self._stream.height, self._stream.pix_fmt = frame.width & ~1, frame.height & ~1, "yuv420p"
        context.time_base = _CLOCK
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = 1  # 16 to 235

    def _add(self, frame: Frame) -> None:
        import av

        if (frame.width, frame.height) != self._size:
            raise UnreadableMedia(
                f"The pictures of {shown(frame.source)} change their size at {frame.time:.1f} s.", "Cut it there."
            )
        even = np.ascontiguousarray(frame.pixels[: frame.height & ~1, : frame.width & ~1])
        with _writing(self._name):
            picture = av.VideoFrame.from_ndarray(even, format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace=_BT709)
            self._last = max(self._last + 1, round(frame.time / _CLOCK))
            picture.pts, picture.time_base = self._last, _CLOCK
            self._out.mux(self._stream.encode(picture))

    def _mux(self, packet: Packet[Any]) -> None:
        with _writing(self._name):
            self._out.mux(packet)


class _Sound:
    """The first sound of a source, packet by packet, on the clock of its frames."""

    def __init__(self, out: OutputContainer) -> None:
        self._out = out
        self._container: InputContainer | None = None
        self.any = False
        self.silent = ""
        self.ahead: tuple[float, Packet[Any]] | None = None  # taken and not yet due

    def packets(self, source: str | os.PathLike[str] | bytes) -> Iterator[tuple[float, Packet[Any]]]:
        """(time in s, packet). Must be called before the first frame is written: a container knows its streams by then."""
        self._container = container = open_container(source)
        if not container.streams.audio:
            return iter(())
        stream = container.streams.audio[0]
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "an unknown codec"
        if codec not in self._out.supported_codecs:
            self.silent = f"its sound ({codec}) cannot be put into this kind of file; .mkv takes it"
            return iter(())
        try:
            copy = self._out.add_stream_from_template(stream)
        except damage() as error:
            self.silent = f"its sound ({codec}) cannot be copied: {reason(error)}"
            return iter(())
        return self._taken(container, stream, copy)

    def _taken(self, container: InputContainer, stream: Any, copy: Any) -> Iterator[tuple[float, Packet[Any]]]:
        shift = round(start_of(container, stream) / stream.time_base)
        try:
            for packet in container.demux(stream):
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                self.any = True
                yield float(packet.pts * stream.time_base), packet
        except damage() as error:
            self.silent = f"its sound breaks off: {reason(error)}"

    def close(self) -> None:
        """Let go of the source."""
        if self._container is not None:
            self._container.close()


def _until(packets: Iterator[tuple[float, Packet[Any]]], time: float, sound: _Sound) -> Iterator[Packet[Any]]:
    """The packets that are due before `time`; the one after them waits, so that none is held for long in the file's queue."""
    while True:
        due = sound.ahead or next(packets, None)
        sound.ahead = due
        if due is None or due[0] > time:
            return
        sound.ahead = None
        yield due[1]


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except damage() as error:
        raise CannotWrite(
            f"{name} cannot be written: {reason(error)}.", "Check the space and the permissions there."
        ) from error
