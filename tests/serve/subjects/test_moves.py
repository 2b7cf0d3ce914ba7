"""Merging, splitting, replacing, renaming: whole or not at all, whatever is cut off, and nobody is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from mien.gallery import open_gallery
from mien.serve import people
from mien.serve.galleries import Galleries
from mien.serve.records import Records
from mien.serve.samples import sample_id
from mien.serve.service import Service
from mien.serve.settings import Settings
from mien.types import Sample, Template

G = "/v1/galleries/people"
Enrol = Callable[..., dict[str, Any]]
HERE = ("default", "people")

# A process that kills itself at a point of a move. {} is what to do, with `all` a Galleries; `at` counts down to the kill.
SCRIPT = """
import os, signal, sys
from pathlib import Path
from mien.gallery import EmbeddedGallery
from mien.serve import moves, people
from mien.serve.galleries import Galleries
from mien.serve.records import Records
from mien.serve.settings import Settings

def dying(owner, name, after):
    real = getattr(owner, name)
    def step(*given, **named):
        global at
        for place in (0, 1):
            at -= 1
            if at == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if place == 0:
                done = real(*given, **named)
        return done
    setattr(owner, name, step)

at = int(sys.argv[2])
data = Path(sys.argv[1])
all = Galleries(Settings(data=data), Records(data / "service.db"))
for owner, name in ((EmbeddedGallery, "enrol"), (EmbeddedGallery, "forget_sample"), (moves.Moves, "_struck")):
    dying(owner, name, at)
HERE = ("default", "people")
{}
all.close()
"""
DONE: dict[str, str] = {
    "merge": 'people.merged(all, HERE, "ana", "ben")',
    "split": 'people.split(all, HERE, "ana", sys.argv[3].split(","), "carla")',
    "rename": 'people.renamed(all, HERE, "ana", "Ana 2")',
}


def sample(number: int) -> Sample:
    vector = np.random.default_rng(number).normal(size=16).astype(np.float32)
    return Sample(Template(vector / np.linalg.norm(vector), "s"))


@pytest.fixture
def galleries(tmp_path: Path) -> Iterator[Galleries]:
    """ana with samples 0, 1 and 2, ben with 3 and 4."""
    records = Records(tmp_path / "service.db")
    made = Galleries(Settings(data=tmp_path), records)
    made.create(*HERE)
    with made.turn(*HERE) as gallery:
        gallery.enrol("ana", [sample(n) for n in range(3)], {"badge": 1, "expires": "2999-01-01"})
        gallery.enrol("ben", [sample(3), sample(4)], {"badge": 2, "floor": 3, "expires": "2998-01-01"})
    yield made
    made.close()
    records.close()


def held(galleries: Galleries) -> dict[str, set[str]]:
    gallery = galleries.open(*HERE)
    return {
        one.subject: {sample_id(each.template) for _, each in gallery.samples(one.subject)} for one in gallery.people()
    }


def ids(*numbers: int) -> set[str]:
    return {sample_id(sample(n).template) for n in numbers}


AFTER: dict[str, dict[str, set[str]]] = {
    "merge": {"ana": ids(0, 1, 2, 3, 4)},
    "split": {"ana": ids(0, 1), "ben": ids(3, 4), "carla": ids(2)},
    "rename": {"Ana 2": ids(0, 1, 2), "ben": ids(3, 4)},
}
BEFORE = {"ana": ids(0, 1, 2), "ben": ids(3, 4)}


@pytest.mark.parametrize("what", sorted(DONE))
def test_killed_anywhere_nobody_is_lost_and_the_next_turn_ends_it(
    galleries: Galleries, tmp_path: Path, what: str
) -> None:
    script, seen = SCRIPT.replace("{}", DONE[what]), []
    steps = {"merge": (1, 2, 5), "split": (1, 3), "rename": (1, 7)}[what]
    for step in steps:
        folder = tmp_path / f"{what}{step}"
        (folder / "tenants" / "default").mkdir(parents=True)
        galleries.open(*HERE).backup(folder / "tenants" / "default" / "people.db")
        given = [sys.executable, "-c", script, str(folder), str(step), ",".join(ids(2))]
        assert subprocess.run(given, check=False, timeout=60).returncode == -signal.SIGKILL, step
        with open_gallery(folder / "tenants" / "default" / "people.db") as gallery:
            left = {sample_id(one.template) for _, one in gallery.samples()}
            assert left == ids(0, 1, 2, 3, 4), step  # before anything is put right
        records = Records(folder / "service.db")
        after = Galleries(Settings(data=folder), records)
        after.settle()
        assert held(after) in (BEFORE, AFTER[what]), step
        assert after.moves.unsettled() == []
        assert after.open(*HERE).verify() == []
        seen.append(held(after) == AFTER[what])
        if what == "merge" and seen[-1]:
            assert after.open(*HERE).person("ana").metadata == {"badge": 1, "floor": 3, "expires": "2998-01-01"}
        after.close()
        records.close()
    assert seen == sorted(seen)
    assert set(seen) == {False, True}  # both sides of the durable step were hit


def test_merging_tells_what_it_left_out(galleries: Galleries) -> None:
    done = people.merged(galleries, HERE, "ana", "ben")
    assert (done.moved, done.samples, done.gone, done.dropped) == (2, 5, True, ("badge",))
    assert held(galleries) == AFTER["merge"]


def test_samples_enrolled_during_a_move_stay_where_they_came(
    galleries: Galleries, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = galleries.open(*HERE)
    enrol = gallery.enrol

    def with_another(*given: Any, **named: Any) -> int:
        done = enrol(*given, **named)
        enrol("ben", [sample(9)])  # another request, in between
        return done

    monkeypatch.setattr(gallery, "enrol", with_another)
    done = people.merged(galleries, HERE, "ana", "ben")
    assert not done.gone
    assert held(galleries) == {"ana": ids(0, 1, 2, 3, 4), "ben": ids(9)}


def test_what_a_full_disk_left_is_ended_later(galleries: Galleries, monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.errors import GalleryFull

    gallery = galleries.open(*HERE)

    def full(*_: Any) -> bool:
        raise GalleryFull("The disk is full.")

    monkeypatch.setattr(gallery, "forget_sample", full)
    with pytest.raises(GalleryFull):
        people.merged(galleries, HERE, "ana", "ben")
    assert held(galleries) == {"ana": ids(0, 1, 2, 3, 4), "ben": ids(3, 4)}
    monkeypatch.undo()
    with galleries.turn(*HERE):
        pass
    assert held(galleries) == AFTER["merge"]


def test_an_enrolment_refused_changes_nothing(galleries: Galleries) -> None:
    from mien.errors import SpaceMismatch

    other = Sample(Template(sample(7).template.vector, "elsewhere"))
    with pytest.raises(SpaceMismatch):
        people.replaced(galleries, HERE, "ana", [other], lambda old: None)
    assert held(galleries) == BEFORE
    assert galleries.moves.unsettled() == []


def test_many_moves_at_once_lose_nobody(galleries: Galleries, tmp_path: Path) -> None:
    records = Records(tmp_path / "service.db")
    other = Galleries(Settings(data=tmp_path), records)  # as another process
    errors: list[Exception] = []

    def back_and_forth(mine: Galleries, one: str, two: str) -> None:
        for _ in range(4):
            for into, out in ((one, two), (two, one)):
                try:
                    people.merged(mine, HERE, into, out)
                except Exception as error:  # noqa: BLE001 - looked at below
                    errors.append(error)

    threads = [
        threading.Thread(target=back_and_forth, args=args)
        for args in ((galleries, "ana", "ben"), (other, "ben", "ana"), (other, "ana", "ben"))
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert set().union(*held(galleries).values()) == ids(0, 1, 2, 3, 4)
    assert sum(map(len, held(galleries).values())) == 5
    assert {type(one).__name__ for one in errors} <= {"UnknownSubject"}
    other.close()
    records.close()


def test_merge_and_split_over_http(http: TestClient, enrol: Enrol, stubs: ModuleType, service: Service) -> None:
    enrol("ana", stubs.RED, 1, 2, metadata={"badge": 1}, consent="form 7")
    wrong = enrol("ana", stubs.BLUE)["samples"]
    enrol("a/b", stubs.GREEN)
    told = http.post(f"{G}/split", json={"subject": "ana", "samples": wrong, "to": "ben <b>"}).json()
    assert told == {"subject": "ben <b>", "other": "ana", "moved": 1, "samples": 1, "gone": False, "dropped": []}
    assert http.get(f"{G}/subjects/ben%20%3Cb%3E").json()["metadata"] == {"consent": "form 7"}
    assert http.post(f"{G}/split", json={"subject": "ana", "samples": wrong, "to": "x"}).status_code == 404
    assert http.post(f"{G}/split", json={"subject": "ana", "samples": [], "to": "x"}).status_code == 422
    assert http.post(f"{G}/merge", json={"into": "ana", "from": "ana"}).status_code == 400
    assert http.post(f"{G}/merge", json={"into": "ana", "from": "nobody"}).status_code == 404
    assert http.post(f"{G}/merge", json={"into": "a/b", "from": "ben <b>"}).json()["samples"] == 2
    assert [one["subject"] for one in http.get(f"{G}/subjects").json()["items"]] == ["a/b", "ana"]
    service.log.flush()
    actions = [one["action"] for one in service.log.entries("default")]
    assert ("subject.merge" in actions, "subject.split" in actions) == (True, True)
