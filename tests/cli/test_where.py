"""--where: who is listed, who is searched, and the threshold that goes with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mien import Engine, open_gallery
from mien.cli.group import group
from mien.types import Sample, Template
from mien.where import parse

pytestmark = pytest.mark.usefixtures("one_engine")


@pytest.fixture(scope="module")
def people(portraits: dict[str, Path], shared_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One who is known, at the site `a`, and 400 drawn ones, of whom one in ten is there too."""
    path, rng = tmp_path_factory.mktemp("gallery") / "people.db", np.random.default_rng(1)
    with open_gallery(path) as gallery:
        shared_engine.enrol(gallery, "Barack Obama", [portraits["obama"]], metadata={"site": "a", "age": 47})
        for number in range(400):
            vector = rng.normal(size=128).astype(np.float32)
            sample = Sample(Template(vector / np.linalg.norm(vector), shared_engine.embedder.space))
            gallery.enrol(f"p{number:03d}", [sample], {"site": "a" if number % 10 == 0 else "b", "number": number})
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


def told(*words: object) -> Any:
    return json.loads(run(*words, "--json").stdout)


def test_people_of_a_filter(people: Path) -> None:
    names = [one["subject"] for one in told("people", people, "--where", "site = 'a' and number < 30")["people"]]
    assert names == ["p000", "p010", "p020"]
    assert "3 of 401 people" in run("people", people, "--where", "site = 'a' and number < 30").stderr
    assert told("people", people, "--where", "site = 'c'")["people"] == []


def test_identify_among_some(people: Path, portraits: dict[str, Path]) -> None:
    (all_of,) = told("identify", people, portraits["obama2"])["decisions"]
    (some,) = told("identify", people, portraits["obama2"], "--where", "site = 'a'")["decisions"]
    (others,) = told("identify", people, portraits["obama2"], "--where", "not site = 'a'")["decisions"]
    (nobody,) = told("identify", people, portraits["obama2"], "--where", "site = 'c'")["decisions"]
    assert (all_of["subject"], some["subject"], others["subject"]) == ("Barack Obama", "Barack Obama", None)
    assert some["score"] == all_of["score"] and others["verdict"] != "accept" and nobody["verdict"] == "abstain"
    assert {one["subject"] for one in others["matches"]} <= {f"p{number:03d}" for number in range(400)}
    assert "sought among 41 of 401 people: where site = 'a'" in some["reasons"]
    assert not any("sought among" in reason for reason in all_of["reasons"])


def test_the_threshold_is_of_the_number_that_was_searched(
    people: Path, portraits: dict[str, Path], shared_engine: Engine
) -> None:
    with open_gallery(people, read_only=True) as gallery:
        where = parse("site = 'a'")
        assert (gallery.count(), gallery.count(where)) == ((401, 401), (41, 41))
        (whole,) = shared_engine.identify(portraits["obama2"], gallery)
        (part,) = shared_engine.identify(portraits["obama2"], gallery, where=where)
    with open_gallery() as alone, open_gallery(people, read_only=True) as gallery:
        for person in gallery.people():
            if person.metadata["site"] == "a":
                alone.enrol(person.subject, [sample for _, sample in gallery.samples(person.subject)])
        (same,) = shared_engine.identify(portraits["obama2"], alone)
    assert part.threshold == same.threshold and part.matches == same.matches
    assert part.threshold and whole.threshold and part.threshold.threshold <= whole.threshold.threshold


@pytest.mark.parametrize("verb", [["people"], ["identify"]])
def test_a_filter_that_cannot_be_read_is_told_before_any_work(verb: list[str], people: Path) -> None:
    pictures = ["nothing.jpg"] if verb == ["identify"] else []
    result = run(*verb, people, *pictures, "--where", "site => 'a'")
    assert result.exit_code == 64
    assert "at character 7" in result.stderr
