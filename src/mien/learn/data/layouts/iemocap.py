"""IEMOCAP: 10 actors in 5 sessions of two, each utterance with emotion, valence, activation, dominance, text and sound.

    Session1/dialog/EmoEvaluation/Ses01F_impro01.txt     [6.2901 - 8.2357]  Ses01F_impro01_F000  neu  [2.5, 2.5, 2.5]
    Session1/dialog/transcriptions/Ses01F_impro01.txt    Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
    Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav
    Session1/dialog/avi/DivX/Ses01F_impro01.avi          both actors, at 29.97 frames/s

Folds are the sessions (`group["fold"]`): there is no official split. Who speaks is told by the end of the utterance's name,
not by the dialogue's. Numbers are 1 to 5. `narrowed` gives the usual four or six classes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mien.errors import UsageError
from mien.learn.data.example import Dataset, Example, Media, Wave
from mien.learn.data.reading import Reading, labels_of
from mien.learn.data.sheets import text_of
from mien.learn.data.trees import Tree

LAYOUT = "iemocap"
FPS = 29.97
CODES = {
    "ang": "anger", "hap": "happiness", "exc": "excitement", "sad": "sadness", "neu": "neutral", "fru": "frustration",
    "fea": "fear", "sur": "surprise", "dis": "disgust", "oth": "others",
}  # fmt: skip
LABELS = tuple(CODES.values())
EXPECTED = "Session1 … Session5, each with dialog/EmoEvaluation/Ses01F_impro01.txt"
_FOUR = {
    "anger": "anger",
    "happiness": "happiness",
    "excitement": "happiness",
    "sadness": "sadness",
    "neutral": "neutral",
}
_SIX = {name: name for name in ("happiness", "sadness", "neutral", "anger", "excitement", "frustration")}
_TURN = re.compile(
    r"\[\s*([\d.]+)\s*-\s*([\d.]+)\s*\]\s+(\S+)\s+(\S+)\s+\[\s*([-\d.]+)\s*,\s*([-\d.]+)\s*,\s*([-\d.]+)\s*\]"
)
_VOTE = re.compile(r"C-[EFM]\d+:\s*([^()]*)")
_NAME = re.compile(r"(Ses\d{2})([FM])_(\w+)_([FM])(X*\d+)")
_SAID = re.compile(r"(\S+)\s+\[[\d.\s-]+\]:\s*(.*)")
_VOTED = {
    "neutral state": "neutral", "neutral": "neutral", "anger": "anger", "happiness": "happiness", "excited": "excitement",
    "sadness": "sadness", "frustration": "frustration", "fear": "fear", "surprise": "surprise", "disgust": "disgust",
    "other": "others",
}  # fmt: skip


@dataclass(slots=True)
class Turn:
    """An utterance as evaluated."""

    begin: float
    end: float
    name: str
    code: str
    values: Mapping[str, float]
    votes: Counter[str]


def fits(root: Path) -> bool:
    """Whether the folder has sessions with evaluations."""
    return bool(_sessions(Tree(root)))


def read(root: Path) -> Dataset:
    """The utterances of all sessions; those on which the raters did not agree have no label, and the votes as `soft`.

    Raises MediaNotFound, InputError."""
    at = Reading(root, LAYOUT, EXPECTED)
    sessions = _sessions(at.tree)
    if not sessions:
        at.refuse()
    examples = [one for number, folder in sessions for one in _session(at, number, folder)]
    return at.done(examples, labels_of(examples, LABELS))


def narrowed(dataset: Dataset, classes: int) -> Dataset:
    """The usual four classes (anger, happiness with excitement, sadness, neutral) or six (with excitement and frustration
    apart); other utterances are left out. Raises UsageError."""
    words = {4: _FOUR, 6: _SIX}.get(classes)
    if words is None:
        raise UsageError(f"IEMOCAP is not used with {classes} classes.", "Four or six are usual.")
    kept = tuple(
        replace(one, label=words[one.label], soft={}) for one in dataset.examples if one.label and one.label in words
    )
    return replace(dataset, examples=kept, labels=tuple(dict.fromkeys(words.values())))


def _sessions(tree: Tree) -> list[tuple[int, str]]:
    found: dict[int, str] = {}
    for folder in tree.walk("", 2):
        match = re.fullmatch(r"session(\d)", folder.rpartition("/")[2], re.IGNORECASE)
        if match and tree.folder(f"{folder}/dialog/EmoEvaluation") is not None:
            found.setdefault(int(match[1]), folder)
    return sorted(found.items())


def _session(at: Reading, number: int, folder: str) -> Iterator[Example]:
    place = f"{folder}/dialog/EmoEvaluation"
    for file in at.tree.files(place, (".txt",)):
        if file.startswith("."):  # leavings of another system's copying
            continue
        dialogue = file[:-4]
        text, odd = text_of(at.tree.path(f"{place}/{file}"))
        if odd:
            at.odd(file)
        said = _said(at, f"{folder}/dialog/transcriptions/{file}")
        for turn in _turns(at, text, file):
            example = _example(at, folder, dialogue, turn)
            if example:
                yield replace(
                    example,
                    group={**example.group, "fold": str(number), "dialogue": dialogue},
                    text=said.get(turn.name, ""),
                )


def _turns(at: Reading, text: str, file: str) -> Iterator[Turn]:
    """The utterances of an evaluation, each followed by the votes of its raters."""
    turn: Turn | None = None
    for number, line in enumerate(text.splitlines(), 1):
        clean = line.strip()
        match = _TURN.fullmatch(clean)
        if match or not clean:
            if turn:
                yield turn
            turn = None
        if match:
            try:
                begin, end, *rated = (float(match[place]) for place in (1, 2, 5, 6, 7))
            except ValueError:
                at.found.add("bad_row", "cannot be read and was left out", f"{file} line {number}")
                continue
            values = dict(zip(("valence", "arousal", "dominance"), rated, strict=True))
            turn = Turn(begin, end, match[3], match[4], values, Counter())
        elif turn and (vote := _VOTE.match(clean)):
            turn.votes.update(_VOTED[word] for one in vote[1].split(";") if (word := one.strip().lower()) in _VOTED)
        elif clean.startswith("[") and "Ses" in clean:
            at.found.add("bad_row", "cannot be read and was left out", f"{file} line {number}")
    if turn:
        yield turn


def _example(at: Reading, folder: str, dialogue: str, turn: Turn) -> Example | None:
    name = _NAME.fullmatch(turn.name)
    if not name or not turn.name.startswith(dialogue) or not 0 <= turn.begin < turn.end:
        at.found.add("bad_row", "cannot be read and was left out", turn.name)
        return None
    label = CODES.get(turn.code)
    if label is None:
        at.found.add("no_agreement", "has no emotion that the raters agreed on; it is kept without a label", turn.name)
    sound = at.tree.file(f"{folder}/sentences/wav/{dialogue}/{turn.name}.wav")
    film = at.tree.file(f"{folder}/dialog/avi/DivX/{dialogue}.avi")
    if film:
        media = Media(at.tree.path(film), "video", "", int(turn.begin * FPS), int(turn.end * FPS), FPS)
    elif sound:
        media = Media(at.tree.path(sound), "audio")
    else:
        at.found.add("no_media", "has neither film nor sound; its text and ratings are kept", turn.name)
        media = Media(at.tree.path(folder), "none")
    total = turn.votes.total()
    return Example(
        name=turn.name,
        media=media,
        label=label,
        soft={word: count / total for word, count in sorted(turn.votes.items())} if total else {},
        values=turn.values,
        subject=f"{name[1]}{name[4]}",
        group={"sex": {"F": "female", "M": "male"}[name[4]], "speaker": f"{name[1]}{name[4]}"},
        waves=(Wave(at.tree.path(sound), "speech", 16000.0, "wav"),) if sound else (),
    )


def _said(at: Reading, name: str) -> dict[str, str]:
    """What was said, by utterance."""
    file = at.tree.file(name)
    if file is None:
        at.found.add("no_text", "is not there; its utterances have no text", name.rpartition("/")[2])
        return {}
    lines = (_SAID.match(line.strip()) for line in text_of(at.tree.path(file))[0].splitlines())
    return {match[1]: match[2] for match in lines if match}
