"""What goes wrong is one clear sentence with a stable code, the rest goes on, and nothing enrolled is lost."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mien import open_gallery
from mien.cli.group import group
from mien.cli.selftest import drawn_face
from mien.media import write_image
from mien.types import Frame, Sample, Template

pytestmark = pytest.mark.usefixtures("one_engine")


@pytest.fixture
def bad(tmp_path: Path) -> dict[str, Path]:
    """Files that cannot be used, each in its own way, and one that can."""
    face = drawn_face()
    made = {name: tmp_path / f"{name}.png" for name in ("good", "blank", "crowd")}
    write_image(Frame(face), made["good"])
    write_image(Frame(np.full((200, 200, 3), 127, np.uint8)), made["blank"])
    write_image(Frame(np.hstack([face, face])), made["crowd"])
    made |= {name: tmp_path / name for name in ("empty.jpg", "text.jpg", "cut.jpg", "missing.jpg", "empty.mp4")}
    made["empty.jpg"].touch()
    made["empty.mp4"].touch()
    made["text.jpg"].write_text("not a picture at all, however long this text is\n" * 20, encoding="utf8")
    write_image(Frame(face), tmp_path / "whole.jpg")
    made["cut.jpg"].write_bytes((tmp_path / "whole.jpg").read_bytes()[:1500])
    (tmp_path / "whole.jpg").unlink()
    return made


def run(*words: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


def one_sentence(result: Result) -> str:
    """The only line on stderr, which is no traceback."""
    assert "Traceback" not in result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("mien: ")
    return lines[0]


@pytest.mark.parametrize("name", ["empty.jpg", "text.jpg", "cut.jpg", "missing.jpg", "blank", "crowd", "empty.mp4"])
def test_enrol_takes_the_rest_and_lists_what_failed(bad: dict[str, Path], tmp_path: Path, name: str) -> None:
    result = run("enrol", tmp_path / "people.db", "ana", bad[name], bad["good"], "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 65
    assert told["people"][0]["added"] == 1
    assert [Path(failure["source"]).name for failure in told["failures"]] == [bad[name].name]
    assert bad[name].name in result.stderr
    assert len(open_gallery(tmp_path / "people.db")) == 1


@pytest.mark.parametrize(
    ("name", "code", "kind"),
    [
        ("empty.jpg", 65, "UnreadableMedia"),
        ("text.jpg", 65, "UnreadableMedia"),
        ("cut.jpg", 65, "UnreadableMedia"),
        ("missing.jpg", 66, "MediaNotFound"),
        ("empty.mp4", 65, "UnreadableMedia"),
    ],
)
def test_a_source_that_cannot_be_read(bad: dict[str, Path], name: str, code: int, kind: str) -> None:
    told = run("detect", bad[name], bad["good"], "--json")
    assert told.exit_code == code
    assert [failure["type"] for failure in json.loads(told.stdout)["failures"]] == [kind]
    assert len(json.loads(told.stdout)["faces"]) == 1
    alone = run("verify", bad[name], bad["good"], "--json")
    assert (alone.exit_code, json.loads(alone.stdout)["type"]) == (code, kind)
    assert bad[name].name in one_sentence(alone)


@pytest.mark.parametrize(("name", "words"), [("blank", "No face"), ("crowd", "2 faces")])
def test_verify_abstains_where_there_is_not_one_face(bad: dict[str, Path], name: str, words: str) -> None:
    result = run("verify", bad[name], bad["good"], "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["verdict"] == "abstain"
    assert words in told["reasons"][0]


def test_nobody_seen(bad: dict[str, Path], tmp_path: Path) -> None:
    run("enrol", tmp_path / "people.db", "ana", bad["good"])
    result = run("identify", tmp_path / "people.db", bad["blank"], "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["without_people"] == [str(bad["blank"])]
    assert "nobody seen" in result.stderr


@pytest.mark.parametrize("words", [["people"], ["forget", "ana"], ["identify", "x.jpg"], ["calibrate"]])
def test_no_such_gallery(tmp_path: Path, words: list[str]) -> None:
    result = run(words[0], tmp_path / "none.db", *words[1:])
    assert result.exit_code == 66
    assert "mien enrol" in one_sentence(result)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("words", [["people"], ["forget", "ana"], ["identify", "x.jpg"], ["enrol", "ana", "x.jpg"]])
def test_file_that_is_no_gallery(tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "notes.db"
    path.write_text("shopping list\n" * 100, encoding="utf8")
    result = run(words[0], path, *words[1:])
    assert result.exit_code == 74
    one_sentence(result)
    assert path.read_text(encoding="utf8").startswith("shopping")


def test_gallery_of_another_model(bad: dict[str, Path], tmp_path: Path) -> None:
    vector = np.zeros(512, np.float32)
    vector[0] = 1
    with open_gallery(tmp_path / "people.db") as people:
        people.enrol("ana", [Sample(Template(vector, "another"))])
    for words in (["identify", tmp_path / "people.db"], ["enrol", tmp_path / "people.db", "ben"]):
        result = run(*words, bad["good"])
        assert result.exit_code == 65
        assert "another" in one_sentence(result)
    with open_gallery(tmp_path / "people.db") as people:
        assert [person.subject for person in people.people()] == ["ana"]


def test_damaged_gallery(bad: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    run("enrol", path, "ana", bad["good"])
    with sqlite3.connect(path) as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
    database.close()
    assert tables
    path.write_bytes(path.read_bytes()[:4096] + os.urandom(8192))
    result = run("people", path, "--json")
    assert (result.exit_code, json.loads(result.stdout)["type"]) == (74, "GalleryCorrupt")


def test_read_only_gallery(bad: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "people.db"
    run("enrol", path, "ana", bad["good"])
    # Root may write anything, so the gallery is told that it may not.
    monkeypatch.setattr("mien.gallery.store.writable", lambda path: False)
    result = run("forget", path, "ana")
    assert result.exit_code == 73
    one_sentence(result)
    assert run("people", path).exit_code == 0


@pytest.mark.parametrize("name", ["", "  ", "a" * 10_000, "a\x00b", "a\nb"])
def test_name_that_cannot_be(bad: dict[str, Path], tmp_path: Path, name: str) -> None:
    result = run("enrol", tmp_path / "people.db", name, bad["good"], "--json")
    assert result.exit_code in (64, 65)
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", ["ana maria", "a/b", "../../etc", "👩‍🚀", "مريم", "-x", "' or 1=1"])
def test_name_that_can_be(bad: dict[str, Path], tmp_path: Path, name: str) -> None:
    path = tmp_path / "people.db"
    assert run("enrol", path, "--", name, bad["good"]).exit_code == 0
    told = json.loads(run("people", path, "--json").stdout)
    assert [person["subject"] for person in told["people"]] == [name]
    assert run("forget", path, "--yes", "--", name).exit_code == 0
    assert json.loads(run("people", path, "--json").stdout)["people"] == []


def test_folder_with_more_than_pictures(bad: dict[str, Path], tmp_path: Path) -> None:
    """What looks like a picture by name and is none is a failure; notes beside the pictures are not."""
    ana = tmp_path / "photos" / "ana"
    ana.mkdir(parents=True)
    (ana / "1.png").write_bytes(bad["good"].read_bytes())
    (ana / "2.jpg").write_bytes(bad["text.jpg"].read_bytes())
    (ana / "notes.txt").write_text("taken in May", encoding="utf8")
    result = run("enrol", tmp_path / "people.db", "--from", tmp_path / "photos", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 65
    assert [Path(failure["source"]).name for failure in told["failures"]] == ["2.jpg"]
    assert "1 file that is no picture" in result.stderr


@pytest.mark.parametrize("words", [[], ["ana"], ["ana", "x.jpg", "--from", "photos"], ["--from", "."]])
def test_enrol_says_what_it_wants(tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("enrol", "people.db", *words)
    assert result.exit_code in (64, 66)
    one_sentence(result)
    assert not Path("people.db").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fmr", "often"], "no rate"),
        (["--fmr", "1/0"], "no rate"),
        (["--fmr", "0"], "between 0 and 1"),
        (["--fmr", "1e-3", "--threshold", "0.9"], "one target"),
        (["--require", "liveness"], "no requirement"),
        (["--threads", "0"], "--threads"),
    ],
)
def test_options_that_make_no_sense(bad: dict[str, Path], words: list[str], said: str) -> None:
    result = run("verify", bad["good"], bad["good"], *words)
    assert result.exit_code == 64
    assert said in one_sentence(result)


def test_rate_that_nothing_supports(bad: dict[str, Path]) -> None:
    result = run("verify", bad["good"], bad["good"], "--fmr", "1e-12", "--json")
    assert (result.exit_code, json.loads(result.stdout)["type"]) == (65, "EvidenceError")


def test_unknown_model() -> None:
    result = run("models", "show", "mtcn")
    assert result.exit_code == 64
    assert "mtcnn" in one_sentence(result)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
@pytest.mark.parametrize(
    ("words", "ends", "code"),
    [
        ("people none.db", "", 66),
        ("people none.db", "2>&-", 66),
        ("people none.db", "2>/dev/full", 66),
        ("people none.db --json", ">/dev/full", 73),
        ("models list --json", ">/dev/full", 73),
        ("models list", ">/dev/full", 73),
        ("models list", ">&-", 0),
        ("--help", ">/dev/full", 73),
    ],
)
def test_streams_that_fail_leave_the_right_exit_code(tmp_path: Path, words: str, ends: str, code: int) -> None:
    shell = f"{sys.executable} -m mien {words} {ends}"
    done = subprocess.run(["/bin/sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert code != 73 or "output cannot be written" in done.stderr


def test_a_name_at_the_head_of_a_line_stays_on_it(bad: dict[str, Path], tmp_path: Path) -> None:
    for name in ("new\nline", "x" * 10_000):
        lines = run("enrol", tmp_path / "people.db", name, bad["good"]).stderr.splitlines()
        assert lines[-2] == "mien: 1 could not be used:"
        assert len(lines[-1]) < 400


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    result = CliRunner().invoke(group, ["people", "milvus://ana:hunter2@127.0.0.1:19530/people"])
    assert result.exit_code != 0 and "MIEN_MILVUS_TOKEN" in result.output
    assert "hunter2" not in result.output
