"""MAHNOB-HCI: 27 people who watch films, with video, EEG and other signals, and what they say they felt.

    Sessions/10/session.xml     <session sessionId="10" feltEmo="6" feltArsl="6" feltVlnc="7" vidRate="60.9708" …>
                                <subject id="1" gender="female" …/> <track type="Video" filename="….avi" color="1" …/>
                                <track type="Physiological" filename="Part_1_S_Trial5_emotion.bdf" …/>
    Sessions/10/*.avi, *.bdf

Layout as read by torcheeg and other loaders; the codes of emotions are those of the data set's manual. Numbers are 1 to 9.
There are no official splits: folds are cut by subject. The tie between the video's frames and the signals' samples is a
trigger channel in the BDF file, which this reader does not resolve.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from mien.errors import InputError
from mien.learn.data.example import Dataset, Example, Media, Wave
from mien.learn.data.markup import read_xml
from mien.learn.data.reading import Reading, labels_of
from mien.learn.data.trees import Tree
from mien.learn.data.waves import EEG

LAYOUT = "mahnob_hci"
RATE = 256.0
CODES = {
    "0": "neutral", "1": "anger", "2": "disgust", "3": "fear", "4": "happiness", "5": "sadness", "6": "surprise",
    "7": "scream", "8": "boredom", "9": "sleepiness", "10": "unknown", "11": "amusement", "12": "anxiety",
}  # fmt: skip
LABELS = tuple(word for word in CODES.values() if word != "unknown")
EXPECTED = "Sessions/10/session.xml … with the files that it names beside it"
_OTHERS = (
    ("ecg", "EXG1"),
    ("ecg", "EXG2"),
    ("ecg", "EXG3"),
    ("eda", "GSR1"),
    ("respiration", "Resp"),
    ("temperature", "Temp"),
)
_VALUES = {"feltVlnc": "valence", "feltArsl": "arousal", "feltCtrl": "control", "feltPred": "predictability"}


def fits(root: Path) -> bool:
    """Whether the folder has sessions described by session.xml."""
    return next(_sessions(Tree(root)), None) is not None


def read(root: Path) -> Dataset:
    """The sessions in which somebody watched a film and was asked. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    sessions = list(_sessions(at.tree))
    if not sessions:
        at.refuse()
    examples = tuple(one for folder in sessions if (one := _example(at, folder)))
    return at.done(examples, labels_of(examples, LABELS))


def _sessions(tree: Tree) -> Iterator[str]:
    for folder in tree.walk("", 2):
        if folder and "session.xml" in tree.files(folder, (".xml",)):
            yield folder


def _example(at: Reading, folder: str) -> Example | None:
    own = folder.rpartition("/")[2]
    try:
        session = read_xml(at.tree.path(f"{folder}/session.xml"))
    except InputError as error:
        at.found.add("bad_description", "cannot be read and its session was left out", f"{own}: {error.message}")
        return None
    who = session.find("subject")
    subject = who.get("id", "") if who is not None else ""
    values = {name: value for key, name in _VALUES.items() if (value := _rated(session.get(key, ""))) is not None}
    code = session.get("feltEmo", "")
    if not subject or (not values and code not in CODES):
        at.found.add("no_rating", "has no subject, or nobody was asked what they felt; left out", own)
        return None
    film, signals = _track(at, folder, session, "Video", own), _track(at, folder, session, "Physiological", own)
    label = CODES.get(code)
    gender = who.get("gender", "") if who is not None else ""
    return Example(
        name=f"session {own}",
        media=Media(at.tree.path(film or folder), "video" if film else "none", fps=_rate(session.get("vidRate", ""))),
        label=None if label == "unknown" else label,
        values=values,
        subject=subject,
        group={key: value for key, value in (("sex", gender), ("film", session.get("mediaFile", ""))) if value},
        waves=_waves(at.tree.path(signals)) if signals else (),
    )


def _track(at: Reading, folder: str, session: Element, kind: str, own: str) -> str | None:
    """The file of the colour video or of the signals."""
    for track in session.iter("track"):
        if track.get("type") == kind and (kind != "Video" or track.get("color", "1") == "1") and track.get("filename"):
            return at.file(f"{folder}/{track.get('filename')}", f"{own}: {kind.lower()}")
    at.found.add("no_track", "has no such track; the rest is kept", f"{own}: {kind.lower()}")
    return None


def _waves(path: Path) -> tuple[Wave, ...]:
    eeg = tuple(Wave(path, f"eeg {channel}", RATE, "bdf", channel) for channel in EEG)
    return eeg + tuple(Wave(path, name, RATE, "bdf", channel) for name, channel in _OTHERS)


def _rated(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 1 <= value <= 9 else None


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 1 <= value <= 1000 else 0.0
