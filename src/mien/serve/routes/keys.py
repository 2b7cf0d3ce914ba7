"""Keys of the caller's tenant."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from mien.serve.access import Caller, Role, needs
from mien.serve.keys import Key, Terms, number
from mien.serve.service import Here, Service

router = APIRouter(prefix="/v1/keys", tags=["keys"])
Admin: Any = needs("admin")


class Wanted(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1, max_length=100, description="What lists and the log call it.")
    role: Role = Field("reader", description="What it may do.")
    rate: float | None = Field(None, gt=0, description="Requests per second, on average; null: the service's.")
    burst: int | None = Field(None, ge=1, description="Requests at once; null: the service's.")
    quota: int | None = Field(None, ge=1, description="Requests per day (UTC); null: no limit.")
    expires: str | None = Field(None, max_length=40, description="Date (ISO 8601) after which it is refused.")


class Grace(BaseModel):
    """How an old key goes."""

    model_config = ConfigDict(extra="forbid")
    hours: float = Field(0.0, ge=0, le=8760, description="How long the old key still works, h.")


@router.get("")
def listed(service: Here, who: Caller = Admin) -> dict[str, Any]:
    """All keys, oldest first, without their secrets; `used` is the last day."""
    service.log.add(who, "key.list")
    return {"items": [_told(service, one) for one in service.keys.listed(who.tenant)], "next": None}


@router.post("", status_code=201)
def make(wanted: Wanted, service: Here, who: Caller = Admin) -> dict[str, Any]:
    """A new key. `key` is its text, which is shown only here."""
    terms = Terms(wanted.rate, wanted.burst, wanted.quota, wanted.expires)
    service.gate.again(who)
    return _new(service, who, service.keys.make(wanted.name, wanted.role, who.tenant, terms), "key.make")


@router.post("/{key}/rotate", status_code=201)
def rotate(key: str, service: Here, grace: Grace | None = None, who: Caller = Admin) -> dict[str, Any]:
    """A new key in place of one in force, with its name, role and terms."""
    service.gate.again(who)
    text = service.keys.rotate(key, grace.hours if grace else 0.0, who.tenant)
    return _new(service, who, text, "key.rotate", old=key)


@router.delete("/{key}", status_code=204)
def revoke(key: str, service: Here, who: Caller = Admin) -> None:
    """Refuse a key from now on, in all processes."""
    service.gate.again(who)
    found = service.keys.revoke(key, who.tenant)
    service.log.add(who, "key.revoke", durable=True, id=found.id, name=found.name, role=found.role)


def _new(service: Service, who: Caller, text: str, action: str, **facts: Any) -> dict[str, Any]:
    found = service.keys.numbered(number(text))
    service.log.add(who, action, durable=True, id=found.id, name=found.name, role=found.role, **facts)
    return _told(service, found) | {"key": text}


def _told(service: Service, key: Key) -> dict[str, Any]:
    return dataclasses.asdict(key) | {
        "state": key.state,
        "used_today": service.rates.used(key) if key.quota is not None else None,
    }
