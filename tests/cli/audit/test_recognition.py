"""`mien audit verification` and `mien audit identification` as a user calls them."""

from __future__ import annotations

import csv
import json
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mien.cli.group import group


def mien(*words: str | Path) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """A file of simulated scores: 100 people, two captures each."""
    rng = np.random.default_rng(0)
    rows = [(f"p{i}", f"p{i}", rng.normal(2)) for i in range(100)]
    rows += [(f"p{i}", f"p{j}", rng.normal(0)) for i in range(100) for j in range(i)]
    path = tmp_path / "scores.csv"
    with path.open("w", newline="", encoding="utf8") as file:
        writer = csv.writer(file)
        writer.writerow(("probe_subject", "reference_subject", "score"))
        writer.writerows(rows)
        writer.writerow(("p1", "p1", "nan"))
    return path


@pytest.fixture
def faces(data: Path, tmp_path: Path) -> Path:
    """Six people with four photos each."""
    root = tmp_path / "faces"
    for person in sorted((data / "faces/lfw10").iterdir())[:6]:
        (root / person.name).mkdir(parents=True)
        for photo in sorted(person.iterdir())[:4]:
            shutil.copy(photo, root / person.name)
    return root


def test_a_file_of_scores(scores: Path, tmp_path: Path) -> None:
    done = mien("audit", "verification", "--scores", scores, "--rounds", "50", "--json", "-o", tmp_path / "report")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    named = {one["metric"]: one for one in record["metrics"]}
    assert named["TAR at FMR 0.01"]["n"] == 101  # the failure counts
    assert named["EER"]["low"] < named["EER"]["value"] < named["EER"]["high"]
    assert "Accepting 1 in 1,000 impostors" in record["headline"]
    assert "nan_score" in {problem["kind"] for problem in record["problems"]}
    assert (tmp_path / "report/report.html").is_file()
    with (tmp_path / "report/rows.csv").open(encoding="utf8") as file:
        assert sum(1 for _ in file) == 1 + 100 + 4950 + 1


def test_rates_asked_for(scores: Path) -> None:
    record = json.loads(
        mien(
            "audit", "verification", "--scores", scores, "--rounds", "20", "--fmr", "1/50", "--fmr", "1e-5", "--json"
        ).stdout
    )
    assert {one["metric"] for one in record["metrics"]} == {"TAR at FMR 0.02", "EER"}
    assert any("Refused: 1 in 100,000" in finding for finding in record["findings"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("audit", "verification"), "Pictures or scores are needed"),
        (("audit", "verification", "--scores", "s.csv", "--pairs", "p.txt"), "--pairs and --at-most are for pictures"),
        (("audit", "verification", "--scores", "s.csv", "--fmr", "2"), "lies between 0 and 1"),
        (("audit", "verification", "--data", "d", "--pairs", "p.txt", "--at-most", "3"), "Leave out --at-most"),
        (("audit", "identification"), "A gallery with probes is needed, or data"),
        (("audit", "identification", "--gallery", "people.db"), "A gallery with probes is needed, or data"),
        (("audit", "identification", "--data", "d", "--fpir", "0"), "lies between 0 and 1"),
    ],
)
def test_what_makes_no_sense_is_said(words: tuple[str, ...], said: str) -> None:
    done = mien(*words)
    assert done.exit_code == 64 and said in done.stderr


@pytest.mark.usefixtures("one_engine")
def test_a_folder_per_person(faces: Path) -> None:
    done = mien("audit", "verification", "--data", faces, "--at-most", "3", "--rounds", "50", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert "18 genuine and 135 impostor comparisons of 6 people" in record["headline"]
    assert (
        record["made"]["at most"] == "3 pictures of a person" and record["made"]["models"]["embedder"] == "dlib_resnet"
    )
    assert "The card's operating points, judged here" in record["tables"]
    assert record["tables"]["Speed"][0]["step"] == "a decoded picture to a template, median of 18"


@pytest.mark.usefixtures("one_engine")
def test_a_list_of_pairs_looks_at_its_pictures_only(faces: Path, tmp_path: Path) -> None:
    people = sorted(path.name for path in faces.iterdir())
    names = {person: sorted(path.name for path in (faces / person).iterdir()) for person in people}
    lines = ["file_x,file_y,label"]
    lines += [f"{person}/{names[person][0]},{person}/{names[person][1]},1" for person in people]
    lines += [f"{a}/{names[a][0]},{b}/{names[b][0]},0" for a, b in pairwise(people)]
    lines += [f"{people[0]}/absent.jpg,{people[1]}/{names[people[1]][0]},0"]
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("\n".join(lines) + "\n", encoding="utf8")
    done = mien("audit", "verification", "--data", faces, "--pairs", pairs, "--rounds", "50", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert "6 genuine and 5 impostor comparisons" in record["headline"]
    assert next(one for one in record["metrics"] if one["metric"] == "FTA")["n"] == 12
    assert "absent_file" in {problem["kind"] for problem in record["problems"]}


@pytest.mark.usefixtures("one_engine")
def test_part_of_a_folder_enrolled_and_a_gallery_with_probes(faces: Path, tmp_path: Path) -> None:
    done = mien("audit", "identification", "--data", faces, "--enrol", "2", "--rounds", "50", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["made"]["N"] == 3 and record["made"]["templates"] == 6
    gallery, enrolled = tmp_path / "people.db", tmp_path / "enrolled"
    for person in sorted(faces.iterdir())[:3]:
        (enrolled / person.name).mkdir(parents=True)
        photo = sorted(person.iterdir())[0]
        shutil.move(photo, enrolled / person.name)
    assert mien("enrol", gallery, "--from", enrolled).exit_code == 0
    done = mien("audit", "identification", "--gallery", gallery, "--probes", faces, "--rounds", "50", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert record["made"]["N"] == 3
    assert "9 searches for enrolled people and 12 by strangers" in record["headline"]
