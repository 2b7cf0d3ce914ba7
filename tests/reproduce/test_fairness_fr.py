"""Simulated systems have the rates planted in them; real photos are grouped by what is known of them, and by no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.reproduce import fairness_photos as photos_of
from mien.reproduce.claim import Context
from mien.reproduce.fairness_fr import run
from mien.reproduce.fairness_models import ALIKE, THRESHOLD, UNLIKE, simulate


def test_both_systems_are_equally_accurate() -> None:
    assert ALIKE.accuracy == pytest.approx(0.98) and UNLIKE.accuracy == pytest.approx(0.98)


def test_planted_rates_are_in_the_scores() -> None:
    found = [simulate(UNLIKE, 300, 4, seed) for seed in range(4)]
    for number, (fmr, fnmr) in enumerate(zip(UNLIKE.fmr, UNLIKE.fnmr, strict=True)):
        rates = []
        for pairs, accepted in (("impostor", True), ("genuine", False)):
            hits = [
                (getattr(one, pairs).scores >= THRESHOLD)[one.owner[getattr(one, pairs).first] // 300 == number]
                for one in found
            ]
            rates.append(float(np.mean(np.concatenate(hits) == accepted)))
        assert rates[0] == pytest.approx(fmr, rel=0.15) and rates[1] == pytest.approx(fnmr, rel=0.2)


def test_without_photos_the_mechanism_is_shown_and_the_rest_is_called_untested(tmp_path: Path) -> None:
    found = run(Context(tmp_path, smoke=True, seeds=(0,)))
    simulated = [check for check in found.checks if check.words.startswith("simulated")]
    assert len(simulated) == 5 and all(check.holds for check in simulated)
    untested = [check.words for check in found.checks if check.holds is None]
    assert any("by sex" in words for words in untested) and any("by age" in words for words in untested)
    assert found.verdict == "partly"
    assert found.baseline["FMR max/min, unlike"].value == pytest.approx(12)
    assert found.baseline["FDR, unlike"].value == pytest.approx(0.9665)
    assert len(found.report.tables["Planted and measured"]) == 16


def test_thirds_are_thirds() -> None:
    words = photos_of.thirds(np.array([5.0, 1.0, 9.0, 2.0, 7.0, 3.0]), ("low", "middle", "high"))
    assert words == ("middle", "low", "high", "low", "high", "middle")
    assert photos_of.thirds(np.zeros(0), ("low", "middle", "high")) == ()


@pytest.fixture(scope="module")
def few(data: Path) -> photos_of.Photos:
    if not (data / "lfw_grey.zip").is_file():
        pytest.skip("lfw_grey.zip is absent")
    return photos_of.read(data / "lfw_grey.zip", 12, 2, seed=0)


def test_photos_of_people_with_two_or_more(few: photos_of.Photos) -> None:
    subjects = [one.subject for one in few.listed]
    assert len(few.listed) == 24 and len(set(subjects)) == 12
    assert set(few.expression) <= {"neutral", "happiness", "other", ""} and len(few.photos) == 24


def test_simulated_cameras_go_by_person_and_are_seen(few: photos_of.Photos) -> None:
    spoilt, camera = photos_of.cameras(few, seed=0)
    of_person: dict[str, set[str]] = {}
    for one, word in zip(few.listed, camera, strict=True):
        of_person.setdefault(one.subject, set()).add(word)
    assert all(len(words) == 1 for words in of_person.values())
    assert set(camera) == {photos_of.UNSPOILT, *photos_of.CAMERAS}
    for one, changed, word in zip(few.listed, spoilt, camera, strict=True):
        if word == photos_of.UNSPOILT:
            assert changed is one
        elif word == "dark":
            assert changed.name.startswith("dark/") and changed.read().pixels.mean() < 0.4 * one.read().pixels.mean()
            assert (changed.read().pixels == changed.read().pixels).all() and changed.digest() != one.digest()


@pytest.mark.slow
def test_the_smoke_run(data: Path) -> None:
    if not (data / "lfw_grey.zip").is_file():
        pytest.skip("lfw_grey.zip is absent")
    found = run(Context(data, smoke=True))
    assert any(name.startswith("default model, fnmr_max_min") or "FNMR" in name for name in found.metrics)
    assert found.made["models"] == ["mtcnn", "dlib_resnet"]
