"""What a gallery says about its thresholds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from mien import Sample, Template
from mien.audit.metrics import fmr, fnmr
from mien.serve import curves
from mien.serve.service import Service

DIMENSION = 16


def _filled(
    service: Service, people: int, each: int, seed: int = 0, spread: float = 0.35, name: str = "crowd"
) -> dict[str, list[Any]]:
    """A gallery of random people; returns the vectors by name."""
    rng = np.random.default_rng(seed)
    held: dict[str, list[Any]] = {}
    for number in range(people):
        middle = rng.normal(size=DIMENSION)
        vectors = middle / np.linalg.norm(middle) + spread * rng.normal(size=(each, DIMENSION)) / np.sqrt(DIMENSION)
        unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        held[f"p{number:04}"] = list(unit)
    gallery = service.galleries.create("default", name)
    gallery.enrol_many(
        [(name, [Sample(Template(one, "colours")) for one in several]) for name, several in held.items()]
    )
    return held


def _scores(held: dict[str, list[Any]]) -> tuple[Any, Any]:
    vectors = np.concatenate([np.stack(one) for one in held.values()])
    owner = np.repeat(np.arange(len(held)), [len(one) for one in held.values()])
    scores = vectors @ vectors.T
    above = np.triu(np.ones_like(scores, bool), 1)
    same = owner[:, None] == owner[None]
    return scores[same & above].astype(np.float64), scores[~same & above].astype(np.float64)


def test_the_curve_is_what_counting_pairs_gives(http: TestClient, service: Service) -> None:
    genuine, impostor = _scores(_filled(service, 40, 3))
    found = http.get("/v1/galleries/crowd/thresholds?searches_per_day=2000").json()
    assert found["counts"] == {
        "people": 40, "with_two_samples": 40, "templates": 120, "pairs": 780, "genuine": 120, "impostors": 7020,
    }  # fmt: skip
    assert len(found["det"]) == curves.SHOWN
    assert [row["threshold"] for row in found["det"]] == sorted(row["threshold"] for row in found["det"])
    for row in found["det"]:
        at = row["threshold"]
        near = [fmr(impostor, at + side) for side in (1e-6, 0, -1e-6)]  # the wire rounds to six digits
        assert min(near) - 1e-6 <= row["fmr"]["value"] <= max(near) + 1e-6
        missed = [fnmr(genuine, at + side) for side in (-1e-6, 0, 1e-6)]
        assert min(missed) - 1e-6 <= row["fnmr"]["value"] <= max(missed) + 1e-6
        assert row["fmr"]["low"] <= row["fmr"]["value"] <= row["fmr"]["high"]
        expected = 2000 * (1 - (1 - row["fmr"]["value"]) ** 120)
        assert row["false_alarms_per_day"]["value"] == pytest.approx(expected, abs=0.01)
    assert "independent" in found["assumption"]


def test_the_point_in_use_is_that_of_identify(http: TestClient, service: Service, stubs: Any) -> None:
    held = _filled(service, 20, 2)
    gallery = service.galleries.open("default", "crowd")
    found = http.get("/v1/galleries/crowd/thresholds").json()
    (decision,) = service.engine.identify(stubs.picture(stubs.RED), gallery)
    assert decision.threshold is not None
    assert found["now"]["point"]["threshold"] == pytest.approx(decision.threshold.threshold, abs=1e-6)
    assert len(found["card"]) == 4 and len(held) == 20
    assert found["now"]["here"]["fmr"]["n"] == 20 * 19 * 4 // 2
    promised = [one["promised_false_alarms_per_day"]["value"] for one in found["card"]]
    assert promised == sorted(promised, reverse=True)


def test_few_people_are_told_to_be_few(http: TestClient, service: Service) -> None:
    for people, each, word in ((0, 0, "Nobody is"), (1, 2, "One person is"), (5, 1, "second"), (5, 2, "too few")):
        _filled(service, people, each, name=f"g{people}{each}")
        found = http.get(f"/v1/galleries/g{people}{each}/thresholds").json()
        assert any(word in note for note in found["notes"])
        assert bool(found["det"]) == (people == 5 and each == 2)


def test_a_large_gallery_is_sampled_the_same_each_time(http: TestClient, service: Service) -> None:
    _filled(service, 700, 2)
    gallery = service.galleries.open("default", "crowd")
    began = time.monotonic()
    found = http.get("/v1/galleries/crowd/thresholds").json()
    assert time.monotonic() - began < 5.0
    assert found["counts"]["people"] == curves.PEOPLE
    assert any("300 of 700" in note for note in found["notes"])
    one, other = curves.drawn(gallery), curves.drawn(gallery)
    assert np.array_equal(one.vectors, other.vectors)


def test_people_with_one_sample_come_last(service: Service, http: TestClient) -> None:
    _filled(service, 300, 2)
    gallery = service.galleries.open("default", "crowd")
    gallery.enrol_many(
        [
            (f"a{number}", [Sample(Template(np.eye(16, dtype=np.float32)[number % 16], "colours"))])
            for number in range(50)
        ]
    )
    assert curves.drawn(gallery).several == 300


def test_thresholds_are_the_tenants_own(http: TestClient, service: Service, key: Callable[..., Any]) -> None:
    _filled(service, 3, 2)
    assert http.get("/v1/galleries/crowd/thresholds", headers=key("admin", "other")).status_code == 404
    assert http.get("/v1/galleries/crowd/thresholds?searches_per_day=-1").status_code == 422


def test_models_are_told_without_paths(http: TestClient) -> None:
    found = http.get("/v1/models")
    names = [one["name"] for one in found.json()["items"]]
    assert "dlib_resnet" in names and "mtcnn" in names
    assert found.json()["in_use"] == ["colours"]
    one = http.get("/v1/models/dlib_resnet").json()
    assert one["commercial"] == "yes" and one["licence"]["weights"] and one["operating_points"] and one["limits"]
    import mien

    for text in (str(mien.__file__).rpartition("/")[0], "site-packages", ".toml", "/home/", "/root/"):
        assert text not in found.text
    assert http.get("/v1/models/nothing").status_code == 404
    assert http.get("/v1/models/..%2F..%2Fetc%2Fpasswd").status_code == 404
