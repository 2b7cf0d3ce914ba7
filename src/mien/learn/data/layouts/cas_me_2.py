"""CAS(ME)^2: 22 subjects in long videos at 30 frames/s, with micro- and macro-expressions marked in them.

    CAS(ME)^2code_final.xlsx    sheet CASFEcode_final, without titles: subject's number, clip (anger1_1), onset, apex, offset,
                                action units, emotion, macro-expression or micro-expression, self-report;
                                sheet "naming rule1": …, folder (s15), subject's number; "naming rule2": code (0401), anger1
    rawpic/s15/15_0401girlcrashing/img1.jpg …

Layout as read by loaders of MEAN, SOFTNet and MDMD. One example is one long video, those without expressions too. There are
no official splits: folds are cut by subject.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien.errors import InputError
from mien.learn.data.example import Dataset, Example, Media, Span
from mien.learn.data.frames import frames, holders, joined
from mien.learn.data.reading import Reading, labels_of
from mien.learn.data.sheets import bare, sheets_of, spelling
from mien.learn.data.trees import Tree
from mien.media.door import shown

LAYOUT = "cas_me_2"
FPS = 30.0
LABELS = ("negative", "positive", "surprise", "others")
EXPECTED = "CAS(ME)^2code_final.xlsx beside rawpic/s15/15_0101…/ of frames"
_TABLE = r"(CAS\(ME\)\^?2)?[ _-]?code_final.*\.xlsx"
_VIDEO = re.compile(r"\d{1,2}_(\d{4}).*")
_KINDS = {"microexpression": "micro", "macroexpression": "macro"}

Key = tuple[str, str]  # subject's folder, code of the video


def fits(root: Path) -> bool:
    """Whether the folder has the table of CAS(ME)^2."""
    return bool(Tree(root).search(_TABLE, deepest=1))


def read(root: Path) -> Dataset:
    """The long videos and their intervals. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    tables = at.tree.search(_TABLE, deepest=2)
    held = holders(at.tree, r"s\d{2}", ("rawpic", "cropped"))
    if not tables or not held:
        at.refuse()
    for copy in held[1:]:
        at.found.add("other_copy", "is another copy of the videos and was not read", copy or "the folder itself")
    rows = _rows(at, at.tree.path(tables[-1]))
    examples = tuple(_videos(at, held[0], rows))
    for key in rows:
        for where, _ in rows[key]:
            at.found.add("absent_folder", "belongs to a video that is not there and was left out", where)
    return at.done(examples, labels_of(examples, LABELS))


def _rows(at: Reading, path: Path) -> dict[Key, list[tuple[str, Sequence[str]]]]:
    """The coded rows by video."""
    names = sheets_of(path)
    code, rule1, rule2 = (_sheet(path, names, word) for word in ("code", "rule1", "rule2"))
    subjects = {row[2]: row[1].lower() for _, row in bare(path, rule1) if len(row) > 2 and row[2]}
    videos = {row[1].lower(): row[0].zfill(4) for _, row in bare(path, rule2) if len(row) > 1 and row[1]}
    rows: dict[Key, list[tuple[str, Sequence[str]]]] = defaultdict(list)
    for where, row in bare(path, code):
        subject = subjects.get(row[0])
        video = videos.get(row[1].rpartition("_")[0].lower()) if len(row) >= 8 else None
        if subject is None or video is None:
            at.found.add("unnamed_row", "has a subject or a clip that the naming rules do not know; left out", where)
        else:
            rows[subject, video].append((where, row))
    return rows


def _sheet(path: Path, names: Sequence[str], word: str) -> str:
    for name in names:
        if word in spelling(name):
            return name
    raise InputError(
        f"{shown(path)} has no sheet of the {word}; it has {', '.join(names)[:160]}.",
        "Give the workbook as the data set has it: CASFEcode_final, naming rule1, naming rule2.",
    )


def _videos(at: Reading, held: str, rows: dict[Key, list[tuple[str, Sequence[str]]]]) -> Iterator[Example]:
    for subject in at.tree.folders(held):
        for video in at.tree.folders(joined(held, subject)):
            match = _VIDEO.fullmatch(video)
            if not match:
                at.found.add("unknown_folder", "is not named as a video and was left out", f"{subject}/{video}")
                continue
            folder = joined(held, subject, video)
            kept = frames(at.tree, folder)
            spans: list[Span] = []
            for where, row in rows.pop((subject.lower(), match[1]), []):
                span = at.span(where, (row[2], row[3], row[4]), kept)
                kind = _KINDS.get(spelling(row[7]))
                if span and not kind:
                    at.found.add("unknown_kind", "is neither a micro- nor a macro-expression; left out", where)
                elif span and kind:
                    spans.append(at.coded(span, {"units": row[5], "emotion": row[6]}, where, kind))
            yield Example(
                name=f"{subject}/{video}",
                media=Media(at.tree.path(folder), "frames", fps=FPS),
                subject=subject.lower(),
                group={"film": match[1]},
                spans=tuple(sorted(spans, key=lambda one: one.onset)),
            )
