"""Bodies to pictures and fields: multipart, JSON with base64, or a bare picture, all to one shape."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile

from mien.errors import InputError, TooLarge, UnsupportedContent, UsageError


@dataclass(frozen=True, slots=True)
class Upload:
    """What a request brought."""

    pictures: Mapping[str, Sequence[bytes]]  # by the name of the field, in order
    names: Mapping[str, Sequence[str]]  # what the client called each
    fields: Mapping[str, Any] = field(default_factory=dict)

    def one(self, name: str) -> bytes:
        """The one picture of a field. Raises UsageError."""
        found = self.pictures.get(name, ())
        if len(found) != 1:
            raise UsageError(f"One picture is wanted in {name!r}; {len(found)} came.", "Send one.")
        return found[0]


async def received(request: Request, *fields: str) -> Upload:
    """The body of `request`; `fields` are those that hold pictures, the first being that of a bare one.

    JSON: {"image": "<base64>"}, a list of such, or a data: URL's content. Raises UsageError, InputError, TooLarge,
    UnsupportedContent. How long the body may be was checked before (`limits`)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        found = await _form(request, fields)
    elif kind == "application/json" or kind.endswith("+json"):
        found = _json(await request.body(), fields)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        found = Upload({fields[0]: [await request.body()]}, {fields[0]: [""]}, dict(request.query_params))
    else:
        told = "Send multipart/form-data, application/json with base64, or a bare image/… body."
        raise UnsupportedContent(f"The content type {kind[:60]!r} is not taken here.", told)
    most = request.app.state.service.settings.max_pictures
    if sum(len(each) for each in found.pictures.values()) > most:
        raise TooLarge(f"More than {most} pictures came in one request.", "Send them in several.")
    return found


async def _form(request: Request, wanted: Sequence[str]) -> Upload:
    pictures: dict[str, list[bytes]] = {}
    names: dict[str, list[str]] = {}
    fields: dict[str, Any] = {}
    async with request.form(max_files=1000, max_fields=1000) as form:
        for key, value in form.multi_items():
            if isinstance(value, UploadFile) and key in wanted:
                pictures.setdefault(key, []).append(await value.read())
                names.setdefault(key, []).append(value.filename or "")
            elif isinstance(value, UploadFile):
                raise UsageError(
                    f"There is no picture field {key[:60]!r} here.", f"The fields are: {', '.join(wanted)}."
                )
            else:
                fields[key] = value
    return Upload(pictures, names, fields)


def _json(body: bytes, wanted: Sequence[str]) -> Upload:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("The body is no JSON.", "Send one JSON object.") from error
    if not isinstance(found, dict):
        raise InputError("The body is no JSON object.", 'Send one, such as {"image": "<base64>"}.')
    pictures = {
        key: [_decoded(one, key) for one in (value if isinstance(value, list) else [value])]
        for key, value in found.items()
        if key in wanted and value is not None
    }
    fields = {key: value for key, value in found.items() if key not in wanted}
    return Upload(pictures, {key: [""] * len(each) for key, each in pictures.items()}, fields)


def _decoded(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise InputError(f"{name!r} is no text.", "Send the picture's bytes in base64.")
    if value.startswith("data:"):
        value = value.partition(",")[2]
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{name!r} is no base64.", "Send the picture's bytes in base64.") from error


def taking(*fields: str, **further: Any) -> dict[str, Any]:
    """`openapi_extra` of a route that uses `received`: `further` are the schemas of its other fields."""
    binary = {one: {"type": "array", "items": {"type": "string", "format": "binary"}} for one in fields}
    text = {
        one: {
            "oneOf": [
                {"type": "string", "format": "byte"},
                {"type": "array", "items": {"type": "string", "format": "byte"}},
            ]
        }
        for one in fields
    }
    needed = list(fields)
    content = {
        "multipart/form-data": {"schema": {"type": "object", "properties": binary | further, "required": needed}},
        "application/json": {"schema": {"type": "object", "properties": text | further, "required": needed}},
    }
    if len(fields) == 1:
        content["image/*"] = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": content}}
