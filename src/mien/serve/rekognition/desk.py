"""What the operations share: collections as galleries, faces as subjects, ids, pages, and the scale of similarity.

A face of a collection is a subject of the gallery, called by its FaceId. People who were enrolled otherwise are faces here
too: their FaceId is made of their name, which is found again by a walk through the names."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mien.errors import GalleryNotFound, InputError
from mien.gallery import BaseGallery
from mien.serve.access import Caller
from mien.serve.rekognition.book import Book
from mien.serve.rekognition.members import UUID
from mien.serve.rekognition.pictures import Picture
from mien.serve.rekognition.refusal import Refused, invalid
from mien.serve.rekognition.similarity import Scale, scale
from mien.types import Template

if TYPE_CHECKING:
    from mien.serve.service import Service

PAGE = 1000  # items of a page when a request names no number
_PEOPLE = uuid.UUID("6d69656e-0000-5000-8000-000000000000")  # FaceIds of people are made in this namespace
_FACE_ID = re.compile(UUID)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, authenticated and checked."""

    operation: str
    caller: Caller
    region: str  # which the client signed for; it means nothing here but is part of a collection's name
    given: dict[str, Any] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()

    @property
    def collection(self) -> str:
        """The collection that is asked about."""
        return str(self.given["CollectionId"])


class Desk:
    """One per service."""

    def __init__(self, service: Service) -> None:
        self.service, self.book = service, Book(service.records)
        self._secret = hmac.digest(service.settings.master(), b"mien faces", "sha256")
        service.erasers.append(lambda tenant, gallery, subject: self.book.erased(tenant, gallery, face_id(subject)))

    # --- collections ----------------------------------------------------------------------------------------------

    def gallery(self, asked: Asked) -> BaseGallery:
        """The gallery of the collection. Raises Refused."""
        try:
            return self.service.galleries.open(asked.caller.tenant, asked.collection)
        except GalleryNotFound:
            told = f"The collection id {asked.collection} does not exist."
            raise Refused("ResourceNotFoundException", told) from None
        except InputError as error:
            raise invalid(error.message, error.remedy) from error

    def comparable(self, asked: Asked) -> BaseGallery:
        """The gallery, whose faces can be compared with those that the service sees. Raises Refused."""
        found = self.gallery(asked)
        if found.space not in (None, self.service.engine.embedder.space):
            told = f"The collection {asked.collection} was indexed with another model."
            raise invalid(told, "Re-embed it with `mien migrate`, or serve it with the model it was made with.")
        return found

    def version(self, gallery: BaseGallery | None = None) -> str:
        """The FaceModelVersion: "7." (the vendor's first with users) and a number made of the space of the templates."""
        space = (gallery.space if gallery is not None else None) or self.service.engine.embedder.space
        return f"7.{int.from_bytes(hashlib.blake2b(space.encode(), digest_size=6).digest())}"

    def scale(self, gallery: BaseGallery | None = None) -> Scale:
        """Cosines to similarities, by the gallery's own evidence where it has some. Raises EvidenceError."""
        space = self.service.engine.embedder.space
        own = [] if gallery is None else [point for point in gallery.points if point.space == space]
        return scale(own, self.service.engine.points)

    # --- faces ----------------------------------------------------------------------------------------------------

    def ids(self, asked: Asked, image: bytes) -> Ids:
        """Makes the ids of an image and of its faces: the same for the same image, collection and ExternalImageId."""
        parts = (asked.caller.tenant, asked.collection, asked.given.get("ExternalImageId") or "")
        return Ids(self._secret, "\n".join(parts).encode() + b"\n" + hashlib.sha256(image).digest())

    def subjects(self, gallery: BaseGallery, faces: Iterable[str]) -> dict[str, str]:
        """{FaceId: subject} of those of the faces that are in the gallery."""
        wanted = dict.fromkeys(faces)
        found = {one: one for one in wanted if one in gallery}
        people = {one for one in wanted if one not in found and uuid.UUID(one).version == 5}
        after = None
        while people:
            page = gallery.people(after=after, limit=PAGE)
            for person in page:
                if (number := face_id(person.subject)) in people:
                    found[number] = person.subject
            if len(page) < PAGE:
                break
            after = page[-1].subject
        return found

    def templates(self, gallery: BaseGallery, subject: str) -> list[Template]:
        """The templates of a subject. Raises UnknownSubject."""
        return [sample.template for _, sample in gallery.samples(subject)]

    # --- pages ----------------------------------------------------------------------------------------------------

    def begins(self, asked: Asked, of: str = "") -> str | None:
        """The item behind which the page begins that is asked for; None for the first. Raises Refused."""
        token = asked.given.get("NextToken")
        if not token:
            return None
        try:
            return str(self.service.cursors.take(token, asked.operation, asked.caller.tenant, of))
        except InputError:
            raise Refused("InvalidPaginationTokenException", "The NextToken is not one of this list.") from None

    def token(self, asked: Asked, last: str, of: str = "") -> str:
        """The NextToken of a page that ends with `last`."""
        return self.service.cursors.give(last, asked.operation, asked.caller.tenant, of)

    def note(self, asked: Asked, action: str, *, durable: bool = False, **facts: Any) -> None:
        """Put the request into the log."""
        told = {"operation": asked.operation} | facts
        if "CollectionId" in asked.given:
            told["gallery"] = asked.collection
        self.service.log.add(asked.caller, action, durable=durable, **told)


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of one image."""

    secret: bytes
    image: bytes

    @property
    def of_image(self) -> str:
        """The ImageId."""
        return self._made(b"image")

    def of_face(self, box: bytes) -> str:
        """The FaceId of the face in a box."""
        return self._made(b"face" + box)

    def _made(self, what: bytes) -> str:
        return str(uuid.UUID(bytes=hmac.digest(self.secret, what + self.image, "sha256")[:16], version=4))


def face_id(subject: str) -> str:
    """The FaceId of a subject."""
    return subject if _FACE_ID.fullmatch(subject) else str(uuid.uuid5(_PEOPLE, subject))


def size(asked: Asked) -> int:
    """How many items a page is to have."""
    return int(asked.given.get("MaxResults") or PAGE)
