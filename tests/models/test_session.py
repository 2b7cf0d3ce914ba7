"""Sessions: quiet, on the CPU, and honest about what cannot be run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from mien import models
from mien.errors import ModelCorrupt, ModelUnavailable, UsageError
from mien.models import session


def doubler(path: Path, operator: str = "Add", domain: str = "") -> Path:
    """A graph of one node: y = x + x."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in "xy"]
    node = helper.make_node(operator, ["x", "x"], ["y"], domain=domain)
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    model = helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:]), opset_imports=opsets, ir_version=8)
    onnx.save(model, path)
    return path


def test_a_graph_runs(tmp_path: Path) -> None:
    made = session(doubler(tmp_path / "a.onnx"))
    assert made.run(None, {"x": np.float32([1, 2])})[0].tolist() == [2, 4]
    assert made.get_providers() == ["CPUExecutionProvider"]


def test_threads_and_no_spinning(tmp_path: Path) -> None:
    options = session(doubler(tmp_path / "a.onnx"), threads=2).get_session_options()
    assert options.intra_op_num_threads == 2
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert session(doubler(tmp_path / "a.onnx")).get_session_options().intra_op_num_threads == 1


@pytest.mark.parametrize("keep", [0, 1, 20, 60, -1])
def test_damaged_graphs(tmp_path: Path, keep: int, capfd: pytest.CaptureFixture[str]) -> None:
    whole = doubler(tmp_path / "a.onnx").read_bytes()
    (tmp_path / "b.onnx").write_bytes(whole[:keep] if keep != 60 else b"no graph at all, but text".ljust(60))
    with pytest.raises(ModelCorrupt, match=r"b\.onnx"):
        session(tmp_path / "b.onnx")
    assert capfd.readouterr().err == ""


def test_an_operator_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises((ModelCorrupt, ModelUnavailable), match=r"a\.onnx"):
        session(doubler(tmp_path / "a.onnx", "Dream", "no.such.domain"))


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.onnx", tmp_path):
        with pytest.raises(ModelUnavailable, match="no model file"):
            session(path)


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="this ONNX Runtime knows the provider"
)
def test_a_provider_that_is_absent_is_refused(tmp_path: Path) -> None:
    path = doubler(tmp_path / "a.onnx")
    for wanted in (["CUDAExecutionProvider"], ["CUDAExecutionProvider", "CPUExecutionProvider"]):
        with pytest.raises(ModelUnavailable, match="CUDAExecutionProvider is not part of") as caught:
            session(path, providers=wanted)
        assert "CPUExecutionProvider" in caught.value.remedy


def test_a_provider_that_does_not_start_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX Runtime falls back by itself when a provider's libraries do not load; what was asked for must still be said."""
    known = [*onnxruntime.get_available_providers(), "CUDAExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: known)
    real = onnxruntime.InferenceSession

    def without_cuda(path: str, sess_options: object, providers: list[str]) -> object:
        return real(path, sess_options=sess_options, providers=[name for name in providers if name.startswith("CPU")])

    monkeypatch.setattr(onnxruntime, "InferenceSession", without_cuda)
    with pytest.raises(ModelUnavailable, match="could not be started"):
        session(doubler(tmp_path / "a.onnx"), providers=["CUDAExecutionProvider", "CPUExecutionProvider"])


def test_a_device_is_demanded_by_name(tmp_path: Path) -> None:
    with models.on("cpu"):
        assert session(doubler(tmp_path / "a.onnx")).get_providers() == ["CPUExecutionProvider"]
    absent = next(one for one, names in models.DEVICES.items() if names[0] not in onnxruntime.get_available_providers())
    with models.on(absent), pytest.raises(ModelUnavailable, match="not part of"):
        session(doubler(tmp_path / "a.onnx"))
    assert session(doubler(tmp_path / "a.onnx")).get_providers() == ["CPUExecutionProvider"]  # as before
    with pytest.raises(UsageError, match="'abacus'"), models.on("abacus"):
        pass
