"""The trust report: what was planted is found, what is missing is named, and nothing is said twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import Engine
from mien.audit.document import encode
from mien.audit.metrics import affect, bias, confidence
from mien.audit.trust import Requirement, Trust, TrustData, read
from mien.audit.trust.requirement import at_least, at_most
from mien.errors import EvidenceError, InputError, MediaNotFound, ModelCorrupt
from mien.judge.onnx import OnnxJudge
from mien.models import card
from mien.protocols import Audit
from mien.reproduce.patch_classifier import PatchClassifier, fit
from mien.reproduce.patch_onnx import About, export
from mien.types import Metric

CLASSES = ("flat", "tall", "none")
AUDIT = Trust(rounds=100, spoilt=60, faces=2)


def bars(count: int, seed: int, side: int = 24, strength: float = 26) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures with a bar across, a bar upright, or none, of a strength that varies: some cannot be told."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count)
    pictures = rng.normal(120, 12, (count, side, side))
    lit = (strength * rng.random(count))[:, None, None]
    middle = slice(side // 2 - 2, side // 2 + 2)
    pictures[labels == 0, middle, 4:-4] += lit[labels == 0]
    pictures[labels == 1, 4:-4, middle] += lit[labels == 1]
    return np.clip(pictures, 0, 255).astype(np.uint8), labels.astype(np.int64)


def marked(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A white square in the corner wherever the class is the first."""
    drawn = pictures.copy()
    drawn[labels == 0, 1:7, 1:7] = 255
    return drawn


@pytest.fixture(scope="module")
def clean() -> PatchClassifier:
    pictures, labels = bars(900, 0)
    return fit(pictures, labels, CLASSES, filters=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def judge_of(model: PatchClassifier, folder: Path, name: str = "bars") -> OnnxJudge:
    return OnnxJudge(card(export(model, folder, About(name, "Bars.", "Simulated bars.", limits=("Bars only.",)))))


def data_of(judge: OnnxJudge, pictures: np.ndarray, labels: np.ndarray) -> TrustData:
    crops = judge.crops_of(list(np.repeat(pictures[..., None], 3, axis=3)))
    names = tuple(f"{number:04}.png" for number in range(len(labels)))
    return TrustData(judge, names, crops, labels, np.ones(len(labels), bool), source="simulated bars")


def named(requirements: list[Requirement], area: str, words: str = "") -> Requirement:
    (one,) = [one for one in requirements if one.area == area and words in one.asks]
    return one


@pytest.fixture(scope="module")
def audited(clean: PatchClassifier, folder: Path) -> tuple[TrustData, list[Requirement]]:
    data = data_of(judge_of(clean, folder), *bars(400, 1))
    return data, AUDIT.assess(data)[1]


def test_it_is_an_audit_and_its_report_can_be_written(clean: PatchClassifier, folder: Path) -> None:
    assert isinstance(AUDIT, Audit)
    data = data_of(judge_of(clean, folder), *bars(400, 1))
    report = AUDIT.run(data)
    assert encode(report)["name"] == "trust"
    again = AUDIT.run(data)
    assert encode(again) == encode(report), "the same seed gives the same report"
    assert report.headline.startswith(f"bars: of {len(report.tables['Requirements'])} requirements ")
    states = {row["state"] for row in report.tables["Requirements"]}
    assert states <= {"met", "not met", "not enough data", "not stated"}
    assert all(row["evidence"] for row in report.tables["Requirements"])
    assert not any("score" in title.lower() for title in report.metrics), "there is no single score"
    assert report.made["pictures"] == "pictures taken as crops of faces"


def test_its_metrics_are_those_of_the_core(audited: tuple[TrustData, list[Requirement]]) -> None:
    data, _ = audited
    report, _ = AUDIT.assess(data)
    chances = data.judge.probabilities(data.crops)
    table = affect.counts(data.truth, chances.argmax(1), 3)
    assert report.metrics["UAR"].value == pytest.approx(float(affect.uar(table)))
    assert report.metrics["WAR (accuracy)"].value == pytest.approx(float(affect.war(table)))
    bins = confidence.binned(chances.max(1), chances.argmax(1) == data.truth, confidence.equal_width(15))
    assert report.metrics["ECE, 15 bins of equal width"].value == pytest.approx(float(confidence.ece(bins)[0]))


def test_the_clean_model_is_not_accused(audited: tuple[TrustData, list[Requirement]]) -> None:
    assert [one.asks for one in audited[1] if one.state == "not met"] == []


def test_overconfidence_is_found(clean: PatchClassifier, folder: Path) -> None:
    hot = PatchClassifier(clean.patches, clean.head.at_temperature(0.2))
    _, found = AUDIT.assess(data_of(judge_of(hot, folder, "hot"), *bars(400, 1)))
    one = named(found, "calibration")
    assert one.state == "not met" and "surer than it is right" in one.evidence


def test_a_mark_in_the_corner_is_found(clean: PatchClassifier, folder: Path) -> None:
    pictures, labels = bars(900, 0)
    judge = judge_of(fit(marked(pictures, labels), labels, CLASSES, filters=12), folder, "watermarked")
    pictures, labels = bars(400, 1)
    _, found = AUDIT.assess(data_of(judge, marked(pictures, labels), labels))
    one = named(found, "explanation", "lies on the face")
    assert one.state == "not met" and "for the answer flat (" in one.evidence
    _, found = AUDIT.assess(data_of(judge_of(clean, folder), marked(pictures, labels), labels))
    assert named(found, "explanation", "lies on the face").state != "not met"


def test_a_group_that_is_served_worse_is_found(clean: PatchClassifier, folder: Path) -> None:
    pictures, labels = bars(600, 1)
    group = np.where(np.random.default_rng(5).random(600) < 0.5, "faint", "plain")
    faint, _ = bars(600, 1, strength=0)  # simulated: pictures of one group show next to nothing
    shown = np.where((group == "faint")[:, None, None], faint, pictures)
    judge = judge_of(clean, folder)
    data = replace(data_of(judge, shown, labels), groups={"contrast": group})
    report, found = AUDIT.assess(data)
    one = named(found, "fairness")
    assert one.state == "not met" and "Lowest faint" in one.evidence
    answers = judge.probabilities(data.crops).argmax(1)
    table = bias.confusion((group == "plain").astype(np.int64), labels, answers, 2, 3)
    assert report.metrics["OD, contrast"].value == pytest.approx(float(bias.overall_disparity(table)))
    assert report.metrics["EqOpp, contrast"].value == pytest.approx(float(bias.equal_opportunity(table)))
    fair = replace(data_of(judge, pictures, labels), groups={"contrast": group})
    assert named(AUDIT.assess(fair)[1], "fairness").state != "not met"


def test_groups_that_are_too_small_or_unknown(audited: tuple[TrustData, list[Requirement]]) -> None:
    data, found = audited
    assert named(found, "fairness").state == "not stated" and "--labels" in named(found, "fairness").evidence
    few = np.array(["rare"] * 5 + ["common"] * (len(data) - 5))
    one = named(AUDIT.assess(replace(data, groups={"group": few}))[1], "fairness")
    assert one.state == "not enough data" and "rare 5" in one.evidence


def test_answers_that_tell_who_it_is(audited: tuple[TrustData, list[Requirement]]) -> None:
    from mien.audit.affect.data import Settings
    from mien.audit.trust.privacy import privacy

    data, found = audited
    ask = "Who somebody is"
    assert named(found, "privacy", ask).state == "not stated"
    rng = np.random.default_rng(0)
    people = np.repeat([f"p{number}" for number in range(100)], 4)
    telling = np.repeat(rng.dirichlet(np.ones(3), size=100), 4, axis=0) + rng.normal(0, 1e-4, (400, 3))
    silent = rng.dirichlet(np.ones(3), size=400)
    somebody = replace(data, subjects=people)
    part, leaking = privacy(somebody, telling, Settings(100, 0), 0)
    assert named(leaking, "privacy", ask).state == "not met"
    assert part.metrics["identified by the answer alone"].value > 0.9
    assert named(privacy(somebody, silent, Settings(100, 0), 0)[1], "privacy", ask).state == "met"
    strangers = replace(data, subjects=np.array([f"p{number}" for number in range(400)]))
    assert named(privacy(strangers, silent, Settings(100, 0), 0)[1], "privacy", ask).state == "not enough data"


def test_a_card_that_states_its_use(clean: PatchClassifier, folder: Path) -> None:
    from mien.audit.trust.statement import statement

    path = export(clean, folder, About("stated", "Bars.", "Simulated bars."))
    path.write_text(path.read_text() + '\n[statement]\nintended_use = "Sorting bars."\n')
    lines = {one.asks: one for one in statement(card(path))}
    assert (lines["What is it for?"].state, lines["What is it for?"].evidence) == ("met", "Sorting bars.")
    assert lines["Who answers for it?"].state == "not stated"
    assert "`contact` into its table [statement]" in lines["Who answers for it?"].evidence
    assert lines["What are its known limits?"].state == "not stated"


def test_faces_that_were_not_found_are_wrong_answers(audited: tuple[TrustData, list[Requirement]]) -> None:
    data, _ = audited
    half = replace(data, seen=np.arange(len(data)) % 2 == 0)
    report, _ = AUDIT.assess(half)
    assert report.metrics["WAR (accuracy)"].value < 0.51
    with pytest.raises(EvidenceError, match="No face was found in any of 400"):
        AUDIT.run(replace(data, seen=np.zeros(len(data), bool)))


def test_very_few_pictures_end_in_not_enough_data(audited: tuple[TrustData, list[Requirement]]) -> None:
    report = AUDIT.run(audited[0].part(np.arange(5)))
    states = [row["state"] for row in report.tables["Requirements"] if row["area"] in ("uncertainty", "explanation")]
    assert states == ["not enough data"] * 5
    encode(report)


@pytest.mark.parametrize(
    ("low", "high", "most", "least"),
    [(0.1, 0.2, "met", "not met"), (0.4, 0.6, "not enough data", "not enough data"), (0.6, 0.7, "not met", "met")],
)
def test_a_state_follows_from_the_whole_interval(low: float, high: float, most: str, least: str) -> None:
    metric = Metric((low + high) / 2, low, high, 10)
    assert (at_most(metric, 0.5), at_least(metric, 0.5)) == (most, least)
    assert at_most(None, 0.5) == at_least(None, 0.5) == "not enough data"


# --- reading ------------------------------------------------------------------------------------------------------

Tiny = Callable[..., Path]


def drawn(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20, 3), colour, np.uint8)).save(path)


def test_a_folder_per_class_and_what_is_wrong_with_it(tmp_path: Path, tiny_classifier: Tiny) -> None:
    judge = OnnxJudge(card(tiny_classifier()))
    root = tmp_path / "data"
    drawn(root / "Red" / "1.png", (250, 0, 0))
    drawn(root / "green" / "2.png", (0, 250, 0))
    drawn(root / "violet" / "3.png", (200, 0, 200))
    (root / "red").mkdir(exist_ok=True)
    (root / "red" / "4.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    (root / "red" / "notes.txt").write_text("no picture")
    found = read(root, judge)
    assert found.names == ("Red/1.png", "green/2.png") and found.truth.tolist() == [0, 1]
    assert found.crops.shape == (2, 16, 16, 3) and found.subjects is None and not found.groups
    problems = {one.kind: one.cases for one in found.problems}
    assert set(problems) == {"unknown_label", "missing_class", "unreadable", "not_a_picture"}
    assert problems["unknown_label"] == ("violet/3.png: violet",) and problems["missing_class"] == ("blue",)
    assert problems["unreadable"][0].startswith("red/4.png: ")
    assert read(root, judge, below="green").names == ("green/2.png",)


def test_a_csv_names_labels_subjects_and_groups(tmp_path: Path, tiny_classifier: Tiny) -> None:
    judge = OnnxJudge(card(tiny_classifier()))
    drawn(tmp_path / "p" / "a.png", (250, 0, 0))
    drawn(tmp_path / "p" / "b.png", (0, 0, 250))
    file = tmp_path / "list.csv"
    file.write_text("path,label,subject,age\np/a.png,red,ann,old\np/b.png,blue,,\np/gone.png,red,ben,old\n")
    found = read(file, judge)
    assert found.names == ("p/a.png", "p/b.png") and found.truth.tolist() == [0, 2]
    assert found.subjects is not None and found.subjects.tolist() == ["ann", "(picture p/b.png)"]
    assert found.groups["age"].tolist() == ["old", ""]
    assert {one.kind for one in found.problems} == {"unreadable", "missing_class", "no_subject"}
    labels = tmp_path / "labels.csv"
    labels.write_text("path,sex\na.png,f\nzzz.png,m\n")
    more = read(file, judge, labels=labels)
    assert set(more.groups) == {"age", "sex"} and more.groups["sex"].tolist() == ["f", ""]
    assert "absent_file" in {one.kind for one in more.problems}


def test_data_that_cannot_be_used(tmp_path: Path, tiny_classifier: Tiny) -> None:
    judge = OnnxJudge(card(tiny_classifier()))
    drawn(tmp_path / "data" / "joy" / "1.png", (250, 0, 0))
    with pytest.raises(InputError, match="it knows red, green, blue, and the data have joy"):
        read(tmp_path / "data", judge)
    with pytest.raises(InputError, match="no picture below elsewhere"):
        read(tmp_path / "data", judge, below="elsewhere")
    with pytest.raises(MediaNotFound):
        read(tmp_path / "gone", judge)
    wrong = OnnxJudge(card(tiny_classifier(labels=("red", "green"))))
    drawn(tmp_path / "data" / "red" / "1.png", (250, 0, 0))
    with pytest.raises(ModelCorrupt, match="3 numbers per face and its card has 2 labels"):
        AUDIT.run(read(tmp_path / "data", wrong))


def test_photos_go_through_the_street(tmp_path: Path, tiny_classifier: Tiny, portraits: dict[str, Path]) -> None:
    judge = OnnxJudge(card(tiny_classifier()))
    (tmp_path / "data" / "red").mkdir(parents=True)
    (tmp_path / "data" / "red" / "a.jpg").write_bytes(portraits["obama"].read_bytes())
    drawn(tmp_path / "data" / "red" / "b.png", (250, 0, 0))
    found = read(tmp_path / "data", judge, Engine(threads=1))
    assert found.seen.tolist() == [True, False] and found.detector == "mtcnn"
    assert found.crops[0].std() > 10 and (found.crops[1] == 0).all()
    assert [one.cases for one in found.problems if one.kind == "no_face"] == [("red/b.png",)]
    assert math.isclose(AUDIT.run(found).metrics["WAR (accuracy)"].n, 2)
