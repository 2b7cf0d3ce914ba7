"""The demo: an accept, a reject and an abstain on real photographs, pictures to look at, and a way to go on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mien import Engine, open_gallery, read_image
from mien.cli import demo, scenes
from mien.cli.group import group
from mien.errors import MediaNotFound


@pytest.fixture(scope="module")
def shared_engine() -> Engine:
    return Engine(threads=2)


@pytest.fixture(autouse=True)
def one_engine(monkeypatch: pytest.MonkeyPatch, shared_engine: Engine) -> None:
    """Load the models once, not once per command."""
    monkeypatch.setattr("mien.cli.demo.make_engine", lambda **_: shared_engine)


@pytest.fixture
def portraits_at_hand(portraits: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The demo finds the portraits that the tests have."""
    monkeypatch.setattr("mien.cli.scenes.portraits", lambda cache: portraits)
    return portraits


def run(*words: object) -> Result:
    return CliRunner().invoke(group, ["demo", *[str(word) for word in words]])


def test_walk_on_portraits(portraits_at_hand: dict[str, Path], tmp_path: Path) -> None:
    result = run("--out", tmp_path / "out", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    seen = [(Path(one["source"]).name, one["verdict"], one["subject"]) for one in told["decisions"]]
    assert seen[:3] == [
        ("obama3.jpg", "accept", "Barack Obama"),
        ("biden.jpg", "reject", None),
        ("blurred.png", "abstain", None),
    ]
    assert set(seen[3:7]) == {
        (source, "accept", person) for source in ("group.png", "video.mp4") for person in ("Barack Obama", "Joe Biden")
    }
    assert [(source, verdict) for source, verdict, _ in seen[7:]] == [("obama2.jpg", "accept")]
    drawn = {Path(path).name for path in told["drawn"]}
    assert {"group.marked.jpg", "video.timeline.png", "video.shots.jpg"} <= drawn
    assert all(read_image(path).width > 200 for path in told["drawn"])
    assert len(open_gallery(tmp_path / "out" / demo.GALLERY)) == 2


def test_words_say_source_evidence_and_what_next(portraits_at_hand: dict[str, Path], tmp_path: Path) -> None:
    words = " ".join(run("--out", tmp_path / "out").stdout.split())
    assert "face_recognition==1.3.0" in words
    assert "were made from them for this demo" in words
    assert "comparisons of different people" in words
    assert "blurred: sharpness" in words
    assert "mien enrol people.db --from photos/" in words


@pytest.fixture
def photos(portraits: dict[str, Path], tmp_path: Path) -> Path:
    """Somebody's own folder: a person with three pictures, one with a single picture."""
    for person, names in {"barack": ["obama", "obama2", "obama3"], "joe": ["biden"]}.items():
        (tmp_path / "photos" / person).mkdir(parents=True)
        for name in names:
            shutil.copy(portraits[name], tmp_path / "photos" / person)
    return tmp_path / "photos"


def test_folder_of_ones_own(photos: Path, tmp_path: Path) -> None:
    """The last picture of each person is asked about; who has only one is a stranger."""
    told = json.loads(run("--data", photos, "--out", tmp_path / "out", "--json").stdout)
    asked = [(one["verdict"], one["subject"] or None) for one in told["decisions"]]
    assert asked == [("accept", "barack"), ("reject", None), ("accept", None)]


def test_twice_into_one_folder(photos: Path, tmp_path: Path) -> None:
    """It starts anew, and leaves everything else in the folder alone."""
    (tmp_path / "people.db").write_text("somebody's own", encoding="utf8")
    first, second = (json.loads(run("--data", photos, "--out", tmp_path, "--json").stdout) for _ in range(2))
    assert first == second
    assert (tmp_path / "people.db").read_text(encoding="utf8") == "somebody's own"


@pytest.mark.slow
def test_reference_data(data: Path, tmp_path: Path) -> None:
    told = json.loads(run("--data", data, "--out", tmp_path, "--json").stdout)
    accepted = {(Path(one["source"]).name, one["subject"]) for one in told["decisions"] if one["verdict"] == "accept"}
    assert {
        ("obama_and_biden.jpg", "obama"),
        ("obama_and_biden.jpg", "biden"),
        ("kit_with_rose.jpg", "rose_leslie"),
    } <= accepted
    assert any(source == "short_hamilton_clip.mp4" for source, _ in accepted)


def test_offline_without_portraits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(cache: Path) -> Any:
        raise MediaNotFound("The demo's portraits are not on this machine.", "Use mien demo --data DIR.")

    monkeypatch.setattr(scenes, "portraits", absent)
    result = run("--out", tmp_path)
    assert result.exit_code == 66
    assert result.stderr == "mien: The demo's portraits are not on this machine. Use mien demo --data DIR.\n"


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_folder_that_holds_nobody(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    result = run("--data", tmp_path / name, "--out", tmp_path / "out")
    assert result.exit_code in (64, 66)
    assert len(result.stderr.splitlines()) == 1
