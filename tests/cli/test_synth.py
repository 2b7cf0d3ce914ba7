"""`mien synth`: what it makes, what it says, what it refuses. The face is a drawing here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mien.cli.group import group
from mien.errors import ModelUnavailable
from mien.learn.synth import builtin

STUBS = Path(__file__).parents[1] / "learn" / "synth"
PROGRAM = """
seconds = 1.0

[[expression]]
label = "smile"
units = {AU12 = "C"}
onset = 0.2
apex = 0.4
offset = 0.8
"""


def run(*words: object) -> Result:
    return CliRunner().invoke(group, ["synth", *map(str, words)])


@pytest.fixture(autouse=True)
def drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STUBS)
    from stub_face import StubMaker

    monkeypatch.setattr("mien.learn.synth.maker.face_maker", StubMaker)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program.toml"
    path.write_text(PROGRAM)
    return path


def told(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_program_becomes_data(program: Path, tmp_path: Path) -> None:
    words = ("--subjects", 3, "--expressions", program, "-o", tmp_path / "data", "--size", 32, "--fps", 10)
    answer = told(*words, "--threads", 1, "--masks", "--group", "skin=3")
    assert answer["synthetic"] is True
    assert (answer["made"], answer["frames"], answer["labels"]) == (3, 30, ["smile"])
    assert Path(answer["sheet"]).is_file()
    assert len(list((tmp_path / "data" / "masks").glob("*/*.png"))) == 30
    again = told(*words, "--threads", 1, "--masks", "--group", "skin=3")
    assert (again["made"], again["kept"], again["frames_per_second"]) == (0, 3, None)


def test_it_speaks_to_people(program: Path, tmp_path: Path) -> None:
    result = run("--subjects", 2, "--expressions", program, "-o", tmp_path / "d", "--kind", "stills", "--threads", 1)
    assert result.exit_code == 0
    assert "2 stills made, of 2 subjects" in result.stdout
    assert "sheet.png" in result.stdout


def test_scenes_and_habits_are_options(program: Path, tmp_path: Path) -> None:
    words = ("--subjects", 1, "--expressions", program, "--kind", "stills", "--threads", 1)
    changes = ("--scene", "yaw=20", "--scene", "weather=rain", "--scene", "noise=2:4", "--habit", "head=0")
    told(*words, *changes, "-o", tmp_path / "d")
    truth = json.loads((tmp_path / "d" / "truth" / "s0001-smile-0.json").read_text())
    assert truth["frames"][0]["pose"][0] == pytest.approx(0.34907, abs=1e-4)
    assert truth["scene"]["weather"] == "rain" and 2 <= truth["scene"]["noise"] <= 4


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--expressions", "happy.toml"), 66, "happy.toml cannot be read"),
        (("--expressions", "happy"), 64, "There is no program 'happy'"),
        (("--layout", "fer2013", "--kind", "clips"), 64, "holds stills"),
        (("--scene", "yaw=left"), 64, "'yaw=left' is no value"),
        (("--scene", "jaw=1"), 65, "--scene: there is no 'jaw' here"),
        (("--scene", "weather=hail"), 65, "there is no weather 'hail'"),
        (("--scene", "blur"), 64, "no key=value"),
        (("--group", "skin=many"), 64, "names no number of levels"),
        (("--group", "hair=2"), 64, "hair"),
        (("--seconds", "0.5"), 64, "begins after 0.5 s"),
        (("--subjects", "0"), 64, "0 is not in the range"),
        (("--mp4", "--size", "33"), 64, "even --size"),
    ],
)
def test_what_it_refuses(words: tuple[str, ...], code: int, sentence: str, tmp_path: Path) -> None:
    result = run("-o", tmp_path / "data", "--threads", 1, *words)
    assert (result.exit_code, sentence in result.stderr) == (code, True), result.stderr
    assert not (tmp_path / "data").exists()


def test_a_bad_program_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('[[expression]]\nlabel = "x"\nunits = {AU12 = "C", AU77 = "A"}\n')
    result = run("--expressions", tmp_path / "p.toml", "-o", tmp_path / "data")
    assert result.exit_code == 65
    assert "p.toml, line 3: there is no action unit 'AU77'" in result.stderr


def test_without_the_face_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("MIEN_MODELS", str(tmp_path))
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path))
    from mien.learn.synth.maker import face_maker

    with pytest.raises(ModelUnavailable, match=r"set MIEN_MODELS to it\..*mien models verify ict_face_light"):
        face_maker()


def test_help_names_every_program() -> None:
    text = " ".join(run("--help").stdout.split())
    assert all(name in text for name in builtin.NAMES)
