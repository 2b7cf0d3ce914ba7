"""Rendered faces: is what is said of a picture true of its pixels?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import detect
from mien.errors import InputError
from mien.learn.synth.model import load_face
from mien.learn.synth.people import draw_person
from mien.learn.synth.render import Engine
from mien.learn.synth.shade import PULSE
from mien.learn.synth.state import PARTS, Person, Rendered, Scene, State
from mien.learn.synth.surface import Candidates, Topology
from mien.learn.synth.units import UNITS, blendshapes
from mien.types import Frame

SCENE = Scene(size=96, fill=0.7, centre=(0.0, 4.0))
SKIN, EYE, TEETH, MOUTH, HAIR = (PARTS.index(name) for name in ("skin", "eye", "teeth", "mouth", "hair"))
# iBUG's 68 points as a mirror shows them.
SWAP = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
        41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]  # fmt: skip


def even(seed: int = 5) -> Person:
    """Somebody with a symmetric face: only the model's first coefficients, which have no sides."""
    person = draw_person(seed)
    return replace(person, shape=np.where(np.arange(100) < 8, person.shape, 0).astype(np.float32))


def mirrored(state: State, scene: Scene) -> tuple[State, Scene]:
    units = {name: (right, left) for name, (left, right) in state.units.items()}
    yaw, pitch, roll = state.pose
    turned = replace(state, units=units, pose=(-yaw, pitch, -roll), gaze=(-state.gaze[0], state.gaze[1]),
                     blink=(state.blink[1], state.blink[0]))  # fmt: skip
    return turned, replace(scene, light=(-scene.light[0], scene.light[1]), centre=(-scene.centre[0], scene.centre[1]))


def count(shot: Rendered, part: int) -> int:
    return int((shot.mask == part).sum())


def test_a_mirrored_face_has_the_mirrored_truth(engine: Engine) -> None:
    scene = replace(SCENE, centre=(5.0, 3.0))
    state = State(
        units={"AU12": (0.9, 0.1), "AU2": (0.0, 0.8), "AU26": (0.5, 0.5)}, pose=(0.4, 0.1, 0.2), blink=(1.0, 0.0)
    )
    one, other = engine.render(even(), state, scene), engine.render(even(), *mirrored(state, scene))
    flipped = np.stack([scene.size - 1 - other.landmarks[SWAP, 0], other.landmarks[SWAP, 1]], 1)
    np.testing.assert_allclose(one.landmarks, flipped, atol=0.05)
    np.testing.assert_allclose(one.points[:, 0], scene.size - 1 - other.points[[1, 0, 2, 4, 3], 0], atol=0.05)
    assert (one.mask == other.mask[:, ::-1]).mean() > 0.99
    both = np.isfinite(one.depth) & np.isfinite(other.depth[:, ::-1])
    assert np.median(np.abs(one.depth[both] - other.depth[:, ::-1][both])) < 0.01


@pytest.mark.parametrize("yaw", [-0.5, 0.0, 0.5])
def test_landmarks_lie_on_the_surface_that_the_pixels_show(engine: Engine, yaw: float) -> None:
    """Depth at a landmark's pixel is that of its vertex; the nose's tip is the face's front."""
    shot = engine.render(even(), State(pose=(yaw, 0.0, 0.0)), replace(SCENE, size=256, centre=(0.0, 10.0)))
    x, y = np.rint(shot.landmarks).astype(int).T
    inner = shot.depth[y[27:36], x[27:36]]
    assert np.isfinite(inner).all()
    assert inner.argmin() in (3, 4, 5, 6, 7)
    for corner in (48, 54):
        if yaw * (corner - 51) <= 0:  # on the side that is turned to the camera, or both
            assert shot.mask[y[corner] - 1 : y[corner] + 2, x[corner] - 1 : x[corner] + 2].min() >= SKIN
    assert shot.depth[y[8] - 3, x[8]] > shot.depth[y[30], x[30]], "the chin lies behind the nose"


def test_only_one_corner_of_the_mouth_moves(engine: Engine) -> None:
    rest = engine.render(even(), State(), SCENE).landmarks
    left = engine.render(even(), State(units={"AU12": (1.0, 0.0)}), SCENE).landmarks
    moved = np.linalg.norm(left - rest, axis=1)
    assert moved[54] > 2.0, "the subject's left corner, on the right of the picture"
    assert left[54, 1] < rest[54, 1], "is pulled up"
    assert moved[48] < 0.15 * moved[54]
    assert moved[:27].max() < 0.5 * moved[54]


@pytest.mark.parametrize(("side", "eye"), [((1.0, 0.0), 1), ((0.0, 1.0), 0)])
def test_a_blink_closes_the_eye_of_its_side(engine: Engine, side: tuple[float, float], eye: int) -> None:
    def seen(shot: Rendered) -> tuple[int, int]:
        middle = int(shot.points[2, 0])
        return int((shot.mask[:, :middle] == EYE).sum()), int((shot.mask[:, middle:] == EYE).sum())

    open_, shut = (seen(engine.render(even(), State(blink=blink), SCENE)) for blink in ((0.0, 0.0), side))
    assert min(open_) > 15
    assert shut[eye] <= 2
    assert shut[1 - eye] == open_[1 - eye]


def test_teeth_can_be_taken_out(engine: Engine) -> None:
    smile = State(units={"AU12": (1.0, 1.0), "AU25": (1.0, 1.0), "AU10": (0.6, 0.6)})
    shown, dark = (engine.render(even(), replace(smile, teeth=teeth), SCENE) for teeth in (1.0, 0.0))
    assert count(shown, TEETH) > 20
    assert count(dark, TEETH) == 0
    assert count(dark, MOUTH) == count(shown, TEETH) + count(shown, MOUTH)
    where = shown.mask == TEETH
    assert shown.pixels[where].mean() > 2 * dark.pixels[where].mean()
    assert count(engine.render(even(), State(units={"AU24": (1.0, 1.0)}), SCENE), TEETH) < 5, "closed lips hide them"


def test_the_iris_goes_where_the_eye_looks(engine: Engine) -> None:
    def dark(gaze: tuple[float, float]) -> float:
        """Of the subject's left eye: mean x of its dark pixels from the eye's centre, px."""
        shot = engine.render(even(), State(gaze=gaze), replace(SCENE, size=256))
        rows, columns = np.nonzero(shot.mask == EYE)
        left = columns > shot.points[2, 0]
        weight = 255.0 - shot.pixels[rows[left], columns[left]].mean(1)
        return float(np.average(columns[left], weights=weight**3) - shot.points[1, 0])

    assert dark((0.5, 0.0)) > dark((0.0, 0.0)) + 2 > dark((-0.5, 0.0)) + 4


def test_what_the_pulse_does_to_the_skin_can_be_measured(engine: Engine) -> None:
    scene, depth = replace(SCENE, pulse_depth=0.02), 0.02
    bare, high, low = (engine.render(even(), State(pulse=pulse), scene) for pulse in (0.0, 1.0, -1.0))
    skin = (bare.mask == SKIN) & (bare.pixels.max(2) < 250) & (bare.pixels.min(2) > 20)
    change = 1 - high.pixels[skin].mean(0) / bare.pixels[skin].mean(0)
    np.testing.assert_allclose(change, depth * PULSE, rtol=0.12)
    assert change.argmax() == 1, "green changes most"
    assert low.pixels[skin].mean() > bare.pixels[skin].mean() > high.pixels[skin].mean()
    other = np.isin(bare.mask, (PARTS.index("clothes"), HAIR)) & (bare.depth < np.inf)
    same = (high.pixels[other] == low.pixels[other]).all(1)
    assert same.mean() > 0.8, "hair and clothes have no pulse (their edges share pixels with skin)"


def test_equal_arguments_give_equal_pixels(engine: Engine, data: Path) -> None:
    state, scene = State(units={"AU4": (1.0, 0.5)}), replace(SCENE, noise=3.0, weather="rain", jpeg=80)
    one = engine.render(draw_person(9), state, scene)
    engine.render(draw_person(3), State(), SCENE)
    again = engine.render(draw_person(9), state, scene)
    other = Engine(load_face(data / "ict_face_model_light.npz")).render(draw_person(9), state, scene)
    for shot in (again, other):
        assert (one.pixels == shot.pixels).all()
        assert (one.landmarks == shot.landmarks).all()
    assert (one.pixels != engine.render(draw_person(9), state, replace(scene, seed=1)).pixels).any()


def test_triangles_kept_from_embree_would_not_have_been_seen(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    states = [
        State(
            units={name: tuple(rng.uniform(0, 1, 2)) for name in rng.choice(sorted(UNITS), 3)},
            pose=tuple(rng.uniform(-0.7, 0.7, 3) * (1, 0.6, 0.5)),
            gaze=tuple(rng.uniform(-0.4, 0.4, 2)),
        )
        for _ in range(12)
    ]
    people = [draw_person(seed) for seed in range(12)]
    lean = [engine.render(person, state, SCENE) for person, state in zip(people, states, strict=True)]
    monkeypatch.setattr(Topology, "openings", lambda self, kept, marks, places: None)
    monkeypatch.setattr(
        Candidates, "meeting", lambda self, wanted, reach, skin=False: self.triangle[self.skin | (not skin)]
    )
    whole = [engine.render(person, state, SCENE) for person, state in zip(people, states, strict=True)]
    for one, other in zip(lean, whole, strict=True):
        assert (one.mask != other.mask).mean() < 5e-4
        assert (one.pixels != other.pixels).any(2).mean() < 2e-3


@settings(max_examples=15, deadline=None)
@given(
    yaw=st.floats(-0.6, 0.6), pitch=st.floats(-0.4, 0.4), roll=st.floats(-0.5, 0.5), seed=st.integers(0, 99),
    focal=st.floats(1.0, 6.0), fill=st.floats(0.3, 0.9),
)  # fmt: skip
def test_truth_and_pixels_agree_in_any_pose(
    engine: Engine, yaw: float, pitch: float, roll: float, seed: int, focal: float, fill: float
) -> None:
    shot = engine.render(draw_person(seed), State(pose=(yaw, pitch, roll)), replace(SCENE, focal=focal, fill=fill))
    assert np.isfinite(shot.landmarks).all()
    assert (shot.mask > 0).sum() == np.isfinite(shot.depth).sum()
    x0, y0, x1, y1 = shot.box
    assert (shot.landmarks >= (x0 - 1e-3, y0 - 1e-3)).all() and (shot.landmarks <= (x1 + 1e-3, y1 + 1e-3)).all()
    right, left = shot.points[:2]
    np.testing.assert_allclose(np.arctan2(*(left - right)[::-1]), roll, atol=0.35)
    nose, middle = shot.points[2], (right + left) / 2
    along = (left - right) / np.linalg.norm(left - right)
    assert abs(yaw) < 0.15 or np.sign((nose - middle) @ along) == np.sign(yaw), (
        "the nose points where the head is turned"
    )
    eyes = np.argwhere(shot.mask == EYE)[:, ::-1]
    if len(eyes) > 8:
        far = np.linalg.norm(eyes[:, None] - shot.points[None, :2], axis=2).min(1)
        assert np.median(far) < 0.3 * np.linalg.norm(left - right) + 2


def test_the_face_is_as_large_as_asked(engine: Engine) -> None:
    for fill in (0.4, 0.8):
        for focal in (1.5, 4.0):
            shot = engine.render(even(), State(), Scene(size=200, fill=fill, focal=focal))
            assert shot.box[3] - shot.box[1] == pytest.approx(200 * fill, rel=0.08)


def test_our_own_detector_finds_them(engine: Engine) -> None:
    detector = detect.load()
    shots = [engine.render(draw_person(1000 + seed), State(), Scene(size=128, fill=0.62)) for seed in range(12)]
    found = [detector.detect([Frame(shot.pixels)])[0] for shot in shots]
    assert sum(len(faces) == 1 for faces in found) >= 11
    errors = [
        np.linalg.norm(faces[0].points - shot.points, axis=1).mean() / np.linalg.norm(shot.points[1] - shot.points[0])
        for faces, shot in zip(found, shots, strict=True)
        if faces
    ]
    assert np.mean(errors) < 0.08


def test_darker_people_are_darker(engine: Engine) -> None:
    def lightness(melanin: float) -> float:
        shot = engine.render(replace(even(), melanin=melanin), State(), SCENE)
        return float(shot.pixels[shot.mask == SKIN].mean())

    found = [lightness(melanin) for melanin in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 2 * found[-1]


def test_a_light_from_the_left_lights_the_left(engine: Engine) -> None:
    shot = engine.render(even(), State(), replace(SCENE, light=(1.0, 0.1), ambient=0.1))
    skin = np.where(shot.mask == SKIN, shot.pixels.mean(2), np.nan)
    middle = int(shot.points[2, 0])
    assert np.nanmean(skin[:, middle + 8 :]) > 1.5 * np.nanmean(skin[:, : middle - 8])


def test_what_the_engine_does_not_have_is_told(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no action unit 'AU99'"):
        engine.render(even(), State(units={"AU99": (1.0, 1.0)}), SCENE)
    with pytest.raises(InputError, match="no occluder 'hat'"):
        engine.render(even(), State(), replace(SCENE, occluder="hat"))
    with pytest.raises(InputError, match="100 coefficients"):
        engine.render(replace(even(), shape=np.zeros(3, np.float32)), State(), SCENE)
    (tmp_path / "face.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match="is no face model"):
        load_face(tmp_path / "face.npz")
    with pytest.raises(InputError, match="is no face model"):
        load_face(tmp_path / "absent.npz")


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_every_unit_moves_the_face_on_its_side(engine: Engine, unit: str) -> None:
    model = engine.model
    person = even()
    rest = model.rest(person.shape)
    for side in (0, 1):
        sides = (1.0, 0.0) if side == 0 else (0.0, 1.0)
        moved = np.linalg.norm(model.shape(person.shape, blendshapes(State(units={unit: sides}))) - rest, axis=1)
        skin = np.unique(model.triangles[model.material == 0])
        x = model.neutral[skin, 0] * (1 if side == 0 else -1)
        assert moved[skin].max() > 0.1, "cm"
        sided = any(name.endswith("_") for name in UNITS[unit][0])
        if sided:
            assert moved[skin][x > 1].sum() > moved[skin][x < -1].sum()
