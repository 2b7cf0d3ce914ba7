"""Who is drawn, and the groups as controlled variables."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from mien.errors import InputError, UsageError
from mien.learn.synth.appearance import encoded, linear, skin_colour
from mien.learn.synth.people import SHAPES, SKIN, draw_person, levels
from mien.learn.synth.script import unit_names
from mien.learn.synth.state import State
from mien.learn.synth.units import UNITS, blendshapes, unit_name


def test_equal_seeds_draw_equals_and_others_draw_others() -> None:
    one, again, other = draw_person(4), draw_person(4), draw_person(5)
    assert (one.shape == again.shape).all() and one.melanin == again.melanin and one.iris == again.iris
    assert (one.shape != other.shape).any()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_skin_levels_part_the_range_of_melanin(count: int) -> None:
    names = levels("skin", count)
    assert len(set(names)) == count
    found = [[draw_person(seed, {"skin": name}).melanin for seed in range(60)] for name in names]
    for lighter, darker in itertools.pairwise(found):
        assert max(lighter) <= min(darker)
    assert all(0 <= one <= 1 for values in found for one in values)


def test_a_group_changes_what_it_names_and_nothing_else() -> None:
    free, light, dark = draw_person(8), draw_person(8, {"skin": "light"}), draw_person(8, {"skin": "dark"})
    assert (free.shape == light.shape).all() and (light.shape == dark.shape).all()
    shaped = draw_person(8, {"shape": "b"})
    assert shaped.melanin == free.melanin
    assert (shaped.shape != free.shape).any()


def test_shape_groups_differ_in_their_means() -> None:
    means = {name: np.mean([draw_person(seed, {"shape": name}).shape[:12] for seed in range(80)], 0) for name in SHAPES}
    for name in SHAPES:
        for other in SHAPES:
            assert name == other or np.linalg.norm(means[name] - means[other]) > 1.5
    whole = np.array([draw_person(seed).shape for seed in range(200)])
    assert np.abs(whole.mean(0)).max() < 0.25
    assert whole.std(0).mean() == pytest.approx(0.75, abs=0.05)


def test_light_eyes_go_with_light_skin() -> None:
    def blue(skin: str) -> float:
        return float(np.mean([(one := draw_person(seed, {"skin": skin}).iris)[2] > one[0] for seed in range(150)]))

    assert blue("light") > 0.2
    assert blue("dark") == 0.0


def test_unknown_variables_and_levels_are_told() -> None:
    with pytest.raises(UsageError, match="no controlled variable 'age'"):
        levels("age", 2)
    with pytest.raises(UsageError, match="1 to 5 levels"):
        levels("skin", 9)
    with pytest.raises(UsageError, match="no level 'green'"):
        draw_person(1, {"skin": "green"})
    assert levels("skin", 5) == SKIN


def test_colours_go_there_and_back() -> None:
    ramp = np.arange(256, dtype=np.float32)
    np.testing.assert_allclose(encoded(linear(ramp)), ramp, atol=3e-2)
    assert linear((255, 255, 255)).max() == pytest.approx(1.0)
    assert linear((188, 188, 188))[0] == pytest.approx(0.5029, abs=1e-3)  # IEC 61966-2-1
    tones = np.stack([skin_colour(melanin) for melanin in np.linspace(0, 1, 9)])
    assert (np.diff(tones, axis=0) < 0).all()
    assert (tones[:, 0] > tones[:, 1]).all() and (tones[:, 1] > tones[:, 2]).all(), (
        "skin is redder than green than blue"
    )


def test_units_have_two_spellings() -> None:
    assert unit_name("AU1") == unit_name("AU01") == "AU01"
    for wrong in ("AU", "AU99", "12", "AU1b", "AU٣"):
        with pytest.raises(InputError):
            unit_name(wrong)


def test_programs_name_only_units_that_the_engine_has() -> None:
    assert set(unit_names()) <= set(UNITS)


def test_sides_stay_apart_and_weights_within_bounds() -> None:
    made = blendshapes(State(units={"AU12": (0.7, 0.0), "AU6": (1.0, 1.0), "AU07": (1.0, 1.0)}, blink=(1.0, 1.0)))
    assert made["mouthSmile_L"] == pytest.approx(0.7)
    assert "mouthSmile_R" not in made
    assert all(0 < value <= 1 for value in made.values())
    assert blendshapes(State()) == {}


def test_every_emotion_uses_what_the_table_has() -> None:
    found = Counter(shape for mix, reason in UNITS.values() for shape in mix if reason)
    assert found["mouthSmile_"] == 1 and all(len(reason) > 4 for _, reason in UNITS.values())
