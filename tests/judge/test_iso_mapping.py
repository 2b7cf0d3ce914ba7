"""The mapping of native values to scores agrees with everything the standard's reference software publishes."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import UsageError
from mien.judge.iso_quality import COMPONENTS, FAILED, graded, score


def published(data: Path) -> list[dict[str, str]]:
    with (data / "golden" / "ofiq_expected_results.csv").open(encoding="utf8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_every_published_score_of_all_28_components(data: Path) -> None:
    rows = published(data)
    compared = 0
    for row in rows:
        for name, component in COMPONENTS.items():
            mark = float(row[f"{component.standard}.scalar"])
            native = math.nan if mark == FAILED else float(row[component.standard])
            assert score(name, native) == mark, (row["Filename"], name, native)
            compared += 1
    assert compared == 28 * 28


# height, offset, sign, middle and width of the sigmoids, as the reference software's configuration file has them.
CONFIGURED = {
    "unified_quality": (100, 0, 1, 23, 2.6),
    "background_uniformity": (190, 1, -1, 10, 100),
    "under_exposure": (120, 0.832, -1, 0.92, 0.05),
    "sharpness": (1, -14, 115, -20, 15),
    "compression": (1, -0.0278, 103, 0.3308, 0.092),
    "natural_colour": (200, 1, -1, 0, 10),
    "eyes_open": (100, 0, 1, 0.02, 0.01),
    "mouth_closed": (100, 1, -1, 0.2, 0.06),
    "inter_eye_distance": (100, 0, 1, 70, 20),
    "leftward_crop": (100, 0, 1, 0.9, 0.1),
    "rightward_crop": (100, 0, 1, 0.9, 0.1),
    "margin_above": (100, 0, 1, 1.4, 0.1),
    "margin_below": (100, 0, 1, 1.8, 0.1),
    "expression_neutrality": (100, 0, 1, -5000, 5000),
}


@pytest.mark.parametrize("name", CONFIGURED)
def test_the_sigmoids_are_those_of_the_configuration_also_where_no_published_picture_lies(name: str) -> None:
    height, offset, sign, middle, width = CONFIGURED[name]
    for step in range(-60, 61):
        native = middle + width * step / 10
        expected = height * (offset + sign / (1 + math.exp((middle - native) / width)))
        assert graded(name, native) == pytest.approx(expected, abs=1e-9)


def test_the_components_are_those_of_the_reference_in_its_order(data: Path) -> None:
    columns = [name for name in published(data)[0] if name not in ("Filename", "") and not name.endswith(".scalar")]
    assert [component.standard for component in COMPONENTS.values()] == columns


def test_the_reference_measures_to_the_further_eye(data: Path) -> None:
    """The width of each picture follows from both crops: with the further eye it is that of one camera, 3024 px."""
    for row in published(data):
        left, right = float(row["LeftwardCropOfTheFaceImage"]), float(row["RightwardCropOfTheFaceImage"])
        yaw, roll = (math.radians(float(row[name])) for name in ("HeadPoseYaw", "HeadPoseRoll"))
        eyes = float(row["InterEyeDistance"]) * math.cos(yaw)
        assert (left + right - math.cos(roll)) * eyes == pytest.approx(3024, abs=5)


def test_what_could_not_be_assessed_has_the_score_of_a_failure() -> None:
    assert {score(name, math.nan) for name in COMPONENTS} == {FAILED}


@pytest.mark.parametrize("name", COMPONENTS)
@given(native=st.floats(-1e6, 1e6))
def test_a_score_is_a_whole_number_from_0_to_100(name: str, native: float) -> None:
    if native < 0 and name in ("illumination_uniformity", "luminance_variance"):
        native = -native  # a share and a variance are never negative
    mark = score(name, native)
    assert isinstance(mark, int) and 0 <= mark <= 100


def test_a_component_that_is_none() -> None:
    with pytest.raises(UsageError, match="'beauty'"):
        score("beauty", 1.0)


@pytest.mark.parametrize("name", [name for name, one in COMPONENTS.items() if one.wanted])
def test_where_no_document_sets_a_mark_it_is_half_of_the_scale(name: str) -> None:
    wanted = COMPONENTS[name].wanted
    assert wanted is not None
    for end, outside in ((wanted.low, -1), (wanted.high, 1)):
        if math.isinf(end):
            continue
        assert score(name, end) >= 50
        if wanted.source == "half of the scale":
            assert score(name, end + outside * 0.03 * max(abs(end), 1e-9)) < 52
            assert score(name, end + outside * 0.12 * max(abs(end), 1e-9)) < 50
