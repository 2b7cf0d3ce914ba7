"""Real models on drawn and hostile pictures: by the library, by the command line, by worker processes, from the web."""

from __future__ import annotations

import csv
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mien import Engine, open_gallery
from mien.bulk.journal import Journal
from mien.bulk.makers import EngineMaker
from mien.cli.group import group
from mien.cli.selftest import drawn_face
from mien.errors import MienError, UnreadableMedia
from mien.media import write_image
from mien.types import Frame, Sample

Write = Callable[[Mapping[str, bytes | str]], Path]


def png(seed: int, tmp_path: Path) -> bytes:
    """A drawn face with noise, so that each is another picture."""
    noise = np.random.default_rng(seed).integers(-9, 9, (320, 320, 3))
    path = tmp_path / "drawn.png"
    write_image(Frame((drawn_face(320).astype(int) + noise).clip(0, 255).astype(np.uint8)), path)
    return path.read_bytes()


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 px a side."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(head)) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    return b"\x89PNG\r\n\x1a\n" + chunk


@pytest.fixture
def mixed(photos: Write, tmp_path: Path) -> Path:
    """Six good pictures of four people, among much that is none."""
    good = {name: png(n, tmp_path) for n, name in enumerate(("ana/1.png", "ana/2.png", "ben/1.png", "çelik/ü ñ.jpg"))}
    bad: dict[str, bytes | str] = {
        "ana/empty.jpg": b"",
        "ana/half.png": good["ana/1.png"][:2000],
        "ben/huge.png": bomb(),
        "ben/words.jpg": "no picture",
        "ben/notes.txt": "no picture",
        "zoe/a::b.png": png(9, tmp_path),
        "zoe/copy.png": png(9, tmp_path),
        "zoe/dir.jpg/3.png": png(10, tmp_path),
    }
    return photos(good | bad)


BAD = {"empty.jpg", "half.png", "huge.png", "words.jpg"}


def run(*words: object) -> Result:
    return CliRunner().invoke(group, [str(word) for word in words])


def test_samples_together_are_those_of_one_by_one(tmp_path: Path) -> None:
    engine = Engine(threads=1)
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(png(number, tmp_path))
    write_image(Frame(np.full((64, 64, 3), 90, np.uint8)), tmp_path / "grey.png")
    sources = [paths[0], tmp_path / "grey.png", paths[1], tmp_path / "none.png", paths[2]]
    made = engine.samples(sources, keep_images=True)
    assert [type(one).__name__ for one in made] == ["Sample", "NoFace", "Sample", "MediaNotFound", "Sample"]
    for source, one in zip(sources, made, strict=True):
        if isinstance(one, Sample):
            alone = engine.sample(source, keep_image=True)
            assert float(one.template.vector @ alone.template.vector) > 0.99999
            assert one.source == alone.source == str(source)
            assert one.face is not None
            assert one.face.frame.pixels.shape[0] <= 256


def test_a_maker_answers_every_job_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(png(number, tmp_path))
    maker = EngineMaker(Engine(threads=1))
    real = maker._engine.samples

    def samples(sources: Any, **options: Any) -> list[Sample | MienError]:
        if any(frame.source.endswith("2.png") for frame in sources):
            raise IndexError("nobody foresaw this")
        return real(sources, **options)

    monkeypatch.setattr(maker._engine, "samples", samples)
    made = dict(maker.make([(number, str(path)) for number, path in enumerate(paths)], lambda number: None))
    assert {number: type(one) for number, one in made.items()} == {0: Sample, 1: Sample, 2: UnreadableMedia, 3: Sample}
    assert "IndexError" in str(made[2])
    assert "2.png" in str(made[2])


@pytest.mark.parametrize("workers", ["1", "auto"])
def test_hostile_files_cost_themselves_alone(mixed: Path, tmp_path: Path, workers: str) -> None:
    words = ["enrol", tmp_path / "people.db", "--from", mixed, "--workers", workers, "--failures", tmp_path / "f.csv"]
    result = run(*words, "--json")
    answer = json.loads(result.stdout)
    assert result.exit_code == 65
    counts = ("photos", "samples", "added", "known", "before", "failed", "passed")
    assert [answer[name] for name in counts] == [11, 7, 6, 1, 0, 4, 1]
    assert {Path(one["source"]).name for one in answer["failures"]} == BAD
    rows = list(csv.DictReader((tmp_path / "f.csv").read_text("utf8").splitlines()))
    assert {Path(row["source"]).name for row in rows} == BAD
    assert all(row["type"] == "UnreadableMedia" and row["message"] for row in rows)
    with open_gallery(tmp_path / "people.db") as people:
        assert [(one.subject, one.samples) for one in people.people()] == [
            ("ana", 2),
            ("ben", 1),
            ("zoe", 2),
            ("çelik", 1),
        ]
    again = run(*words)
    assert again.exit_code == 65
    assert "11: 0 enrolled, 7 finished before, 4 failed" in again.stdout
    assert len(list(csv.DictReader((tmp_path / "f.csv").read_text("utf8").splitlines()))) == 4, (
        "all failures, not only new ones"
    )


def test_processes_make_what_one_makes(mixed: Path, tmp_path: Path) -> None:
    run("enrol", tmp_path / "one.db", "--from", mixed, "--workers", 1, "--keep-images")
    from mien.bulk import Options, Photos, enrol

    with open_gallery(tmp_path / "two.db") as people:
        enrol(people, mixed, plan=Photos(keep_images=True), options=Options(workers=2, small=0))
    with open_gallery(tmp_path / "one.db") as one, open_gallery(tmp_path / "two.db") as two:
        pairs = list(zip(one.samples(), two.samples(), strict=True))
        for (name, sample), (other, same) in pairs:
            assert (name, sample.source) == (other, same.source)
            assert float(sample.template.vector @ same.template.vector) > 0.99999
            assert sample.face is not None
            assert same.face is not None
            assert np.array_equal(sample.face.frame.pixels, same.face.frame.pixels)
    assert len(pairs) == 6


def test_a_list_with_metadata_and_the_web(tmp_path: Path, photos: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos({"1.png": png(1, tmp_path), "2.png": png(2, tmp_path)})
    monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    rows = f"subject,path,badge\nana,photos/1.png,17\nben,{address}/2.png,18\ncy,{address}/none.png,19\n"
    (tmp_path / "list.csv").write_text(rows)
    words = ["enrol", tmp_path / "people.db", "--from", tmp_path / "list.csv", "--metadata", "site=hq", "--json"]
    refused = json.loads(run(*words).stdout)
    assert (refused["added"], refused["failed"]) == (1, 2)
    assert all("--allow-remote" in str(one) for one in refused["failures"])
    allowed = json.loads(run(*words, "--allow-remote").stdout)
    server.shutdown()
    server.server_close()
    assert (allowed["added"], allowed["before"], allowed["failed"]) == (1, 1, 1)
    assert allowed["failures"][0]["source"].endswith("none.png")
    with open_gallery(tmp_path / "people.db") as people:
        found = {person.subject: person.metadata for person in people.people()}
        assert [sample.source for _, sample in people.samples("ben")] == [f"{address}/2.png"]
    assert found == {"ana": {"site": "hq", "badge": "17"}, "ben": {"site": "hq", "badge": "18"}}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ana", "x.jpg", "--workers", "2"], "need --from"),
        (["--from", "none", "--workers", "2"], "no file"),
        (["--from", "photos", "--workers", "many"], "neither auto nor"),
        (["--from", "ftp://x/y"], "no address that can be fetched"),
        (["ana", "--from", "photos", "--workers", "2"], "names every person"),
    ],
)
def test_what_makes_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    result = run("enrol", "people.db", *words)
    assert result.exit_code in (64, 66)
    assert told in result.stderr


def test_ctrl_c_ends_worker_processes_without_a_word(tmp_path: Path, photos: Write) -> None:
    photos({"1.png": png(1, tmp_path)})
    (tmp_path / "list.csv").write_text("".join(f"p{number},photos/1.png\n" for number in range(5000)))
    command = [sys.executable, "-m", "mien", "enrol", "people.db", "--from", "list.csv", "--workers", "2", "--json"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()  # the first line of progress, after some seconds
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the command
        rest = [line for line in process.stderr.read().splitlines() if line]
        process.wait(60)
    assert "photos" in line
    assert process.returncode == 130
    assert rest == ["The same command goes on from here.", "mien: stopped; what was done before is kept."]
    with open_gallery(tmp_path / "people.db") as people, closing(Journal(tmp_path / "people.db.bulk")) as journal:
        assert 0 < len(people) == journal.count("done") < 5000
        assert not journal.count("open")
