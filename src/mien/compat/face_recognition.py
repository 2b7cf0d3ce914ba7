"""The functions of the library face_recognition 1.3.0: its names, arguments, box order, return types and value ranges.

    import mien.compat.face_recognition as face_recognition

Boxes are tuples (top, right, bottom, left) in px. Encodings are dlib's 128 numbers as they come out of the network, float64
and not of unit length, so that a tolerance of 0.6 means what it meant. Neither dlib nor the original library is needed.
What differs on purpose stands in ``docs/guides/from-face_recognition.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.compat import dlib_street as street
from mien.compat import points68
from mien.compat.dlib_street import BadArgument, Css
from mien.errors import UsageError
from mien.models import card as card_of
from mien.models.licence import require
from mien.types import U8

__all__ = [
    "batch_face_locations",
    "compare_faces",
    "face_distance",
    "face_encodings",
    "face_landmarks",
    "face_locations",
    "load_image_file",
]

Points = list[tuple[int, int]]


def load_image_file(file: str | IO[bytes], mode: str = "RGB") -> NDArray[Any]:
    """A picture file or open binary file as an array: (H, W, 3) uint8, or (H, W) for mode "L"; turned as EXIF says.

    Raises FileNotFoundError, PIL.UnidentifiedImageError, OSError for a truncated file."""
    import PIL.Image
    import PIL.ImageOps

    with PIL.Image.open(file) as opened:
        picture = PIL.ImageOps.exif_transpose(opened)
        return np.array(picture.convert(mode) if mode else picture)


def face_locations(img: U8, number_of_times_to_upsample: int = 1, model: str = "hog") -> list[Css]:
    """The boxes of all faces, inside the picture.

    model: "hog" asks mien's default detector, for faces from 60 px / 2^number_of_times_to_upsample on; "cnn" asks dlib's
    network and gives dlib's own boxes. Raises TypeError when `img` is no array, RuntimeError when it is no 8-bit grey or
    RGB picture, ValueError for another model."""
    return [_trimmed(css, img) for css in _found(img, number_of_times_to_upsample, model)]


def batch_face_locations(
    images: list[U8], number_of_times_to_upsample: int = 1, batch_size: int = 128
) -> list[list[Css]]:
    """The boxes of `face_locations` with model "cnn" for pictures of one size, a list each.

    `batch_size` bounds nothing here: pictures go through one by one, so memory does not grow with their number.
    Raises TypeError, and RuntimeError when the sizes differ."""
    if not isinstance(images, list):
        raise BadArgument(f"Pictures come as a list, not as {type(images).__name__}.")
    if street.whole(batch_size, "batch_size") < 1:
        raise street.BadPicture("A batch holds at least one picture.")
    for image in images:
        street.picture(image)
    if len({image.shape[:2] for image in images}) > 1:
        raise street.BadPicture(
            "Images in list must all have the same dimensions.", "Go through them with face_locations."
        )
    return [face_locations(image, number_of_times_to_upsample, "cnn") for image in images]


def face_landmarks(
    face_image: U8, face_locations: Sequence[Css] | None = None, model: str = "large"
) -> list[dict[str, Points]]:
    """Named points of each face. "small": nose_tip, left_eye, right_eye; "large": nine parts of 68 points.

    Names are the original's: its left eye is the one further left in the picture. "large" raises LicenceNotAccepted
    until the terms of the 68-point weights, which exclude commercial use, are accepted by name."""
    card, named = _predictor(model)
    return [named(street.points(face_image, box, card)) for box in _boxes(face_image, face_locations)]


def face_encodings(
    face_image: U8, known_face_locations: Sequence[Css] | None = None, num_jitters: int = 1, model: str = "small"
) -> list[NDArray[np.float64]]:
    """The encoding (128,) of each face.

    num_jitters: from 2 on, the mean over so many slightly turned, moved, enlarged and mirrored chips; which ones is fixed,
    so the same picture always gives the same numbers. model "large" is refused as `face_landmarks` refuses it."""
    card, _ = _predictor(model)
    boxes = _boxes(face_image, known_face_locations)
    chips = [street.chip(face_image, street.points(face_image, box, card)) for box in boxes]
    return street.encodings(chips, street.whole(num_jitters, "num_jitters"))


def face_distance(face_encodings: ArrayLike, face_to_compare: ArrayLike) -> NDArray[np.float64]:
    """(n,) Euclidean distances of known encodings to one; empty for an empty list.

    Raises TypeError for what is no encoding, ValueError for encodings of another length."""
    known, probe = np.asarray(face_encodings), np.asarray(face_to_compare)
    if known.dtype.kind not in "fiu" or probe.dtype.kind not in "fiu":
        raise BadArgument("Encodings are arrays of numbers.", "Make them with face_encodings.")
    if len(known) == 0:
        return np.empty(0)
    if probe.shape[-1:] != known.shape[-1:]:
        raise BadLength(
            f"The encoding to compare has {probe.size} numbers and the known ones have {known.shape[-1]}.",
            "Was there no face in its picture?",
        )
    return np.asarray(np.linalg.norm(known - probe, axis=1))


def compare_faces(
    known_face_encodings: ArrayLike, face_encoding_to_check: ArrayLike, tolerance: float = 0.6
) -> list[Any]:
    """For each known encoding whether its distance is at most `tolerance`."""
    return list(face_distance(known_face_encodings, face_encoding_to_check) <= tolerance)


class BadLength(BadArgument, ValueError):
    """Encodings that cannot be compared; a TypeError too, because that is what the original makes of an empty list."""


class BadModel(UsageError, ValueError):
    """No model of that name."""


def _found(img: U8, upsample: int, model: str) -> list[Css]:
    """Boxes that may reach over the border."""
    pixels, times = street.picture(img), street.whole(upsample, "number_of_times_to_upsample")
    if times < 0:
        raise BadArgument(f"A picture cannot be enlarged {times} times.", "Give 0 or more.")
    if model == "hog":
        return street.default_boxes(pixels, times)
    if model == "cnn":
        return street.mmod_boxes(pixels, times)
    raise BadModel(f"There is no detector {model!r}.", "Choose 'hog' or 'cnn'.")


def _boxes(img: U8, given: Sequence[Css] | None) -> list[Css]:
    """The boxes given, checked; or those found."""
    if given is None:
        return _found(img, 1, "hog")
    street.picture(img)
    return [street.box(css) for css in given]


def _trimmed(css: Css, img: U8) -> Css:
    top, right, bottom, left = css
    return max(top, 0), min(right, img.shape[1]), min(bottom, img.shape[0]), max(left, 0)


def _predictor(model: str) -> tuple[str, Callable[[NDArray[Any]], dict[str, Points]]]:
    """Card of the predictor, and what its points are called. Raises BadModel, LicenceNotAccepted."""
    if model == "small":
        return "dlib_points5", _small
    if model != "large":
        raise BadModel("Invalid landmarks model type. Supported models are ['small', 'large'].")
    require(card_of(points68.CARD))  # each time: a yes can be taken back
    return points68.CARD, _large


def _small(points: NDArray[Any]) -> dict[str, Points]:
    named = [(int(x), int(y)) for x, y in points]
    return {"nose_tip": [named[4]], "left_eye": named[2:4], "right_eye": named[:2]}


def _large(points: NDArray[Any]) -> dict[str, Points]:
    named = [(int(x), int(y)) for x, y in points]
    return {part: [named[index] for index in indices] for part, indices in points68.PARTS.items()}
