"""`mien migrate` step by step on real photographs, from dlib's embedder to its eight-bit form and back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mien import Engine, open_gallery
from mien.cli.group import group

pytestmark = pytest.mark.usefixtures("one_engine")


def run(*words: object) -> Result:
    return CliRunner().invoke(group, ["migrate", *(str(word) for word in words)])


def told(*words: object) -> Any:
    return json.loads(run(*words, "--json").stdout)


@pytest.fixture
def people(portraits: dict[str, Path], shared_engine: Engine, tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    with open_gallery(path) as gallery:
        shared_engine.enrol(gallery, "barack", [portraits["obama"], portraits["obama2"]], keep_images=True)
        shared_engine.enrol(gallery, "joe", [portraits["biden"]], keep_images=True)
    return path


def test_steps_one_by_one(people: Path, portraits: dict[str, Path], shared_engine: Engine) -> None:
    assert told(people, "--status") == {"phase": None}
    prepared = told(people, "--prepare", "--embedder", "dlib_resnet_int8", "--workers", 2)
    assert (prepared["phase"], prepared["pictures"], prepared["done"], prepared["waiting"]) == ("preparing", 3, 3, 0)
    note = CliRunner().invoke(group, ["people", str(people)]).stderr
    assert "is being migrated to dlib_resnet_int8" in note
    with open_gallery(people) as gallery:
        shared_engine.enrol(gallery, "late", [portraits["obama3"]], keep_images=True)
    assert "1 people came" in run(people, "--status").stdout
    assert told(people, "--prepare")["done"] == 4, "the model is known by now"
    compared = run(people, "--compare", "--json")
    answer = json.loads(compared.stdout)
    # late is barack under another name, and is confused with him in both spaces: nothing changes.
    assert (answer["verdict"], compared.exit_code, answer["changed"], answer["confused"]) == ("safe", 0, [], [])
    assert (answer["probes"], answer["single"], answer["unprobed"]) == (2, 2, [])
    switched = told(people, "--switch")
    assert (switched["moved"], switched["left"], Path(switched["backup"]).is_file()) == (4, 0, True)
    assert "--drop to accept it, or --roll-back" in run(people, "--status").stdout
    assert told(people, "--roll-back")["space"] == prepared["space"]
    assert told(people, "--drop")["erased"] == [f"{people}.migrating"]
    assert run(people, "--switch").exit_code == 64


def test_a_comparison_as_csv_and_words(people: Path) -> None:
    run(people, "--prepare", "--embedder", "dlib_resnet_int8")
    words = run(people, "--compare", "--fmr", "1e-3")
    assert words.exit_code == 0
    assert "Safe as far as these pictures show: 2 probes of 1 person" in words.stdout
    assert "1 people by a changed copy" in words.stdout and "own score accepted, after (at 0.9" in words.stdout
    table = csv.reader(io.StringIO(run(people, "--compare", "--csv").stdout))
    assert next(table)[:4] == ["subject", "source", "what", "changed_copy"]
    assert list(table) == []


def test_into_another_gallery(people: Path) -> None:
    other = people.with_name("other.db")
    moved = told(people, "--embedder", "dlib_resnet_int8", "--to", other)
    assert (moved["moved"], moved["left"], moved["backup"]) == (3, 0, "")
    with open_gallery(other) as target, open_gallery(people) as source:
        assert [person.samples for person in target.people()] == [person.samples for person in source.people()]
        assert target.space == moved["space"] != source.space


def test_refusals(people: Path) -> None:
    for words, code, said in (
        ((people,), 64, "No model to move to is named"),
        ((people, "--compare"), 64, "No migration of"),
        ((people, "--drop"), 64, "No migration of"),
        ((people, "--prepare", "--embedder", "dlib_resnet"), 64, "already"),
        ((people, "--switch", "--to", "other.db", "--embedder", "dlib_resnet_int8"), 64, "nothing to do"),
        (("milvus://127.0.0.1/people", "--prepare", "--embedder", "dlib_resnet_int8"), 64, "--to"),
    ):
        result = run(*words)
        assert (result.exit_code, said in result.stderr) == (code, True), result.stderr
