"""The protocol of Amazon Rekognition at `POST /` (see `mien.serve.rekognition`)."""

from __future__ import annotations

import logging
import math
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from mien.errors import MienError, Overloaded
from mien.serve.access import Caller
from mien.serve.rekognition.refusal import kind_of, status_of
from mien.serve.service import Here

log = logging.getLogger("mien.serve")
router = APIRouter()


class Answer(JSONResponse):
    """A response of the protocol."""

    media_type = "application/x-amz-json-1.1"


@router.post("/", include_in_schema=False)
async def rekognition(request: Request, service: Here) -> Answer:
    """One operation, named in X-Amz-Target. Every refusal has the protocol's shape, not that of /v1."""
    headers = {"x-amzn-RequestId": getattr(request.state, "request_id", "")}

    def known(caller: Caller) -> None:
        request.state.caller = caller

    try:
        found = await service.rekognition.answer(request.scope["headers"], await request.body(), known)
    except MienError as error:
        for one in (error, error.__cause__):
            if isinstance(one, Overloaded):
                headers["Retry-After"] = str(math.ceil(one.after))
        return _refusal(kind_of(error), service.folders.without(str(error)), headers)
    except Exception as error:  # told in the protocol's shape, and to the log in full
        log.error("internal error", exc_info=error)
        return _refusal("InternalServerError", "The service failed; the log has more under the request's id.", headers)
    return Answer(found, 200, headers)


def _refusal(kind: str, message: str, headers: dict[str, Any]) -> Answer:
    return Answer({"__type": kind, "message": message}, status_of(kind), headers)
