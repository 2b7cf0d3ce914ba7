"""What the tests of the synthetic face share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mien.learn.synth.manifest import Wanted
from mien.learn.synth.model import load_face
from mien.learn.synth.produce import Maker
from mien.learn.synth.program import load_program
from mien.learn.synth.render import Engine
from mien.learn.synth.truth import Truth
from mien.media import open_video

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def engine(data: Path) -> Engine:
    """The renderer, with the real face model."""
    path = data / "ict_face_model_light.npz"
    if not path.is_file():
        pytest.skip("the face model ict_face_model_light.npz is absent from the reference data")
    return Engine(load_face(path))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Maker:
    """A renderer that draws discs; worker processes can import it too."""
    monkeypatch.syspath_prepend(HERE)
    from stub_face import StubMaker

    maker: Maker = StubMaker()
    return maker


@pytest.fixture
def few() -> Callable[..., Wanted]:
    """A small order, changed by keywords."""

    def make(program: str = "basic", **changes: object) -> Wanted:
        usual = {"subjects": 2, "size": 32, "fps": 5.0}
        return Wanted(load_program(program), **{**usual, **changes})  # type: ignore[arg-type]

    return make


@pytest.fixture
def bytes_of() -> Callable[[Path], dict[str, str]]:
    """Every file under a folder with its digest."""

    def digests(folder: Path) -> dict[str, str]:
        return {
            str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    return digests


@pytest.fixture
def rate_of() -> Callable[[Path, Truth], float]:
    """Measures the heart rate in a video."""
    return _rate_of


def _rate_of(video: Path, truth: Truth) -> float:
    """bpm by the strongest frequency of the skin's mean green between 40 and 180 bpm, after the trend is taken off."""
    from scipy.signal import detrend, periodogram

    with open_video(video) as opened:
        greens = []
        for frame, known in zip(opened.frames(), truth.frames, strict=True):
            x0, y0, x1, y1 = (int(one) for one in known.box)
            third = (y1 - y0) // 3
            greens.append(frame.pixels[y0 + third : y1 - third, x0 + third // 2 : x1 - third // 2, 1].mean())
    frequencies, power = periodogram(detrend(np.array(greens)), truth.fps, "hann", nfft=2**15)
    band = (frequencies > 40 / 60) & (frequencies < 180 / 60)
    return float(60 * frequencies[band][power[band].argmax()])
