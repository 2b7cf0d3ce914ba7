"""CAS(ME)^3, part A: 100 subjects in long videos with depth at 30 frames/s, micro- and macro-expressions marked in them.

    annotation/cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx    Subject, Filename, Onset, Apex, Offset, AU, Objective class,
                                                            emotion; macro-expressions in a table of their own
    part_A/spNO.1/a/color/0.jpg …                           whole videos (depth beside color), or
    Part_A_ME_clip/frame/spNO.10_a_116/116.jpg …            clips of the micro-expressions: subject, video, onset

Layout after the data set's repository (jingtingEmmaLi/CAS-ME-3) and the loaders of HTNet. There are no official splits:
folds are cut by subject.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Span
from mien.learn.data.frames import frames, holders, joined
from mien.learn.data.reading import Reading, labels_of
from mien.learn.data.sheets import spelling, table
from mien.learn.data.trees import Tree

LAYOUT = "cas_me_3"
FPS = 30.0
LABELS = ("happiness", "anger", "disgust", "fear", "sadness", "surprise", "others")
EXPECTED = "cas(me)3_part_A_….xlsx (or csv) and part_A/spNO.1/a/color/ or Part_A_ME_clip/frame/spNO.1_b_166/ of frames"
_TABLE = r"CAS\(ME\)\^?3_part_A.*\.(xlsx|csv)"
_COLUMNS = {
    "subject": (), "filename": ("video",), "onset": (), "apex": (), "offset": (), "units": ("AU",),
    "class": ("Objective class",), "emotion": (), "type": ("expression type",),
}  # fmt: skip

Row = tuple[str, Mapping[str, str]]


def fits(root: Path) -> bool:
    """Whether the folder has a table of part A."""
    return bool(Tree(root).search(_TABLE, deepest=2))


def read(root: Path) -> Dataset:
    """Whole videos with their intervals or, where only these are there, the clips. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    tables = at.tree.search(_TABLE, deepest=3)
    held = holders(at.tree, r"spNO\.\d+(_[a-z]_\d+)?", ("part_a/", "part_a", "frame"))
    whole = [one for one in held if any("_" not in name for name in at.tree.folders(one) if _subject(name))]
    clips = [one for one in held if one not in whole and not one.lower().endswith("depth")]
    if not tables or not (whole or clips):
        at.refuse()
    rows = _rows(at, tables)
    examples = tuple(_videos(at, whole[0], rows) if whole else _clips(at, clips[0], rows))
    return at.done(examples, labels_of(examples, LABELS))


def _subject(name: str) -> bool:
    return name.lower().startswith("spno.")


def _rows(at: Reading, names: list[str]) -> list[Row]:
    """The rows of all tables, each interval once: the table of all expressions repeats those of micro-expressions."""
    met: dict[tuple[str, ...], Row] = {}
    for name in sorted(names, key=lambda one: "me_label" not in one.lower()):  # the one with emotions first
        own = name.rpartition("/")[2]
        read_table = table(at.tree.path(name), _COLUMNS, ("subject", "filename", "onset", "offset"))
        if read_table.odd:
            at.odd(own)
        for where, row in read_table.rows:
            key = (row["subject"].lower(), row["filename"].lower(), row["onset"], row["offset"])
            kind = "macro" if "macro" in spelling(row["type"]) else "micro"
            met.setdefault(key, (f"{own} {where}", {**row, "kind": kind}))
    return list(met.values())


def _videos(at: Reading, held: str, rows: list[Row]) -> Iterator[Example]:
    by_video: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for where, row in rows:
        by_video[row["subject"], row["filename"]].append((where, row))
    for (subject, video), own in by_video.items():
        case = f"{own[0][0]} and {len(own) - 1} more of {subject}/{video}" if len(own) > 1 else own[0][0]
        folder = at.folder(joined(held, subject, video, "color"), case)
        if folder is None:
            continue
        kept = frames(at.tree, folder)
        spans: list[Span] = []
        for where, row in own:
            span = at.span(where, (row["onset"], row["apex"], row["offset"]), kept)
            if span:
                spans.append(at.coded(span, row, where, row["kind"]))
        if spans:
            yield Example(
                name=f"{subject}/{video}",
                media=Media(at.tree.path(folder), "frames", fps=FPS),
                subject=subject,
                group={"film": video},
                spans=tuple(sorted(spans, key=lambda one: one.onset)),
            )


def _clips(at: Reading, held: str, rows: list[Row]) -> Iterator[Example]:
    for where, row in rows:
        if row["kind"] != "micro":
            continue
        name = f"{row['subject']}_{row['filename']}_{row['onset']}"
        folder = at.folder(joined(held, name), where)
        if folder is None:
            continue
        span = at.span(where, (row["onset"], row["apex"], row["offset"]), frames(at.tree, folder))
        if span:
            coded = at.coded(span, row, where, "micro")
            yield Example(
                name=name,
                media=Media(at.tree.path(folder), "frames", fps=FPS),
                label=coded.label or None,
                subject=row["subject"],
                group={"film": row["filename"], "kind": "micro"},
                spans=(coded,),
            )
