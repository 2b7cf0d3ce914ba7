"""`mien cluster` on real photographs: what it prints, what it remembers, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mien.cli.group import group
from mien.gallery import open_gallery

pytestmark = pytest.mark.usefixtures("one_engine")


def run(*words: object) -> Result:
    return CliRunner().invoke(group, ["cluster", *(str(word) for word in words)])


def told(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def album(portraits: dict[str, Path], tmp_path: Path) -> Path:
    photos = [portraits[name] for name in ("obama", "obama2", "biden")]
    path = tmp_path / "people.cluster"
    assert run(*photos, "-o", path).exit_code == 0
    return path


def test_the_way_through(album: Path, portraits: dict[str, Path], tmp_path: Path) -> None:
    answer = told(album)
    assert [(one["number"], one["faces"]) for one in answer["groups"]] == [(1, 2)]
    assert answer["counts"] == {"grouped": 2, "alone": 1, "unsure": 0}
    more = told(portraits["obama3"], portraits["biden"], "-o", album, "--draw", tmp_path / "page")
    assert (more["added"]["photos"], more["added"]["known"], more["grouped"]["joined"]) == (1, 1, 1)
    page = (tmp_path / "page" / "index.html").read_text("utf8")
    assert page.count("data:image/jpeg") == 3
    faces = told(album, "--faces", "--group", 1)["faces"]
    assert {Path(one["source"]).stem for one in faces} == {"obama", "obama2", "obama3"}
    out = f"f{faces[0]['face']}"
    assert told(album, "--not", out, 1)["counts"]["alone"] == 2
    assert told(album, "--again")["groups"][0]["faces"] == 2
    assert "Taken back: not" in run(album, "--undo").stderr
    assert told(album)["groups"][0]["faces"] == 3
    told(album, "--name", 1, "Barack Obama", "--enrol", tmp_path / "people.db")
    with open_gallery(tmp_path / "people.db") as gallery:
        assert [(person.subject, person.samples) for person in gallery.people()] == [("Barack Obama", 3)]
    assert told(album, "--hide", "Barack Obama")["groups"] == []
    assert len(told(album, "--all")["groups"]) == 1
    assert told(album, "--forget", 1, "--all")["groups"] == []


def test_bad_words_end_with_one_sentence(album: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("no picture")
    for words, code in (
        ((tmp_path,), 64),
        ((tmp_path / "none.cluster",), 66),
        ((album, "--merge", 1, 77), 66),
        ((album, "--merge", 1, 1), 64),
        ((album, "--split", 1, "--face", "f99"), 66),
        ((album, "--undo"), 64),
        ((album, "--name", 1, "\u202e"), 65),
        ((tmp_path / "bad.jpg", "-o", album), 65),
        ((tmp_path / "bad.jpg", "-o", album, "--undo"), 64),
        ((tmp_path / "bad.jpg", "-o", tmp_path), 74),
        ((album, "--again", "--fmr", "1e-9"), 65),
    ):
        result = run(*words)
        assert result.exit_code == code, (words, result.stderr)
        assert "Traceback" not in result.stderr
        assert "unforeseen" not in result.stderr
    assert told(album)["groups"][0]["faces"] == 2
