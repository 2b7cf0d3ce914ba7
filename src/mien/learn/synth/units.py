"""Action units as mixes of blendshapes, and gaze and blinks as what the lids do.

    blendshapes(State) -> {blendshape of the face model: 0..1}

Units are those of FACS (Ekman, Friesen and Hager, 2002). The face model has the shapes of ARKit's convention, which name what
is seen on the skin; a unit is what one muscle does. The table says for each unit which shapes show it, and why.
The mixes are a design of ours: no coder has scored the renders.
"""

from __future__ import annotations

from collections.abc import Mapping

from mien.errors import InputError
from mien.learn.synth.state import State

Mix = Mapping[str, float]

# A name that ends with "_" has a left and a right; a name without moves with the mean of both sides.
UNITS: dict[str, tuple[Mix, str]] = {
    "AU01": ({"browInnerUp_": 1.0}, "inner brow raiser: the inner end rises alone"),
    "AU02": ({"browOuterUp_": 1.0}, "outer brow raiser: the outer end rises alone"),
    "AU04": ({"browDown_": 1.0}, "brow lowerer: ARKit's shape lowers and draws together, as corrugator does"),
    "AU05": ({"eyeWide_": 1.0}, "upper lid raiser"),
    "AU06": ({"cheekRaiser_": 0.8, "cheekSquint_": 0.5}, "cheek raiser: cheeks rise and the lower lid is pushed up"),
    "AU07": ({"eyeSquint_": 1.0}, "lid tightener: lids narrow, cheeks stay"),
    "AU09": ({"noseSneer_": 1.0, "browDown_": 0.25}, "nose wrinkler: pulls the brow's inner end along"),
    "AU10": ({"mouthUpperUp_": 0.9, "noseSneer_": 0.2}, "upper lip raiser: the furrow beside the nose deepens a little"),
    "AU11": ({"mouthUpperUp_": 0.4, "mouthDimple_": 0.2}, "nasolabial deepener: a faint raise of the lip's middle side"),
    "AU12": ({"mouthSmile_": 1.0}, "lip corner puller"),
    "AU14": ({"mouthDimple_": 1.0}, "dimpler: corners are drawn inwards and back"),
    "AU15": ({"mouthFrown_": 1.0}, "lip corner depressor"),
    "AU16": ({"mouthLowerDown_": 1.0}, "lower lip depressor"),
    "AU17": ({"mouthShrugLower": 0.9, "mouthShrugUpper": 0.4}, "chin raiser: pushes the lower lip, and by it the upper"),
    "AU18": ({"mouthPucker": 0.9}, "lip pucker"),
    "AU20": ({"mouthStretch_": 1.0}, "lip stretcher"),
    "AU22": ({"mouthFunnel": 1.0}, "lip funneler"),
    "AU23": ({"mouthPress_": 0.6, "mouthRollLower": 0.3, "mouthRollUpper": 0.3}, "lip tightener: lips narrow and roll in"),
    "AU24": ({"mouthPress_": 1.0}, "lip pressor"),
    "AU25": ({"mouthLowerDown_": 0.3, "mouthUpperUp_": 0.15, "jawOpen": 0.08}, "lips part: the jaw hardly moves"),
    "AU26": ({"jawOpen": 0.4}, "jaw drop: by relaxing, so less than half of the way"),
    "AU27": ({"jawOpen": 0.9}, "mouth stretch: the jaw is pulled down"),
    "AU28": ({"mouthRollLower": 1.0, "mouthRollUpper": 1.0}, "lip suck"),
    "AU43": ({"eyeBlink_": 1.0}, "eyes closed"),
    "AU45": ({"eyeBlink_": 1.0}, "blink: the same movement, short"),
}  # fmt: skip
_LIDS_FOLLOW = 1.0  # share of ARKit's look shapes' lids at the angle below
_FULL_LOOK = 0.52  # radians of gaze at which those shapes are at 1 (about 30 degrees)


def unit_name(name: str) -> str:
    """ "AU1" and "AU01" as "AU01". Raises InputError for a unit that is not in the table."""
    number = name[2:] if name.startswith("AU") else ""
    full = f"AU{int(number):02d}" if number.isascii() and number.isdigit() else name
    if full not in UNITS:
        raise InputError(f"The face engine has no action unit '{name}'.", f"It has {', '.join(UNITS)}.")
    return full


def blendshapes(state: State) -> dict[str, float]:
    """Weights of all blendshapes that take part, 0..1. Units that share a shape add up."""
    made: dict[str, float] = {}

    def add(shape: str, sides: tuple[float, float], share: float) -> None:
        named = {f"{shape}L": sides[0], f"{shape}R": sides[1]} if shape.endswith("_") else {shape: sum(sides) / 2}
        for name, value in named.items():
            made[name] = made.get(name, 0.0) + share * value

    for unit, sides in state.units.items():
        for shape, share in UNITS[unit_name(unit)][0].items():
            add(shape, sides, share)
    add("eyeBlink_", state.blink, 1.0)
    _look(state.gaze, add)
    return {name: min(1.0, max(0.0, value)) for name, value in made.items() if value > 0}


def _look(gaze: tuple[float, float], add: object) -> None:
    """The lids follow the eye. (The engine turns the eyeballs itself, by the exact angle.)"""
    assert callable(add)
    yaw, pitch = (_LIDS_FOLLOW * min(1.0, max(-1.0, angle / _FULL_LOOK)) for angle in gaze)
    add("eyeLookUp_" if pitch > 0 else "eyeLookDown_", (abs(pitch), abs(pitch)), 1.0)
    left, right = ("eyeLookOut_", "eyeLookIn_") if yaw > 0 else ("eyeLookIn_", "eyeLookOut_")
    add(left, (abs(yaw), 0.0), 1.0)
    add(right, (0.0, abs(yaw)), 1.0)
