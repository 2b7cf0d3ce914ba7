"""Names and metadata: one spelling, clear refusals."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import BadSubject, InputError
from mien.gallery import subject_name
from mien.gallery.names import LONGEST_NAME, metadata_text


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("ana", "ana"),
        ("  Ana María  ", "Ana María"),
        ("a/b\\c", "a/b\\c"),
        ("../../etc/passwd", "../../etc/passwd"),
        ("👩‍👩‍👧 family", "👩‍👩‍👧 family"),
        ("Rene\u0301", "Ren\u00e9"),
        ("李小龍", "李小龍"),
        ("'; DROP TABLE sample; --", "'; DROP TABLE sample; --"),
        ("x" * LONGEST_NAME, "x" * LONGEST_NAME),
        ("e\u0301" * LONGEST_NAME, "\u00e9" * LONGEST_NAME),
    ],
)
def test_names_that_may_be(given_name: str, kept: str) -> None:
    assert subject_name(given_name) == kept


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        (" \t\u3000\n", "empty"),
        ("x" * (LONGEST_NAME + 1), "257 characters"),
        ("é" * 10_000, "10000 characters"),
        ("a\x00", "U\\+0000"),
        ("a\x1b[31m", "U\\+001B"),
        ("a\x7f", "U\\+007F"),
        ("a\u2028b", "U\\+2028"),
        ("a\u2066b", "U\\+2066"),
        ("a\udc80", "U\\+DC80"),
        ("\u200b\u200d", "seen"),
    ],
)
def test_names_that_may_not(name: str, why: str) -> None:
    with pytest.raises(BadSubject, match=why) as caught:
        subject_name(name)
    assert caught.value.remedy
    str(caught.value).encode()  # can be shown


def test_a_name_is_text() -> None:
    with pytest.raises(BadSubject, match="int"):
        subject_name(7)  # type: ignore[arg-type]


@given(st.text())
def test_every_accepted_name_is_its_own_spelling(text: str) -> None:
    try:
        name = subject_name(text)
    except BadSubject:
        return
    assert subject_name(name) == name == unicodedata.normalize("NFC", name)
    assert 0 < len(name) <= LONGEST_NAME
    name.encode()


def test_deep_and_circular_metadata_are_refused() -> None:
    circle: dict[str, object] = {}
    circle["self"] = circle
    deep: dict[str, object] = {}
    for _ in range(100_000):
        deep = {"d": deep}
    for wrong in (circle, deep):
        with pytest.raises(InputError):
            metadata_text(wrong)
    # Unwound by hand: letting go of a deep nest all at once is a test of the interpreter, not of ours.
    while deep:
        deep = deep.pop("d")  # type: ignore[assignment]


def test_metadata_with_half_a_character_comes_back() -> None:
    assert json.loads(metadata_text({"path": "a\udcff", "é": "\0"})) == {"path": "a\udcff", "é": "\0"}
