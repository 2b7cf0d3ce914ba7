"""A folder of synthetic data: the same bytes by any number of workers, after any kill, and nothing half-written."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mien.errors import CannotWrite, UsageError
from mien.learn.synth import sinks
from mien.learn.synth.manifest import NAME, Wanted, people
from mien.learn.synth.produce import Maker, cast, jobs, produce
from mien.learn.synth.truth import read_truth
from mien.media import open_video

Few = Callable[..., Wanted]
Digests = Callable[[Path], dict[str, str]]
HERE = Path(__file__).parent

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
from stub_face import StubMaker
from mien.learn.synth.manifest import Wanted
from mien.learn.synth.produce import produce
from mien.learn.synth.program import load_program
if __name__ == "__main__":
    wanted = Wanted(load_program("basic"), subjects=6, size=32, fps=5.0)
    produce(wanted, Path({folder!r}), StubMaker(), threads={threads})
"""


def test_any_number_of_workers_writes_the_same(stub: Maker, few: Few, bytes_of: Digests, tmp_path: Path) -> None:
    wanted = few(extras=("masks", "depth"), groups={"skin": 2})
    one = produce(wanted, tmp_path / "one", stub, threads=1)
    three = produce(wanted, tmp_path / "three", stub, threads=3)
    assert (one.made, one.frames) == (three.made, three.frames) == (14, 14 * 20)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "three")


@pytest.mark.parametrize("threads", [1, 2])
def test_it_goes_on_after_a_kill(stub: Maker, few: Few, bytes_of: Digests, tmp_path: Path, threads: int) -> None:
    folder, wanted = tmp_path / "killed", few(subjects=6)
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(here=str(HERE), folder=str(folder), threads=threads))
    child = subprocess.Popen([sys.executable, str(script)], start_new_session=True)
    try:
        wait_for(lambda: len(list((folder / "truth").glob("*.json"))) >= 3)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    wait_for(lambda: not processes_in(child.pid))  # workers end by themselves
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "truth").glob("*.json")}
    assert not json.loads((folder / NAME).read_text())["finished"]
    (folder / "clips" / f"{sinks.PART}s0006-anger-0").mkdir(exist_ok=True)  # as a kill in the middle leaves it
    done = produce(wanted, folder, stub)
    assert done.kept == len(before) >= 3 and done.made == 42 - done.kept
    assert before == {name: (folder / "truth" / name).stat().st_mtime_ns for name in before}
    produce(wanted, tmp_path / "whole", stub)
    assert bytes_of(folder) == bytes_of(tmp_path / "whole")
    assert json.loads((folder / NAME).read_text())["finished"]
    assert produce(wanted, folder, stub).made == 0


def test_a_clip_without_its_truth_is_made_again(stub: Maker, few: Few, bytes_of: Digests, tmp_path: Path) -> None:
    wanted = few(subjects=1)
    produce(wanted, tmp_path / "data", stub)
    before = bytes_of(tmp_path / "data")
    (tmp_path / "data" / "truth" / "s0001-fear-0.json").unlink()
    (tmp_path / "data" / "clips" / "s0001-fear-0" / "0003.png").write_bytes(b"half")
    assert produce(wanted, tmp_path / "data", stub).made == 1
    assert bytes_of(tmp_path / "data") == before


def test_another_recipe_is_refused(stub: Maker, few: Few, tmp_path: Path) -> None:
    produce(few(subjects=1, kind="stills"), tmp_path / "data", stub)
    with pytest.raises(UsageError, match=r"another recipe \(seed 0 there, 7 asked for\)"):
        produce(few(subjects=1, kind="stills", seed=7), tmp_path / "data", stub)
    with pytest.raises(UsageError, match=r"another recipe .*program"):
        produce(few("basic8", subjects=1, kind="stills"), tmp_path / "data", stub)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.jpg").touch()
    with pytest.raises(UsageError, match=r"holds no synthetic\.json"):
        produce(few(), tmp_path / "mine", stub)
    (tmp_path / "data" / NAME).write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        produce(few(), tmp_path / "data", stub)


def test_no_room_is_told_and_leaves_nothing_half(
    stub: Maker, few: Few, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, count = sinks._save, 0

    def full(*words: Any) -> None:
        nonlocal count
        count += 1
        if count == 30:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(*words)

    monkeypatch.setattr(sinks, "_save", full)
    with pytest.raises(CannotWrite, match=r"no room left.*finished clips are kept"):
        produce(few(), tmp_path / "data", stub)
    assert len(list((tmp_path / "data" / "truth").iterdir())) == 1
    assert [path.name for path in (tmp_path / "data" / "clips").iterdir()] == ["s0001-neutral-0"]
    assert produce(few(), tmp_path / "data", stub).kept == 1


def test_truth_is_what_was_told_to_the_renderer(stub: Maker, few: Few, tmp_path: Path) -> None:
    wanted = few(subjects=1)
    produce(wanted, tmp_path, stub)
    job = jobs(wanted)[1]
    person, take = cast(wanted, job)
    truth = read_truth(tmp_path / "truth" / f"{job.name}.json")
    assert truth.synthetic and "Synthetic" in truth.statement
    assert (truth.subject, truth.label, truth.noisy) == (person.name, "happiness", False)
    assert len(truth.frames) == 20 == len(list((tmp_path / truth.media["frames"]).iterdir()))
    for frame in truth.frames:
        state = take.state(frame.time)
        assert frame.units == {name: pytest.approx(pair, abs=1e-5) for name, pair in state.units.items()}
        assert frame.pose == pytest.approx(state.pose, abs=1e-5)
        assert (frame.pulse, frame.gaze) == (pytest.approx(state.pulse, abs=1e-5), pytest.approx(state.gaze, abs=1e-5))
    (one,) = truth.intervals
    for onset_or_offset, wanted_time in zip(one.frames, (one.onset, one.apex, one.offset), strict=True):
        assert abs(onset_or_offset / 5.0 - wanted_time) <= 0.1 + 1e-9
    assert 55 <= truth.heart_rate <= 95
    assert len(truth.beats) == pytest.approx(truth.heart_rate / 60 * 4, abs=1)


def test_the_root_says_that_all_is_synthetic(stub: Maker, few: Few, tmp_path: Path) -> None:
    produce(few(kind="stills"), tmp_path, stub)
    manifest = json.loads((tmp_path / NAME).read_text())
    assert manifest["synthetic"] is True and manifest["finished"] is True
    assert manifest["clips"] == 14 and manifest["recipe"]["program"]["name"] == "basic"
    rows = rows_of(tmp_path)
    assert [row["name"] for row in rows] == [job.name for job in jobs(few(kind="stills"))]
    assert all((tmp_path / row["media"]).is_file() and (tmp_path / row["truth"]).is_file() for row in rows)
    assert pixels_of(tmp_path / "sheet.png").shape[1] > 1000


def test_stills_are_at_the_apex(stub: Maker, few: Few, tmp_path: Path) -> None:
    wanted = few(kind="stills", subjects=1)
    produce(wanted, tmp_path, stub)
    for job in jobs(wanted):
        _, take = cast(wanted, job)
        (frame,) = read_truth(tmp_path / "truth" / f"{job.name}.json").frames
        assert frame.time == pytest.approx(take.apex, abs=1e-6)


def test_masks_and_depth(stub: Maker, few: Few, tmp_path: Path) -> None:
    produce(few(kind="stills", subjects=1, extras=("masks", "depth")), tmp_path, stub)
    depth = pixels_of(tmp_path / "depth" / "s0001-fear-0" / "0000.png")
    mask = pixels_of(tmp_path / "masks" / "s0001-fear-0" / "0000.png")
    assert set(np.unique(depth)) == {0, 600}  # 60 cm in mm, 0 where there is nothing
    assert ((depth > 0) == (mask == 1)).all()


def test_groups_are_spread_evenly(few: Few) -> None:
    counts = Counter(people(few(subjects=20, groups={"skin": 3, "shape": 2})))
    assert len(counts) == 6 and max(counts.values()) - min(counts.values()) <= 1


def test_label_noise_reaches_the_lists(stub: Maker, few: Few, tmp_path: Path) -> None:
    plain = few(kind="stills", subjects=20)
    produce(replace(plain, program=replace(plain.program, label_noise=0.25)), tmp_path, stub)
    rows = rows_of(tmp_path)
    wrong = [row for row in rows if row["noisy"] == "1"]
    assert 0.15 < len(wrong) / len(rows) < 0.36
    assert all((row["label"] != row["true"]) == (row["noisy"] == "1") for row in rows)


def test_videos_hold_every_frame(stub: Maker, few: Few, tmp_path: Path) -> None:
    produce(few(subjects=1, video=True, fps=12.0), tmp_path, stub)
    with open_video(tmp_path / "clips" / "s0001-fear-0.mp4") as video:
        assert video.fps == pytest.approx(12.0)
        frames = list(video.frames())
    assert len(frames) == 48 and frames[-1].time == pytest.approx(47 / 12, abs=1e-3)
    with pytest.raises(UsageError, match="even --size"):
        produce(few(video=True, size=33), tmp_path / "odd", stub)


def test_ffv1_loses_nothing(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    with sinks.video(tmp_path / "a.avi", 30.0, 32, "ffv1") as sink:
        for frame in pixels:
            sink.add(frame)
    with open_video(tmp_path / "a.avi") as video:
        assert all((frame.pixels == want).all() for frame, want in zip(video.frames(), pixels, strict=True))


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "index.csv").read_text(encoding="utf8").splitlines()))


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def wait_for(happened: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def processes_in(session: int) -> list[int]:
    """Living processes of a session that is ours."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.name))
    return found
