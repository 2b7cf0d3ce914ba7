"""Arrays out of pickles, as DEAP ships its signals, without running anything that a pickle asks for.

A pickle may run whatever it likes when Python reads it. This reader knows dictionaries, lists, text, numbers and arrays of
numbers; what asks for more is refused, and none of numpy's own unpickling is run: arrays are built from their bytes here.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError
from mien.media.door import content_of, shown

LARGEST = 1_000_000_000  # bytes of a file; a subject of DEAP has 103 MB
_KINDS = frozenset("?biuf")  # truth values, whole numbers, fractions
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


def read_arrays(path: str | os.PathLike[str]) -> Mapping[str, NDArray[Any]]:
    """The arrays of a pickled dictionary, by name. Raises MediaNotFound, UnreadableMedia, InputError."""
    data = content_of(path, LARGEST)
    try:
        held = _Unpickler(BytesIO(data), encoding="bytes").load()
        if not isinstance(held, dict):
            raise pickle.UnpicklingError("it holds no dictionary")
        return {_name(key): _values(value) for key, value in held.items()}
    except _BROKEN as error:
        raise InputError(
            f"{shown(path)} is no pickle of arrays: {_reason(error)}.", "Copy or download it again."
        ) from error


class _Kind:
    """What stands in the pickle for a numpy type, until its byte order is known."""

    def __init__(self, name: Any = "", *_: Any) -> None:
        text = name.decode("ascii") if isinstance(name, bytes) else str(name)
        if not (2 <= len(text) <= 3 and text[0] in _KINDS and text[1:] in ("1", "2", "4", "8")):
            raise pickle.UnpicklingError(f"an array of {text[:20]!r}")
        self.code, self.order = text, "="

    def __setstate__(self, state: Any) -> None:
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else str(state[1])
        if order not in ("<", ">", "=", "|"):
            raise pickle.UnpicklingError("numbers in an unknown order of bytes")
        self.order = order

    @property
    def type(self) -> np.dtype[Any]:
        return np.dtype(("" if self.order == "|" else self.order) + self.code)


class _Array:
    """What stands for a numpy array: its bytes, made into one at the end."""

    def __init__(self, *_: Any) -> None:
        self.made: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        data = data.encode("latin1") if isinstance(data, str) else data
        if not (isinstance(kind, _Kind) and isinstance(data, bytes) and isinstance(shape, tuple) and len(shape) <= 8):
            raise pickle.UnpicklingError("an array of something else")
        if not all(isinstance(one, int) and one >= 0 for one in shape):
            raise pickle.UnpicklingError("an array of no shape")
        self.made = np.frombuffer(data, kind.type).reshape(shape, order="F" if fortran else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _frombuffer(data: Any, kind: Any, shape: Any, order: Any = "C") -> _Array:
    """How numpy writes arrays in protocol 5."""
    array = _Array()
    array.__setstate__((1, shape, kind, order in ("F", b"F"), bytes(data)))
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
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}"[:100] + ", which arrays do not need")
        return _ADMITTED[module, name]


def _name(key: Any) -> str:
    if isinstance(key, bytes):
        key = key.decode("ascii")
    if not isinstance(key, str):
        raise pickle.UnpicklingError("an array without a name")
    return key


def _values(held: Any) -> NDArray[Any]:
    if not isinstance(held, _Array) or held.made is None:
        raise pickle.UnpicklingError("it holds something that is no array")
    return held.made


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split()).rstrip(".")
    return words if isinstance(error, pickle.UnpicklingError) and words else "it is damaged or of another kind"
