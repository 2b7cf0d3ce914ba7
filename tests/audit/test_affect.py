"""`mien audit affect`: what the columns say, what is wrong with them, and numbers against scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from mien.audit.affect import Affect, from_outcome, read_intervals, read_predictions
from mien.audit.document import encode, write
from mien.audit.evaluator import Outcome
from mien.errors import EvidenceError, InputError, MediaNotFound, MienError, UsageError
from mien.report import Bars, Grid, Lines, Problem, Report

AFFECT = Affect(rounds=60)


def csv(path: Path, text: str) -> Path:
    path.write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n", "utf8")
    return path


def kinds(report: Report) -> dict[str, Problem]:
    return {problem.kind: problem for problem in report.problems}


def judged(folder: Path, text: str, **words: object) -> Report:
    report = AFFECT.run(read_predictions(csv(folder / "predictions.csv", text), **words))
    encode(report)  # raises for NaN
    return report


def simulated(folder: Path, name: str = "predictions.csv", people: str = "p", n: int = 240) -> Path:
    """Simulated predictions of all three kinds of rows, for 12 people; overconfident."""
    rng = np.random.default_rng(len(people))
    lines = [
        "subject,fold,group,truth,p_joy,p_anger,p_fear,AU01_truth,AU01,AU12_truth,AU12,valence_truth,valence,video"
    ]
    for index in range(n):
        truth = rng.integers(0, 3)
        logits = rng.normal(size=3)
        logits[truth] += 1.2
        chances = np.exp(3 * logits) / np.exp(3 * logits).sum()
        unit, grade, valence = rng.random() < 0.3, rng.integers(0, 6), rng.normal()
        cells = [f"{people}{index % 12}", index % 4, "young" if index % 12 < 7 else "old", ("joy", "anger", "fear")[truth],
                 *(f"{chance:.4f}" for chance in chances), int(unit), f"{1 / (1 + np.exp(1 - 2 * unit - rng.normal())):.3f}",
                 grade, f"{grade + rng.normal():.2f}", f"{valence:.3f}", f"{valence / 2 + rng.normal() / 2:.3f}",
                 f"{people}v{index % 24}"]  # fmt: skip
        lines.append(",".join(map(str, cells)))
    return csv(folder / name, "\n".join(lines))


# --- classes ------------------------------------------------------------------------------------------------------


def test_classes_agree_with_scikit_learn(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.choice(["joy", "anger", "fear"], 120, p=[0.6, 0.3, 0.1])
    predicted = np.where(rng.random(120) < 0.6, truth, rng.choice(["joy", "anger", "fear"], 120))
    rows = "\n".join(f"{t},{p},s{i % 12}" for i, (t, p) in enumerate(zip(truth, predicted, strict=True)))
    report = judged(tmp_path, f"truth,predicted,subject\n{rows}")
    values = {name: metric.value for name, metric in report.metrics.items()}
    assert values["UAR"] == pytest.approx(oracle.balanced_accuracy_score(truth, predicted))
    assert values["WAR (accuracy)"] == pytest.approx((truth == predicted).mean())
    assert values["UF1 (macro F1)"] == pytest.approx(oracle.f1_score(truth, predicted, average="macro"))
    assert values["weighted F1"] == pytest.approx(oracle.f1_score(truth, predicted, average="weighted"))
    assert values["recall of fear"] == pytest.approx(
        oracle.recall_score(truth, predicted, labels=["fear"], average=None)
    )
    assert all(m.low <= m.value <= m.high and m.n for m in report.metrics.values())
    assert "120 samples of 12 people" in report.headline
    (grid,) = [chart for chart in report.charts if isinstance(chart, Grid)]
    assert grid.rows == tuple(f"{name} ({(truth == name).sum()})" for name in ("anger", "fear", "joy"))
    assert len(report.rows) == 120
    assert not report.problems


def test_missing_classes_are_named_and_stay_in_the_means(tmp_path: Path) -> None:
    rows = [("a", "a"), ("a", "c"), ("b", "a"), ("b", "c")] * 6
    lines = "\n".join(f"{t},{p},s{i}" for i, (t, p) in enumerate(rows))
    report = judged(tmp_path, f"truth,predicted,subject\n{lines}", classes=("a", "b", "c", "d"))
    found = kinds(report)
    assert found["class_never_predicted"].cases == ("b",)
    assert found["class_predicted_without_truth"].cases == ("c",)
    assert found["class_not_there"].cases == ("d",)
    assert report.metrics["UF1 (macro F1)"].value == pytest.approx(0.5 / 3)
    assert report.metrics["UAR"].value == pytest.approx(0.25)
    assert "recall of c" not in report.metrics


def test_answers_and_labels_that_cannot_be_used_are_counted(tmp_path: Path) -> None:
    text = """truth,predicted,subject
        joy,joy,a
        JOY,joy,b
        joy,,c
        joy,bliss,d
        ,joy,e
        contempt,joy,f
        anger,anger,g
        anger,anger,"""
    report = judged(tmp_path, text, classes=("joy", "anger"))
    found = kinds(report)
    assert found["no_answer"].cases == ("line 4",)
    assert found["unknown_answer"].cases == ("line 5: bliss",)
    assert found["no_truth"].cases == ("line 6",)
    assert found["unknown_label"].cases == ("line 7: contempt",)
    assert found["no_subject"].cases == ("line 9",)
    assert report.metrics["WAR (accuracy)"].value == pytest.approx(4 / 6)  # no answer and another one are misses
    (grid,) = [chart for chart in report.charts if isinstance(chart, Grid)]
    assert grid.columns[-1] == "no answer"


def test_folds_as_dfew_reports_them_beside_the_pooled_value(tmp_path: Path) -> None:
    rows = [("a", "a", 1), ("b", "b", 1), ("a", "b", 2), ("b", "b", 2)]
    lines = "\n".join(f"{t},{p},{f},s{i}" for i, (t, p, f) in enumerate(rows * 3))
    report = judged(tmp_path, f"truth,predicted,fold,subject\n{lines}")
    assert "UAR 0.750 ± 0.354" in report.findings[0]
    assert report.metrics["UAR"].value == 0.75
    assert [row["fold"] for row in report.tables["Folds"]] == ["1", "2", "mean", "standard deviation"]


def test_groups_of_few_people_say_so(tmp_path: Path) -> None:
    lines = "\n".join(f"a,a,{'old' if i < 3 else 'young'},s{i}" for i in range(12))
    report = judged(tmp_path, f"truth,predicted,group_age,subject\n{lines}")
    old, young = report.tables["By group_age"]
    assert old["UAR"] is None and "not enough data" in old["remark"]
    assert young["UAR"].value == 1


def test_without_subjects_intervals_say_what_they_draw(tmp_path: Path) -> None:
    report = judged(tmp_path, "truth,predicted\n" + "a,a\nb,a\n" * 10)
    assert "intervals draw rows" in kinds(report)["no_subjects"].words


def test_one_person_gets_values_and_no_interval(tmp_path: Path) -> None:
    report = judged(tmp_path, "truth,predicted,subject\n" + "a,a,ana\nb,a,ana\n" * 10)
    assert not report.metrics
    assert report.headline.startswith("One person only")
    assert {row["metric"]: row["value"] for row in report.tables["Values without intervals"]}["UAR"] == 0.5
    assert kinds(report)["one_person"].number == 1


# --- probabilities ------------------------------------------------------------------------------------------------


def test_probabilities_are_judged_and_the_label_follows_from_them(tmp_path: Path) -> None:
    report = AFFECT.run(read_predictions(simulated(tmp_path)))
    named = set(report.metrics)
    assert {"ECE, 15 bins of equal width", "ECE, 15 bins of equal mass", "MCE", "Brier", "NLL"} <= named
    assert any("surer than it is right" in words for words in report.findings)
    (chart,) = [chart for chart in report.charts if isinstance(chart, Lines)]
    assert chart.title == "Reliability"
    assert len(chart.lines[0].x) == len(chart.lines[0].low) <= 15
    write(report, tmp_path)
    assert (tmp_path / "report.html").is_file()
    head = (tmp_path / "tables" / "classes.csv").read_text().splitlines()[0]
    assert "recall,recall low,recall high,recall n,precision" in head


def test_what_are_no_probabilities_is_left_out_of_calibration_alone(tmp_path: Path) -> None:
    good = "".join(f"a,0.8,0.2,s{i}\nb,0.3,0.7,s{i}\n" for i in range(10))
    report = judged(tmp_path, f"truth,p_a,p_b,subject\n{good}a,0.9,0.9,x\na,1.2,-0.2,y\nb,nan,0.1,z")
    found = kinds(report)
    assert found["probabilities_do_not_sum_to_1"].cases == ("line 22: 1.800", "line 23: 1.000")
    assert found["probability_is_no_number"].cases == ("line 24",)
    assert found["no_answer"].cases == ("line 24",)
    assert report.metrics["Brier"].n == 20
    assert report.metrics["UAR"].n == 23
    scores = judged(tmp_path, "truth,p_a,p_b,subject\n" + "a,3,4,s1\nb,1,5,s2\n" * 3)
    assert "NLL" not in scores.metrics and "no_probabilities" in kinds(scores)


def test_a_certain_mistake_is_counted_and_not_infinite(tmp_path: Path) -> None:
    report = judged(tmp_path, "truth,p_a,p_b,subject\n" + "".join(f"a,0,1,s{i}\nb,0.1,0.9,s{i}\n" for i in range(10)))
    assert kinds(report)["certain_and_wrong"].number == 10
    assert np.isfinite(report.metrics["NLL"].value)


def test_a_temperature_comes_from_other_people(tmp_path: Path) -> None:
    path, other = simulated(tmp_path), simulated(tmp_path, "development.csv", "dev")
    report = AFFECT.run(read_predictions(path, development=other))
    name = "ECE, 15 bins of equal width"
    assert report.metrics[f"{name}, after temperature scaling"].value < report.metrics[name].value / 2
    assert any("best F1 on the development split" in words for words in report.findings)
    assert report.made["development"] == "development.csv"


def test_the_people_judged_may_not_be_those_of_the_development_split(tmp_path: Path) -> None:
    path = simulated(tmp_path)
    with pytest.raises(EvidenceError, match="12 people are in the development split and in the data judged"):
        AFFECT.run(read_predictions(path, development=path))
    with pytest.raises(EvidenceError, match="not named"):
        read_predictions(csv(tmp_path / "a.csv", "truth,predicted\na,a"), development=path)


# --- units and dimensions -----------------------------------------------------------------------------------------


def test_units_agree_with_scikit_learn(tmp_path: Path) -> None:
    import pandas as pd

    path = simulated(tmp_path)
    frame = pd.read_csv(path)
    report = AFFECT.run(read_predictions(path))
    seen, score = frame["AU01_truth"] == 1, frame["AU01"]
    assert report.metrics["AU01 F1"].value == pytest.approx(oracle.f1_score(seen, score >= 0.5))
    assert report.metrics["AU01 AUC"].value == pytest.approx(oracle.roc_auc_score(seen, score))
    assert "AU01 ICC(3,1)" not in report.metrics  # presence alone has none
    graded, found = frame["AU12_truth"], frame["AU12"]
    assert report.metrics["AU12 F1"].value == pytest.approx(oracle.f1_score(graded >= 2, found >= 2))
    consistent = 2 * np.cov(graded, found)[0, 1] / (graded.var() + found.var())
    assert report.metrics["AU12 ICC(3,1)"].value == pytest.approx(consistent)
    both = [report.metrics[f"{name} F1"].value for name in ("AU01", "AU12")]
    assert report.metrics["mean F1 of units"].value == pytest.approx(np.mean(both))
    assert [chart.title for chart in report.charts if isinstance(chart, Bars)][1:4] == [
        "F1 of each unit",
        "AUC of each unit",
        "ICC(3,1) of each unit",
    ]


def test_units_that_cannot_be_measured_are_named(tmp_path: Path) -> None:
    head = "AU01_truth,AU01,AU02_truth,AU02,AU04_truth,AU04,AU05_truth,AU05,AU06_truth,AU07,subject"
    lines = "\n".join(f"1,0.9,{i % 2},,{i % 2},{i * 3},{i % 4},0.{i % 9},1,0,s{i}" for i in range(20))
    report = judged(tmp_path, f"{head}\n{lines}")
    found = kinds(report)
    assert found["unit_always_alike"].cases == ("AU01",)
    assert found["unit_without_data"].cases == ("AU02",)
    assert found["unit_without_threshold"].cases == ("AU04",)
    assert found["unit_on_two_scales"].cases == ("AU05",)
    assert found["no_column_of_predictions"].cases == ("AU06",)
    assert found["no_column_of_truth"].cases == ("AU07",)
    assert {"AU04 AUC", "AU05 AUC", "AU05 F1"} <= set(report.metrics)
    assert "AU04 F1" not in report.metrics


def test_a_frame_without_an_answer_is_an_absent_unit(tmp_path: Path) -> None:
    lines = "\n".join(f"{i % 2},{'' if i == 1 else i % 2},s{i}" for i in range(12))
    report = judged(tmp_path, f"AU01_truth,AU01,subject\n{lines}")
    assert report.metrics["AU01 F1"].value == pytest.approx(10 / 11)
    assert report.metrics["AU01 AUC"].value == pytest.approx(5 / 6)
    assert kinds(report)["no_answer"].cases == ("line 3",)


def test_dimensions_pooled_and_per_series(tmp_path: Path) -> None:
    import pandas as pd

    path = simulated(tmp_path)
    frame = pd.read_csv(path)
    report = AFFECT.run(read_predictions(path))

    def ccc(one: pd.DataFrame) -> float:
        x, y = one["valence_truth"], one["valence"]
        return 2 * np.cov(x, y, bias=True)[0, 1] / (x.var(ddof=0) + y.var(ddof=0) + (x.mean() - y.mean()) ** 2)

    assert report.metrics["valence CCC"].value == pytest.approx(ccc(frame))
    each = [ccc(one) for _, one in frame.groupby("video")]
    assert report.metrics["valence CCC, mean over series"].value == pytest.approx(np.mean(each))
    assert report.metrics["valence CCC, mean over series"].n == len(report.tables["Series: valence"]) == 24
    assert report.metrics["valence RMSE"].value == pytest.approx(
        np.sqrt(((frame["valence_truth"] - frame["valence"]) ** 2).mean())
    )


def test_valence_and_arousal_together_as_in_abaw(tmp_path: Path) -> None:
    lines = "\n".join(f"{i},{i},{i % 3},{i % 3 + 1},s{i % 6}" for i in range(30))
    report = judged(tmp_path, f"valence_truth,valence,arousal_truth,arousal,subject\n{lines}")
    each = [report.metrics[f"{name} CCC"].value for name in ("valence", "arousal")]
    assert each[0] == pytest.approx(1)
    assert report.metrics["mean CCC of valence and arousal"].value == pytest.approx(np.mean(each))


def test_a_dimension_that_never_changes_is_told(tmp_path: Path) -> None:
    lines = "\n".join(f"0.5,0.5,{'' if i == 3 else i},{i},s{i}" for i in range(12))
    report = judged(tmp_path, f"valence_truth,valence,arousal_truth,arousal,subject\n{lines}")
    assert kinds(report)["dimension_always_alike"].cases == ("valence",)
    assert kinds(report)["no_truth"].cases == ("line 5",)
    assert "valence CCC" not in report.metrics and report.metrics["arousal CCC"].n == 11


# --- intervals ----------------------------------------------------------------------------------------------------


def test_without_a_miss_there_is_still_doubt(tmp_path: Path) -> None:
    """Every draw of 20 people without an error has no error: 3 / 20 stands in, and the means take it over."""
    rows = [f"{'abc'[i % 3]},{'abb'[i % 3]},p{i % 20}" for i in range(240)]
    metrics = judged(tmp_path, "truth,predicted,subject\n" + "\n".join(rows)).metrics
    assert (metrics["recall of a"].low, metrics["recall of a"].high) == (pytest.approx(0.85), 1)
    assert (metrics["recall of c"].low, metrics["recall of c"].high) == (0, pytest.approx(0.15))
    uar = metrics["UAR"]  # of 1, 1 and 0
    assert uar.value - uar.low == pytest.approx(0.15 * 2**0.5 / 3)
    assert uar.high - uar.value == pytest.approx(0.15 / 3)
    truth = csv(tmp_path / "truth.csv", "video,onset,offset\n" + "\n".join(f"v{i},1,1.4" for i in range(12)))
    perfect = AFFECT.run(read_intervals(truth, truth)).metrics
    assert [(m.value, m.low) for m in perfect.values()] == [(1, pytest.approx(0.75))] * len(perfect)


def test_one_empty_dimension_beside_a_good_one_is_told(tmp_path: Path) -> None:
    rows = [f"p{i % 4},{i % 7},{i % 5},{i % 3}," for i in range(60)]
    report = judged(tmp_path, "subject,valence_truth,valence,arousal_truth,arousal\n" + "\n".join(rows))
    assert kinds(report)["dimension_without_data"].cases == ("arousal",)
    assert "valence CCC" in report.metrics
    assert "mean CCC of valence and arousal" not in report.metrics


def test_intervals_are_judged_by_kind_and_pooled(tmp_path: Path) -> None:
    truth = csv(
        tmp_path / "truth.csv",
        """video,onset,offset,kind,label,subject
        a,1.0,1.4,micro,joy,p1
        a,5,9,macro,joy,p1
        b,2,2.3,micro,fear,p2
        b,10,12,macro,fear,p2
        c,3,3.5,micro,joy,p3
        c,8,7,macro,joy,p3""",
    )
    predicted = csv(
        tmp_path / "predicted.csv",
        """video,onset,offset,score,label
        a,1.05,1.4,.9,joy
        a,5,8,.8,fear
        b,2.2,2.9,.7,fear
        b,10,12.5,.95,fear
        c,20,21,.3,joy
        d,3,,.2,joy""",
    )
    report = AFFECT.run(read_intervals(truth, predicted))
    encode(report)
    values = {name: metric.value for name, metric in report.metrics.items()}
    assert values["micro F1"] == pytest.approx(2 / 4)  # one of three, none false: b's is too long to be micro
    assert values["macro F1"] == pytest.approx(4 / 6)
    assert values["pooled F1"] == pytest.approx(6 / 11)
    assert values["with the right label F1"] == pytest.approx(4 / 11)
    assert values["AP of fear"] == pytest.approx(0.5)
    assert "3 of 5 found with 3 false ones, in 4 videos of 4 people" in report.headline
    assert {p.cases for p in report.problems if p.kind == "no_interval"} == {
        ("truth.csv line 7",),
        ("predicted.csv line 7",),
    }
    assert {row["outcome"] for row in report.rows} == {"found", "missed", "false"}


def test_frames_are_both_within_and_kinds_need_a_frame_rate(tmp_path: Path) -> None:
    truth = csv(tmp_path / "truth.csv", "video,onset,offset\na,10,19\na,50,90\nb,5,5")
    predicted = csv(tmp_path / "predicted.csv", "video,onset,offset\na,15,19\na,51,90\nb,5,5")
    report = AFFECT.run(read_intervals(truth, predicted, frames=True))
    assert report.metrics["interval F1"].value == 1  # 5 of 10 frames is one half
    timed = AFFECT.run(read_intervals(truth, predicted, fps=30, frames=True))
    assert {"micro F1", "macro F1", "pooled F1"} <= set(timed.metrics)
    seconds = read_intervals(truth, predicted)
    assert {problem.kind for problem in seconds.problems} == {"no_interval"}  # 5 to 5 has no length in seconds
    with pytest.raises(UsageError, match="no frame rate"):
        read_intervals(truth, predicted, fps=-1)


def test_kinds_of_one_side_alone_are_not_used(tmp_path: Path) -> None:
    truth = csv(tmp_path / "truth.csv", "video,onset,offset,kind\na,10,19,micro\nb,1,9,macro")
    predicted = csv(tmp_path / "predicted.csv", "video,onset,offset\na,10,19\nb,1,9")
    report = AFFECT.run(read_intervals(truth, predicted, frames=True))
    assert "no_kinds" in kinds(report)
    assert report.metrics["interval F1"].value == 1


def test_a_file_without_predictions_at_all_misses_everything(tmp_path: Path) -> None:
    truth = csv(tmp_path / "truth.csv", "video,onset,offset\na,10,19\nb,1,9")
    predicted = csv(tmp_path / "predicted.csv", "video,onset,offset\nc,nan,2")
    report = AFFECT.run(read_intervals(truth, predicted))
    assert report.metrics["macro recall"].value == 0
    assert report.metrics["pooled precision"].value == 0
    with pytest.raises(InputError, match="no interval that can be used"):
        read_intervals(csv(tmp_path / "bad.csv", "video,onset,offset\na,9,1"), predicted)


# --- other tools' tables, and files that are none -----------------------------------------------------------------


def test_a_table_of_openface_is_joined_with_the_truth(data: Path, tmp_path: Path) -> None:
    table = data / "golden" / "pyfeat_OpenFace_Test.csv"
    import pandas as pd

    frame = pd.read_csv(table, skipinitialspace=True)
    lines = "\n".join(f"{i},{int(i % 3 == 0)},{i % 5},p{i % 12}" for i in range(1, 103))
    truth = csv(tmp_path / "truth.csv", f"frame,AU01,AU12,subject\n{lines}")
    report = AFFECT.run(read_predictions(table, truth))
    called = np.r_[frame["AU01_c"].to_numpy(), 0, 0]
    seen = np.arange(1, 103) % 3 == 0
    assert report.metrics["AU01 F1"].value == pytest.approx(oracle.f1_score(seen, called))
    assert report.metrics["AU12 ICC(3,1)"].n == 100
    assert kinds(report)["truth_without_prediction"].cases == ("frame 101", "frame 102")
    assert "AU45" in kinds(report)["no_column_of_truth"].cases


def test_a_table_of_pyfeat_gives_emotions_and_units(data: Path, tmp_path: Path) -> None:
    table = data / "golden" / "pyfeat_001.csv"
    lines = "\n".join(f"{i},{'happiness' if i % 4 else 'neutral'},{int(i % 5 == 0)},s{i % 10}" for i in range(38))
    report = AFFECT.run(read_predictions(table, csv(tmp_path / "truth.csv", f"frame,emotion,AU12,subject\n{lines}")))
    assert report.metrics["recall of happiness"].value == 1  # the clip shows a smile throughout
    assert {"AU12 AUC", "Brier"} <= set(report.metrics)
    assert kinds(report)["prediction_without_truth"].cases == ("frame 38", "frame 39")
    with pytest.raises(InputError, match="wants --truth"):
        read_predictions(table)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2", "no truth beside a prediction; its columns are a, b"),
        ("truth,p_a,p_a\na,1,1", "two columns of one name"),
        ("", "is empty"),
        ("truth,predicted\n", "no rows"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_predictions(csv(tmp_path / "x.csv", text))


def test_nothing_to_judge_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound):
        read_predictions(tmp_path / "absent.csv")
    with pytest.raises(EvidenceError, match=r"Nothing in x\.csv can be measured"):
        AFFECT.run(read_predictions(csv(tmp_path / "x.csv", "truth,predicted\n,a\n,b")))
    with pytest.raises(InputError, match="share no column"):
        read_predictions(csv(tmp_path / "y.csv", "predicted\na"), csv(tmp_path / "z.csv", "truth\na"))


def test_an_outcome_of_the_evaluator_can_be_judged() -> None:
    truth = np.array([0, 1] * 12)
    people = np.array([f"p{i // 2}" for i in range(24)])
    outcome = Outcome(truth, truth, ("a", "b"), people, people, {}, np.arange(24))
    report = AFFECT.run(from_outcome(outcome, "simulated"))
    assert report.metrics["UF1 (macro F1)"].value == 1
    assert report.made["data"] == "simulated"
    assert "Folds" not in report.tables  # one person per fold: its mean and spread say nothing


def test_the_same_data_and_seed_give_the_same_report(tmp_path: Path) -> None:
    path = simulated(tmp_path)
    assert encode(AFFECT.run(read_predictions(path))) == encode(AFFECT.run(read_predictions(path)))


CELLS = ["", "a", "b", "A", "nan", "inf", "-1", "0", "1", "0.5", "3", "1e300", "x,y"]
COLUMNS = [
    "truth",
    "predicted",
    "p_a",
    "p_b",
    "subject",
    "fold",
    "group",
    "video",
    "AU01_truth",
    "AU01",
    "v_truth",
    "v",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(COLUMNS), min_size=2, unique=True), st.integers(0, 10**6), st.integers(1, 12))
def test_no_table_gives_nan_or_an_unforeseen_error(tmp_path: Path, columns: list[str], seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    lines = [",".join(f'"{CELLS[i]}"' for i in rng.integers(0, len(CELLS), len(columns))) for _ in range(rows)]
    path = csv(tmp_path / "any.csv", "\n".join([",".join(columns), *lines]))
    try:
        report = Affect(rounds=20).run(read_predictions(path))
    except MienError:
        return
    encode(report)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.integers(1, 8), st.booleans())
def test_no_intervals_give_nan_or_an_unforeseen_error(tmp_path: Path, seed: int, rows: int, frames: bool) -> None:
    rng = np.random.default_rng(seed)
    cells = {"video": "ab", "onset": [*"01259", "", "nan", "-3"], "offset": [*"01259", "", "inf"]}
    cells |= {"kind": ["micro", "macro", ""], "label": ["joy", ""], "score": ["", "0.1", "0.9", "nan"], "subject": "pq"}
    paths = []
    for name in ("truth", "predicted"):
        columns = ["video", "onset", "offset", *rng.permutation(list(cells)[3:])[: rng.integers(0, 5)]]
        lines = [",".join(str(rng.choice(list(cells[column]))) for column in columns) for _ in range(rows)]
        paths.append(csv(tmp_path / f"{name}.csv", "\n".join([",".join(columns), *lines])))
    try:
        report = Affect(rounds=20).run(read_intervals(*paths, frames=frames))
    except MienError:
        return
    encode(report)
