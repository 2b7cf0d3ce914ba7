"""Users: several faces of a collection under one name. Their faces are in the collection alone, and whose they are is in the
records; so a face that is erased is erased from its user in the same step, and a user is as like as the likest of the faces."""

from __future__ import annotations

from collections.abc import Sequence

from mien.errors import UnknownSubject
from mien.gallery import BaseGallery
from mien.serve.rekognition.book import FULLEST
from mien.serve.rekognition.desk import Asked, Desk, face_id
from mien.serve.rekognition.faces import nearest, probes_of, require_user
from mien.serve.rekognition.looking import USUAL, pick_largest, usable
from mien.serve.rekognition.pictures import Wanted
from mien.serve.rekognition.refusal import Refused, invalid
from mien.serve.rekognition.shapes import Json, face_detail, ranked
from mien.types import Template

MOST = 500  # users of an answer where a request names no number
_ASSOCIATE = 75.0  # least similarity to the user's other faces where a request names none
_MORE = 8  # how many times more faces are asked for when they were too few users'


def create_user(desk: Desk, asked: Asked) -> Json:
    """A user without faces."""
    desk.gallery(asked)
    desk.service.gate.again(asked.caller)
    if not desk.book.add(asked.caller.tenant, asked.collection, asked.given["UserId"]):
        raise Refused("ConflictException", f"There is a user {asked.given['UserId']} already.")
    desk.note(asked, "user.create", durable=True)
    return {}


def delete_user(desk: Desk, asked: Asked) -> Json:
    """The user; the faces stay."""
    desk.gallery(asked)
    require_user(desk, asked)
    desk.service.gate.again(asked.caller)
    desk.book.drop(asked.caller.tenant, asked.collection, asked.given["UserId"])
    desk.note(asked, "user.delete", durable=True)
    return {}


def list_users(desk: Desk, asked: Asked) -> Json:
    """Users by name."""
    desk.gallery(asked)
    most, tenant = asked.given.get("MaxResults", MOST), asked.caller.tenant
    found = desk.book.users(tenant, asked.collection, desk.begins(asked, asked.collection) or "", most + 1)
    page = found[:most]
    desk.note(asked, "user.list", users=len(page))
    more = {"NextToken": desk.token(asked, page[-1], asked.collection)} if len(found) > most else {}
    return {"Users": [_user(desk, asked, one) for one in page]} | more


def associate_faces(desk: Desk, asked: Asked) -> Json:
    """Give faces to a user; all but the first ones must look like those the user has."""
    gallery, user, tenant = desk.comparable(asked), asked.given["UserId"], asked.caller.tenant
    require_user(desk, asked)
    good, left = _sorted_out(desk, asked, gallery)
    desk.service.gate.again(asked.caller)
    if good and len(desk.book.faces(tenant, asked.collection, user)) >= FULLEST:
        raise Refused("ServiceQuotaExceededException", f"The user {user} has {FULLEST} faces, which is the most.")
    done, over = desk.book.associate(tenant, asked.collection, user, good)
    left += [{"FaceId": number, "UserId": user, "Reasons": []} for number in over]  # the protocol has no word for it
    desk.note(asked, "user.associate", durable=True, faces=len(done), refused=len(left))
    return {
        "AssociatedFaces": [{"FaceId": number} for number in done],
        "UnsuccessfulFaceAssociations": left,
        "UserStatus": _status(desk, asked, user),
    }


def _sorted_out(desk: Desk, asked: Asked, gallery: BaseGallery) -> tuple[list[str], list[Json]]:
    """(faces to associate, those refused with their reasons)."""
    user, wanted = asked.given["UserId"], list(dict.fromkeys(asked.given["FaceIds"]))
    subjects = desk.subjects(gallery, wanted)
    owners = desk.book.owners(asked.caller.tenant, asked.collection, wanted)
    least, scale = asked.given.get("UserMatchThreshold", _ASSOCIATE), desk.scale(gallery)
    own = _templates(desk, asked, gallery, user)
    good: list[str] = []
    left: list[Json] = []
    for number in wanted:
        if number not in subjects:
            left.append({"FaceId": number, "Reasons": ["FACE_NOT_FOUND"]})
        elif owners.get(number, user) != user:
            left.append({"FaceId": number, "UserId": owners[number], "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]})
        elif number not in owners:
            likeness = scale.of(_likeness(own, _held(desk, gallery, subjects[number]))) if own else 100.0
            if likeness >= least:
                good.append(number)
            else:
                told = {"FaceId": number, "UserId": user, "Confidence": round(likeness, 4)}
                left.append(told | {"Reasons": ["LOW_MATCH_CONFIDENCE"]})
    return good, left


def disassociate_faces(desk: Desk, asked: Asked) -> Json:
    """Take faces from a user; they stay in the collection."""
    gallery, user, tenant = desk.gallery(asked), asked.given["UserId"], asked.caller.tenant
    require_user(desk, asked)
    wanted = list(dict.fromkeys(asked.given["FaceIds"]))
    owners = desk.book.owners(tenant, asked.collection, wanted)
    there = desk.subjects(gallery, [number for number in wanted if number not in owners])
    gone, left = [number for number in wanted if owners.get(number) == user], []
    for number in wanted:
        if number in owners and owners[number] != user:
            left.append({"FaceId": number, "UserId": owners[number], "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]})
        elif number not in owners and number not in there:
            left.append({"FaceId": number, "Reasons": ["FACE_NOT_FOUND"]})
    desk.service.gate.again(asked.caller)
    desk.book.disassociate(tenant, asked.collection, user, gone)
    desk.note(asked, "user.disassociate", durable=True, faces=len(gone), refused=len(left))
    return {
        "DisassociatedFaces": [{"FaceId": number} for number in gone],
        "UnsuccessfulFaceDisassociations": left,
        "UserStatus": _status(desk, asked, user),
    }


def search_users(desk: Desk, asked: Asked) -> Json:
    """Users who look like a face, or like another user."""
    face, user = asked.given.get("FaceId"), asked.given.get("UserId")
    if (face is None) == (user is None):
        raise invalid("Either FaceId or UserId is wanted.", "Give one of them.")
    gallery = desk.comparable(asked)
    if face is not None:
        probes, searched = probes_of(desk, gallery, face), {"SearchedFace": {"FaceId": face}}
    else:
        require_user(desk, asked)
        probes, searched = _templates(desk, asked, gallery, str(user)), {"SearchedUser": {"UserId": str(user)}}
    return {
        "UserMatches": _matches(desk, asked, gallery, probes),
        "FaceModelVersion": desk.version(gallery),
    } | searched


def wanted_search(desk: Desk, asked: Asked) -> Wanted:
    """The largest face."""
    desk.comparable(asked)
    return Wanted((asked.given["Image"],), pick_largest(asked.given.get("QualityFilter", "NONE")))


def search_users_by_image(desk: Desk, asked: Asked) -> Json:
    """Users who look like the largest face of a picture; that there is none is no error here."""
    gallery, (picture,) = desk.comparable(asked), asked.pictures
    bar = asked.given.get("QualityFilter", "NONE")
    searched = usable(picture, bar)[:1]
    probes = [one.template for one in searched if one.template is not None]
    left = [
        {"FaceDetails": face_detail(one), "Reasons": ["FACE_NOT_LARGEST"] if one.passes(bar) else one.reasons()}
        for one in picture
        if one not in searched
    ]
    return {
        "UserMatches": _matches(desk, asked, gallery, probes),
        "FaceModelVersion": desk.version(gallery),
        "UnsearchedFaces": left,
    } | ({"SearchedFace": {"FaceDetail": face_detail(searched[0])}} if searched else {})


def _matches(desk: Desk, asked: Asked, gallery: BaseGallery, probes: Sequence[Template]) -> list[Json]:
    scale = desk.scale(gallery)
    least, most = asked.given.get("UserMatchThreshold", USUAL), asked.given.get("MaxUsers", MOST)
    without = asked.given.get("UserId")
    best: dict[str, float] = {}
    k = 4 * most + FULLEST
    while probes:
        alike = nearest(gallery, probes, k, scale.back(least))
        owners = desk.book.owners(asked.caller.tenant, asked.collection, (face_id(name) for _, name in alike))
        best = {}
        for cosine, name in alike:  # best first
            user = owners.get(face_id(name))
            if user is not None and user != without:
                best.setdefault(user, scale.of(cosine))
        if len(best) >= most or len(alike) < k:
            break
        k *= _MORE
    found = [(score, _user(desk, asked, user)) for user, score in list(best.items())[:most]]
    desk.note(asked, "identify", matches=len(found))
    return ranked(found, "User")


def _templates(desk: Desk, asked: Asked, gallery: BaseGallery, user: str) -> list[Template]:
    """The templates of a user's faces."""
    faces = desk.book.faces(asked.caller.tenant, asked.collection, user)
    return [one for name in desk.subjects(gallery, faces).values() for one in _held(desk, gallery, name)]


def _held(desk: Desk, gallery: BaseGallery, subject: str) -> list[Template]:
    try:
        return desk.templates(gallery, subject)
    except UnknownSubject:  # forgotten since
        return []


def _likeness(some: Sequence[Template], others: Sequence[Template]) -> float:
    return max((float(one.vector @ other.vector) for one in some for other in others), default=-1.0)


def _user(desk: Desk, asked: Asked, user: str) -> Json:
    return {"UserId": user, "UserStatus": _status(desk, asked, user)}


def _status(desk: Desk, asked: Asked, user: str) -> str:
    return "ACTIVE" if desk.book.faces(asked.caller.tenant, asked.collection, user) else "CREATED"
