"""Official layouts as written here are read by the readers of those layouts, and mean what was rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mien.errors import UsageError
from mien.learn.data.example import Dataset
from mien.learn.data.per_frame import per_frame
from mien.learn.data.waves import read_wave
from mien.learn.synth.layouts import LAYOUTS, _votes, split_of
from mien.learn.synth.manifest import Wanted, truths
from mien.learn.synth.produce import Maker, jobs, produce
from mien.learn.synth.truth import Truth
from mien.media import open_video
from mien.report import Problem

Few = Callable[..., Wanted]


def reader(name: str) -> ModuleType:
    return import_module(f"mien.learn.data.layouts.{name}")


def faults(read: Dataset) -> list[Problem]:
    """What the reader found wrong; that a small program lacks classes is not."""
    return [one for one in read.problems if one.kind != "absent_class"]


def made(wanted: Wanted, folder: Path, stub: Maker) -> dict[str, Truth]:
    produce(wanted, folder, stub)
    return {truth.name: truth for truth in truths(folder, [job.name for job in jobs(wanted)])}


def test_fer2013(stub: Maker, few: Few, tmp_path: Path) -> None:
    known = made(few(kind="stills", layout="fer2013", subjects=12), tmp_path, stub)
    read = reader("fer2013").read(tmp_path)
    assert not faults(read)
    assert len(read) == len(known) == 84
    for split in ("train", "dev", "test"):
        want = sorted(truth.label for truth in known.values() if split_of(truth.subject) == split)
        assert sorted(str(one.label) for one in read.of(split).examples) == want


def test_dfew(stub: Maker, few: Few, tmp_path: Path) -> None:
    known = made(few("ambiguous", layout="dfew", subjects=5), tmp_path, stub)
    read = reader("dfew").read(tmp_path)
    assert not faults(read)
    assert len(read) == len(known) == 20
    by_number = {truth.number + 1: truth for truth in known.values()}
    for one in read.examples:
        truth = by_number[int(one.name.rpartition("/")[2])]
        assert one.label == truth.label
        assert all(abs(one.soft.get(name, 0) - share) <= 0.051 for name, share in truth.soft.items())


def test_casme2(stub: Maker, few: Few, tmp_path: Path) -> None:
    known = made(few("micro", layout="casme2", fps=50.0), tmp_path, stub)
    read = reader("casme2").read(tmp_path)
    assert not faults(read)
    assert len(read) == len(known) == 12
    by_number = {truth.number + 1: truth for truth in known.values()}
    for one in read.examples:
        truth = by_number[int(one.name.rpartition("EP")[2])]
        (span,) = one.spans
        assert (span.onset, span.apex, span.offset) == truth.intervals[0].frames
        assert one.label == truth.label
        assert one.subject == f"sub{int(truth.subject[1:]):02d}"
        assert list(span.units) == list(truth.intervals[0].units)


def test_ubfc(stub: Maker, few: Few, tmp_path: Path) -> None:
    known = made(few("pulse", layout="ubfc", fps=10.0), tmp_path, stub)
    read = reader("ubfc").read(tmp_path)
    assert not faults(read)
    assert len(read) == len(known) == 2
    for one, truth in zip(read.examples, known.values(), strict=True):
        values, times = read_wave(one.waves[0])
        assert values == pytest.approx([frame.pulse for frame in truth.frames], abs=1e-6)
        assert times == pytest.approx([frame.time for frame in truth.frames], abs=1e-6)
        assert one.values["heart_rate"] == pytest.approx(truth.heart_rate, abs=0.5)
        with open_video(one.media.path) as video:
            assert sum(1 for _ in video.frames()) == len(truth.frames) == 200


def test_disfa(stub: Maker, few: Few, tmp_path: Path) -> None:
    known = made(few(layout="disfa", subjects=14, fps=20.0), tmp_path, stub)
    assert len({truth.label for truth in known.values()}) == 7  # subjects take the expressions in turn
    read = reader("disfa").read(tmp_path)
    assert not faults(read)
    assert len(read) == 14 and all(one.split in ("train", "test") for one in read.examples)
    for one, truth in zip(read.examples, known.values(), strict=True):
        values = [frame.values["AU12"] for frame in per_frame(replace(read, examples=(one,))).examples]
        want = [5 * max(frame.units.get("AU12", (0.0, 0.0))) for frame in truth.frames]
        assert np.abs(np.subtract(values, want)).max() <= 0.5


def test_bp4d(stub: Maker, few: Few, tmp_path: Path) -> None:
    known = made(few(layout="bp4d", subjects=3), tmp_path, stub)
    read = reader("bp4d").read(tmp_path)
    assert not faults(read)
    assert len(read) == len(known) == 21
    by_place = {truth.media["frames"].removeprefix("Sequences/"): truth for truth in known.values()}
    for one in read.examples:
        truth = by_place[one.name]
        values = [frame.values["AU12"] for frame in per_frame(replace(read, examples=(one,))).examples]
        want = [max(frame.units.get("AU12", (0.0, 0.0))) > 0.1 for frame in truth.frames]
        assert values == want
    assert {one.split for one in read.examples} <= {"train", "test"}


@pytest.mark.parametrize(
    ("program", "changes", "words"),
    [
        ("basic", {"layout": "dfew", "kind": "stills"}, "holds clips"),
        ("basic8", {"layout": "fer2013", "kind": "stills"}, "no class 'contempt'"),
        ("spotting", {"layout": "casme2"}, "one expression per clip"),
        ("basic", {"layout": "bp4d", "repeats": 2}, "9 tasks, not 14"),
    ],
)
def test_what_a_layout_cannot_hold_is_refused(
    program: str, changes: dict[str, object], words: str, stub: Maker, few: Few, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=words):
        produce(few(program, **changes), tmp_path / "data", stub)
    assert not (tmp_path / "data").exists()


def test_the_heart_rate_is_in_the_pixels(
    stub: Maker, few: Few, tmp_path: Path, rate_of: Callable[[Path, Truth], float]
) -> None:
    """The green channel's mean over the face, by its strongest frequency: within 2 bpm of the truth."""
    known = made(few("pulse", layout="ubfc", fps=15.0), tmp_path, stub)
    for truth in known.values():
        assert rate_of(tmp_path / truth.media["video"], truth) == pytest.approx(truth.heart_rate, abs=2.0)


def test_votes_are_ten_and_nearest_to_the_shares() -> None:
    assert _votes({"happiness": 0.64, "surprise": 0.36}) == [6, 0, 0, 0, 4, 0, 0]
    assert _votes({"happiness": 0.25, "surprise": 0.75}).count(0) == 5
    for share in np.linspace(0, 1, 41):
        votes = _votes({"fear": float(share), "anger": 1 - float(share)})
        assert sum(votes) == 10 and abs(votes[6] - 10 * share) <= 1


def test_splits_are_by_subject_and_about_8_1_1() -> None:
    splits = [split_of(f"s{number:04d}") for number in range(2000)]
    assert splits.count("train") / 2000 == pytest.approx(0.8, abs=0.04)
    assert splits.count("test") / 2000 == pytest.approx(0.1, abs=0.03)


def test_every_layout_is_offered() -> None:
    from mien.cli import synth

    assert tuple(LAYOUTS) == synth.LAYOUTS
