"""PyTorch's old format, read without it: against PyTorch, and against files that mean harm."""

from __future__ import annotations

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import ModelCorrupt
from mien.models.build.torch_state import _Storage, _tensor, _View, read_state


def saved(path: Path, state: Any) -> Path:
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def test_it_reads_what_pytorch_wrote(tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = OrderedDict(
        [("module.whole", base), ("module.turned", base.T), ("module.part", base[1:3, 2:5]), ("module.se_module.w", base[0]),
         ("module.count", torch.tensor(7)), ("module.none", torch.zeros(0, 3))]
    )  # fmt: skip
    found = read_state(saved(tmp_path / "a.pth", state))
    assert set(found) == {"whole", "turned", "part", "se_module.w", "count", "none"}
    for name, tensor in state.items():
        assert np.array_equal(found[name.removeprefix("module.")], tensor.numpy())


class Harm:
    def __reduce__(self) -> Any:
        return os.mkdir, ("harm",)


def test_a_file_that_would_run_something_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content in (pickle.dumps(Harm()), saved(tmp_path / "b.pth", {"a": Harm()}).read_bytes()):
        (tmp_path / "harm.pth").write_bytes(content)
        with pytest.raises(ModelCorrupt, match=r"harm\.pth"):
            read_state(tmp_path / "harm.pth")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("state", [{"a": torch.zeros(2).double()}, {"a": 5}, [torch.zeros(2)], torch.zeros(2)])
def test_other_things_are_refused(tmp_path: Path, state: Any) -> None:
    with pytest.raises(ModelCorrupt):
        read_state(saved(tmp_path / "c.pth", state))


def test_the_new_format_and_no_format_are_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "new.pth")
    (tmp_path / "empty.pth").write_bytes(b"")
    for name in ("new.pth", "empty.pth", "none.pth"):
        with pytest.raises(ModelCorrupt):
            read_state(tmp_path / name)


BYTES = io.BytesIO()
torch.save({"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3)}, BYTES, _use_new_zipfile_serialization=False)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_file_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = bytearray(BYTES.getvalue())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(bytes(content[: data.draw(st.integers(len(content) - 3, len(content)))]))
    try:
        found = read_state(path)
    except ModelCorrupt:
        return
    assert all(isinstance(one, np.ndarray) for one in found.values())


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [(0, (5,), (1,)), (2, (3,), (1,)), (0, (2, 2), (3, 2)), (-1, (1,), (1,)), (0, (2,), (-1,)), (9, (1,), (1,))],
)
def test_a_tensor_stays_inside_its_storage(offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
    held = (4).to_bytes(8, "little") + bytes(16)
    view = _View(_Storage("0", np.dtype("<f4"), 4), offset, shape, strides)
    with pytest.raises(ValueError, match="reaches beyond"):
        _tensor(view, held)
