"""The audit of fairness on simulated scores with planted rates, against brute force, and where data are too few."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.audit import document
from mien.audit.captures import Captures, at_most
from mien.audit.fairness import Compared, Fairness, Pairs, of_captures, read_scores
from mien.audit.fairness.groups import count, product
from mien.errors import EvidenceError, InputError, UsageError
from mien.report import Grid, Lines
from mien.reproduce.fairness_models import ALIKE, UNLIKE, Planted, simulate
from mien.types import OperatingPoint

ROUNDS = 200


def people(sizes: Sequence[int], pictures: int = 2, spread: float = 0.35, seed: int = 0, lift: float = 0.0) -> Captures:
    """Templates of people in groups a, b, c, …; people of the first group are more alike by `lift`."""
    rng = np.random.default_rng(seed)
    count_ = sum(sizes)
    centre = rng.normal(size=(count_, 16))
    centre[: sizes[0]] += lift
    vectors = np.repeat(centre, pictures, axis=0) + rng.normal(0, spread, (count_ * pictures, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    names = [f"p{number:04}" for number in range(count_)]
    return Captures(
        tuple(f"{name}/{picture}.jpg" for name in names for picture in range(pictures)),
        tuple(name for name in names for _ in range(pictures)),
        vectors,
        np.ones(len(vectors)),
        ("",) * len(vectors),
        "space",
    )


def of_group(sizes: Sequence[int], pictures: int = 2) -> tuple[str, ...]:
    return tuple("abcdef"[group] for group, size in enumerate(sizes) for _ in range(size * pictures))


def test_planted_rates_are_recovered() -> None:
    system = Fairness(threshold=0.0, rounds=ROUNDS).judge(simulate(UNLIKE, 200, 4, 0))
    groups = {group.name: group for group in system.groupings[0].groups}
    for name, fmr, fnmr in zip(("first", "second", "third", "fourth"), UNLIKE.fmr, UNLIKE.fnmr, strict=True):
        found = groups[name]
        assert found.fmr is not None and found.fmr.low <= fmr <= found.fmr.high
        assert found.fnmr is not None and found.fnmr.low <= fnmr <= found.fnmr.high
    assert system.accuracy == pytest.approx(0.98, abs=0.004)
    assert system.groupings[0].measures["fmr_max_min"].low > 3
    assert all(one.p.value < 0.02 for one in system.groupings[0].chance.values())


def test_equal_groups_are_called_equal() -> None:
    report = Fairness(threshold=0.0, rounds=ROUNDS).run([simulate(ALIKE, 150, 4, 3)])
    assert report.metrics["fmr_p[group]"].value > 0.05 and report.metrics["fnmr_p[group]"].value > 0.05
    for name in ("fmr_max_min", "fnmr_max_min", "inequity_rate"):
        assert report.metrics[f"{name}[group]"].low == 1
    assert report.metrics["garbe[group]"].low == 0 and report.metrics["fdr[group]"].high == 1
    assert any("may be the same in all groups" in words and "random labels show" in words for words in report.findings)


def test_two_systems_side_by_side() -> None:
    report = Fairness(threshold=0.0, rounds=ROUNDS).run([simulate(one, 150, 4, 1) for one in (ALIKE, UNLIKE)])
    assert report.metrics["alike (simulated): fmr"].n == report.metrics["unlike (simulated): fmr"].n
    assert (
        report.metrics["unlike (simulated): garbe[group]"].low > report.metrics["alike (simulated): garbe[group]"].high
    )
    assert "alike (simulated) 0.98" in report.headline and "unlike (simulated) 0.98" in report.headline
    assert any("on the same people" in words for words in report.findings)
    assert {row["system"] for row in report.rows} == {"alike (simulated)", "unlike (simulated)"}


def test_the_small_bias_of_a_naive_ratio_is_shown() -> None:
    """Equal groups, few errors: the ratio looks large, and random labels show as large a one."""
    report = Fairness(threshold=0.0, rounds=ROUNDS).run([simulate(Planted("x", (0.01,) * 6, (0.03,) * 6), 40, 4, 5)])
    row = next(row for row in report.tables["Inequality"] if row["measure"] == "fnmr_max_min")
    assert row["by chance, median"] > 1.8 and row["by chance, 95 % point"] > row["by chance, median"]


def brute(captures: Captures, group: np.ndarray, threshold: float) -> dict[tuple[str, str], list[float]]:
    """(group, group) -> false matches and impostor comparisons, one by one."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in range(len(captures)):
        for other in range(one + 1, len(captures)):
            if captures.subjects[one] == captures.subjects[other] or not (group[one] and group[other]):
                continue
            cell = found.setdefault(tuple(sorted((str(group[one]), str(group[other])))), [0.0, 0.0])
            failed = captures.failures[one] or captures.failures[other]
            score = float(captures.vectors[one] @ captures.vectors[other])
            cell[0] += not failed and score >= threshold
            cell[1] += 1
    return found


@pytest.mark.parametrize("of_person", [True, False])
def test_counts_against_brute_force(of_person: bool) -> None:
    sizes, threshold = (6, 5, 4), 0.3
    captures = people(sizes, pictures=3, seed=2)
    group = np.array(of_group(sizes, 3))
    if not of_person:
        group = np.array(["a", "b", "c"])[np.random.default_rng(0).integers(3, size=len(group))]
    group[7] = ""
    failures = list(captures.failures)
    failures[4] = "no face was found"
    captures = replace(captures, failures=tuple(failures))
    data = of_captures("x", captures, {"g": group.tolist()})
    counted = count(data, data.labels["g"], threshold)
    errors, trials = counted.grid()
    wanted = brute(captures, group, threshold)
    for row, one in enumerate(counted.groups):
        for column, other in enumerate(counted.groups):
            cell = wanted.get(tuple(sorted((one, other))), [0.0, 0.0])
            assert [errors[row, column], trials[row, column]] == cell
    once = counted.resampled(np.ones((1, len(data.people))))
    assert once.impostor[0].tolist() == np.diagonal(trials).tolist()
    assert once.matched[0].tolist() == np.diagonal(errors).tolist()
    assert once.failed.sum() == 1 and once.captures.sum() == len(group) - 1
    inside = [
        (one, other)
        for one in range(len(group))
        for other in range(one)
        if captures.subjects[one] == captures.subjects[other] and group[one] == group[other] != ""
    ]
    assert once.genuine.sum() == len(inside)
    missed = sum(
        bool(captures.failures[one] or captures.failures[other])
        or float(captures.vectors[one] @ captures.vectors[other]) < threshold
        for one, other in inside
    )
    assert once.missed.sum() == missed


def test_a_person_drawn_twice_counts_twice() -> None:
    sizes = (4, 3)
    captures = people(sizes)
    data = of_captures("x", captures, {"g": of_group(sizes)})
    counted = count(data, data.labels["g"], 0.2)
    draws = np.array([[2.0, 1, 1, 0, 1, 0, 2]])
    rates = counted.resampled(draws)
    # Impostors of different people: 4 (m_i m_j), for a: 2x1 + 2x1 + 1x1 = 5; for b: 1x2 = 2.
    assert rates.impostor.tolist() == [[20.0, 8.0]]
    assert rates.genuine.tolist() == [[4.0, 3.0]] and rates.captures.tolist() == [[8.0, 6.0]]


def test_labels_dealt_anew_keep_their_numbers() -> None:
    captures = people((5, 4, 3), pictures=3)
    mixed = ["abc"[number] for number in np.random.default_rng(5).integers(3, size=len(captures))]
    for words in (of_group((5, 4, 3), 3), mixed):
        data = of_captures("x", captures, {"g": words})
        counted = count(data, data.labels["g"], 0.3)
        (matched, impostor), (missed, genuine) = counted.dealt(np.random.default_rng(0), 20)
        once = counted.resampled(np.ones((1, len(data.people))))
        assert matched[0].tolist() == once.matched[0].tolist() and impostor[0].tolist() == once.impostor[0].tolist()
        assert missed[0].tolist() == once.missed[0].tolist() and genuine[0].tolist() == once.genuine[0].tolist()
        assert len({tuple(row) for row in matched}) > 1
        if words == mixed:
            assert (genuine == genuine[0]).all()  # a person's series of labels stays together
        else:
            assert (genuine.sum(axis=1) == genuine[0].sum()).all()


def test_the_threshold_is_set_on_other_people() -> None:
    sizes = (90, 90)
    data = of_captures("x", people(sizes, seed=4), {"g": of_group(sizes)})
    system = Fairness(fmr=0.01, rounds=ROUNDS, seed=1).judge(data)
    assert "90 other people" in system.source
    assert sum(group.people for group in system.groupings[0].groups) == 90
    assert system.pooled["fmr"].low <= 0.01 <= system.pooled["fmr"].high
    card = replace(data, points=(OperatingPoint(0.9, fmr=0.01, comparisons=10_000, data="elsewhere"),))
    judged = Fairness(fmr=0.01, rounds=ROUNDS).judge(card)
    assert judged.threshold == 0.9 and "elsewhere" in judged.source
    assert Fairness(fmr=0.01, own=True, rounds=ROUNDS).judge(card).threshold != 0.9


@pytest.mark.parametrize("complete", [True, False])
def test_the_rate_aimed_at_is_about_the_rate_found(complete: bool) -> None:
    """Whether all captures were compared, or the comparisons are those of a file."""
    data = of_captures("x", people((150, 150), pictures=2, seed=9), {"g": of_group((150, 150))})
    data = replace(data, complete=complete)
    assert data.trials() == 300 * 299 * 2
    chosen_ = np.arange(300) < 100
    assert data.trials(chosen_) == 100 * 99 * 2
    found = [Fairness(fmr=0.02, own=True, rounds=20, seed=seed).judge(data).pooled["fmr"].value for seed in range(6)]
    assert np.mean(found) == pytest.approx(0.02, rel=0.25)


def test_more_alike_people_of_one_group_are_found() -> None:
    sizes = (60, 60, 60)
    data = of_captures("x", people(sizes, seed=4, lift=0.5), {"g": of_group(sizes)})
    report = Fairness(fmr=0.01, own=True, rounds=ROUNDS, least=20).run([data])
    assert report.metrics["fmr[g=a]"].value > 3 * report.metrics["fmr[g=b]"].value
    assert report.metrics["fmr_p[g]"].value < 0.02
    grid = next(chart for chart in report.charts if isinstance(chart, Grid))
    inside, across = grid.values[0][0], grid.values[0][1]
    assert inside is not None and across is not None and inside > across
    assert grid.values[0][1] == grid.values[1][0]
    assert any(isinstance(chart, Lines) and "over thresholds" in chart.title for chart in report.charts)
    assert any("FDR is" in words and "ratios" in words for words in report.findings)


def test_groups_too_small_get_no_number() -> None:
    sizes = (70, 70, 1, 6)
    captures = people(sizes, seed=6)
    data = of_captures("x", captures, {"g": of_group(sizes), "empty": [""] * len(captures)})
    report = Fairness(fmr=0.01, own=True, rounds=ROUNDS, least=20).run([data])
    assert "fmr[g=a]" in report.metrics
    assert not {"fmr[g=c]", "fnmr[g=c]", "fta[g=c]", "fmr[g=d]"} & set(report.metrics)
    few = next(problem for problem in report.problems if problem.kind == "not_enough_data")
    named = {problem.kind: problem.cases for problem in report.problems}
    assert named["empty_grouping"] == ("empty",)
    assert any(case.startswith("g=d: FMR: ") and "people, at least 20 wanted" in case for case in few.cases)
    row = next(row for row in report.tables["Groups"] if row["group"] == "d")
    assert row["FMR"] == "not enough data" and row["why not"]
    document.encode(report)  # no NaN


def test_no_group_is_lost_with_the_half_that_sets_the_threshold() -> None:
    captures = people((80, 80), seed=6)
    alone = [subject if subject < "p0006" else "others" for subject in captures.subjects]
    report = Fairness(fmr=0.01, own=True, rounds=50).run([of_captures("x", captures, {"g": alone})])
    named = {problem.kind: problem.cases for problem in report.problems}
    judged = {f"g={row['group']}" for row in report.rows}
    lost = set(named["group_not_judged"])
    assert lost and judged and not lost & judged and len(lost | judged) == 7


def test_a_strict_rate_needs_many_pairs_of_people() -> None:
    sizes = (60, 60)
    data = of_captures("x", people(sizes, pictures=6, seed=6), {"g": of_group(sizes, 6)})
    report = Fairness(fmr=2e-3, own=True, rounds=ROUNDS, least=20).run([data])
    few = next(problem for problem in report.problems if problem.kind == "not_enough_data")
    assert any("pairs of people cannot support a false-match rate of 1 in 500" in case for case in few.cases)
    with pytest.raises(EvidenceError, match="pairs of people in the half that sets the threshold"):
        Fairness(fmr=1e-4, own=True).run([data])


def test_nothing_to_judge() -> None:
    captures = people((4, 4), pictures=1)
    with pytest.raises(EvidenceError, match="no genuine or no impostor"):
        Fairness(threshold=0.5, rounds=50).run([of_captures("x", captures, {"g": of_group((4, 4), 1)})])
    with pytest.raises(EvidenceError, match="no groups"):
        Fairness(threshold=0.5).run([of_captures("x", captures, {})])
    with pytest.raises(EvidenceError):
        Fairness().run([])
    with pytest.raises(EvidenceError):
        of_captures("x", captures.part(np.array([0])), {"g": ["a"]})
    with pytest.raises(UsageError):
        Fairness(fmr=2.0).run([simulate(ALIKE, 5, 2, 0)])


def test_intersections() -> None:
    sizes = (40, 40)
    captures = people(sizes, seed=8)
    other = ["xy"[number // 2 % 2] for number in range(len(captures))]
    data = of_captures("x", captures, {"g": of_group(sizes), "h": other})
    names = {row["grouping"] for row in Fairness(threshold=0.4, rounds=50, least=10).run([data]).rows}
    assert names == {"g", "h", "g × h"}
    assert {row["grouping"] for row in Fairness(threshold=0.4, crossed=False, rounds=50).run([data]).rows} == {"g", "h"}
    both = product(np.array(["a", "", "b"]), np.array(["x", "y", ""]))
    assert both.tolist() == ["a × x", "", ""]


def test_nobody_and_many_pictures_of_one() -> None:
    captures = people((5, 5), pictures=4)
    somebody = replace(captures, subjects=("", *captures.subjects[1:]))
    assert len(of_captures("x", somebody, {"g": of_group((5, 5), 4)}).owner) == len(captures) - 1
    few = captures.part(at_most(captures.subjects, 2))
    assert len(few) == 20 and len(set(few.subjects)) == 10 and list(few.names) == sorted(few.names)


def written(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


HEAD = ["probe_subject", "reference_subject", "score", "probe_sex", "reference_sex"]


def test_scores_with_groups_from_a_file(tmp_path: Path) -> None:
    rows = [["a", "a", ".9", "f", "f"], ["b", "b", "", "m", "m"], ["c", "c", ".8", "", ""], ["a", "b", ".4", "f", "m"],
            ["a", "c", "nan", "f", ""], ["b", "c", "x", "m", ""], ["a", "d", ".1", "m", "f"]]  # fmt: skip
    data = read_scores(written(tmp_path / "scores.csv", [HEAD, *rows]))
    kinds = {problem.kind: problem for problem in data.problems}
    assert data.people == ("a", "b", "c", "d") and not data.complete
    assert data.labels["sex"][data.owner.tolist().index(0)] == "f"
    assert len(data.genuine) == 3 and len(data.impostor) == 3
    assert kinds["contradiction"].cases == ("a, sex: f, m",) and kinds["no_label"].cases == ("sex: c",)
    assert kinds["no_genuine"].cases == ("d",) and "bad_score" in kinds and "nan_score" in kinds
    labels = written(tmp_path / "groups.csv", [["subject", "age"], ["a", "old"], ["b", "young"], ["z", "old"]])
    both = read_scores(tmp_path / "scores.csv", labels)
    assert set(both.labels) == {"sex", "age"} and "unknown_subject" in {problem.kind for problem in both.problems}


def test_scores_without_groups_or_people(tmp_path: Path) -> None:
    bare = written(tmp_path / "bare.csv", [HEAD[:3], ["a", "a", "1"], ["a", "b", "0"]])
    with pytest.raises(InputError, match="no groups"):
        read_scores(bare)
    nobody = written(tmp_path / "nobody.csv", [["label", "score"], ["1", "1"], ["0", "0"]])
    with pytest.raises(InputError, match="whose comparisons"):
        read_scores(nobody)


def test_scores_are_judged_like_the_same_captures(tmp_path: Path) -> None:
    sizes = (40, 35)
    captures, group = people(sizes, seed=3), of_group(sizes)
    rows = [
        [captures.subjects[one], captures.subjects[other], f"{float(captures.vectors[one] @ captures.vectors[other]):.9f}",
         group[one], group[other]]
        for one in range(len(captures)) for other in range(one)
    ]  # fmt: skip
    from_file = read_scores(written(tmp_path / "scores.csv", [HEAD, *rows]))
    audit = Fairness(threshold=0.35, rounds=50, least=10)
    left = audit.run([replace(from_file, system="one")])
    right = audit.run([of_captures("one", captures, {"sex": group})])
    for name, metric in left.metrics.items():
        assert metric.value == pytest.approx(right.metrics[name].value, abs=0.02 if "_p[" in name else 1e-9), name


def test_the_same_seed_gives_the_same_report() -> None:
    data: Compared = simulate(ALIKE, 40, 3, 0)
    first, second = (document.encode(Fairness(threshold=0.0, rounds=60).run([data])) for _ in range(2))
    assert first == second


def test_empty_pairs_are_no_error() -> None:
    data = simulate(ALIKE, 40, 3, 0)
    none = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    with pytest.raises(EvidenceError):
        Fairness(threshold=0.0, rounds=50).run([replace(data, impostor=none)])
    report = Fairness(threshold=100.0, rounds=50).run([data])  # nobody matches, everybody is missed
    assert report.metrics["fmr"].value == 0 and report.metrics["fnmr"].value == 1
    assert "fmr_max_min[group]" not in report.metrics and "fmr_p[group]" not in report.metrics
    document.encode(report)
