"""Faces of a collection: indexed, listed, searched, deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from mien.errors import UnknownSubject
from mien.gallery import BaseGallery
from mien.serve.erasing import forgotten
from mien.serve.rekognition.desk import Asked, Desk, face_id, size
from mien.serve.rekognition.looking import USUAL, emotions, pick_largest, the_largest, usable
from mien.serve.rekognition.pictures import Picture, Seen, Wanted
from mien.serve.rekognition.refusal import Refused, invalid
from mien.serve.rekognition.shapes import Json, bounding_box, face, face_detail, noted, percent, ranked
from mien.types import Sample, Template

MOST = 4096  # faces that a search answers with where a request names no number
_PATIENCE = 30.0  # s; clients wait for 60


def wanted_index(desk: Desk, asked: Asked) -> Wanted:
    """The faces that will be indexed."""
    desk.comparable(asked)
    return Wanted(
        (asked.given["Image"],),
        lambda pictures: _chosen(asked, pictures[0]),
        emotions=emotions(asked.given.get("DetectionAttributes")),
    )


def index_faces(desk: Desk, asked: Asked) -> Json:
    """Add the faces of a picture. The same picture with the same ExternalImageId again adds nothing."""
    gallery, (picture,) = desk.comparable(asked), asked.pictures
    chosen = _chosen(asked, picture)
    ids = desk.ids(asked, asked.given["Image"])
    version = desk.version(gallery)
    records = []
    desk.service.gate.again(asked.caller)
    for seen in chosen:
        number = ids.of_face(seen.face.box.round().tobytes())
        about = noted(seen, ids.of_image, asked.given.get("ExternalImageId"))
        if number not in gallery and seen.template is not None:
            gallery.enrol(number, [Sample(seen.template)], about)
        owner = desk.book.owners(asked.caller.tenant, asked.collection, [number]).get(number)
        records.append({"Face": face(number, about, version, owner), "FaceDetail": face_detail(seen)})
    left = [one for one in picture if one not in chosen]
    one_only = {"subject": records[0]["Face"]["FaceId"]} if len(records) == 1 else {}
    desk.note(asked, "subject.enrol", durable=True, faces=len(records), refused=len(left), **one_only)
    return {
        "FaceRecords": records,
        "FaceModelVersion": version,
        "UnindexedFaces": [{"Reasons": _why_not(asked, one), "FaceDetail": face_detail(one)} for one in left],
    }


def _bar(asked: Asked, usual: str) -> str:
    return str(asked.given.get("QualityFilter", usual))


def _chosen(asked: Asked, picture: Picture) -> list[Seen]:
    """The largest of those that reach the bar."""
    return usable(picture, _bar(asked, "AUTO"))[: asked.given.get("MaxFaces")]


def _why_not(asked: Asked, seen: Seen) -> list[str]:
    return ["EXCEEDS_MAX_FACES"] if seen.passes(_bar(asked, "AUTO")) else seen.reasons()


def list_faces(desk: Desk, asked: Asked) -> Json:
    """Faces by id; those of a user or among `FaceIds`, if so asked."""
    gallery, most = desk.gallery(asked), size(asked)
    only = _only(desk, asked, gallery)
    of = repr((asked.collection, asked.given.get("UserId"), asked.given.get("FaceIds")))
    after = desk.begins(asked, of)
    found: Sequence[Any]
    if only is None:
        found = gallery.people(after=after, limit=most + 1)
    else:
        names = sorted(subject for subject in only.values() if after is None or subject > after)
        found = [one for one in (_person(gallery, name) for name in names[: most + 1]) if one is not None]
    page = found[:most]
    owners = desk.book.owners(asked.caller.tenant, asked.collection, (face_id(one.subject) for one in page))
    version = desk.version(gallery)
    shown = [
        face(number, one.metadata, version, owners.get(number))
        for one, number in ((one, face_id(one.subject)) for one in page)
    ]
    desk.note(asked, "subject.list", faces=len(page))
    more = {"NextToken": desk.token(asked, page[-1].subject, of)} if len(found) > most else {}
    return {"Faces": shown, "FaceModelVersion": version} | more


def _only(desk: Desk, asked: Asked, gallery: BaseGallery) -> dict[str, str] | None:
    """{FaceId: subject} of those that are asked for; None for all. Raises Refused."""
    wanted: set[str] | None = None
    if (user := asked.given.get("UserId")) is not None:
        require_user(desk, asked)
        wanted = set(desk.book.faces(asked.caller.tenant, asked.collection, user))
    if (faces := asked.given.get("FaceIds")) is not None:
        wanted = set(faces) if wanted is None else wanted & set(faces)
    return None if wanted is None else desk.subjects(gallery, wanted)


def require_user(desk: Desk, asked: Asked) -> None:
    """Raises Refused when the user who is asked about is not there."""
    user = asked.given["UserId"]
    if not desk.book.known(asked.caller.tenant, asked.collection, user):
        raise Refused("ResourceNotFoundException", f"There is no user {user} in the collection {asked.collection}.")


def delete_faces(desk: Desk, asked: Asked) -> Json:
    """Erase faces, each with a receipt; a face of a user stays until it is disassociated.

    Each erasure is durable and takes its time in a large gallery: those that were not reached within `_PATIENCE` are among
    the unsuccessful ones, without a reason because the protocol has no word for it, and can be sent again."""
    ends = time.monotonic() + _PATIENCE
    gallery, tenant = desk.gallery(asked), asked.caller.tenant
    wanted = list(dict.fromkeys(asked.given["FaceIds"]))
    subjects = desk.subjects(gallery, wanted)
    owners = desk.book.owners(tenant, asked.collection, wanted)
    deleted: list[str] = []
    left: list[Json] = []
    for number in wanted:
        if number in owners and number in subjects:
            reasons = ["ASSOCIATED_TO_AN_EXISTING_USER"]
            left.append({"FaceId": number, "UserId": owners[number], "Reasons": reasons})
        elif deleted and time.monotonic() > ends:
            left.append({"FaceId": number, "Reasons": []})
        elif number in subjects and _erased(desk, asked, subjects[number]):
            deleted.append(number)
        else:
            left.append({"FaceId": number, "Reasons": ["FACE_NOT_FOUND"]})
    desk.note(asked, "subject.delete", durable=True, faces=len(deleted), refused=len(left))
    return {"DeletedFaces": deleted, "UnsuccessfulFaceDeletions": left}


def _erased(desk: Desk, asked: Asked, subject: str) -> bool:
    try:
        forgotten(desk.service, asked.caller, asked.collection, subject)
    except UnknownSubject:  # somebody else was quicker
        return False
    return True


def search_faces(desk: Desk, asked: Asked) -> Json:
    """Faces that look like one of the collection, without itself."""
    gallery = desk.comparable(asked)
    probes = probes_of(desk, gallery, asked.given["FaceId"])
    matches = _matches(desk, asked, gallery, probes)
    return {"SearchedFaceId": asked.given["FaceId"], "FaceMatches": matches, "FaceModelVersion": desk.version(gallery)}


def probes_of(desk: Desk, gallery: BaseGallery, number: str) -> list[Template]:
    """The templates of a face of the collection. Raises Refused."""
    subject = desk.subjects(gallery, [number]).get(number)
    try:
        if subject is not None:
            return desk.templates(gallery, subject)
    except UnknownSubject:
        pass
    raise invalid(f"faceId {number} was not found in the collection.")


def wanted_search(desk: Desk, asked: Asked) -> Wanted:
    """The largest face."""
    desk.comparable(asked)
    return Wanted((asked.given["Image"],), pick_largest(_bar(asked, "NONE")))


def search_faces_by_image(desk: Desk, asked: Asked) -> Json:
    """Faces that look like the largest one of a picture."""
    gallery, (picture,) = desk.comparable(asked), asked.pictures
    seen = the_largest(picture, _bar(asked, "NONE"))
    assert seen.template is not None
    matches = _matches(desk, asked, gallery, [seen.template])
    return {
        "SearchedFaceBoundingBox": bounding_box(seen),
        "SearchedFaceConfidence": percent(seen.face.score),
        "FaceMatches": matches,
        "FaceModelVersion": desk.version(gallery),
    }


def _matches(desk: Desk, asked: Asked, gallery: BaseGallery, probes: Sequence[Template]) -> list[Json]:
    scale, version = desk.scale(gallery), desk.version(gallery)
    least, most = asked.given.get("FaceMatchThreshold", USUAL), asked.given.get("MaxFaces", MOST)
    asked_for = asked.given.get("FaceId")
    alike = nearest(gallery, probes, most + 1, scale.back(least))
    good = [(scale.of(cosine), subject) for cosine, subject in alike if face_id(subject) != asked_for][:most]
    owners = desk.book.owners(asked.caller.tenant, asked.collection, (face_id(subject) for _, subject in good))
    found = []
    for score, subject in good:
        person = _person(gallery, subject)
        if person is not None:
            number = face_id(subject)
            found.append((score, face(number, person.metadata, version, owners.get(number))))
    desk.note(asked, "identify", matches=len(found))
    return ranked(found, "Face")


def nearest(gallery: BaseGallery, probes: Sequence[Template], k: int, floor: float) -> list[tuple[float, str]]:
    """(cosine, subject) of the k subjects nearest to any of the probes, best first, ties by name."""
    if not len(gallery):
        return []
    best: dict[str, float] = {}
    for each in gallery.search_many(probes, k, floor=floor):
        for match in each:
            best[match.subject] = max(match.score, best.get(match.subject, -1.0))
    return sorted(((score, name) for name, score in best.items()), key=lambda one: (-one[0], one[1]))[:k]


def _person(gallery: BaseGallery, subject: str) -> Any:
    try:
        return gallery.person(subject)
    except UnknownSubject:  # forgotten since
        return None
