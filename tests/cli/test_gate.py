"""mien gate: what it measures, in each form, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from mien import open_gallery
from mien.cli.group import group
from mien.types import Sample, Template


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rows = np.random.default_rng(0).normal(size=(1000, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with open_gallery(tmp_path / "people.db") as gallery:
        gallery.enrol_many([(f"p{number}", [Sample(Template(row, "s"))]) for number, row in enumerate(rows)])
    return tmp_path / "people.db"


def test_gate(people: Path) -> None:
    pytest.importorskip("faiss", reason="faiss is absent (mien[approximate])")
    result = CliRunner().invoke(group, ["gate", str(people), "--recall", "0.99", "--json"])
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["passed"]) == (0, True)
    assert (answer["templates"], answer["probes"], answer["held_out"]) == (1000, 1000, 0)
    words = CliRunner().invoke(group, ["gate", str(people), "--recall", "0.99"]).stdout
    assert words.splitlines()[0].split() == ["gate", "open"] and "second pictures   none" in words
    strict = CliRunner().invoke(group, ["gate", str(people), "--recall", "0.999", "--probes", "1000"])
    assert strict.exit_code == 65 and "3,688 or more" in strict.stderr


def test_gate_of_what_is_no_file_of_people(tmp_path: Path) -> None:
    assert CliRunner().invoke(group, ["gate", str(tmp_path / "none.db")]).exit_code == 66
