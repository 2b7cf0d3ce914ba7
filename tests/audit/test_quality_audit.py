"""The quality audit: counts what is below, finds what predicts errors when something does, and names the worst."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from mien.audit.captures import Captures
from mien.audit.captures.capturing import NO_FACE
from mien.audit.data import Labelled, pictures
from mien.audit.document import encode
from mien.audit.metrics import error_versus_discard
from mien.audit.quality import Looked, Quality, look, with_reference
from mien.audit.quality.discard import predicted
from mien.audit.quality.looking import NAMES, unpadded
from mien.audit.quality.sheet import poorest
from mien.cli.audit.quality import command
from mien.engine import Engine
from mien.errors import EvidenceError, InputError
from mien.judge.iso_quality import AT_HAND, COMPONENTS, assess
from mien.report import Picture
from mien.types import Frame, OperatingPoint

FINE = {
    **{"illumination_uniformity": 0.6, "luminance_mean": 0.4, "luminance_variance": 0.02, "under_exposure": 0.0},
    **{"over_exposure": 0.0, "dynamic_range": 7.0, "natural_colour": 0.0, "single_face": 0.0},
    **{"inter_eye_distance": 120.0, "head_size": 0.45, "leftward_crop": 2.0, "rightward_crop": 2.0},
    **{"margin_above": 1.8, "margin_below": 2.2, "head_yaw": 0.0, "head_pitch": 0.0, "head_roll": 0.0},
}
POINT = OperatingPoint(0.5, 1e-3, comparisons=1_000_000, subjects=2000)


def simulated(people: int = 60, each: int = 4, seed: int = 0) -> Looked:
    """Simulated pictures whose resolution spoils the template; brightness is drawn at random and spoils nothing."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(people, 64))
    subjects = np.repeat(np.arange(people), each)
    eyes = rng.uniform(20, 150, len(subjects))
    vectors = centres[subjects] + rng.normal(size=(len(subjects), 64)) * (2.2 * (eyes < 50) + 0.4)[:, None]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    natives = np.full((len(subjects), len(NAMES)), np.nan)
    for name, value in FINE.items():
        natives[:, NAMES.index(name)] = value
    natives[:, NAMES.index("inter_eye_distance")] = eyes
    natives[:, NAMES.index("luminance_mean")] = rng.uniform(0.05, 0.7, len(subjects))
    names = tuple(f"p{subject:03d}/{number}.png" for number, subject in enumerate(subjects))
    captures = Captures(
        names,
        tuple(f"p{subject:03d}" for subject in subjects),
        vectors,
        np.clip(eyes / 150, 0, 1),
        ("",) * len(names),
        "space",
        names,
        (1,) * len(names),
    )
    listed = tuple(Labelled(name, name[:4], lambda: Frame(np.zeros((60, 60, 3), np.uint8))) for name in names)
    return Looked(listed, captures, natives, np.full((len(names), 14), np.nan), (POINT,))


def without_face(looked: Looked, rows: Sequence[int]) -> Looked:
    """The same, but no face is found in some."""
    failures = [NO_FACE if row in rows else "" for row in range(len(looked.captures))]
    vectors, quality = looked.captures.vectors.copy(), looked.captures.quality.copy()
    vectors[list(rows)], quality[list(rows)] = 0, np.nan
    natives = looked.natives.copy()
    natives[list(rows)] = np.nan
    captures = replace(looked.captures, failures=tuple(failures), vectors=vectors, quality=quality)
    return replace(looked, captures=captures, natives=natives)


def test_what_spoils_recognition_is_found_and_what_does_not_is_not() -> None:
    report = Quality(rounds=200).run(simulated())
    gain = {name.removeprefix("gain: "): metric for name, metric in report.metrics.items() if name.startswith("gain")}
    assert gain["inter_eye_distance"].low > 0.05 and gain["overall"].low > 0.05
    assert gain["luminance_mean"].low < 0 < gain["luminance_mean"].high
    assert set(gain) == {"overall", "inter_eye_distance", "luminance_mean"}  # the others are the same everywhere
    row = {line["quality"]: line for line in report.tables["Whether quality predicts false non-matches"]}
    assert row["overall"]["predicts"] == "yes" and row["luminance_mean"]["predicts"] == "not shown"
    assert any(words.startswith("Quality that predicts") and "inter_eye_distance" in words for words in report.findings)


def test_the_curve_agrees_with_the_metric_of_the_core() -> None:
    looked = simulated(20, 3)
    found = predicted(looked, 0.5, 50, 0)
    assert found is not None
    one, other = np.array([(a, b) for p in range(20) for a, b in ((3 * p, 3 * p + 1), (3 * p, 3 * p + 2),
                                                                   (3 * p + 1, 3 * p + 2))]).T  # fmt: skip
    scores = (looked.captures.vectors[one] * looked.captures.vectors[other]).sum(1).astype(np.float64)
    worse = np.minimum(looked.captures.quality[one], looked.captures.quality[other])
    for share, fnmr in zip(found.curves["overall"].share, found.curves["overall"].fnmr, strict=True):
        if share * len(scores) == round(share * len(scores)):
            assert fnmr == pytest.approx(error_versus_discard(scores, worse, 0.5, float(share)))


def test_a_picture_without_a_face_is_an_error_and_lends_no_quality_credit() -> None:
    looked = simulated()
    whole, lost = predicted(looked, 0.5, 50, 0), predicted(without_face(looked, range(0, 40)), 0.5, 50, 0)
    assert whole is not None and lost is not None
    assert lost.fnmr.n == whole.fnmr.n == 60 * 6 and lost.fnmr.value > whole.fnmr.value
    assert lost.comparisons == 50 * 6 and lost.people == 50
    report = Quality(rounds=50).run(without_face(looked, range(0, 40)))
    assert report.metrics["no face found"].value == pytest.approx(40 / 240)
    assert report.metrics["below: inter_eye_distance"].n == 200
    assert any("60 with a picture that shows no face" in words for words in report.findings)


def test_shares_below_are_counts_and_their_intervals_are_over_people() -> None:
    looked = simulated()
    report = Quality(rounds=300).run(looked)
    eyes = looked.natives[:, NAMES.index("inter_eye_distance")]
    metric = report.metrics["below: inter_eye_distance"]
    assert metric.value == pytest.approx((eyes < 90).mean()) and metric.low < metric.value < metric.high
    # The same people with each picture four times over know no more.
    copies = replace(
        looked,
        pictures=looked.pictures * 4,
        natives=np.tile(looked.natives, (4, 1)),
        places=np.tile(looked.places, (4, 1)),
        captures=Captures(
            tuple(f"{copy}{name}" for copy in range(4) for name in looked.captures.names),
            looked.captures.subjects * 4,
            np.tile(looked.captures.vectors, (4, 1)),
            np.tile(looked.captures.quality, 4),
            looked.captures.failures * 4,
            faces=looked.captures.faces * 4,
        ),
    )
    again = Quality(rounds=300).run(copies).metrics["below: inter_eye_distance"]
    assert again.value == pytest.approx(metric.value)
    assert again.high - again.low == pytest.approx(metric.high - metric.low, rel=0.05)


def test_the_report_has_all_28_components_for_every_picture_and_can_be_written() -> None:
    report = Quality(rounds=50).run(without_face(simulated(12), [3]))
    assert [row["name"] for row in report.tables["Components"]] == list(COMPONENTS)
    assert len(report.rows) == 48 and all(set(COMPONENTS) < set(row) for row in report.rows)
    assert report.rows[3]["failure"] == NO_FACE and report.rows[3]["head_size"] is None
    assert json.loads(json.dumps(encode(report), allow_nan=False))
    basis = {row["name"]: row["basis"] for row in report.tables["Components"]}
    assert basis["head_yaw"] == "stand-in" and basis["sharpness"] == "not at hand"


def test_too_little_is_said_and_not_reckoned() -> None:
    single = Quality(rounds=50).run(simulated(30, 1))
    assert "fnmr" not in single.metrics and any("no subject has two pictures" in words for words in single.findings)
    without = Quality(rounds=50).run(replace(simulated(), operating=()))
    assert "fnmr" not in without.metrics and any("was not judged" in words for words in without.findings)
    easy = Quality(rounds=50).run(replace(simulated(), operating=(replace(POINT, threshold=-1.0),)))
    assert any("0 of 360 genuine comparisons" in words for words in easy.findings)
    nobody = Quality(rounds=50).run(without_face(simulated(5), range(20)))
    assert nobody.headline.startswith("No face was found") and nobody.metrics["no face found"].value == 1
    with pytest.raises(EvidenceError):
        Quality().run(simulated(0, 0))


# --- the reference software's results -----------------------------------------------------------------------------


def test_the_reference_softwares_results_take_the_place_of_ours(data: Path) -> None:
    looked = simulated(14, 2)
    names = [f"b/{name}" for name in ("b-01-smile.png", "b-02-rolled.png", "c-07-twofaces.png")]
    listed = (*names, *looked.captures.names[3:])
    looked = replace(looked, captures=replace(looked.captures, names=listed))
    given, problems = with_reference(looked, data / "golden" / "ofiq_expected_results.csv")
    first = given.assessment(0)
    assert not first.missing and first.values["unified_quality"].score == 63
    assert {row["basis"] for row in first.table} == {"given"}
    assert given.assessment(5).missing and not given.assessment(5).values
    assert {problem.kind: problem.number for problem in problems} == {"absent_file": 25, "not_in_reference": 25}
    report = Quality(rounds=50).run(given)
    assert all(f"below: {name}" in report.metrics for name in COMPONENTS)


def test_a_file_that_is_no_result_of_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("path,score\na.png,1\n", encoding="utf8")
    with pytest.raises(InputError, match="no results of OFIQ"):
        with_reference(simulated(3), path)
    with pytest.raises(InputError, match="cannot be read"):
        with_reference(simulated(3), tmp_path / "absent.csv")


# --- real photos --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def test_padding_makes_no_room_around_a_face(engine: Engine, data: Path) -> None:
    folder = data / "faces" / "lfw10"
    plain, _ = pictures(folder)
    padded, _ = pictures(folder, 0.37)
    chosen = [0, 25]
    one = look(engine, [plain[row] for row in chosen])
    other = look(engine, [padded[row] for row in chosen])
    assert unpadded(padded[0].read(), 0.37).pixels.shape == plain[0].read().pixels.shape
    for name in ("head_size", "leftward_crop", "margin_above", "margin_below", "inter_eye_distance"):
        column = NAMES.index(name)
        np.testing.assert_allclose(other.natives[:, column], one.natives[:, column], rtol=0.06)


def test_a_killed_run_goes_on_and_ends_as_one_that_was_not(engine: Engine, data: Path, tmp_path: Path) -> None:
    listed = pictures(data / "faces" / "lfw10")[0][:3]
    store = tmp_path / "unfinished.db"
    whole = look(engine, listed)

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        look(engine, listed, store, stop)
    reads: list[str] = []

    def counted(one: Labelled) -> Labelled:
        def read() -> Frame:
            reads.append(one.name)
            return one.read()

        return Labelled(one.name, one.subject, read, one.content, one.points, one.pad)

    resumed = look(engine, [counted(one) for one in listed], store)
    assert len(reads) == 1
    np.testing.assert_array_equal(resumed.natives, whole.natives)
    np.testing.assert_array_equal(resumed.captures.vectors, whole.captures.vectors)
    # What is kept is what the judge says of the face.
    face = whole.face(0)
    assert face is not None
    values = assess(face, [face]).values
    for name in AT_HAND:
        assert values[name].native == pytest.approx(whole.natives[0, NAMES.index(name)], rel=1e-4, abs=1e-4)


def test_the_command_writes_its_report_and_leaves_no_templates(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    for person in ("Ariel_Sharon", "Tony_Blair"):
        (folder / person).mkdir(parents=True)
        for path in sorted((data / "faces" / "lfw10" / person).glob("*.jpg"))[:2]:
            (folder / person / path.name).write_bytes(path.read_bytes())
    (folder / "Tony_Blair" / "broken.jpg").write_bytes(b"no picture")
    Image.new("RGB", (80, 80), "grey").save(folder / "Tony_Blair" / "empty.png")
    out = tmp_path / "report"
    done = CliRunner().invoke(command, ["--data", str(folder), "-o", str(out), "--rounds", "20", "--json"])
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    assert {problem["kind"] for problem in record["problems"]} >= {"failed_capture", "not_a_picture"}
    assert record["made"]["models"]["embedder"] == "dlib_resnet"
    assert {chart["kind"] for chart in record["charts"]} == {"bars", "grid", "picture"}
    rows = (out / "rows.csv").read_text(encoding="utf8").splitlines()
    assert len(rows) == 6 and not list(out.glob("*.db"))
    assert "move closer: " in (out / "report.html").read_text(encoding="utf8")


def test_the_sheet_shows_faces_only_when_asked(engine: Engine, data: Path) -> None:
    looked = look(engine, pictures(data / "faces" / "lfw10")[0][:2])
    charts = Quality(rounds=20).run(looked).charts
    sheets = [chart for chart in charts if isinstance(chart, Picture)]
    assert len(sheets) == 1 and Image.open(io.BytesIO(sheets[0].png)).width == 470
    assert all(one.words for one in poorest(looked, 2))
    assert not [chart for chart in Quality(worst=0, rounds=20).run(looked).charts if isinstance(chart, Picture)]
