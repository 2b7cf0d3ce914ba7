"""DFEW: clips of films, each labelled by ten people: seven expressions, five official folds.

    EmoLabel_DataSplit/train(single-labeled)/set_1.csv …    video_name, label (1 to 7); test(single-labeled) likewise
    annotation/annotation.xlsx                              order, 1happy … 7fear: votes, label (0: no single one)
    Clip/clip_224x224/00001/00001.jpg …                     or clip_224x224_16f, or original/part_1/1.mp4

Jiang et al., DFEW, ACM Multimedia 2020; folders after the loader of DFER-CLIP. The split is that of fold 1; the others stand
in `group`, see `protocols.under` ("fold 2"). Clips that are in no fold have votes but no label. Actors are not named, and
one film may be on both sides of a fold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from mien.learn.data.clips import Clips, Folds, add_fold, seek
from mien.learn.data.example import Dataset, Example
from mien.learn.data.frames import whole
from mien.learn.data.lists import first_split
from mien.learn.data.reading import Reading
from mien.learn.data.sheets import table
from mien.learn.data.soft import shares
from mien.learn.data.trees import Tree

LAYOUT = "dfew"
LABELS = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")  # 1 to 7
EXPECTED = "EmoLabel_DataSplit/train(single-labeled)/set_1.csv … beside Clip/clip_224x224/00001/ of frames"
_VOTES = {"happiness": ("1happy",), "sadness": ("2sad",), "neutral": ("3neutral",), "anger": ("4angry",),
          "surprise": ("5surprise",), "disgust": ("6disgust",), "fear": ("7fear",)}  # fmt: skip
_COLUMNS = {"order": (), **_VOTES, "label": ()}
_BAD = "has no number of a clip and class from 1 to 7 and was left out"
_BAD_VOTES = "has no number of a clip and counts of votes and was left out"


def fits(root: Path) -> bool:
    """Whether there are lists of folds."""
    return bool(_lists(Tree(root), 3))


def read(root: Path) -> Dataset:
    """The clips. Raises MediaNotFound, UnreadableMedia, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    lists = _lists(at.tree, 4)
    clips = Clips.of(at.tree, ("clip_224x224", "clip_224x224_16f", "jpg_256", "original"))
    if not lists or not clips:
        at.refuse()
    folds: Folds = {}
    for (side, fold), name in sorted(lists.items()):
        rows = table(at.tree.path(name), {"video": ("video_name", "order"), "label": ()}, ("video", "label")).rows
        for where, row in rows:
            clip, label = whole(row["video"].rpartition("/")[2].partition(".")[0]), whole(row["label"])
            if clip is None or label is None or not 1 <= label <= len(LABELS):
                at.found.add("bad_row", _BAD, f"{side} {fold} {where}")
                continue
            add_fold(at, folds, f"{clip:05d}", LABELS[label - 1], (side, fold))
    return at.done(_examples(at, folds, _votes(at), clips), LABELS)


def _lists(tree: Tree, deepest: int) -> dict[tuple[str, str], str]:
    """{("train", "1"): file}."""
    found = {}
    for name in seek(tree, r"set_[1-5]\.csv", deepest=deepest):
        folder, _, own = name.rpartition("/")
        side = folder.rpartition("/")[2].lower()
        if side.startswith(("train", "test")):
            found[side[:5].rstrip("("), own[4]] = name
    return found


def _votes(at: Reading) -> Mapping[str, Mapping[str, float]]:
    """{clip: share of the votes for each class}; none where the table is not there."""
    tables = seek(at.tree, r"annotation\.(xlsx|csv)", deepest=3)
    found: dict[str, Mapping[str, float]] = {}
    for where, row in table(at.tree.path(tables[0]), _COLUMNS, ("order", *_VOTES)).rows if tables else ():
        clip, counts = whole(row["order"]), {label: whole(row[label] or "0") for label in LABELS}
        told = {label: float(count) for label, count in counts.items() if count is not None and count < 1000}
        if clip is None or len(told) < len(LABELS):
            at.found.add("bad_votes", _BAD_VOTES, where)
            continue
        found[f"{clip:05d}"] = shares(told)
    return found


def _examples(at: Reading, folds: Folds, votes: Mapping[str, Mapping[str, float]], clips: Clips) -> Iterator[Example]:
    for clip in sorted({*folds, *votes}):
        label, group = folds.get(clip, (None, {}))
        media = clips.find(at, clip)
        if media:
            yield Example(clip, media, first_split(group), label, votes.get(clip, {}), group=group)
