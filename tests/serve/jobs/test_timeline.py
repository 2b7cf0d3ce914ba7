"""The timeline as files: pages, erasures and old entries while it is being written."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import Decision, Face, Frame, Match
from mien.serve.jobs import timeline
from mien.serve.jobs.job import Job

JOB = Job(1, "j", "default", "k", "video", True, {}, "running", 0.0, 0.0, 1000.0, None, "w", 1, None, None)
FACE = Face(
    Frame(np.full((96, 96, 3), 128, np.uint8)),
    np.array([20, 20, 76, 76], np.float32),
    np.array([[36, 40], [60, 40], [48, 50], [40, 62], [56, 62]], np.float32),
    0.9,
)


def seen(subject: str | None, start: float, *others: str) -> Decision:
    matches = tuple(Match(one, 0.5) for one in ((subject,) if subject else ()) + others)
    reasons = (f"about equally alike: {', '.join(others)}",) if others else ()
    return Decision(
        "accept" if subject else "abstain", reasons, subject, 0.5, None, matches, (), (FACE,), "x", (start, start + 1)
    )


def written(home: Path, job: Job, *decisions: Decision) -> timeline.Timeline:
    folder = home / timeline.part(job)
    folder.mkdir(parents=True, exist_ok=True)
    line = timeline.Timeline(folder, job)
    for one in decisions:
        line.add(one)
    return line


def names(entries: list[dict[str, Any]]) -> list[Any]:
    return [one["subject"] for one in entries]


def test_pages_go_on_where_they_were_though_somebody_is_erased(tmp_path: Path) -> None:
    written(tmp_path, JOB, *(seen(name, 0) for name in "ABCABC"))
    written(tmp_path, replace(JOB, started=2000.0), *(seen(name, 0) for name in "DE"))
    first = timeline.page(tmp_path, JOB, None, 3)
    assert names(first) == ["A", "B", "C"]
    assert timeline.forget(tmp_path, "A") == 2
    rest = timeline.page(tmp_path, JOB, timeline.place(first[-1]["id"]), 10)
    assert names(rest) == ["B", "C", "D", "E"]
    assert timeline.page(tmp_path, JOB, timeline.place(rest[-1]["id"]), 10) == []
    assert names(timeline.page(tmp_path, replace(JOB, live=False, started=2000.0), None, 10)) == ["D", "E"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["A", "B", None]), max_size=12), st.integers(1, 5))
def test_pages_put_together_are_the_whole(tmp_path_factory: Any, subjects: list[str | None], limit: int) -> None:
    home = tmp_path_factory.mktemp("t")
    written(home, JOB, *(seen(one, 0) for one in subjects))
    got: list[Any] = []
    after = None
    while found := timeline.page(home, JOB, after, limit):
        got += found
        after = timeline.place(found[-1]["id"])
    assert names(got) == subjects


def test_the_erased_are_out_of_others_entries_too(tmp_path: Path) -> None:
    written(tmp_path, JOB, seen("B", 0), seen(None, 1, "Zoë 'Q' <b>", "B"))
    timeline.forget(tmp_path, "Zoë 'Q' <b>")
    assert names(timeline.page(tmp_path, JOB, None, 9)) == ["B", None]
    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "Zoë".encode() not in held and b"erased since" in held


def test_nothing_is_lost_that_is_written_while_somebody_is_erased(tmp_path: Path) -> None:
    line = written(tmp_path, JOB)
    threads = [threading.Thread(target=lambda: [line.add(seen(f"p{number}", 0)) for number in range(40)])]
    stop = threading.Event()

    def erase() -> None:
        while not stop.is_set():
            timeline.forget(tmp_path, "p3")

    threads.append(threading.Thread(target=erase))
    for one in threads:
        one.start()
    threads[0].join()
    stop.set()
    threads[1].join()
    timeline.forget(tmp_path, "p3")
    assert names(timeline.page(tmp_path, JOB, None, 99)) == [f"p{number}" for number in range(40) if number != 3]


def test_what_a_camera_showed_long_ago_goes(tmp_path: Path) -> None:
    now = time.time()
    job = replace(JOB, started=now - 100)
    written(tmp_path, job, seen("old", 10), seen("new", 60))
    assert timeline.prune(tmp_path, now - 50) == 1
    (left,) = timeline.page(tmp_path, job, None, 9)
    assert left["subject"] == "new"
    assert {path.stem for path in tmp_path.rglob("*.jpg")} == {left["id"]}


def test_a_line_that_was_cut_off_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path, JOB, seen("A", 0))
    with (tmp_path / timeline.part(JOB) / timeline.LINES).open("a") as file:
        file.write('{"id": "1000000-1", "verdict"')
    assert names(timeline.page(tmp_path, JOB, None, 9)) == ["A"]
