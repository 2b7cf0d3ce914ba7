"""Labels of single frames: from the files of a layout to values on the timeline of an example, and to one example per frame.

Aff-Wild2, BP4D and DISFA label each frame of a video. Read as a data set they are videos whose waves say where the values
lie; here these are read, put beside the frames that are there, and, where a method learns from single frames, cut up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.audit.data.found import Found
from mien.audit.metrics import F64, I64
from mien.errors import InputError, MienError, UsageError
from mien.learn.data.example import Dataset, Example, Media, Wave
from mien.learn.data.frames import Frames, frames
from mien.learn.data.sheets import text_of
from mien.learn.data.trees import PICTURES, Tree, natural
from mien.media.door import shown

_NONE = {"valence": -5.0, "arousal": -5.0}  # Aff-Wild2: not labelled; units have -1
_UNTOLD = 9.0  # BP4D: cannot be told
_BAD = "has labels that cannot be read and was left out"


def values_of(wave: Wave, kept: Frames | None) -> tuple[I64, F64]:
    """(n,) places of frames on the timeline, rising, and (n,) the value of each; frames without a label are not among them.

    kept: the frames of the example's folder; None for a video, whose frame 1 has place 0. Raises UsageError,
    MediaNotFound, UnreadableMedia, InputError."""
    reader = _READERS.get(wave.format)
    if reader is None:
        raise UsageError(f"{wave.format!r} has no value per frame.", f"Known are {', '.join(sorted(_READERS))}.")
    numbers, values = reader(wave)
    places = [kept.place(int(number)) if kept is not None else int(number) - 1 for number in numbers]
    good = [index for index, place in enumerate(places) if place is not None and np.isfinite(values[index])]
    found = {int(places[index] or 0): float(values[index]) for index in good}
    rising = sorted(found)
    return np.array(rising, np.int64), np.array([found[place] for place in rising], np.float64)


def tracks(example: Example) -> Mapping[str, tuple[I64, F64]]:
    """{name of a wave: places and values} of an example that is labelled frame by frame. Raises as `values_of`."""
    kept = frames(Tree(example.media.path), "") if example.media.kind == "frames" else None
    return {wave.name: values_of(wave, kept) for wave in example.waves if wave.format in _READERS}


def per_frame(dataset: Dataset, every: int = 1) -> Dataset:
    """One example per labelled frame: its picture, the expression of the span that it lies in, and `values` of the waves.

    every: only each so manieth frame of a video. Splits, subjects and groups stay, so frames of one video stay together.
    A video whose labels cannot be read is a problem. Raises UsageError, EvidenceError where nothing is left."""
    if every < 1:
        raise UsageError(f"Every {every}th frame is none.", "1 takes all.")
    found, made = Found(), list[Example]()
    for one in dataset.examples:
        try:
            made += _cut(one, every)
        except MienError as error:
            found.add("bad_labels", _BAD, f"{one.name}: {error.message}")
    if not made:
        raise InputError(f"No frame of {dataset.layout} has a label.", "Check the folder of annotations.")
    return replace(dataset, examples=tuple(made), problems=(*dataset.problems, *found.problems()))


def _cut(one: Example, every: int) -> list[Example]:
    values: dict[int, dict[str, float]] = {}
    for name, (places, track) in tracks(one).items():
        for place, value in zip(places.tolist(), track.tolist(), strict=True):
            values.setdefault(place, {})[name] = value
    labels = {place: span.label for span in one.spans if span.label for place in range(span.onset, span.offset + 1)}
    pictures = _pictures(one.media.path) if one.media.kind == "frames" else ()
    made = []
    for place in sorted({*values, *labels}):
        if place % every or not 0 <= place < (len(pictures) or place + 1):
            continue
        media = Media(pictures[place]) if pictures else replace(one.media, first=place, last=place)
        name = f"{one.name}#{place}"
        made.append(replace(one, name=name, media=media, label=labels.get(place), values=values.get(place, {}),
                            spans=(), waves=()))  # fmt: skip
    return made


def _pictures(folder: Path) -> tuple[Path, ...]:
    return tuple(folder / name for name in sorted(Tree(folder).files("", PICTURES), key=natural))


# -- the formats: numbers of frames as the files call them, and values --------------------------------------------------


def _affwild2(wave: Wave) -> tuple[F64, F64]:
    """A title, then a line per frame, from 1."""
    text, _ = text_of(wave.path)
    values = _column(wave, [line.split(",") for line in text.splitlines()[1:]])
    values[values == _NONE.get(wave.name, -1.0)] = np.nan
    return np.arange(1, len(values) + 1, dtype=np.float64), values


def _bp4d(wave: Wave) -> tuple[F64, F64]:
    """A row of unit numbers, then rows that begin with the number of the frame."""
    text, _ = text_of(wave.path)
    rows = [line.split(",") for line in text.splitlines()[1:] if line.strip()]
    values = _column(wave, rows)
    values[values == _UNTOLD] = np.nan
    return _column(replace(wave, channel=0), rows), values


def _disfa(wave: Wave) -> tuple[F64, F64]:
    """Lines of frame and intensity."""
    text, _ = text_of(wave.path)
    rows = [line.split(",") for line in text.splitlines() if line.strip()]
    values = _column(replace(wave, channel=1), rows)
    values[(values < 0) | (values > 5)] = np.nan
    return _column(replace(wave, channel=0), rows), values


def _column(wave: Wave, rows: list[list[str]]) -> F64:
    """A column of numbers; NaN where a row is too short. Raises InputError for words."""
    at = int(wave.channel)
    try:
        return np.array([float(row[at]) if at < len(row) and row[at].strip() else np.nan for row in rows], np.float64)
    except ValueError as error:
        raise InputError(
            f"{shown(wave.path)} has cells of {wave.name} that are no number.", "Copy it again."
        ) from error


_READERS: Mapping[str, Callable[[Wave], tuple[F64, F64]]] = {"affwild2": _affwild2, "bp4d": _bp4d, "disfa": _disfa}
