"""What an album hands out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.errors import MienError

State = Literal["grouped", "alone", "unsure"]


@dataclass(frozen=True, slots=True)
class Group:
    """Faces that are taken for one person."""

    number: int  # given once and never again
    name: str  # "" until the user gave one
    faces: int
    photos: int
    likeness: float  # mean cosine between two of its faces
    hidden: bool
    best: int  # number of the face that shows most


@dataclass(frozen=True, slots=True)
class Seen:
    """One face of one photo."""

    face: int
    group: int | None
    state: State  # alone: good enough, and like nobody else; unsure: too poor to say
    source: str  # of the photo
    box: tuple[float, float, float, float]  # x0 y0 x1 y1 in px of the photo
    quality: float


@dataclass(frozen=True, slots=True)
class Alike:
    """Two groups that may be one person: too little to merge them, enough to ask."""

    one: int
    other: int
    likeness: float  # mean cosine between their faces


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the photos that were given."""

    photos: int  # new ones
    known: int  # seen before, also under another name
    faces: int  # new ones
    without: int  # new photos without a face
    refused: tuple[tuple[str, MienError], ...]


@dataclass(frozen=True, slots=True)
class Grouped:
    """What grouping changed."""

    joined: int  # faces that found a group
    new: tuple[int, ...]  # groups that came into being
    merged: tuple[tuple[int, int], ...]  # (number, the group it is part of now)
