"""What is true of a rendered clip, per frame and as a whole, as dataclasses and as JSON. Nothing in it is measured.

Left and right are the subject's; angles in radians, px of the picture, times in s from the start of the clip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import InputError
from mien.learn.synth.state import Rendered, Scene, State
from mien.learn.synth.take import Take

STATEMENT = "Rendered by mien from a morphable face. Synthetic: no person, no camera, nobody's feelings."


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """One frame."""

    time: float
    units: Mapping[str, tuple[float, float]]  # left, right, 0..1
    pose: tuple[float, float, float]  # yaw (to the subject's left), pitch (up), roll
    gaze: tuple[float, float]
    blink: tuple[float, float]  # left, right, 1 closed
    pulse: float  # blood volume against the mean
    heart_rate: float  # bpm at this moment
    box: tuple[float, ...]  # x0 y0 x1 y1
    points: tuple[tuple[float, float], ...]  # 5
    landmarks: tuple[tuple[float, float], ...]  # 68


@dataclass(frozen=True, slots=True)
class IntervalTruth:
    """One expression on the timeline."""

    onset: float  # s
    apex: float
    offset: float
    frames: tuple[int, int, int]  # onset, apex, offset, 0-based
    label: str
    units: tuple[str, ...]
    kind: str  # micro, macro


@dataclass(frozen=True, slots=True)
class Truth:
    """One clip, or a still as a clip of one frame."""

    name: str
    number: int  # among all clips of the data
    subject: str
    seed: tuple[int, ...]
    group: Mapping[str, str]
    label: str  # as written
    true: str
    noisy: bool  # the written label is not the true one
    soft: Mapping[str, float]
    fps: float
    size: int
    heart_rate: float  # bpm, beats by time
    beats: tuple[float, ...]  # s of each beat
    blinks: tuple[tuple[float, float], ...]  # s from, to
    scene: Mapping[str, Any]
    intervals: tuple[IntervalTruth, ...]
    frames: tuple[FrameTruth, ...]
    melanin: float = 0.0
    synthetic: bool = True
    statement: str = STATEMENT
    media: Mapping[str, str] = field(default_factory=dict)  # what lies where, from the root of the data

    def text(self) -> str:
        """As JSON, one line."""
        return json.dumps(asdict(self), allow_nan=False, separators=(",", ":")) + "\n"


def read_truth(path: Path) -> Truth:
    """The truth in a file. Raises InputError when it is none."""
    try:
        whole = json.loads(path.read_text(encoding="utf8"))
        frames = tuple(FrameTruth(**{key: _tuples(value) for key, value in row.items()}) for row in whole.pop("frames"))
        intervals = tuple(
            IntervalTruth(**{key: _tuples(value) for key, value in row.items()}) for row in whole.pop("intervals")
        )
        rest = {key: value if key in ("scene", "soft") else _tuples(value) for key, value in whole.items()}
        return Truth(**rest, frames=frames, intervals=intervals)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path.name} holds no truth of a rendered clip: {error}.", "Make the data again.") from error


def frame_truth(take: Take, time: float, state: State, shot: Rendered) -> FrameTruth:
    """The truth of one rendered frame."""
    return FrameTruth(
        time=round(time, 6),
        units={unit: (_short(left), _short(right)) for unit, (left, right) in state.units.items()},
        pose=(_short(state.pose[0]), _short(state.pose[1]), _short(state.pose[2])),
        gaze=(_short(state.gaze[0]), _short(state.gaze[1])),
        blink=(_short(state.blink[0]), _short(state.blink[1])),
        pulse=_short(state.pulse),
        heart_rate=round(take.life.pulse.rate_at(time), 3),
        box=tuple(round(float(one), 2) for one in shot.box),
        points=_places(shot.points),
        landmarks=_places(shot.landmarks),
    )


def interval_truth(take: Take, fps: float, count: int) -> tuple[IntervalTruth, ...]:
    """The intervals of a take, in s and in frames of a clip of `count` frames."""
    return tuple(
        IntervalTruth(
            round(one.onset, 6),
            round(one.apex, 6),
            round(one.offset, 6),
            one.frames(fps, count),
            one.label,
            one.units,
            one.kind,
        )
        for one in take.intervals
    )


def beats(take: Take) -> tuple[float, ...]:
    """Moments in s at which the pulse begins a new beat."""
    times = np.linspace(0.0, take.seconds, max(2, int(take.seconds * 200) + 1))
    phase = np.array([take.life.pulse.beats_at(float(time)) for time in times]) + take.life.pulse.start / (2 * np.pi)
    whole = np.arange(np.ceil(phase[0]), np.floor(phase[-1]) + 1)
    return tuple(round(float(time), 4) for time in np.interp(whole, phase, times))


def scene_truth(scene: Scene) -> dict[str, Any]:
    """Light and camera as JSON holds them."""
    return {
        key: [round(float(one), 5) for one in value] if isinstance(value, tuple) else value
        for key, value in asdict(scene).items()
    }


def table(truths: Sequence[Truth]) -> list[dict[str, Any]]:
    """One row per clip, for index.csv."""
    groups = sorted({name for truth in truths for name in truth.group})
    return [
        {
            "name": truth.name,
            "subject": truth.subject,
            "label": truth.label,
            "true": truth.true,
            "noisy": int(truth.noisy),
            "frames": len(truth.frames),
            "heart_rate": round(truth.heart_rate, 2),
            "melanin": truth.melanin,
            **{f"group_{name}": truth.group.get(name, "") for name in groups},
            "media": next(iter(truth.media.values()), ""),
            "truth": f"truth/{truth.name}.json",
        }
        for truth in truths
    ]


def _short(value: float) -> float:
    return round(float(value), 5)


def _places(points: Any) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in points)


def _tuples(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, list):
        return tuple(_tuples(one) for one in value)
    return {key: _tuples(one) for key, one in value.items()} if isinstance(value, dict) else value
