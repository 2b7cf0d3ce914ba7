"""Collections: galleries of the tenant, whichever way they were made."""

from __future__ import annotations

import re

from mien.errors import Conflict, InputError
from mien.serve.dropping import dropped
from mien.serve.galleries import NAME
from mien.serve.rekognition.desk import Asked, Desk, size
from mien.serve.rekognition.refusal import Refused, invalid
from mien.serve.rekognition.shapes import Json

_ARN = re.compile(r"arn:[^:]*:rekognition:[^:]*:(?P<tenant>[^:]+):collection/(?P<name>.+)")


def create_collection(desk: Desk, asked: Asked) -> Json:
    """An empty collection, which is a gallery in every other view of the service too."""
    desk.service.gate.again(asked.caller)
    try:
        desk.service.galleries.create(asked.caller.tenant, asked.collection)
    except Conflict:
        told = f"The collection id {asked.collection} exists already."
        raise Refused("ResourceAlreadyExistsException", told) from None
    except InputError as error:
        raise invalid(error.message, error.remedy) from error
    desk.book.begin(asked.caller.tenant, asked.collection, asked.given.get("Tags", {}))
    desk.note(asked, "gallery.create", durable=True)
    return {"StatusCode": 200, "CollectionArn": _arn(asked), "FaceModelVersion": desk.version()}


def describe_collection(desk: Desk, asked: Asked) -> Json:
    """Counts; the time only of a collection that was made through this protocol."""
    gallery = desk.gallery(asked)
    made = desk.book.made(asked.caller.tenant, asked.collection)
    desk.note(asked, "gallery.describe")
    return {
        "FaceCount": len(gallery),
        "UserCount": desk.book.count(asked.caller.tenant, asked.collection),
        "FaceModelVersion": desk.version(gallery),
        "CollectionARN": _arn(asked),
    } | ({} if made is None else {"CreationTimestamp": round(made, 3)})


def list_collections(desk: Desk, asked: Asked) -> Json:
    """All galleries of the tenant, by name."""
    after, most = desk.begins(asked) or "", size(asked)
    tenant = asked.caller.tenant
    names = [name for name in desk.service.galleries.names(tenant) if name > after]
    page = names[:most]
    desk.note(asked, "gallery.list")
    shown: Json = {
        "CollectionIds": page,
        "FaceModelVersions": [desk.version(desk.service.galleries.open(tenant, name)) for name in page],
    }
    return shown | ({"NextToken": desk.token(asked, page[-1])} if len(names) > most else {})


def delete_collection(desk: Desk, asked: Asked) -> Json:
    """The collection with everybody in it; a receipt stays."""
    desk.gallery(asked)
    try:
        dropped(desk.service, asked.caller, asked.collection)  # which tells `Counter.drop`, and the log
    except Conflict as error:  # it belongs to the operator, or is being migrated
        raise Refused("AccessDeniedException", error.message, error.remedy) from error
    return {"StatusCode": 200}


def tag_resource(desk: Desk, asked: Asked) -> Json:
    """Add tags to a collection."""
    desk.book.tag(asked.caller.tenant, _named(desk, asked), asked.given["Tags"])
    desk.note(asked, "gallery.tag", durable=True)
    return {}


def untag_resource(desk: Desk, asked: Asked) -> Json:
    """Take tags from a collection."""
    desk.book.tag(asked.caller.tenant, _named(desk, asked), {}, asked.given["TagKeys"])
    desk.note(asked, "gallery.untag", durable=True)
    return {}


def list_tags(desk: Desk, asked: Asked) -> Json:
    """Tags of a collection."""
    found = desk.book.tags(asked.caller.tenant, _named(desk, asked))
    desk.note(asked, "gallery.describe")
    return {"Tags": found}


def _named(desk: Desk, asked: Asked) -> str:
    """The collection of the tenant that an ARN names. Raises Refused."""
    tenant, arn = asked.caller.tenant, asked.given["ResourceArn"]
    found = _ARN.fullmatch(arn)
    name = found["name"] if found and found["tenant"] == tenant else ""
    if not NAME.fullmatch(name) or name not in desk.service.galleries.names(tenant):
        raise Refused("ResourceNotFoundException", f"There is no collection {arn[:100]}.")
    return name


def _arn(asked: Asked) -> str:
    return f"arn:aws:rekognition:{asked.region}:{asked.caller.tenant}:collection/{asked.collection}"
