"""`mien audit morph` from files to report."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mien.audit.attacks.morph import Morph, MorphData
from mien.audit.attacks.morph_scores import read_morphs
from mien.audit.attacks.scores import read_attacks
from mien.audit.document import encode
from mien.cli.group import group
from mien.errors import EvidenceError, InputError, MediaNotFound, UsageError

HEAD = "morph,subject,attempt,system,score"
THRESHOLDS = "system,threshold,higher,fnmr\nalpha,0.5,alike,0.02\nbeta,0.4,different,\n"


def lines(morphs: int = 40, seed: int = 0) -> list[str]:
    """Simulated: two people a morph, three attempts; alpha gives similarities, beta distances."""
    rng = np.random.default_rng(seed)
    return [
        f"M{m},P{m}{p},{t},{system},{rng.uniform():.3f}"
        for m in range(morphs)
        for p in "ab"
        for t in (1, 2, 3)
        for system in ("alpha", "beta")
    ]


def files(folder: Path, rows: Iterable[str], thresholds: str = THRESHOLDS, head: str = HEAD) -> tuple[Path, Path]:
    scores, limits = folder / "scores.csv", folder / "thresholds.csv"
    scores.write_text("\n".join([head, *rows]) + "\n")
    limits.write_text(thresholds)
    return scores, limits


def kinds(problems: Iterable[object]) -> dict[str, tuple[str, ...]]:
    return {problem.kind: problem.cases for problem in problems}  # type: ignore[attr-defined]


def test_a_table_against_brute_force(tmp_path: Path) -> None:
    rows = lines()
    data = read_morphs(*files(tmp_path, rows))
    report = Morph(rounds=60).run(MorphData(data))
    json.dumps(encode(report))
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        morph, person, _, system, score = row.split(",")
        hit = float(score) >= 0.5 if system == "alpha" else float(score) <= 0.4
        counts[morph, person, system] = counts.get((morph, person, system), 0) + hit
    least = {
        (m, s): min(counts[f"M{m}", f"P{m}a", s], counts[f"M{m}", f"P{m}b", s])
        for m in range(40)
        for s in ("alpha", "beta")
    }
    for r in (1, 3):
        for c in (1, 2):
            wanted = np.mean([sum(least[m, s] >= r for s in ("alpha", "beta")) >= c for m in range(40)])
            assert report.metrics[f"MAP[{r},{c}]"].value == pytest.approx(wanted)
    alpha = report.metrics["MMPMR alpha"].value
    assert alpha == pytest.approx(np.mean([least[m, "alpha"] >= 1 for m in range(40)]))
    assert report.metrics["RMMR alpha"].value == pytest.approx(alpha + 0.02)
    assert "RMMR beta" not in report.metrics  # no FNMR was given
    assert len(report.tables["Morphing Attack Potential"]) == 6
    assert len(report.rows) == 40
    assert not report.problems


def test_thresholds_are_inclusive_on_either_side(tmp_path: Path) -> None:
    rows = [
        f"M{m},{p},1,{system},{limit}"
        for m in range(30)
        for p in "ab"
        for system, limit in (("alpha", 0.5), ("beta", 0.4))
    ]
    report = Morph(rounds=20).run(MorphData(read_morphs(*files(tmp_path, rows))))
    assert report.metrics["MAP[1,2]"].value == 1


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    rows = lines()
    one = Morph(rounds=30).run(MorphData(read_morphs(*files(tmp_path, rows))))
    other = Morph(rounds=30).run(MorphData(read_morphs(*files(tmp_path, rows[::-1]))))
    assert one.metrics == other.metrics


def test_attempts_may_have_no_number(tmp_path: Path) -> None:
    rows = [",".join([*row.split(",")[:2], *row.split(",")[3:]]) for row in lines()]
    data = read_morphs(*files(tmp_path, rows, head="morph,subject,system,score"))
    assert data.sets[""].attempts == 3


def test_the_published_layout_as_zip_and_as_folder(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    (tmp_path / "D").mkdir()
    for system in ("alpha", "beta"):
        text = "".join(f"M{m}\tS{p}\t{rng.uniform()}\t{rng.uniform()}\n" for m in range(30) for p in (1, 2))
        (tmp_path / "D" / f"{system}.txt").write_text(text)
    (tmp_path / "FRS_Info.json").write_text('{"beta": [0.4, false], "alpha": [0.5, true]}')
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in (tmp_path / "D").iterdir():
            archive.write(file, f"D/{file.name}")
        archive.write(tmp_path / "FRS_Info.json", "FRS_Info.json")
    one, other = (Morph(rounds=20).run(MorphData(read_morphs(path))) for path in (tmp_path, tmp_path / "all.zip"))
    assert one.metrics == other.metrics
    assert "D: MAP[2,2]" in one.metrics
    assert read_morphs(tmp_path).sets["D"].systems == ("beta", "alpha")  # in the order stated
    (tmp_path / "FRS_Info.json").write_text('{"alpha": 0.5}')
    with pytest.raises(InputError, match="not as published"):
        read_morphs(tmp_path)
    (tmp_path / "FRS_Info.json").unlink()
    with pytest.raises(UsageError, match="no threshold for alpha, beta"):
        read_morphs(tmp_path)


def test_what_is_incomplete_is_listed_and_left_out(tmp_path: Path) -> None:
    rows = [
        row for row in lines(34) if not row.startswith(("M0,P0a", "M1,P1a,1,beta", "M1,P1a,2,beta", "M1,P1a,3,beta"))
    ]
    rows += ["M5,P5a,1,alpha,0.9", "M6,,1,alpha,0.9", "M7,P7a"]
    rows[rows.index(next(row for row in rows if row.startswith("M9,P9a,1,alpha")))] = "M9,P9a,1,alpha,nan"
    rows = [row for row in rows if not row.startswith("M8,P8b,3")]
    scores, limits = files(tmp_path, rows, THRESHOLDS + "gamma,1,,\n")
    data = read_morphs(scores, limits)
    found = kinds(data.problems)
    assert found["one_person"] == ("M0",)
    assert found["incomplete_morph"] == ("M1",)
    assert found["system_without_scores"] == ("gamma",)
    assert len(found["repeated_row"]) == len(found["no_name"]) == len(found["ragged_row"]) == 1
    assert len(found["failed_attempt"]) == 1
    assert found["fewer_attempts"] == ("M8 P8b",)
    assert len(data.sets[""].names) == 32
    assert data.sets[""].attempts == 2
    assert Morph(rounds=20).run(MorphData(data)).metrics["MAP[2,1]"].n == 32


def test_people_who_occur_in_several_morphs_are_mentioned(tmp_path: Path) -> None:
    rows = [f"M{m},P{(m + p) % 30},1,alpha,{(m + p) % 5 / 4}" for m in range(40) for p in (0, 1)]
    data = read_morphs(*files(tmp_path, rows, "system,threshold\nalpha,0.5\n"))
    assert data.shared == {"": 30}
    assert any("made of 30 people" in finding for finding in Morph(rounds=20).run(MorphData(data)).findings)


@pytest.mark.parametrize(
    ("thresholds", "error", "words"),
    [
        ("system,threshold\nalpha,0.5\n", UsageError, "no threshold for beta"),
        ("system,threshold\nalpha,0.5\nbeta,nan\n", InputError, "line 3 of thresholds.csv"),
        ("system,threshold,higher\nalpha,0.5,up\nbeta,1,\n", InputError, "says higher = up"),
        ("system,threshold,fnmr\nalpha,0.5,2\nbeta,1,\n", InputError, "fnmr that is no rate: 2"),
        ("name,value\nalpha,0.5\n", InputError, "no column system and no column threshold"),
    ],
)
def test_thresholds_that_cannot_be_used(tmp_path: Path, thresholds: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read_morphs(*files(tmp_path, lines(), thresholds))


def test_scores_that_cannot_be_used(tmp_path: Path) -> None:
    scores, limits = files(tmp_path, lines())
    with pytest.raises(UsageError, match="Name a CSV with the columns system, threshold"):
        read_morphs(scores)
    with pytest.raises(MediaNotFound):
        read_morphs(tmp_path / "absent.zip", limits)
    with pytest.raises(EvidenceError, match="No morph has two people"):
        read_morphs(*files(tmp_path, ["M0,P0,1,alpha,1", "M0,P0,1,beta,1"]))
    few = read_morphs(*files(tmp_path, lines(5)))
    with pytest.raises(EvidenceError, match="5 morphs are not enough data"):
        Morph().run(MorphData(few))
    with pytest.raises(UsageError, match="nothing to audit"):
        Morph().run(MorphData())
    (tmp_path / "broken.zip").write_bytes((tmp_path / "scores.csv").read_bytes() + b"PK\x05\x06" + b"\0" * 18)
    with pytest.raises(InputError):
        read_morphs(tmp_path / "broken.zip", limits)


def detection(folder: Path) -> Path:
    """Simulated scores of a detector."""
    rng = np.random.default_rng(3)
    rows = [
        f"{split}{n},{method},{split},{rng.normal(mean, 0.15):.3f}"
        for split in ("dev", "eval")
        for n in range(60)
        for method, mean in (("bona_fide", 0.8), ("landmark", 0.5), ("gan", 0.3))
    ]
    path = folder / "detection.csv"
    path.write_text("\n".join(["subject,method,split,score", *rows]) + "\n")
    return path


def test_detection_speaks_the_words_of_its_standard(tmp_path: Path) -> None:
    report = Morph(rounds=30).run(MorphData(detection=read_attacks(detection(tmp_path))))
    assert report.name == "morph"
    assert {"max MACER", "BSCER", "MACER gan", "BSCER at MACER 0.1", "BSCER at MACER 0.05"} <= set(report.metrics)
    assert not [name for name in report.metrics if "APCER" in name or "BPCER" in name or "ACER (" in name]
    assert report.headline.startswith("The worst method (landmark, 60 morphs) has MACER")


def test_the_command_with_both(tmp_path: Path) -> None:
    scores, limits = files(tmp_path, lines())
    words = ["audit", "morph", "--scores", scores, "--thresholds", limits, "--detection", detection(tmp_path)]
    done = CliRunner().invoke(group, [*map(str, words), "--rounds", "30", "-o", str(tmp_path / "report"), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {"MAP[1,1]", "max MACER"} <= {one["metric"] for one in told["metrics"]}
    assert "Morphing Attack Potential" in (tmp_path / "report" / "report.html").read_text(encoding="utf8")
    assert CliRunner().invoke(group, ["audit", "morph"]).exit_code == 64
