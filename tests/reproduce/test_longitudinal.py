"""The longitudinal claim: what simulated studies show, and what only real scores can."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.audit.document import encode
from mien.audit.longitudinal.dates import named
from mien.audit.longitudinal.simulated import Simulation
from mien.reproduce import longitudinal
from mien.reproduce.claim import Context


@pytest.mark.slow
def test_without_real_scores_the_claim_itself_is_not_tested() -> None:
    done = longitudinal.run(Context(smoke=True))
    assert [check.holds for check in done.checks[:3]] == [True, True, True]
    assert done.checks[-1].holds is None
    assert done.verdict == "partly"
    assert "not tested" in done.report.headline
    assert done.baseline["trend of scores taken as independent, coverage of its interval"].value < 0.9
    encode(done.report)


@pytest.mark.parametrize(("study", "holds"), [({}, True), ({"trend": -0.08, "own_days": 0.01}, False)])
def test_with_scores_the_claim_is_judged(study: dict[str, float], holds: bool, tmp_path: Path) -> None:
    data = Simulation(people=60, visits=12, captures=4, days=60, **study).draw(0)  # type: ignore[arg-type]
    rows = zip(data.owner, data.day, data.score, strict=True)
    lines = [f"{data.subjects[who]},{named(int(day), True)},{score}" for who, day, score in rows]
    (tmp_path / "scores.csv").write_text("\n".join(["subject,date,score", *lines]))
    check, report = longitudinal._real(Context(data=tmp_path, smoke=True))
    assert report is not None
    assert check.holds is holds


def test_a_folder_without_scores_tests_nothing(tmp_path: Path) -> None:
    check, report = longitudinal._real(Context(data=tmp_path))
    assert check.holds is None
    assert "no scores.csv" in check.words
    assert report is None
