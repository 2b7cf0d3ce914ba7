"""Weights out of a file of PyTorch's old format (before 1.6, `torch.save`), without PyTorch and without running what is in it.

The file is four pickles (a magic number, the version, the machine, the tensors by name) and a fifth with the order of the
storages, then each storage's count (int64) and numbers. A tensor is a view of a storage: offset, shape, strides."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelCorrupt

_MAGIC = 0x1950A86A20F9469CFC6C
# What reading a damaged pickle, or numbers that are nonsense, comes to.
_DAMAGE = (
    OSError,
    EOFError,
    pickle.UnpicklingError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    MemoryError,
)
_KINDS = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    kind: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class _View:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors by name, without a leading "module." (left by training on several cards). Raises ModelCorrupt."""
    try:
        with path.open("rb") as file:
            views, order = _pickles(file)
            held = {key: file.read(8 + _bytes(views, key)) for key in order}
        found = {name: _tensor(view, held[view.storage.key]) for name, view in views.items()}
    except _DAMAGE as error:
        raise ModelCorrupt(
            f"{path.name} is no file of weights in PyTorch's old format.", "Download it again."
        ) from error
    return {name.removeprefix("module."): tensor for name, tensor in found.items()}


def _pickles(file: BinaryIO) -> tuple[Mapping[str, _View], list[str]]:
    magic, version, _ = (_Reader(file).load() for _ in range(3))
    if magic != _MAGIC or version != 1001:
        raise ValueError("another format")
    views, order = _Reader(file).load(), _Reader(file).load()
    if not all(isinstance(view, _View) for view in views.values()):
        raise ValueError("not only tensors")
    return views, list(order)


def _bytes(views: Mapping[str, _View], key: str) -> int:
    (storage,) = {view.storage for view in views.values() if view.storage.key == key}
    return storage.count * storage.kind.itemsize


def _tensor(view: _View, held: bytes) -> NDArray[Any]:
    flat = np.frombuffer(held, view.storage.kind, offset=8)
    if int.from_bytes(held[:8], "little") != view.storage.count or flat.size != view.storage.count:
        raise ValueError("a storage is cut off")
    spread = view.offset + sum(step * (side - 1) for step, side in zip(view.strides, view.shape, strict=True))
    if min((*view.strides, view.offset, *view.shape), default=0) < 0 or spread >= flat.size:
        raise ValueError("a tensor reaches beyond its storage")
    strides = [step * flat.itemsize for step in view.strides]
    return np.lib.stride_tricks.as_strided(flat[view.offset :], view.shape, strides).copy()


def _rebuild(storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


class _Reader(pickle.Unpickler):
    """Makes tensors' views and nothing else: whatever else a pickle asks for is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _KINDS:
            return _KINDS[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, number: Any) -> _Storage:
        kind, dtype, key, _, count, view = number
        if kind != "storage" or view is not None or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError("an unknown reference")
        return _Storage(str(key), dtype, int(count))


__all__ = ["read_state"]
