"""Albums: groups that keep their numbers, what the user says about them, and what survives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import POINTS, Reader, photo, vector
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.cluster import Album, bar_at, enrol, open_album
from mien.cluster import store as store_module
from mien.errors import (
    EvidenceError,
    GalleryBusy,
    GalleryCorrupt,
    GalleryNotFound,
    GalleryReadOnly,
    SpaceMismatch,
    UnknownSubject,
    UsageError,
)
from mien.gallery import open_gallery

GOOD, MEDIOCRE, POOR = 1.0, 0.5, 0.2


@pytest.fixture
def album(tmp_path: Path) -> Any:
    with open_album(tmp_path / "people.cluster") as book:
        yield book


def add(album: Album, *photos: Path, **options: Any) -> Any:
    return album.add(Reader(), photos, **options)  # type: ignore[arg-type]


def two_people(folder: Path, each: int = 4) -> list[Path]:
    return [photo(folder / f"{person}-{look}.png", (person, look, GOOD)) for person in (1, 2) for look in range(each)]


def standing(album: Album) -> dict[int, int | None]:
    return {one.face: one.group for one in album.faces()}


def sets(album: Album) -> set[frozenset[int]]:
    groups: dict[int, set[int]] = {}
    for face, group in standing(album).items():
        if group:
            groups.setdefault(group, set()).add(face)
    return {frozenset(faces) for faces in groups.values()}


def test_people_are_grouped_and_photos_seen_once(album: Album, tmp_path: Path) -> None:
    photos = two_people(tmp_path)
    lone = photo(tmp_path / "lone.png", (9, 0, GOOD))
    empty = photo(tmp_path / "empty.png")
    added, grouped = add(album, *photos, lone, empty)
    assert (added.photos, added.known, added.faces, added.without) == (10, 0, 9, 1)
    assert (grouped.joined, len(grouped.new), grouped.merged) == (8, 2, ())
    assert [(one.faces, one.photos, one.name) for one in album.groups()] == [(4, 4, ""), (4, 4, "")]
    assert [one.state for one in album.faces()] == ["grouped"] * 8 + ["alone"]
    again, grouped = add(album, *photos)
    assert (again.photos, again.known, grouped.joined) == (0, 8, 0)


def test_a_renamed_photo_is_the_same_photo(album: Album, tmp_path: Path) -> None:
    add(album, photo(tmp_path / "a.png", (1, 0, GOOD)))
    shutil.move(tmp_path / "a.png", tmp_path / "b.png")
    shutil.copy(tmp_path / "b.png", tmp_path / "c.png")
    added, _ = add(album, tmp_path / "b.png", tmp_path / "c.png")
    assert (added.photos, added.known) == (0, 2)
    assert [Path(one.source).name for one in album.faces()] == ["b.png"]


def test_two_faces_of_one_photo_are_two_people_unless_it_is_a_mirror(album: Album, tmp_path: Path) -> None:
    both = photo(tmp_path / "both.png", (1, 0, GOOD), (1, 1, GOOD))
    add(album, both, photo(tmp_path / "one.png", (1, 2, GOOD)))
    assert sorted(map(len, sets(album))) == [2]
    (group,) = album.groups()
    left = next(one.face for one in album.faces() if one.group is None)
    with pytest.raises(UsageError, match="1 photo shows both"):
        album.merge(group.number, f"f{left}")
    album.merge(group.number, f"f{left}", allow_twice=True)
    assert sorted(map(len, sets(album))) == [3]
    album.undo()
    assert sorted(map(len, sets(album))) == [2]
    mirror = [photo(tmp_path / "mirror.png", (5, 0, GOOD), (5, 1, GOOD))]
    add(album, *mirror, allow_twice=True)
    assert sorted(map(len, sets(album))) == [2, 2]


def test_poor_faces_stay_unsure_and_mediocre_ones_found_nothing(album: Album, tmp_path: Path) -> None:
    add(album, *(photo(tmp_path / f"m{look}.png", (1, look, MEDIOCRE)) for look in range(4)),
        *(photo(tmp_path / f"p{look}.png", (2, look, POOR)) for look in range(4)))  # fmt: skip
    assert album.groups() == []
    assert {one.state for one in album.faces()} == {"unsure"}
    add(
        album,
        *(
            photo(tmp_path / f"{person}-{look}.png", (person, 10 + look, GOOD))
            for person in (1, 2)
            for look in (0, 1, 2)
        ),
    )
    found = {Path(one.source).stem: one.state for one in album.faces()}
    assert [found[f"m{look}"] for look in range(4)] == ["grouped"] * 4
    assert [found[f"p{look}"] for look in range(4)] == ["unsure"] * 4


@pytest.mark.parametrize("quality", [GOOD, MEDIOCRE])
def test_a_bridge_joins_nobody(album: Album, tmp_path: Path, quality: float) -> None:
    bridge = photo(tmp_path / "bridge.png", (101, 0, quality))
    for photos in ([bridge], two_people(tmp_path), [photo(tmp_path / "x.png", (1, 77, GOOD))]):
        add(album, *photos)
    whose = {one.face: Path(one.source).name[0] for one in album.faces()}
    assert not any({"1", "2"} <= {whose[face] for face in faces} for faces in sets(album))


def test_numbers_stay_and_one_that_was_absorbed_is_still_found(album: Album, tmp_path: Path) -> None:
    add(album, *two_people(tmp_path / "first"))
    before = standing(album)
    album.name(1, "Ana")
    add(album, *(photo(tmp_path / f"late{look}.png", (2, 30 + look, GOOD)) for look in range(5)))
    after = standing(album)
    assert all(after[face] == group for face, group in before.items())
    assert [(one.number, one.name, one.faces) for one in album.groups()] == [(2, "", 9), (1, "Ana", 4)]
    assert album.merge("Ana", 2) == 1
    assert album.number(2) == album.number("Ana") == 1
    assert album.groups()[0].faces == 13


def test_each_command_binds_later_runs_and_is_undone(album: Album, tmp_path: Path) -> None:
    add(album, *two_people(tmp_path))
    states = [standing(album)]
    album.merge(1, 2)
    assert len(sets(album)) == 1
    states.append(standing(album))
    half = [face for face, group in states[0].items() if group == 2]
    fresh = album.split(1)
    assert {face for face, group in standing(album).items() if group == fresh} == set(half)
    states.append(standing(album))
    album.separate("f1", 1)
    assert standing(album)[1] is None
    add(album)  # nothing new; grouping runs again
    album.group(bar_at(POINTS))
    assert standing(album)[1] is None
    album.name(1, "Ana")
    album.hide("Ana")
    assert [one.name for one in album.groups()] == [""]
    assert [one.name for one in album.groups(hidden=True)] == ["", "Ana"]
    assert [words for _, words in album.history()] == ["merge 1 2", "split 1", "not f1 1", "name 1 Ana", "hide Ana"]
    for expected in ("hide Ana", "name 1 Ana", "not f1 1"):
        assert album.undo() == expected
    assert standing(album) == states[2]
    album.undo()
    assert standing(album) == states[1]
    album.undo()
    assert standing(album) == states[0]
    with pytest.raises(UsageError, match="nothing to undo"):
        album.undo()


def test_grouping_anew_keeps_what_was_said(album: Album, tmp_path: Path) -> None:
    add(album, *two_people(tmp_path), *(photo(tmp_path / f"5{look}.png", (5, look, GOOD)) for look in range(4)))
    album.merge(1, 2)
    album.name(3, "Eve")
    album.separate("f9", "Eve")
    before = standing(album)
    grouped = album.group(bar_at(POINTS), anew=True)
    assert standing(album) == before
    assert (grouped.new, grouped.merged) == ((), ())


def test_undo_does_not_put_two_faces_of_one_photo_together(album: Album, tmp_path: Path) -> None:
    add(album, *(photo(tmp_path / f"{look}.png", (1, look, GOOD)) for look in range(3)))
    add(album, photo(tmp_path / "both.png", (1, 10, GOOD), (1, 11, GOOD)))
    inside, outside = sorted((4, 5), key=lambda face: standing(album)[face] is None)
    album.separate(inside, 1)
    album.group(bar_at(POINTS))
    assert standing(album)[outside] == 1, "it came when there was room"
    album.undo()
    assert (standing(album)[inside], standing(album)[outside]) == (1, None)


def test_two_mediocre_faces_of_one_photo_do_not_join_one_group(album: Album, tmp_path: Path) -> None:
    add(album, *(photo(tmp_path / f"{look}.png", (1, look, GOOD)) for look in range(4)),
        photo(tmp_path / "both.png", (1, 10, MEDIOCRE), (1, 11, MEDIOCRE)))  # fmt: skip
    assert [standing(album)[face] for face in (5, 6)].count(1) == 1


def test_splitting_what_was_merged_lifts_the_merge(album: Album, tmp_path: Path) -> None:
    add(album, *two_people(tmp_path))
    album.merge(1, 2)
    album.split(1, ["f1", "f5"])
    album.group(bar_at(POINTS), anew=True)
    assert not any({1, 2} <= faces or {5, 6} <= faces for faces in sets(album))


def test_merging_what_was_split_lifts_the_split(album: Album, tmp_path: Path) -> None:
    add(album, *two_people(tmp_path))
    fresh = album.split(1, ["f1", "f2"])
    album.group(bar_at(POINTS))
    assert len(sets(album)) == 3
    assert album.merge(1, fresh) == 1
    album.group(bar_at(POINTS), anew=True)
    assert sorted(map(len, sets(album))) == [4, 4]
    album.undo()
    album.group(bar_at(POINTS), anew=True)
    assert sorted(map(len, sets(album))) == [2, 2, 4]


Photos = list[list[tuple[int, int]]]
MOVES = st.lists(
    st.tuples(st.sampled_from(["merge", "split", "not", "undo", "add", "anew"]), st.integers(0, 99)), max_size=8
)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 40)), min_size=1, max_size=3), min_size=4, max_size=14
    ),
    MOVES,
)
@settings(max_examples=12, deadline=None)
def test_constraints_hold_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, photos: Photos, moves: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    paths = [
        photo(folder / f"{n}.png", *((person, look, GOOD if look % 4 else MEDIOCRE) for person, look in faces))
        for n, faces in enumerate(photos)
    ]
    with open_album(folder / "a.cluster") as album:
        held = 3
        add(album, *paths[:held])
        tied: list[list[set[int]]] = []
        for move, pick in moves:
            before, stand = sets(album), standing(album)
            groups = sorted({group for group in stand.values() if group})
            try:
                said = _move(album, move, pick, groups, stand)
            except (UsageError, UnknownSubject):
                assert standing(album) == stand, "refused, and yet changed"
                continue
            if move == "add":
                held += 2
                add(album, *paths[held - 2 : held])
            if move == "merge":
                tied.append([set().union(*(f for f in before if f & said))])
                assert any(tied[-1][0] <= faces for faces in sets(album))
                album.group(bar_at(POINTS), anew=True)
                assert any(tied[-1][0] <= faces for faces in sets(album)), "a later run took apart what was merged"
            _check(album)


def _move(album: Album, move: str, pick: int, groups: list[int], stand: dict[int, int | None]) -> set[int]:
    if move in ("add", "anew"):
        album.group(bar_at(POINTS), anew=move == "anew")
        return set()
    if move == "undo":
        album.undo()
        return set()
    if not groups:
        raise UsageError("", "")
    group = groups[pick % len(groups)]
    faces = {face for face, where in stand.items() if where == group}
    if move == "merge":
        other = groups[(pick // 7) % len(groups)]
        album.merge(group, other)
        return faces | {face for face, where in stand.items() if where == other}
    if move == "split":
        fresh = album.split(group)
        album.group(bar_at(POINTS), anew=True)
        apart = {face for face in faces if standing(album)[face]}
        assert fresh and not any(apart <= found for found in sets(album) if len(apart) == len(faces))
        return set()
    face = sorted(stand)[pick % len(stand)]
    album.separate(face, group)
    album.group(bar_at(POINTS))
    after = standing(album)
    assert after[face] is None or all(after[other] != after[face] for other in faces - {face})
    return set()


def _check(album: Album) -> None:
    where: dict[tuple[int, str], int] = {}
    for one in album.faces():
        if one.group:
            key = (one.group, one.source)
            where[key] = where.get(key, 0) + 1
    assert set(where.values()) <= {1}, "two faces of one photo in one group"
    with store_module.plain_errors(album.path):
        rows = album._db.execute(
            """SELECT 1 FROM parting a JOIN parting b ON a.command = b.command AND a.side = 0 AND b.side = 1
JOIN face f ON f.id = a.face JOIN face g ON g.id = b.face
WHERE a.lifted IS NULL AND b.lifted IS NULL AND f.grouped = g.grouped"""
        ).fetchall()
    assert rows == [], "what was said to be apart is together"


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_photos_does_not_matter_to_clear_people(tmp_path: Path, seed: int) -> None:
    paths = [photo(tmp_path / f"{p}-{look}.png", (p, look, GOOD)) for p in range(5) for look in range(5)]
    order = np.random.default_rng(seed).permutation(len(paths))
    with open_album(tmp_path / f"{seed}.cluster") as album:
        for start in range(0, 25, 4):
            add(album, *(paths[index] for index in order[start : start + 4]))
        people = {frozenset(Path(one.source).name[0] for one in album.faces(group.number)) for group in album.groups()}
        assert people == {frozenset(str(p)) for p in range(5)}
        assert [group.faces for group in album.groups()] == [5] * 5


def test_a_stopped_run_goes_on_where_it_was(album: Album, tmp_path: Path) -> None:
    photos = two_people(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        album.add(Reader(stop_after=3), photos)  # type: ignore[arg-type]
    assert len(album.faces()) == 3
    reader = Reader()
    added, _ = album.add(reader, photos)  # type: ignore[arg-type]
    assert (added.known, added.photos, reader.looked) == (3, 5, 5)
    assert len(sets(album)) == 2


SLOW = """
import sys, time
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from drawn import Reader
from mien.cluster import adding, open_album
adding._PART = 3
class Slow(Reader):
    def faces(self, frame):
        print(self.looked, flush=True)
        time.sleep(0.02)
        return super().faces(frame)
with open_album(sys.argv[1]) as album:
    album.add(Slow(), sorted(Path(sys.argv[2]).glob("*.png")))
"""


def test_killed_at_any_moment_nothing_written_is_lost(tmp_path: Path) -> None:
    photos = two_people(tmp_path / "photos", each=12)
    path, here = tmp_path / "people.cluster", Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": str(here.parents[1] / "src"), "OMP_NUM_THREADS": "1"}
    before = 0
    for count in (4, 2, 7):
        words = [sys.executable, "-c", SLOW, str(path), str(tmp_path / "photos"), str(here)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as process:
            assert process.stdout is not None
            for _ in range(count):
                process.stdout.readline()
            if count == 7:
                with open_album(path) as album, pytest.raises(GalleryBusy, match="adding photos"):
                    add(album, *photos)
            process.kill()
        with open_album(path) as album:
            faces = len(album.faces())
            assert faces >= before + (count - 1) // 3 * 3 - 3
            before = faces
            assert album._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with open_album(path) as album:
        added, _ = add(album, *photos)
        assert (added.photos, added.known) == (24 - before, before)
        assert sorted(map(len, sets(album))) == [12, 12]


def test_named_groups_are_enrolled(album: Album, tmp_path: Path) -> None:
    add(album, *two_people(tmp_path))
    album.name(2, "Ben")
    with open_gallery() as gallery:
        assert enrol(album, gallery, keep_images=True) == [("Ben", 4)]
        assert enrol(album, gallery, ["Ben"]) == [("Ben", 0)]
        assert [(person.subject, person.images) for person in gallery.people()] == [("Ben", 4)]
        assert gallery.search(album.face(5).template, 1)[0].score == pytest.approx(1)
        with pytest.raises(UsageError, match="Group 1 has no name"):
            enrol(album, gallery, [1])


def test_what_is_forgotten_is_not_in_the_file(album: Album, tmp_path: Path) -> None:
    add(album, *two_people(tmp_path))
    album.name(1, "Somebody Unforgettable")
    assert album.forget(1) == 4
    assert len(album.faces()) == 4
    album.close()
    raw = (tmp_path / "people.cluster").read_bytes()
    assert vector(1, 0).tobytes() not in raw
    assert b"Unforgettable" not in raw
    assert vector(2, 0).tobytes() in raw


def test_refusals(album: Album, tmp_path: Path) -> None:
    add(album, *two_people(tmp_path))
    (tmp_path / "text.png").write_text("no picture")
    added, _ = add(album, tmp_path / "text.png", tmp_path / "absent.png")
    assert [Path(name).name for name, _ in added.refused] == ["text.png", "absent.png"]
    album.name(1, "Ana")
    for wrong, kind in (
        (lambda: album.merge(1, 99), UnknownSubject),
        (lambda: album.merge(1, "f99"), UnknownSubject),
        (lambda: album.merge(1, "Ana"), UsageError),
        (lambda: album.merge(1, "f8"), UsageError),
        (lambda: album.name(2, "Ana"), UsageError),
        (lambda: album.split(1, ["f8"]), UsageError),
        (lambda: album.split(1, ["f1", "f2", "f3", "f4"]), UsageError),
        (lambda: album.separate("f99", 1), UnknownSubject),
        (lambda: album.faces("9" * 40), UnknownSubject),  # type: ignore[arg-type]
        (lambda: bar_at(POINTS, 1e-9), EvidenceError),
    ):
        with pytest.raises(kind):
            wrong()
    other = Reader()
    other.embedder = type(other.embedder)(space="another")
    with pytest.raises(SpaceMismatch):
        album.add(other, [])  # type: ignore[arg-type]
    assert len(album.history()) == 1


def test_what_is_no_album(tmp_path: Path) -> None:
    with pytest.raises(GalleryNotFound):
        open_album(tmp_path / "none.cluster", create=False)
    for name, content in (("text", b"hello, I am not a database at all"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(GalleryCorrupt, match="is no album"):
            open_album(tmp_path / name)
    open_gallery(tmp_path / "people.db").close()
    with pytest.raises(GalleryCorrupt, match="is no album"):
        open_album(tmp_path / "people.db")
    open_album(tmp_path / "a.cluster").close()
    with open_album(tmp_path / "a.cluster", read_only=True) as album, pytest.raises(GalleryReadOnly):
        add(album, photo(tmp_path / "a.png", (1, 0, GOOD)))
