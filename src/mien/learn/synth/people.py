"""Who the rendered people are: identities drawn from a seed, with groups as controlled variables.

    draw_person(seed, {"skin": "dark", "shape": "b"}) -> Person
    levels("skin", 3) -> ("light", "medium", "dark")

`skin` sets the melanin, `shape` shifts the mean of the strongest identity coefficients. Neither is an ethnicity or a sex:
they are levers of a picture, made so that their effect on a system can be measured.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mien.errors import UsageError
from mien.learn.synth.state import Person

SKIN = ("light", "medium-light", "medium", "medium-dark", "dark")
SHAPES = ("a", "b", "c", "d", "e", "f")
_SPREAD = 0.75  # sd of identity coefficients; at 1 and more the model's tails look unlike people
_APART = 0.8  # by how many sd the means of shape groups are shifted, in directions drawn once
_LEADING = 12  # coefficients that a shape group shifts
_PICKS = {1: (2,), 2: (0, 4), 3: (0, 2, 4), 4: (0, 1, 3, 4), 5: (0, 1, 2, 3, 4)}
_IRIS = ((0.10, 0.05, 0.02), (0.22, 0.12, 0.05), (0.22, 0.22, 0.08), (0.18, 0.28, 0.38))  # brown .. hazel, blue


def levels(name: str, count: int) -> tuple[str, ...]:
    """The levels of a controlled variable, as far apart as `count` lets them be. Raises UsageError."""
    known = {"skin": len(SKIN), "shape": len(SHAPES)}
    if name not in known:
        raise UsageError(f"There is no controlled variable '{name}'.", f"There are {', '.join(sorted(known))}.")
    if not 1 <= count <= known[name]:
        raise UsageError(f"'{name}' has 1 to {known[name]} levels, not {count}.", f"Write {name}={known[name]}.")
    return tuple(SKIN[index] for index in _PICKS[count]) if name == "skin" else SHAPES[:count]


def draw_person(seed: int, groups: Mapping[str, str] | None = None) -> Person:
    """A person; equal seeds and groups draw equals. What a group does not set is drawn over its whole range.

    Raises UsageError for an unknown variable or level."""
    wanted = dict(groups or {})
    for name, level in wanted.items():
        known = levels(name, 5 if name == "skin" else 6)
        if level not in known:
            raise UsageError(f"'{name}' has no level '{level}'.", f"It has {', '.join(known)}.")
    rng = np.random.default_rng([seed, 0])
    shape = np.clip(rng.normal(0, _SPREAD, 100), -2.2, 2.2)
    if "shape" in wanted:
        shape[:_LEADING] += _APART * _direction(wanted["shape"])
    drawn = rng.uniform(0, 1)
    step = SKIN.index(wanted["skin"]) if "skin" in wanted else None
    melanin = drawn if step is None else (step + drawn) / len(SKIN)
    pick = rng.choice(len(_IRIS), p=_likely(melanin))
    iris = np.array(_IRIS[pick]) * rng.uniform(0.7, 1.3)
    return Person(
        name=f"p{seed}",
        seed=seed,
        shape=shape.astype(np.float32),
        melanin=float(melanin),
        iris=(float(iris[0]), float(iris[1]), float(iris[2])),
        group=wanted,
    )


def _direction(level: str) -> np.ndarray:
    """(12,) signs; those of "a" and "b" are opposite, and so on by pairs."""
    pair, side = divmod(SHAPES.index(level), 2)
    signs: np.ndarray = np.random.default_rng([7, pair]).choice([-1.0, 1.0], _LEADING)
    return signs if side == 0 else -signs


def _likely(melanin: float) -> np.ndarray:
    """Shares of the colours of irises: light eyes go with light skin."""
    light = max(0.0, 1.0 - 2.2 * melanin)
    shares = np.array([0.25 + 1.5 * melanin, 0.3, 0.25 * light, 0.5 * light])
    return np.asarray(shares / shares.sum())
