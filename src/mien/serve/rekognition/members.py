"""What a request may hold: the members of each operation, with the limits, patterns and words of the service model."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.serve.rekognition.refusal import Refused, invalid

MAX_IMAGE = 5_242_880  # bytes


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    least: int = 0
    most: int | None = None
    pattern: str = ""
    words: tuple[str, ...] = ()

    def read(self, value: Any, name: str) -> str:
        """The string. Raises Refused."""
        if not isinstance(value, str):
            raise _other(name, "a string")
        if len(value) < self.least or (self.most is not None and len(value) > self.most):
            raise invalid(f"{name} has {len(value)} characters: {_range(self.least, self.most)} are allowed.")
        if self.words and value not in self.words:
            raise invalid(f"{name} is {value[:60]!r}: it must be one of {', '.join(self.words)}.")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise invalid(f"{name} is {value[:60]!r}, which does not match {self.pattern}.")
        return value


@dataclass(frozen=True, slots=True)
class Number:
    """A whole or any number."""

    least: float
    most: float | None = None
    whole: bool = False

    def read(self, value: Any, name: str) -> Any:
        """The number. Raises Refused."""
        kinds = int if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            raise _other(name, "a whole number" if self.whole else "a number")
        if value < self.least or (self.most is not None and value > self.most):
            raise invalid(f"{name} is {value}: {_range(self.least, self.most)} is allowed.")
        return value


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    of: Text
    least: int = 0
    most: int | None = None

    def read(self, value: Any, name: str) -> list[str]:
        """The list. Raises Refused."""
        if not isinstance(value, list):
            raise _other(name, "a list")
        if len(value) < self.least or (self.most is not None and len(value) > self.most):
            raise invalid(f"{name} has {len(value)} items: {_range(self.least, self.most)} are allowed.")
        return [self.of.read(one, f"{name}[{place}]") for place, one in enumerate(value)]


@dataclass(frozen=True, slots=True)
class Pairs:
    """A map of strings to strings."""

    key: Text
    value: Text
    most: int

    def read(self, value: Any, name: str) -> dict[str, str]:
        """The map. Raises Refused."""
        if not isinstance(value, dict):
            raise _other(name, "a map")
        if len(value) > self.most:
            raise invalid(f"{name} has {len(value)} pairs: at most {self.most} are allowed.")
        return {
            self.key.read(one, f"{name} key"): self.value.read(each, f"{name}.{one}") for one, each in value.items()
        }


@dataclass(frozen=True, slots=True)
class Picture:
    """An Image: its bytes. What lies in a bucket is not fetched."""

    def read(self, value: Any, name: str) -> bytes:
        """The bytes. Raises Refused."""
        if not isinstance(value, dict) or set(value) - {"Bytes", "S3Object"}:
            raise _other(name, "an Image with Bytes")
        if value.get("S3Object") is not None:
            told = "This service reads no bucket of any cloud."
            raise Refused("InvalidS3ObjectException", f"{name}.S3Object cannot be read. {told}", "Send Bytes.")
        content = value.get("Bytes")
        if not isinstance(content, str):
            raise invalid(f"{name} has no Bytes.", "Send the picture's bytes.")
        try:
            data = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError):
            raise Refused("SerializationException", f"{name}.Bytes is no base64.") from None
        if not data:
            raise invalid(f"{name}.Bytes is empty.")
        if len(data) > MAX_IMAGE:
            raise Refused("ImageTooLargeException", f"{name}.Bytes has {len(data)} bytes: {MAX_IMAGE} is the most.")
        return data


@dataclass(frozen=True, slots=True)
class Input:
    """The members of one operation."""

    needed: Mapping[str, Any] = field(default_factory=dict)
    optional: Mapping[str, Any] = field(default_factory=dict)

    def read(self, given: Any) -> dict[str, Any]:
        """The members that were given, checked; one that is null counts as not given. Raises Refused."""
        if not isinstance(given, dict):
            raise Refused("SerializationException", "The body is no JSON object.")
        known = {**self.needed, **self.optional}
        for name in given:
            if name not in known:
                raise invalid(f"There is no member {name[:60]!r} in this request.", f"There are {', '.join(known)}.")
        found = {name: known[name].read(value, name) for name, value in given.items() if value is not None}
        for name in self.needed:
            if name not in found:
                raise invalid(f"The request lacks {name}.")
        return found


def _other(name: str, wanted: str) -> Refused:
    return Refused("SerializationException", f"{name} is not {wanted}.")


def _range(least: float, most: float | None) -> str:
    return f"at least {least}" if most is None else f"{least} to {most}"


UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_COLLECTION = {"CollectionId": Text(1, 255, r"[a-zA-Z0-9_.\-]+")}
_FACE = Text(pattern=UUID)
_USER = Text(1, 128, r"[a-zA-Z0-9_.\-:]+")
_TOKEN = {"ClientRequestToken": Text(1, 64, r"[a-zA-Z0-9-_]+")}
_PERCENT = Number(0, 100)
_PAGE = {"NextToken": Text(0, None), "MaxResults": Number(0, 4096, whole=True)}
_FILTER = {"QualityFilter": Text(words=("NONE", "AUTO", "LOW", "MEDIUM", "HIGH"))}
_FACES = Number(1, 4096, whole=True)
_USERS = Number(1, 500, whole=True)
_KEEP = r"\w|[^\S\t-\r\x1c-\x1f\x85]|[.:/=+\-@]"  # letters and numbers of every script, spaces, and these signs
_TAG = Text(1, 128, rf"(?!aws:)(?:{_KEEP})*")
_TAGS = {"Tags": Pairs(_TAG, Text(0, 256, rf"(?:{_KEEP})*"), 200)}
_ARN = {"ResourceArn": Text(20, 2048)}
_ATTRIBUTES = Many(
    Text(
        words=(
            *("DEFAULT", "ALL", "AGE_RANGE", "BEARD", "EMOTIONS", "EYE_DIRECTION", "EYEGLASSES", "EYES_OPEN", "GENDER"),
            *("MOUTH_OPEN", "MUSTACHE", "FACE_OCCLUDED", "SMILE", "SUNGLASSES"),
        )
    )
)
_ASSOCIATE = {**_COLLECTION, "UserId": _USER, "FaceIds": Many(_FACE, 1, 100)}

# NextToken has no upper limit here: a name of 256 characters is longer than the model's 255 once it is sealed.
INPUTS: Mapping[str, Input] = {
    "CreateCollection": Input(_COLLECTION, _TAGS),
    "DescribeCollection": Input(_COLLECTION),
    "ListCollections": Input({}, _PAGE),
    "DeleteCollection": Input(_COLLECTION),
    "IndexFaces": Input(
        {**_COLLECTION, "Image": Picture()},
        {
            "ExternalImageId": Text(1, 255, r"[a-zA-Z0-9_.\-:]+"),
            "DetectionAttributes": _ATTRIBUTES,
            "MaxFaces": Number(1, None, whole=True),
            **_FILTER,
        },
    ),
    "ListFaces": Input(_COLLECTION, {**_PAGE, "UserId": _USER, "FaceIds": Many(_FACE, 1, 4096)}),
    "DeleteFaces": Input({**_COLLECTION, "FaceIds": Many(_FACE, 1, 4096)}),
    "SearchFaces": Input({**_COLLECTION, "FaceId": _FACE}, {"MaxFaces": _FACES, "FaceMatchThreshold": _PERCENT}),
    "SearchFacesByImage": Input(
        {**_COLLECTION, "Image": Picture()}, {"MaxFaces": _FACES, "FaceMatchThreshold": _PERCENT, **_FILTER}
    ),
    "CompareFaces": Input(
        {"SourceImage": Picture(), "TargetImage": Picture()}, {"SimilarityThreshold": _PERCENT, **_FILTER}
    ),
    "DetectFaces": Input({"Image": Picture()}, {"Attributes": _ATTRIBUTES}),
    "CreateUser": Input({**_COLLECTION, "UserId": _USER}, _TOKEN),
    "DeleteUser": Input({**_COLLECTION, "UserId": _USER}, _TOKEN),
    "AssociateFaces": Input(_ASSOCIATE, {"UserMatchThreshold": _PERCENT, **_TOKEN}),
    "DisassociateFaces": Input(_ASSOCIATE, _TOKEN),
    "SearchUsers": Input(
        _COLLECTION, {"UserId": _USER, "FaceId": _FACE, "UserMatchThreshold": _PERCENT, "MaxUsers": _USERS}
    ),
    "SearchUsersByImage": Input(
        {**_COLLECTION, "Image": Picture()}, {"UserMatchThreshold": _PERCENT, "MaxUsers": _USERS, **_FILTER}
    ),
    "TagResource": Input({**_ARN, **_TAGS}),
    "UntagResource": Input({**_ARN, "TagKeys": Many(_TAG, 0, 200)}),
    "ListTagsForResource": Input(_ARN),
    "ListUsers": Input(_COLLECTION, {"NextToken": Text(0, None), "MaxResults": _USERS}),
}
