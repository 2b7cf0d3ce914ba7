"""What audits of pictures share on the command line."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner
from PIL import Image

from mien.cli.audit import AUDITS
from mien.cli.audit.common import Run, audit_verb
from mien.cli.audit.sources import Sources, with_pictures
from mien.cli.output import Output
from mien.errors import UsageError
from mien.report import Report
from mien.types import Metric


def run(folder: Path | None = None) -> Run:
    return Run(Output("json", quiet=True), folder, 0, 20)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for person in ("Ann", "Bob"):
        (tmp_path / "faces" / person).mkdir(parents=True)
        for number in range(2):
            picture = Image.new("RGB", (12, 12), (0, 0, number))
            picture.putpixel((0, 0), (1, 0, 0))
            picture.putpixel((1, 0), (90, 0, 0))
            picture.save(tmp_path / "faces" / person / f"{number}.png")
    return tmp_path / "faces"


def test_labels_with_paths_and_subjects_say_whose_the_pictures_are(faces: Path, stubs: ModuleType) -> None:
    labels = faces.parent / "labels.csv"
    labels.write_text("subject,sex\nAnn,f\n")
    assert {one.subject for one in Sources(str(faces), 0, str(labels), stubs.stub_engine()).pictures()} == {
        "Ann",
        "Bob",
    }
    labels.write_text("path,subject,sex\nAnn/0.png,Eve,f\n")
    sources = Sources(str(faces), 0, str(labels), stubs.stub_engine())
    assert [(one.name, one.subject) for one in sources.pictures()] == [("Ann/0.png", "Eve")]
    assert [(one.kind, one.number) for one in sources.problems] == [("no_label", 3)]
    sources.pictures()
    assert len(sources.problems) == 1  # read once


def test_without_data_there_is_nothing_to_look_at(stubs: ModuleType) -> None:
    with pytest.raises(UsageError, match="No pictures are given"):
        Sources(None, 0, None, stubs.stub_engine()).pictures()


def test_captures_tell_the_run_what_made_them(faces: Path, stubs: ModuleType, tmp_path: Path) -> None:
    this = run(tmp_path)
    captures = Sources(str(faces), 0.25, None, stubs.stub_engine()).capture(this)
    assert captures.names == ("Ann/0.png", "Ann/1.png", "Bob/0.png", "Bob/1.png")
    assert this.made["models"] == {"detector": "pixels", "embedder": "pixels", "space": "stub"}
    assert (this.made["data"], this.made["pad"]) == (str(faces), 0.25)
    store = tmp_path / "unfinished-face-templates.db"
    assert store.is_file()
    for last in this.after:
        last()
    assert not store.exists()


def test_a_command_gets_its_sources_and_leaves_no_templates(
    faces: Path, stubs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.cli.options.make_engine", lambda **_: stubs.stub_engine())

    @audit_verb(next(iter(AUDITS)))
    @with_pictures(labels=True)
    def command(sources: Sources, run: Run) -> Report:
        """Count."""
        captures = sources.capture(run)
        return Report("count", {"captures": Metric(len(captures), 4, 4, 4)}, problems=tuple(sources.problems))

    assert isinstance(command, click.Command)
    assert {"data", "pad", "labels", "detector"} <= {one.name for one in command.params}
    (faces / "Ann" / "2.png").write_bytes((faces / "Ann" / "1.png").read_bytes()[:50])
    result = CliRunner().invoke(command, ["--data", str(faces), "-o", str(tmp_path / "report"), "--json"])
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert "report.html" in names
    assert not [name for name in names if "unfinished" in name]
    rows = list(csv.DictReader((tmp_path / "report" / "problems.csv").read_text(encoding="utf8").splitlines()))
    assert [row["problem"] for row in rows] == ["failed_capture"]
    assert rows[0]["case"].startswith("Ann/2.png: ")
