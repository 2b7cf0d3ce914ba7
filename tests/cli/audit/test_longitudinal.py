"""`mien audit longitudinal` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mien import Engine
from mien.audit.captures import Captures
from mien.audit.longitudinal.dates import named
from mien.audit.longitudinal.simulated import Simulation
from mien.cli.audit.longitudinal import command
from mien.cli.audit.sources import Sources


def run(*words: str) -> Result:
    return CliRunner().invoke(command, [*words, "--rounds", "50"])


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of simulated scores, with one row that is of no use."""
    data = Simulation(people=30, visits=8, captures=3, days=40).draw(0)
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    rows = zip(data.owner, data.day, data.score, strict=True)
    lines = [f"{data.subjects[who]},{named(int(day), True)},{score:.5f}" for who, day, score in rows]
    path.write_text("\n".join(["subject,date,score", *lines, "p0000,,0.5"]) + "\n")
    return path


def test_scores_to_a_table_a_document_and_a_report(scores: Path, tmp_path: Path) -> None:
    done = run("--scores", str(scores), "--threshold", "0.55", "--fnmr-limit", "1/10", "-o", str(tmp_path / "report"))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("From day to day a person's scores differ by 0.0")
    assert "1 x no_date" in done.stderr
    record = json.loads((tmp_path / "report" / "report.json").read_text())
    assert record["made"]["fnmr_limit"] == 0.1
    assert record["made"]["data"] == str(scores)
    assert "<svg" in (tmp_path / "report" / "report.html").read_text()
    assert (tmp_path / "report" / "rows.csv").read_text().count("\n") == 241
    printed = json.loads(run("--scores", str(scores), "--json").stdout)
    assert {"trend_per_year", "sd_between_days"} <= {one["metric"] for one in printed["metrics"]}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "either --scores or --data"),
        (("--scores", "a.csv", "--data", "faces"), "either --scores or --data"),
        (("--scores", "a.csv", "--dates", "b.csv"), "--dates is for pictures"),
        (("--scores", "absent.csv"), "absent.csv"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(words: tuple[str, ...], told: str) -> None:
    done = run(*words)
    assert done.exit_code != 0
    assert told in str(done.exception)


@pytest.mark.usefixtures("one_engine")
def test_dated_photos_to_a_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared_engine: Engine) -> None:
    """Simulated templates stand in for the long work: what is tested is the way from pictures and dates to the report."""
    from PIL import Image

    rng = np.random.default_rng(0)
    names = [f"p{who}/{shot}.jpg" for who in range(6) for shot in range(6)]
    lines = ["path,date"]
    for name in names:
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "faces" / name)
        lines.append(f"{name},{2020 + int(name[3]) // 2}-0{1 + int(name[3]) % 2}-01")
    (tmp_path / "dates.csv").write_text("\n".join(lines))
    means = rng.normal(size=(6, 16)).repeat(6, axis=0) + 0.3 * rng.normal(size=(36, 16))
    vectors = (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)
    subjects = tuple(name.split("/")[0] for name in names)
    monkeypatch.setattr(
        Sources, "capture", lambda self, run: Captures(tuple(names), subjects, vectors, np.ones(36), ("",) * 36)
    )
    done = run("--data", str(tmp_path / "faces"), "--dates", str(tmp_path / "dates.csv"), "--json")
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert printed["made"]["threshold"] == pytest.approx(shared_engine_threshold(shared_engine))
    found = {one["metric"]: one for one in printed["metrics"]}
    assert found["fnmr"]["n"] == 30
    assert "trend_to_day" not in found  # one capture a day


def shared_engine_threshold(engine: Engine) -> float:
    """The embedder's own point."""
    from mien.decide import Policy

    return Policy().point(engine.points).threshold


@pytest.mark.usefixtures("one_engine")
def test_real_photos_of_one_person_are_refused_with_the_reason(portraits: dict[str, Path], tmp_path: Path) -> None:
    """The portraits carry EXIF dates: Obama of 2009, 2010 and 2012. Nothing can be said of ageing from one person."""
    for name in ("obama", "obama2", "obama3", "biden"):
        folder = tmp_path / name.rstrip("23")
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.jpg").write_bytes(portraits[name].read_bytes())
    done = run("--data", str(tmp_path))
    assert done.exit_code != 0
    assert "one person" in str(done.exception)
