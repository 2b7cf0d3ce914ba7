"""FERV39k: 38,935 clips of 22 scenes, seven expressions, one official split.

    4_setups/All_scenes/train_All.csv, test_All.csv     lines "Action/Happy/0267 Happy", without titles
    2_ClipsforFaceCrop/Action/Happy/0267/….jpg          faces; or 0_7_LabelClips/Action/Happy/0267.mp4

Wang et al., FERV39k, CVPR 2022; layout after loaders of MAE-DFER and its users. The people are not named.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.clips import Clips, seek
from mien.learn.data.example import Dataset, Example, Split
from mien.learn.data.lists import lines_of
from mien.learn.data.reading import Reading
from mien.learn.data.trees import VIDEOS, Tree
from mien.learn.data.words import emotion

LAYOUT = "ferv39k"
LABELS = ("happiness", "sadness", "neutral", "anger", "surprise", "disgust", "fear")
EXPECTED = "4_setups/All_scenes/train_All.csv and test_All.csv beside 2_ClipsforFaceCrop/Action/Happy/0267/ of frames"
_BAD = "has no clip SCENE/EXPRESSION/NUMBER and expression and was left out"
_TWICE = "names a clip for a second time and was left out"


def fits(root: Path) -> bool:
    """Whether there are its lists."""
    return bool(_lists(Tree(root), 3))


def read(root: Path) -> Dataset:
    """The clips. Raises MediaNotFound, UnreadableMedia, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    lists = _lists(at.tree, 4)
    clips = Clips.of(at.tree, ("2_clipsforfacecrop", "0_7_labelclips", "1_clipsforlabel"))
    if not lists or not clips:
        at.refuse()
    for split in ("train", "test"):
        if split not in lists:
            at.found.add("absent_table", "is not there: the data set as read lacks this split", f"{split}_All.csv")
    return at.done(_examples(at, lists, clips), LABELS)


def _lists(tree: Tree, deepest: int) -> dict[Split, str]:
    found: dict[Split, str] = {}
    for name in seek(tree, r"(train|test)_All\.csv", deepest=deepest):
        found.setdefault("train" if "train_" in name.rpartition("/")[2].lower() else "test", name)
    return found


def _examples(at: Reading, lists: dict[Split, str], clips: Clips) -> Iterator[Example]:
    met: set[str] = set()
    for split, name in sorted(lists.items()):
        for where, line in lines_of(at, name):
            clip, _, word = line.replace(",", " ").rpartition(" ")
            clip, label = clip.strip().strip('"').replace("\\", "/").strip("/"), emotion(word.strip('"'))
            for ending in VIDEOS:
                clip = clip.removesuffix(ending)
            if label not in LABELS or clip.count("/") != 2:
                at.found.add("bad_row", _BAD, f"{split} {where}: {line[:60]}")
                continue
            if clip in met:
                at.found.add("twice", _TWICE, f"{split} {where}: {clip[:60]}")
                continue
            met.add(clip)
            media = clips.find(at, clip)
            if media:
                yield Example(clip, media, split, label, group={"scene": clip.partition("/")[0]})
