"""MELD: utterances of the series Friends with speaker, text, emotion and, where they are there, short videos.

    train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv     Sr No., Utterance, Speaker, Emotion, Sentiment, Dialogue_ID,
                                                                Utterance_ID, Season, Episode, StartTime, EndTime
    train_splits/dia0_utt0.mp4 …, dev_splits_complete/, output_repeated_splits_test/

Layout of declare-lab/MELD; the folders of MELD.Raw may lie below train/, dev/ and test/. The splits are official. Speakers
are in all splits. Without videos the text is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien.learn.data.example import Dataset, Example, Media, Split
from mien.learn.data.frames import whole
from mien.learn.data.reading import Reading, labels_of
from mien.learn.data.sheets import table
from mien.learn.data.trees import VIDEOS, Tree
from mien.learn.data.words import emotion

LAYOUT = "meld"
LABELS = ("neutral", "happiness", "sadness", "anger", "surprise", "fear", "disgust")
EXPECTED = "train_sent_emo.csv, dev_sent_emo.csv and test_sent_emo.csv, with the folders of videos beside or below"
_SPLITS: dict[Split, str] = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
_COLUMNS = {
    "text": ("Utterance",), "speaker": (), "emotion": (), "sentiment": (), "dialogue": ("Dialogue_ID",),
    "number": ("Utterance_ID",), "season": (), "episode": (),
}  # fmt: skip
_NEEDED = ("text", "speaker", "emotion", "dialogue", "number")


def fits(root: Path) -> bool:
    """Whether the folder has a table of MELD."""
    return bool(_tables(Tree(root), 1))


def read(root: Path) -> Dataset:
    """The utterances. Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    tables = _tables(at.tree, 3)
    if not tables:
        at.refuse()
    for split in _SPLITS:
        if split not in tables:
            at.found.add("absent_table", "is not there: the data set as read lacks this split", f"{split}_sent_emo.csv")
    examples = [one for split, name in tables.items() for one in _utterances(at, split, name)]
    return at.done(examples, labels_of(examples, LABELS))


def _tables(tree: Tree, deepest: int) -> dict[Split, str]:
    """The table of each split that has one."""
    found = tree.search(r"(train|dev|test)_sent_emo\.csv", deepest=deepest)
    own = {name.rpartition("/")[2].lower(): name for name in reversed(found)}
    return {split: own[f"{split}_sent_emo.csv"] for split in _SPLITS if f"{split}_sent_emo.csv" in own}


def _utterances(at: Reading, split: Split, name: str) -> Iterator[Example]:
    read_table = table(at.tree.path(name), _COLUMNS, _NEEDED)
    if read_table.odd:
        at.odd(name)
    videos = _videos(at.tree, split)
    own = name.rpartition("/")[2]
    met: set[str] = set()
    for where, row in read_table.rows:
        case = f"{own} {where}"
        label = emotion(row["emotion"])
        if label not in LABELS or whole(row["dialogue"]) is None or whole(row["number"]) is None:
            at.found.add("bad_row", "has no emotion of MELD, or no numbers of dialogue and utterance; left out", case)
            continue
        clip = f"dia{whole(row['dialogue'])}_utt{whole(row['number'])}"
        if clip in met:
            at.found.add("twice", "is an utterance that stood in the table before and was left out", case)
            continue
        met.add(clip)
        file = videos.get(clip)
        if videos and file is None:
            at.found.add("no_video", "has no video; its text is kept", f"{split} {clip}")
        yield Example(
            name=f"{split}/{clip}",
            media=Media(at.tree.path(file or name), "video" if file else "none"),
            split=split,
            label=label,
            subject=row["speaker"],
            group={
                "speaker": row["speaker"], "dialogue": f"{split}/{row['dialogue']}", "utterance": row["number"],
                "sentiment": row["sentiment"], "season": row["season"], "episode": row["episode"],
            },
            text=row["text"],
        )  # fmt: skip


def _videos(tree: Tree, split: Split) -> dict[str, str]:
    """{"dia0_utt0": file} of a split."""
    for folder in tree.walk("", 4):
        if folder.rpartition("/")[2].lower() == _SPLITS[split]:
            names = tree.files(folder, VIDEOS)
            return {name.rpartition(".")[0].lower(): f"{folder}/{name}" for name in names}
    return {}
