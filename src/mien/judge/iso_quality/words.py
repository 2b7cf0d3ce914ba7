"""What to do about a component that is below what is wanted, for the person who takes the picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mien.judge.iso_quality.components import COMPONENTS

Say = Callable[[float, float, float], str]  # native value, wanted low and high


def about(name: str, native: float) -> str:
    """One sentence: what to do, the value, the value wanted."""
    component = COMPONENTS[name]
    if component.wanted is None:
        return f"{component.title}: {native:.4g} is below half of the scale"
    return _SAY[name](native, component.wanted.low, component.wanted.high)


def _brightness(x: float, low: float, high: float) -> str:
    do = "too dark, add light" if x < low else "too bright, take light away"
    return f"{do}: mean brightness {x:.2f} on a scale of 0 to 1, {low:.2f} to {high:.2f} wanted"


def _contrast(x: float, low: float, high: float) -> str:
    do = "flat, light the face more strongly" if x < low else "harsh, soften the light"
    return f"{do}: the brightness varies by {x**0.5:.2f}, {low**0.5:.2f} to {high**0.5:.2f} wanted"


def _size(x: float, low: float, high: float) -> str:
    do = "move closer or crop the picture" if x < low else "move back"
    return f"{do}: eyes to chin take {x:.0%} of the picture's height, {low:.0%} to {high:.0%} wanted"


def _turned(x: float, low: float, high: float) -> str:
    side = "left" if x > high else "right"
    return f"face the camera: the head is turned {abs(x):.0f}° to the subject's {side}, at most {high:.0f}° wanted"


def _tilted(x: float, low: float, high: float) -> str:
    do, way = ("lower the chin", "up") if x > high else ("raise the chin", "down")
    return f"{do}: the head is tilted {abs(x):.0f}° {way}, at most {high:.0f}° wanted"


def _rolled(x: float, low: float, high: float) -> str:
    way = "clockwise" if x > high else "anticlockwise"
    return f"hold the head upright: it leans {abs(x):.0f}° {way} in the picture, at most {high:.0f}° wanted"


def _room(where: str) -> Say:
    return lambda x, low, high: (
        f"leave more room at the {where}: {x:.1f} eye distances to the further eye, {low:.1f} wanted"
    )


def _edge(where: str) -> Say:
    return lambda x, low, high: f"leave more room {where}: {x:.1f} times the length from eyes to chin, {low:.1f} wanted"


_SAY: Mapping[str, Say] = {
    "illumination_uniformity": lambda x, low, high: (
        f"lit from one side, turn to the light: the cheeks share {x:.0%} of their brightness, {low:.0%} wanted"
    ),
    "luminance_mean": _brightness,
    "luminance_variance": _contrast,
    "under_exposure": lambda x, low, high: (
        f"underexposed, add light: {x:.0%} of the face is black, at most {high:.0%} wanted"
    ),
    "over_exposure": lambda x, low, high: (
        f"overexposed, less light or no flash: {x:.1%} of the face is white, at most {high:.0%} wanted"
    ),
    "dynamic_range": lambda x, low, high: (
        f"too few shades, light the face better: {x:.1f} bits of brightness, {low:.0f} wanted"
    ),
    "natural_colour": lambda x, low, high: (
        f"unnatural colour, set the white balance: skin is {x:.0f} off natural tones, at most {high:.0f} wanted"
    ),
    "single_face": lambda x, low, high: (
        f"only one person in the picture: another face is {x:.0%} as large, at most {high:.0%} wanted"
    ),
    "inter_eye_distance": lambda x, low, high: f"move closer: {x:.0f} px between the eyes, {low:.0f} wanted",
    "head_size": _size,
    "leftward_crop": _room("left"),
    "rightward_crop": _room("right"),
    "margin_above": _edge("above the head"),
    "margin_below": _edge("below the chin"),
    "head_yaw": _turned,
    "head_pitch": _tilted,
    "head_roll": _rolled,
}
