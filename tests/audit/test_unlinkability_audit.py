"""`mien audit unlinkability` from file to report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mien.audit.attacks.unlinkability import Unlinkability, read_links
from mien.audit.document import encode
from mien.audit.metrics.linkability import d_sys
from mien.cli.group import group
from mien.errors import EvidenceError, InputError, UsageError


def table(path: Path, shift: float, people: bool = True) -> Path:
    """Simulated scores of templates under different keys."""
    rng = np.random.default_rng(0)
    rows = ["subject,other,mated,score"] if people else ["mated,score"]
    for number in range(400):
        one, other = rng.choice(60, 2, replace=False)
        for kind, partner, score in ((1, one, rng.normal(shift)), (0, other, rng.normal())):
            rows.append(f"p{one},p{partner},{kind},{score:.4f}" if people else f"{kind},{score:.4f}")
        assert number < 400
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize("people", [True, False])
def test_a_report(tmp_path: Path, people: bool) -> None:
    data = read_links(table(tmp_path / "scores.csv", 1.5, people))
    report = Unlinkability(rounds=100).run(data)
    json.dumps(encode(report))
    system, chance = report.metrics["D_sys"], report.metrics["D_sys of shuffled labels"]
    assert system.value == d_sys(data.mated, data.nonmated)
    assert chance.high < system.low < system.value < system.high
    assert "Templates can be linked" in report.findings[0]
    assert sum(row["mated"] for row in report.rows) == pytest.approx(1)
    assert sum(row["mated"] * row["D"] for row in report.rows) == pytest.approx(system.value)
    assert any("not known" in finding for finding in report.findings) is not people


def test_what_chance_gives_too_is_no_linkability(tmp_path: Path) -> None:
    report = Unlinkability(rounds=100).run(read_links(table(tmp_path / "scores.csv", 0)))
    system = report.metrics["D_sys"]
    assert system.low == 0 < system.value
    assert report.findings[0].startswith("Shuffled labels reach this D_sys too")


def test_omega_and_bins(tmp_path: Path) -> None:
    data = read_links(table(tmp_path / "scores.csv", 1.5))
    assert Unlinkability(omega=0.01, rounds=30).run(data).metrics["D_sys"].value < 0.3
    report = Unlinkability(bins=100, rounds=30).run(data)
    assert len(report.rows) == report.made["bins"] == 100
    with pytest.raises(UsageError, match="omega"):
        Unlinkability(omega=0, rounds=30).run(data)


def test_bad_rows_are_listed(tmp_path: Path) -> None:
    path = table(tmp_path / "scores.csv", 1)
    text = path.read_text() + "p1,p1,maybe,0.5\np1,p1,0,0.5\np1,p2,1,0.5\np1,p1,1,nan\np1,p2,0,-inf\n,p2,0,0.5\n"
    path.write_text(text)
    found = read_links(path)
    kinds = {problem.kind: problem.cases for problem in found.problems}
    assert kinds["no_label"] == ("line 802: maybe",)
    assert kinds["contradiction"] == ("line 803", "line 804")
    assert kinds["no_score"] == ("line 805", "line 806")
    assert kinds["no_subject"] == ("line 807",)
    assert found.people is None
    assert (len(found.mated), len(found.nonmated)) == (400, 401)


def test_a_code_for_failures_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"1,{x:.4f}" for x in rng.normal(1, 1, 200)] + [f"0,{x:.4f}" for x in rng.normal(0, 1, 400)]
    path = tmp_path / "scores.csv"
    path.write_text("\n".join(["mated,score", *rows, "0,-999", "1,-999"]))
    report = Unlinkability(rounds=50).run(read_links(path))
    assert report.metrics["D_sys"].low > report.metrics["D_sys of shuffled labels"].high
    assert any(words.startswith("2 scores lie far outside") for words in report.findings)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("mated,score\n" + "1,0.5\n" * 40)
    with pytest.raises(EvidenceError, match="0 non-mated scores, not enough"):
        read_links(path)
    path.write_text("label,score\n1,2\n")
    with pytest.raises(InputError, match="no column mated"):
        read_links(path)


def test_the_command(tmp_path: Path) -> None:
    path = table(tmp_path / "scores.csv", 1.5)
    words = [
        "audit",
        "unlinkability",
        "--scores",
        str(path),
        "--rounds",
        "50",
        "-o",
        str(tmp_path / "report"),
        "--json",
    ]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["headline"].startswith("D_sys 0.")
    assert "and D(s)" in (tmp_path / "report" / "report.html").read_text(encoding="utf8")
