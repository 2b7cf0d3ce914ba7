"""The body of a request for a job: fields, and a video that goes to the disk piece by piece and is never held whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from mien.errors import CannotWrite, InputError, TooLarge, UnsupportedContent, UsageError

VIDEO = "video"  # the field that holds the file
UPLOAD = "upload"  # what it is called in the job's folder
_FIELDS = 65_536  # bytes of everything else
_GATHERED = 1 << 18  # bytes written at once


@dataclass(slots=True)
class Body:
    """What came."""

    fields: dict[str, Any] = field(default_factory=dict)
    saved: int = 0  # bytes of the video; 0: none came
    name: str = ""  # what the client called it


class _Sink:
    """A file that is made with its first bytes, and may not grow beyond `most`."""

    def __init__(self, path: Path, most: int) -> None:
        self._path, self._most, self._held = path, most, bytearray()
        self.size = 0

    def take(self, data: bytes) -> None:
        """Some more. Raises TooLarge."""
        self.size += len(data)
        if self.size > self._most:
            raise TooLarge(f"The video is longer than the {self._most / 1e6:.0f} MB allowed.", "Cut it.")
        self._held += data

    async def flush(self, least: int = _GATHERED) -> None:
        """Write what is held once it is so much. Raises CannotWrite."""
        if self._held and len(self._held) >= least:
            data, self._held = bytes(self._held), bytearray()
            await run_in_threadpool(self._write, data)

    def _write(self, data: bytes) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(data)
        except OSError as error:
            raise CannotWrite(f"The video cannot be kept: {error.strerror}.", "Make room on the disk.") from error


async def body_of(request: Request, folder: Path, most: int) -> Body:
    """The body of `request`: JSON, multipart/form-data with the file in `video`, or a bare video/… with fields in the query.

    The video is saved in `folder`, at most so many bytes. Raises UsageError, InputError, TooLarge, UnsupportedContent,
    CannotWrite; what was saved until then is the caller's to delete."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    sink = _Sink(folder / UPLOAD, most)
    if kind == "application/json" or kind.endswith("+json"):
        return Body(_json(await _small(request)))
    if kind == "multipart/form-data":
        return await _form(request, sink)
    if kind.startswith("video/") or kind == "application/octet-stream":
        async for piece in request.stream():
            sink.take(piece)
            await sink.flush()
        await sink.flush(1)
        return Body(dict(request.query_params), sink.size)
    told = "Send multipart/form-data with the file in 'video', a bare video/… body, or application/json."
    raise UnsupportedContent(f"The content type {kind[:60]!r} is not taken here.", told)


async def _small(request: Request) -> bytes:
    held = bytearray()
    async for piece in request.stream():
        held += piece
        if len(held) > _FIELDS:
            raise TooLarge("The body is too long for a request without a file.", "Send the video as multipart.")
    return bytes(held)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise InputError("The body is no JSON.", "Send one JSON object.") from error
    if not isinstance(found, dict):
        raise InputError("The body is no JSON object.", 'Send one, such as {"kind": "video", …}.')
    return found


async def _form(request: Request, sink: _Sink) -> Body:
    _, options = parse_options_header(request.headers["content-type"])
    boundary = options.get(b"boundary")
    if not boundary:
        raise InputError("The form names no boundary.", "Send multipart/form-data as RFC 7578 has it.")
    parts = _Parts(sink)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        async for piece in request.stream():
            parser.write(piece)
            await sink.flush()
        parser.finalize()
    except (MultipartParseError, UnicodeDecodeError) as error:
        raise InputError("The form cannot be read.", "Send multipart/form-data as RFC 7578 has it.") from error
    if not parts.whole:
        raise InputError("The form is cut short.", "Send it again.")
    await sink.flush(1)
    return Body(parts.fields, sink.size, parts.name)


class _Parts:
    """Hears what the parser finds: small fields are kept, the file goes on to the sink."""

    def __init__(self, sink: _Sink) -> None:
        self._sink, self.fields, self.name, self.whole = sink, dict[str, Any](), "", False
        self._header, self._value, self._disposition = b"", b"", b""
        self._field, self._is_file, self._data, self._small = "", False, bytearray(), 0
        self._files = 0

    def callbacks(self) -> Any:
        """What the parser calls."""
        names = ("on_part_begin", "on_part_data", "on_part_end", "on_header_field", "on_header_value")
        return {one: getattr(self, one) for one in (*names, "on_header_end", "on_headers_finished", "on_end")}

    def on_part_begin(self) -> None:
        """A part begins."""
        self._disposition, self._data, self._is_file = b"", bytearray(), False

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        """Some of a header's name."""
        self._header += self._counted(data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """Some of what it says."""
        self._value += self._counted(data[start:end])

    def on_header_end(self) -> None:
        """A header is whole."""
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        """All headers of a part are."""
        _, options = parse_options_header(self._disposition)
        self._field = options.get(b"name", b"").decode()
        self._is_file = b"filename" in options
        if not self._is_file:
            return
        self._files += 1
        if self._field != VIDEO or self._files > 1:
            raise UsageError("One file is taken, in the field 'video'.", "Send one.")
        self.name = options[b"filename"].decode(errors="replace")[:255]

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Some of a part."""
        if self._is_file:
            self._sink.take(data[start:end])
        else:
            self._data += self._counted(data[start:end])

    def on_part_end(self) -> None:
        """A part is whole."""
        if not self._is_file:
            self.fields[self._field] = self._data.decode()

    def on_end(self) -> None:
        """The form is."""
        self.whole = True

    def _counted(self, data: bytes) -> bytes:
        self._small += len(data)
        if self._small > _FIELDS:
            raise TooLarge("The fields of the form are too long.", "Send the video as a file in 'video'.")
        return data
