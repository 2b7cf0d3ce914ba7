"""SAMM: 32 subjects of 13 ethnicities, micro-expressions at 200 frames/s.

    SAMM_Micro_FACS_Codes_v2.xlsx   13 rows of notes, then Subject, Filename, Inducement Code, Onset Frame, Apex Frame,
                                    Offset Frame, Duration, Micro, Action Units, Estimated Emotion, Objective Classes
    006/006_1_2/006_05562.jpg …

Layout as read by loaders of HTNet and MEAN. There are no official splits: folds are cut by subject.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media
from mien.learn.data.frames import frames, holders, joined
from mien.learn.data.reading import Reading, labels_of
from mien.learn.data.sheets import table
from mien.learn.data.trees import Tree

LAYOUT = "samm"
FPS = 200.0
LABELS = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "others")
EXPECTED = "SAMM_Micro_FACS_Codes_v2.xlsx beside folders 006, 007, … of clips (006_1_2, …) of frames"
_TABLE = r"SAMM.*Micro[_ ]FACS[_ ]Codes.*\.(xlsx|csv)"
_COLUMNS = {
    "subject": (), "filename": (), "onset": ("Onset Frame",), "apex": ("Apex Frame",), "offset": ("Offset Frame",),
    "units": ("Action Units",), "emotion": ("Estimated Emotion",), "class": ("Objective Classes",),
}  # fmt: skip


def fits(root: Path) -> bool:
    """Whether the folder has the table of SAMM."""
    return bool(Tree(root).search(_TABLE, deepest=1))


def read(root: Path) -> Dataset:
    """The clips of SAMM. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    tables = at.tree.search(_TABLE, deepest=2)
    held = holders(at.tree, r"\d{3}")
    if not tables or not held:
        at.refuse()
    for copy in held[1:]:
        at.found.add("other_copy", "is another copy of the clips and was not read", copy or "the folder itself")
    examples = tuple(_examples(at, tables[-1], held[0]))
    return at.done(examples, labels_of(examples, LABELS))


def _examples(at: Reading, name: str, held: str) -> Iterator[Example]:
    read_table = table(at.tree.path(name), _COLUMNS, ("subject", "filename", "onset", "offset", "emotion"))
    if read_table.odd:
        at.odd(name)
    for where, row in read_table.rows:
        if not row["filename"]:  # notes below the table
            continue
        subject = row["subject"].zfill(3)
        folder = at.folder(joined(held, subject, row["filename"]), where)
        if not folder:
            continue
        span = at.span(where, (row["onset"], row["apex"], row["offset"]), frames(at.tree, folder))
        if span is None:
            continue
        coded = at.coded(span, row, where, "micro")
        yield Example(
            name=row["filename"],
            media=Media(at.tree.path(folder), "frames", fps=FPS),
            label=coded.label or None,
            subject=subject,
            group={"objective class": row["class"]} if row["class"] else {},
            spans=(coded,),
        )
