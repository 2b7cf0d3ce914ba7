"""Graphs to inference sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import ModelCorrupt, ModelUnavailable, UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CPU = "CPUExecutionProvider"
# What people call a device -> the providers of ONNX Runtime that must be there for it, best first. The processor comes
# last, for operators that an accelerator lacks; it never stands in for one that is absent.
DEVICES: Mapping[str, tuple[str, ...]] = {
    "cpu": (CPU,),
    "cuda": ("CUDAExecutionProvider", CPU),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", CPU),
    "openvino": ("OpenVINOExecutionProvider", CPU),
    "coreml": ("CoreMLExecutionProvider", CPU),
    "directml": ("DmlExecutionProvider", CPU),
}
_usual: ContextVar[tuple[str, ...]] = ContextVar("providers", default=(CPU,))


@contextmanager
def on(device: str) -> Iterator[None]:
    """Sessions made inside run on this device unless they name providers themselves. Raises UsageError."""
    if device not in DEVICES:
        raise UsageError(f"There is no device {device!r}.", f"Choose among {', '.join(DEVICES)}.")
    before = _usual.set(DEVICES[device])
    try:
        yield
    finally:
        _usual.reset(before)


def session(path: Path, threads: int = 1, providers: Sequence[str] | None = None) -> InferenceSession:
    """A session on the graph in `path`, on the CPU unless `providers` (best first) or `on` name others.

    One thread and no spinning by default: small nets gain little from a second thread, and idle threads that spin take
    the cores from other sessions. Raises ModelUnavailable when the file is absent or a provider that was asked for is
    not there (nothing falls back silently), ModelCorrupt when the file is no graph that can be run."""
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    wanted = list(_usual.get() if providers is None else providers)
    _demand(wanted, ort.get_available_providers(), "is not part of the ONNX Runtime installed here")
    if not path.is_file():
        raise ModelUnavailable(f"There is no model file at {path}.", "Run `mien models verify`.")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    faults = (state.InvalidProtobuf, state.InvalidGraph, state.InvalidArgument, state.Fail, state.ModelLoadCanceled)
    try:
        made = ort.InferenceSession(str(path), sess_options=options, providers=wanted)
    except faults as error:
        raise ModelCorrupt(f"{path} is no graph that ONNX Runtime can run: {_first_line(error)}.", _REMAKE) from error
    except state.NotImplemented as error:
        told = f"{path} needs an operator that this ONNX Runtime lacks: {_first_line(error)}."
        raise ModelUnavailable(told, "Install a newer onnxruntime.") from error
    _demand(wanted, made.get_providers(), "could not be started; ONNX Runtime fell back to others")
    return made


_REMAKE = "Remove the file and run `mien models pull` again; a file of your own must be exported again."


def _demand(wanted: Sequence[str], there: Sequence[str], problem: str) -> None:
    for name in wanted:
        if name not in there:
            remedy = f"Ask for one of {', '.join(there)}, or install the matching onnxruntime."
            raise ModelUnavailable(f"The provider {name} {problem}.", remedy)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
