"""Galleries: which there are, what holds for them, making and dropping them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from mien import wire
from mien.errors import GalleryError, MienError, UsageError
from mien.gallery import BaseGallery
from mien.serve import policies
from mien.serve.access import Caller, needs
from mien.serve.cursors import LARGEST, USUAL
from mien.serve.dropping import dropped
from mien.serve.service import Here, Service
from mien.serve.writers import writes

router = APIRouter(prefix="/v1/galleries", tags=["galleries"])
Reader: Any = needs("reader")
Operator: Any = needs("operator")
Admin: Any = needs("admin")
Limit = Annotated[int, Query(ge=1, le=LARGEST)]


class Made(BaseModel):
    """A gallery to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Up to 200 letters, digits, '-', '_' and '.'.")


@router.get("")
def listed(service: Here, who: Caller = Reader, limit: Limit = USUAL, cursor: str | None = None) -> dict[str, Any]:
    """The galleries of the key's tenant, by name, with how many people each holds."""
    after = service.cursors.take(cursor, who.tenant, "galleries") if cursor else ""
    names = [name for name in service.galleries.names(who.tenant) if name > after]
    items = [_brief(service, who.tenant, name) for name in names[:limit]]
    service.log.add(who, "gallery.list", count=len(items))
    more = service.cursors.give(names[limit - 1], who.tenant, "galleries") if len(names) > limit else None
    return {"items": items, "next": more}


@router.post("", status_code=201)
@writes
def make(made: Made, service: Here, who: Caller = Admin) -> dict[str, Any]:
    """A new, empty gallery."""
    service.gate.again(who)
    service.galleries.create(who.tenant, made.name)
    service.log.add(who, "gallery.create", durable=True, gallery=made.name)
    return _brief(service, who.tenant, made.name)


@router.get("/{gallery}")
def one(gallery: str, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """One gallery: its size, its template space beside the service's, its policy, and the threshold that follows from it
    with the evidence behind it. `growth_warning` says when no known threshold fits its size any more."""
    held = service.galleries.open(who.tenant, gallery)
    standing = service.policies.of(who.tenant, gallery)
    service.log.add(who, "gallery.show", gallery=gallery)
    point, why = threshold(service, held, standing.policy)
    return _described(service, who.tenant, gallery, held) | {
        "policy": standing.rules.model_dump() | {"set": standing.set},
        "threshold": wire.encode(point),
        "why_none": why,
        "growth_warning": service.engine.growth_warning(held, standing.policy),
    }


@router.delete("/{gallery}")
@writes
def drop(gallery: str, service: Here, who: Caller = Admin) -> dict[str, Any]:
    """Erase everybody in a gallery, and the gallery. The answer is the receipt."""
    receipt, people = dropped(service, who, gallery)
    told = wire.encode(receipt)
    return {name: told[name] for name in ("id", "gallery", "samples", "images", "when", "digest")} | {"people": people}


@router.get("/{gallery}/policy")
def policy_of(gallery: str, service: Here, who: Caller = Reader) -> dict[str, Any]:
    """How sure an answer of this gallery must be, unless a request says otherwise."""
    service.galleries.open(who.tenant, gallery)
    standing = service.policies.of(who.tenant, gallery)
    service.log.add(who, "policy.show", gallery=gallery)
    return standing.rules.model_dump() | {"set": standing.set}


@router.put("/{gallery}/policy")
@writes
def keep_policy(gallery: str, rules: policies.Rules, service: Here, who: Caller = Operator) -> dict[str, Any]:
    """Let a policy hold from now on; {} for the defaults. Refused where no evidence supports it."""
    held = service.galleries.open(who.tenant, gallery)
    wanted = rules.policy()
    unread = [kind for kind, _, _ in wanted.require if kind not in {one.kind for one in service.engine.judges}]
    if unread:
        raise UsageError(
            f"No judge of this service reads {unread[0]!r}.", "Start it with such a judge (setting `judges`)."
        )
    service.engine.search_point(held, wanted)
    service.gate.again(who)
    service.policies.keep(who.tenant, gallery, rules)
    told = rules.model_dump()
    facts = {name: told[name] for name in ("fmr", "fpir", "threshold", "margin", "review")}
    service.log.add(who, "policy.set", durable=True, gallery=gallery, **facts)
    return told | {"set": True}


def threshold(service: Service, gallery: BaseGallery, policy: Any) -> tuple[Any, str | None]:
    """The operating point that an identification in `gallery` is decided at, or why there is none."""
    try:
        return service.engine.search_point(gallery, policy), None
    except MienError as error:
        return None, error.message


def _brief(service: Service, tenant: str, name: str) -> dict[str, Any]:
    """A gallery in a list; one that cannot be opened says why."""
    try:
        return _described(service, tenant, name, service.galleries.open(tenant, name))
    except GalleryError as error:
        return {"name": name, "problem": service.folders.told(error)}


def _described(service: Service, tenant: str, name: str, held: BaseGallery) -> dict[str, Any]:
    people, templates = held.count()
    space, ours = held.space, service.engine.embedder
    return {
        "name": name,
        "people": people,
        "templates": templates,
        "space": space,
        "embedder": ours.name,
        "usable": space in (None, ours.space),  # else it needs the model it was made with
        "mounted": service.galleries.belongs(tenant, name),  # by the operator: no request can drop it
    }
