"""Somebody seen: the best shots, how long, and the one score they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mien.protocols import Gallery, Judge
from mien.types import Clip, Face, Match, Reading, Template

if TYPE_CHECKING:
    from mien.where import Where

SHOTS = 5  # best shots of a person that make the score


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One face of somebody, its template and how good it is."""

    face: Face
    template: Template
    quality: Reading

    @property
    def worth(self) -> float:
        """Overall quality, 0..1."""
        return self.template.quality or 0.0


@dataclass(slots=True, eq=False)
class Sighting:
    """Somebody seen: the best shots so far and how long."""

    shots: list[Shot] = field(default_factory=list)
    further: list[Reading] = field(default_factory=list)
    fps: float = 0.0
    start: float = 0.0
    end: float = 0.0

    def add(self, clip: Clip, shots: Sequence[Shot]) -> None:
        """Take in another stretch of the same track."""
        first = not self.shots
        self.fps = clip.fps
        self.start = clip.span[0] if first else self.start
        self.end = clip.span[1]
        self.shots = sorted([*self.shots, *shots], key=lambda shot: -shot.worth)[:SHOTS]

    def faces(self) -> tuple[Face, ...]:
        """The shots' faces, best first."""
        return tuple(shot.face for shot in self.shots)

    def probe(self) -> tuple[Template, float]:
        """The direction of the mean of the shots' templates, weighed by their quality, and the length of that mean."""
        weights = np.array([max(shot.worth, 1e-3) for shot in self.shots], np.float32)
        mean = weights @ np.stack([shot.template.vector for shot in self.shots]) / weights.sum()
        length = float(np.linalg.norm(mean))
        best = self.shots[0].template
        return Template((mean / length).astype(np.float32), best.space, best.quality), length

    def readings(self) -> list[Reading]:
        """The best shot's quality, and what other judges read."""
        return [self.shots[0].quality, *self.further]

    def span(self) -> tuple[float, float] | None:
        """First and last time seen in s; None for a still."""
        return (self.start, self.end) if self.fps > 0 else None


def search_all(people: Sequence[Sighting], gallery: Gallery, k: int, where: Where | None = None) -> list[list[Match]]:
    """For each the gallery's `k` best among those of whom `where` is true, each with the mean of the shots' scores.

    A fused template is nearer to everybody than a single one, so its own cosine would pass thresholds that were
    measured on single photos too often. The mean of the shots' cosines does not, and is that cosine times `length`."""
    if not people or not len(gallery):
        return [[] for _ in people]
    templates, lengths = zip(*(person.probe() for person in people), strict=True)
    found = gallery.search_many(templates, k, where=where)
    return [
        [replace(match, score=match.score * length) for match in each]
        for each, length in zip(found, lengths, strict=True)
    ]


def spread(faces: Sequence[Face], count: int) -> list[Face]:
    """The best face of each of `count` equal stretches, so that the shots are not all of one moment."""
    bounds = np.linspace(0, len(faces), min(count, len(faces)) + 1).astype(int)
    return [max(faces[start:end], key=lambda face: face.eye_distance * face.score) for start, end in pairwise(bounds)]


def judged(one: Judge, clip: Clip) -> list[Reading]:
    """A judge's readings, or the reason why it cannot read this clip."""
    needs, given = one.needs, len(clip.faces)
    lacks = [
        (given < needs.frames, f"{one.kind} needs {needs.frames} frames, {given} given"),
        (clip.fps < needs.fps, f"{one.kind} needs {needs.fps:g} frames per second, {clip.fps:g} given"),
        (needs.audio and clip.audio is None, f"{one.kind} needs sound and there is none"),
    ]
    reasons = tuple(reason for lacking, reason in lacks if lacking)
    return [Reading(one.kind, {}, one.name, reasons=reasons)] if reasons else one.judge(clip)
