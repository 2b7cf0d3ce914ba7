"""Timelines against closed forms: half-cosines, intervals, blends, blinks, glances, the pulse."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import UsageError
from mien.learn.synth.motion import blinks, glances, pulse, smooth, talk
from mien.learn.synth.program import Event, Expression, Program
from mien.learn.synth.take import Take, blend, draw, style
from mien.learn.synth.timeline import Move, kind_of, ramp, rise_and_fall, shown_at

spans = st.floats(0.01, 3.0)


@given(st.floats(-1.0, 3.0), spans, st.floats(0.0, 2.0), spans, st.floats(0.0, 1.0))
def test_a_rise_is_half_a_cosine(onset: float, rise: float, hold: float, fall: float, share: float) -> None:
    points = onset, onset + rise, onset + rise + hold, onset + rise + hold + fall
    up = rise_and_fall(onset + share * rise, *points)
    down = rise_and_fall(points[2] + share * fall, *points)
    assert up == pytest.approx((1 - math.cos(math.pi * share)) / 2, abs=1e-6)
    assert down == pytest.approx((1 + math.cos(math.pi * share)) / 2, abs=1e-6)
    assert rise_and_fall(points[1] + share * hold, *points) == pytest.approx(1.0, abs=1e-9)
    assert rise_and_fall(points[0] - 1e-9, *points) == rise_and_fall(points[3] + 1e-9, *points) == 0.0


@settings(max_examples=30, deadline=None)
@given(spans, spans, spans)
def test_it_is_smooth_everywhere(rise: float, hold: float, fall: float) -> None:
    """No step is larger than the steepest slope of a half-cosine, pi / 2 over the ramp, and the slope is 0 at corners."""
    points = 0.0, rise, rise + hold, rise + hold + fall
    times = np.linspace(-0.1, points[3] + 0.1, 2001)
    level = np.array([rise_and_fall(float(time), *points) for time in times])
    step = times[1] - times[0]
    assert np.abs(np.diff(level)).max() <= math.pi / 2 / min(rise, fall) * step * 1.001
    for corner in points:
        slope = (rise_and_fall(corner + 1e-6, *points) - rise_and_fall(corner - 1e-6, *points)) / 2e-6
        assert abs(slope) < 1e-1 / min(rise, fall)


def test_ramp_has_known_values() -> None:
    assert [ramp(share) for share in (-1, 0, 1 / 3, 0.5, 1, 2)] == pytest.approx([0, 0, 0.25, 0.5, 1, 1])


def test_a_step_and_two_moves_of_one_unit() -> None:
    assert Move("AU12", 1.0, 1.0, 2.0, 2.0, 0.5, 0.2).at(1.0) == (0.5, 0.2)
    weak, strong = Move("AU12", 0, 1, 2, 3, 0.9, 0.1), Move("AU12", 0, 1, 2, 3, 0.2, 0.4)
    assert shown_at((weak, strong), 1.5) == {"AU12": (0.9, 0.4)}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_intervals_are_where_the_units_move(seed: int) -> None:
    """Outside of its interval nothing moves; inside something does, most at the apex."""
    event = Event("happiness", onset=(0.2, 1.0), rise=(0.1, 0.5), hold=(0.0, 0.4), fall=(0.1, 0.5))
    take = made(Expression("happiness", (event,)), seed)
    (one,) = take.intervals
    moving = [
        time for time in np.linspace(0, 4, 401) if max(max(pair) for pair in take.units(float(time)).values()) > 1e-9
    ]
    assert one.onset - 1e-9 <= min(moving) <= one.onset + 0.03
    assert one.offset - 0.03 <= max(moving) <= one.offset + 1e-9
    top = take.units(one.apex)
    for time in np.linspace(0, 4, 81):
        assert all(left <= top[unit][0] + 1e-9 for unit, (left, _) in take.units(float(time)).items())
    assert one.kind == kind_of(one.onset, one.offset) == ("micro" if one.offset - one.onset <= 0.5 else "macro")


def test_frames_of_an_interval() -> None:
    event = Event("surprise", onset=(0.5, 0.5), rise=(0.2, 0.2), hold=(0.1, 0.1), fall=(0.2, 0.2))
    (one,) = made(Expression("surprise", (event,)), 0).intervals
    assert one.frames(30, 120) == (15, 21, 30)
    assert one.frames(200, 120) == (100, 119, 119)  # the clip ends before


@pytest.mark.parametrize(
    ("side", "left", "right"), [("left", True, False), ("right", False, True), ("both", True, True)]
)
def test_sides(side: str, left: bool, right: bool) -> None:
    event = Event(units={"AU12": (0.8, 0.8)}, onset=(0, 0), rise=(1, 1), side=side)
    take = made(Expression("smile", (event,)), 1)
    assert take.units(1.0)["AU12"] == (0.8 if left else 0.0, 0.8 if right else 0.0)
    assert take.intervals[0].units == ("AU12" + {"left": "L", "right": "R", "both": ""}[side],)


@given(st.floats(-1, 1))
def test_asymmetry_weakens_the_other_side(share: float) -> None:
    event = Event(units={"AU12": (1.0, 1.0)}, onset=(0, 0), rise=(1, 1), asymmetry=(share, share))
    left, right = made(Expression("smile", (event,)), 1).units(1.0)["AU12"]
    assert max(left, right) == 1.0
    assert left - right == pytest.approx(share)


@given(st.floats(0, 1), st.integers(0, 100))
def test_a_blend_is_the_weighted_mean(share: float, seed: int) -> None:
    expressions = [Expression(name, (Event(name),)) for name in ("happiness", "surprise")]
    one, other = (made(expression, seed) for expression in expressions)
    both = blend([(one, share), (other, 1 - share)])
    assert both.soft == pytest.approx({"happiness": share, "surprise": 1 - share})
    assert sum(weight for weight, _ in both.layers) == pytest.approx(1.0)
    for time in (0.5, 1.0, 1.7):
        first, second, whole = one.units(time), other.units(time), both.units(time)
        for unit in {*first, *second}:
            want = share * first.get(unit, (0, 0))[0] + (1 - share) * second.get(unit, (0, 0))[0]
            assert whole[unit][0] == pytest.approx(want, abs=1e-9)


def test_a_blend_of_a_program_comes_and_goes_as_one() -> None:
    parts = tuple((name, (0.5, 0.5), Expression(name, (Event(name),))) for name in ("fear", "surprise"))
    for seed in range(20):
        take = made(Expression("fear+surprise", parts=parts), seed)
        assert sum(take.soft.values()) == pytest.approx(1.0)
        (one,) = take.intervals
        assert one.label == "fear+surprise"
        assert {"AU01", "AU02", "AU04", "AU25"} <= set(one.units)


def test_weights_that_do_not_sum_to_one_are_refused() -> None:
    take = made(Expression("neutral"), 0)
    with pytest.raises(UsageError, match=r"sum to 0\.9"):
        blend([(take, 0.5), (take, 0.4)])


def test_many_expressions_do_not_overlap() -> None:
    event = Event("disgust", count=(3, 3), rise=(0.1, 0.3), hold=(0, 0.1), fall=(0.1, 0.3))
    for seed in range(30):
        found = made(Expression("mixed", (event,)), seed, seconds=10.0).intervals
        assert len(found) == 3
        assert all(one.offset < two.onset for one, two in pairwise(found))
        assert found[0].onset >= 0 and found[-1].offset <= 10.0


def test_blinks_at_the_rate_asked_for() -> None:
    found = [blinks(np.random.default_rng(seed), 17.0, 60.0) for seed in range(200)]
    counts = [len(one) for one in found]
    assert np.mean(counts) == pytest.approx(17.0, abs=0.6)
    early = sum(blink.onset < 10 for one in found for blink in one) / len(found)
    assert early == pytest.approx(17.0 / 6, abs=0.4)  # the first seconds blink as often as others
    lengths = [blink.offset - blink.onset for one in found for blink in one]
    assert 0.2 < min(lengths) < max(lengths) < 0.4
    assert not blinks(np.random.default_rng(0), 0.0, 60.0)


def test_noise_has_standard_deviation_one_and_no_jumps() -> None:
    values = np.array(
        [[smooth(np.random.default_rng(seed), 0.05, 0.6).at(t) for t in np.arange(0, 200, 0.5)] for seed in range(60)]
    )
    assert values.std() == pytest.approx(1.0, abs=0.03)
    one = smooth(np.random.default_rng(1), 0.05, 0.6)
    fine = np.array([one.at(time) for time in np.arange(0, 20, 0.01)])
    assert np.abs(np.diff(fine)).max() < 2 * math.pi * 0.6 * 0.01 * 3.2


def test_glances_jump_and_rest() -> None:
    one = glances(np.random.default_rng(0), math.radians(5), 10.0)
    path = np.array([one.at(float(time)) for time in np.arange(0, 10, 0.01)])
    still = np.hypot(*np.diff(path, axis=0).T) < 1e-12
    assert 0.7 < still.mean() < 0.98
    assert np.abs(path[:, 0]).max() <= math.radians(10.01)


def test_talk_opens_the_mouth_and_pauses() -> None:
    one = talk(np.random.default_rng(3), 0.7, 20.0)
    jaw = np.array([one.at(float(time)).get("AU26", (0.0, 0.0))[0] for time in np.arange(0, 20, 0.02)])
    assert 0.3 < jaw.max() <= 0.56
    assert (jaw == 0).mean() > 0.05
    assert not talk(np.random.default_rng(3), 0.0, 20.0).at(1.0)


def test_beats_are_the_integral_of_the_rate() -> None:
    one = pulse(np.random.default_rng(5), 72.0, 0.05, 15.0)
    times = np.linspace(0, 60, 60_001)
    rates = np.array([one.rate_at(float(time)) for time in times])
    assert one.beats_at(60.0) == pytest.approx(np.trapezoid(rates, times) / 60, abs=1e-4)
    assert rates.std() / 72 == pytest.approx(0.05, abs=0.005)
    assert one.mean_rate(60.0) == pytest.approx(rates.mean(), abs=0.01)


def test_the_wave_is_centred_and_bounded() -> None:
    one = pulse(np.random.default_rng(5), 66.0, 0.0, 15.0)
    wave = np.array([one.at(float(time)) for time in np.arange(0, 60, 0.005)])
    assert abs(wave.mean()) < 0.01
    assert 0.93 < wave.max() <= 1.0 and wave.min() >= -1.0
    power = np.abs(np.fft.rfft(wave)) ** 2
    assert np.fft.rfftfreq(len(wave), 0.005)[power[1:].argmax() + 1] * 60 == pytest.approx(66.0, abs=0.6)


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    program = Program("p", (Expression("happiness", (Event("happiness"),)),), label_noise=0.5)
    one, same, other = (draw(program, program.expressions[0], {}, (seed, 0, 0, 0)) for seed in (1, 1, 2))
    assert one.state(1.23) == same.state(1.23) != other.state(1.23)
    assert one.scene(64) == same.scene(64) != other.scene(64)


def test_noise_is_new_in_each_frame_and_light_is_not() -> None:
    take = made(Expression("neutral"), 3)
    first, second = take.scene(64, 0), take.scene(64, 1)
    assert first.seed != second.seed
    assert (first.light, first.centre, first.background) == (second.light, second.centre, second.background)


def test_units_in_the_middle_have_no_side() -> None:
    event = Event(units={"AU17": (0.8, 0.8), "AU15": (0.8, 0.8)}, onset=(0, 0), rise=(1, 1), side="left")
    take = made(Expression("pout", (event,)), 1)
    assert take.units(1.0) == {"AU15": (0.8, 0.0), "AU17": (0.8, 0.8)}
    assert take.intervals[0].units == ("AU17", "AU15L")


def test_style_scales_a_subject_and_is_even_on_the_whole() -> None:
    gains = [style(["AU06", "AU12"], 0.3, (0, 2, subject))["AU12"] for subject in range(400)]
    assert np.log(gains).std() == pytest.approx(0.3, abs=0.03)
    assert np.log(gains).mean() == pytest.approx(0.0, abs=0.05)
    event = Event(units={"AU12": (0.5, 0.5)}, onset=(0, 0), rise=(1, 1))
    expression = Expression("smile", (event,))
    take = draw(Program("p", (expression,)), expression, {"AU12": 1.5}, (0, 0))
    assert take.units(1.0)["AU12"][0] == pytest.approx(0.75)


def test_label_noise_is_flagged_and_as_frequent_as_asked() -> None:
    expressions = tuple(Expression(name, (Event(name),)) for name in ("happiness", "anger", "fear"))
    program = Program("p", expressions, label_noise=0.3)
    takes = [draw(program, expressions[0], {}, (seed, 0)) for seed in range(600)]
    wrong = [take for take in takes if take.noisy]
    assert len(wrong) / len(takes) == pytest.approx(0.3, abs=0.06)
    assert all(take.label != take.true == "happiness" for take in wrong)
    assert all(take.label == take.true for take in takes if not take.noisy)


def made(expression: Expression, seed: int, seconds: float = 4.0) -> Take:
    return draw(Program("p", (expression,), seconds=seconds), expression, {}, (seed, 0))
