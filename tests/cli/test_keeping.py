"""Who may stay in a picture, on vectors made up: in doubt nobody."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mien import Engine, open_gallery
from mien.cli.edit.keeping import Known, Others
from mien.decide import Policy
from mien.errors import EvidenceError, SpaceMismatch, UnknownSubject
from mien.gallery import BaseGallery
from mien.types import Clip, Face, Frame, OperatingPoint, Sample, Template

SPACE = "made up"
POINTS = [OperatingPoint(at, fmr=fmr, comparisons=10**6, space=SPACE) for at, fmr in ((0.7, 1e-2), (0.85, 1e-4))]


def vector(likeness: float, axis: int = 0) -> np.ndarray:
    """A unit vector as like to the `axis`-th person, and like to no other."""
    made = np.zeros(8, np.float32)
    made[axis], made[7] = likeness, (1 - likeness**2) ** 0.5
    return made


class Fake(Engine):
    """An engine that sees what it is told to."""

    def __init__(self, looks: Sequence[tuple[np.ndarray, float]], space: str = SPACE) -> None:
        super().__init__()
        self.__dict__.update(points=tuple(POINTS), embedder=SimpleNamespace(space=space, name="fake"))
        self._looks = looks

    def shots(self, faces: Sequence[Face]) -> list[Any]:
        return [
            SimpleNamespace(template=Template(made, self.embedder.space, worth), worth=worth)
            for made, worth in self._looks
        ]


@pytest.fixture
def people() -> BaseGallery:
    gallery = open_gallery()
    for axis, name in enumerate(("ana", "ben")):
        gallery.enrol(name, [Sample(Template(vector(1.0, axis), SPACE))])
    return gallery


CLIP = Clip((Face(Frame(np.zeros((8, 8, 3), np.uint8)), np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0),))
ANA, WEAK, STRANGER, BEN = vector(0.95), vector(0.8), vector(0.5), vector(0.95, 1)


@pytest.mark.parametrize(
    ("looks", "stays"),
    [
        ([(ANA, 0.9)], True),
        ([(ANA, 0.9), (WEAK, 0.9), (ANA, 0.8)], True),  # the mean reaches the threshold
        ([(WEAK, 0.9)], False),
        ([(STRANGER, 0.9)], False),
        ([(ANA, 0.9)] * 5 + [(STRANGER, 0.9)], False),  # somebody else walked by
        ([(ANA, 0.9), (BEN, 0.9)], False),
        ([(ANA, 0.9), (STRANGER, 0.2)], True),  # too poor a look to tell anything
        ([(ANA, 0.2)], False),
    ],
)
def test_known_people(people: BaseGallery, looks: list[tuple[np.ndarray, float]], stays: bool) -> None:
    assert Known.of(Fake(looks), people, Policy(fmr=1e-4))(CLIP) is stays


@pytest.mark.parametrize(
    ("looks", "stays"),
    [
        ([(STRANGER, 0.9)], True),
        ([(BEN, 0.9)], True),
        ([(ANA, 0.9)], False),
        ([(WEAK, 0.9)], False),  # like enough to be her
        ([(STRANGER, 0.9)] * 5 + [(WEAK, 0.9)], False),
        ([(STRANGER, 0.5)], False),  # too poor a look to say that it is not her
        ([(WEAK, 0.2), (STRANGER, 0.9)], False),
    ],
)
def test_all_but_somebody(people: BaseGallery, looks: list[tuple[np.ndarray, float]], stays: bool) -> None:
    assert bool(Others.of(Fake(looks), people, ["ana"], Policy())(CLIP)) is stays


def test_what_cannot_be_decided_is_refused(people: BaseGallery) -> None:
    other: Any = Fake([], "another space")
    for make in (lambda: Known.of(other, people, Policy()), lambda: Others.of(other, people, ["ana"], Policy())):
        with pytest.raises(SpaceMismatch, match="migrate"):
            make()
    engine: Any = Fake([])
    with pytest.raises(UnknownSubject):
        Others.of(engine, people, ["nobody"], Policy())
    with pytest.raises(EvidenceError):
        Known.of(engine, people, Policy(fmr=1e-9))
    assert Known.of(Fake([(ANA, 0.9)]), open_gallery(), Policy())(CLIP) is False
