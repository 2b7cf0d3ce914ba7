"""`mien audit trust` as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from mien.cli.audit.trust import command
from mien.errors import ModelCorrupt, UsageError


def pictures(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for number, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        for index in range(15):
            shown = rng.integers(0, 120, (16, 16, 3), np.uint8)
            shown[..., number] += 60
            Image.fromarray(shown).save(folder / name / f"{index}.png")
    return folder


def test_a_report_on_a_classifier(tmp_path: Path, tiny_classifier: Callable[..., Path]) -> None:
    model, data = tiny_classifier(), pictures(tmp_path / "data")
    words = [
        str(model),
        "--data",
        str(data),
        "--crops",
        "--rounds",
        "40",
        "--spoilt",
        "20",
        "-o",
        str(tmp_path / "out"),
    ]
    done = CliRunner().invoke(command, [*words, "--card", str(model)])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("tiny: of 29 requirements ")
    assert "It does not read what somebody feels" in done.stderr
    record = json.loads((tmp_path / "out" / "report.json").read_text())
    assert record["made"]["models"] == {"expression": "tiny"} and record["made"]["data"] == str(data)
    held = {row["requirement"]: row["state"] for row in record["tables"]["Requirements"]}
    assert held["What is it for?"] == "not stated"
    assert (
        "<img" in (tmp_path / "out" / "report.html").read_text()
        or "<svg" in (tmp_path / "out" / "report.html").read_text()
    )
    assert 'metric = "UAR"' in model.read_text(), "the results are on the card"


def test_what_cannot_be_audited(tmp_path: Path, tiny_classifier: Callable[..., Path]) -> None:
    data = pictures(tmp_path / "data")
    done = CliRunner().invoke(command, ["dlib_resnet", "--data", str(data)])
    assert isinstance(done.exception, UsageError) and "not one of a classifier" in str(done.exception)
    model = tiny_classifier()
    model.with_suffix(".onnx").write_bytes(b"tampered with")
    done = CliRunner().invoke(command, [str(model), "--data", str(data), "--crops"])
    assert isinstance(done.exception, ModelCorrupt) and "tiny.onnx" in str(done.exception)
