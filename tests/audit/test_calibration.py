"""Calibrating on a gallery: what it supports, what it refuses, and how a card fares there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mien.audit.calibration import Calibration, calibrate
from mien.decide import Policy
from mien.errors import EvidenceError, UsageError
from mien.types import OperatingPoint, Sample, Template


class Shelf:
    """Just enough of a gallery: samples and a space."""

    space = "planted"

    def __init__(self, people: int, photos: int, mean: float = 1.0, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._centres = rng.normal(size=(people, 24)) + mean
        self._noise = rng.normal(size=(people, photos, 24)) * 0.4

    def samples(self, subject: str | None = None) -> Iterator[tuple[str, Sample]]:
        for person, (centre, noise) in enumerate(zip(self._centres, self._noise, strict=True)):
            for vector in centre + noise:
                unit = (vector / np.linalg.norm(vector)).astype(np.float32)
                yield f"person {person}", Sample(Template(unit, self.space))


def calibrated(shelf: Shelf, **options: object) -> Calibration:
    return calibrate(shelf, **options)  # type: ignore[arg-type]


def test_a_gallery_supports_the_rates_its_people_suffice_for() -> None:
    result = calibrated(Shelf(100, 2))  # 4,950 pairs of people
    assert (result.people, result.templates, result.comparisons, result.space) == (100, 200, 19_800, "planted")
    assert [(point.fmr, point.fpir) for point in result.points] == [
        (1e-2, None),
        (1e-3, None),
        (None, 0.1),
        (None, 0.03),
    ]
    assert [(item.fmr, item.fpir) for item in result.refused] == [(1e-4, None), (None, 0.01)]
    assert "4,950" in result.refused[0].reason and "30,000" in result.refused[0].reason
    assert "100 people" in result.refused[1].reason and "at least 300" in result.refused[1].reason
    loose, strict = result.points[:2]
    assert loose.threshold < strict.threshold
    assert loose.low is not None and loose.high is not None and loose.low < 1e-2 < loose.high * 1.2
    assert (loose.comparisons, loose.subjects, loose.data, loose.space) == (19_800, 100, "this gallery", "planted")


def test_its_points_serve_a_policy() -> None:
    result = calibrated(Shelf(100, 2))
    assert Policy(fmr=1e-3).point(result.points) == result.points[1]
    with pytest.raises(EvidenceError):
        Policy(fmr=1e-4).point(result.points)


def test_thresholds_hold_on_other_people() -> None:
    point = calibrated(Shelf(400, 1, seed=1), fmrs=(1e-2,)).points[0]
    elsewhere = calibrated(Shelf(400, 1, seed=2), card=(point,)).card[0]
    assert elsewhere.fmr.low <= 1e-2 * 1.3 and elsewhere.fmr.high >= 1e-2 * 0.7


def test_a_card_that_is_too_loose_here_is_told_so() -> None:
    card = (OperatingPoint(0.3, 1e-3, 8e-4, 1.2e-3, 10**6, 1000, "elsewhere"),)
    result = calibrated(Shelf(100, 2), card=card)
    assert result.card[0].fmr.low > 1e-3
    assert any("looser than the 1 in 1,000 promised" in line for line in result.words)


def test_a_card_that_is_stricter_here_is_told_so() -> None:
    card = (OperatingPoint(0.999, 1e-2, 8e-3, 1.2e-2, 10**6, 1000, "elsewhere"),)
    result = calibrated(Shelf(100, 2), card=card)
    assert result.card[0].fmr.value == 0.0
    assert any("stricter than the 1 in 100 promised" in line for line in result.words)


def test_points_of_another_space_are_not_judged() -> None:
    """A card may carry points of several variants of one model."""
    card = [
        OperatingPoint(0.5, 1e-2, 8e-3, 1.2e-2, 10**6, 1000, "elsewhere", space) for space in ("other", "planted", "")
    ]
    assert [item.point.space for item in calibrated(Shelf(30, 2), card=card).card] == ["planted", ""]


def test_the_search_rate_grows_with_the_gallery_and_stays_near_the_prediction() -> None:
    small, large = (calibrated(Shelf(people, 1), fmrs=(1e-2,)).own[0] for people in (60, 600))
    assert small.fpir.value < large.fpir.value
    for item in (small, large):
        assert item.independent_fpir >= item.fpir.low * 0.9
        assert item.fpir.low <= item.fpir.value <= item.fpir.high


def test_the_words_name_people_threshold_and_refusal() -> None:
    words = calibrated(Shelf(60, 2)).words
    assert words[0] == "60 people, 120 templates, 7,080 comparisons of strangers"
    assert words[1].startswith("threshold 0.") and "searches by strangers would name somebody" in words[1]
    assert words[2].startswith("relative score 0.") and "searches by strangers would name somebody" in words[2]
    assert words[3].startswith("1 in 1,000: 1,770 pairs of people cannot support")
    assert words[-1].startswith("1 in 100: 60 people cannot support naming 1 in 100 strangers. It takes at least 300")


def test_relative_points_say_what_they_rest_on() -> None:
    item = calibrated(Shelf(40, 2), data="here").search[0]
    point = item.point
    assert (point.score, point.fpir, point.fmr) == ("relative", 0.1, None)
    assert (point.comparisons, point.subjects, point.data, point.space) == (80, 40, "here", "planted")
    assert (point.low, point.high) == (item.fpir.low, item.fpir.high)
    assert item.fpir.low <= item.fpir.value <= 0.1 and item.fpir.n == 40


@pytest.mark.parametrize("people", [2, 6, 7])
def test_few_people_have_no_relative_scores(people: int) -> None:
    result = calibrated(Shelf(people, 2), fpirs=(0.1, 0.5))
    assert [item.point.fpir for item in result.search] == ([0.5] if people == 7 else [])
    assert [item.fpir for item in result.refused if item.fpir] == ([0.1] if people == 7 else [0.5, 0.1])


def test_nobody_named_is_no_proof_of_none() -> None:
    card = (OperatingPoint(0.9999, 1e-2, 8e-3, 1.2e-2, 10**6, 1000, "elsewhere"),)
    result = calibrated(Shelf(30, 2), card=card)
    fpir = result.card[0].fpir
    assert (fpir.value, fpir.low, fpir.high) == (0.0, 0.0, pytest.approx(0.1))
    assert any("none of the strangers match a template (none to 1 in " in line for line in result.words)
    assert any(
        "none of the searches by strangers, 1 in 10 at most, would name somebody" in line for line in result.words
    )


def test_two_people_are_needed() -> None:
    with pytest.raises(EvidenceError, match="at least two people, and 1 are enrolled"):
        calibrated(Shelf(1, 3))


@pytest.mark.parametrize("rates", [{"fmrs": (0.0,)}, {"fmrs": (-1.0,)}, {"fmrs": (2.0,)}, {"fpirs": (0.0,)}])
def test_what_is_no_rate_is_refused(rates: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        calibrate(Shelf(5, 2), **rates)  # type: ignore[arg-type]
