"""The small classifier: the graph is the numpy path, heads retrain cheaply, and FER2013 is read straight from its zip."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import EvidenceError, InputError, MediaNotFound, UsageError
from mien.judge.onnx import OnnxJudge
from mien.models import card
from mien.reproduce import fer2013
from mien.reproduce.patch_classifier import PatchClassifier, fit, fit_head, learn
from mien.reproduce.patch_onnx import About, export, to_onnx

CLASSES = ("flat", "tall", "none")


def bars(count: int, seed: int = 0, side: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Noisy pictures with a bar across, a bar upright, or none."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=count)
    pictures = rng.normal(120, 12, (count, side, side))
    middle = slice(side // 2 - 2, side // 2 + 2)
    pictures[labels == 0, middle, 4:-4] += 40
    pictures[labels == 1, 4:-4, middle] += 40
    return np.clip(pictures, 0, 255).astype(np.uint8), labels.astype(np.int64)


@pytest.fixture(scope="module")
def model() -> PatchClassifier:
    pictures, labels = bars(300)
    return fit(pictures, labels, CLASSES, filters=12)


def test_it_learns_and_says_how_sure_it_is(model: PatchClassifier) -> None:
    pictures, labels = bars(200, seed=1)
    found = model.predict_proba(pictures)
    assert found.shape == (200, 3) and np.allclose(found.sum(1), 1)
    assert (found.argmax(1) == labels).mean() > 0.9


def test_the_graph_is_the_numpy_path(model: PatchClassifier, tmp_path: Path) -> None:
    pictures, _ = bars(40, seed=2)
    path = export(model, tmp_path, About("bars", "Bars.", "Simulated bars."))
    judge = OnnxJudge(card(path))
    crops = judge.crops_of(list(np.repeat(pictures[..., None], 3, axis=3)))
    assert np.allclose(judge.probabilities(crops), model.predict_proba(pictures), atol=2e-5)
    assert judge.labels == CLASSES and judge.kind == "expression" and judge.size == (25, 25)
    assert to_onnx(model) == to_onnx(model)


def test_a_face_and_its_mirror_image_are_described_alike(model: PatchClassifier) -> None:
    pictures, _ = bars(20, seed=3)
    assert (25 - model.patches.side) % 2 == 1, "an uneven remainder is the harder case"
    even = learn(bars(200, side=24)[0], filters=8)
    mirrored = pictures[:, :24, :24][:, :, ::-1]
    assert np.allclose(even.features(pictures[:, :24, :24]), even.features(mirrored), atol=1e-3)


def test_the_same_seed_gives_the_same_model() -> None:
    pictures, labels = bars(200)
    one, again, other = (fit(pictures, labels, CLASSES, seed=seed, filters=8) for seed in (0, 0, 1))
    assert np.array_equal(one.head.weights, again.head.weights)
    assert not np.array_equal(one.patches.filters, other.patches.filters)


def test_the_dev_split_chooses_the_penalty(model: PatchClassifier) -> None:
    pictures, labels = bars(200)
    features = model.patches.features(pictures)
    rng = np.random.default_rng(0)
    nonsense = rng.permutation(labels)
    strong, weak = 100.0, 1e-4
    told = fit_head(features, nonsense, CLASSES, dev=(features, labels), penalties=(weak, strong))
    assert told.penalty == strong, "what was learned from nonsense is best held down"
    assert fit_head(features, labels, CLASSES, dev=(features, labels), penalties=(weak, strong)).penalty == weak


def test_a_class_without_a_picture_is_never_answered(model: PatchClassifier) -> None:
    pictures, labels = bars(200)
    features = model.patches.features(pictures)
    head = fit_head(features[labels != 1], labels[labels != 1], CLASSES, penalties=(0.1,))
    assert head.proba(features)[:, 1].max() < 1e-9 and set(head.predict(features)) == {0, 2}
    with pytest.raises(EvidenceError, match="two classes"):
        fit_head(features[labels == 1], labels[labels == 1], CLASSES)


def test_temperature_changes_no_answer(model: PatchClassifier) -> None:
    features = model.patches.features(bars(50, seed=4)[0])
    hot = model.head.at_temperature(0.3)
    assert np.array_equal(hot.predict(features), model.head.predict(features))
    assert hot.proba(features).max(1).mean() > model.head.proba(features).max(1).mean()


def test_pictures_of_another_size(model: PatchClassifier) -> None:
    with pytest.raises(UsageError, match=r"\(25, 25\)"):
        model.predict_proba(np.zeros((1, 24, 24), np.uint8))
    with pytest.raises(UsageError, match="no room"):
        learn(np.zeros((9, 10, 10), np.uint8))


# --- FER2013 ------------------------------------------------------------------------------------------------------


def zipped(path: Path, names: list[str], side: int = 48) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            held = BytesIO()
            Image.fromarray(np.full((side, side), 10 * number, np.uint8)).save(held, format="PNG")
            archive.writestr(name, held.getvalue())
    return path


def test_a_split_is_read_from_the_zip(tmp_path: Path) -> None:
    names = [
        "fer2013/train/happy/2.png",
        "fer2013/train/angry/1.png",
        "fer2013/private_test/sad/3.png",
        "fer2013/a.txt",
    ]
    found = fer2013.read(zipped(tmp_path / "fer2013.zip", names), "train")
    assert found.names == ("train/angry/1.png", "train/happy/2.png")
    assert [fer2013.CLASSES[label] for label in found.labels] == ["angry", "happy"]
    assert found.pixels.shape == (2, 48, 48) and (found.pixels[0] == 10).all() and (found.pixels[1] == 0).all()


def test_what_is_no_fer2013(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match=r"gone\.zip"):
        fer2013.read(tmp_path / "gone.zip", "train")
    with pytest.raises(InputError, match=r"not in the layout fer2013"):
        fer2013.read(zipped(tmp_path / "other.zip", ["a/b.png"]), "public_test")
    with pytest.raises(InputError, match="no pictures of public_test"):
        fer2013.read(zipped(tmp_path / "part.zip", ["fer2013/train/sad/1.png"]), "public_test")
    with pytest.raises(InputError, match="32 x 32"):
        fer2013.read(zipped(tmp_path / "small.zip", ["fer2013/train/sad/1.png"], 32), "train")
    (tmp_path / "no.zip").write_text("no zip")
    with pytest.raises(InputError, match="a file that is no zip"):
        fer2013.read(tmp_path / "no.zip", "train")


def test_the_official_split_sizes(data: Path) -> None:
    found = fer2013.read(data / "fer2013.zip", "private_test")
    assert len(found) == 3589
    assert np.bincount(found.labels).tolist() == [491, 55, 528, 879, 626, 594, 416]
    some = fer2013.read(data / "fer2013.zip", "private_test", 50, seed=3)
    assert len(some) == 50 and set(some.names) < set(found.names)
