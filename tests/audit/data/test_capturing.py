"""Pictures to captures: failures keep their rows, and a killed run goes on where it was."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mien.audit.captures.capturing import NO_FACE, capture, lost
from mien.audit.captures.resume import BATCH, forget
from mien.audit.detection.looking import look, speeds
from mien.errors import CannotWrite, InputError, ModelUnavailable, UnreadableMedia, UsageError
from mien.types import Face, Frame

HERE = Path(__file__).parent


def test_every_picture_keeps_its_row(stubs: ModuleType) -> None:
    def broken() -> Frame:
        raise UnreadableMedia("d.jpg is cut short.", "Copy it again.")

    listed = [
        stubs.drawn("a", "Ann"),
        stubs.drawn("b", "Ann", faces=0),
        stubs.drawn("c", "Bob", faces=3, quality=20),
        replace(stubs.drawn("d", "Bob"), read=broken),
    ]
    told: list[tuple[int, int]] = []
    captures = capture(stubs.stub_engine(), listed, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert captures.names == ("a", "b", "c", "d")
    assert captures.failures == ("", NO_FACE, "", "d.jpg is cut short.")
    assert captures.faces == (1, 0, 3, 0)
    assert captures.space == "stub"
    assert np.linalg.norm(captures.vectors, axis=1) == pytest.approx([1, 0, 1, 0])
    assert captures.quality.tolist()[::2] == [0.9, 0.2]
    assert np.isnan(captures.quality[1::2]).all()
    assert captures.digests[0] and not captures.digests[3]
    assert {one.kind: one.cases for one in lost(captures)} == {
        "failed_capture": (f"b: {NO_FACE}", "d: d.jpg is cut short."),
        "several_faces": ("c: 3 faces",),
    }


def test_a_floor_makes_poor_faces_fail_as_enrolment_does(stubs: ModuleType) -> None:
    listed = [stubs.drawn("a", quality=50), stubs.drawn("b", quality=49)]
    captures = capture(stubs.stub_engine(), listed, floor=0.5)
    assert captures.failures == ("", "the face is too poor to know anybody by (quality 0.49)")
    assert not captures.vectors[1].any()


def test_points_of_the_data_set_take_the_detectors_place(stubs: ModuleType) -> None:
    seen: list[str] = []
    picture = replace(stubs.drawn("a", faces=0), points=stubs.POINTS)
    captures = capture(stubs.stub_engine(seen.append), [picture])
    assert captures.failures == ("",)
    assert captures.faces == (1,)
    assert not seen


def test_the_same_bytes_are_looked_at_once_within_a_run_and_across(stubs: ModuleType, tmp_path: Path) -> None:
    seen: list[str] = []
    engine = stubs.stub_engine(seen.append)
    listed = [stubs.drawn(str(number), shade=number % 20) for number in range(100)]
    first = capture(engine, listed, store=tmp_path / "store.db")
    assert 20 <= len(seen) < 30  # a few ahead may be looked at twice
    seen.clear()
    again = capture(engine, listed, store=tmp_path / "store.db")
    assert not seen
    assert (again.vectors == first.vectors).all()
    assert again.digests == first.digests
    capture(engine, [replace(listed[0], pad=0.5)], store=tmp_path / "store.db")
    assert len(seen) == 1  # another padding is another picture


def test_the_store_is_its_owners_alone_and_forgotten(stubs: ModuleType, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    capture(stubs.stub_engine(), [stubs.drawn("a")], store=store)
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    forget(store)
    assert not list(tmp_path.iterdir())
    forget(store)


@pytest.mark.parametrize("what", ["text", "another database", "another table"])
def test_a_store_of_another_kind_is_refused_and_left_alone(stubs: ModuleType, tmp_path: Path, what: str) -> None:
    store = tmp_path / "store.db"
    if what == "text":
        store.write_text("words " * 1000)
    else:
        with sqlite3.connect(store) as file:
            file.execute("CREATE TABLE people (name TEXT)" if what == "another database" else "CREATE TABLE done (key)")
        file.close()
    before = store.read_bytes()
    with pytest.raises(InputError, match="holds no unfinished run"):
        capture(stubs.stub_engine(), [stubs.drawn("a")], store=store)
    assert store.read_bytes() == before


def test_a_damaged_store_and_one_that_cannot_be_made(stubs: ModuleType, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    capture(stubs.stub_engine(), [stubs.drawn("a")], store=store)
    with sqlite3.connect(store) as file:
        file.execute("UPDATE done SET record = '[1, 2]'")
    file.close()
    with pytest.raises(InputError, match="is damaged"):
        capture(stubs.stub_engine(), [stubs.drawn("a")], store=store)
    with pytest.raises(CannotWrite):
        capture(stubs.stub_engine(), [stubs.drawn("a")], store=tmp_path / "absent" / "store.db")


def test_two_pictures_of_one_name_are_refused(stubs: ModuleType) -> None:
    with pytest.raises(UsageError, match="same name"):
        capture(stubs.stub_engine(), [stubs.drawn("a"), stubs.drawn("a")])


def test_a_model_that_is_missing_stops_the_run(stubs: ModuleType) -> None:
    class Gone(stubs.Pixels):
        def detect(self, frames: list[Frame]) -> list[list[Face]]:
            raise ModelUnavailable("The file is gone.")

    engine = stubs.stub_engine()
    engine.detector = Gone()
    with pytest.raises(ModelUnavailable):
        capture(engine, [stubs.drawn("a")])
    with pytest.raises(ModelUnavailable):
        look(engine, [stubs.drawn("a")])


def test_looking_keeps_boxes_and_resumes_too(stubs: ModuleType, tmp_path: Path) -> None:
    seen: list[str] = []
    engine = stubs.stub_engine(seen.append)
    listed = [stubs.drawn("a", faces=2), stubs.drawn("b", faces=0)]
    first = look(engine, listed, store=tmp_path / "store.db")
    assert first[0].boxes.tolist() == [[2, 2, 10, 10], [2, 2, 9, 9]]
    assert first[0].scores == pytest.approx([0.99, 0.89])
    assert (first[1].width, len(first[1].scores)) == (12, 0)
    seen.clear()
    again = look(engine, listed, store=tmp_path / "store.db")
    assert not seen
    assert (again[0].boxes == first[0].boxes).all()
    assert again[0].picture is listed[0]


def test_speed_is_measured_one_picture_at_a_time(stubs: ModuleType) -> None:
    seen: list[str] = []
    times = speeds(stubs.stub_engine(seen.append), [stubs.drawn(str(number)) for number in range(100)], most=10)
    assert len(times) == 10
    assert len(seen) == 11  # the first one twice: loading the models does not count
    assert not len(speeds(stubs.stub_engine(), []))


RUN = """
import sys, time
import numpy as np
sys.path.insert(0, sys.argv[1])
import stubs
from mien.audit.captures.capturing import capture
folder, pause = sys.argv[2], float(sys.argv[3])
log = open(f"{folder}/log", "a", buffering=1)
def seen(name):
    log.write(name + "\\n")
    time.sleep(pause)
listed = [stubs.drawn(str(n), str(n // 3), faces=n % 4, shade=n) for n in range(240)]
captures = capture(stubs.stub_engine(seen), listed, store=f"{folder}/store.db")
np.savez(f"{folder}/result.npz", vectors=captures.vectors, failures=captures.failures, digests=captures.digests)
"""


def run(folder: Path, pause: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", RUN, str(HERE), str(folder), str(pause)])


def test_a_run_killed_half_way_goes_on_where_it_was(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert run(whole, 0).wait(60) == 0

    first = run(killed, 0.02)
    until = time.monotonic() + 60
    while not (killed / "log").is_file() or len((killed / "log").read_text().split()) < 2 * BATCH + 20:
        assert time.monotonic() < until
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert not (killed / "result.npz").exists()
    with sqlite3.connect(killed / "store.db") as file:
        durable = file.execute("SELECT count(*) FROM done").fetchone()[0]
    file.close()
    assert durable >= 2 * BATCH - 10
    (killed / "log").unlink()

    assert run(killed, 0).wait(60) == 0
    assert len((killed / "log").read_text().split()) == 240 - durable  # nothing that was kept is done again
    one, other = (np.load(folder / "result.npz") for folder in (whole, killed))
    assert all((one[name] == other[name]).all() for name in one)
