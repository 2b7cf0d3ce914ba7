"""DEAP: 32 people who watch 40 music videos each, with EEG, other signals, ratings and, for 22 of them, films of the face.

    data_preprocessed_python/s01.dat            a pickle: data (40 trials, 40 channels, 8064 samples at 128 Hz),
                                                labels (40, 4): valence, arousal, dominance, liking; trials by music video
    face_video/s01/s01_trial01.avi              films of the face, by order of showing
    metadata_csv/participant_ratings.csv        Participant_id, Trial, Experiment_id, Valence, …: what ties the two orders

The two orders differ: without participant_ratings.csv no film can be given its signals or ratings, so films are left out then.
Numbers are 1 to 9. There are no official splits: folds are cut by subject. Channels after the data set's description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from mien.errors import InputError, UnreadableMedia
from mien.learn.data.arrays import read_arrays
from mien.learn.data.example import Dataset, Example, Media, Wave
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import table
from mien.learn.data.trees import VIDEOS, Tree
from mien.learn.data.waves import EEG

LAYOUT = "deap"
RATE = 128.0
FPS = 50.0
VALUES = ("valence", "arousal", "dominance", "liking")
EXPECTED = "data_preprocessed_python/s01.dat … and, for the films, face_video/ and participant_ratings.csv"
OTHERS = (
    "eog horizontal",
    "eog vertical",
    "emg zygomaticus",
    "emg trapezius",
    "eda",
    "respiration",
    "pulse",
    "temperature",
)
_SUBJECT = r"s(\d{2})\.dat"
_COLUMNS = {
    "subject": ("Participant_id",), "trial": (), "film": ("Experiment_id",), **dict.fromkeys(VALUES, ()),
}  # fmt: skip

Shown = Mapping[tuple[int, int], tuple[int, tuple[float, ...]]]  # (subject, music video) -> trial, ratings; from 1


def fits(root: Path) -> bool:
    """Whether the folder has preprocessed signals of DEAP."""
    return bool(Tree(root).search(_SUBJECT, deepest=2))


def read(root: Path) -> Dataset:
    """One example per subject and music video. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    files = at.tree.search(_SUBJECT, deepest=3)
    if not files:
        at.refuse()
    order, films = _order(at), _films(at.tree)
    if films and not order:
        at.found.add(
            "no_order", "were left out: participant_ratings.csv, which says what was shown when, is not there",
            f"{len(films)} films",
        )  # fmt: skip
        films = {}
    examples = tuple(one for name in files for one in _subject(at, name, order, films))
    return at.done(examples, ())


def _order(at: Reading) -> Shown:
    """What participant_ratings tells: when each music video was shown, and how it was rated (() where it does not say)."""
    found = at.tree.search(r"participant_ratings\.(csv|xlsx)", deepest=3)
    order: dict[tuple[int, int], tuple[int, tuple[float, ...]]] = {}
    for name in found[:1]:
        for where, row in table(at.tree.path(name), _COLUMNS, ("subject", "trial", "film")).rows:
            cells = [row[key] for key in ("subject", "film", "trial")]
            if not all(cell.isdecimal() and len(cell) < 6 for cell in cells):
                at.found.add("bad_row", "cannot be read and was left out", f"participant_ratings {where}")
                continue
            subject, film, trial = map(int, cells)
            try:
                order[subject, film] = trial, tuple(float(row[name]) for name in VALUES)
            except ValueError:
                order[subject, film] = trial, ()
    return order


def _films(tree: Tree) -> dict[tuple[int, int], str]:
    """{(subject, trial): film of the face}, both from 1."""
    films = {}
    for name in tree.search(r"s\d{2}_trial_?\d{2}\.\w+", deepest=4):
        match = re.fullmatch(r"s(\d{2})_trial_?(\d{2})\.\w+", name.rpartition("/")[2], re.IGNORECASE)
        if match and name.lower().endswith(VIDEOS):
            films[int(match[1]), int(match[2])] = name
    return films


def _subject(at: Reading, name: str, order: Shown, films: Mapping[tuple[int, int], str]) -> Iterator[Example]:
    own = name.rpartition("/")[2]
    path, number = at.tree.path(name), int(own[1:3])
    told = {film: ratings for (subject, film), (_, ratings) in order.items() if subject == number and ratings}
    rated = told or _ratings(at, name, own)  # a file of signals has 100 MB: it is opened only where the table is silent
    for film, ratings in sorted(rated.items()):
        if not all(0.5 <= one <= 9.5 for one in ratings):
            at.found.add("bad_row", "cannot be read and was left out", f"{own} film {film}")
            continue
        trial = order[number, film][0] if (number, film) in order else None
        face = films.get((number, trial)) if trial else None
        if films and face is None:
            at.found.add("no_film", "has no film of the face; signals and ratings are kept", f"{own[:3]} film {film}")
        yield Example(
            name=f"{own[:3]}/film {film:02d}",
            media=Media(at.tree.path(face), "video", fps=FPS) if face else Media(path, "none"),
            values=dict(zip(VALUES, ratings, strict=True)),
            subject=own[:3],
            group={"film": f"{film:02d}", **({"trial": f"{trial:02d}"} if trial else {})},
            waves=_waves(path, film - 1),
        )


def _ratings(at: Reading, name: str, own: str) -> dict[int, tuple[float, ...]]:
    """{music video: ratings} from a subject's file; empty, with a problem, where it cannot be read."""
    try:
        held = read_arrays(at.tree.path(name))
    except (InputError, UnreadableMedia) as error:
        at.found.add("bad_signals", "cannot be read and was left out", f"{own}: {error.message}")
        return {}
    data, labels = held.get("data"), held.get("labels")
    if data is None or labels is None or data.ndim != 3 or labels.shape != (len(data), len(VALUES)):
        at.found.add("bad_signals", "cannot be read and was left out", f"{own}: not trials with {len(VALUES)} ratings")
        return {}
    if data.shape[1] < len(EEG) + len(OTHERS):
        at.found.add("bad_signals", "cannot be read and was left out", f"{own}: {data.shape[1]} channels")
        return {}
    return {film: tuple(map(float, row)) for film, row in enumerate(labels, 1)}


def _waves(path: Path, trial: int) -> tuple[Wave, ...]:
    names = [f"eeg {channel}" for channel in EEG] + list(OTHERS)
    return tuple(Wave(path, name, RATE, "deap", f"{trial}/{channel}") for channel, name in enumerate(names))
