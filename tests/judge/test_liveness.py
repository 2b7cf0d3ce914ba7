"""The liveness judge against the reference's own numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from mien import Engine, judge, read_image
from mien.align import surroundings
from mien.cli.group import group
from mien.judge.liveness import FAR, NEAR, Liveness, crop, region, usual_box
from mien.models import session
from mien.models.build.minifasnet import build
from mien.types import Clip, Face, Frame

# Boxes of the reference's detector as x, y, width, height, and the probabilities of its two networks in PyTorch, made by its
# own code at commit b6d5f04 on its three samples.
REFERENCE = {
    "image_F1.jpg": ((178, 136, 223, 225), (0.083704, 0.001333, 0.914963), (0.308366, 0.143330, 0.548304)),
    "image_F2.jpg": ((120, 252, 252, 256), (0.000162, 0.000639, 0.999200), (0.002955, 0.361933, 0.635112)),
    "image_T1.jpg": ((106, 147, 207, 213), (0.000141, 0.990223, 0.009636), (0.000014, 0.996913, 0.003074)),
}
# The same of four crops of noise, seed 0: mean of both networks.
NOISE = ((0.006529, 0.990477, 0.002994), (0.001950, 0.996469, 0.001581), (0.007912, 0.990720, 0.001368))


@pytest.fixture(scope="module")
def liveness(data_models: Path, module_patch: pytest.MonkeyPatch, tmp_path_factory: Any) -> Liveness:
    module_patch.setenv("MIEN_MODELS", str(data_models))
    made = judge.load("liveness")
    assert isinstance(made, Liveness)
    return made


@pytest.fixture(scope="module")
def module_patch() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def engine(liveness: Liveness) -> Engine:
    return Engine(judges=[liveness], threads=1)


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_scores_are_the_references(liveness: Liveness, data: Path, name: str) -> None:
    (x, y, width, height), near, far = REFERENCE[name]
    pixels = read_image(data / "spoof" / name).pixels
    found = liveness.probabilities([(pixels, np.array([x, y, x + width, y + height], np.float32))])
    assert np.allclose(
        found[0], (np.array(near) + np.array(far)) / 2, atol=2e-3
    )  # JPEG decoders differ by a grey level


def test_the_networks_are_the_references(data_models: Path, tmp_path: Path) -> None:
    weights = {"near": "2.7_80x80_MiniFASNetV2.pth", "far": "4_0_0_80x80_MiniFASNetV1SE.pth"}
    graph = tmp_path / "net.onnx"  # built anew: the judge's own may be of an earlier build
    graph.write_bytes(build({role: data_models / name for role, name in weights.items()})["net"])
    noise = np.random.default_rng(0).integers(0, 256, (4, 80, 80, 3), np.uint8)
    found = session(graph).run(None, {"near": noise, "far": noise})[0]
    assert np.allclose(found[:3], NOISE, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "label"), [("image_F1.jpg", "attack"), ("image_F2.jpg", "attack"), ("image_T1.jpg", "live")]
)
def test_its_samples_are_told_apart_with_our_detector(engine: Engine, data: Path, name: str, label: str) -> None:
    ((_, readings),) = engine.readings(data / "spoof" / name)
    assert readings[1].kind == "liveness" and readings[1].label == label
    assert readings[1].scores[label] > 0.8


def test_a_face_without_surroundings_or_too_small_gets_no_answer(engine: Engine, data: Path) -> None:
    frame = read_image(data / "spoof" / "image_T1.jpg")
    (face,) = engine.faces(frame)
    x0, y0, x1, y1 = (int(value) for value in face.box)
    tight = Frame(np.ascontiguousarray(frame.pixels[y0:y1, x0:x1]))
    moved = replace(face, frame=tight, box=face.box - [x0, y0, x0, y0], points=face.points - [x0, y0])
    small = replace(face, points=face.points / 10)
    for one, words in ((moved, "fills the picture"), (small, "too small")):
        (reading,) = engine.judges[1].judge(Clip((one,)))
        assert reading.scores == {} and words in reading.reasons[0]


def test_a_wider_crop_gives_the_same_answer_as_the_picture(engine: Engine, data: Path) -> None:
    frame = read_image(data / "spoof" / "image_T1.jpg")
    (face,) = engine.faces(frame)
    wide = surroundings(face, FAR)
    assert max(wide.frame.pixels.shape) <= 256
    assert np.allclose(wide.source_box, face.box, atol=0.05)
    scores = [engine.judges[1].judge(Clip((one,)))[0].scores["live"] for one in (face, replace(face, around=wide))]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)


def test_in_a_video_the_surroundings_are_kept(engine: Engine, data: Path) -> None:
    clip = next(engine.clips(data / "video" / "single_face.mp4", every=0.2))
    assert all(face.around is not None for face in clip.faces)
    reading = next(one for one in engine.judge(clip) if one.kind == "liveness")
    assert set(reading.scores) == {"live", "attack"} and sum(reading.scores.values()) == pytest.approx(1)


@pytest.mark.parametrize("corner", [(0, 0), (500, 0), (0, 300), (500, 300), (250, 150)])
def test_crops_stay_inside_and_keep_their_shape(corner: tuple[int, int]) -> None:
    pixels = np.zeros((400, 600, 3), np.uint8)
    box = np.array([*corner, corner[0] + 100, corner[1] + 100], np.float32)
    for wide in (NEAR, FAR):
        (left, top), (right, bottom), seen = region(pixels, box, wide)
        assert 0 <= left < right < 600 and 0 <= top < bottom < 400
        assert seen == pytest.approx(min(wide, 3.99)) and abs((right - left) - (bottom - top)) <= 1
        assert left <= box[0] and top <= box[1] and right >= box[2] - 1 and bottom >= box[3] - 1
        assert crop(pixels, box, wide).shape == (80, 80, 3)


def test_the_box_is_moved_as_measured() -> None:
    face = Face(
        Frame(np.zeros((10, 10, 3), np.uint8)), np.array([0, 0, 100, 140], np.float32), np.zeros((5, 2), np.float32), 1
    )
    assert usual_box(face).tolist() == pytest.approx([-6.3, 19.88, 107.7, 141.68], abs=0.01)


def test_an_attack_is_not_called_somebody_else(liveness: Liveness, data: Path) -> None:
    photo, replay = (str(data / "spoof" / name) for name in ("image_T1.jpg", "image_F1.jpg"))
    found = CliRunner().invoke(group, ["verify", photo, replay, "--require", "liveness:live:0.9"])
    assert found.exit_code == 1 and "what is required was not met" in found.output, found.output
