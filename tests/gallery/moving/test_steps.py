"""A migration step by step: prepared beside the gallery, followed, switched, rolled back, dropped."""

from __future__ import annotations

import sqlite3
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.errors import GalleryBusy, GalleryCorrupt, InputError, SpaceMismatch, UnknownSubject, UsageError
from mien.gallery import BaseGallery, EmbeddedGallery, open_gallery
from mien.gallery.moving.beside import alone
from mien.gallery.moving.state import Ledger, state_path
from mien.gallery.moving.steps import drop, prepare, roll_back, status, switch
from mien.types import Face, OperatingPoint, Template

Fill = Callable[..., Path]


def content(gallery: BaseGallery) -> dict[str, object]:
    """{subject: (metadata, date, crops by source)}."""
    return {
        person.subject: (
            dict(person.metadata),
            person.enrolled,
            sorted(sample.source for _, sample in gallery.samples(person.subject)),
        )
        for person in gallery.people()
    }


def raw(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file())


def test_prepare_leaves_the_gallery_as_it_is_and_follows(cast: SimpleNamespace, filled: Fill) -> None:
    path, embedder = filled(), cast.new()
    steps: list[tuple[int, int]] = []
    found = prepare(path, embedder, progress=lambda *now: steps.append(now))
    assert (found.phase, found.pictures, found.done, found.lost, found.waiting) == ("preparing", 12, 12, 0, 0)
    assert (found.space, found.other, steps[-1]) == ("old space", "new space", (12, 12))
    assert len(embedder.seen) == 12
    with open_gallery(path) as gallery, open_gallery(found.second) as second:
        assert (gallery.space, second.space, content(gallery)) == ("old space", "new space", content(second))
        for _, sample in second.samples():
            np.testing.assert_array_equal(sample.template.vector, embedder.vector(sample.face))
            assert sample.template.quality == 0.5
        gallery.enrol("late", [cast.sample(cast.old(), 50)], {"site": "hq"})
        gallery.enrol("p1", [], {"n": "changed"})
        assert status(path).waiting == 2
        embedder.seen.clear()
        assert prepare(path, embedder).waiting == 0
        assert embedder.seen == ["50-0.jpg"], "what was done is not done again"
        assert content(gallery) == content(second)


Operation = tuple[str, int, int]
OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["enrol", "enrol", "forget", "forget one", "note", "again", "prepare", "switch", "back", "old hand"]
        ),
        st.integers(0, 4),
        st.integers(0, 2),
    ),
    max_size=14,
)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_any_order_of_changes_and_steps_ends_with_the_same_people(
    cast: SimpleNamespace, operations: list[Operation]
) -> None:
    any_order(cast, operations)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_many_orders_of_changes_and_steps_end_with_the_same_people(
    cast: SimpleNamespace, operations: list[Operation]
) -> None:
    any_order(cast, operations)


def any_order(cast: SimpleNamespace, operations: list[Operation]) -> None:
    """Against a plain dictionary of who should be there; "old hand" forgets without knowing of the migration."""
    old, new = cast.old(), cast.new()
    model: dict[str, tuple[dict[str, object], set[str]]] = {"p0": ({}, {"0-0.jpg"})}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.db")
        with open_gallery(path) as gallery:
            gallery.enrol("p0", [cast.sample(old, 0)])
            for what, person, shot in operations:
                name = f"p{person}"
                here = new if gallery.space == new.space else old
                if what == "enrol":
                    gallery.enrol(name, [cast.sample(here, person, shot)])
                    model.setdefault(name, ({}, set()))[1].add(f"{person}-{shot}.jpg")
                elif what == "note" and name in model:
                    gallery.enrol(name, [], {"n": shot})
                    model[name] = ({"n": shot}, model[name][1])
                elif name in model and what in ("forget", "again", "old hand") and (len(model) > 1 or what == "again"):
                    if what == "old hand":
                        type(gallery)._remove.__wrapped__(gallery, name, None)
                    else:
                        gallery.forget(name)
                    del model[name]
                    if what == "again":
                        gallery.enrol(name, [cast.sample(here, person, shot)], enrolled="2021-01-02T03:04:05+00:00")
                        model[name] = ({}, {f"{person}-{shot}.jpg"})
                elif what == "forget one" and name in model and len(model[name][1]) > 1:
                    source = sorted(model[name][1])[0]
                    one = next(sample for _, sample in gallery.samples(name) if sample.source == source)
                    assert gallery.forget_sample(name, one.template)
                    model[name][1].remove(source)
                elif what == "prepare" and gallery.space == old.space:
                    prepare(path, new)
                elif what == "switch" and state_path(path).exists():
                    switch(path, new)
                    assert gallery.space == new.space
                elif what == "back" and state_path(path).exists():
                    roll_back(path, old)
                    assert gallery.space == old.space
                found = {
                    p.subject: (p.metadata, {s.source for _, s in gallery.samples(p.subject)}) for p in gallery.people()
                }
                assert found == model
            if not state_path(path).exists():
                prepare(path, new)
            (roll_back if gallery.space == new.space else switch)(path, old if gallery.space == new.space else new)
            here = new if gallery.space == new.space else old
            assert gallery.verify() == []
            for _, sample in gallery.samples():
                np.testing.assert_array_equal(sample.template.vector, here.vector(sample.face))
            with open_gallery(status(path).second, read_only=True) as second:
                assert content(second) == content(gallery)
            assert status(path).waiting == 0


def test_switch_and_way_back_keep_what_came_and_went(cast: SimpleNamespace, filled: Fill) -> None:
    path = filled()
    with open_gallery(path) as gallery:
        gallery.keep_points([OperatingPoint(0.5, 0.01, space="old space")])
        prepare(path, cast.new())
        moved = switch(path, cast.new())
        assert (moved.moved, moved.left, moved.points, gallery.points) == (12, 0, 1, ())
        assert Path(moved.backup).suffix == ".bak"
        assert switch(path, cast.new()).moved == 12, "done already is done"
        gallery.enrol("late", [cast.sample(cast.new(), 50)], {"site": "hq"})
        gallery.forget("p0")
        before = content(gallery)
        with pytest.raises(UsageError, match="late"):
            roll_back(path)
        assert gallery.space == "new space"
        with pytest.raises(SpaceMismatch):
            roll_back(path, cast.new())
        assert roll_back(path, cast.old()).space == "old space"
        assert content(gallery) == before
        assert [point.threshold for point in gallery.points] == [0.5], "measured in this space"
        assert gallery.search(cast.sample(cast.old(), 50, 3).template, 1)[0].subject == "late"
        assert not Path(moved.backup).exists()
        assert status(path).phase == "preparing"
        assert drop(path) == [str(path) + ".migrating"]
        assert status(path) is None
        with pytest.raises(UsageError, match="No migration"):
            drop(path)
    assert [each.name for each in path.parent.iterdir()] == ["people.db"]


@pytest.mark.parametrize("switched", [False, True])
def test_forgetting_reaches_the_other_index_at_once(cast: SimpleNamespace, filled: Fill, switched: bool) -> None:
    path, old, new = filled(), cast.old(), cast.new()
    prepare(path, new)
    if switched:
        switch(path, new)
    traces = [
        embedder.vector(cast.face(2, shot)).tobytes()[i : i + 16]
        for embedder in (old, new)
        for shot in (0, 1)
        for i in range(0, 192, 16)
    ]
    words = [b"2-0.jpg", b"2-1.jpg"]
    assert all(trace in raw(path.parent) for trace in traces + words)
    with open_gallery(path) as gallery:
        one = next(iter(gallery.samples("p2")))[1]
        assert gallery.forget_sample("p2", one.template)
        assert b"2-0.jpg" not in raw(path.parent) and b"2-1.jpg" in raw(path.parent)
        assert gallery.erase("p2").samples == 1
        assert not any(trace in raw(path.parent) for trace in traces + words)
        assert status(path).waiting == 0
        with Ledger(path) as ledger:
            assert ledger.pairs(ledger.person("p2")) == []


def test_who_is_forgotten_while_being_embedded_does_not_come_back(cast: SimpleNamespace, filled: Fill) -> None:
    path = filled()
    embedder = cast.new()
    plain = embedder.embed

    def meddle(faces: Sequence[Face]) -> list[Template]:
        with open_gallery(path) as gallery:
            if "p3" in gallery:
                gallery.forget("p3")
        made: list[Template] = plain(faces)
        return made

    def look(done: int, total: int) -> None:
        with open_gallery(path.with_name("people.db.migrating")) as second:
            assert "p3" not in second, "not for a moment"

    embedder.embed = meddle
    prepare(path, embedder, progress=look)
    assert "3-0.jpg" in embedder.seen, "they were among those embedded"
    with open_gallery(path.with_name("people.db.migrating")) as second:
        assert "p3" not in second and len(second) == 5
    assert embedder.vector(cast.face(3, 0)).tobytes()[:16] not in raw(path.parent)


def test_an_erasure_that_cannot_reach_the_other_index_fails_before_it_began(
    cast: SimpleNamespace, filled: Fill
) -> None:
    path = filled()
    prepare(path, cast.new())
    path.with_name("people.db.migrating").write_bytes(b"damaged" * 1000)
    with open_gallery(path) as gallery:
        with pytest.raises(GalleryCorrupt, match="migrating"):
            gallery.forget("p2")
        assert "p2" in gallery
        drop(path)
        gallery.forget("p2")
    state_path(path).write_bytes(b"damaged" * 1000)
    with open_gallery(path) as gallery:
        with pytest.raises(GalleryCorrupt, match=r"--drop"):
            gallery.forget("p3")
        drop(path)
        gallery.forget("p3")


def test_who_has_no_crop_is_named_lost_and_brought_back(cast: SimpleNamespace, filled: Fill) -> None:
    path, old, new = filled(), cast.old(), cast.new()
    with open_gallery(path) as gallery:
        gallery.enrol("faceless", [cast.sample(old, 60, crop=False)])
        gallery.enrol("gone", [cast.sample(old, 61, crop=False)])
        before = content(gallery)
        with pytest.raises(InputError, match=r"2 samples of 2 people.*faceless, gone"):
            prepare(path, new)
        assert not state_path(path).exists()
        found = prepare(path, new, allow_loss=True)
        assert (found.lost, found.waiting) == (2, 0)
        moved = switch(path, new)
        assert (moved.moved, moved.left, moved.without_crop) == (12, 2, ("faceless", "gone"))
        with pytest.raises(UnknownSubject):
            gallery.forget("gone")  # not here, but in the index kept: taken out there
        with open_gallery(moved.backup, read_only=True) as kept:
            assert "faceless" in kept and "gone" not in kept
        roll_back(path, old)
        del before["gone"]
        assert content(gallery) == before


def test_who_comes_later_without_a_crop_is_not_lost_unasked(cast: SimpleNamespace, filled: Fill) -> None:
    path, old, new = filled(), cast.old(), cast.new()
    prepare(path, new)
    with open_gallery(path) as gallery:
        gallery.enrol("late", [cast.sample(old, 60, crop=False)])
        with pytest.raises(InputError, match=r"1 samples of 1 people.*late"):
            switch(path, new)
        assert gallery.space == "old space"
        assert switch(path, new, allow_loss=True).without_crop == ("late",)
        gallery.enrol("later", [cast.sample(new, 61, crop=False)])
        with pytest.raises(InputError, match="later"):
            roll_back(path, old)
        assert roll_back(path, old, allow_loss=True).without_crop == ("later",)
        assert "late" in gallery and "later" not in gallery


def test_pairs_lost_between_index_and_ledger_are_found_again_by_the_crops(cast: SimpleNamespace, filled: Fill) -> None:
    path, embedder = filled(), cast.new()
    prepare(path, embedder)
    embedder.seen.clear()
    db = sqlite3.connect(state_path(path))
    db.execute("DELETE FROM pair WHERE id % 3 = 0")
    db.commit()
    db.close()
    assert prepare(path, embedder).done == 12
    assert embedder.seen == []
    path.with_name("people.db.migrating").unlink()
    assert prepare(path, embedder).done == 12
    assert len(embedder.seen) == 12
    with open_gallery(path) as gallery, open_gallery(f"{path}.migrating") as second:
        assert content(gallery) == content(second)


def test_many_at_once_is_refused_and_wrong_ways_are_told(cast: SimpleNamespace, filled: Fill) -> None:
    path, old, new = filled(), cast.old(), cast.new()
    third = cast.Projection("third", 3)
    for step in (lambda: switch(path, new), lambda: roll_back(path, old), lambda: drop(path)):
        with pytest.raises(UsageError, match="No migration"):
            step()
    with pytest.raises(UsageError, match="already"):
        prepare(path, old)
    with alone(path), pytest.raises(GalleryBusy, match="at work"):
        prepare(path, new)
    prepare(path, new)
    with pytest.raises(UsageError, match="on its way to new, not to third"):
        prepare(path, third)
    switch(path, new)
    for embedder, words in ((third, "still keeps the way back"), (new, "already, and its way back")):
        with pytest.raises(UsageError, match=words):
            prepare(path, embedder)
    with pytest.raises(UsageError, match="no file"):
        prepare("milvus://somewhere/people", new)
    with open_gallery(path.with_name("empty.db")), pytest.raises(UsageError, match="Nobody is enrolled"):
        prepare(path.with_name("empty.db"), new)


def test_enrolling_goes_on_while_the_gallery_is_switched(cast: SimpleNamespace, filled: Fill) -> None:
    """A thread enrols and searches all the while: nobody is lost, and no answer mixes the spaces."""
    path, old, new = filled(20), cast.old(), cast.new()
    prepare(path, new)
    done, told, failed = threading.Event(), [], []

    def work() -> None:
        with EmbeddedGallery(path) as gallery:
            number = 100
            while not done.is_set() and number < 200:
                here = old if gallery.space == old.space else new
                try:
                    gallery.enrol(f"q{number}", [cast.sample(here, number)])
                    told.append(f"q{number}")
                    if gallery.search(cast.sample(here, 5, 9).template, 1)[0].subject != "p5":
                        failed.append(number)
                except SpaceMismatch:
                    continue  # switched between the look and the deed
                number += 1

    thread = threading.Thread(target=work)
    thread.start()
    for step in range(2):
        switch(path, new)
        if step == 0:
            roll_back(path, old)
    done.set()
    thread.join()
    with open_gallery(path) as gallery:
        assert set(told) <= {person.subject for person in gallery.people()}
        assert (gallery.space, failed, gallery.verify()) == ("new space", [], [])


def test_dropped_templates_are_overwritten(
    cast: SimpleNamespace, filled: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = filled()
    prepare(path, cast.new())
    kept = Path(switch(path, cast.new()).backup)
    link = path.with_name("still-open")
    link.hardlink_to(kept)
    drop(path)
    assert set(link.read_bytes()) == {0}
