"""TOML text to a `Program`; what is wrong is told with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, TypeVar

from mien.errors import InputError
from mien.learn.synth.emotions import LETTERS, known_emotion, known_unit
from mien.learn.synth.program import Event, Expression, Habits, Program, Range, Stage
from mien.learn.synth.units import UNITS

_TOP = {"name", "about", "seconds", "style", "label_noise", "habits", "scene", "expression"}
_EVENT = {field.name for field in fields(Event)} | {"apex", "release", "offset"}
_EXPRESSION = {"label", "blend", "share", "repeats", "habits", "scene", "event"} | _EVENT
_SIDES = ("both", "left", "right", "either")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the text a table stands, so that errors can name a line."""

    text: str
    name: str
    first: int = 0  # 0-based line at which the table begins
    last: int | None = None

    def fail(self, words: str, key: str = "", remedy: str = "") -> InputError:
        """An error that names the line of a key, or the table's first."""
        if not self.text:
            return InputError(f"{self.name}: {words}", remedy)
        lines = self.text.splitlines()
        pattern = re.compile(rf"(^|[{{,\s.\[])\"?{re.escape(key)}\"?\s*[=\].]") if key else None
        number = self.first
        for at in range(self.first, min(len(lines), self.last or len(lines))):
            if pattern and pattern.search(lines[at].split("#")[0]):
                number = at
                break
        return InputError(f"{self.name}, line {number + 1}: {words}", remedy)

    def inner(self, header: str, number: int = 0) -> _Place:
        """The place of the table with a header, such as [[expression]], the `number`-th within this one."""
        lines = self.text.splitlines()
        end = self.last or len(lines)
        starts = [at for at in range(self.first, end) if lines[at].replace(" ", "").startswith(header)]
        if number >= len(starts):
            return self
        last = starts[number + 1] if number + 1 < len(starts) else end
        return _Place(self.text, self.name, starts[number], last)


def parse(text: str, name: str) -> Program:
    """The program that a TOML text describes. Raises InputError."""
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = int(found[2]) if found and found[2] else len(text.splitlines())
        words = found[1] if found else str(error)
        raise InputError(f"{name}, line {line}: this is no TOML: {words}.", "Mend that line.") from error
    place = _Place(text, name)
    _known(whole, _TOP, place)
    rows = whole.get("expression", [])
    if not isinstance(rows, list) or not rows:
        raise place.fail("there is no [[expression]].", "expression", "Write at least one.")
    seconds = _number(whole, "seconds", place, (4.0, 4.0), 0.01, 3600.0)[0]
    habits = _habits(whole.get("habits", {}), place.inner("[habits]"), Habits())
    stage = _stage(whole.get("scene", {}), place.inner("[scene]"), Stage())
    made: dict[str, Expression] = {}
    for number, row in enumerate(rows):
        one = _expression(row, place.inner("[[expression]]", number), made, (habits, stage), seconds)
        made[f"{number} {one.label}"] = one
    return Program(
        name=_text(whole, "name", place, name.removesuffix(".toml")),
        about=_text(whole, "about", place, ""),
        expressions=tuple(made.values()),
        seconds=seconds,
        habits=habits,
        stage=stage,
        style=_number(whole, "style", place, (0.0, 0.0), 0.0, 2.0)[0],
        label_noise=_number(whole, "label_noise", place, (0.0, 0.0), 0.0, 1.0)[0],
    )


def changed(program: Program, scene: Mapping[str, Any], habits: Mapping[str, Any]) -> Program:
    """The program with other values of its scene and habits, also where an expression has its own. Raises InputError."""
    stages, lives = _Place("", "--scene"), _Place("", "--habit")

    def turned(one: Expression) -> Expression:
        return replace(
            one,
            stage=_stage(scene, stages, one.stage) if one.stage else None,
            habits=_habits(habits, lives, one.habits) if one.habits else None,
        )

    return replace(
        program,
        stage=_stage(scene, stages, program.stage),
        habits=_habits(habits, lives, program.habits),
        expressions=tuple(turned(one) for one in program.expressions),
    )


def _expression(
    row: Mapping[str, Any], place: _Place, before: Mapping[str, Expression], usual: tuple[Habits, Stage], seconds: float
) -> Expression:
    if not isinstance(row, dict):
        raise place.fail("an expression is a table.", "expression", "Write [[expression]].")
    _known(row, _EXPRESSION, place)
    habits = _habits(row["habits"], place, usual[0]) if "habits" in row else None
    stage = _stage(row["scene"], place, usual[1]) if "scene" in row else None
    repeats = int(_number(row, "repeats", place, (1, 1), 1, 10_000)[0])
    own = {key: value for key, value in row.items() if key in _EVENT}
    if "blend" in row:
        parts = _parts(row, own, place, before, seconds)
        label = _text(row, "label", place, "+".join(name for name, _, _ in parts))
        return Expression(label, (), parts, repeats, habits, stage)
    inner = row.get("event", [])
    events = [_event(one, place.inner("[[expression.event]]", number), seconds) for number, one in enumerate(inner)]
    if {"emotion", "units"} & set(own):
        events.insert(0, _event(own, place, seconds))
    elif own:
        raise place.fail(f"'{min(own)}' belongs to no emotion and no units.", min(own), "Add emotion or units.")
    label = _text(row, "label", place, row.get("emotion") or ("" if events else "neutral"))
    if not label:
        raise place.fail("this expression has no label.", "", "Add label.")
    return Expression(label, tuple(events), (), repeats, habits, stage)


def _parts(
    row: Mapping[str, Any], own: Mapping[str, Any], place: _Place, before: Mapping[str, Expression], seconds: float
) -> tuple[tuple[str, Range, Expression], ...]:
    if unfit := {"event", "emotion", "units"} & set(row):
        raise place.fail(f"a blend has no {min(unfit)} of its own.", min(unfit), "Write the parts' names in blend.")
    blend = row["blend"]
    if isinstance(blend, list) and len(blend) == 2:
        low, high = _number(row, "share", place, (0.5, 0.5), 0.0, 1.0)
        weights: dict[str, Range] = {str(blend[0]): (low, high), str(blend[1]): (1 - high, 1 - low)}
    elif isinstance(blend, dict) and blend and "share" not in row:
        weights = {name: _number(blend, name, place, (0.0, 0.0), 0.0, 1.0) for name in blend}
        total = sum(low for low, _ in weights.values())
        if abs(total - 1) > 1e-6 or any(low != high for low, high in weights.values()):
            raise place.fail(f"the weights of a blend sum to {total:g}.", "blend", "Let them sum to 1.")
    else:
        raise place.fail("a blend is two names (with share) or a table of weights.", "blend")
    if len(weights) < 2:
        raise place.fail("a blend has at least two parts.", "blend")
    named = {one.label: one for one in before.values() if not one.parts}
    found = []
    for name, weight in weights.items():
        # an expression of this file comes before an emotion of the same name, but for the timing given here
        if name in named and not own:
            found.append((name, weight, named[name]))
        else:
            _told(lambda name=name: known_emotion(name), place, "blend")  # type: ignore[misc]
            found.append((name, weight, Expression(name, (_event({"emotion": name, **own}, place, seconds),))))
    return tuple(found)


def _event(row: Mapping[str, Any], place: _Place, seconds: float) -> Event:
    _known(row, _EVENT, place)
    emotion = _text(row, "emotion", place, "")
    if emotion:
        _told(lambda: known_emotion(emotion), place, "emotion")
    given = row.get("units", {})
    if not isinstance(given, dict) or not (emotion or given):
        raise place.fail('units is a table, such as {AU12 = "C"}.', "units")
    units = {
        _told(lambda key=key: known_unit(key, unit_names()), place, key): _strength(given, key, place)  # type: ignore[misc]
        for key in given
    }
    side = _text(row, "side", place, "both")
    if side not in _SIDES:
        raise place.fail(f"'{side}' is no side.", "side", f"There are {', '.join(_SIDES)}.")
    count = _number(row, "count", place, (1, 1), 0, 1000)
    event = Event(
        emotion=emotion,
        units=units,
        strength=_strength(row, "strength", place) if "strength" in row else Event().strength,
        count=(int(count[0]), int(count[1])),
        side=side,
        asymmetry=_number(row, "asymmetry", place, (0.0, 0.0), -1.0, 1.0),
        **_times(row, place),
    )
    if event.count == (1, 1) and event.onset[1] >= seconds:
        raise place.fail(
            f"onset is at {event.onset[1]:g} s in a clip of {seconds:g} s.", "onset", "Let it begin earlier."
        )
    return event


def _times(row: Mapping[str, Any], place: _Place) -> dict[str, Range]:
    """onset, rise, hold, fall; or fixed moments: onset, apex, release (else: apex), offset."""
    usual = Event()
    moments = [key for key in ("apex", "release", "offset") if key in row]
    spans = [key for key in ("rise", "hold", "fall") if key in row]
    onset = _number(row, "onset", place, usual.onset, -60.0, 3600.0)
    if not moments:
        found = {key: _number(row, key, place, getattr(usual, key), 0.0, 3600.0) for key in ("rise", "hold", "fall")}
        return {"onset": onset, **found}
    if spans or not {"onset", "apex", "offset"} <= set(row):
        raise place.fail("give onset, apex and offset, or onset with rise, hold and fall.", moments[0])
    apex, offset = (_number(row, key, place, (0.0, 0.0), -60.0, 3600.0) for key in ("apex", "offset"))
    release = _number(row, "release", place, apex, -60.0, 3600.0)
    points = [onset, apex, release, offset]
    if any(low != high for low, high in points):
        raise place.fail("moments are numbers.", moments[0], "For ranges give onset with rise, hold and fall.")
    for (one, _), (two, _), key in zip(points, points[1:], ("apex", "release", "offset"), strict=False):
        if two < one:
            raise place.fail(f"{key} at {two:g} s is before what comes ahead of it ({one:g} s).", key)
    steps = [(two[0] - one[0],) * 2 for one, two in pairwise(points)]
    return {"onset": onset, "rise": steps[0], "hold": steps[1], "fall": steps[2]}


def _habits(row: Mapping[str, Any], place: _Place, usual: Habits) -> Habits:
    limits = {"blinks": 120.0, "head": 30.0, "gaze": 30.0, "talk": 1.0, "heart": 240.0, "variability": 0.3} | {
        "breath": 60.0,
        "pulse": 10.0,
        "teeth": 1.0,
    }
    return Habits(**_fields(row, place, usual, limits))


def _stage(row: Mapping[str, Any], place: _Place, usual: Stage) -> Stage:
    limits = {"weather_strength": 1.0, "jpeg": 100.0, "grey": 255.0, "fill": 2.0, "pulse_depth": 0.5}
    return Stage(**_fields(row, place, usual, limits))


def _fields(row: Any, place: _Place, usual: Habits | Stage, limits: Mapping[str, float]) -> dict[str, Any]:
    """Values of a table of numbers, ranges and choices, where given; those of `usual` elsewhere."""
    if not isinstance(row, dict):
        raise place.fail("this must be a table.")
    names = [field.name for field in fields(usual)]
    _known(row, set(names), place)
    found: dict[str, Any] = {}
    for name in names:
        before = getattr(usual, name)
        if name not in row:
            found[name] = before
        elif name in ("weather", "occluder"):
            found[name] = _choices(row, name, place)
        else:
            lowest = -180.0 if name in ("yaw", "pitch", "roll", "light_yaw", "light_pitch", "off", "warmth") else 0.0
            low, high = _number(row, name, place, (0.0, 0.0), lowest, limits.get(name, 180.0))
            whole = (int(low), int(high)) if name == "jpeg" else (low, high)
            found[name] = whole if isinstance(before, tuple) else low
    return found


CHOICES = {
    "weather": ("", "rain", "fog", "snow"),
    "occluder": ("", "mask", "sunglasses", "hand", "left", "right"),
}


def _choices(row: Mapping[str, Any], name: str, place: _Place) -> tuple[str, ...]:
    value = row[name]
    given = tuple(value) if isinstance(value, list) else (value,)
    for one in given:
        if one not in CHOICES[name]:
            known = ", ".join(word or '""' for word in CHOICES[name])
            raise place.fail(f"there is no {name} '{one}'.", name, f"There are {known}.")
    return given or ("",)


def _known(row: Mapping[str, Any], names: set[str], place: _Place) -> None:
    for key in row:
        if key not in names:
            raise place.fail(f"there is no '{key}' here.", key, f"There are {', '.join(sorted(names))}.")


def _text(row: Mapping[str, Any], key: str, place: _Place, usual: str) -> str:
    value = row.get(key, usual)
    if not isinstance(value, str):
        raise place.fail(f"{key} is a text in quotes.", key)
    return value


def _strength(row: Mapping[str, Any], key: str, place: _Place) -> Range:
    """A letter A..E, a number 0..1, or a pair of either."""
    value = row[key]
    pair = value if isinstance(value, list) else [value]
    turned = [LETTERS.get(one, one) if isinstance(one, str) else one for one in pair]
    wrong = next((one for one in turned if isinstance(one, str)), None)
    if wrong is not None:
        raise place.fail(f"'{wrong}' is no intensity.", key, "Give A to E, or 0 to 1.")
    return _number({key: turned}, key, place, (0.0, 0.0), 0.0, 1.0)


def _number(row: Mapping[str, Any], key: str, place: _Place, usual: Range, low: float, high: float) -> Range:
    """A number or a range within limits."""
    value = row.get(key)
    if value is None:
        return usual
    pair = value if isinstance(value, list) else [value]
    good = all(isinstance(one, int | float) and not isinstance(one, bool) for one in pair)
    if not good or len(pair) not in (1, 2):
        raise place.fail(f"{key} is a number or a pair of numbers.", key)
    first, last = float(pair[0]), float(pair[-1])
    if not low <= first <= last <= high:
        raise place.fail(f"{key} is {value}; it lies between {low:g} and {high:g}, the lower first.", key)
    return first, last


def _told(ask: Callable[[], _T], place: _Place, key: str) -> _T:
    try:
        return ask()
    except InputError as error:
        words = error.message[0].lower() + error.message[1:]
        raise place.fail(words, key, error.remedy) from error


def unit_names() -> tuple[str, ...]:
    """Action units that the renderer shows."""
    return tuple(UNITS)
