"""The real face model behind the same machinery: pulse and sides are in the pixels, and workers agree."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mien.learn.synth.clips import More, clips
from mien.learn.synth.maker import FaceMaker
from mien.learn.synth.manifest import Wanted, truths
from mien.learn.synth.produce import jobs, produce
from mien.learn.synth.program import load_program
from mien.learn.synth.script import changed
from mien.learn.synth.truth import Truth

Few = Callable[..., Wanted]


@pytest.fixture(scope="module")
def face(data: Path) -> FaceMaker:
    path = data / "ict_face_model_light.npz"
    if not path.is_file():
        pytest.skip("the face model is absent")
    return FaceMaker(path, hashlib.sha256(path.read_bytes()).hexdigest())


def test_the_heart_rate_of_a_rendered_clip(
    face: FaceMaker, few: Few, tmp_path: Path, rate_of: Callable[[Path, Truth], float]
) -> None:
    """UBFC-like: green over the middle of the face, strongest frequency; within 2 bpm. Nothing but the box is looked up."""
    program = replace(load_program("pulse"), seconds=14.0)
    wanted = replace(few(layout="ubfc", subjects=1, fps=10.0, size=48), program=program)
    produce(wanted, tmp_path, face)
    (truth,) = truths(tmp_path, [job.name for job in jobs(wanted)])
    assert rate_of(tmp_path / truth.media["video"], truth) == pytest.approx(truth.heart_rate, abs=2.0)


def test_workers_render_the_same_face(
    face: FaceMaker, few: Few, tmp_path: Path, bytes_of: Callable[[Path], dict[str, str]]
) -> None:
    wanted = few("unilateral", kind="stills", subjects=1, size=48, extras=("masks", "depth"))
    wanted = replace(wanted, program=changed(wanted.program, {"noise": 3.0, "weather": ["rain"]}, {}))
    produce(wanted, tmp_path / "one", face, threads=1)
    produce(wanted, tmp_path / "two", face, threads=2)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_the_left_is_the_subjects(face: FaceMaker) -> None:
    """A smile on the subject's left moves the right half of the picture, and the other way round."""
    ahead = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "light_yaw": 0.0, "off": 0.0}
    program = changed(load_program("unilateral"), ahead, {"head": 0.0, "blinks": 0.0, "gaze": 0.0, "pulse": 0.0})
    made = clips(program, subjects=1, frames=6, size=64, more=More(make=face))
    smile = made.unit_names.index("AU12")
    for name, pixels, units in zip(made.names, made.pixels.astype(float).mean(-1), made.units, strict=True):
        strength = units[:, smile].max(1)
        moved = abs(pixels[strength.argmax()] - pixels[strength.argmin()])
        left, right = moved[:, 32:].sum(), moved[:, :32].sum()
        if "left" in name:
            assert left > 2 * right
        elif "right" in name:
            assert right > 2 * left
