"""Numbers are data with provenance: a result says what was run, on which code and which machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
RESULTS = sorted((FOLDER / "results").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_result_has_provenance(path: Path) -> None:
    result = json.loads(path.read_text(encoding="utf8"))
    assert set(result) == {"name", "made", "results"}
    assert result["name"] == path.stem
    assert result["results"]
    made = result["made"]
    assert len(made["commit"]) == 40
    assert made["machine"]["processor"]
    assert made["machine"]["cores"] >= 1
    assert len(made["load"]) == 3
    script = made["command"].split()[1]
    assert (FOLDER.parent / script).is_file(), f"{script} made this result and is gone"


def test_there_are_results() -> None:
    assert RESULTS
