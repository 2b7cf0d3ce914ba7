"""Tables of Py-Feat and OpenFace 2: the golden files' columns, in their order, and a way back."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien import wire
from mien.audit.data.sheet import read
from mien.compat import tables
from mien.types import Clip, Face, Frame, Reading

pd = pytest.importorskip("pandas")

EXPRESSION = {"angry": 0.1, "disgust": 0.0, "fear": 0.0, "happy": 0.6, "neutral": 0.2, "sad": 0.05, "surprise": 0.05}


def record(abstains: bool = False, track: int = 3) -> dict[str, Any]:
    points = np.array([[40, 40], [60, 40], [50, 50], [42, 60], [58, 60]], np.float32)
    face = Face(Frame(np.zeros((200, 200, 3), np.uint8), "a.mp4", 7, 0.28), np.array([10, 20, 50, 80], np.float32),
                points, 0.9, track)  # fmt: skip
    readings = [
        Reading("quality", {"overall": 1.0}, "quality", "share"),
        Reading("expression", {} if abstains else EXPRESSION, "some", reasons=("too small",) if abstains else ()),
    ]
    if not abstains:
        readings.append(Reading("valence_arousal", {"valence": 0.4, "arousal": 0.3}, "some", "-1..1"))
    return {**wire.seen(Clip((face,), fps=25), readings), "face": None if track >= 0 else 2}


def written(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_the_columns_begin_with_the_golden_ones(data: Path) -> None:
    golden = data / "golden"
    fex = [name.strip() for name in pd.read_csv(golden / "pyfeat_001.csv").columns]
    assert list(tables.FEX[: len(fex)]) == fex
    openface = [name.strip() for name in pd.read_csv(golden / "pyfeat_OpenFace_Test.csv").columns]
    assert list(tables.OPENFACE[: len(openface)]) == openface


# What Py-Feat looks for by name when it reads such a file back.
PYFEAT = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", "frame", "input", "anger", "disgust",
          "fear", "happiness", "sadness", "surprise", "neutral", "Pitch", "Roll", "Yaw", "x_0", "x_67", "y_0", "y_67",
          "AU01", "AU43"]  # fmt: skip


def test_pandas_reads_a_fex_table() -> None:
    text = written(tables.FEX, [tables.fex(record()), tables.fex(record(abstains=True)), tables.fex_none("b.jpg")])
    frame = pd.read_csv(io.StringIO(text))
    assert set(PYFEAT) <= set(frame.columns)
    first, second, third = (frame.iloc[number] for number in range(3))
    assert list(first[list(tables._RECT)]) == [10, 20, 40, 60, 0.9]
    assert (first["happiness"], first["anger"], first["valence"], first["frame"]) == (0.6, 0.1, 0.4, 7)
    assert first[list(tables.EMOTIONS)].sum() == pytest.approx(1)
    assert second["FaceScore"] == 0.9 and second[list(tables.EMOTIONS)].isna().all(), "seen and not read"
    assert np.isnan(third["FaceScore"]) and third["input"] == "b.jpg"
    never = [name for name in tables.FEX if name[:2] in ("x_", "y_", "AU") or name in ("Pitch", "Roll", "Yaw")]
    assert frame[never].isna().all(axis=None), "what is not measured is empty, never a number"


def test_pandas_reads_an_openface_table() -> None:
    rows = [tables.openface(record()), tables.openface(record(track=-1)), tables.openface_none("b.jpg")]
    frame = pd.read_csv(io.StringIO(written(tables.OPENFACE, rows)))
    first = frame.iloc[0]
    assert (first["frame"], first["timestamp"], first["confidence"], first["success"]) == (8, 0.28, 0.9, 1)
    assert list(frame["face_id"])[:2] == [3, 1] and list(frame["success"]) == [1, 1, 0]
    assert (first["happiness"], first["arousal"]) == (0.6, 0.3)
    never = tables.OPENFACE[4 : tables.OPENFACE.index("face_id")]
    assert len(never) == 427 and frame[list(never)].isna().all(axis=None)


def test_our_audit_reads_the_fex_table_back(tmp_path: Path) -> None:
    from mien.audit.affect.foreign import translated

    path = tmp_path / "fex.csv"
    path.write_text(written(tables.FEX, [tables.fex(record()), tables.fex(record(abstains=True))]), "utf8")
    sheet = translated(read(path, ()))
    (_, first), (_, second) = sheet.rows
    assert float(first["p_happiness"]) == 0.6 and float(first["valence"]) == 0.4
    assert second["p_happiness"] == "", "no answer, which an audit counts as a miss"
