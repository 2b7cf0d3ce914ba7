"""What DeepFace accepts as a picture to a Frame: a path, a BGR array, a data URI, or an open binary file."""

from __future__ import annotations

import base64
import binascii
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.compat.deepface.errors import DataTypeError, ImgNotFound, UnimplementedError
from mien.errors import MediaNotFound, UnreadableMedia
from mien.media import read_image
from mien.types import U8, Frame


def read(picture: Any) -> Frame:
    """Raises ImgNotFound, DataTypeError, and UnimplementedError for addresses on the web."""
    if isinstance(picture, np.ndarray):
        return Frame(_rgb(picture), "numpy array")
    if isinstance(picture, str):
        if picture.startswith("data:image/"):
            return _decoded(_unpacked(picture), "base64 encoded string")
        if picture.lower().startswith(("http://", "https://")):
            raise UnimplementedError(
                f"{picture} is not fetched: mien opens no address that arrives as data.",
                "Download it and give the file.",
            )
    if isinstance(picture, str | os.PathLike):
        return _decoded(picture, os.fspath(picture))
    if callable(getattr(picture, "read", None)):
        if callable(getattr(picture, "seekable", None)) and picture.seekable():
            picture.seek(0)  # as there: the whole file counts, however much of it was read before
        content = picture.read()
        if isinstance(content, bytes):
            return _decoded(content, "io object")
        raise DataTypeError("The file was opened as text.", 'Open it with mode "rb".')
    raise DataTypeError(
        f"A {type(picture).__name__} is no picture.", "Give a path, a BGR array, a data URI or a binary file."
    )


def several(picture: Any) -> list[Any] | None:
    """The pictures of a list or of a 4-dimensional array; None for a single picture."""
    if isinstance(picture, list):
        return picture
    return list(picture) if isinstance(picture, np.ndarray) and picture.ndim == 4 else None


def _decoded(content: Any, name: str) -> Frame:
    try:
        return Frame(read_image(content).pixels, name)
    except MediaNotFound as error:
        raise ImgNotFound(error.message, error.remedy) from error
    except UnreadableMedia as error:
        raise DataTypeError(error.message, error.remedy) from error


def _unpacked(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    if not head.endswith(";base64") or not body:
        raise DataTypeError(
            "The data URI is not base64.", "It begins with data:image/jpeg;base64, and goes on with the bytes."
        )
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise DataTypeError("The data URI holds no valid base64.", "Encode the bytes of the file again.") from error


def _rgb(array: NDArray[Any]) -> U8:
    """(H, W), (H, W, 3) BGR or (H, W, 4) BGRA; bytes, or fractions of 1 as extract_faces returns them."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or 0 in array.shape:
        raise DataTypeError(f"An array of shape {array.shape} is no picture.", "Give (height, width, 3) in BGR order.")
    if array.dtype != np.uint8:
        array = _bytes(array)
    return np.ascontiguousarray(np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array[..., 2::-1])


def _bytes(array: NDArray[Any]) -> U8:
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all() or array.min() < 0 or array.max() > 255:
        raise DataTypeError(
            f"An array of {array.dtype} with these values is no picture.", "Give bytes, or fractions between 0 and 1."
        )
    fractions = array.dtype.kind == "f" and array.max() <= 1
    return np.asarray(np.rint(array * 255 if fractions else array), np.uint8)
