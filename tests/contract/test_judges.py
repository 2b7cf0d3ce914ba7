"""What every judge must keep, whatever it reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien import judge, models, wire
from mien.align import TEMPLATES
from mien.errors import UnknownModel
from mien.protocols import Judge, Needs
from mien.types import Clip, Face, Frame, Reading

CARD = "a classifier's card"
NAMES = ["quality", "iso_quality", *judge.CARDS, CARD, "a classifier of expressions", "one that abstains"]


@pytest.fixture(params=NAMES)
def one(request: pytest.FixtureRequest, tiny_classifier: Callable[..., Path]) -> Judge:
    if request.param in judge.CARDS:
        name = judge.CARDS[request.param]
        if name not in {card.name for card in models.catalogue()}:
            pytest.skip(f"the card {name} is not here")
        return judge.load(request.param)
    if request.param == CARD:
        return judge.load(tiny_classifier())
    if request.param in NAMES[-2:]:
        path = tiny_classifier(labels=("happy", "sad", "fear"))
        least = 0.99 if request.param == NAMES[-1] else 0.1
        path.write_text(f'{path.read_text("utf8")}\n[abstain]\ndata = "none"\nleast_probability = {least}\n', "utf8")
        return judge.load(path)
    return judge.load(request.param)


def still(seed: int = 0) -> Clip:
    pixels = np.random.default_rng(seed).integers(0, 256, (200, 200, 3), np.uint8)
    points = (TEMPLATES["dlib150"].points + 25).astype(np.float32)
    return Clip((Face(Frame(pixels, "somewhere.jpg"), np.array([50, 50, 150, 170], np.float32), points, 0.99),))


def test_it_is_a_judge_and_says_what_it_needs(one: Judge) -> None:
    assert isinstance(one, Judge)
    assert one.name and one.kind and isinstance(one.needs, Needs) and one.needs.frames >= 1


def test_its_readings_are_of_its_kind_and_name_it(one: Judge) -> None:
    readings = one.judge(still())
    assert readings and all(isinstance(reading, Reading) for reading in readings)
    assert readings[0].kind == one.kind, "what else is derived from it comes after"
    assert len({reading.kind for reading in readings}) == len(readings)
    assert readings[0].scores or len(readings) == 1, "nothing is derived from what could not be read"
    for reading in readings:
        assert reading.model == one.name
        assert reading.scores or reading.reasons
        if reading.unit == "probability" and reading.scores:
            assert sum(reading.scores.values()) == pytest.approx(1, abs=1e-6)
        assert reading.unit
        assert all(np.isfinite(value) for value in reading.scores.values())


def test_its_readings_have_a_wire_shape(one: Judge) -> None:
    assert json.loads(json.dumps(wire.encode(one.judge(still()))))


def test_it_repeats_itself_and_leaves_the_clip_as_it_was(one: Judge) -> None:
    clip = still()
    before = clip.faces[0].frame.pixels.copy()
    first, second = one.judge(clip), one.judge(clip)
    assert [dict(a.scores) for a in first] == [dict(b.scores) for b in second]
    assert np.array_equal(before, clip.faces[0].frame.pixels)


def test_a_judge_nobody_knows() -> None:
    with pytest.raises(UnknownModel, match="'handwriting'"):
        judge.load("handwriting")
