"""Receipts of erasures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from mien.errors import UsageError
from mien.serve.access import Caller, needs
from mien.serve.cursors import LARGEST, USUAL
from mien.serve.log import Only
from mien.serve.service import Here

router = APIRouter(prefix="/v1/receipts", tags=["receipts"])
Operator: Any = needs("operator")
Text = Annotated[str | None, Field(max_length=2000)]


class Asked(BaseModel):
    """Which receipts are wanted."""

    model_config = ConfigDict(extra="forbid")
    cursor: Text = Field(None, description="`next` of the page before.")
    limit: int = Field(USUAL, ge=1, le=LARGEST, description="Receipts of a page.")
    gallery: Text = Field(None, description="Only those of one gallery.")
    subject: Text = Field(None, description="Only those of somebody of that gallery.")


@router.get("")
def listed(asked: Annotated[Asked, Query()], service: Here, who: Caller = Operator) -> dict[str, Any]:
    """What was erased, newest first, without names: ask with `gallery` and `subject` whether somebody was."""
    if asked.subject is not None and asked.gallery is None:
        raise UsageError("A subject is looked for without a gallery.", "Name its gallery too.")
    alias = asked.subject and service.log.alias(who.tenant, str(asked.gallery), asked.subject)
    of = (who.tenant, "receipts", asked.gallery, alias)
    before = service.cursors.take(asked.cursor, *of) if asked.cursor else None
    found = service.receipts.listed(who.tenant, before, asked.limit + 1, Only(alias, asked.gallery))
    following = service.cursors.give(found[asked.limit - 1]["number"], *of) if len(found) > asked.limit else None
    service.log.add(who, "receipts.read", count=min(len(found), asked.limit))
    return {"items": found[: asked.limit], "next": following}
