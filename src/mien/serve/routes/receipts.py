"""Receipts of erasures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from mien.errors import UsageError
from mien.serve.access import Caller, needs
from mien.serve.cursors import LARGEST, USUAL
from mien.serve.service import Here

router = APIRouter(prefix="/v1/receipts", tags=["receipts"])
Operator: Any = needs("operator")
Text = Annotated[str | None, Query(max_length=2000)]


@router.get("")
def listed(
    service: Here,
    cursor: Text = None,
    limit: Annotated[int, Query(ge=1, le=LARGEST)] = USUAL,
    gallery: Text = None,
    subject: Text = None,
    who: Caller = Operator,
) -> dict[str, Any]:
    """What was erased, newest first, without names: ask with `gallery` and `subject` whether somebody was."""
    if subject is not None and gallery is None:
        raise UsageError("A subject is looked for without a gallery.", "Name its gallery too.")
    alias = service.log.alias(who.tenant, gallery or "", subject) if subject is not None else None
    before = service.cursors.take(cursor, who.tenant, "receipts", alias) if cursor else None
    found = service.receipts.listed(who.tenant, before, limit + 1, alias)
    last = found[limit - 1]["number"] if len(found) > limit else None
    service.log.add(who, "receipts.read", count=min(len(found), limit))
    following = service.cursors.give(last, who.tenant, "receipts", alias) if last is not None else None
    return {"items": found[:limit], "next": following}
