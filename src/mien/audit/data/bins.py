"""The `.bin` of InsightFace (LFW, CFP-FP, AgeDB, CALFW, CPLFW): aligned 112 px pictures, two by two, and whether they are of
one person.

It is a pickle, which may run anything when read. This reader knows bytes, lists, tuples, truth values and arrays of bytes
and truth values; what asks for more is refused, and nothing of numpy is run either.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.align import template
from mien.audit.data.picture import Labelled, picture
from mien.errors import InputError

LARGEST = 4_000_000_000  # bytes of a file
CHIP = "arcface112"  # how the pictures were aligned, which says where the faces are
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    LookupError,
    TypeError,
    ValueError,
    MemoryError,
    OverflowError,
    RecursionError,
)


def read_bin(path: str | os.PathLike[str]) -> tuple[tuple[Labelled, ...], NDArray[np.bool_]]:
    """The 2n pictures "0001a", "0001b", "0002a", … and (n,) whether both of a pair are the same person.

    Who the people are is not in the file. Raises MediaNotFound, UnreadableMedia, InputError."""
    from mien.media.door import content_of, shown

    name = shown(path)
    try:
        pickled, labels = _Unpickler(BytesIO(content_of(path, LARGEST)), encoding="bytes").load()
        contents = [_bytes(one) for one in _items(pickled)]
        same = np.array([_truth(one) for one in _items(labels)], bool)
    except _BROKEN as error:
        raise InputError(
            f"{name} is no .bin of pictures and pairs: {_reason(error)}.",
            "Give one as InsightFace's evaluation reads it.",
        ) from error
    if len(contents) != 2 * len(same) or not len(same):
        raise InputError(f"{name} has {len(contents)} pictures and {len(same)} pairs.", "Two pictures make a pair.")
    points = template(CHIP).points.astype(np.float32)
    wide = len(str(len(same)))
    listed = tuple(
        picture(f"{index // 2 + 1:0{wide}d}{'ab'[index % 2]}", "", _reader(content), 0.0, points)
        for index, content in enumerate(contents)
    )
    return listed, same


def _reader(content: bytes) -> Callable[[], bytes]:
    return lambda: content


class _Array:
    """What stands in the pickle for a numpy array: its bytes, unread."""

    def __init__(self, *_: Any) -> None:
        self.kind, self.data = "", b""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, _, data = state
        if not (isinstance(kind, _Kind) and isinstance(data, bytes) and isinstance(shape, tuple)):
            raise pickle.UnpicklingError("an array of something else")
        self.kind, self.data = kind.name, data


class _Kind:
    """What stands for a numpy type."""

    def __init__(self, name: Any = "", *_: Any) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else str(name)
        if self.name not in ("b1", "?", "bool", "u1", "uint8"):
            raise pickle.UnpicklingError(f"an array of {self.name[:20]!r}")

    def __setstate__(self, state: Any) -> None:
        """Byte order and the like say nothing about bytes."""


def _scalar(kind: Any, data: Any = b"") -> bool:
    if not (isinstance(kind, _Kind) and isinstance(data, (bytes, str)) and len(data) == 1):
        raise pickle.UnpicklingError("a number of another kind")
    return data not in (b"\0", "\0")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _frombuffer(data: Any, kind: Any, shape: Any, order: Any) -> _Array:
    """How numpy writes arrays in protocol 5."""
    array = _Array()
    array.__setstate__((1, shape, kind, False, bytes(data) if isinstance(data, (bytes, bytearray)) else None))
    return array


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    """How Python 3 writes bytes in the older protocols."""
    if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError("text in another encoding")
    return text.encode("latin1")


def _empty(*given: Any) -> bytes:
    if given:
        raise pickle.UnpicklingError("bytes made of something else")
    return b""


_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("_codecs", "encode"): _encode,
    ("builtins", "bytes"): _empty,
    ("__builtin__", "bytes"): _empty,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _frombuffer for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which pictures do not need")
        return _ADMITTED[module, name]


def _items(held: Any) -> Sequence[Any]:
    if isinstance(held, _Array) and held.kind in ("b1", "?", "bool"):
        return [byte != 0 for byte in held.data]
    if not isinstance(held, (list, tuple)):
        raise pickle.UnpicklingError("it holds no list")
    return held


def _bytes(held: Any) -> bytes:
    if isinstance(held, _Array) and held.kind in ("u1", "uint8"):
        held = held.data
    if not isinstance(held, bytes):
        raise pickle.UnpicklingError("a picture is not given as bytes")
    return held


def _truth(held: Any) -> bool:
    if not isinstance(held, (bool, int)) or held not in (0, 1):
        raise pickle.UnpicklingError("a label is neither true nor false")
    return bool(held)


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split()).rstrip(".")
    return words if isinstance(error, pickle.UnpicklingError) and words else "it is damaged or of another kind"
