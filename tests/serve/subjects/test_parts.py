"""Cursors, segments of paths and turns, by themselves."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import GalleryBusy, InputError
from mien.serve.cursors import Cursors
from mien.serve.paths import Name, segments
from mien.serve.turns import Life, Turns

names = st.text(min_size=1, max_size=30).filter(lambda one: not any(0xD800 <= ord(c) < 0xE000 for c in one))


@given(names, names)
def test_any_name_in_a_segment_comes_back(one: str, other: str) -> None:
    path = segments(f"/v1/{quote(one, safe='')}/samples/{quote(other, safe='')}?x=/a")
    _, _, first, word, second = path.split("/")
    assert (Name().convert(first), word, Name().convert(second)) == (one, "samples", other)
    assert Name().convert(Name().to_string(one)) == one


@given(st.one_of(names, st.integers()), names, names)
def test_a_cursor_fits_its_list_only(position: str | int, of: str, other: str) -> None:
    mine, theirs = Cursors(b"master"), Cursors(b"another")
    cursor = mine.give(position, "t", of, None)
    assert mine.take(cursor, "t", of, None) == position
    for cursors, scope in (
        (theirs, ("t", of, None)),
        (mine, ("t", of)),
        (mine, (of, "t", None)),
        (mine, ("t", of, other)),
    ):
        with pytest.raises(InputError):
            cursors.take(cursor, *scope)


@given(st.integers(0, 200), st.sampled_from("Az09-_=. é+/"))
def test_a_cursor_altered_anywhere_is_none(at: int, letter: str) -> None:
    cursors = Cursors(b"master")
    cursor = cursors.give("Zoë", "t")
    at %= len(cursor)
    changed = cursor[:at] + letter + cursor[at + 1 :]
    if changed != cursor:
        with pytest.raises(InputError):
            cursors.take(changed, "t")


def test_turns_exclude_threads_and_other_objects_of_the_same_files(tmp_path: Path) -> None:
    inside, most = [0], [0]
    folders = [Turns(tmp_path), Turns(tmp_path)]  # as two processes

    def work(turns: Turns) -> None:
        for _ in range(10):
            with turns.turn("gallery", "t", "people") as first, turns.turn("gallery", "t", "people") as again:
                assert (first, again) == (True, False)
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                inside[0] -= 1

    threads = [threading.Thread(target=work, args=(folders[n % 2],)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert most[0] == 1


def test_a_turn_that_does_not_come_is_busy(tmp_path: Path) -> None:
    with Turns(tmp_path).turn("gallery", "t", "people"):
        with pytest.raises(GalleryBusy), Turns(tmp_path, 0.05).turn("gallery", "t", "people"):
            pass
        with Turns(tmp_path, 0.05).turn("gallery", "t", "other"):
            pass


def test_a_life_ends_with_its_process(tmp_path: Path) -> None:
    one, other = Life(tmp_path), Life(tmp_path)
    assert other.lives(one.name)
    assert not other.lives("0" * 16)
    name = one.name
    assert one._file is not None
    one._file.close()  # what a kill does
    assert not other.lives(name)
    assert other.name and not (tmp_path / f"{name}.life").exists()  # swept by the next to come
    other.close()
    assert list(tmp_path.iterdir()) == []
