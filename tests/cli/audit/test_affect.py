"""`mien audit affect` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mien.cli import main
from mien.cli.audit.affect import command

CSV = "truth,predicted,subject\n" + "".join(
    f"joy,joy,p{i}\nfear,{'joy' if i % 2 else 'fear'},p{i}\n" for i in range(12)
)


def run(*words: str) -> Result:
    return CliRunner().invoke(command, [*words, "--rounds", "40"])


def test_predictions_to_a_table_a_document_and_a_report(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text(CSV)
    done = run("--predictions", str(file), "-o", str(tmp_path / "report"))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("UAR 0.750 (")
    assert "Always answering fear would have accuracy 0.500" in done.stderr
    record = json.loads((tmp_path / "report" / "report.json").read_text())
    assert record["made"]["data"] == "predictions.csv"
    assert record["made"]["settings"]["bins"] == 15
    assert (tmp_path / "report" / "report.html").is_file()
    printed = json.loads(run("--predictions", str(file), "--json").stdout)
    assert {one["metric"]: one["value"] for one in printed["metrics"]}["UAR"] == 0.75


def test_intervals_take_two_files(tmp_path: Path) -> None:
    truth, predicted = tmp_path / "truth.csv", tmp_path / "predicted.csv"
    truth.write_text("video,onset,offset\na,0,9\nb,5,14\n")
    predicted.write_text("video,onset,offset\na,0,4\nb,50,60\n")
    done = run("--intervals", str(truth), str(predicted), "--frames", "--csv")
    assert done.exit_code == 0, done.output
    assert "interval F1,0.5," in done.stdout  # 0..4 is half of 0..9: frames are both within


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "One of --predictions and --intervals is wanted"),
        (("--predictions", "a.csv", "--intervals", "b.csv", "c.csv"), "One of"),
        (("--predictions", "absent.csv"), "There is no file absent.csv"),
        (("--predictions", "a.csv", "--threshold", "2"), "--threshold"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(
    words: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["mien", "audit", "affect", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code in (64, 66)
    said = capsys.readouterr().err
    assert told in said and "Traceback" not in said


def test_the_line_of_a_card_is_written(tmp_path: Path) -> None:
    from mien.models import card as card_of
    from mien.models.catalogue import BUILT_IN

    card, file = tmp_path / "mtcnn.toml", tmp_path / "predictions.csv"
    card.write_text((BUILT_IN / "mtcnn.toml").read_text("utf8"), "utf8")
    file.write_text(CSV)
    done = run("--predictions", str(file), "--card", str(card))
    assert done.exit_code == 0, done.output
    (result,) = [one for one in card_of(card).results if one.metric == "UAR"]
    assert (result.value, result.n, result.data) == (0.75, 24, "predictions.csv")
