"""Data sets of clips in official folds: where a clip lies, and on which side of which fold it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mien.learn.data.example import Media
from mien.learn.data.frames import joined
from mien.learn.data.protocols import PREFIX
from mien.learn.data.reading import Reading
from mien.learn.data.trees import PICTURES, VIDEOS, Outside, Tree

MANY = 200  # folders in one: those are clips
Folds = dict[str, tuple[str, dict[str, str]]]  # clip -> its label and its side in each fold
_ABSENT = "has a label but neither frames nor a video here and was left out"
_EMPTY = "is a clip without frames and was left out"
_OTHER = "has another label in another fold; the first was kept"
_BOTH = "is in the training and the test list of one fold; it was counted as test"


@dataclass(frozen=True, slots=True)
class Clips:
    """Folders that hold clips, as folders of frames or as videos, best first."""

    places: tuple[str, ...]

    @classmethod
    def of(cls, tree: Tree, names: Sequence[str], deepest: int = 4) -> Clips | None:
        """The folders of these names; None where there are none. What they hold is not looked into."""
        found: dict[str, list[str]] = {}
        level = [""]
        for _ in range(deepest):
            deeper = []
            for held in level:
                inner = tree.folders(held)
                for name in inner:
                    if name.lower() in names:
                        found.setdefault(name.lower(), []).append(joined(held, name))
                    elif len(inner) < MANY:
                        deeper.append(joined(held, name))
            level = deeper
        places = tuple(place for name in names for place in found.get(name, ()))
        return cls(places) if places else None

    def find(self, at: Reading, clip: str) -> Media | None:
        """Where a clip lies; None, and a problem, where it is not there."""
        try:
            return self._find(at, clip)
        except Outside:
            at.found.add("outside", "names something outside of the data set's folder and was left out", clip)
            return None

    def _find(self, at: Reading, clip: str) -> Media | None:
        empty = False
        for place in self.places:
            folder = at.tree.folder(joined(place, clip))
            if folder and at.tree.files(folder, PICTURES):
                return Media(at.tree.path(folder), "frames")
            empty = empty or folder is not None
            for ending in VIDEOS:
                video = at.tree.file(joined(place, f"{clip}{ending}"))
                if video:
                    return Media(at.tree.path(video), "video")
        at.found.add("no_frames" if empty else "absent_clip", _EMPTY if empty else _ABSENT, clip)
        return None


def seek(tree: Tree, pattern: str, deepest: int) -> list[str]:
    """The files below the root whose own name matches, as `Tree.search`, without looking into folders of many clips."""
    wanted = re.compile(pattern, re.IGNORECASE)
    found, level = [], [""]
    for _ in range(deepest + 1):
        found += [joined(held, name) for held in level for name in tree.files(held) if wanted.fullmatch(name)]
        level = [joined(held, name) for held in level for name in _few(tree, held)]
    return found


def _few(tree: Tree, held: str) -> list[str]:
    inner = tree.folders(held)
    return [] if len(inner) >= MANY else [name for name in inner if not tree.path(joined(held, name)).is_symlink()]


def add_fold(at: Reading, folds: Folds, clip: str, label: str, side: tuple[str, str]) -> None:
    """Notes that a clip is on a side ("train" or "test") of a fold ("1")."""
    known, group = folds.setdefault(clip, (label, {}))
    part, fold = side
    if known != label:
        at.found.add("other_label", _OTHER, f"{clip}: {label} in {part} {fold}, {known} before")
    key = f"{PREFIX}fold {fold}"
    if group.get(key, part) != part:
        at.found.add("both_sides", _BOTH, f"{clip} in fold {fold}")
        part = "test"
    group[key] = part
