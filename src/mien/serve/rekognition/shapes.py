"""Faces as the protocol shows them. Left and right are the picture's here, not the subject's as everywhere else in mien:
in the responses that the vendor publishes `eyeLeft` lies left of `eyeRight` in every upright face. Yaw grows towards the
picture's right, pitch upwards, roll clockwise, as there and as in `judge.quality`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mien.judge.quality import components
from mien.serve.rekognition.pictures import Seen
from mien.types import Reading

Json = dict[str, Any]

# In the order of `Face.points`: the subject's right eye is the left one in the picture.
_LANDMARKS = ("eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight")
_EMOTIONS = {
    "happiness": "HAPPY",
    "sadness": "SAD",
    "anger": "ANGRY",
    "disgust": "DISGUSTED",
    "surprise": "SURPRISED",
    "neutral": "CALM",
    "fear": "FEAR",
}


def bounding_box(seen: Seen) -> Json:
    """The box in parts of the picture's width and height; it may reach beyond the picture."""
    (x0, y0, x1, y1), (width, height) = (float(one) for one in seen.face.box), seen.size
    parts = {"Width": (x1 - x0) / width, "Height": (y1 - y0) / height, "Left": x0 / width, "Top": y0 / height}
    return {name: round(value, 6) for name, value in parts.items()}


def percent(share: float) -> float:
    """A share of 1 as 0..100."""
    return round(min(1.0, max(0.0, share)) * 100, 4)


def compared_face(seen: Seen) -> Json:
    """A ComparedFace: all that is read off a face without a further judge."""
    face, measures = seen.face, seen.measures
    spots = [(round(float(x) / seen.size[0], 6), round(float(y) / seen.size[1], 6)) for x, y in face.points]
    shown: Json = {
        "BoundingBox": bounding_box(seen),
        "Confidence": percent(face.score),
        "Landmarks": [{"Type": kind, "X": x, "Y": y} for kind, (x, y) in zip(_LANDMARKS, spots, strict=True)],
    }
    if measures is not None:
        turn = {"Roll": measures.roll, "Yaw": measures.yaw, "Pitch": measures.pitch}
        shown["Pose"] = {name: round(value, 4) for name, value in turn.items()}
        sharp = components(measures)["sharpness"]
        shown["Quality"] = {"Brightness": percent(measures.luma / 255), "Sharpness": percent(sharp)}
    return shown


def face_detail(seen: Seen) -> Json:
    """A FaceDetail: `compared_face`, with Emotions where they were asked for and could be read."""
    shown = compared_face(seen)
    if seen.emotions is not None and (emotions := _emotions(seen.emotions)):
        shown["Emotions"] = emotions
    return shown


def _emotions(reading: Reading) -> list[Json]:
    """Most likely first; labels that the protocol has no word for are left out."""
    known = [(_EMOTIONS[name], score) for name, score in reading.scores.items() if name in _EMOTIONS]
    ordered = sorted(known, key=lambda one: -one[1])
    return [{"Type": kind, "Confidence": percent(score)} for kind, score in ordered if math.isfinite(score)]


def face(number: str, noted: Mapping[str, Any], version: str, user: str | None = None) -> Json:
    """A Face of a collection; `noted` is the metadata of the gallery's subject."""
    shown: Json = {"FaceId": number}
    for name in ("ImageId", "ExternalImageId"):  # metadata can be written over the other interface: not all is sound
        if isinstance(noted.get(name), str):
            shown[name] = noted[name]
    if _number(noted.get("Confidence")):
        shown["Confidence"] = noted["Confidence"]
    box = noted.get("BoundingBox")
    if isinstance(box, dict) and all(_number(box.get(side)) for side in _SIDES):
        shown["BoundingBox"] = {side: box[side] for side in _SIDES}
    if user is not None:
        shown["UserId"] = user
    return shown | ({"IndexFacesModelVersion": version} if "ImageId" in shown else {})


_SIDES = ("Width", "Height", "Left", "Top")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def noted(seen: Seen, image: str, external: str | None) -> Json:
    """What the gallery keeps of a face that is indexed, under the protocol's names."""
    shown: Json = {
        "BoundingBox": bounding_box(seen),
        "ImageId": image,
        "Confidence": percent(seen.face.score),
    }
    return shown | ({"ExternalImageId": external} if external else {})


def ranked(matches: Sequence[tuple[float, Json]], name: str) -> list[Json]:
    """FaceMatches or UserMatches out of (similarity, shape)."""
    return [{"Similarity": round(similarity, 4), name: shape} for similarity, shape in matches]
