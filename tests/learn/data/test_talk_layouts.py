"""Conversations with emotions on tiny trees in their official layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mien.errors import InputError, UsageError
from mien.learn.data.layouts import iemocap, meld
from mien.learn.data.waves import read_wave

MELD = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"


def numbered(dataset: Any) -> dict[str, int]:
    return {problem.kind: problem.number for problem in dataset.problems}


def make_meld(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "train_sent_emo.csv").write_bytes(
        (
            MELD + '1,"I\u2019m fine, really.",Chandler,joy,positive,0,0,8,21,"00:16:16,059","00:16:21,731"\n'
            "2,No.,Monica,anger,negative,0,1,8,21,a,b\n3,No.,Monica,anger,negative,0,1,8,21,a,b\n"
            "4,Well.,Ross,boredom,neutral,0,2,8,21,a,b\n5,Well.,Ross,neutral,neutral,x,3,8,21,a,b\n"
        ).encode("cp1252")
    )
    (root / "dev_sent_emo.csv").write_text(MELD + "1,Hi.,Joey,neutral,neutral,0,0,4,7,a,b\n")
    (root / "train_splits").mkdir()
    (root / "train_splits" / "dia0_utt0.mp4").write_bytes(b"x")


def test_meld(tmp_path: Path) -> None:
    make_meld(tmp_path)
    assert meld.fits(tmp_path)
    data = meld.read(tmp_path)
    first, second, third = data.examples
    assert (first.name, first.split, first.label, first.subject) == (
        "train/dia0_utt0",
        "train",
        "happiness",
        "Chandler",
    )
    assert first.text == "I’m fine, really." and first.media.kind == "video"
    assert first.group["dialogue"] == "train/0" and first.group["utterance"] == "0" and first.group["season"] == "8"
    assert (second.label, second.media.kind) == ("anger", "none") and third.split == "dev"
    assert data.labels == ("neutral", "happiness", "anger")
    assert numbered(data) == {
        "absent_table": 1, "odd_encoding": 1, "no_video": 1, "twice": 1, "bad_row": 2,
    }  # fmt: skip


def test_meld_without_its_columns(tmp_path: Path) -> None:
    (tmp_path / "test_sent_emo.csv").write_text("text,label\nhi,joy\n")
    with pytest.raises(InputError, match=r"test_sent_emo\.csv has no row with the titles"):
        meld.read(tmp_path)


EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral;\t()
C-E4:\tNeutral; Sadness;\t()
C-F1:\tOther;\t(shy)
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro01_M001\txxx\t[2.5000, 3.0000, 2.0000]
C-E2:\tAnger;\t()
C-E3:\tFrustration;\t()

[12.0 - 13.0]\tSes01F_impro01_F001\texc\t[4.5, 4.0, 3.0]

[14.0 - 13.0]\tSes01F_impro01_F002\tang\t[4.5, 4.0, 3.0]

[15.0 - 16.0]\tSes02F_impro01_F002\tang\t[4.5, 4.0, 3.0]

[1..5 - 16.0]\tSes01F_impro01_F003\tang\t[4.5, 4.0, 3.0]
[15.0 - 16.0]\tSes01F_impro01_F004 cut short
"""


def sound(path: Path, count: int = 160) -> None:
    import wave

    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((b"\x00\x40" + b"\x00\xc0") * (count // 2))


def make_iemocap(root: Path) -> None:
    session = root / "IEMOCAP_full_release" / "Session1"
    for folder in ("EmoEvaluation", "transcriptions", "avi/DivX"):
        (session / "dialog" / folder).mkdir(parents=True)
    (session / "dialog/EmoEvaluation/Ses01F_impro01.txt").write_text(EVALUATION)
    (session / "dialog/EmoEvaluation/._Ses01F_impro01.txt").write_bytes(b"\0\1")
    (session / "dialog/transcriptions/Ses01F_impro01.txt").write_text(
        "Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\nSes01F_impro01_M001 [010.0100-011.3925]: Your forms?\n"
    )
    (session / "dialog/avi/DivX/Ses01F_impro01.avi").write_bytes(b"x")
    sound(session / "sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav")


def test_iemocap(tmp_path: Path) -> None:
    make_iemocap(tmp_path)
    assert iemocap.fits(tmp_path) and iemocap.fits(tmp_path / "IEMOCAP_full_release")
    data = iemocap.read(tmp_path)
    first, second, third = data.examples
    assert (first.name, first.label, first.subject, first.split) == ("Ses01F_impro01_F000", "neutral", "Ses01F", "")
    assert first.group == {"sex": "female", "speaker": "Ses01F", "fold": "1", "dialogue": "Ses01F_impro01"}
    assert first.soft == {"neutral": 0.6, "others": 0.2, "sadness": 0.2} and first.text == "Excuse me."
    assert first.values == {"valence": 2.5, "arousal": 2.5, "dominance": 2.5}
    assert (first.media.kind, first.media.first, first.media.last) == ("video", 188, 246)
    values, times = read_wave(first.waves[0])
    assert len(values) == 160 and values[0] == 0.5 and times[1] == 1 / 16000
    assert (second.label, second.subject, second.soft) == (None, "Ses01M", {"anger": 0.5, "frustration": 0.5})
    assert third.label == "excitement" and third.text == ""
    assert numbered(data) == {"no_agreement": 1, "bad_row": 4}


def test_iemocap_narrowed(tmp_path: Path) -> None:
    make_iemocap(tmp_path)
    data = iemocap.read(tmp_path)
    assert [one.label for one in iemocap.narrowed(data, 4).examples] == ["neutral", "happiness"]
    assert [one.label for one in iemocap.narrowed(data, 6).examples] == ["neutral", "excitement"]
    assert iemocap.narrowed(data, 4).labels == ("anger", "happiness", "sadness", "neutral")
    with pytest.raises(UsageError, match="5 classes"):
        iemocap.narrowed(data, 5)


def test_iemocap_without_media_or_text(tmp_path: Path) -> None:
    place = tmp_path / "Session3/dialog/EmoEvaluation"
    place.mkdir(parents=True)
    (place / "Ses03M_script01_1.txt").write_text("[1.0 - 2.0]\tSes03M_script01_1_F000\tsad\t[2.0, 2.0, 2.0]\n")
    (only,) = (data := iemocap.read(tmp_path)).examples
    assert (only.media.kind, only.subject, only.group["fold"]) == ("none", "Ses03F", "3")
    assert set(numbered(data)) == {"no_text", "no_media"}


@pytest.mark.parametrize("reader", [meld, iemocap])
def test_another_layout_is_told(reader: Any, tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    assert not reader.fits(tmp_path)
    with pytest.raises(InputError, match=rf"not in the layout {reader.LAYOUT}: expected is .*; found is audio/\."):
        reader.read(tmp_path)


TREES = [
    (meld, make_meld),
    (iemocap, make_iemocap),
]


@pytest.mark.parametrize(("reader", "make"), TREES)
def test_it_is_told_from_other_layouts(reader: Any, make: Any, told_apart: Any) -> None:
    told_apart(reader, make)


@pytest.mark.parametrize(("reader", "make"), TREES)
def test_any_damage_is_told(reader: Any, make: Any, spoil: Any) -> None:
    spoil(reader, make)
