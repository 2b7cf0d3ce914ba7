"""Tables as Py-Feat and OpenFace 2 write them, from the records of `mien judge --json`.

A record is the wire shape of one face with its readings (`mien.wire.seen`). What mien does not measure is left empty, as
pandas reads it: NaN. That is nearly all of these tables: 68 landmarks, action units, gaze and pose are none of ours (five
points give a head's turn to ten degrees at best, which is not what these columns promise). Columns of our own come last,
where readers that go by names pass over them.

    FEX       Py-Feat's Fex: FaceRect… and FaceScore, seven emotions as probabilities, `input`, `frame` from 0;
              a source without a face has a row without FaceScore
    OPENFACE  OpenFace 2: `frame` from 1, `timestamp` in s, `confidence`, `success` 1 or 0; it has no emotions, so these
              and `face_id`, as its version for several faces writes it, are columns of our own
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mien.judge.circumplex import named

Record = Mapping[str, Any]
Row = dict[str, Any]

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # in Py-Feat's order
_RECT = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore")


def _numbered(letters: str, count: int) -> list[str]:
    return [f"{letter}_{number}" for letter in letters for number in range(count)]


def _units(numbers: str, end: str = "") -> list[str]:
    return [f"AU{number}{end}" for number in numbers.split()]


_FEX_UNITS = _units("01 02 04 05 06 07 09 10 11 12 14 15 17 20 23 24 25 26 28 43")
_GRADED = "01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 45"
_PRESENT = "01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 28 45"

FEX: tuple[str, ...] = (
    *_RECT, *_numbered("xy", 68), "Pitch", "Roll", "Yaw", *_FEX_UNITS, *EMOTIONS, "input", "frame",
    "valence", "arousal", "track",
)  # fmt: skip
OPENFACE: tuple[str, ...] = (
    "frame", "timestamp", "confidence", "success",
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    *_numbered("xyXYZ", 68), "p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *_numbered("p", 34),
    *_units(_GRADED, "_r"), *_units(_PRESENT, "_c"),
    "face_id", "input", *EMOTIONS, "valence", "arousal",
)  # fmt: skip


def fex(record: Record) -> Row:
    """One face as a row of Py-Feat's table; what is not known is left out of the row."""
    x0, y0, x1, y1 = record["box"]
    rect = (x0, y0, round(x1 - x0, 2), round(y1 - y0, 2), record["score"])
    row: Row = dict(zip(_RECT, rect, strict=True))
    return row | _read(record) | {"input": record["source"], "frame": record["index"], "track": record["track"]}


def openface(record: Record) -> Row:
    """One face as a row of OpenFace's table; what is not known is left out of the row."""
    number = record["track"] if record["track"] is not None else (record.get("face") or 1) - 1
    row: Row = {"frame": record["index"] + 1, "timestamp": record["time"], "confidence": record["score"], "success": 1}
    return row | {"face_id": number, "input": record["source"]} | _read(record)


def fex_none(source: str) -> Row:
    """The row of a picture without a face."""
    return {"input": source, "frame": 0}


def openface_none(source: str) -> Row:
    """The row of a picture without a face."""
    return {"frame": 1, "timestamp": 0.0, "success": 0, "input": source}


def _read(record: Record) -> Row:
    """Emotions, valence and arousal by these tables' names; nothing where the judge abstained."""
    row: Row = {}
    for reading in record["readings"]:
        if reading["kind"] == "expression":
            row |= {str(named(label)): value for label, value in reading["scores"].items() if named(label) in EMOTIONS}
        elif reading["kind"] == "valence_arousal":
            row |= reading["scores"]
    return row
