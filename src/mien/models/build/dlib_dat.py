"""Reader of dlib's serialised networks and shape predictors; dlib itself is not needed.

The format is dlib's ``serialize.h``: an integer is a control byte (low nibble: number of bytes, high bit: sign) and a
little-endian magnitude; a real is mantissa and exponent as two integers; a tensor is a version, four sizes and raw
little-endian float32. A network is written version numbers first (outermost layer first), then the layers' own
contents innermost first, each led by a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelCorrupt
from mien.types import F32

_SPECIAL = {32000: math.inf, 32001: -math.inf, 32002: math.nan}
_MAX_LAYERS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Conv:
    """A convolution."""

    weights: F32  # (out, in, height, width)
    bias: F32  # (out,)
    stride: int
    pad: int


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A per-channel scale and shift; batch normalisation is folded into one on reading."""

    scale: NDArray[np.float64]  # (channels,)
    shift: NDArray[np.float64]  # (channels,)


@dataclass(frozen=True, slots=True)
class Pool:
    """Pooling without padding; window 0 means the whole plane."""

    kind: str  # "max" or "avg"
    window: int
    stride: int


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A linear layer without bias."""

    weights: F32  # (in, out)


@dataclass(frozen=True, slots=True)
class Mark:
    """A layer without numbers of its own: "relu", "add" (to the last fork) or "fork" (a tag or a skip)."""

    kind: str


Layer = Conv | Affine | Pool | Dense | Mark


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Layers from input to output, and the mean colour the input layer takes away before it divides by 256."""

    mean: tuple[float, float, float]  # R, G, B, 0..255
    layers: tuple[Layer, ...]


class Reader:
    """A cursor over bytes that cannot run past the end: every fault is a `ModelCorrupt` that names the file."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name
        self.at = 0

    def fault(self, why: str) -> ModelCorrupt:
        """The error to raise at this place."""
        return ModelCorrupt(
            f"{self.name} is not the dlib model it should be: {why} at byte {self.at}.",
            "Install the package that carries it again.",
        )

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        if count < 0 or self.at + count > len(self.data):
            raise self.fault("it ends too early")
        start, self.at = self.at, self.at + count
        return self.data[start : self.at]

    def integer(self) -> int:
        """A signed integer of 1 to 8 bytes."""
        control = self.take(1)[0]
        length = control & 0x0F
        if not 1 <= length <= 8 or control & 0x70:
            raise self.fault("no integer")
        value = int.from_bytes(self.take(length), "little")
        return -value if control & 0x80 else value

    def expect(self, value: int, what: str) -> None:
        """An integer that must be `value`."""
        if self.integer() != value:
            raise self.fault(f"unknown {what}")

    def count(self) -> int:
        """An integer that may not be negative, nor larger than the file."""
        value = self.integer()
        if not 0 <= value <= len(self.data):
            raise self.fault("no sensible count")
        return value

    def real(self) -> float:
        """A real number: mantissa, then exponent."""
        mantissa, exponent = self.integer(), self.integer()
        if exponent in _SPECIAL:
            return _SPECIAL[exponent]
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            raise self.fault("no real number") from None

    def reals(self, count: int) -> list[float]:
        """`count` real numbers."""
        return [self.real() for _ in range(count)]

    def text(self) -> str:
        """A short string."""
        length = self.count()
        if length > 256:
            raise self.fault("no layer name")
        return self.take(length).decode("latin-1")

    def flag(self) -> bool:
        """A boolean, written as the digit 0 or 1."""
        byte = self.take(1)
        if byte not in (b"0", b"1"):
            raise self.fault("no boolean")
        return byte == b"1"

    def tensor(self) -> F32:
        """(N, K, R, C) float32."""
        self.expect(2, "tensor version")
        shape = [self.count() for _ in range(4)]
        values = np.frombuffer(self.take(4 * math.prod(shape)), "<f4").reshape(shape)
        if not np.isfinite(values).all():
            raise self.fault("a weight is not a number")
        return values.astype(np.float32)

    def shape(self) -> tuple[int, int, int, int]:
        """The sizes of a view into a tensor."""
        self.expect(1, "view version")
        return self.count(), self.count(), self.count(), self.count()

    def end(self) -> None:
        """All bytes must have been read."""
        if self.at != len(self.data):
            raise self.fault("unread bytes are left")


def read_network(data: bytes, name: str) -> Network:
    """Parse a serialised dlib network; `name` is used in messages. Raises ModelCorrupt on any other bytes."""
    reader = Reader(data, name)
    reader.expect(1, "file version")
    _loss(reader)
    versions = _versions(reader)
    mean = _input(reader)
    layers: list[Layer] = []
    for depth, version in enumerate(reversed(versions)):
        if depth and version == 1:
            layers.append(Mark("fork"))
            continue
        layers.append(_layer(reader))
        _trailer(reader, version, innermost=depth == 0)
    reader.end()
    return Network(mean, tuple(layers))


def _loss(reader: Reader) -> None:
    kind = reader.text()
    if kind == "loss_metric_2":
        reader.reals(2)
    elif kind == "loss_mmod_":
        reader.expect(1, "version of the loss layer")
        reader.integer(), reader.integer()
        reader.reals(7)
    else:
        raise reader.fault("unknown loss layer")


def _versions(reader: Reader) -> list[int]:
    """Version numbers run on until the input layer's name: an integer (its length) followed by the text itself."""
    versions = [reader.integer()]
    while reader.data[reader.at + 2 : reader.at + 8] != b"input_":
        versions.append(reader.integer())
        if versions[-1] not in (1, 2, 3) or len(versions) > _MAX_LAYERS:
            raise reader.fault("unknown layer version")
    return versions


def _input(reader: Reader) -> tuple[float, float, float]:
    kind = reader.text()
    red, green, blue = reader.reals(3)
    if kind == "input_rgb_image_sized":
        reader.integer(), reader.integer()
    elif kind != "input_rgb_image_pyramid":
        raise reader.fault("unknown input layer")
    return red, green, blue


def _layer(reader: Reader) -> Layer:
    kind = reader.text()
    if kind in ("relu_", "add_prev_"):
        return Mark("relu" if kind == "relu_" else "add")
    parse = _PARSERS.get(kind)
    if parse is None:
        raise reader.fault("unknown layer")
    return parse(reader)


def _trailer(reader: Reader, version: int, innermost: bool) -> None:
    """What dlib keeps about training with each layer; all of it is empty in a finished network."""
    flags = reader.flag(), reader.flag(), reader.flag()
    tensors = 3 if innermost or version == 2 else 2
    if sum(reader.tensor().size for _ in range(tensors)) or len(flags) != 3:
        raise reader.fault("training state that was not cleaned")
    if innermost and version >= 3:
        reader.integer()


def _conv(reader: Reader) -> Conv:
    values = reader.tensor().ravel()
    reader.integer(), reader.integer(), reader.integer()
    stride, stride_x, pad, pad_x = (reader.integer() for _ in range(4))
    filters, biases = reader.shape(), reader.shape()
    reader.reals(4)
    size, outputs = math.prod(filters), filters[0]
    if values.size != size + outputs or biases != (1, outputs, 1, 1) or (stride, pad) != (stride_x, pad_x):
        raise reader.fault("a convolution does not fit its numbers")
    return Conv(values[:size].reshape(filters), values[size:], stride, pad)


def _halves(reader: Reader) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift, written one behind the other."""
    values = reader.tensor().ravel().astype(np.float64)
    first, second = reader.shape(), reader.shape()
    if first != second or values.size != 2 * math.prod(first):
        raise reader.fault("a scale and shift do not fit their numbers")
    return values[: values.size // 2], values[values.size // 2 :]


def _affine(reader: Reader) -> Affine:
    scale, shift = _halves(reader)
    reader.expect(0, "kind of scaling")
    return Affine(scale, shift)


def _batch_norm(reader: Reader) -> Affine:
    scale, shift = _halves(reader)
    _, _, means, variances = (reader.tensor().ravel().astype(np.float64) for _ in range(4))
    reader.integer(), reader.integer()
    reader.reals(4)
    epsilon = reader.real()
    if not means.size == variances.size == scale.size or variances.min(initial=0.0) + epsilon <= 0:
        raise reader.fault("a normalisation does not fit its numbers")
    folded = scale / np.sqrt(variances + epsilon)
    return Affine(folded, shift - folded * means)


def _pool(kind: str) -> Callable[[Reader], Pool]:
    def parse(reader: Reader) -> Pool:
        rows, columns, stride, stride_x, pad, pad_x = (reader.integer() for _ in range(6))
        if rows != columns or stride != stride_x or (rows and (pad, pad_x) != (0, 0)):
            raise reader.fault("unknown pooling")
        return Pool(kind, rows, stride)

    return parse


def _dense(reader: Reader) -> Dense:
    outputs, inputs = reader.integer(), reader.integer()
    values = reader.tensor()
    reader.shape(), reader.shape()
    reader.expect(1, "kind of linear layer")
    reader.reals(4)
    if values.size != inputs * outputs or inputs <= 0:
        raise reader.fault("a linear layer does not fit its numbers")
    return Dense(values.reshape(inputs, outputs))


_PARSERS: dict[str, Callable[[Reader], Layer]] = {
    "con_4": _conv,
    "affine_": _affine,
    "bn_con2": _batch_norm,
    "max_pool_2": _pool("max"),
    "avg_pool_2": _pool("avg"),
    "fc_2": _dense,
}
