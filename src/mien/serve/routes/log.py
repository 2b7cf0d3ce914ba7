"""The log of the caller's tenant."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query

from mien.errors import UsageError
from mien.serve.access import Caller, needs
from mien.serve.cursors import LARGEST, USUAL
from mien.serve.service import Here

router = APIRouter(prefix="/v1/log", tags=["log"])
Admin: Any = needs("admin")
Limit = Annotated[int, Query(ge=1, le=LARGEST)]
Text = Annotated[str | None, Query(max_length=2000)]


@router.get("")
def listed(
    service: Here,
    cursor: Text = None,
    limit: Limit = USUAL,
    gallery: Text = None,
    subject: Text = None,
    who: Caller = Admin,
) -> dict[str, Any]:
    """Who did what, newest first; of one subject with `gallery` and `subject`. Erased subjects stand there by alias."""
    if subject is not None and gallery is None:
        raise UsageError("A subject is looked for without a gallery.", "Name its gallery too.")
    alias = service.log.alias(who.tenant, gallery or "", subject) if subject is not None else None
    before = service.cursors.take(cursor, who.tenant, "log", alias) if cursor else None
    found = service.log.entries(who.tenant, before, limit + 1, alias)
    following = (
        service.cursors.give(found[limit - 1]["number"], who.tenant, "log", alias) if len(found) > limit else None
    )
    service.log.add(who, "log.read", count=min(len(found), limit))
    return {"items": found[:limit], "next": following}


@router.get("/verify")
def verify(service: Here, known: Text = None, who: Caller = Admin) -> dict[str, Any]:
    """Whether every entry is what was written, in its place, to the end. `known` is a `head` that was told earlier."""
    found = service.log.verify(known or "")
    service.log.add(who, "log.verify", whole=found.fault is None)
    return dataclasses.asdict(found) | {"whole": found.fault is None}
