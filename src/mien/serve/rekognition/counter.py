"""One request from its bytes to its answer: the signature, the members, the pictures, the operation."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from mien.errors import NotAllowed, Overloaded
from mien.serve.access import Caller
from mien.serve.rekognition.desk import Asked, Desk
from mien.serve.rekognition.members import INPUTS
from mien.serve.rekognition.operations import OPERATIONS, Operation
from mien.serve.rekognition.pictures import Wanted, look
from mien.serve.rekognition.refusal import Refused
from mien.serve.rekognition.shapes import Json
from mien.serve.rekognition.signature import Headers, check, claimed

if TYPE_CHECKING:
    from mien.serve.service import Service

TARGET = "RekognitionService."


class Counter:
    """Answers requests for a service."""

    def __init__(self, service: Service) -> None:
        self._service, self._desk = service, Desk(service)

    async def answer(self, headers: Headers, body: bytes, known: Callable[[Caller], None]) -> Json:
        """The answer; `known` is told who calls as soon as that is sure. Raises MienError (see `refusal`)."""
        asked, wanted = await run_in_threadpool(self._asked, headers, body, known)
        if wanted is not None:
            pictures = await look(self._service, wanted)
            asked = replace(asked, pictures=pictures)
        return await run_in_threadpool(self._answered, asked)

    def drop(self, tenant: str, gallery: str) -> None:
        """Forget users and all else about a gallery that goes."""
        self._desk.book.end(tenant, gallery)

    def _asked(self, headers: Headers, body: bytes, known: Callable[[Caller], None]) -> tuple[Asked, Wanted | None]:
        claim = claimed(headers)
        key = self._service.keys.numbered(claim.key)
        check(claim, self._service.keys.secret(key.id), headers, body)
        known(key.caller)
        try:
            caller = self._service.gate.admitted(key)
        except Overloaded as error:  # the key's own rate or quota; a full queue is a ThrottlingException
            raise Refused("ProvisionedThroughputExceededException", error.message, error.remedy) from error
        name, operation = _operation(headers)
        if not caller.may(operation.role):
            raise NotAllowed(f"The key is a {caller.role}'s, and {name} needs {operation.role}.")
        asked = Asked(name, caller, claim.region, INPUTS[name].read(_json(headers, body)))
        return asked, None if operation.wanted is None else operation.wanted(self._desk, asked)

    def _answered(self, asked: Asked) -> Json:
        answer = OPERATIONS[asked.operation].answer
        book, tenant = self._desk.book, asked.caller.tenant
        found: Json = book.once(tenant, asked.operation, asked.given, lambda: answer(self._desk, asked))
        return found


def _operation(headers: Headers) -> tuple[str, Operation]:
    target = next((value.decode("latin-1") for name, value in headers if name == b"x-amz-target"), "")
    name = target.removeprefix(TARGET)
    if not target.startswith(TARGET) or name not in OPERATIONS:
        known = ", ".join(OPERATIONS)
        raise Refused(
            "UnknownOperationException", f"There is no operation {target[:80]!r} here.", f"There are {known}."
        )
    return name, OPERATIONS[name]


def _json(headers: Headers, body: bytes) -> Any:
    kind = next((value for name, value in headers if name == b"content-type"), b"")
    if not kind.startswith(b"application/x-amz-json-1."):
        raise Refused("SerializationException", "The content type is not application/x-amz-json-1.1.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("SerializationException", "The body is no JSON.") from None
