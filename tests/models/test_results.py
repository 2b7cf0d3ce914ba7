"""Results get onto a card by command, beside what people wrote there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mien.errors import CannotWrite, EvidenceError, UnknownModel
from mien.models import card as card_of
from mien.models import results
from mien.models.card import Result
from mien.models.catalogue import BUILT_IN

RESULT = Result("lfw/", "EER", 0.02, "mien audit verification, commit abc, 2026-11-25", 0.015, 0.025, 5605)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A card of one's own."""
    path = tmp_path / "mine.toml"
    text = (
        (BUILT_IN / "dlib_resnet.toml").read_text(encoding="utf8").replace('name = "dlib_resnet"', 'name = "mine"', 1)
    )
    path.write_text("# A remark of mine.\n" + text, encoding="utf8")
    return path


def test_result_is_added_and_the_rest_stays(copy: Path) -> None:
    before = card_of(copy)
    text = copy.read_text(encoding="utf8")
    assert results.keep(copy, [RESULT]) == copy
    after = card_of(copy)
    assert after.results == (*before.results, RESULT)
    assert after.operating_points == before.operating_points
    assert replace(after, results=before.results) == before
    kept = copy.read_text(encoding="utf8")
    assert kept.startswith("# A remark of mine.\n")
    assert not set(text.splitlines()) - set(kept.splitlines())


def test_measuring_again_replaces(copy: Path) -> None:
    results.keep(copy, [RESULT])
    newer = replace(RESULT, value=0.03, source="mien audit verification, commit def, 2026-12-01")
    other = replace(RESULT, metric="FTA")
    results.keep(copy, [newer, other])
    mine = [one for one in card_of(copy).results if one.data == RESULT.data]
    assert mine == [newer, other]


def test_a_published_result_of_the_same_name_stays(copy: Path) -> None:
    published = replace(RESULT, source="the authors")
    results.keep(copy, [published])
    results.keep(copy, [RESULT])
    assert published in card_of(copy).results
    assert RESULT in card_of(copy).results


def test_what_cannot_be_is_told(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EvidenceError):
        results.keep(copy, [])
    with pytest.raises(UnknownModel):
        results.keep(tmp_path / "none.toml", [RESULT])
    text = copy.read_text(encoding="utf8")

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mien.models.places.write", full)
    with pytest.raises(CannotWrite, match="No space left"):
        results.keep(copy, [RESULT])
    assert copy.read_text(encoding="utf8") == text
