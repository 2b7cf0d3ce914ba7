"""What was changed, cut short, put back or belongs to somebody else is refused in one sentence."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from mien.errors import GalleryCorrupt, GalleryError, GalleryNotFound, InputError, UsageError
from mien.gallery import migrate_in_place, open_gallery
from mien.gallery.sealed import records
from mien.gallery.sealed.groups_file import PAGE
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.opening import KeyWarning, open_sealed
from mien.types import Sample

Of = Callable[..., list[Sample]]


def sql(people: Path, *statements: str) -> None:
    with sqlite3.connect(people / "records.db") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def groups_file(people: Path) -> Path:
    (file,) = people.glob("groups.*.bin")
    return file


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE subject SET record = zeroblob(160) WHERE rowid = 1",
        "UPDATE subject SET record = (SELECT record FROM subject WHERE rowid = 2) WHERE rowid = 1",
        "UPDATE sample SET slot = slot + 100 WHERE number = 3",
        "UPDATE sample SET subject = (SELECT subject FROM sample WHERE number = 9) WHERE number = 3",
        "UPDATE sample SET mark = zeroblob(32) WHERE number = 3",
        "UPDATE grp SET version = version + 1",
        "UPDATE grp SET anchor = zeroblob(32)",
        "UPDATE sample SET covered = 0 WHERE number = 3",
        "UPDATE head SET revision = revision + 1",
        "UPDATE head SET dimension = 0",
        "UPDATE head SET dimension = 128",
        "UPDATE head SET profile = 'exact'",
        "UPDATE head SET sealed = zeroblob(160)",
        "UPDATE head SET gallery = zeroblob(16)",
        "UPDATE head SET digest = 7",
        "DELETE FROM head",
        "DELETE FROM detail WHERE number = 4 && DELETE FROM sample WHERE number = 4",
        "CREATE TABLE more (x)",
        "CREATE TRIGGER t AFTER INSERT ON grp BEGIN DELETE FROM subject; END",
        "PRAGMA user_version = 99",
        "PRAGMA application_id = 7",
    ],
)
def test_a_changed_row_is_refused(people: Path, keys: Keys, statement: str) -> None:
    sql(people, *statement.split("&&"))
    with pytest.raises(GalleryCorrupt) as caught:
        open_sealed(people, keys)
    assert caught.value.remedy
    assert caught.value.message.count(". ") == 0


def test_a_newer_format_says_so(people: Path, keys: Keys) -> None:
    sql(people, "PRAGMA user_version = 99")
    with pytest.raises(GalleryCorrupt, match=r"format 99.*Update mien"):
        open_sealed(people, keys)


@pytest.mark.parametrize("left", [0, 10, PAGE, PAGE + 1000])
def test_a_truncated_file_of_groups_is_refused(people: Path, keys: Keys, of: Of, left: int) -> None:
    file = groups_file(people)
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(GalleryCorrupt), open_sealed(people, keys) as gallery:
        gallery.search(of(1)[0].template)


@pytest.mark.parametrize("left", [0, 100, 5000])
def test_a_truncated_file_of_records_is_refused(people: Path, keys: Keys, left: int) -> None:
    file = people / "records.db"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(GalleryError):
        open_sealed(people, keys).people()


def test_another_gallerys_groups_are_refused(people: Path, keys: Keys, of: Of, tmp_path: Path) -> None:
    with open_sealed(tmp_path / "other.sealed", keys) as other:
        other.enrol("x", of(9))
    shutil.copy(groups_file(tmp_path / "other.sealed"), groups_file(people))
    with pytest.raises(GalleryCorrupt, match="another gallery"):
        open_sealed(people, keys)


def place_of(people: Path, group: int = 0) -> int:
    with sqlite3.connect(people / "records.db") as db:
        (place,) = db.execute("SELECT place FROM grp WHERE number = ?", (group,)).fetchone()
    db.close()
    return int(place)


def change_group(people: Path) -> None:
    start = PAGE + place_of(people) * 32 * 1024  # two polynomials, two primes
    with groups_file(people).open("r+b") as file:
        file.seek(start)
        file.write(bytes(64))


def test_a_changed_group_is_found_by_every_check(people: Path, keys: Keys, of: Of) -> None:
    change_group(people)
    with open_sealed(people, keys) as gallery:
        with pytest.raises(GalleryError, match="refused"):
            gallery.search(of(1)[0].template)
        assert "group 0 does not match its mark" in " ".join(gallery.verify())
        for attempt in (lambda: gallery.enrol("new", of(50)), lambda: gallery.forget("p1")):
            with pytest.raises(GalleryCorrupt, match="does not match its mark"):
                attempt()


def test_two_groups_that_changed_places_are_refused(path: Path, keys: Keys, of: Of) -> None:
    with open_sealed(path, keys) as gallery:
        for number in range(20):
            gallery.enrol(f"p{number}", of(number, 4))
    one, other = place_of(path, 0), place_of(path, 1)
    sql(
        path,
        "UPDATE grp SET place = 1000 WHERE number = 0",
        f"UPDATE grp SET place = {one} WHERE number = 1",
        f"UPDATE grp SET place = {other} WHERE number = 0",
    )
    with open_sealed(path, keys) as gallery, pytest.raises(GalleryError, match="refused"):
        gallery.search(of(1)[0].template)


def test_a_picture_or_vector_that_was_changed_is_found(people: Path, keys: Keys) -> None:
    sql(people, "UPDATE detail SET vector = (SELECT vector FROM detail WHERE number = 4) WHERE number = 3")
    with open_sealed(people, keys) as gallery:
        assert any("sample 3" in fault for fault in gallery.verify())
        with pytest.raises(GalleryCorrupt, match="sample 3"):
            list(gallery.samples())


def test_other_keys_are_refused(people: Path, other_keys: Keys) -> None:
    with pytest.raises(GalleryError, match="sealed with"):
        open_sealed(people, other_keys)


def kept(keys: Keys, at: Path) -> Path:
    keys.save(at)
    return at


def test_a_gallery_put_back_to_an_older_state_is_refused(
    people: Path, keys: Keys, of: Of, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at = kept(keys, tmp_path_factory.mktemp("safe") / "keys")
    backup = tmp_path_factory.mktemp("backup") / "people.sealed"
    with open_sealed(people, at):
        pass
    shutil.copytree(people, backup)
    with open_sealed(people, at) as gallery:
        gallery.forget("p1")
    shutil.rmtree(people)
    shutil.copytree(backup, people)
    with pytest.raises(GalleryCorrupt, match="put back to an earlier state") as caught:
        open_sealed(people, at)
    assert "ledger.json" in caught.value.remedy
    with open_sealed(people, keys) as gallery:  # who never saw the newer state cannot know
        assert "p1" in gallery


def test_a_quota_is_kept_beside_the_keys(
    people: Path, keys: Keys, of: Of, tmp_path_factory: pytest.TempPathFactory
) -> None:
    at = kept(keys, tmp_path_factory.mktemp("safe") / "keys")
    (at / "ledger.json").write_text(json.dumps({"per_day": 3}))
    for _ in range(3):
        with open_sealed(people, at) as gallery:
            gallery.search(of(1)[0].template)
    with open_sealed(people, at) as gallery:
        with pytest.raises(GalleryError, match="quota of 3 searches") as caught:
            gallery.search(of(1)[0].template)
        assert "tomorrow" in caught.value.remedy and "per_day" in caught.value.remedy
        assert str(at / "ledger.json") in caught.value.remedy
        notes = json.loads((at / "ledger.json").read_text())
        (at / "ledger.json").write_text(json.dumps(notes | {"day": "2001-01-01"}))
        assert gallery.search(of(1)[0].template, 1)[0].subject == "p1"


def test_a_damaged_ledger_is_told(people: Path, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> None:
    at = kept(keys, tmp_path_factory.mktemp("safe") / "keys")
    (at / "ledger.json").write_text("{")
    with pytest.raises(InputError, match=r"ledger\.json is damaged"):
        open_sealed(people, at)


def test_where_keys_may_lie(people: Path, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> None:
    inside = kept(keys, people / "keys")
    with pytest.raises(UsageError, match="inside the gallery"):
        open_sealed(people, inside)
    shutil.rmtree(inside)
    with pytest.warns(KeyWarning, match="beside the gallery"):
        open_sealed(people, kept(keys, people.parent / "keys")).close()
    apart = kept(keys, tmp_path_factory.mktemp("safe") / "keys")
    open_sealed(people, apart).close()  # a warning would be an error here
    (apart / "secret.key").chmod(0o644)
    with pytest.warns(KeyWarning, match=r"secret\.key may be read by others"):
        open_sealed(people, apart).close()
    assert stat.S_IMODE((apart / "mac.key").stat().st_mode) == 0o600


def test_missing_keys_and_galleries_are_told(
    people: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MIEN_KEYS", raising=False)
    with pytest.raises(UsageError, match="--keys"):
        open_gallery(people)
    with pytest.raises(UsageError, match="cannot be read"):
        open_gallery(people, keys=tmp_path / "nowhere" / "else")
    with pytest.raises(GalleryNotFound, match="no sealed gallery"):
        open_gallery(tmp_path / "none.sealed", keys=keys, create=False)
    (tmp_path / "empty.sealed").mkdir()
    with pytest.raises(UsageError, match="no sealed gallery"):
        open_gallery(tmp_path / "empty.sealed", keys=keys)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        open_gallery(tmp_path / "folder", keys=keys)


def test_the_environment_names_the_keys(
    people: Path, keys: Keys, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIEN_KEYS", str(kept(keys, tmp_path_factory.mktemp("safe") / "keys")))
    with open_gallery(people) as gallery:
        assert len(gallery) == 5


def test_a_missing_package_is_named(people: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="cryptography") as caught:
        open_sealed(people, keys)
    assert 'pip install "mien[sealed]"' in caught.value.remedy


def test_models_are_not_changed_in_place(people: Path) -> None:
    with pytest.raises(UsageError, match="cannot change models in place"):
        migrate_in_place(people, None)  # type: ignore[arg-type]


def test_names_of_every_script(path: Path, keys: Keys, of: Of) -> None:
    names = ["zoë", "Åke", "山田 太郎", "🙂", "a b/c", "أحمد"]
    with open_sealed(path, keys) as gallery:
        for number, name in enumerate(names):
            gallery.enrol(name, of(number), {"note": name})
    with open_sealed(path, keys) as gallery:
        assert [person.subject for person in gallery.people()] == sorted(names)
        assert gallery.search(of(2)[1].template, 1)[0].subject == "山田 太郎"
        assert gallery.forget("أحمد") == 2
    raw = b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())
    for word in ("zoë", "Åke", "山田", "space", "jpg"):
        assert word.encode() not in raw
    assert of(2)[0].template.vector.tobytes()[:16] not in raw


def test_records_of_one_length_look_alike(path: Path, keys: Keys, of: Of) -> None:
    with open_sealed(path, keys) as gallery:
        for number, name in enumerate(("a", "a" * 40)):
            gallery.enrol(name, of(number))
    with sqlite3.connect(path / "records.db") as db:
        lengths = {row[0] for row in db.execute("SELECT length(record) FROM subject")}
    db.close()
    assert len(lengths) == 1  # the canary's too
    assert records.PADDING == 128


def test_every_group_has_canaries_and_nobody_counts_them(path: Path, keys: Keys, of: Of) -> None:
    with open_sealed(path, keys) as gallery:
        for number in range(20):
            gallery.enrol(f"p{number}", of(number, 4))
        index = gallery._index
        assert len(index.groups) == 3 and [len(index.canaries[group]) for group in range(3)] == [2, 2, 2]
        assert (len(gallery), gallery.templates, len(list(gallery.samples()))) == (20, 80, 80)
        gallery.forget("p3")
        assert gallery.verify() == []
    with sqlite3.connect(path / "records.db") as db:  # nor do their rows differ from others'
        rows = db.execute("SELECT length(record), length(vector), covered FROM sample JOIN detail USING (number)")
        assert len(set(rows)) == 1
    db.close()


def test_an_older_format_says_what_to_do(people: Path, keys: Keys) -> None:
    sql(people, "PRAGMA user_version = 1")
    with pytest.raises(GalleryCorrupt, match="has format 1; this mien reads format 2") as caught:
        open_sealed(people, keys)
    assert "Seal the plain gallery again" in caught.value.remedy
    sql(people, "PRAGMA user_version = 2")
    file = groups_file(people)
    content = file.read_bytes()
    file.write_bytes(content[:12] + (1).to_bytes(4, "little") + content[16:])
    with pytest.raises(GalleryCorrupt, match="has format 1"):
        open_sealed(people, keys)
