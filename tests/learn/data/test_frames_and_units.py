"""What coders write of frames and action units."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import UsageError
from mien.learn.data.example import Dataset, Example, Media, Span
from mien.learn.data.frames import Frames, frames, holders, interval
from mien.learn.data.pixels import count_frames, read_frames
from mien.learn.data.protocols import protocols_of, under
from mien.learn.data.spans import cut
from mien.learn.data.trees import Tree
from mien.learn.data.units import units


@pytest.mark.parametrize(
    ("text", "known", "lost"),
    [
        ("4+R12", ("AU04", "AU12R"), ()),
        ("AU4, AU7", ("AU04", "AU07"), ()),
        ("L2+L1", ("AU02L", "AU01L"), ()),
        ("12B + 6A", ("AU12", "AU06"), ()),
        ("T28+14", ("AU28", "AU14"), ()),
        ("AU 4 or 7?", ("AU04",), ("7?",)),
        ("12 or R12", ("AU12", "AU12R"), ()),
        ("?", (), ("?",)),
        ("4+4", ("AU04",), ()),
        ("", (), ()),
        ("none", (), ()),
        ("0+199", (), ("0", "199")),
    ],
)
def test_units(text: str, known: tuple[str, ...], lost: tuple[str, ...]) -> None:
    assert units(text) == (known, lost)


@given(st.text(max_size=40))
def test_units_of_anything_are_house_words(text: str) -> None:
    known, _ = units(text)
    assert all(name[:2] == "AU" and name[2:].rstrip("LR").isdecimal() for name in known)


@given(st.sets(st.integers(0, 10**6), min_size=1), st.integers(0, 10**6))
def test_place_is_the_index(numbers: set[int], wanted: int) -> None:
    listed = sorted(numbers)
    assert Frames(tuple(listed)).place(wanted) == (listed.index(wanted) if wanted in numbers else None)


def test_numbers_are_the_last_in_the_name(tmp_path: Path) -> None:
    for name in ("reg_img46.jpg", "reg_img47.jpg", "006_05562.jpg", "thumbs.jpg", "46.txt"):
        (tmp_path / name).write_bytes(b"x")
    kept = frames(Tree(tmp_path), "")
    assert kept.numbers == (5562, 46, 47, -1)  # as the pictures are read
    assert [kept.place(number) for number in (5562, 46, 47, -1, 1)] == [0, 1, 2, None, None]


KEPT = Frames(tuple(range(46, 87)))


@pytest.mark.parametrize(
    ("cells", "got"),
    [
        (("46", "59", "86"), Span(0, 13, 40)),
        (("46", "/", "86"), Span(0, None, 40)),
        (("46", "59", "0"), Span(0, 13, 13)),
        (("50", "999", "86"), Span(4, None, 40)),
        (("", "59", "86"), "has no onset"),
        (("46", "", ""), "has neither apex nor offset"),
        (("86", "59", "46"), "ends before it begins"),
        (("1", "59", "86"), "names frames that are not in the folder"),
        (("46.5", "59", "86"), "has no onset"),
        (("nan", "inf", "1e999"), "has no onset"),
    ],
)
def test_intervals(cells: tuple[str, str, str], got: Span | str) -> None:
    assert interval(cells, KEPT) == got


def test_holders_look_for_copies_and_not_into_what_they_found(tmp_path: Path) -> None:
    for folder in ("Cropped/sub01/EP01", "CASME2-RAW/sub01/sub02", "other"):
        (tmp_path / folder).mkdir(parents=True)
    assert holders(Tree(tmp_path), r"sub\d+", ("raw",)) == ["CASME2-RAW", "Cropped"]
    assert holders(Tree(tmp_path / "Cropped"), r"sub\d+") == [""]


def long_video() -> Dataset:
    spans = (Span(10, 12, 20, "anger", ("AU04",), "micro"), Span(30, None, 90, "happiness", (), "macro"))
    media = Media(Path("s15"), "frames", first=5)
    return Dataset("x", (Example("v", media, split="train", subject="s15", spans=spans),), ("happiness", "anger"))


def test_cut_gives_each_interval_its_frames() -> None:
    both, micro = cut(long_video()), cut(long_video(), "micro")
    assert [(one.media.first, one.media.last, one.label, one.subject, one.split) for one in both.examples] == [
        (15, 25, "anger", "s15", "train"), (35, 95, "happiness", "s15", "train"),
    ]  # fmt: skip
    assert both.examples[0].spans == (Span(0, 2, 10, "anger", ("AU04",), "micro"),)
    assert both.labels == ("happiness", "anger") and micro.labels == ("anger",) and len(micro) == 1
    assert len({one.name for one in both.examples}) == 2


def test_under_turns_to_a_protocol_and_leaves_out_the_rest() -> None:
    first = Example("a", Media(Path("a")), split="train", group={"protocol 1": "train", "protocol 2.1": "test"})
    second = Example("b", Media(Path("b")), split="dev", group={"protocol 1": "dev"})
    data = Dataset("x", (first, second))
    assert protocols_of(data) == ("1", "2.1")
    assert [(one.name, one.split) for one in under(data, "2.1").examples] == [("a", "test")]
    with pytest.raises(UsageError, match=r"x as read has no protocol 9; it has 1, 2\.1"):
        under(data, "9")


def test_the_frame_that_a_coder_named_is_the_one_that_is_read(tmp_path: Path) -> None:
    """Numbers on the table, places on the timeline and pixels agree, in a whole clip and in one cut out of it."""
    from PIL import Image

    for number in range(8, 13):  # in order of names 10 comes before 8
        Image.new("RGB", (16, 16), (number * 20,) * 3).save(tmp_path / f"img{number}.png")
    Image.new("RGB", (16, 16)).save(tmp_path / "about.png")
    span = interval(("9", "10", "12"), frames(Tree(tmp_path), ""))
    assert isinstance(span, Span) and span.apex is not None
    whole = Example("v", Media(tmp_path, "frames"), spans=(span,))
    (part,) = cut(Dataset("x", (whole,))).examples
    seen = read_frames(whole.media, [span.onset, span.apex, span.offset])[:, 0, 0, 0]
    assert seen.tolist() == [180, 200, 240]
    own = part.spans[0]
    assert own.apex is not None and count_frames(part.media) == 4
    assert read_frames(part.media, [own.onset, own.apex, own.offset])[:, 0, 0, 0].tolist() == [180, 200, 240]
