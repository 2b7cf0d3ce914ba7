"""`mien judge`: what is read, in every form, and how it ends."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper

from mien import Engine
from mien.cli import scenes
from mien.cli.group import group
from mien.cli.pictures import WINDOWS, Canvas, Strip, _Track
from mien.cli.selftest import drawn_face
from mien.cli.windows import in_order
from mien.compat import tables
from mien.errors import UnreadableMedia
from mien.media import read_image, write_image
from mien.types import U8, Clip, Face, Frame

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
CARD = """name = "street"
task = "expression"
summary = "How red a crop is."
training = "None."
labels = {labels}

[[file]]
role = "model"
name = "street.onnx"
sha256 = "{sha256}"

[input]
size = [48, 48]
template = "square"
colour = "rgb"
mean = 0
std = 1
layout = "NHWC"

[abstain]
least_probability = 0.5
least_eye_distance = 12
data = "made up"

[licence]
code = "MIT"
weights = "MIT"
url = "https://example.org/"
read_on = 2026-01-01
training_data = "None."
commercial = "yes"
"""


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph as those that are shipped: bytes in, probabilities out. Red is happy, green sad, grey is anything."""
    folder = tmp_path_factory.mktemp("run")
    weights = np.zeros((3, 7), np.float32)
    weights[0, 3], weights[1, 3], weights[1, 5], weights[0, 5] = 0.1, -0.1, 0.1, -0.1
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["f"], ["m"], axes=[1, 2], keepdims=0),
            helper.make_node("MatMul", ["m", "w"], ["l"]),
            helper.make_node("Softmax", ["l"], ["y"], axis=1),
        ],
        "street",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", 48, 48, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 7])],
        [numpy_helper.from_array(weights, "w")],
    )
    content = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    (folder / "street.onnx").write_bytes(content)
    path = folder / "street.toml"
    path.write_text(CARD.format(labels=json.dumps(LABELS), sha256=hashlib.sha256(content).hexdigest()), "utf8")
    return path


@pytest.fixture(autouse=True)
def one_detector(monkeypatch: pytest.MonkeyPatch, shared_engine: Engine) -> None:
    """Load the detector once, not once per command."""

    def make(**chosen: Any) -> Engine:
        engine = Engine(judges=chosen.get("judges", ()), threads=2)
        engine.__dict__["detector"] = shared_engine.detector
        return engine

    monkeypatch.setattr("mien.cli.options.make_engine", make)


def grey(pixels: U8) -> U8:
    return np.repeat(pixels.mean(2, keepdims=True).astype(np.uint8), 3, axis=2)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A red face, a grey one, both side by side, none, and a video of two seconds with one face and one with two."""
    folder = tmp_path_factory.mktemp("pictures")
    face = drawn_face()
    small = np.asarray(face)[::4, ::4]
    tiny = np.full((200, 200, 3), 127, np.uint8)
    tiny[60 : 60 + len(small), 60 : 60 + len(small)] = small
    made = {"red": face, "grey": grey(face), "both": np.hstack([face, grey(face)]), "tiny": tiny}
    made["none"] = np.full((200, 200, 3), 127, np.uint8)
    paths = {name: folder / f"{name}.png" for name in made}
    for name, pixels in made.items():
        write_image(Frame(pixels), paths[name])
    paths["video"] = folder / "video.mp4"
    scenes.write_video(paths["video"], film(face))
    return paths


def film(face: U8) -> Iterator[U8]:
    for index in range(3 * scenes.FPS):
        frame = np.full((360, 640, 3), 127, np.uint8)
        frame[100:260, 100:260] = face
        if index >= 2 * scenes.FPS:
            frame[100:260, 400:560] = grey(face)
        yield frame


def run(*words: object) -> Result:
    return CliRunner().invoke(group, ["judge", *map(str, words)])


def told(*words: object) -> Any:
    return json.loads(run(*words, "--json").stdout)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_face_is_read_with_every_label(card: Path, pictures: dict[str, Path]) -> None:
    result = run(card, pictures["red"], "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    (face,) = answer["faces"]
    assert (face["face"], face["track"], face["span"], face["label"]) == (1, None, None, "happy")
    kinds = {reading["kind"]: reading for reading in face["readings"]}
    assert list(kinds) == ["quality", "expression", "valence_arousal"]
    assert list(kinds["expression"]["scores"]) == list(LABELS)
    assert sum(kinds["expression"]["scores"].values()) == pytest.approx(1, abs=1e-5)
    assert kinds["valence_arousal"]["unit"] == "-1..1" and kinds["valence_arousal"]["scores"]["valence"] > 0.3
    assert not {"scores", "value", "score_of", "reasons"} & set(face), "the readings say it"
    (row,) = rows(run(card, pictures["red"], "--csv").stdout)
    assert row["predicted"] == "happy"
    assert float(row["p_happy"]) == pytest.approx(kinds["expression"]["scores"]["happy"])
    assert float(row["valence"]) == pytest.approx(kinds["valence_arousal"]["scores"]["valence"])
    assert (row["face"], row["track"], row["start"], row["reasons"]) == ("1", "", "", "")
    words = run(card, pictures["red"]).stdout
    assert f"happy {float(row['p_happy']):.2f}" in words


@pytest.mark.parametrize(("name", "reason"), [("grey", "(0.14), 0.5 wanted"), ("tiny", "too small")])
def test_what_shows_too_little_is_not_read(card: Path, pictures: dict[str, Path], name: str, reason: str) -> None:
    result = run(card, pictures[name], "--json")
    (face,) = json.loads(result.stdout)["faces"]
    assert result.exit_code == 2
    assert face["label"] is None
    (reading,) = [one for one in face["readings"] if one["kind"] == "expression"]
    assert reading["scores"] == {} and reason in reading["reasons"][0]
    assert [one["kind"] for one in face["readings"]] == ["quality", "expression"]
    (row,) = rows(run(card, pictures[name], "--csv").stdout)
    assert row["predicted"] == row["p_happy"] == row["valence"] == "" and reason in row["reasons"]
    assert "cannot tell" in run(card, pictures[name]).stdout


def test_one_face_that_is_read_is_enough(card: Path, pictures: dict[str, Path]) -> None:
    result = run(card, pictures["both"], pictures["none"], "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert sorted(face["face"] for face in answer["faces"]) == [1, 2]
    assert answer["without_faces"] == [str(pictures["none"])]
    assert "no face" in result.stderr
    best = told(card, pictures["both"], "--faces", "best")["faces"]
    assert len(best) == 1 and best[0]["face"] in (1, 2)


def test_nobody_there(card: Path, pictures: dict[str, Path]) -> None:
    assert run(card, pictures["none"]).exit_code == 2


def test_a_video_is_read_in_windows_in_the_order_of_time(card: Path, pictures: dict[str, Path]) -> None:
    faces = told(card, pictures["video"])["faces"]
    assert [(round(face["span"][0]), face["track"], face["label"]) for face in faces] == [
        (0, 0, "happy"), (1, 0, "happy"), (2, 0, "happy"), (2, 1, None),
    ]  # fmt: skip
    assert all(face["span"][1] - face["span"][0] < 1 and face["face"] is None for face in faces)
    assert len(told(card, pictures["video"], "--every", "0.5")["faces"]) == 8
    assert len(told(card, pictures["video"], "--every", "60")["faces"]) == 2
    best = told(card, pictures["video"], "--faces", "best")["faces"]
    assert [round(face["span"][0]) for face in best] == [0, 1, 2]
    words = run(card, pictures["video"]).stdout
    assert "track 1" in words and "0:01.0 to 0:01.9" in words


def test_every_frame_by_itself(card: Path, pictures: dict[str, Path]) -> None:
    faces = told(card, pictures["video"], "--every", "0")["faces"]
    first = [face["index"] for face in faces if face["track"] == 0]
    assert first == list(range(1, 3 * scenes.FPS)), "a track is told from its second frame on"
    assert [face["index"] for face in faces] == sorted(face["index"] for face in faces)


def test_the_folder_of_a_run_and_quality(card: Path, pictures: dict[str, Path]) -> None:
    assert told(card.parent, pictures["red"])["faces"][0]["label"] == "happy"
    face = told("quality", pictures["red"])["faces"][0]
    assert [reading["kind"] for reading in face["readings"]] == ["quality"] and face["label"] is None
    (row,) = rows(run("quality", pictures["red"], "--csv").stdout)
    assert float(row["overall"]) == pytest.approx(face["readings"][0]["scores"]["overall"])
    assert "predicted" not in row and "valence" not in row
    assert "overall" in run("quality", pictures["red"]).stdout
    assert rows(run("iso_quality", pictures["red"], "--csv").stdout)[0]["dynamic_range"]


def test_pictures_and_videos_are_drawn(card: Path, pictures: dict[str, Path], tmp_path: Path) -> None:
    single = tmp_path / "out.png"
    assert told(card, pictures["both"], "--draw", single)["drawn"] == [str(single)]
    plain, drawn = read_image(pictures["both"]).pixels, read_image(single).pixels
    assert drawn.shape == plain.shape and (drawn != plain).any()
    amber = (drawn == (245, 158, 11)).all(2)
    assert amber[:, 160:].any() and not amber[:, :160].any(), "the face that was not read, and only that"
    folder = tmp_path / "drawn"
    names = told(card, pictures["red"], pictures["video"], pictures["none"], "--draw", folder)["drawn"]
    assert [Path(name).name for name in names] == ["red.read.jpg", "video.readings.png"]
    assert read_image(names[1]).width == 1600
    refused = run(card, pictures["red"], "--draw", pictures["red"])
    assert refused.exit_code == 64 and "destroy it" in refused.stderr
    assert run("iso_quality", pictures["red"], "--draw", single).exit_code == 0


@pytest.mark.parametrize("name", ["empty.jpg", "text.png", "grün 顔 😀.jpg", "missing.jpg", "cut.mp4"])
def test_what_cannot_be_used_is_told_and_the_rest_goes_on(
    card: Path, pictures: dict[str, Path], tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    content = {"empty.jpg": b"", "text.png": b"words " * 99, "cut.mp4": pictures["video"].read_bytes()[:2000]}
    if name in content:
        path.write_bytes(content[name])
    elif name != "missing.jpg":
        path.write_bytes(pictures["red"].read_bytes())
    result = run(card, path, pictures["red"], "--json")
    answer = json.loads(result.stdout)
    assert "Traceback" not in result.output
    if name.startswith("grün"):
        assert (result.exit_code, len(answer["faces"])) == (0, 2)
        assert answer["faces"][0]["source"] == str(path)
        return
    assert result.exit_code == (66 if name == "missing.jpg" else 65)
    assert len(answer["faces"]) == 1 and len(answer["failures"]) == 1
    assert name in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["mood", "x.jpg"], 64, "There is no judge 'mood'"),
        (["dlib_resnet", "x.jpg"], 64, "not one of a classifier"),
        (["gone.toml", "x.jpg"], 64, "no card at gone.toml"),
        (["quality"], 64, "Missing argument"),
        (["quality", "x.jpg", "--every", "nan"], 64, "no length of windows"),
        (["quality", "x.jpg", "--every", "-1"], 64, "no length of windows"),
        (["quality", "x.jpg", "--every", "1e9"], 64, "no length of windows"),
        (["quality", "x.jpg", "--format", "fex", "--json"], 64, "Leave --json away"),
        (["quality", "camera:97"], 66, "no camera camera:97"),
    ],
)
def test_words_that_make_no_sense(words: list[str], code: int, said: str) -> None:
    result = run(*words)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output


def test_a_huge_picture_is_refused(card: Path, tmp_path: Path) -> None:
    path = tmp_path / "huge.ppm"
    path.write_bytes(b"P6\n60000 60000\n255\n" + b"\0" * 100)
    result = run(card, path)
    assert result.exit_code == 65 and "Traceback" not in result.output and "huge.ppm" in result.stderr


def test_tables_of_other_tools(card: Path, pictures: dict[str, Path]) -> None:
    result = run(card, pictures["both"], pictures["video"], pictures["none"], "--format", "fex")
    found = rows(result.stdout)
    assert result.exit_code == 0 and tuple(found[0]) == tables.FEX
    assert [row["input"] for row in found][-1] == str(pictures["none"]) and found[-1]["FaceScore"] == ""
    read = [row for row in found if row["happiness"]]
    assert all(sum(float(row[name]) for name in tables.EMOTIONS) == pytest.approx(1, abs=1e-4) for row in read)
    assert len(read) == 1 + 3 * scenes.FPS - 1, "every frame by itself"
    other = rows(run(card, pictures["video"], pictures["none"], "--format", "openface").stdout)
    assert tuple(other[0]) == tables.OPENFACE
    assert [row["frame"] for row in other[:3]] == ["2", "3", "4"]
    assert other[-1]["success"] == "0" and {row["success"] for row in other[:-1]} == {"1"}
    assert tuple(rows(run(card, pictures["none"], "--format", "fex").stdout)[0]) == tables.FEX


def test_what_was_read_until_somebody_stops_it_is_told_and_drawn(
    card: Path, pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = Engine.readings

    def stopped(*words: Any, **more: Any) -> Iterator[Any]:
        for number, seen in enumerate(readings(*words, **more)):
            if number == 2:
                raise KeyboardInterrupt
            yield seen

    monkeypatch.setattr(Engine, "readings", stopped)
    result = run(card, pictures["video"], "--json", "--draw", tmp_path / "out.png")
    answer = json.loads(result.stdout)
    assert result.exit_code == 130 and answer["stopped"] is True
    assert len(answer["faces"]) == 2 and (tmp_path / "out.png").is_file()


def clip(track: int, first: int, last: int) -> Clip:
    points = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
    box = np.array([30, 30, 70, 75], np.float32)
    pixels = np.zeros((100, 100, 3), np.uint8)
    faces = [Face(Frame(pixels, "film", at, at / 25), box, points, 0.9, track) for at in range(first, last + 1)]
    return Clip(tuple(faces), fps=25)


def test_windows_wait_for_who_left_and_nothing_is_lost_when_a_video_fails() -> None:
    def broken() -> Iterator[tuple[Clip, list[Any]]]:
        for one in (clip(1, 0, 24), clip(0, 3, 20), clip(1, 25, 49), clip(1, 50, 74), clip(1, 75, 80)):
            yield one, []
        raise UnreadableMedia("It is cut short.")

    walk = in_order(broken(), 1.0)
    assert [one.faces[0].track for one, _ in next(walk)] == [0, 1], "both of the first second, by track"
    rest = []
    with pytest.raises(UnreadableMedia):
        for window in walk:
            rest += [one.faces[0].frame.index for one, _ in window]
    assert rest == [25, 50, 75]


def test_a_frame_waits_as_long_as_a_tracker_waits_for_somebody() -> None:
    """Somebody seen in the first frame only is given up after a dozen more, and belongs to that first frame."""
    alone = [(clip(1, at, at), []) for at in range(30)]
    alone.insert(13, (clip(0, 0, 0), []))
    walk = [[one.faces[0].track for one, _ in window] for window in in_order(alone, 0.0)]
    assert walk == [[0, 1], *[[1]] * 29]


def test_the_timeline_of_an_endless_video_stays_small(tmp_path: Path) -> None:
    strip = Strip(Canvas.folder(str(tmp_path)), "camera:0", LABELS)
    face = clip(0, 0, 0).best
    record = {"score_of": "happy", "label": "happy", "value": 0.6, "scores": {"happy": 0.6, "sad": 0.4}}
    for second in range(3 * WINDOWS):
        read = record if second % 3 else {"score_of": None, "label": None, "value": None, "scores": {}}
        strip.add(face, read | {"span": [float(second), second + 0.9]})
    (track,) = strip.tracks.values()
    assert isinstance(track, _Track)
    assert len(track.spans) == len(track.shares) < WINDOWS
    assert (track.spans[0][0], track.spans[-1][1]) == (0.0, pytest.approx(3 * WINDOWS - 0.1))
    strip.write()
    assert read_image(tmp_path / "camera_0.readings.png").width == 1600
