"""A take: what one subject does in one clip, drawn from a program. A function of time; the truth comes from here.

draw(program, expression, gain, seed) -> Take
Take.state(time) -> State        Take.scene(size, frame) -> Scene
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mien.errors import UsageError
from mien.learn.synth.emotions import known_emotion
from mien.learn.synth.motion import Blink, Glances, Pulse, Smooth, Talk, blinks, glances, pulse, smooth, talk
from mien.learn.synth.program import Event, Expression, Habits, Program, Range, Stage
from mien.learn.synth.state import Scene, State
from mien.learn.synth.timeline import Interval, Move, Sides, kind_of, shown_at, strongest
from mien.learn.synth.units import UNITS

Layer = tuple[float, tuple[Move, ...]]  # weight, moves
_GAP = 0.3  # s between expressions that may stand anywhere
MIDDLE = frozenset(unit for unit, (mix, _) in UNITS.items() if not any(name.endswith("_") for name in mix))
_FAINT = 1e-3  # strength below which a side does not move


@dataclass(frozen=True, slots=True)
class Life:
    """All that goes on beside expressions."""

    pose: tuple[float, float, float]  # mean yaw, pitch, roll, radians
    sway: tuple[Smooth, Smooth, Smooth]
    reach: tuple[float, float, float]  # radians, standard deviation of the sway
    glances: Glances
    blinks: tuple[Blink, ...]
    talk: Talk
    pulse: Pulse
    teeth: float

    def head(self, time: float) -> tuple[float, float, float]:
        """Yaw, pitch, roll in radians at a time in s."""
        yaw, pitch, roll = (
            mean + reach * sway.at(time) for mean, reach, sway in zip(self.pose, self.reach, self.sway, strict=True)
        )
        return yaw, pitch, roll


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One clip before it is rendered."""

    seconds: float
    layers: tuple[Layer, ...]  # weights sum to 1; one layer where nothing is blended
    intervals: tuple[Interval, ...]
    life: Life
    lit: Scene  # light and camera; the head's place and the seed of noise are set per frame
    off: tuple[float, float]  # of the head from the middle, as a share of the picture's side
    label: str  # as written; differs from `true` where `noisy`
    true: str
    soft: Mapping[str, float]  # {label: weight}, sums to 1; of the truth
    noisy: bool = False

    def units(self, time: float) -> dict[str, Sides]:
        """Strength (left, right) of every unit that takes part, at a time in s."""
        sums: dict[str, Sides] = {}
        for weight, moves in self.layers:
            for unit, (left, right) in shown_at(moves, time).items():
                before = sums.get(unit, (0.0, 0.0))
                sums[unit] = before[0] + weight * left, before[1] + weight * right
        whole = strongest([sums, self.life.talk.at(time)])
        return {unit: (min(1.0, left), min(1.0, right)) for unit, (left, right) in sorted(whole.items())}

    def state(self, time: float) -> State:
        """The face at a time in s."""
        lids = max((blink.at(time) for blink in self.life.blinks), default=0.0)
        return State(
            units=self.units(time),
            pose=self.life.head(time),
            gaze=self.life.glances.at(time),
            blink=(lids, lids),
            teeth=self.life.teeth,
            pulse=self.life.pulse.at(time),
        )

    def scene(self, size: int, frame: int = 0) -> Scene:
        """Light and camera of a frame. Noise is new in each frame, all else stays."""
        return replace(self.lit, size=size, centre=(self.off[0] * size, self.off[1] * size), seed=self.lit.seed + frame)

    @property
    def apex(self) -> float:
        """s at which a still is taken: where the longest interval is at its height, or the middle."""
        longest = max(self.intervals, key=lambda one: one.offset - one.onset, default=None)
        return longest.apex if longest else self.seconds / 2


def draw(program: Program, expression: Expression, gain: Mapping[str, float], seed: Sequence[int]) -> Take:
    """A take of one expression by somebody whose units are scaled by `gain`. The same seed draws the same."""
    rngs = [np.random.default_rng([*seed, stream]) for stream in range(4)]  # parts of a take do not move one another
    habits, stage = expression.habits or program.habits, expression.stage or program.stage
    layers, intervals, soft = _perform(expression, gain, seed, program.seconds)
    true = max(soft, key=lambda name: soft[name])
    others = [name for name in program.labels if name != true]
    noisy = bool(others) and rngs[1].random() < program.label_noise
    label = str(rngs[1].choice(others)) if noisy else true
    return Take(
        seconds=program.seconds,
        layers=layers,
        intervals=intervals,
        life=_life(habits, stage, rngs[2], program.seconds),
        lit=_scene(stage, rngs[3]),
        off=(_in(rngs[3], stage.off), _in(rngs[3], stage.off)),
        label=label,
        true=true,
        soft=soft,
        noisy=noisy,
    )


def style(units: Iterable[str], spread: float, seed: Sequence[int]) -> dict[str, float]:
    """A subject's own factor on each unit: log-normal around 1 with standard deviation `spread` of the logarithm."""
    names = sorted(units)
    drawn = np.exp(np.random.default_rng(seed).normal(0.0, spread, len(names))) if spread else np.ones(len(names))
    return {name: float(factor) for name, factor in zip(names, drawn, strict=True)}


def blend(takes: Sequence[tuple[Take, float]]) -> Take:
    """Several takes at once: units are the weighted mean of theirs, the label's shares are the weights.

    What goes on beside expressions, light and camera are those of the first. Raises UsageError when the weights do not
    sum to 1 or the takes differ in length."""
    weights = [weight for _, weight in takes]
    if not takes or min(weights) < 0 or abs(sum(weights) - 1) > 1e-6:
        raise UsageError(f"The weights of a blend sum to {sum(weights):g}.", "Let them be 0 or more and sum to 1.")
    if len({take.seconds for take, _ in takes}) > 1:
        raise UsageError("Takes of different lengths cannot be blended.", "Draw them from programs of equal seconds.")
    soft: dict[str, float] = {}
    for take, weight in takes:
        for name, share in take.soft.items():
            soft[name] = soft.get(name, 0.0) + weight * share
    true = max(soft, key=lambda name: soft[name])
    layers = tuple((weight * share, moves) for take, weight in takes for share, moves in take.layers)
    intervals = _merged([one for take, weight in takes if weight for one in take.intervals])
    return replace(takes[0][0], layers=layers, intervals=intervals, soft=soft, label=true, true=true, noisy=False)


def _perform(
    expression: Expression, gain: Mapping[str, float], seed: Sequence[int], seconds: float
) -> tuple[tuple[Layer, ...], tuple[Interval, ...], dict[str, float]]:
    """Layers, intervals and shares of the label. Parts of a blend draw their times alike, so they come and go together."""
    if not expression.parts:
        moves, intervals = _moves(expression, gain, (*seed, 0), seconds)
        return ((1.0, moves),), intervals, {expression.label: 1.0}
    rng = np.random.default_rng([*seed, 9])
    weights = [_in(rng, weight) for _, weight, _ in expression.parts]
    if len(weights) == 2:
        weights[1] = 1.0 - weights[0]
    layers: list[Layer] = []
    found: list[Interval] = []
    soft: dict[str, float] = {}
    for (label, _, part), weight in zip(expression.parts, weights, strict=True):
        moves, intervals = _moves(part, gain, (*seed, 0), seconds)
        layers.append((weight, moves))
        found += intervals if weight > 0 else []
        soft[label] = soft.get(label, 0.0) + weight
    return tuple(layers), _merged(found), soft


def _moves(
    expression: Expression, gain: Mapping[str, float], seed: Sequence[int], seconds: float
) -> tuple[tuple[Move, ...], tuple[Interval, ...]]:
    when, what = (np.random.default_rng([*seed, stream]) for stream in (0, 1))
    moves: list[Move] = []
    intervals: list[Interval] = []
    for event, times in _placed(expression.events, when, seconds):
        emotion = known_emotion(event.emotion) if event.emotion else None
        side = "either" if emotion and emotion.one_sided and event.side == "both" else event.side
        left, right = _sides(side, _in(when, event.asymmetry), bool(when.random() < 0.5))
        strength = _in(when, event.strength)
        strengths = dict.fromkeys(emotion.draw(what) if emotion else (), strength)
        strengths |= {unit: _in(what, wanted) for unit, wanted in event.units.items()}
        made = []
        for unit, wanted in strengths.items():
            full = wanted * gain.get(unit, 1.0)
            sides = (1.0, 1.0) if unit in MIDDLE else (left, right)
            made.append(Move(unit, *times, min(1.0, sides[0] * full), min(1.0, sides[1] * full)))
        seen = tuple(_sided(move) for move in made if max(move.left, move.right) > _FAINT)
        if seen and times[3] > 0 and times[0] < seconds:
            label = expression.label if len(expression.events) == 1 else event.emotion or expression.label
            intervals.append(Interval(times[0], times[1], times[3], label, seen, kind_of(times[0], times[3])))
        moves += made
    return tuple(moves), tuple(sorted(intervals, key=lambda one: one.onset))


def _placed(
    events: Sequence[Event], rng: np.random.Generator, seconds: float
) -> list[tuple[Event, tuple[float, float, float, float]]]:
    """Events with (onset, apex, release, offset). Those that may stand anywhere take free places, as many as fit."""
    found: list[tuple[Event, tuple[float, float, float, float]]] = []
    for event in sorted(events, key=lambda one: one.count != (1, 1)):
        anywhere = event.count != (1, 1)
        for _ in range(int(rng.integers(event.count[0], event.count[1] + 1))):
            rise, hold, fall = (_in(rng, span) for span in (event.rise, event.hold, event.fall))
            length = rise + hold + fall
            for _ in range(200 if anywhere else 1):
                onset = float(rng.uniform(0, max(0.0, seconds - length))) if anywhere else _in(rng, event.onset)
                free = all(onset > b[3] + _GAP or onset + length < b[0] - _GAP for _, b in found)
                if free or not anywhere:
                    found.append((event, (onset, onset + rise, onset + rise + hold, onset + length)))
                    break
    return sorted(found, key=lambda one: one[1][0])


def _sides(side: str, asymmetry: float, coin: bool) -> Sides:
    """Factors on (left, right)."""
    if side == "either":
        side = "left" if coin else "right"
    if side != "both":
        return (1.0, 0.0) if side == "left" else (0.0, 1.0)
    return 1.0 + min(0.0, asymmetry), 1.0 - max(0.0, asymmetry)


def _sided(move: Move) -> str:
    """The unit's name, with L or R where one side alone moves."""
    if min(move.left, move.right) > _FAINT:
        return move.unit
    return move.unit + ("L" if move.left > move.right else "R")


def _merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """Intervals of the same times are one, of several names."""
    found: dict[tuple[float, float, float], Interval] = {}
    for one in sorted(intervals, key=lambda interval: (interval.onset, interval.label)):
        at = (one.onset, one.apex, one.offset)
        if at in found:
            names = sorted({*found[at].label.split("+"), *one.label.split("+")})
            units = tuple(sorted({*found[at].units, *one.units}))
            found[at] = replace(found[at], label="+".join(names), units=units)
        else:
            found[at] = one
    return tuple(found.values())


def _life(habits: Habits, stage: Stage, rng: np.random.Generator, seconds: float) -> Life:
    yaw, pitch, roll = (math.radians(_in(rng, one)) for one in (stage.yaw, stage.pitch, stage.roll))
    reach = math.radians(habits.head)
    sways = smooth(rng, 0.05, 0.6), smooth(rng, 0.05, 0.6), smooth(rng, 0.05, 0.6)
    beat = pulse(rng, _in(rng, habits.heart), habits.variability, _in(rng, habits.breath))
    return Life(
        pose=(yaw, pitch, roll),
        sway=sways,
        reach=(reach, 0.6 * reach, 0.4 * reach),
        glances=glances(rng, math.radians(habits.gaze), seconds),
        blinks=blinks(rng, habits.blinks, seconds),
        talk=talk(rng, habits.talk, seconds),
        pulse=replace(beat, strength=habits.pulse),
        teeth=_in(rng, habits.teeth),
    )


def _scene(stage: Stage, rng: np.random.Generator) -> Scene:
    grey = int(_in(rng, stage.grey))
    return Scene(
        fill=_in(rng, stage.fill),
        focal=_in(rng, stage.focal),
        light=(math.radians(_in(rng, stage.light_yaw)), math.radians(_in(rng, stage.light_pitch))),
        key=_in(rng, stage.key),
        ambient=_in(rng, stage.ambient),
        warmth=_in(rng, stage.warmth),
        background=(grey, grey, grey),
        pulse_depth=_in(rng, stage.pulse_depth),
        blur=_in(rng, stage.blur),
        noise=_in(rng, stage.noise),
        jpeg=int(rng.integers(stage.jpeg[0], stage.jpeg[1] + 1)),
        weather=str(rng.choice(stage.weather)),
        weather_strength=_in(rng, stage.weather_strength),
        occluder=str(rng.choice(stage.occluder)),
        seed=int(rng.integers(0, 2**31 - 1)),
    )


def _in(rng: np.random.Generator, span: Range) -> float:
    return float(rng.uniform(span[0], span[1])) if span[0] < span[1] else float(span[0])
