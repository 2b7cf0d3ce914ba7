"""Valence and arousal of class probabilities: the published means, nothing outside of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.judge.circumplex import NAMES, POSITIONS, named, position

# Russell and Mehrabian 1977, table 4: pleasure and arousal of 31 happy, 52 surprised, 75 disgusted, 82 angry,
# 101 fearful, 151 sad.
PUBLISHED = {
    "happy": (0.81, 0.51),
    "surprised": (0.40, 0.67),
    "disgusted": (-0.60, 0.35),
    "angry": (-0.51, 0.59),
    "fearful": (-0.64, 0.60),
    "sad": (-0.63, -0.27),
}


@pytest.mark.parametrize("word", PUBLISHED)
def test_a_sure_class_lies_where_its_word_was_rated(word: str) -> None:
    assert position({word: 1.0}) == pytest.approx(dict(zip(("valence", "arousal"), PUBLISHED[word], strict=True)))


def test_neutral_is_the_origin_and_a_mixture_the_mean() -> None:
    assert position({"neutral": 1.0}) == {"valence": 0.0, "arousal": 0.0}
    assert position({"happy": 0.5, "neutral": 0.5}) == pytest.approx({"valence": 0.405, "arousal": 0.255})


def test_data_sets_call_the_same_class_by_other_words() -> None:
    assert {named(word) for word in ("Angry", "anger", "ANGER")} == {"anger"}
    assert set(NAMES.values()) == set(POSITIONS)
    fer = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert [named(word) for word in fer] == ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]


@pytest.mark.parametrize("scores", [{}, {"red": 1.0}, {"happy": 0.5, "contempt": 0.5}])
def test_words_without_a_position_give_none(scores: dict[str, float]) -> None:
    assert position(scores) is None


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7).filter(lambda values: sum(values) > 1e-3))
def test_it_stays_within_the_positions_and_does_not_depend_on_the_sum(values: list[float]) -> None:
    scores = dict(zip(POSITIONS, values, strict=True))
    found = position(scores)
    assert found is not None
    for axis, name in enumerate(("valence", "arousal")):
        ends = [place[axis] for place in POSITIONS.values()]
        assert min(ends) - 1e-9 <= found[name] <= max(ends) + 1e-9
    assert position({label: 3 * value for label, value in scores.items()}) == pytest.approx(found)
