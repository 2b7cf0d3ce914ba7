"""Faces with signals on tiny trees in their official layouts, and the signals themselves."""

from __future__ import annotations

import builtins
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import EvidenceError, InputError, MediaNotFound, UsageError
from mien.learn.data import waves
from mien.learn.data.example import Media, Wave
from mien.learn.data.layouts import deap, mahnob_hci, pure, ubfc
from mien.learn.data.waves import at, frame_times, read_wave

BEAT = np.sin(np.arange(300) * 0.25)


def numbered(dataset: Any) -> dict[str, int]:
    return {problem.kind: problem.number for problem in dataset.problems}


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def lines(*rows: Any) -> str:
    return "\n".join("  ".join(f"{value:.7e}" for value in row) for row in rows) + "\n"


def make_ubfc(root: Path) -> None:
    times = np.arange(300) / 30
    touch(root / "DATASET_2/subject1/vid.avi")
    (root / "DATASET_2/subject1/ground_truth.txt").write_text(lines(BEAT, np.full(300, 72.0), times))
    touch(root / "DATASET_2/subject3/vid.avi")
    (root / "DATASET_2/subject3/ground_truth.txt").write_text(lines(BEAT, np.full(300, 72.0), times[:200]))
    (root / "DATASET_2/subject4").mkdir()
    (root / "DATASET_2/subject4/ground_truth.txt").write_text(lines(BEAT, np.full(300, 72.0), times))
    touch(root / "DATASET_1/5-gt/vid.avi")
    rows = [
        f"{time},{rate},98,{value}" for time, rate, value in zip(range(0, 4800, 16), [0, 80] * 150, BEAT, strict=True)
    ]
    (root / "DATASET_1/5-gt/gtdump.xmp").write_text("\n".join(rows))
    touch(root / "DATASET_1/6-gt/vid.avi")
    (root / "DATASET_1/6-gt/gtdump.xmp").write_text("1,2,three,4\n")


def test_ubfc(tmp_path: Path) -> None:
    make_ubfc(tmp_path)
    assert ubfc.fits(tmp_path) and ubfc.fits(tmp_path / "DATASET_2")
    data = ubfc.read(tmp_path)
    first, second = data.examples
    assert (first.name, first.subject, first.values) == ("1/5-gt", "1/5-gt", {"heart_rate": 80.0})  # 0: not worn
    assert (second.name, second.values) == ("2/subject1", {"heart_rate": 72.0})
    assert numbered(data) == {"bad_signals": 2, "absent_file": 1}
    values, times = read_wave(second.waves[0])
    assert np.allclose(values, BEAT, atol=1e-6) and np.allclose(times, np.arange(300) / 30, atol=1e-5)
    values, times = read_wave(first.waves[0])
    assert np.allclose(values, BEAT) and times[-1] == 4.784


STEP = 16_666_667  # ns


def make_pure(root: Path) -> None:
    start = 1_392_643_993_642_815_000
    packages = [
        {"Timestamp": start + n * STEP, "Value": {"pulseRate": 60, "o2saturation": 97, "waveform": float(BEAT[n])}}
        for n in range(300)
    ]
    frames = [start + STEP // 2 + n * 33_333_333 for n in range(100)]
    for name in ("01-01", "02-06"):
        (root / name / name).mkdir(parents=True)
        for stamp in frames:
            touch(root / name / name / f"Image{stamp}.png")
        record = {"/FullPackage": packages, "/Image": [{"Timestamp": stamp, "Value": {}} for stamp in frames]}
        (root / name / f"{name}.json").write_text(json.dumps(record))
    (root / "03-02/03-02").mkdir(parents=True)
    (root / "03-02/03-02.json").write_text(json.dumps({"/FullPackage": packages}))
    touch(root / "04-02/04-02/Image1.png")
    (root / "04-02/04-02.json").write_text('{"/FullPackage": [')


def test_pure(tmp_path: Path) -> None:
    make_pure(tmp_path)
    assert pure.fits(tmp_path)
    data = pure.read(tmp_path)
    first, second = data.examples
    assert (first.name, first.subject, first.group, first.values) == (
        "01-01", "01", {"setup": "steady"}, {"heart_rate": 60.0}
    )  # fmt: skip
    assert second.group == {"setup": "medium rotation"} and numbered(data) == {"absent_folder": 1, "bad_signals": 1}
    values, times = read_wave(first.waves[0])
    moments = frame_times(first.media, 100)
    assert moments[0] == 0 and np.allclose(np.diff(moments), 1 / 30, atol=1e-7)
    assert np.isclose(times[0], -STEP / 2e9)  # the first package came half a step before the first frame
    assert np.allclose(at(values, times, moments)[:3], np.interp(moments[:3], times, BEAT))
    with pytest.raises(InputError, match="100 frames, not 101"):
        frame_times(first.media, 101)


def signals(trials: int = 3, channels: int = 40) -> dict[str, Any]:
    data = np.arange(trials * channels * 512, dtype=np.float64).reshape(trials, channels, 512)
    return {"data": data, "labels": np.arange(trials * 4, dtype=np.float64).reshape(trials, 4) % 8 + 1}


RATINGS = "Participant_id,Trial,Experiment_id,Start_time,Valence,Arousal,Dominance,Liking,Familiarity\n"


def make_deap(root: Path, ratings: bool = True) -> None:
    (root / "data_preprocessed_python").mkdir(parents=True)
    for subject in ("s01", "s02"):
        (root / "data_preprocessed_python" / f"{subject}.dat").write_bytes(pickle.dumps(signals(), 2))
    for trial in (1, 2, 3):
        touch(root / "face_video/s01" / f"s01_trial{trial:02d}.avi")
    if ratings:
        (root / "metadata_csv").mkdir()
        (root / "metadata_csv/participant_ratings.csv").write_text(
            RATINGS
            + "1,1,3,0,7.71,7.6,6.9,7.83,4\n1,2,1,0,1,2,3,4,4\n1,9,2,0,5,5,5,5,5\nx,1,1,0,1,1,1,1,1\n2,1,1,0,99,1,1,1,1\n"
        )


def test_deap_ties_films_to_signals_by_the_order_of_showing(tmp_path: Path) -> None:
    make_deap(tmp_path)
    assert deap.fits(tmp_path)
    data = deap.read(tmp_path)
    by_name = {one.name: one for one in data.examples}
    shown_second = by_name["s01/film 01"]
    assert shown_second.media.path.name == "s01_trial02.avi" and shown_second.media.kind == "video"
    assert shown_second.values == {"valence": 1, "arousal": 2, "dominance": 3, "liking": 4}
    assert by_name["s01/film 03"].media.path.name == "s01_trial01.avi" and by_name["s01/film 02"].media.kind == "none"
    assert numbered(data) == {"bad_row": 2, "no_film": 1}
    assert (
        len(shown_second.waves) == 40
        and shown_second.waves[38].name == "pulse"
        and shown_second.waves[0].name == "eeg Fp1"
    )
    values, times = read_wave(by_name["s01/film 03"].waves[38])
    assert np.array_equal(values, signals()["data"][2, 38]) and times[0] == -3 and times[384] == 0


def test_deap_without_the_order_leaves_films_out(tmp_path: Path) -> None:
    make_deap(tmp_path, ratings=False)
    data = deap.read(tmp_path)
    assert len(data) == 6 and all(one.media.kind == "none" for one in data.examples)
    assert data.examples[1].values == {"valence": 5.0, "arousal": 6.0, "dominance": 7.0, "liking": 8.0}
    assert [(one.kind, one.cases) for one in data.problems] == [("no_order", ("3 films",))]


@pytest.mark.parametrize(
    "held",
    [[1], {"data": np.ones((3, 40, 8))}, {"data": np.ones((3, 40)), "labels": np.ones((3, 4))}, signals(channels=32)],
)
def test_deap_with_a_damaged_file(tmp_path: Path, held: Any) -> None:
    make_deap(tmp_path, ratings=False)
    (tmp_path / "data_preprocessed_python/s01.dat").write_bytes(pickle.dumps(held))
    data = deap.read(tmp_path)
    assert {one.subject for one in data.examples} == {"s02"} and numbered(data) == {"no_order": 1, "bad_signals": 1}


SESSION = """<?xml version="1.0" encoding="utf-8"?>
<session sessionId="{id}" isStim="1" feltEmo="{emotion}" feltArsl="6" feltVlnc="7" feltCtrl="4" feltPred="{rated}"
 vidRate="60.9708" mediaFile="69.avi"><subject id="1" gender="female"/>
 <track type="Video" filename="{film}" color="1" view="Front"><annotation type="Gaze" filename="g.tsv"/></track>
 <track type="Video" filename="bw.avi" color="0"/>
 <track type="Physiological" filename="Part_1_S_Trial5_emotion.bdf"/></session>"""


def bdf(path: Path) -> None:
    library = pytest.importorskip("pyedflib", reason="BDF files are written with pyedflib")

    heads = [
        {"label": label, "dimension": "uV", "sample_frequency": 256, "physical_max": 500.0, "physical_min": -500.0,
         "digital_max": 8388607, "digital_min": -8388608, "transducer": "", "prefilter": ""}
        for label in ("Fp1", "EXG2", "GSR1")
    ]  # fmt: skip
    writer = library.EdfWriter(str(path), 3, library.FILETYPE_BDF)
    writer.setSignalHeaders(heads)
    writer.writeSamples([np.zeros(512), np.linspace(-400, 400, 512), np.ones(512)])
    writer.close()


def make_mahnob(root: Path) -> None:
    for number, changes in enumerate(({}, {"film": "../../../etc/passwd"}, {"emotion": "10", "rated": "0"}), 10):
        folder = root / "Sessions" / str(number)
        touch(folder / "P1-Rec1_C1 trigger.avi")
        given = {"id": number, "emotion": "4", "rated": "3", "film": "P1-Rec1_C1 trigger.avi"} | changes
        (folder / "session.xml").write_text(SESSION.format(**given))
    bdf(root / "Sessions/10/Part_1_S_Trial5_emotion.bdf")
    (root / "Sessions/13").mkdir()
    (root / "Sessions/13/session.xml").write_text('<session sessionId="13"><subject id="1"/></session>')
    (root / "Sessions/14").mkdir()
    (root / "Sessions/14/session.xml").write_text('<!DOCTYPE s [<!ENTITY a "b">]><session/>')


def test_mahnob(tmp_path: Path) -> None:
    make_mahnob(tmp_path)
    assert mahnob_hci.fits(tmp_path) and mahnob_hci.fits(tmp_path / "Sessions")
    data = mahnob_hci.read(tmp_path)
    first, outside, unknown = data.examples
    assert (first.name, first.subject, first.label) == ("session 10", "1", "happiness")
    assert first.values == {"valence": 7, "arousal": 6, "control": 4, "predictability": 3}
    assert first.group == {"sex": "female", "film": "69.avi"}
    assert (first.media.kind, first.media.fps) == ("video", 60.9708)
    assert outside.media.kind == "none" and (unknown.label, unknown.waves) == (None, ())
    assert "predictability" not in unknown.values  # 0 is no rating
    assert numbered(data) == {"absent_file": 2, "outside": 1, "no_rating": 1, "bad_description": 1}
    heart = next(one for one in first.waves if one.channel == "EXG2")
    values, times = read_wave(heart)
    assert np.allclose(values, np.linspace(-400, 400, 512), atol=1e-3) and np.allclose(times, np.arange(512) / 256)
    with pytest.raises(InputError, match="no channel EXG3; it has fp1, exg2, gsr1"):
        read_wave(next(one for one in first.waves if one.channel == "EXG3"))


def test_bdf_without_its_library_and_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = Wave(touch(tmp_path / "a.bdf"), "ecg", 256.0, "bdf", "EXG2")
    with pytest.raises(InputError, match="no BDF or EDF file"):
        read_wave(wave)
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "pyedflib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"Reading ecg from .*a\.bdf needs the package pyedflib"):
        read_wave(wave)


def test_signals_are_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "ground_truth.txt"
    path.write_text("1 2 nan 4 5 6\n60 60 60 60 60 60\n0 1 2 1 1.5 3\n")
    values, times = read_wave(Wave(path, "pulse", 0.0, "ubfc", "pulse"))
    assert values.tolist() == [1, 2, 5, 6] and times.tolist() == [0, 1, 1.5, 3]


@pytest.mark.parametrize(
    "text", ["", "1 2 3\n", "a b\nc d\ne f\n", "1\n1\n1\n", "1 2\n1 2\nnan nan\n", "1 2\n1 2\n0 1 2\n"]
)
def test_no_signal_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ground_truth.txt"
    path.write_text(text or " ")
    with pytest.raises(InputError):
        read_wave(Wave(path, "pulse", 0.0, "ubfc", "pulse"))


def test_other_requests_are_told(tmp_path: Path) -> None:
    path = touch(tmp_path / "a")
    with pytest.raises(UsageError, match="'mp3' is no format of a wave"):
        read_wave(Wave(path, "pulse", 0.0, "mp3"))
    with pytest.raises(MediaNotFound):
        read_wave(Wave(tmp_path / "none", "pulse", 0.0, "bdf", "x"))
    for kind in ("wav", "pure", "deap"):
        with pytest.raises(InputError):
            read_wave(Wave(path, "pulse", 128.0, kind, 0))
    with pytest.raises(UsageError, match="does not state the frame rate"):
        frame_times(Media(path, "video"), 3)
    assert frame_times(Media(path, "video", first=30, fps=30.0), 2).tolist() == [1.0, 31 / 30]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), st.data())
def test_at_stays_between_its_neighbours(held: list[float], data: st.DataObject) -> None:
    values, times = np.array(held), np.arange(len(held)) * 0.1
    moments = np.array(data.draw(st.lists(st.floats(-0.4, times[-1] + 0.4), min_size=1, max_size=9)))
    got = at(values, times, moments)
    assert np.isfinite(got).all() and got.min() >= values.min() - 1e-6 and got.max() <= values.max() + 1e-6
    assert np.array_equal(at(values, times, times), values)


def test_at_does_not_make_up_what_was_not_measured() -> None:
    values, times = np.ones(10), np.arange(10.0)
    with pytest.raises(EvidenceError, match=r"from 0\.00 s to 9\.00 s and the frames from 0\.00 s to 20\.00 s"):
        at(values, times, np.array([0.0, 20.0]))
    assert at(values, times, np.array([])).shape == (0,)
    assert waves.SLACK == 0.5


@pytest.mark.parametrize("reader", [ubfc, pure, deap, mahnob_hci])
def test_another_layout_is_told(reader: Any, tmp_path: Path) -> None:
    touch(tmp_path / "clips" / "a.avi")
    assert not reader.fits(tmp_path)
    with pytest.raises(InputError, match=rf"not in the layout {reader.LAYOUT}: expected is .*; found is clips/\."):
        reader.read(tmp_path)


TREES = [
    (ubfc, make_ubfc),
    (pure, make_pure),
    (deap, make_deap),
    (mahnob_hci, make_mahnob),
]


@pytest.mark.parametrize(("reader", "make"), TREES)
def test_it_is_told_from_other_layouts(reader: Any, make: Any, told_apart: Any) -> None:
    told_apart(reader, make)


@pytest.mark.parametrize(("reader", "make"), TREES)
def test_any_damage_is_told(reader: Any, make: Any, spoil: Any) -> None:
    spoil(reader, make)


def test_deap_alone_with_any_damage(spoil: Any) -> None:
    spoil(deap, lambda root: make_deap(root, ratings=False))
