"""Messages between a client and a matcher, as bytes: versioned, checked, and of a size that was agreed on before.

    magic (12) · format u32 · length of the header u32 · header (JSON) · parts, one after the other · SHA-256 of all before

The header names the kind of message, the keys it was made for, and the length of each part. Numbers are little-endian.
"""

from __future__ import annotations

import hashlib
import json
import math
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np

from mien.errors import InputError, UsageError
from mien.gallery.sealed.matcher import Response
from mien.gallery.sealed.probe_device import Probe
from mien.gallery.sealed.profiles import FORMAT
from mien.gallery.sealed.records import (
    U32,
    Change,
    Detail,
    GroupRow,
    GroupWrite,
    Head,
    SampleRow,
    State,
    SubjectRow,
)

TYPE = "application/vnd.mien.sealed"
_MAGIC = b"mien-sealed\n"
_START, _SUM = 20, 32  # bytes

Header = dict[str, Any]


def pack(kind: str, identity: str, header: Header, parts: Sequence[bytes] = ()) -> bytes:
    """One message."""
    text = json.dumps(header | {"kind": kind, "identity": identity, "parts": [len(part) for part in parts]}).encode()
    start = _MAGIC + FORMAT.to_bytes(4, "little") + len(text).to_bytes(4, "little")
    body = b"".join((start, text, *parts))
    return body + hashlib.sha256(body).digest()


def unpack(body: bytes, kind: str) -> tuple[Header, list[bytes]]:
    """(header, parts) of a message. Raises InputError for what is no such message, UsageError for another format."""
    broken = InputError("The message is cut short, changed on its way, or none of ours.", "Send it again.")
    if len(body) < _START + _SUM or body[:12] != _MAGIC:
        raise broken
    version = int.from_bytes(body[12:16], "little")
    if version != FORMAT:
        raise UsageError(f"The message is of format {version}, and this mien reads {FORMAT}.", "Update the older side.")
    if hashlib.sha256(memoryview(body)[:-_SUM]).digest() != body[-_SUM:]:
        raise broken
    start = _START + int.from_bytes(body[16:20], "little")
    try:
        header = json.loads(body[_START:start])
        sizes = [int(size) for size in header["parts"]]
        if header["kind"] != kind:
            raise InputError(f"The message is a {header['kind']}, not a {kind}.", "Send it where it belongs.")
        if min(sizes, default=0) < 0 or start + sum(sizes) + _SUM != len(body) or type(header["identity"]) is not str:
            raise broken
    except (ValueError, KeyError, TypeError, RecursionError):
        raise broken from None
    parts = []
    for size in sizes:
        parts.append(body[start : start + size])
        start += size
    return header, parts


def pack_array(array: U32) -> bytes:
    """Residues as bytes."""
    return array.astype("<u4", copy=False).tobytes()


def unpack_array(part: bytes, shape: Sequence[int]) -> U32:
    """The array of a shape. Raises InputError where the bytes are not so many."""
    if len(shape) > 5 or any(type(size) is not int or size < 0 for size in shape) or 4 * math.prod(shape) != len(part):
        raise InputError("An array in the message is not of the size it says.", "Send it again.")
    return np.frombuffer(part, "<u4").astype(np.uint32, copy=False).reshape(shape)


def pack_probe(probe: Probe) -> bytes:
    """A probe's message."""
    header = {"shape": list(probe.body.shape), "numbers": probe.numbers}
    return pack("probe", probe.identity, header, [pack_array(probe.body)])


def unpack_probe(body: bytes) -> Probe:
    """The probe of a message."""
    header, parts = unpack(body, "probe")
    with _reading():
        asked = header["numbers"]
        numbers = None if asked is None else tuple(int(number) for number in asked)
        return Probe(header["identity"], unpack_array(parts[0], header["shape"]), numbers)


def pack_response(response: Response, identity: str) -> bytes:
    """A response's message."""
    header = {"shape": list(response.body.shape), "revision": response.revision, "numbers": list(response.numbers)}
    return pack("response", identity, header, [pack_array(response.body)])


def unpack_response(body: bytes) -> Response:
    """The response of a message."""
    header, parts = unpack(body, "response")
    with _reading():
        numbers = tuple(int(number) for number in header["numbers"])
        return Response(int(header["revision"]), numbers, unpack_array(parts[0], header["shape"]))


def pack_head(head: Head) -> bytes:
    """A head's message."""
    return pack("head", head.identity, {"head": _row(head)})


def unpack_head(body: bytes) -> Head:
    """The head of a message."""
    header, _ = unpack(body, "head")
    with _reading():
        return Head(*_values(header["head"], Head))


def pack_state(state: State) -> bytes:
    """A state's message."""
    rows = {name: [_row(row) for row in getattr(state, name)] for name in ("subjects", "samples", "groups")}
    return pack("state", state.head.identity, {"head": _row(state.head), "whole": state.whole, **rows})


def unpack_state(body: bytes) -> State:
    """The state of a message."""
    header, _ = unpack(body, "state")
    with _reading():
        return State(
            Head(*_values(header["head"], Head)),
            [SubjectRow(*_values(row, SubjectRow)) for row in header["subjects"]],
            [SampleRow(*_values(row, SampleRow)) for row in header["samples"]],
            [GroupRow(*_values(row, GroupRow)) for row in header["groups"]],
            bool(header["whole"]),
        )


def pack_details(details: dict[int, Detail], identity: str) -> bytes:
    """The message of sealed vectors and crops."""
    parts = [part for each in details.values() for part in (each.vector, each.picture)]
    return pack("details", identity, {"numbers": list(details)}, parts)


def unpack_details(body: bytes) -> dict[int, Detail]:
    """What that message holds."""
    header, parts = unpack(body, "details")
    with _reading():
        return {int(number): Detail(*parts[2 * at : 2 * at + 2]) for at, number in enumerate(header["numbers"])}


def pack_groups(groups: dict[int, tuple[GroupRow, U32]], identity: str) -> bytes:
    """The message of stored groups."""
    header = {
        "rows": [_row(row) for row, _ in groups.values()],
        "shapes": [list(body.shape) for _, body in groups.values()],
    }
    return pack("groups", identity, header, [pack_array(body) for _, body in groups.values()])


def unpack_groups(body: bytes) -> dict[int, tuple[GroupRow, U32]]:
    """What that message holds."""
    header, parts = unpack(body, "groups")
    with _reading():
        rows = [GroupRow(*_values(row, GroupRow)) for row in header["rows"]]
        arrays = [unpack_array(part, shape) for part, shape in zip(parts, header["shapes"], strict=True)]
        return {row.number: (row, array) for row, array in zip(rows, arrays, strict=True)}


def pack_change(change: Change) -> bytes:
    """A change's message."""
    parts: list[bytes] = []
    writes = []
    for write in change.groups:
        arrays = [write.whole] if write.whole is not None else [row for _, row in write.rows]
        writes.append(
            [_row(write.row), write.whole is not None, [slot for slot, _ in write.rows], list(arrays[0].shape)]
        )
        parts += [pack_array(array) for array in arrays if array is not None]
    details = change.details or {}
    parts += [part for each in details.values() for part in (each.vector, each.picture)]
    header = {
        "head": _row(change.head),
        "subjects": [_row(row) for row in change.subjects],
        "samples": [_row(row) for row in change.samples],
        "details": list(details),
        "groups": writes,
        "gone": [[b64encode(each).decode() for each in change.gone_subjects], change.gone_samples, change.gone_groups],
    }
    return pack("change", change.head.identity, header, parts)


def unpack_change(body: bytes) -> Change:
    """The change of a message."""
    header, parts = unpack(body, "change")
    with _reading():
        ahead = iter(parts)
        writes = []
        for row, whole, slots, shape in header["groups"]:
            arrays = [unpack_array(next(ahead), shape) for _ in (slots if not whole else (0,))]
            kept = GroupRow(*_values(row, GroupRow))
            pairs = tuple((int(slot), array) for slot, array in zip(slots, arrays, strict=True)) if not whole else ()
            writes.append(GroupWrite(kept, arrays[0] if whole else None, pairs))
        details = {int(number): Detail(next(ahead), next(ahead)) for number in header["details"]}
        subjects, samples, groups = header["gone"]
        return Change(
            Head(*_values(header["head"], Head)),
            tuple(SubjectRow(*_values(row, SubjectRow)) for row in header["subjects"]),
            tuple(SampleRow(*_values(row, SampleRow)) for row in header["samples"]),
            details,
            tuple(writes),
            tuple(b64decode(each) for each in subjects),
            tuple(int(each) for each in samples),
            tuple(int(each) for each in groups),
        )


class _reading:
    """Whatever is amiss in a header is the message's fault."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(
            error, (ValueError, KeyError, TypeError, IndexError, StopIteration, AttributeError, OverflowError)
        ):
            raise InputError("The message does not say what it must.", "Send it again.") from error


def _row(row: Any) -> list[Any]:
    """A row's values; bytes in base64."""
    return [b64encode(value).decode() if isinstance(value, bytes) else value for value in astuple(row)]


def _values(row: Sequence[Any], of: type[Any]) -> list[Any]:
    """What `_row` was given, every value of its field's type."""
    kinds = [str(field.type) for field in of.__dataclass_fields__.values()]
    found = [
        b64decode(value, validate=True) if kind == "bytes" else value for value, kind in zip(row, kinds, strict=True)
    ]
    if [type(value).__name__ for value in found] != kinds:
        raise TypeError("a value is of another type")
    return found
