"""Sealed galleries by words: seal, rotate, serve-matcher, and the verbs that take --keys."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mien import Engine, open_gallery
from mien.cli.group import group
from mien.types import Sample, Template

SOURCE = Path(__file__).parents[2] / "src"
AT_REST = "encryption at rest"


def run(*words: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


def told(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Six simulated people."""
    with open_gallery(tmp_path / "people.db") as gallery:
        rows = np.random.default_rng(0).normal(size=(6, 64))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        for number, row in enumerate(rows):
            gallery.enrol(f"zoë {number}", [Sample(Template(row.astype(np.float32), "space"))], {"badge": number})
    return tmp_path / "people.db"


@pytest.fixture
def safe(tmp_path: Path) -> Path:
    return tmp_path / "safe" / "keys"


@pytest.fixture
def sealed(plain: Path, safe: Path) -> Path:
    path = plain.with_name("people.sealed")
    assert run("seal", plain, "--out", path, "--keys", safe).exit_code == 0
    return path


def test_seal_says_what_it_made(plain: Path, safe: Path, tmp_path: Path) -> None:
    answer = told("seal", plain, "--out", tmp_path / "a.sealed", "--keys", safe, "--quota", 7)
    assert (answer["people"], answer["templates"], answer["profile"], answer["plain_removed"]) == (
        6,
        6,
        "standard",
        False,
    )
    assert plain.exists()
    assert json.loads((safe / "ledger.json").read_text())["per_day"] == 7
    result = run("seal", plain, "--out", tmp_path / "b.sealed", "--keys", safe, "--remove-plain")
    assert result.exit_code == 0
    assert "6 people, 6 templates" in result.stdout
    assert not plain.exists()
    assert [person["subject"] for person in told("people", tmp_path / "b.sealed", "--keys", safe)["people"]] == [
        f"zoë {number}" for number in range(6)
    ]


def test_seal_exact(plain: Path, safe: Path, tmp_path: Path) -> None:
    assert (
        told("seal", plain, "--out", tmp_path / "a.sealed", "--keys", safe, "--profile", "exact")["profile"] == "exact"
    )
    other = run("seal", plain, "--out", tmp_path / "b.sealed", "--keys", safe)
    assert (other.exit_code, "of the profile exact" in other.stderr) == (65, True)


def test_a_gallery_whose_matcher_sees_the_probe(plain: Path, safe: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.sealed"
    assert told("seal", plain, "--out", path, "--keys", safe, "--profile", "open-probe")["profile"] == "open-probe"
    assert told("forget", path, "zoë 3", "--yes", "--keys", safe)["receipts"][0]["samples"] == 1
    assert told("rotate", path, "--keys", safe)["people"] == 5
    assert len(told("people", path, "--keys", safe)["people"]) == 5
    assert run("seal", plain, "--out", tmp_path / "b.sealed", "--keys", tmp_path / "safe" / "other").exit_code == 0
    wrong = run("people", path, "--keys", tmp_path / "safe" / "other")
    assert (wrong.exit_code, "of the profile open-probe" in wrong.stderr) == (74, True)


def test_a_gallery_by_seal(plain: Path, safe: Path, tmp_path: Path) -> None:
    pytest.importorskip("tenseal", reason="tenseal is not installed")
    path = tmp_path / "a.sealed"
    mixed = run("seal", plain, "--out", path, "--keys", safe, "--backend", "seal", "--profile", "exact")
    assert (mixed.exit_code, "SEAL has no profile exact" in mixed.stderr) == (64, True)
    assert told("seal", plain, "--out", path, "--keys", safe, "--backend", "seal")["profile"] == "seal"
    assert len(told("people", path, "--keys", safe)["people"]) == 6
    refused = run("serve-matcher", path, "--port", 0)
    assert refused.exit_code == 64 and "cannot be sanitised" in refused.stderr


def test_seal_refuses(plain: Path, safe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_KEYS", raising=False)
    assert "--keys" in run("seal", plain, "--out", tmp_path / "a.sealed").stderr
    inside = run("seal", plain, "--out", tmp_path / "a.sealed", "--keys", tmp_path / "a.sealed" / "keys")
    assert (inside.exit_code, "inside the gallery" in inside.stderr) == (64, True)
    assert not (tmp_path / "a.sealed").exists()
    assert run("seal", tmp_path / "none.db", "--out", tmp_path / "a.sealed", "--keys", safe).exit_code == 66
    assert run("seal", plain, "--out", plain, "--keys", safe).exit_code == 64
    beside = run("seal", plain, "--out", tmp_path / "a.sealed", "--keys", tmp_path / "keys")
    assert (beside.exit_code, "beside the gallery" in beside.stderr) == (0, True)


def test_verbs_take_keys_and_say_what_it_is(sealed: Path, safe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIEN_KEYS", raising=False)
    without = run("people", sealed)
    assert (without.exit_code, "MIEN_KEYS" in without.stderr) == (64, True)
    result = run("people", sealed, "--keys", safe)
    assert (result.exit_code, AT_REST in result.stderr, "zoë 3" in result.stdout) == (0, True, True)
    monkeypatch.setenv("MIEN_KEYS", str(safe))
    receipt = told("forget", sealed, "zoë 3", "--yes")["receipts"][0]
    assert (receipt["subject"], receipt["samples"]) == ("zoë 3", 1)
    assert "zoë 3" not in run("people", sealed).stdout
    assert run("forget", sealed, "zoë 3", "--yes").exit_code == 66
    (safe / "secret.key").chmod(0o644)
    assert "may be read by others" in run("people", sealed).stderr
    migrate = run("migrate", sealed, "--embedder", "dlib_resnet")
    assert (migrate.exit_code, "cannot change models in place" in migrate.stderr) == (64, True)


def test_wrong_keys_in_words(sealed: Path, plain: Path, tmp_path: Path) -> None:
    assert run("seal", plain, "--out", tmp_path / "other.sealed", "--keys", tmp_path / "safe" / "other").exit_code == 0
    result = run("people", sealed, "--keys", tmp_path / "safe" / "other")
    assert (result.exit_code, "was sealed with" in result.stderr, "Traceback" in result.stderr) == (74, True, False)


def test_rotate(sealed: Path, safe: Path, tmp_path: Path) -> None:
    before = (safe / "public.key").read_bytes()
    answer = told("rotate", sealed, "--keys", safe, "--quota", "7")
    assert json.loads((safe / "ledger.json").read_text())["per_day"] == 7
    assert (answer["people"], answer["templates"]) == (6, 6)
    assert (safe / "public.key").read_bytes() != before
    assert len(told("people", sealed, "--keys", safe)["people"]) == 6
    assert run("rotate", tmp_path / "people.db", "--keys", safe).exit_code == 64
    assert run("rotate", tmp_path / "none.sealed", "--keys", safe).exit_code == 66


@pytest.fixture
def address(sealed: Path) -> Iterator[str]:
    """A matcher as a process of its own, without keys."""
    environment = {name: value for name, value in os.environ.items() if name != "MIEN_KEYS"} | {
        "PYTHONPATH": str(SOURCE)
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "mien", "serve-matcher", str(sealed), "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    said = b""
    while not said.rstrip().endswith(b"}"):
        line = process.stdout.readline()
        assert line, process.communicate()
        said += line
    yield json.loads(said)["address"]
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"Traceback" not in errors


def test_serve_matcher(address: str, safe: Path) -> None:
    result = run("people", address, "--keys", safe)
    assert (result.exit_code, AT_REST in result.stderr, "zoë 3" in result.stdout) == (0, False, True)
    assert told("forget", address, "zoë 3", "--yes", "--keys", safe)["receipts"][0]["samples"] == 1
    with open_gallery(address, keys=safe) as gallery:
        assert gallery.verify() == []
        assert len(gallery) == 5


def test_serve_matcher_refuses(tmp_path: Path, sealed: Path) -> None:
    assert run("serve-matcher", tmp_path / "none.sealed").exit_code == 66
    assert run("serve-matcher", sealed, "--host", "203.0.113.7", "--port", "0").exit_code == 74


@pytest.mark.usefixtures("one_engine")
def test_enrol_and_identify(portraits: dict[str, Path], shared_engine: Engine, tmp_path: Path, safe: Path) -> None:
    path, keys = tmp_path / "faces.sealed", ("--keys", safe)
    with open_gallery(tmp_path / "faces.db") as gallery:
        shared_engine.enrol(gallery, "Barack Obama", [portraits["obama"]], keep_images=True)
    assert run("seal", tmp_path / "faces.db", "--out", path, *keys).exit_code == 0
    assert run("enrol", path, "Barack Obama", portraits["obama2"], *keys).exit_code == 0
    result = run("identify", path, portraits["obama3"], *keys, "--json")
    assert (result.exit_code, AT_REST in result.stderr) == (0, True)
    (decision,) = json.loads(result.stdout)["decisions"]
    assert (decision["verdict"], decision["subject"]) == ("accept", "Barack Obama")
    with open_gallery(tmp_path / "faces.db") as gallery:
        shared_engine.enrol(gallery, "Barack Obama", [portraits["obama2"]])
    (wanted,) = told("identify", tmp_path / "faces.db", portraits["obama3"])["decisions"]
    assert decision["score"] == pytest.approx(wanted["score"], abs=1e-4)
    assert decision["threshold"] == wanted["threshold"]
    assert run("identify", path, portraits["biden"], *keys).exit_code == 1


def test_a_shortlist_says_what_it_costs(safe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured when sealing; printed with any use; refused where there is nothing to search first."""
    random, plain = np.random.default_rng(3), tmp_path / "people.db"
    with open_gallery(plain) as gallery:
        for number in range(12):
            own = random.normal(size=128)
            rows = [own + 0.3 * random.normal(size=128) for _ in range(2)]
            samples = [Sample(Template((row / np.linalg.norm(row)).astype(np.float32), "space")) for row in rows]
            gallery.enrol(f"p{number}", samples)
    answer = told("seal", plain, "--out", tmp_path / "a.sealed", "--keys", safe, "--preselect", 64)
    assert answer["preselection"] == [
        f"A shortlist of {size} keeps the right person for 12 of 12 probes (100.00 %); 0 could no longer be found."
        for size in (1, 2, 5, 10)
    ]
    monkeypatch.setattr(
        Engine, "identify", lambda self, source, people, policy, *more: people.search(people_like(people)) and []
    )
    picture = tmp_path / "a.png"
    picture.write_bytes(b"")
    result = run("identify", tmp_path / "a.sealed", picture, "--keys", safe, "--shortlist", 7)
    assert "A shortlist of 5 keeps the right person for 12 of 12" in result.stderr
    assert "The matcher learns, search by search, which groups are like the probe" in result.stderr
    assert run("seal", plain, "--out", tmp_path / "b.sealed", "--keys", safe).exit_code == 0
    for gallery in (tmp_path / "b.sealed", plain):
        refused = run("identify", gallery, picture, "--keys", safe, "--shortlist", 7)
        assert refused.exit_code == 64 and "has no preselection" in refused.stderr


def people_like(gallery: Any) -> Template:
    (_, sample), *_ = gallery.samples("p3")
    return sample.template
