"""Simulated presentations: what was asked for is what is seen, and nothing but the medium tells them apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from mien.errors import InputError, MediaNotFound, UsageError
from mien.learn.attacks import BONA_FIDE, KINDS, MARK, Attack, Kind, cut, printed, replay, scene, simulate, write
from mien.learn.attacks.attack import Value
from mien.learn.attacks.camera import capture
from mien.learn.attacks.draws import Draws
from mien.learn.attacks.scene import OVER, Canvas, Seen
from mien.types import F32, U8

ATTACKS = tuple(kind for kind in KINDS if kind != BONA_FIDE)
STRAIGHT: dict[str, Value] = {
    **{f"view.tilt {place}{axis}": 0.0 for place in range(4) for axis in "xy"},
    **{"view.turn": 0.0, "view.move x": 0.0, "view.move y": 0.0, "view.zoom": 1.25, "view.lens": 0.3},
    **{"camera.defocus": 0.0, "camera.shake": 0.0, "camera.shade": 0.0, "camera.vignette": 0.0, "camera.jpeg": 96},
    **{"camera.shot noise": 0.001, "camera.read noise": 0.001, "camera.sharpening": 0.0, "camera.contrast": 0.0},
}
DISPLAY: dict[str, Value] = {
    **{"replay.device": "monitor", "replay.edge seen": False, "replay.bands seen": False, "replay.window seen": False},
    **{"replay.reflection": 0.003, "replay.gamma": 2.2, "replay.black": 0.0},
}
PAPER: dict[str, Value] = {
    **{"printed.bent": False, "printed.edge seen": False, "printed.glossy": False, "printed.paper rough": 0.003},
}


def face(seed: int = 0, side: int = 96) -> U8:
    """A smooth picture with some detail, in colour."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(30, 226, (9, 9, 3), dtype=np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    fine = random.normal(0, 12, (side, side, 1))
    return np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8)


def grey(level: int = 128, side: int = 160) -> U8:
    return np.full((side, side, 3), level, np.uint8)


def rows(attack: Attack) -> NDArray[np.float64]:
    """Amplitudes of the mean row's frequencies, cycles per picture."""
    line = attack.pixels.astype(np.float64).mean((0, 2))
    return np.abs(np.fft.rfft((line - line.mean()) * np.hanning(len(line))))


# --- the record -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_a_picture_and_its_parameters_are_its_truth(kind: Kind) -> None:
    one, again, other = (simulate(face(), kind, seed, size=(48, 40)) for seed in (5, 5, 6))
    assert one.pixels.shape == (40, 48, 3) and one.mask.shape == (40, 48) and one.pixels.dtype == np.uint8
    assert (one.pixels == again.pixels).all() and (one.mask == again.mask).all() and one.parameters == again.parameters
    assert (one.pixels != other.pixels).any() and one.parameters != other.parameters
    repeated = simulate(face(), kind, 5, size=(48, 40), fixed=one.parameters)
    assert (repeated.pixels == one.pixels).all()
    assert json.loads(one.truth)["parameters"] == dict(one.parameters)


def test_the_camera_and_the_view_do_not_know_the_kind() -> None:
    shared = [
        {name: value for name, value in simulate(face(), kind, 11, size=(32, 32)).parameters.items() if name[0] in "vc"}
        for kind in KINDS
    ]
    shared = [{k: v for k, v in one.items() if k.startswith(("view.", "camera."))} for one in shared]
    assert len(shared[0]) > 20 and all(one == shared[0] for one in shared)


def test_fixed_values_change_nothing_else() -> None:
    free, held = (simulate(face(), "print", 3, size=(32, 32), fixed=fixed) for fixed in ({}, {"printed.inches": 2.0}))
    assert held.parameters["printed.inches"] == 2.0
    # A fixed value can decide which draws follow, never what a draw of the same name gives.
    both = set(free.parameters) & set(held.parameters) - {"printed.inches"}
    assert {name: free.parameters[name] for name in both} == {name: held.parameters[name] for name in both}


def test_species_name_the_instrument() -> None:
    attacks = [simulate(face(), kind, 1, size=(32, 32)) for kind in KINDS]
    assert [one.species.split(", ")[0] for one in attacks] == list(KINDS)
    fixed: dict[str, Value] = {"replay.device": "phone"}
    assert simulate(face(), "replay", 0, size=(32, 32), fixed=fixed).species == "replay, phone"


@pytest.mark.parametrize("kind", [BONA_FIDE, "replay"])
def test_what_is_written_says_simulated(kind: Kind, tmp_path: Path) -> None:
    attack = simulate(face(), kind, 2, size=(40, 40))
    picture, mask, truth = write(attack, tmp_path / "one.png")
    with Image.open(picture) as image:
        assert image.info["Description"].startswith(MARK) and MARK in json.loads(image.info["Parameters"])["provenance"]
        assert (np.asarray(image) == attack.pixels).all()
    with Image.open(mask) as image:
        assert (np.asarray(image) == attack.mask).all()
    assert json.loads(truth.read_text())["provenance"] == MARK and attack.frame.source.startswith(MARK)
    with pytest.raises(UsageError, match="suffix"):
        write(attack, tmp_path / "one.jpg")
    with pytest.raises(MediaNotFound, match="no folder"):
        write(attack, tmp_path / "absent" / "one.png")


# --- no shortcuts -----------------------------------------------------------------------------------------------------


def without_media(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instruments that show the photo as it is: what is left of an attack is everything but its medium."""

    def plain(canvas: Canvas, *_: object) -> Seen:
        return Seen(canvas.light, np.ones(canvas.u.shape, np.float32), np.zeros(canvas.u.shape, np.float32))

    monkeypatch.setattr(printed, "render", plain)
    monkeypatch.setattr(printed, "bend", lambda view, stream: (view.u, view.v, np.ones_like(view.u)))
    monkeypatch.setattr(replay, "render", plain)
    monkeypatch.setattr(replay, "prepare", lambda source, stream: source)
    monkeypatch.setattr(cut, "put", lambda above, below, cover, stream: above)


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_without_its_medium_is_the_bona_fide_picture(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    without_media(monkeypatch)
    assert (
        simulate(face(), kind, 9, size=(48, 48)).pixels == simulate(face(), BONA_FIDE, 9, size=(48, 48)).pixels
    ).all()


def statistics(pixels: U8) -> list[float]:
    """What a lazy detector would learn: brightness, contrast, colour, sharpness, blocks of JPEG, noise."""
    x = pixels.astype(np.float64)
    luma = x @ [0.299, 0.587, 0.114]
    step = np.abs(np.diff(luma, axis=1)).mean(0)
    seam = step[7::8].mean() / (np.delete(step, np.arange(7, len(step), 8)).mean() + 1e-9)
    lap = 4 * luma[1:-1, 1:-1] - luma[:-2, 1:-1] - luma[2:, 1:-1] - luma[1:-1, :-2] - luma[1:-1, 2:]
    colour = x.mean((0, 1)) / x.mean()
    chroma = x[..., 0] - x[..., 2]
    return [
        *(luma.mean(), luma.std(), np.log(lap.var() + 1), np.log(np.median(np.abs(lap)) + 0.1), seam),
        *(colour[0], colour[2], chroma.std(), np.percentile(luma, 1), np.percentile(luma, 99)),
    ]


def probed(kind: Kind, count: int = 80) -> float:
    """Cross-validated accuracy of a probe of global statistics, bona fide against a kind, other seeds throughout."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    taken = [(BONA_FIDE, seed) for seed in range(count)] + [(kind, 1000 + seed) for seed in range(count)]
    x = np.array([statistics(simulate(face(seed % 1000), which, seed, size=(32, 32)).pixels) for which, seed in taken])
    y = np.repeat([0, 1], count)
    return float(cross_val_score(make_pipeline(StandardScaler(), LogisticRegression()), x, y, cv=6).mean())


def test_global_statistics_tell_nothing_before_the_medium_and_something_after(monkeypatch: pytest.MonkeyPatch) -> None:
    assert probed("print") > 0.65
    without_media(monkeypatch)
    assert abs(probed("print") - 0.5) < 0.11 and abs(probed("replay") - 0.5) < 0.11  # sd of chance: 0.04


# --- media ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pixels", "expected"), [(345.0, 20), (358.75, 31), (295.0, 20)])
def test_moire_appears_where_display_and_sensor_beat(pixels: float, expected: int) -> None:
    """The sensor has 4 x 64 = 256 px over 1 / 1.25 of the photo's width: a display of N px per width beats at
    |N / 1.25 - 256| cycles per picture."""
    assert round(abs(pixels / 1.25 - 256)) == expected
    shown = simulate(grey(), "replay", 1, size=(64, 64), fixed={**STRAIGHT, **DISPLAY, "replay.pixels": pixels})
    fine = simulate(grey(), "replay", 1, size=(64, 64), fixed={**STRAIGHT, **DISPLAY, "replay.pixels": 3000.0})
    spectrum = rows(shown)
    assert abs(int(spectrum[4:].argmax()) + 4 - expected) <= 1
    assert spectrum[expected] > 8 * rows(fine)[expected]


@pytest.mark.parametrize("cycles", [12, 20])
def test_halftone_dots_repeat_as_often_as_lines_per_inch_say(cycles: int) -> None:
    """Black at 45 degrees: cycles / sqrt(2) along both axes; the other screens are printed in grey too, but weaker."""
    fixed: dict[str, Value] = {
        **{**STRAIGHT, **PAPER, "printed.process": "halftone", "printed.lines per inch": "65"},
        **{"printed.inches": cycles * 1.25 / 65, "printed.grey replaced": 1.0},
    }
    seen = simulate(grey(90), "print", 4, size=(64, 64), fixed=fixed).pixels.astype(np.float64).mean(2)
    window = np.hanning(64)[:, None] * np.hanning(64)[None, :]
    spectrum = np.abs(np.fft.fft2((seen - seen.mean()) * window))
    spectrum[:4, :4] = spectrum[:4, -3:] = 0
    row, column = np.unravel_index(int(spectrum[:32].argmax()), spectrum[:32].shape)
    aimed = cycles / np.sqrt(2)
    assert abs(row - aimed) <= 1 and abs(min(column, 64 - column) - aimed) <= 1


@settings(deadline=None, max_examples=25)
@given(st.floats(0.02, 0.98), st.sampled_from(["65", "85"]), st.integers(0, 99))
def test_screens_cover_as_much_as_they_were_told(amount: float, lines: str, seed: int) -> None:
    canvas = flat(seed)
    stream = Draws(seed, {"p.lines per inch": lines}).stream("p")
    dots = printed._screened(canvas, {"black": np.full(canvas.u.shape, amount, np.float32)}, 0.5, stream)["black"]
    assert abs(float(dots.mean()) - amount) < 0.02 and float(dots.std()) > 0.01


@settings(deadline=None, max_examples=25)
@given(st.floats(0.02, 0.98), st.integers(0, 99))
def test_droplets_cover_as_much_as_they_were_told(amount: float, seed: int) -> None:
    canvas = flat(seed)
    stream = Draws(seed, {"p.droplets per inch": 90.0, "p.banding": 0.0}).stream("p")
    dots = printed._scattered(canvas, {"black": np.full(canvas.u.shape, amount, np.float32)}, 1.0, stream)["black"]
    assert abs(float(dots.mean()) - amount) < 0.02 and float(dots.std()) > 0.01


def flat(seed: int) -> Canvas:
    view = scene.look(Draws(seed, {"view.lens": 0.3}).stream("view"), 64, 64)
    return Canvas(view, np.full((*view.u.shape, 3), 0.5, np.float32), view.u, view.v, 1.0)


@settings(deadline=None, max_examples=50)
@given(st.floats(0.1, 5), st.floats(0.1, 0.9), st.floats(0, 1))
def test_stripes_are_integrated_exactly(width: float, share: float, offset: float) -> None:
    """Against a fine sum over the px."""
    start = np.linspace(-2, 2, 7)
    inner = start[:, None] + (np.arange(4000) + 0.5) / 4000 * width
    wanted = (np.mod(inner - offset, 1) < share).mean(1)
    upper = scene.cell_integral(np.float64(start + width), share, offset)  # type: ignore[arg-type]
    found = (upper - scene.cell_integral(np.float64(start), share, offset)) / width  # type: ignore[arg-type]
    assert np.abs(found - wanted).max() < 2e-3


def test_inks_reach_the_colours_between_paper_and_solid() -> None:
    levels = [float(simulate(grey(level), "print", 8, size=(32, 32), fixed={**STRAIGHT, **PAPER, **EVEN}).pixels.mean())
              for level in (0, 255)]  # fmt: skip
    assert abs(levels[0] - levels[1]) < 6  # each is exposed to the same mean: a bare sheet and a black one look alike
    half = np.concatenate([grey(10)[:80], grey(240)[:80]])
    seen = simulate(half, "print", 8, size=(32, 32), fixed={**STRAIGHT, **PAPER, **EVEN}).pixels.astype(float)
    live = simulate(half, BONA_FIDE, 8, size=(32, 32), fixed=STRAIGHT).pixels.astype(float)
    assert seen[:12].mean() - live[:12].mean() > 10  # black ink is not black


EVEN: dict[str, Value] = {"printed.process": "photo", "printed.veil": 0.0, "camera.flare": 0.002}


@pytest.mark.parametrize(("kind", "part"), [("replay", "replay"), ("print", "printed")])
def test_the_frame_is_where_the_mask_says(kind: Kind, part: str) -> None:
    edges: dict[str, Value] = {f"{part}.edge {side}": 0.2 for side in ("left", "top", "right", "bottom")}
    fixed = {**STRAIGHT, **edges, f"{part}.edge seen": True, f"{part}.frame width": 0.05}
    if kind == "replay":
        fixed |= {"replay.bezel light": 0.004, "replay.window seen": False, "replay.reflection": 0.003}
    else:
        fixed |= {"printed.bent": False, "printed.glossy": False}
    seen = simulate(grey(), kind, 3, size=(64, 64), fixed=fixed)
    # The view sees 0.1 .. 0.9 of the photo, the picture ends at 0.2 and the frame at 0.15: at 8 and 4 of 64 px.
    assert (seen.mask[8:56, 8:56] == 1).all() and (seen.mask[:4] == 0).all() and (seen.mask[:, -4:] == 0).all()
    assert (seen.mask[4:8, 10:54] == 2).all() and (seen.mask[10:54, 56:60] == 2).all()
    frame, picture = (float(seen.pixels[seen.mask == value].mean()) for value in (2, 1))
    assert frame < picture - 40 if kind == "replay" else frame > picture + 20


def test_flicker_darkens_bands_of_rows() -> None:
    fixed: dict[str, Value] = {
        **STRAIGHT,
        **DISPLAY,
        "replay.bands seen": True,
        "replay.bands": 5.0,
        "replay.bands depth": 0.25,
    }
    seen = simulate(grey(), "replay", 2, size=(64, 64), fixed=fixed).pixels.astype(np.float64).mean((1, 2))
    assert int(np.abs(np.fft.rfft(seen - seen.mean()))[1:].argmax()) + 1 == 5


def test_live_eyes_look_through_a_cut_sheet() -> None:
    points = np.array([[60, 64], [100, 64], [80, 90], [64, 112], [96, 112]], np.float32)
    fixed: dict[str, Value] = {**STRAIGHT, **PAPER, "cut.holes": "eyes", "cut.hole width": 0.4, "cut.hole height": 0.25}
    seen = simulate(grey(), "cut", 1, points, (80, 80), fixed)
    places = (points / 160 - 0.1) / 0.8 * 80  # the view sees 0.1 .. 0.9
    for x, y in places[:2]:
        assert seen.mask[round(y), round(x)] == 0
    assert seen.mask[round(places[2, 1]), round(places[2, 0])] == 1 and 0.005 < (seen.mask == 0).mean() < 0.1


@pytest.mark.parametrize("region", cut.REGIONS)
def test_a_piece_covers_its_region_only(region: str) -> None:
    fixed: dict[str, Value] = {**STRAIGHT, **PAPER, "partial.region": region, "printed.process": "photo"}
    seen, live = (
        simulate(face(3), "partial", 1, None, (64, 64), fixed),
        simulate(face(3), BONA_FIDE, 1, None, (64, 64), STRAIGHT),
    )
    assert 0.08 < (seen.mask == 1).mean() < 0.62
    side = {"subject's left half": (32, 60), "subject's right half": (32, 4)}.get(region)
    if side:
        assert seen.mask[side] == 1 and seen.mask[side[0], 63 - side[1]] == 0
    # Exposure is common to the whole picture: relative to its level, the live part is as it was.
    ratio = (seen.pixels.astype(float).mean(2) + 8) / (live.pixels.astype(float).mean(2) + 8)
    inside, outside = np.log(ratio[seen.mask == 1]), np.log(ratio[seen.mask == 0])
    assert inside.std() > outside.std()


def test_red_stays_red_and_blue_blue() -> None:
    """Through mosaic, balance and JPEG."""
    light: F32 = np.zeros((64, 64, 3), np.float32) + np.array([0.6, 0.1, 0.02], np.float32)
    view = scene.look(Draws(0).stream("view"), 64 // OVER, 64 // OVER)
    seen = capture(light, view, Draws(0, {"camera.balance": 0.0}).stream("camera")).astype(float).mean((0, 1))
    assert seen[0] > seen[1] + 40 > seen[2] + 60


# --- bad input --------------------------------------------------------------------------------------------------------


def test_bona_fide_pictures_show_no_instrument() -> None:
    assert not simulate(face(), BONA_FIDE, 0, size=(32, 32)).mask.any()


def test_what_cannot_be_simulated_is_said() -> None:
    with pytest.raises(UsageError, match=r"no presentation of kind 'mask'.*bona fide, print"):
        simulate(face(), "mask", 0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"'printed\.inch'"):
        simulate(face(), "print", 0, size=(32, 32), fixed={"printed.inch": 1.0})
    with pytest.raises(UsageError, match=r"printed\.process cannot be 'laser'"):
        simulate(face(), "print", 0, size=(32, 32), fixed={"printed.process": "laser"})
    with pytest.raises(InputError, match="uint8"):
        simulate(face().astype(np.float32), "print", 0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="uint8"):
        simulate(face()[..., 0], "print", 0)
    with pytest.raises(UsageError, match="8 x 8 px"):
        simulate(face(), "print", 0, size=(8, 8))
    for points in (np.zeros((4, 2), np.float32), np.full((5, 2), np.nan, np.float32), np.full((5, 2), 500, np.float32)):
        with pytest.raises(InputError, match="five places"):
            simulate(face(), "cut", 0, points, (32, 32))
