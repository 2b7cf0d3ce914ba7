"""`mien audit fairness`: from scores and from pictures, and what it says to those who give it the wrong things."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mien.cli.group import group

HEAD = ["probe_subject", "reference_subject", "score", "probe_sex", "reference_sex"]


def run(*words: object) -> Result:
    return CliRunner().invoke(group, ["audit", "fairness", *(str(word) for word in words)])


def told(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """Simulated scores of 120 people in two groups; impostors of group f score higher."""
    rng = np.random.default_rng(0)
    sex = ["f" if person < 60 else "m" for person in range(120)]
    path = tmp_path / "system.csv"
    with path.open("w", encoding="utf8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        for one in range(120):
            for other in range(one + 1):
                centre = 1.0 if one == other else 0.1 if sex[one] == sex[other] == "f" else 0.0
                writer.writerow([f"p{one}", f"p{other}", f"{rng.normal(centre, 0.2):.6f}", sex[one], sex[other]])
    return path


def test_from_scores(scores: Path, tmp_path: Path) -> None:
    answer = told("--scores", scores, "--fmr", "1e-2", "--rounds", "100", "--least", "20", "-o", tmp_path / "report")
    names = {one["metric"] for one in answer["metrics"]}
    assert {"fmr[sex=f]", "fmr[sex=m]", "fmr_max_min[sex]", "fmr_p[sex]", "fmr_gini[sex]"} <= names
    assert "fta" not in names  # a file of scores does not say what was never captured
    assert answer["made"]["data"] == str(scores) and answer["made"]["seed"] == 0
    report = tmp_path / "report"
    assert {"report.html", "report.json", "rows.csv"} <= {path.name for path in report.iterdir()}
    assert "sex" in (report / "rows.csv").read_text(encoding="utf8")


def test_two_files_side_by_side(scores: Path, tmp_path: Path) -> None:
    other = tmp_path / "rival.csv"
    shutil.copy(scores, other)
    answer = told("--scores", scores, "--scores", other, "--threshold", "0.4", "--rounds", "50")
    metrics = {one["metric"]: one["value"] for one in answer["metrics"]}
    assert metrics["system: fmr"] == metrics["rival: fmr"]
    assert "system" in answer["headline"] and "rival" in answer["headline"]
    assert any("a factor of 1 (1 to 1)" in words for words in answer["findings"])


def test_what_cannot_be_judged(scores: Path, tmp_path: Path) -> None:
    assert run().exit_code == 64
    assert run("--scores", scores, "--data", tmp_path).exit_code == 64
    assert run("--scores", scores, "--at-most", "2").exit_code == 64
    assert run("--scores", tmp_path / "absent.csv").exit_code == 66
    strict = run("--scores", scores, "--fmr", "1e-6")
    assert strict.exit_code == 65 and "rule of three" in strict.output
    without = run("--data", tmp_path)
    assert without.exit_code == 64 and "--labels" in without.output


@pytest.mark.usefixtures("one_engine")
def test_from_pictures(data: Path, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    for person in sorted((data / "faces" / "orl").glob("s*"))[:8]:
        (faces / person.name).mkdir(parents=True)
        for picture in sorted(person.glob("*.pgm"))[:3]:
            shutil.copy(picture, faces / person.name)
    labels = tmp_path / "groups.csv"
    names = sorted(path.name for path in faces.iterdir())
    rows = [f"{name},{'ab'[number % 2]}" for number, name in enumerate(names[:-1])]
    labels.write_text("\n".join(["subject,team", *rows, "stranger,a"]), encoding="utf8")
    words = ("--data", faces, "--labels", labels, "--threshold", "0.9", "--least", "3", "--rounds", "50")
    answer = told(*words, "--at-most", "2")
    metrics = {one["metric"]: one["n"] for one in answer["metrics"]}
    assert metrics["fnmr"] == 8 and metrics["fta"] == 16
    kinds = {problem["kind"]: problem["count"] for problem in answer["problems"]}
    assert kinds["no_label"] == 3 and kinds["unknown_subject"] == 1  # labels are those of all pictures
    assert "unknown_picture" not in kinds
    assert {"detector", "embedder", "space"} <= set(answer["made"]["models"])
    row = answer["tables"]["Groups"][0]
    assert row["group"] == "a" and row["people"] == 4
