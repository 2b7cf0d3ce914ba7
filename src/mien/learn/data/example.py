"""What every data set becomes: examples that know where their pixels lie, and nothing of them until asked.

A reader (`learn/data/layouts/`) turns a folder or zip in its official layout into a `Dataset`. Splits are the official
ones; where the layout has none, the split is "" and `folds` cuts by subject, never by picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mien.report import Problem

Kind = Literal["picture", "frames", "video", "audio", "none"]
Split = Literal["train", "dev", "test", ""]
UNSPLIT: Split = ""


@dataclass(frozen=True, slots=True)
class Media:
    """Where pixels or sound lie: a file, a folder of frames, or a member of a zip."""

    path: Path  # of the file, of the folder of frames, or of the zip
    kind: Kind = "picture"
    member: str = ""  # name within the zip, or "@" and where in a table its row begins; "" for a file of its own
    first: int = 0  # first frame that belongs to the example, 0-based
    last: int | None = None  # last frame, inclusive; None: to the end
    fps: float = 0.0  # frames per second where the layout states it; 0: ask the file

    @property
    def name(self) -> str:
        """A name for listings."""
        return self.member or self.path.name


@dataclass(frozen=True, slots=True)
class Span:
    """An interval on the timeline of an example: a micro-expression, an utterance. In frames, as the layouts have it."""

    onset: int
    apex: int | None
    offset: int
    label: str = ""
    units: tuple[str, ...] = ()  # action units seen: "AU01", "AU12", "AU12L" (the subject's left), "AU12R"
    kind: str = ""  # "micro", "macro", …


@dataclass(frozen=True, slots=True)
class Wave:
    """Where a signal lies that goes with the pixels: pulse, EEG, skin conductance. Read with `data.waves.read_wave`."""

    path: Path
    name: str  # "pulse", "heart_rate", "eeg", "eda", …
    rate: float  # Hz; 0: the file carries times
    format: str  # how the file is read: "ubfc", "pure", "deap", …
    channel: int | str = 0


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to learn from."""

    name: str  # unique within the data set; never a machine's path
    media: Media
    split: Split = UNSPLIT
    label: str | None = None  # in the house's words, see `words`
    soft: Mapping[str, float] = field(default_factory=dict)  # {label: share}, sums to 1, where raters differ
    values: Mapping[str, float] = field(default_factory=dict)  # "valence", "arousal", "AU12" (0..5), "heart_rate" (bpm)
    subject: str = ""  # "" where the layout does not tell
    group: Mapping[str, str] = field(default_factory=dict)  # sex, age, race, camera, species, speaker, fold, …
    spans: tuple[Span, ...] = ()
    waves: tuple[Wave, ...] = ()
    box: tuple[float, float, float, float] | None = None  # x0 y0 x1 y1 px of the face, where the layout gives it
    text: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as read: examples, the classes that its labels come from, and what was wrong with it."""

    layout: str  # name in `LAYOUTS`
    examples: tuple[Example, ...]
    labels: tuple[str, ...] = ()  # classes in a fixed order; empty for data of values or spans only
    problems: tuple[Problem, ...] = ()

    def of(self, split: Split) -> Dataset:
        """The examples of one split."""
        return replace(self, examples=tuple(one for one in self.examples if one.split == split))

    def __len__(self) -> int:
        return len(self.examples)
