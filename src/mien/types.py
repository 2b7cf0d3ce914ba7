"""The nouns: everything that flows along the street, frozen and slotted.

    source -> Frame -> Face -> Clip -> Reading | Template -> Match -> Decision

Conventions (``docs/concepts/conventions.md``): RGB; boxes ``x0 y0 x1 y1`` in pixels of the frame as displayed, x before y;
left and right are the subject's; similarity grows with likeness and thresholds are inclusive; times are seconds from the
start of the source. Dataclasses that hold arrays compare by identity (``eq=False``), because arrays have no single truth value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    U8 = NDArray[np.uint8]
    F32 = NDArray[np.float32]
else:  # importing numpy.typing costs a tenth of numpy itself
    U8 = F32 = np.ndarray

Verdict = Literal["accept", "reject", "abstain"]
Score = Literal["cosine", "relative"]  # relative: how far the best match stands out, see `mien.decide.relative`


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture. A still is the only frame of its source."""

    pixels: U8  # (H, W, 3) RGB
    source: str = ""  # path, URL or name the pixels came from
    index: int = 0  # 0-based number of the frame within its source
    time: float = 0.0  # s from the start of the source

    @property
    def width(self) -> int:
        """Width in px."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in px."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame."""

    frame: Frame
    box: F32  # (4,) x0 y0 x1 y1 in px of `frame`
    points: F32  # (5, 2) subject's right eye, left eye, nose tip, right mouth corner, left mouth corner, px of `frame`
    score: float  # detector's confidence, 0..1
    track: int = -1  # number of the track within the source; -1 where nothing was tracked
    origin: tuple[float, float, float] = (0.0, 0.0, 1.0)  # x0, y0, scale: frame px = (source px - (x0, y0)) * scale
    around: Face | None = None  # re-homed faces: the same face on a wider crop, where a judge needs its surroundings

    @property
    def eye_distance(self) -> float:
        """Distance between the eye centres in px of the source frame (not of a re-homed crop)."""
        return float(np.hypot(*(self.points[1] - self.points[0]))) / self.origin[2]

    @property
    def source_box(self) -> F32:
        """(4,) box in px of the source frame, also when the face was re-homed onto a crop."""
        x0, y0, scale = self.origin
        return (self.box / np.float32(scale) + np.array([x0, y0, x0, y0], np.float32)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Faces of one person, oldest first; a still gives a clip of one face. Never empty."""

    faces: tuple[Face, ...]
    fps: float = 0.0  # 0 for a still
    audio: F32 | None = None  # (n,) mono, 16 kHz
    text: str | None = None
    ended: bool = True  # False when a later clip goes on with the same track

    @property
    def best(self) -> Face:
        """The face that shows most: eye distance times detector score."""
        return max(self.faces, key=lambda face: face.eye_distance * face.score)

    @property
    def span(self) -> tuple[float, float]:
        """First and last time in s."""
        return self.faces[0].frame.time, self.faces[-1].frame.time


@dataclass(frozen=True, slots=True)
class Reading:
    """What a judge read off a clip. A need that was not met is a reading with ``scores == {}`` and a reason."""

    kind: str  # "quality", "liveness", "expression", …
    scores: Mapping[str, float]  # {label: value}
    model: str  # card name
    unit: str = "probability"
    span: tuple[float, float] | None = None  # s
    reasons: tuple[str, ...] = ()  # in words, for a person

    @property
    def label(self) -> str | None:
        """The label with the highest score; None when nothing could be read."""
        return max(self.scores, key=lambda name: self.scores[name]) if self.scores else None


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A face as a unit vector. Only templates of one `space` may be compared."""

    vector: F32  # (D,) unit length
    space: str  # digest of weights + alignment + preprocessing
    quality: float | None = None  # 0..1, higher is better


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One enrolled capture of one subject: its template, the crop it was made from if that is kept, and its origin."""

    template: Template
    face: Face | None = None  # re-homed onto a margin crop; None: the image is not kept
    source: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A subject of a gallery, as a listing shows it."""

    subject: str
    samples: int  # number of templates
    images: int  # number of crops kept
    metadata: Mapping[str, Any] = field(default_factory=dict)
    enrolled: str = ""  # ISO 8601 UTC of the first sample


@dataclass(frozen=True, slots=True)
class SearchEvidence:
    """Why the answer of a search may be believed."""

    exact: bool  # nobody enrolled who belongs into the answer can be missing from it
    proof: str  # what makes it exact, such as "certified int8"; what it was measured with, where it is not
    candidates: int  # templates compared without rounding; the rest was excluded by a bound
    measured_recall: float | None = None  # lower end of the interval, where the search is approximate


@dataclass(frozen=True, slots=True)
class Match:
    """A subject of the gallery and how alike the probe is: cosine of unit vectors, -1..1."""

    subject: str
    score: float
    evidence: SearchEvidence | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold with the evidence behind it; scores at or above `threshold` are accepted.

    It aims at a rate of comparisons (`fmr`), or of searches in a gallery of `subjects` people (`fpir`), or at neither when
    somebody chose it by hand."""

    threshold: float
    fmr: float | None = None  # false-match rate aimed at
    low: float | None = None  # 95 % interval of the rate aimed at, at this threshold
    high: float | None = None
    comparisons: int = 0  # impostor comparisons behind it; of an `fpir`: searches
    subjects: int = 0  # subjects behind those
    data: str = ""  # on which data
    space: str = ""  # in which template space
    fpir: float | None = None  # share of searches by strangers that may name somebody, aimed at
    score: Score = "cosine"  # what the threshold is compared with


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The answer about one person seen, with its evidence."""

    verdict: Verdict
    reasons: tuple[str, ...]
    subject: str | None = None  # who, when accepted
    score: float | None = None  # what was compared with the threshold: the best match's cosine, or its relative score
    threshold: OperatingPoint | None = None
    matches: tuple[Match, ...] = ()
    readings: tuple[Reading, ...] = ()
    faces: tuple[Face, ...] = ()  # the shots the answer rests on, best first
    source: str = ""
    span: tuple[float, float] | None = None  # s during which the person was seen; None for a still


@dataclass(frozen=True, slots=True)
class Metric:
    """A measured value with its 95 % interval and the count behind it."""

    value: float
    low: float
    high: float
    n: int
