"""Doors of the embedded gallery: what may be opened, and what each wrong thing is told."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryNotFound, GalleryReadOnly, UsageError
from mien.gallery import EmbeddedGallery, MemoryGallery, open_gallery
from mien.types import Match, Sample, Template


def axis(number: int, dimension: int = 8) -> Sample:
    vector = np.zeros(dimension, np.float32)
    vector[number] = 1.0
    return Sample(Template(vector, "space"))


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    with open_gallery(path) as gallery:
        gallery.enrol("ana", [axis(0)])
    return path


def test_where_decides_the_engine(tmp_path: Path) -> None:
    for where in (None, ":memory:"):
        assert isinstance(open_gallery(where), MemoryGallery)
    for where in (tmp_path / "a.db", str(tmp_path / "b.db"), tmp_path / "odd ?#%é name"):
        with open_gallery(where) as gallery:
            assert isinstance(gallery, EmbeddedGallery)
            gallery.enrol("ana", [axis(0)])
        assert Path(where).is_file()
    with pytest.raises(UsageError, match="milvus://"):
        open_gallery("milvus://host:19530")


def test_one_file_is_left_after_closing(people: Path) -> None:
    assert [path.name for path in people.parent.iterdir()] == ["people.db"]
    with open_gallery(people, read_only=True) as gallery:
        assert len(gallery) == 1
    assert [path.name for path in people.parent.iterdir()] == ["people.db"]


def test_what_was_enrolled_is_there_when_opened_again(people: Path) -> None:
    with open_gallery(people) as gallery:
        assert gallery.search(axis(0).template) == [Match("ana", 1.0)]
        gallery.enrol("ana", [axis(1)])
        gallery.enrol("bo", [axis(2)])
    with open_gallery(people) as gallery:
        assert [(person.subject, person.samples) for person in gallery.people()] == [("ana", 2), ("bo", 1)]
        assert gallery.space == "space"


def test_a_missing_file_is_made_only_when_wanted(tmp_path: Path) -> None:
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(GalleryNotFound):
            open_gallery(tmp_path / "none.db", **options)
    with pytest.raises(GalleryNotFound, match="folder"):
        open_gallery(tmp_path / "no folder" / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_paths_that_can_be_no_file(tmp_path: Path) -> None:
    for where in (tmp_path, "", str(tmp_path / ("x" * 5000)), "a\0b"):
        with pytest.raises(UsageError):
            open_gallery(where)


@pytest.mark.parametrize("content", [b"", b"hello", b"SQLite format 3\0" + b"\0" * 200, b"\xff" * 5000])
def test_other_files_are_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "people.db"
    path.write_bytes(content)
    with pytest.raises(GalleryCorrupt, match=r"people\.db") as caught:
        open_gallery(path)
    assert caught.value.remedy
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE head (id INTEGER PRIMARY KEY)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(GalleryCorrupt, match="no gallery"):
        open_gallery(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("CREATE TRIGGER spy AFTER INSERT ON sample BEGIN DELETE FROM subject; END", "tables"),
        ("CREATE TABLE more (id)", "tables"),
        ("PRAGMA user_version = 9", "format 9"),
        ("UPDATE head SET space = 'other'", "head"),
        ("UPDATE head SET samples = 5", "head"),
        ("UPDATE subject SET name = 'eve'", "subject 1"),
        ("UPDATE sample SET vector = zeroblob(32)", "sample 1"),
        ("UPDATE sample SET subject = 2", "sample 1"),
        ("DELETE FROM sample", "missing"),
        ("INSERT INTO sample SELECT 9, subject, vector, quality, source, image_seal, seal FROM sample", "sample 9"),
    ],
)
def test_edits_by_others_are_noticed(people: Path, statement: str, why: str) -> None:
    db = sqlite3.connect(people, isolation_level=None)
    db.execute(statement)
    db.close()
    with pytest.raises(GalleryCorrupt, match=why):
        open_gallery(people)


def test_metadata_edited_by_others_is_noticed_when_read(people: Path) -> None:
    db = sqlite3.connect(people, isolation_level=None)
    db.execute("""UPDATE subject SET metadata = '{"admin": true}'""")
    db.close()
    with open_gallery(people) as gallery:
        with pytest.raises(GalleryCorrupt):
            gallery.people()
        assert gallery.verify()


def test_a_log_without_its_file_is_not_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "people.db-wal").write_bytes(b"rows")
    with pytest.raises(GalleryCorrupt, match="log people"):
        open_gallery(tmp_path / "people.db")
    assert (tmp_path / "people.db-wal").read_bytes() == b"rows"


def test_read_only_refuses_every_change(people: Path) -> None:
    with open_gallery(people, read_only=True) as gallery:
        for change in (
            lambda: gallery.enrol("bo", [axis(1)]),
            lambda: gallery.forget("ana"),
            lambda: gallery.forget_sample("ana", axis(0).template),
        ):
            with pytest.raises(GalleryReadOnly):
                change()
        assert [match.subject for match in gallery.search(axis(0).template)] == ["ana"]
        with open_gallery(people) as writer:
            writer.enrol("bo", [axis(1)])
        assert len(gallery) == 2


def test_one_writer_and_readers_at_the_same_time(people: Path) -> None:
    with EmbeddedGallery(people, timeout=0.1) as first, EmbeddedGallery(people, timeout=0.1) as second:
        first.enrol("bo", [axis(1)])
        assert [match.subject for match in second.search(axis(1).template, 1)] == ["bo"]
        second.forget("ana")
        assert [person.subject for person in first.people()] == ["bo"]
        assert first.search(axis(0).template) == [Match("bo", 0.0)]
        first.forget("bo")
        assert second.space is None
        other = Sample(Template(axis(0, 4).template.vector, "new space"))
        second.enrol("cy", [other])
        assert first.search(other.template) == [Match("cy", 1.0)]
        blocker = sqlite3.connect(people, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(GalleryBusy):
            first.enrol("di", [other])
        with pytest.raises(GalleryBusy):
            first.forget("cy")
        assert second.search(other.template) == [Match("cy", 1.0)]
        blocker.execute("ROLLBACK")
        blocker.close()
        assert first.enrol("di", [other]) == 1


def test_a_file_taken_away_or_replaced_while_open_is_noticed(people: Path, tmp_path: Path) -> None:
    with open_gallery(tmp_path / "other.db") as other:
        other.enrol("zed", [axis(3)])
    with open_gallery(people) as gallery:
        people.unlink()
        with pytest.raises(GalleryNotFound):
            gallery.enrol("bo", [axis(1)])
        for side in tmp_path.glob("people.db-*"):
            side.unlink()
        (tmp_path / "other.db").rename(people)
        assert [person.subject for person in gallery.people()] == ["zed"]


def test_a_fork_is_told_to_open_its_own(people: Path) -> None:
    with open_gallery(people) as gallery:
        child = os.fork()
        if child == 0:
            try:
                len(gallery)
            except UsageError:
                gallery.close()
                os._exit(17)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
        gallery.enrol("bo", [axis(1)])
    with open_gallery(people) as gallery:
        assert len(gallery) == 2


def test_a_gallery_nobody_closed_is_let_go_with_the_object(people: Path) -> None:
    gallery = open_gallery(people)
    gallery.enrol("bo", [axis(1)])
    del gallery
    assert [path.name for path in people.parent.iterdir()] == ["people.db"]
