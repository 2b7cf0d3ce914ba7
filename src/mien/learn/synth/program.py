"""Expression programs: what subjects do, in ranges to draw from. A TOML file (`script.py`) or a built-in by name.

    Program -> draw -> Take -> State at each time       (`take.py`)

A range is (low, high), drawn from evenly, once per clip.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mien.errors import InputError, MediaNotFound, UsageError

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Event:
    """One expression on the timeline: an emotion's units, or units by name."""

    emotion: str = ""  # of `emotions.MIXES`; "": units alone
    units: Mapping[str, Range] = field(default_factory=dict)  # strength 0..1; stand beside or instead of the emotion's
    strength: Range = (0.7, 1.0)  # of the emotion's units
    onset: Range = (0.1, 1.2)  # s
    rise: Range = (0.3, 0.6)  # s from onset to apex
    hold: Range = (0.5, 1.5)  # s at the apex
    fall: Range = (0.4, 0.8)  # s from there to offset
    count: tuple[int, int] = (
        1,
        1,
    )  # how often in a clip; more than once: anywhere, without overlap, `onset` is not asked
    side: str = "both"  # "both" | "left" | "right" | "either": the side that shows it
    asymmetry: Range = (0.0, 0.0)  # -1 the right side alone .. 1 the left side alone


@dataclass(frozen=True, slots=True)
class Habits:
    """What goes on beside expressions."""

    blinks: float = 17.0  # a minute: Bentivoglio et al., Movement Disorders 12(6), 1997, at rest (26 in conversation)
    head: float = 2.0  # degrees of yaw, standard deviation; pitch 0.6, roll 0.4 of it
    gaze: float = 4.0  # degrees of yaw, standard deviation; pitch half of it
    talk: float = 0.0  # how far the jaw drops, 0..1; 0: silent
    heart: Range = (55.0, 95.0)  # bpm
    variability: float = 0.03  # standard deviation of the heart rate, as a share of it
    breath: Range = (12.0, 18.0)  # a minute
    pulse: float = 1.0  # strength; 0: no pulse in the skin
    teeth: Range = (1.0, 1.0)  # 1: shown as the lips leave them; 0: painted dark


@dataclass(frozen=True, slots=True)
class Stage:
    """Pose, light, camera and what spoils the picture. Angles in degrees."""

    yaw: Range = (-8.0, 8.0)  # of the head, to the subject's left
    pitch: Range = (-5.0, 5.0)
    roll: Range = (-3.0, 3.0)
    light_yaw: Range = (-45.0, 45.0)
    light_pitch: Range = (0.0, 45.0)
    key: Range = (0.6, 1.0)
    ambient: Range = (0.25, 0.45)
    warmth: Range = (-0.2, 0.3)
    fill: Range = (0.75, 0.85)
    focal: Range = (2.5, 4.0)
    off: Range = (-0.02, 0.02)  # how far the head is from the middle, as a share of the picture's side
    grey: Range = (60.0, 200.0)  # of the background
    pulse_depth: Range = (0.01, 0.01)
    blur: Range = (0.0, 0.0)  # px
    noise: Range = (0.0, 0.0)  # of 0..255
    jpeg: tuple[int, int] = (0, 0)  # quality; 0: none
    weather: tuple[str, ...] = ("",)  # one is drawn
    weather_strength: Range = (0.5, 0.5)
    occluder: tuple[str, ...] = ("",)  # one is drawn


@dataclass(frozen=True, slots=True)
class Expression:
    """What one clip shows, and what it is called. Parts make a blend: several at once with weights that sum to 1."""

    label: str
    events: tuple[Event, ...] = ()
    parts: tuple[tuple[str, Range, Expression], ...] = ()  # label, weight, what; of two parts the second has the rest
    repeats: int = 1  # clips of each subject
    habits: Habits | None = None  # None: the program's
    stage: Stage | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """Clips to make of every subject."""

    name: str
    expressions: tuple[Expression, ...]
    seconds: float = 4.0
    about: str = ""
    habits: Habits = field(default_factory=Habits)
    stage: Stage = field(default_factory=Stage)
    style: float = (
        0.0  # standard deviation of the logarithm of each subject's factor on each unit: a style of expressing
    )
    label_noise: float = 0.0  # share of clips whose label is another of the program's

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes, in the order of their first use; those of a blend's parts count, the blend's own name does not."""
        names: dict[str, None] = {}
        for one in self.expressions:
            names |= dict.fromkeys([label for label, _, _ in one.parts] or [one.label])
        return tuple(names)

    def recipe(self) -> dict[str, Any]:
        """All that decides what is drawn, as JSON holds it."""
        whole: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return whole

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that change when the program does."""
        return hashlib.sha256(json.dumps(self.recipe(), sort_keys=True).encode()).hexdigest()[:16]


def load_program(source: str | os.PathLike[str] | Program) -> Program:
    """A program from a TOML file, or a built-in by its name (`builtin.NAMES`).

    Raises MediaNotFound, UsageError for a name that is none, InputError with the line of what is wrong."""
    from mien.learn.synth import builtin, script

    if isinstance(source, Program):
        return source
    name = os.fspath(source)
    if name in builtin.NAMES:
        return script.parse(builtin.text(name), name)
    path = Path(name)
    if not path.suffix and not path.exists():
        raise UsageError(f"There is no program '{name}'.", f"Give a TOML file, or one of {', '.join(builtin.NAMES)}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MediaNotFound(f"{name} cannot be read: {error.strerror or error}.", "Name a TOML file.") from error
    try:
        return script.parse(content.decode("utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path.name}, line {line}: this is no UTF-8 text.", "Save the file as UTF-8.") from error
