"""`mien audit attack` from file to report: what is said, what is refused, what is listed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mien.audit.attacks.attack import Attack
from mien.audit.attacks.scores import read_attacks
from mien.audit.document import encode
from mien.cli.group import group
from mien.errors import EvidenceError, InputError, MediaNotFound, UsageError
from mien.report import Report

Rows = list[dict[str, Any]]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A CSV file from rows."""

    def put(rows: Rows, name: str = "scores.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return put


def simulated(split: str = "eval", seed: int = 0, people: int = 40, **kinds: float) -> Rows:
    """Simulated scores: each person is bona fide and attacked by each kind, whose scores lie about its value."""
    rng = np.random.default_rng(seed)
    kinds = kinds or {"bona_fide": 0.8, "print": 0.3, "replay": 0.5}
    return [
        {"subject": f"{split}{p}", "species": kind, "split": split, "score": round(rng.normal(mean, 0.12), 3)}
        for p in range(people)
        for kind, mean in kinds.items()
        for _ in range(3)
    ]


def judge(path: Path, **fields: Any) -> Report:
    report = Attack(rounds=60, **fields).run(read_attacks(path))
    json.dumps(encode(report))  # no NaN leaves
    return report


def without(rows: Rows, *columns: str) -> Rows:
    return [{key: value for key, value in row.items() if key not in columns} for row in rows]


def kinds(report: Report) -> dict[str, tuple[str, ...]]:
    return {problem.kind: problem.cases for problem in report.problems}


def share(rows: Iterable[dict[str, Any]], kind: str, threshold: float) -> float:
    return float(np.mean([row["score"] >= threshold for row in rows if row["species"] == kind]))


def test_rates_at_a_threshold_given_by_hand(write: Write) -> None:
    rows = simulated()
    report = judge(write(rows), threshold=0.6)
    assert report.metrics["APCER print"].value == share(rows, "print", 0.6)
    assert report.metrics["max APCER"].value == report.metrics["APCER replay"].value == share(rows, "replay", 0.6)
    assert report.metrics["BPCER"].value == pytest.approx(1 - share(rows, "bona_fide", 0.6))
    pooled = report.metrics["APCER of all attacks pooled"].value
    assert report.metrics["APCER print"].value < pooled < report.metrics["max APCER"].value
    assert "The worst species (replay, 120 attacks)" in report.headline and "given by hand" in report.headline
    assert any("Pooling all attacks would read" in finding for finding in report.findings)
    assert "HTER" not in report.metrics and "BPCER20" not in report.metrics  # those take a development split
    assert len(report.rows) == len(rows)


def test_the_threshold_is_inclusive(write: Write) -> None:
    rows = [{"species": kind, "score": 0.5} for kind in ["", "print"] for _ in range(30)]
    report = judge(write(rows), threshold=0.5)
    assert (report.metrics["max APCER"].value, report.metrics["BPCER"].value) == (1, 0)


def test_one_score_for_all_tells_nothing_apart(write: Write) -> None:
    rows = [{"species": kind, "score": 0.5} for kind in ["", "print"] for _ in range(30)]
    report = judge(write(rows), threshold=0.5)
    assert "one_score" in [problem.kind for problem in report.problems]
    assert not {"D-EER", "AUC"} & set(report.metrics)


def test_one_person_is_not_drawn_again_and_again(write: Write) -> None:
    rows = [row | {"subject": "ann"} for row in simulated()]
    report = judge(write(rows), threshold=0.6)
    assert ("one_person", ("ann",)) in [(problem.kind, problem.cases) for problem in report.problems]
    assert all(metric.low < metric.high for metric in report.metrics.values())


def test_rows_that_cannot_be_used_are_named_in_the_refusal(write: Write) -> None:
    rows = [row | {"score": str(row["score"]).replace(".", ",")} for row in simulated()]
    with pytest.raises(EvidenceError, match="360 rows: has no finite number in the column score"):
        read_attacks(write(rows))


def test_a_file_that_never_ends_and_numbers_beyond_all_scores_are_refused(write: Write) -> None:
    with pytest.raises(InputError, match="is a device"):
        read_attacks(Path("/dev/zero"))
    with pytest.raises(InputError, match="cannot be read"):
        read_attacks(Path("a\0b"))
    rows = simulated()
    rows[0]["score"], rows[1]["score"] = "1e300", "-1e308"
    (problem,) = (one for one in read_attacks(write(rows)).problems if one.kind == "no_score")
    assert problem.cases == ("line 2", "line 3")


def test_thresholds_come_from_development(write: Write) -> None:
    development, judged = simulated("dev", 1), simulated("eval", 2)
    report = judge(write(development + judged))
    threshold = report.made["threshold"]
    alone = judge(write(without(judged, "split"), "alone.csv"), threshold=threshold)
    for name in ("max APCER", "BPCER", "D-EER", "AUC"):
        assert report.metrics[name] == alone.metrics[name]
    table = report.tables["At thresholds from the development split"]
    assert [row["max APCER in development"] for row in table] == [0.1, 0.05]  # 120 attacks cannot show 1 in 100
    assert report.metrics["BPCER20"].value == pytest.approx(1 - share(judged, "bona_fide", table[1]["threshold"]))
    assert kinds(report)["rate_not_supported"] == ("1 in 100",)
    halves = [
        share(judged, "bona_fide", threshold),
        share([r | {"species": "a"} for r in judged if r["species"] != "bona_fide"], "a", threshold),
    ]
    assert report.metrics["HTER"].value == pytest.approx((1 - halves[0] + halves[1]) / 2)
    aimed = judge(write(development + judged), target=0.05)
    assert aimed.made["threshold"] == pytest.approx(table[1]["threshold"])


def test_a_development_file_is_a_development_split(write: Write) -> None:
    development, judged = simulated("dev", 1), simulated("eval", 2)
    both = judge(write(development + judged))
    found = read_attacks(write(without(judged, "split"), "a.csv"), write(without(development, "split"), "b.csv"))
    # A file of its own carries no split column, and every row of it counts.
    assert Attack(rounds=60).run(found).metrics == both.metrics
    with pytest.raises(UsageError, match="split already"):
        read_attacks(write(development + judged), write(without(development, "split"), "b.csv"))


def test_no_threshold_is_chosen_on_what_is_judged(write: Write) -> None:
    path = write(without(simulated(), "split"))
    report = judge(path)
    assert set(report.metrics) == {"D-EER", "AUC"}
    assert "flatters" in next(problem.words for problem in report.problems if problem.kind == "no_threshold")
    assert report.headline.startswith("No threshold, so no APCER and no BPCER; the curve's D-EER is")
    with pytest.raises(EvidenceError, match="would look better than they are"):
        judge(path, target=0.05)


def test_how_much_a_threshold_chosen_on_the_judged_scores_would_flatter(write: Write) -> None:
    """With 30 presentations of a kind, the best ACER over thresholds is well below what the same system then shows."""
    rng, chosen, fresh = np.random.default_rng(0), [], []
    for _ in range(300):
        bona_fide, attack = rng.normal(1, 1, (2, 30)), rng.normal(0, 1, (2, 30))
        grid = np.unique(np.r_[bona_fide[0], attack[0]])
        errors = [(np.mean(attack[0] >= t) + np.mean(bona_fide[0] < t)) / 2 for t in grid]
        best = grid[int(np.argmin(errors))]
        chosen.append(min(errors))
        fresh.append((np.mean(attack[1] >= best) + np.mean(bona_fide[1] < best)) / 2)
    assert np.mean(fresh) - np.mean(chosen) == pytest.approx(0.07, abs=0.02)


def test_the_order_of_rows_changes_nothing(write: Write) -> None:
    rows = simulated("dev", 1) + simulated("eval", 2)
    shuffled = [rows[index] for index in np.random.default_rng(0).permutation(len(rows))]
    one, other = judge(write(rows)), judge(write(shuffled, "b.csv"))
    assert {name: metric.value for name, metric in one.metrics.items()} == pytest.approx(
        {name: metric.value for name, metric in other.metrics.items()}
    )


def test_scores_that_grow_for_attacks(write: Write) -> None:
    rows = simulated("dev", 1) + simulated("eval", 2)
    turned = [row | {"score": round(1 - row["score"], 3)} for row in rows]
    plain = judge(write(rows))
    report = Attack(rounds=60).run(read_attacks(write(turned, "b.csv"), higher="attack"))
    assert report.metrics["BPCER"].value == plain.metrics["BPCER"].value
    assert report.made["threshold"] == pytest.approx(1 - plain.made["threshold"])
    assert report.rows[0]["score"] == turned[len(turned) // 2]["score"]  # as in the file
    turned[-1]["score"] = ""
    assert np.sum(np.isneginf(read_attacks(write(turned, "c.csv"), higher="attack").judged.scores)) == 1


def test_presentations_without_response(write: Write) -> None:
    rows = simulated(people=20)
    for index in (0, 1, 3, 4, 5):  # two bona fide, three prints
        rows[index]["score"] = ""
    report = judge(write(rows), threshold=-9)
    assert report.metrics["BPCER"].value == report.metrics["BPNRR"].value == pytest.approx(2 / 60)
    assert report.metrics["APNRR print"].value == pytest.approx(3 / 60)
    assert report.metrics["APCER print"].value == pytest.approx(57 / 60)
    (by_print, _) = report.tables["By species"]
    assert by_print["of those answered"] == 1


def test_the_whole_system(write: Write) -> None:
    rows = [
        row | {"matched": "1" if row["species"] == "bona_fide" else str(index % 2)}
        for index, row in enumerate(simulated())
    ]
    report = judge(write(rows), threshold=0.6)
    through = [row for row in rows if row["species"] == "replay" and row["score"] >= 0.6 and row["matched"] == "1"]
    assert report.metrics["IAPAR replay"].value == pytest.approx(len(through) / 120)
    assert report.metrics["FRR"].value == report.metrics["BPCER"].value
    total = report.metrics["max IAPAR"].value + report.metrics["FRR"].value
    assert report.metrics["RIAPAR"].value == pytest.approx(total)
    rows[0]["matched"] = "perhaps"
    assert kinds(judge(write(rows), threshold=0.6))["no_match_result"] == ("line 2",)


def test_a_species_with_few_presentations_has_no_rate_and_does_not_vanish(write: Write) -> None:
    rows = simulated() + [{"subject": "x", "species": "mask", "split": "eval", "score": 0.9}] * 5
    report = judge(write(rows), threshold=0.6)
    assert "APCER mask" not in report.metrics
    assert kinds(report)["few_of_a_species"] == ("mask: 5, 5 of them accepted",)
    assert next(row for row in report.tables["By species"] if row["species"] == "mask")["APCER"] == "not enough data"


def test_too_little_for_any_rate_is_said(write: Write) -> None:
    report = judge(write(simulated(people=4)), threshold=0.6)
    assert not report.metrics
    assert report.headline == "Not enough data: no species has 30 attacks to judge."
    assert [problem.count for problem in report.problems if problem.kind == "not_enough_data"] == [12, 24]


def test_what_the_development_split_does_not_cover(write: Write) -> None:
    development = simulated("dev", 1, bona_fide=0.8, print=0.3, video=0.4)
    report = judge(write(development + simulated("eval", 2)))
    assert any("new to the threshold: replay" in finding for finding in report.findings)
    assert kinds(report)["species_without_presentations"] == ("video",)
    few = simulated("dev", 1, people=4)
    with pytest.raises(EvidenceError, match="24 attacks in the development split cannot carry a threshold"):
        judge(write(few + simulated("eval", 2)))


def test_a_person_in_both_splits_is_named(write: Write) -> None:
    rows = simulated("dev", 1) + simulated("eval", 2)
    rows[-1]["subject"] = "dev3"
    assert kinds(judge(write(rows)))["subject_in_both_splits"] == ("dev3",)


def test_bad_rows_are_listed(write: Write) -> None:
    rows = simulated("dev", 1) + simulated("eval", 2)
    rows[0]["score"], rows[1]["score"], rows[2]["split"] = "nan", "high", "train"
    path = write(rows)
    path.write_text(path.read_text() + "only,two\n\n,,,\n")
    found = kinds(judge(path))
    assert found["no_score"] == ("line 2", "line 3")
    assert found["unknown_split"] == ("line 4: train",)
    assert found["ragged_row"] == (f"line {len(rows) + 2}",)
    assert found["empty_row"] == (f"line {len(rows) + 4}",)


def test_intervals_draw_people_only_where_all_are_known(write: Write) -> None:
    rows = simulated()
    known = judge(write(rows), threshold=0.6)
    unknown = judge(write(without(rows, "subject")), threshold=0.6)
    assert known.metrics["BPCER"].value == unknown.metrics["BPCER"].value
    assert known.metrics["BPCER"] != unknown.metrics["BPCER"]
    assert any("taken as independent" in finding for finding in unknown.findings)
    rows[4]["subject"] = ""
    assert kinds(judge(write(rows), threshold=0.6))["no_subject"] == ("line 6",)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", InputError, "is empty"),
        ("species,score\n", InputError, "no rows"),
        ("kind,value\na,1\n", InputError, "no column species and no column score; its first line reads: kind, value"),
        ("species,score\nprint,1\n", EvidenceError, "no bona fide presentation .* species found: print"),
        ("species,score\nbona_fide,1\n,2\n", EvidenceError, "no attack"),
        ("species,score\nprint,nan\n,inf\n", EvidenceError, "no rows to judge"),
        ("species,score,split\nprint,1,dev\n,2,dev\n", EvidenceError, "no rows to judge"),
        ("species,score\nprint,\nbona_fide,\n", InputError, "no score"),
        ("species,score,Score\nprint,1,1\n", InputError, "two columns of one name"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, error: type[Exception], words: str) -> None:
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(error, match=words):
        read_attacks(path)


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match="no file"):
        read_attacks(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="folder"):
        read_attacks(tmp_path)
    (tmp_path / "picture.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_attacks(tmp_path / "picture.csv")


def test_other_separators_a_mark_at_the_start_and_other_names(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("\ufeffAttack_Type;Score\n;1\nprint;0\n", encoding="utf-8")
    assert read_attacks(path).judged.names == ("print",)


def test_the_command(write: Write, tmp_path: Path) -> None:
    path = write(simulated("dev", 1) + simulated("eval", 2))
    words = ["audit", "attack", "--scores", str(path), "-o", str(tmp_path / "report"), "--rounds", "40", "--json"]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["headline"].startswith("The worst species (replay, 120 attacks) has APCER")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf8")
    assert "APCER against BPCER" in page and "max APCER" in page
    for wrong in ("nan", "inf"):
        assert (
            CliRunner().invoke(group, ["audit", "attack", "--scores", str(path), "--threshold", wrong]).exit_code == 64
        )
    refused = CliRunner().invoke(group, ["audit", "attack", "--scores", str(path), "--apcer", "1.5"])
    assert refused.exit_code == 64
