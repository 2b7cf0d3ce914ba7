"""Chance with a record: every draw has a name, and what was drawn is the truth of the picture.

Each part (view, camera, printed, …) draws from a stream of its own, so that one more draw in one part leaves all other
parts of the same seed as they were; the camera of a bona fide presentation is the camera of the attack with its seed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from mien.errors import UsageError
from mien.learn.attacks.attack import Value
from mien.types import F32


class Draws:
    """All streams of one picture."""

    def __init__(self, seed: int, fixed: Mapping[str, Value] | None = None) -> None:
        """fixed: values that are not left to chance, by name; the draw is made all the same, so that others stay."""
        self.seed = seed
        self.fixed = dict(fixed or {})
        self.truth: dict[str, Value] = {}

    def stream(self, part: str) -> Stream:
        """The stream of one part."""
        return Stream(self, part)

    def check(self) -> None:
        """Raises UsageError when a fixed value has not been asked for: a name that was misspelt, or of another medium."""
        unknown = sorted(set(self.fixed) - set(self.truth))
        if unknown:
            raise UsageError(
                f"Nothing is drawn under the name {unknown[0]!r} here.",
                f"Choose among {', '.join(sorted(self.truth))}.",
            )


class Stream:
    """The draws of one part."""

    def __init__(self, draws: Draws, part: str) -> None:
        self.draws, self.part = draws, part
        key = zlib.crc32(part.encode())
        self.random = np.random.default_rng([draws.seed, key])
        self.fields = np.random.default_rng([draws.seed, key, 1])  # apart, so that sizes of pictures change no draw

    def uniform(self, name: str, low: float, high: float) -> float:
        """Any value between the two, equally likely."""
        return float(self._told(name, round(float(self.random.uniform(low, high)), 6)))

    def spread(self, name: str, low: float, high: float) -> float:
        """Any value between the two, equally likely on a logarithmic scale."""
        return float(self._told(name, float(f"{np.exp(self.random.uniform(np.log(low), np.log(high))):.6g}")))

    def whole(self, name: str, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self._told(name, int(self.random.integers(low, high + 1))))

    def choice(self, name: str, options: Sequence[str]) -> str:
        """One of them, equally likely. Raises UsageError when the value was fixed to something else."""
        found = str(self._told(name, options[int(self.random.integers(len(options)))]))
        if found not in options:
            raise UsageError(f"{self.part}.{name} cannot be {found!r}.", f"Choose among {', '.join(options)}.")
        return found

    def chance(self, name: str, probability: float) -> bool:
        """Yes with this probability."""
        return bool(self._told(name, bool(self.random.random() < probability)))

    def noise(self, height: int, width: int, channels: int = 0) -> F32:
        """(height, width[, channels]) standard normal values; repeatable, so not recorded."""
        shape = (height, width, channels) if channels else (height, width)
        return self.fields.standard_normal(shape, np.float32)

    def _told(self, name: str, drawn: Value) -> Value:
        full = f"{self.part}.{name}"
        value = self.draws.fixed.get(full, drawn)
        self.draws.truth[full] = value
        return value
