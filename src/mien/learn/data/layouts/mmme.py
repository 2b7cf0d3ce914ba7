"""MMME: micro-expressions at 150 frames/s, filmed with EEG and other signals.

    coding_file.xlsx    Subject, Filename, Marker, OnsetTime, ApexTime, OffsetTime (s in the video), OnsetFrame … (clock times
                        that name frames), Action Units, Estimated Emotion, Date, dif
    …/NAME.avi          the videos that the column Filename names, in any folder

After the data set's repository (Mac0504/MMME). The table names its participants. No name is kept: subjects are numbers, in
the order of the names, and stay so as long as the table has the same people; problems cite rows. Only the path of a video
still holds the name that its file has. Without videos the table alone is read: 944 intervals to study, and no pixels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Span
from mien.learn.data.reading import Reading, labels_of
from mien.learn.data.sheets import table
from mien.learn.data.trees import VIDEOS, Tree

LAYOUT = "mmme"
FPS = 150.0
LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "tense")
EXPECTED = "coding_file.xlsx, with the videos that it names beside or below it"
_TABLE = r"coding_file\.(xlsx|csv)"
_COLUMNS = {
    "subject": (), "filename": (), "marker": (), "onset": ("OnsetTime",), "apex": ("ApexTime",),
    "offset": ("OffsetTime",), "units": ("Action Units",), "emotion": ("Estimated Emotion",),
}  # fmt: skip
_NEEDED = ("subject", "filename", "marker", "onset", "apex", "offset", "emotion")
LONGEST = 86_400.0  # seconds of a video


class Nameless(Media):
    """A video whose own name is a person's: listings call it by its kind."""

    @property
    def name(self) -> str:
        """No name."""
        return "a video of MMME"


def fits(root: Path) -> bool:
    """Whether the folder has the coding file of MMME."""
    return bool(Tree(root).search(_TABLE, deepest=1))


def read(root: Path) -> Dataset:
    """The videos and their intervals. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    tables = at.tree.search(_TABLE, deepest=2)
    if not tables:
        at.refuse()
    examples = tuple(_examples(at, tables[0]))
    return at.done(examples, labels_of(examples, LABELS))


def _examples(at: Reading, name: str) -> Iterator[Example]:
    rows = table(at.tree.path(name), _COLUMNS, _NEEDED).rows
    people = sorted({row["subject"].casefold() for _, row in rows if row["subject"]})
    number = {person: f"{place:02d}" for place, person in enumerate(people, 1)}
    files = {one.rpartition("/")[2].casefold(): one for one in at.tree.search(r".+\.\w+", deepest=6) if _film(one)}
    videos: dict[str, list[tuple[str, Span]]] = defaultdict(list)
    owner: dict[str, tuple[str, str]] = {}
    for where, row in rows:
        video, subject = row["filename"].casefold(), number.get(row["subject"].casefold())
        if not video or not subject:
            at.found.add("unnamed_row", "has no subject or no video and was left out", where)
            continue
        span = at.span(where, (_frame(row["onset"]), _frame(row["apex"]), _frame(row["offset"])), None)
        if span:
            videos[video].append((where, at.coded(span, row, where, "micro")))
            owner.setdefault(video, (subject, row["marker"]))
    for count, (video, spans) in enumerate(videos.items(), 1):
        subject, marker = owner[video]
        file = files.get(video)
        if file is None:
            at.found.add("no_video", "belongs to a video that is not there; its intervals are kept", spans[0][0])
        path = at.tree.path(file or name)
        yield Example(
            name=f"subject {subject}, video {count}",
            media=Nameless(path, "video" if file else "none", fps=FPS),
            subject=subject,
            group={"marker": marker},
            spans=tuple(span for _, span in sorted(spans, key=lambda one: one[1].onset)),
        )


def _frame(seconds: str) -> str:
    """The frame at a time in the video, as a cell; "" where there is none."""
    try:
        value = float(seconds)
    except ValueError:
        return ""
    return str(round(value * FPS)) if 0 <= value < LONGEST else ""


def _film(name: str) -> bool:
    return name.lower().endswith(VIDEOS)
