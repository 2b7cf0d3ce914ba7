"""The log of the caller's tenant."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from mien.errors import UsageError
from mien.serve.access import Caller, needs
from mien.serve.cursors import LARGEST, USUAL
from mien.serve.log import Only
from mien.serve.service import Here

router = APIRouter(prefix="/v1/log", tags=["log"])
Admin: Any = needs("admin")
Text = Annotated[str | None, Field(max_length=2000)]


class Asked(BaseModel):
    """Which entries are wanted."""

    model_config = ConfigDict(extra="forbid")
    cursor: Text = Field(None, description="`next` of the page before.")
    limit: int = Field(USUAL, ge=1, le=LARGEST, description="Entries of a page.")
    action: Text = Field(None, description="Only one kind, such as subject.forget.")
    gallery: Text = Field(None, description="Only what was done in one gallery.")
    subject: Text = Field(None, description="Only what was done about somebody of that gallery, erased or not.")


@router.get("")
def listed(asked: Annotated[Asked, Query()], service: Here, who: Caller = Admin) -> dict[str, Any]:
    """Who did what, newest first. Erased subjects stand there by an alias."""
    if asked.subject is not None and asked.gallery is None:
        raise UsageError("A subject is looked for without a gallery.", "Name its gallery too.")
    alias = asked.subject and service.log.alias(who.tenant, str(asked.gallery), asked.subject)
    of = (who.tenant, "log", asked.gallery, asked.action, alias)
    before = service.cursors.take(asked.cursor, *of) if asked.cursor else None
    found = service.log.entries(who.tenant, before, asked.limit + 1, Only(alias, asked.gallery, asked.action))
    following = service.cursors.give(found[asked.limit - 1]["number"], *of) if len(found) > asked.limit else None
    service.log.add(who, "log.read", count=min(len(found), asked.limit))
    return {"items": found[: asked.limit], "next": following}


@router.get("/verify")
def verify(
    service: Here, who: Caller = Admin, known: Annotated[str | None, Query(max_length=200)] = None
) -> dict[str, Any]:
    """Whether every entry is what was written, in its place, to the end. `known` is a `head` that was told earlier."""
    found = service.log.verify(known or "")
    service.log.add(who, "log.verify", whole=found.fault is None)
    return dataclasses.asdict(found) | {"whole": found.fault is None}
