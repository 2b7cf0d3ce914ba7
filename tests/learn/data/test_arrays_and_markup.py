"""Pickles and XML from elsewhere: read, and nothing of them run."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as any_array

from mien.errors import InputError
from mien.learn.data.arrays import read_arrays
from mien.learn.data.markup import read_xml


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_every_protocol(tmp_path: Path, protocol: int, order: Any) -> None:
    held = {"data": np.array(np.arange(24.0).reshape(2, 3, 4), order=order), "labels": np.ones((2, 4), ">f4")}
    (tmp_path / "s01.dat").write_bytes(pickle.dumps(held, protocol))
    read = read_arrays(tmp_path / "s01.dat")
    assert set(read) == {"data", "labels"}
    assert all(np.array_equal(read[name], held[name]) for name in held)


def test_a_pickle_of_python_2(tmp_path: Path) -> None:
    """As DEAP has it: names and contents as byte strings, the module's old name."""
    content = np.arange(6, dtype="<f8").tobytes()
    old = (
        b"(dp0\nS'data'\np1\ncnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntRp2\n(I1\n(I2\nI3\ntcnumpy\n"
        b"dtype\n(S'f8'\nI0\nI1\ntRp3\n(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        + b"S"
        + repr(content)[1:].encode()
        + b"\ntbs."
    )
    (tmp_path / "s01.dat").write_bytes(old)
    assert np.array_equal(read_arrays(tmp_path / "s01.dat")["data"], np.arange(6.0).reshape(2, 3))


@settings(deadline=None, max_examples=50)
@given(
    any_array(
        st.sampled_from([np.float64, np.float32, np.int16, np.uint8, np.bool_]), st.tuples(*[st.integers(0, 4)] * 3)
    )
)
def test_any_array_comes_back(made: np.ndarray[Any, Any]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dat"
        path.write_bytes(pickle.dumps({"a": made}, 2))
        read = read_arrays(path)["a"]
    assert read.shape == made.shape and read.tobytes() == made.tobytes()


class Wicked:
    """Runs a command when Python unpickles it."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


def test_a_wicked_pickle_runs_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "run"
    for held in ({"data": Wicked(mark)}, Wicked(mark), {"data": np.array([Wicked(mark)], object)}):
        (tmp_path / "s01.dat").write_bytes(pickle.dumps(held))
        with pytest.raises(InputError, match=r"no pickle of arrays: (it asks for posix\.system|an array of 'O)"):
            read_arrays(tmp_path / "s01.dat")
    assert not mark.exists()


@pytest.mark.parametrize(
    "held", [[1, 2], {"a": 5}, {"a": "text"}, {3: np.ones(2)}, {"a": np.array(["x"])}, {"a": np.array([object()])}]
)
def test_other_pickles_are_refused(tmp_path: Path, held: Any) -> None:
    (tmp_path / "x.dat").write_bytes(pickle.dumps(held))
    with pytest.raises(InputError, match="no pickle of arrays"):
        read_arrays(tmp_path / "x.dat")


def test_a_pickle_cut_anywhere_is_one_sentence(tmp_path: Path) -> None:
    whole = pickle.dumps({"data": np.arange(6.0), "labels": np.ones((2, 2))}, 2)
    for length in range(1, len(whole) - 1, 5):
        (tmp_path / "x.dat").write_bytes(whole[:length])
        with pytest.raises(InputError, match="no pickle of arrays"):
            read_arrays(tmp_path / "x.dat")


def test_an_array_that_lies_about_its_size(tmp_path: Path) -> None:
    made = io.BytesIO()
    pickle.dump({"a": np.zeros(8)}, made, 0)
    lied = made.getvalue().replace(b"(I8\nt", b"(I9999\nt").replace(b"I8\n", b"I9999\n", 1)
    (tmp_path / "x.dat").write_bytes(lied)
    with pytest.raises(InputError, match="no pickle of arrays"):
        read_arrays(tmp_path / "x.dat")


def test_xml(tmp_path: Path) -> None:
    path = tmp_path / "session.xml"
    path.write_text('<?xml version="1.0"?><session id="1"><track type="Video">text</track></session>')
    root = read_xml(path)
    assert root.get("id") == "1" and [one.get("type") for one in root.iter("track")] == ["Video"]


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE s [<!ENTITY a "b">]><s>&a;</s>',
        '<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]><s>&a;</s>',
        '<!DOCTYPE s [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;">]><s x="&b;"/>',
        "<s><t></s>", "", "no xml", "<s>" * 100 + "</s>" * 100, "<s/><s/>",
    ],
)  # fmt: skip
def test_xml_that_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "session.xml"
    path.write_text(text or " ")
    with pytest.raises(InputError, match="no XML to read"):
        read_xml(path)
