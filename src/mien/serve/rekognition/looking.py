"""Pictures without a collection: faces in one, and those of two compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mien.serve.rekognition.desk import Asked, Desk
from mien.serve.rekognition.pictures import Picture, Seen, Wanted
from mien.serve.rekognition.refusal import Refused, invalid
from mien.serve.rekognition.shapes import Json, bounding_box, compared_face, face_detail, percent

NO_FACE = "There are no faces in the image. Should be at least 1."  # the vendor's words, which clients look for
USUAL = 80.0  # least similarity where a request names none


def emotions(attributes: Sequence[str] | None) -> bool:
    """Whether Emotions are asked for."""
    return bool({"ALL", "EMOTIONS"} & set(attributes or ()))


def wanted_detect(desk: Desk, asked: Asked) -> Wanted:
    """Faces, and perhaps expressions."""
    return Wanted((asked.given["Image"],), emotions=emotions(asked.given.get("Attributes")))


def detect_faces(desk: Desk, asked: Asked) -> Json:
    """Every face of a picture, largest first."""
    (picture,) = asked.pictures
    desk.note(asked, "detect", faces=len(picture))
    return {"FaceDetails": [face_detail(one) for one in picture]}


def wanted_compare(desk: Desk, asked: Asked) -> Wanted:
    """The source's largest face, and all of the target."""
    bar = asked.given.get("QualityFilter", "NONE")

    def pick(pictures: list[Picture]) -> list[Seen]:
        source, target = ([one for one in each if one.passes(bar)] for each in pictures)
        return [*source[:1], *target] if source else []

    given = asked.given["SourceImage"], asked.given["TargetImage"]
    return Wanted(given, pick, names=("SourceImage", "TargetImage"))


def compare_faces(desk: Desk, asked: Asked) -> Json:
    """How alike the largest face of one picture is to each face of another. What fails the filter is not compared."""
    bar = asked.given.get("QualityFilter", "NONE")
    source, target = (usable(each, bar) for each in asked.pictures)
    if not source or not target:
        raise invalid(f"There are no faces in the {'target' if source else 'source'} image. Should be at least 1.")
    least, scale = asked.given.get("SimilarityThreshold", USUAL), desk.scale()
    scored = sorted(((scale.of(_cosine(source[0], one)), one) for one in target), key=lambda each: -each[0])
    desk.note(asked, "verify", faces=len(target), matches=sum(score >= least for score, _ in scored))
    return {
        "SourceImageFace": {
            "BoundingBox": bounding_box(source[0]),
            "Confidence": percent(source[0].face.score),
        },
        "FaceMatches": [
            {"Similarity": round(score, 4), "Face": compared_face(one)} for score, one in scored if score >= least
        ],
        "UnmatchedFaces": [compared_face(one) for score, one in scored if score < least],
    }


def usable(picture: Picture, bar: str) -> list[Seen]:
    """Faces that reach a quality bar, largest first."""
    return [one for one in picture if one.passes(bar)]


def the_largest(picture: Picture, bar: str) -> Seen:
    """The largest face that reaches the bar. Raises Refused."""
    found = usable(picture, bar)
    if not found:
        raise Refused("InvalidParameterException", NO_FACE)
    return found[0]


def pick_largest(bar: str) -> Any:
    """Picks the largest face that reaches the bar."""
    return lambda pictures: usable(pictures[0], bar)[:1]


def _cosine(one: Seen, other: Seen) -> float:
    assert one.template is not None
    assert other.template is not None
    return float(one.template.vector @ other.template.vector)
