"""What a rendered face is told: who it is, how it stands and moves, what lights and films it. All of it is ground truth.

    Person + State + Scene -> Rendered        (`learn/synth/render`)
    Program -> State at each time             (`learn/synth/program`)

Left and right are the subject's. Head frame: x to the subject's left, y up, z forward (towards the camera), centimetres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mien.types import F32, U8


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """An identity, drawn from a seed within the controlled groups."""

    name: str
    seed: int  # of everything about the person that is not given here
    shape: F32  # (100,) identity coefficients of the morphable face
    melanin: float  # 0 lightest .. 1 darkest skin
    iris: tuple[float, float, float] = (0.35, 0.25, 0.15)  # linear RGB
    group: Mapping[str, str] = field(
        default_factory=dict
    )  # controlled variables by name: {"skin": "dark", "shape": "a"}
    gain: Mapping[str, float] = field(default_factory=dict)  # style of expressing: factor per action unit


@dataclass(frozen=True, slots=True)
class State:
    """A face at one moment."""

    units: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # "AU12": (subject's left, right) 0..1
    pose: tuple[float, float, float] = (
        0.0,
        0.0,
        0.0,
    )  # yaw (to the subject's left), pitch (up), roll (to the subject's
    # left shoulder), radians
    gaze: tuple[float, float] = (0.0, 0.0)  # yaw (to the subject's left), pitch (up), radians, against the head
    blink: tuple[float, float] = (0.0, 0.0)  # subject's left, right; 0 open .. 1 closed
    teeth: float = 1.0  # 1: shown as the lips leave them; 0: painted as dark as the mouth's inside
    pulse: float = 0.0  # blood volume against the mean, about -1 .. 1; colours the skin


@dataclass(frozen=True, slots=True)
class Scene:
    """Light, camera and what spoils the picture."""

    size: int = 128  # px of the square picture
    fill: float = 0.8  # share of the picture's height from the chin to the hairline, at rest and seen from the front
    centre: tuple[float, float] = (
        0.0,
        0.0,
    )  # where the head's middle is, px from the picture's centre, x right, y down
    focal: float = 3.0  # focal length over sensor height; small: wide angle, near
    light: tuple[float, float] = (0.4, 0.5)  # key light: yaw (to the subject's left), pitch (up), radians
    key: float = 0.8  # strength of the key light
    ambient: float = 0.35
    warmth: float = 0.0  # -1 blue .. 1 orange
    background: tuple[int, int, int] = (128, 128, 128)
    pulse_depth: float = 0.01  # relative colour change of the skin at pulse = 1 (green channel)
    blur: float = 0.0  # sd of a Gaussian, px
    noise: float = 0.0  # sd of sensor noise, of 0..255
    jpeg: int = 0  # quality; 0: not compressed
    weather: str = ""  # "", "rain", "fog", "snow"
    weather_strength: float = 0.5
    occluder: str = ""  # "", "mask", "sunglasses", "hand", "left", "right" (a dark bar over the subject's half)
    seed: int = 0  # of noise, weather and background


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """A picture and the truth behind it."""

    pixels: U8  # (H, W, 3) RGB
    points: F32  # (5, 2) as `mien.types.Face.points`, px
    landmarks: F32  # (68, 2) px
    box: F32  # (4,) x0 y0 x1 y1 of the face (68 landmarks and forehead), px
    mask: U8  # (H, W) 0 background, otherwise a part of PARTS
    depth: F32  # (H, W) cm from the camera; inf where there is nothing


PARTS = ("background", "skin", "eye", "teeth", "mouth", "hair", "occluder", "clothes")
