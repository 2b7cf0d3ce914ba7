"""CASME II: 26 subjects, micro-expressions at 200 frames/s, coded for onset, apex, offset, action units and emotion.

    CASME2-coding-20140508.xlsx     Subject, Filename, OnsetFrame, ApexFrame, OffsetFrame, Action Units, Estimated Emotion
    CASME2-RAW/sub01/EP02_01f/img1.jpg …         or CASME2_RAW_selected, or Cropped (reg_img46.jpg)

Layout as read by loaders of HTNet and MEAN. There are no official splits: folds are cut by subject. One apex of the table
is "/" and one interval does not fit its folder; both are known to users of the data set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media
from mien.learn.data.frames import frames, holders, joined
from mien.learn.data.reading import Reading, labels_of
from mien.learn.data.sheets import table
from mien.learn.data.trees import Tree

LAYOUT = "casme2"
FPS = 200.0
LABELS = ("happiness", "surprise", "disgust", "repression", "sadness", "fear", "others")
EXPECTED = "CASME2-coding-….xlsx beside folders sub01, sub02, … of clips (EP02_01f, …) of frames"
_TABLE = r"CASME2[-_ ]?(coding|label).*\.(xlsx|csv)"
_COLUMNS = {
    "subject": (), "filename": (), "onset": ("OnsetFrame",), "apex": ("ApexFrame",), "offset": ("OffsetFrame",),
    "units": ("Action Units",), "emotion": ("Estimated Emotion",),
}  # fmt: skip


def fits(root: Path) -> bool:
    """Whether the folder has the table of CASME II."""
    return bool(Tree(root).search(_TABLE, deepest=1))


def read(root: Path) -> Dataset:
    """The clips of CASME II; where raw and cropped pictures are there, the raw ones. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    tables = at.tree.search(_TABLE, deepest=2)
    held = holders(at.tree, r"sub\d{1,2}", ("selected", "raw", "cropped"))
    if not tables or not held:
        at.refuse()
    for copy in held[1:]:
        at.found.add("other_copy", "is another copy of the clips and was not read", copy or "the folder itself")
    examples = tuple(_examples(at, tables[-1], held[0]))
    return at.done(examples, labels_of(examples, LABELS))


def _examples(at: Reading, list_: str, held: str) -> Iterator[Example]:
    read_table = table(at.tree.path(list_), _COLUMNS, ("subject", "filename", "onset", "offset", "emotion"))
    if read_table.odd:
        at.odd(list_)
    met: Counter[str] = Counter()
    for where, row in read_table.rows:
        subject = f"sub{row['subject'].removeprefix('sub').zfill(2)}"
        folder = at.folder(joined(held, subject, row["filename"]), where)
        if not folder:
            continue
        kept = frames(at.tree, folder)
        span = at.span(where, (row["onset"], row["apex"], row["offset"]), kept)
        if span is None:
            continue
        coded = at.coded(span, row, where, "micro")
        name = f"{subject}/{row['filename']}"
        met[name] += 1
        yield Example(
            name=name if met[name] == 1 else f"{name}#{met[name]}",  # a clip with several intervals
            media=Media(at.tree.path(folder), "frames", fps=FPS),
            label=coded.label or None,
            subject=subject,
            spans=(coded,),
        )
