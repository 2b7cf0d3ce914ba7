"""From cards to checked files: packages, mirrors, the cache, the web, and graphs built once."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import mien
from mien import models
from mien.errors import LicenceNotAccepted, ModelCorrupt, ModelUnavailable, UnknownModel
from mien.models import build

CONTENT = b"the weights of a model"


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("CACHE", "CONFIG"):
        monkeypatch.setenv(f"MIEN_{variable}", str(tmp_path / variable.lower()))
    for variable in ("MIEN_MODELS", "MIEN_CARDS", "MIEN_ACCEPT"):
        monkeypatch.delenv(variable, raising=False)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def make_card(folder: Path, top: str = "", sha256: str | None = digest_of(CONTENT), sources: str = "") -> models.Card:
    """A card of one file, `weights.bin`, in a folder of its own."""
    place = folder / "cards"
    place.mkdir(exist_ok=True)
    pinned = f'sha256 = "{sha256}"' if sha256 else ""
    (place / "mine.toml").write_text(
        f"""
name = "mine"
task = "embedder"
summary = "s"
training = "t"
{top}
[[file]]
role = "weights"
name = "weights.bin"
{pinned}
sources = [{sources}]
[licence]
code = "MIT"
weights = "MIT"
url = "https://example.org/"
read_on = 2026-11-22
training_data = "none"
commercial = "yes"
"""
    )
    return models.card(place / "mine.toml")


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class Recipe:
    """A recipe that counts how often it is used."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.used = 0
        monkeypatch.setitem(build.RECIPES, "twice", self)

    def __call__(self, sources: Mapping[str, Path]) -> dict[str, bytes]:
        self.used += 1
        content = sources["weights"].read_bytes()
        return {"net": content * 2, "table": b"PK" + content}


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    return Recipe(monkeypatch)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which a server offers it."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_beside_its_card(tmp_path: Path) -> None:
    path = put(tmp_path / "cards" / "weights.bin")
    assert models.ready(make_card(tmp_path)) == {"weights": path}


def test_a_mirror_folder_is_tried_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, right = put(tmp_path / "one" / "weights.bin", b"x"), put(tmp_path / "two" / "weights.bin")
    monkeypatch.setenv("MIEN_MODELS", f"{wrong.parent}{os.pathsep}{right.parent}")
    assert models.ready(make_card(tmp_path)) == {"weights": right}
    assert str(wrong) in caplog.text and "another SHA-256" in caplog.text


def test_only_other_bytes_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = put(tmp_path / "one" / "weights.bin", b"x")
    monkeypatch.setenv("MIEN_MODELS", str(wrong.parent))
    with pytest.raises(ModelCorrupt) as caught:
        models.ready(make_card(tmp_path))
    assert str(wrong) in caught.value.message and "MIEN_MODELS" in caught.value.remedy


def test_a_mirror_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path / "cards" / "weights.bin", b"x")
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path / "typo"))
    with pytest.raises(ModelCorrupt):
        models.ready(make_card(tmp_path))
    assert caplog.text.count(f"{tmp_path / 'typo'}, which does not exist") == 1


def test_nothing_at_hand(tmp_path: Path) -> None:
    card = make_card(tmp_path, sources='{ package = "no_such_package", path = "weights.bin" }')
    with pytest.raises(ModelUnavailable) as caught:
        models.ready(card)
    assert "weights.bin" in caught.value.message and "no_such_package" in caught.value.remedy


def test_data_of_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "lib" / "bomb_package" / "__init__.py", b"raise SystemExit('imported')")
    path = put(tmp_path / "lib" / "bomb_package" / "weights" / "weights.bin")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    card = make_card(tmp_path, sources='{ package = "bomb_package", path = "weights/weights.bin" }')
    assert models.ready(card) == {"weights": path}
    assert "bomb_package" not in sys.modules


def test_a_card_without_digest_is_refused_and_the_digest_told(tmp_path: Path) -> None:
    card = make_card(tmp_path, sha256=None)
    for call in (models.ready, models.digest):
        with pytest.raises(ModelUnavailable, match="names no SHA-256"):
            call(card)
    put(tmp_path / "cards" / "weights.bin")
    with pytest.raises(ModelUnavailable, match=digest_of(CONTENT)):
        models.ready(card)


def test_the_web_comes_last_and_fills_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: tuple[Path, str]
) -> None:
    served = put(site[0] / "a" / "other-name.bin")
    card = make_card(tmp_path, sources=f'{{ url = "{site[1]}/a/other-name.bin" }}')
    told: list[tuple[str, int, int | None]] = []
    path = models.ready(card, lambda *step: told.append(step))["weights"]
    assert path.read_bytes() == CONTENT and path.is_relative_to(tmp_path / "cache")
    assert told[-1] == ("weights.bin", len(CONTENT), len(CONTENT))
    served.unlink()
    assert models.ready(card) == {"weights": path}
    mirror = put(tmp_path / "mirror" / "weights.bin")
    monkeypatch.setenv("MIEN_MODELS", str(mirror.parent))
    assert models.ready(card) == {"weights": mirror}


def test_a_damaged_download_is_fetched_again(
    tmp_path: Path, site: tuple[Path, str], caplog: pytest.LogCaptureFixture
) -> None:
    put(site[0] / "weights.bin")
    card = make_card(tmp_path, sources=f'{{ url = "{site[1]}/weights.bin" }}')
    path = models.ready(card)["weights"]
    path.write_bytes(CONTENT[:-3])
    assert models.ready(card)["weights"].read_bytes() == CONTENT
    assert "passed over" in caplog.text


def embedder_graph() -> bytes:
    """A graph of an ArcFace embedder's signature: (N, 3, 112, 112) to (N, 512)."""
    weights = numpy_helper.from_array(np.random.default_rng(0).normal(size=(3, 512)).astype(np.float32), "w")
    nodes = [
        helper.make_node("GlobalAveragePool", ["input.1"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["683"]),
    ]
    ends = [
        helper.make_tensor_value_info("input.1", TensorProto.FLOAT, ["N", 3, 112, 112]),
        helper.make_tensor_value_info("683", TensorProto.FLOAT, ["N", 512]),
    ]
    graph = helper.make_graph(nodes, "embedder", ends[:1], ends[1:], [weights])
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    onnx.checker.check_model(onnx.load_from_string(made))
    return made


def test_an_embedder_from_the_web_to_a_session(tmp_path: Path, site: tuple[Path, str]) -> None:
    graph = embedder_graph()
    put(site[0] / "net.onnx", graph)
    card = make_card(tmp_path, sha256=digest_of(graph), sources=f'{{ url = "{site[1]}/net.onnx" }}')
    made = models.session(models.ready(card)["weights"])
    out = made.run(None, {"input.1": np.ones((2, 3, 112, 112), np.float32)})[0]
    assert out.shape == (2, 512) and np.isfinite(out).all()


def test_graphs_are_built_once(tmp_path: Path, recipe: Recipe) -> None:
    put(tmp_path / "cards" / "weights.bin")
    card = make_card(tmp_path, 'build = "twice"')
    first = models.ready(card)
    assert first["net"].name == "net.onnx" and first["net"].read_bytes() == CONTENT * 2
    assert first["table"].name == "table.npz"
    assert models.ready(card) == first and recipe.used == 1
    (tmp_path / "cards" / "weights.bin").unlink()
    assert models.ready(card) == first, "built graphs do not need their sources"


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "remove", "manifest cut", "manifest lies", "manifest gone"])
def test_a_damaged_graph_is_built_again(
    tmp_path: Path, recipe: Recipe, caplog: pytest.LogCaptureFixture, harm: str
) -> None:
    put(tmp_path / "cards" / "weights.bin")
    card = make_card(tmp_path, 'build = "twice"')
    net = models.ready(card)["net"]
    manifest = net.parent / "manifest.json"
    {
        "flip": lambda: net.write_bytes(b"T" + net.read_bytes()[1:]),
        "cut": lambda: net.write_bytes(net.read_bytes()[:-1]),
        "empty": lambda: net.write_bytes(b""),
        "remove": net.unlink,
        "manifest cut": lambda: manifest.write_text(manifest.read_text()[:-5]),
        "manifest lies": lambda: manifest.write_text('{"net": {"name": "net.onnx", "sha256": "00"}}'),
        "manifest gone": manifest.unlink,
    }[harm]()
    assert models.ready(card)["net"].read_bytes() == CONTENT * 2
    assert recipe.used == 2
    assert ("damaged" in caplog.text) == (harm != "manifest gone")


def test_another_version_of_the_builder_builds_anew(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "cards" / "weights.bin")
    card = make_card(tmp_path, 'build = "twice"')
    space = models.digest(card)
    first = models.ready(card)
    monkeypatch.setattr(build, "VERSION", "another")
    assert models.ready(card)["net"] != first["net"]
    assert recipe.used == 2 and models.digest(card) == space


def test_many_may_build_at_once(tmp_path: Path, recipe: Recipe) -> None:
    put(tmp_path / "cards" / "weights.bin")
    card = make_card(tmp_path, 'build = "twice"')
    found: list[dict[str, Path]] = []
    threads = [threading.Thread(target=lambda: found.append(models.ready(card))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6 and all(one == found[0] for one in found) and recipe.used == 1


def test_a_cache_that_cannot_be_written(
    tmp_path: Path,
    recipe: Recipe,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    site: tuple[Path, str],
) -> None:
    put(tmp_path / "cards" / "weights.bin")
    monkeypatch.setenv("MIEN_CACHE", str(put(tmp_path / "in-the-way")))
    made = models.ready(make_card(tmp_path, 'build = "twice"'))
    assert made["net"].read_bytes() == CONTENT * 2
    assert "temporary folder" in caplog.text and "MIEN_CACHE" in caplog.text
    assert models.ready(make_card(tmp_path, 'build = "twice"')) == made and recipe.used == 1
    put(site[0] / "weights.bin")
    (tmp_path / "cards" / "weights.bin").unlink()
    with pytest.raises(ModelUnavailable, match="MIEN_CACHE"):
        models.ready(make_card(tmp_path, sources=f'{{ url = "{site[1]}/weights.bin" }}'))


def test_digests_tell_weights_and_recipes_apart(tmp_path: Path) -> None:
    plain = models.digest(make_card(tmp_path))
    assert plain == models.digest(make_card(tmp_path))
    assert plain != models.digest(make_card(tmp_path, 'build = "twice"'))
    assert plain != models.digest(make_card(tmp_path, sha256=digest_of(b"other")))


def test_the_digest_of_the_default_does_not_drift() -> None:
    """It is part of every gallery's space: a change here locks people out of the galleries they have."""
    weights = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
    assert models.digest(models.card("dlib_resnet")) == digest_of(f"weights {weights}\nbuild dlib_resnet".encode())


def test_pull_goes_on_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "cards" / "weights.bin")
    make_card(tmp_path)
    monkeypatch.setenv("MIEN_CARDS", str(tmp_path / "cards"))
    nobody, refused, good = models.pull(["nobody", "buffalo_l", "mine"])
    assert isinstance(nobody.error, UnknownModel) and isinstance(refused.error, LicenceNotAccepted)
    assert good.error is None and good.files == {"weights": path}


def test_verify_says_how_it_stands(tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_card(tmp_path, 'build = "twice"')
    monkeypatch.setenv("MIEN_CARDS", str(tmp_path / "cards"))
    assert [(one.where, one.ok) for one in models.verify(["mine"])] == [("absent", False), ("absent", False)]
    path = put(tmp_path / "cards" / "weights.bin", b"x")
    bad = models.verify(["mine"])[0]
    assert (bad.where, bad.path, bad.ok) == ("card folder", path, False) and "SHA-256" in bad.problem
    put(path)
    net = models.ready(card)["net"]
    assert [(one.role, one.where, one.ok) for one in models.verify(["mine"])] == [
        ("weights", "card folder", True),
        ("net", "built", True),
        ("table", "built", True),
    ]
    net.write_bytes(b"")
    assert [one.ok for one in models.verify(["mine"])] == [True, False, True]
    assert recipe.used == 1, "verify builds nothing"


def test_verify_asks_for_no_licence() -> None:
    assert {one.model for one in models.verify(["buffalo_l", "yunet"])} == {"buffalo_l", "yunet"}


def test_yunet_from_a_mirror_runs(data_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_MODELS", str(data_models))
    path = models.ready(models.card("yunet"))["model"]
    assert path.parent == data_models
    made = models.session(path)
    outputs = made.run(None, {made.get_inputs()[0].name: np.zeros((1, 3, 640, 640), np.float32)})
    assert {out.shape[1] for out in outputs} == {6400, 1600, 400}
    dynamic = models.session(models.ready(models.card("yunet_dynamic"))["model"])
    outputs = dynamic.run(None, {dynamic.get_inputs()[0].name: np.zeros((1, 3, 64, 96), np.float32)})
    assert sum(out.shape[1] for out in outputs) == 4 * (96 + 24 + 6)


@pytest.mark.skipif(
    not (find_spec("mtcnn") and find_spec("face_recognition_models")), reason="the packages with the weights are absent"
)
def test_the_weights_of_the_default_are_used_without_importing_their_packages(tmp_path: Path) -> None:
    script = (
        "import json, sys; from mien import models; "
        "made = {n: models.ready(models.card(n)) for n in ('mtcnn', 'dlib_mmod')}; "
        "[models.session(p) for m in made.values() for p in m.values()]; "
        "print(json.dumps([sorted(m) for m in made.values()]), "
        "sorted({'mtcnn', 'tensorflow', 'face_recognition_models', 'pkg_resources', 'dlib'} & set(sys.modules)))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(mien.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"{json.dumps([['onet', 'pnet', 'rnet'], ['net']])} []"


def test_importing_models_loads_no_runtime() -> None:
    script = "import sys, mien.models; print(sorted({'onnx', 'onnxruntime', 'cv2', 'av', 'PIL', 'click'} & set(sys.modules)))"
    environment = os.environ | {"PYTHONPATH": str(Path(mien.__file__).parent.parent)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_logging_is_quiet_when_all_is_well(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    put(tmp_path / "cards" / "weights.bin")
    with caplog.at_level(logging.INFO):
        models.ready(make_card(tmp_path))
    assert caplog.text == ""
