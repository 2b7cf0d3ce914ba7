"""Killed at any moment, a migration loses nobody, shows nothing half done, and the same command goes on."""

from __future__ import annotations

import os
import random
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mien.gallery import open_gallery
from mien.gallery.moving import recover
from mien.gallery.moving.state import state_path
from mien.gallery.moving.steps import drop, prepare, roll_back, status, switch

Fill = Callable[..., Path]


def work(path: Path, cast: Any, start: int, say: Callable[[str], None]) -> None:
    """Migrate there and back for ever, enrolling and forgetting in between; each change is told when acknowledged."""
    old, new = cast.old(), cast.new()
    for number in range(start, start + 100_000):
        with open_gallery(path) as gallery:
            here = new if gallery.space == new.space else old
            gallery.enrol(f"q{number}", [cast.sample(here, number)])
            say(f"+{number}")
            if number % 3 == 0:
                say(f"?{number}")
                gallery.forget(f"q{number}")
                say(f"-{number}")
            there = gallery.space == new.space
        if there:
            roll_back(path, old)
        else:
            prepare(path, new)
            switch(path, new)


def run_and_kill(path: Path, cast: Any, start: int, seconds: float) -> list[str]:
    """What a forked worker said before it was killed."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work(path, cast, start, lambda text: os.write(writing, f"{text}\n".encode()))
        except BaseException as error:  # noqa: BLE001  it must not come back as a second test run
            os.write(writing, f"!{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os.close(writing)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read().split("\n")[:-1]


def kill_often(path: Path, cast: Any, times: int) -> None:
    rng = random.Random(times)
    people, old, new = {f"p{n}" for n in range(4)}, cast.old(), cast.new()
    wanted, unsure, phases = set(people), set(), set()
    began = time.monotonic()
    prepare(path, new)
    switch(path, new)
    cycle = time.monotonic() - began  # however busy the machine is
    for trial in range(4 * times):
        if trial >= times and {phase for phase, _ in phases} == {"preparing", "switched"}:
            break  # on a busy machine it takes more kills than that to meet both
        said = run_and_kill(path, cast, 1000 * (trial + 1), rng.uniform(0.05, 1.5) * cycle)
        assert not [line for line in said if line[0] == "!"]
        asked, gone = ({f"q{line[1:]}" for line in said if line[0] == sign} for sign in "?-")
        wanted = (wanted | {f"q{line[1:]}" for line in said if line[0] == "+"}) - asked
        unsure |= asked - gone
        with open_gallery(path, create=False) as gallery:
            found = {person.subject for person in gallery.people()}
            assert wanted <= found
            assert len(found - wanted - unsure) <= trial + 1  # enrolled and not told yet, once a kill
            wanted |= found - unsure
            here = new if gallery.space == new.space else old
            for _, sample in gallery.samples():
                assert (sample.template.vector == here.vector(sample.face)).all(), "one space, and each its own"
            assert gallery.verify() == []
            assert gallery.search(cast.sample(here, 2, 9).template, 1)[0].subject == "p2"
        if state_path(path).exists():
            phases.add((status(path).phase, status(path).interrupted))
        raw = b"".join(each.read_bytes() for each in sorted(path.parent.rglob("*")) if each.is_file())
        for name in gone:
            face = cast.face(int(name[1:]))
            assert not any(embedder.vector(face).tobytes()[:16] in raw for embedder in (old, new))
    assert {phase for phase, _ in phases} == {"preparing", "switched"}
    finish(path, cast, wanted, unsure)


def finish(path: Path, cast: Any, wanted: set[str], unsure: set[str]) -> None:
    """The same commands go on, to the end."""
    with open_gallery(path) as gallery:
        space = gallery.space  # which index is in use decides how an exchange that was cut off is finished
    if space != cast.new().space:
        prepare(path, cast.new())
        switch(path, cast.new())
        assert status(path).waiting == 0
    drop(path)
    with open_gallery(path) as gallery:
        names = {person.subject for person in gallery.people()}
        assert (gallery.space, gallery.verify(), wanted <= names, names - wanted <= unsure) == (
            "new space",
            [],
            True,
            True,
        )
    left = {each.name for each in path.parent.iterdir()} - {"people.db"}
    assert left <= {"people.db.migration-run"}, "nothing stays behind"


class Death(BaseException):
    """Of a process."""


def test_dying_where_an_exchange_clears_up_leaves_no_file_that_nobody_knows(
    cast: SimpleNamespace, filled: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled(4, 1)
    prepare(path, cast.new())
    switch(path, cast.new())
    for method in ("clear", "replace"):  # just before the old file goes, and just after
        with monkeypatch.context() as patch, pytest.raises(Death):
            patch.setattr(recover, method, lambda *_, **__: (_ for _ in ()).throw(Death))
            roll_back(path, cast.old())
        with open_gallery(path) as gallery:
            assert gallery.space == cast.old().space
            gallery.forget("p1" if method == "clear" else "p2")
        prepare(path, cast.new())
        switch(path, cast.new())
    drop(path)
    assert {each.name for each in path.parent.iterdir()} == {"people.db"}


def test_killed_two_dozen_times(cast: SimpleNamespace, filled: Fill) -> None:
    kill_often(filled(4, 1), cast, 24)


@pytest.mark.slow
def test_killed_a_hundred_times(cast: SimpleNamespace, filled: Fill) -> None:
    kill_often(filled(4, 1), cast, 100)
