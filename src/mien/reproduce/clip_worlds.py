"""Clips whose truth is known, of people who are in one split only: what systems on clips are tried on.

Rendered by the face engine where the data folder holds its face model, drawn with a few strokes otherwise, and always in a
smoke run. All of it is synthetic: it shows whether a mechanism works, not how well faces are read in the wild.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mien.learn.moving import grey
from mien.learn.synth.clips import Clips, More, clips
from mien.learn.synth.program import Event, Expression, Habits, Program, Range, Stage
from mien.reproduce.claim import Context
from mien.types import U8

FACE = "ict_face_model_light.npz"
HABITS = Habits(head=1.5)
STAGE = Stage(fill=(1.0, 1.1), yaw=(-6.0, 6.0), light_yaw=(-30.0, 30.0))


@dataclass(frozen=True, slots=True)
class Sizes:
    """People of each split, and the shape of clips."""

    train: int
    dev: int
    test: int
    frames: int
    size: int  # px

    @property
    def people(self) -> int:
        """All of them."""
        return self.train + self.dev + self.test


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Clips as grey pixels, and the rows of each split."""

    pixels: U8  # (n, frames, size, size, 1)
    clips: Clips
    splits: Mapping[str, np.ndarray]  # "train", "dev", "test" -> (m,) rows
    made_by: str  # "rendered" | "drawn"

    @property
    def subjects(self) -> np.ndarray:
        """(n,)"""
        return np.array(self.clips.subjects)


def world(context: Context, program: Program, sizes: Sizes) -> World:
    """The same clips for all seeds and variants. Raises InputError for a face model that is none."""
    from mien.learn.synth.maker import FaceMaker
    from mien.reproduce.drawn_faces import DrawnFaces

    path = _face(context)
    context.progress("clips", 0, 1)
    make = DrawnFaces() if path is None else FaceMaker(path, hashlib.sha256(path.read_bytes()).hexdigest())
    made = clips(program, sizes.people, sizes.frames, sizes.size, 0, More(make=make))
    context.progress("clips", 1, 1)
    return split(made, sizes, "drawn" if path is None else "rendered")


def split(made: Clips, sizes: Sizes, made_by: str) -> World:
    """People in their order: training, dev, test."""
    people = list(dict.fromkeys(made.subjects))
    place = np.array([people.index(one) for one in made.subjects])
    edges = np.cumsum([0, sizes.train, sizes.dev, sizes.test])
    rows = {
        name: np.flatnonzero((place >= first) & (place < last))
        for name, first, last in zip(("train", "dev", "test"), edges[:-1], edges[1:], strict=True)
    }
    return World(grey(made.pixels), made, rows, made_by)


def told(found: World, sizes: Sizes) -> str:
    """What the clips are, for the record."""
    return (
        f"synthetic clips, {found.made_by}: {len(found.pixels)} of {sizes.people} people (training {sizes.train}, dev "
        f"{sizes.dev}, test {sizes.test}), {sizes.frames} frames of {sizes.size} px"
    )


def event(name: str, strength: Range, onset: Range, ramps: Range, hold: Range) -> Expression:
    """One rise and fall of an emotion."""
    return Expression(name, (Event(name, strength=strength, onset=onset, rise=ramps, hold=hold, fall=ramps),))


def program(name: str, expressions: tuple[Expression, ...], seconds: float) -> Program:
    """Heads that move little, faces that fill the picture, people with a style of their own."""
    return Program(name, expressions, seconds, habits=HABITS, stage=STAGE, style=0.15)


def _face(context: Context) -> Path | None:
    if context.smoke or context.data is None:
        return None
    path = context.data / FACE
    return path if path.is_file() else None
