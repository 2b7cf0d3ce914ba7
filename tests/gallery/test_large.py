"""Galleries of more templates than are kept in memory as they are: the same answers, from codes beside the file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mien.gallery import EmbeddedGallery, MemoryGallery, embedded, open_gallery, shelf, store
from mien.gallery.store import codes_folder
from mien.types import Sample, Template
from mien.where import parse

DIMENSION = 24


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EmbeddedGallery, "FIRST", 40)
    monkeypatch.setattr(EmbeddedGallery, "SEGMENT", 40)
    monkeypatch.setattr(shelf, "MOST", 60)


def sample(rng: np.random.Generator) -> Sample:
    row = rng.normal(size=DIMENSION)
    return Sample(Template((row / np.linalg.norm(row)).astype(np.float32), "space"))


def people(seed: int, count: int, prefix: str = "p") -> list[tuple[str, list[Sample]]]:
    rng = np.random.default_rng(seed)
    return [(f"{prefix}{number}", [sample(rng) for _ in range(1 + number % 3)]) for number in range(count)]


def probes(seed: int, count: int = 12) -> list[Template]:
    rng = np.random.default_rng(seed)
    return [sample(rng).template for _ in range(count)]


def same(one: EmbeddedGallery, other: MemoryGallery) -> None:
    assert (len(one), one.templates) == (len(other), other.templates)
    for k in (1, 3, 200):
        assert one.search_many(probes(99), k) == other.search_many(probes(99), k)
    assert one.search_many(probes(99), 5, floor=0.3) == other.search_many(probes(99), 5, floor=0.3)
    assert [person.subject for person in one.people()] == [person.subject for person in other.people()]


@pytest.fixture
def both(tmp_path: Path) -> Iterator[tuple[EmbeddedGallery, MemoryGallery]]:
    with EmbeddedGallery(tmp_path / "people.db") as large, MemoryGallery() as memory:
        for batch in range(5):
            crowd = people(batch, 25, f"b{batch}-")
            assert large.enrol_many(crowd) == memory.enrol_many(crowd)
        yield large, memory


def files(gallery: EmbeddedGallery) -> list[Path]:
    return sorted(codes_folder(Path(gallery.where)).iterdir())


def test_it_answers_as_memory_does(both: tuple[EmbeddedGallery, MemoryGallery]) -> None:
    large, memory = both
    assert len(files(large)) == 5 and large.verify() == []
    same(large, memory)
    more = people(77, 7, "more ")
    assert large.enrol_many(more) == memory.enrol_many(more)
    assert large.enrol("b0-1", more[0][1]) == memory.enrol("b0-1", more[0][1]) == 1
    assert large.enrol("b0-1", more[0][1]) == 0
    same(large, memory)
    with open_gallery(large.where) as again:
        assert isinstance(again, EmbeddedGallery)
        same(again, memory)
        assert [one.template.vector.tobytes() for _, one in again.samples("b0-1")] == [
            one.template.vector.tobytes() for _, one in memory.samples("b0-1")
        ]
        assert again.search(more[0][1][0].template, 1)[0].evidence.exact  # type: ignore[union-attr]


def test_ties_go_by_name_wherever_the_rows_are(both: tuple[EmbeddedGallery, MemoryGallery]) -> None:
    large, memory = both
    twin = people(0, 25, "b0-")[4][1]
    for name in ("zz", "aa"):
        large.enrol(name, twin)
        memory.enrol(name, twin)
    assert [one.subject for one in large.search(twin[0].template, 3)] == ["aa", "b0-4", "zz"]
    same(large, memory)


def test_filters_reach_what_is_filed_and_what_is_not(both: tuple[EmbeddedGallery, MemoryGallery]) -> None:
    large, memory = both
    for gallery in both:
        for name in ("b0-1", "b3-7", "b4-2"):
            gallery.enrol(name, [], {"site": "berlin"})
        gallery.enrol_many(people(5, 3, "new-"))
        gallery.enrol("new-1", [], {"site": "berlin"})
    where = parse("site = 'berlin'")
    found = large.search_many(probes(3), 9, where=where)
    assert found == memory.search_many(probes(3), 9, where=where)
    assert {one.subject for one in found[0]} == {"b0-1", "b3-7", "b4-2", "new-1"}


def test_who_is_forgotten_is_gone_at_once_and_from_the_codes(both: tuple[EmbeddedGallery, MemoryGallery]) -> None:
    large, memory = both
    with EmbeddedGallery(large.where, read_only=True) as reader:
        same(reader, memory)
        before = [path.read_bytes() for path in files(large)]
        for name in ("b0-0", "b2-3", "b4-24"):
            assert large.forget(name) == memory.forget(name)
            same(large, memory)
            same(reader, memory)
        assert [path.read_bytes() for path in files(large)] != before
        assert large.verify() == reader.verify() == []
    # What is left of the rows are zeroes: no code of a template that was erased is in any file.
    from mien.gallery.scan import encode

    gone = people(0, 1, "b0-")[0][1][0].template.vector
    code = encode(gone[None]).high[0].tobytes()
    assert any(code in part for part in before)
    assert not any(code in path.read_bytes() for path in files(large))


def test_a_segment_whose_people_left_is_written_anew(both: tuple[EmbeddedGallery, MemoryGallery]) -> None:
    large, memory = both
    size = sum(path.stat().st_size for path in files(large))
    for number in range(25):
        large.forget(f"b1-{number}")
        memory.forget(f"b1-{number}")
    assert len(files(large)) == 4
    assert sum(path.stat().st_size for path in files(large)) < 0.85 * size
    same(large, memory)
    assert large.verify() == []


@pytest.mark.parametrize("harm", ["lost", "flipped", "cut", "folder lost", "of another gallery"])
def test_lost_or_damaged_codes_are_made_again(
    both: tuple[EmbeddedGallery, MemoryGallery], harm: str, tmp_path: Path
) -> None:
    large, memory = both
    large.close()
    folder = codes_folder(Path(large.where))
    victim = sorted(folder.iterdir())[1]
    if harm == "lost":
        victim.unlink()
    elif harm == "flipped":
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    elif harm == "cut":
        victim.write_bytes(victim.read_bytes()[:-9])
    elif harm == "folder lost":
        shutil.rmtree(folder)
    else:
        victim.write_bytes(sorted(folder.iterdir())[0].read_bytes())
    with EmbeddedGallery(large.where, read_only=True) as reader:
        same(reader, memory)
        assert any("segment" in fault for fault in reader.verify())
    with EmbeddedGallery(large.where) as writer:
        same(writer, memory)
        assert writer.verify() == []
    with EmbeddedGallery(large.where, read_only=True) as reader:
        same(reader, memory)
        assert reader.verify() == []


def test_small_segments_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "MOST", 100)
    with EmbeddedGallery(tmp_path / "people.db") as large, MemoryGallery() as memory:
        for batch in range(6):
            crowd = people(batch, 22, f"b{batch}-")  # 43 templates
            large.enrol_many(crowd)
            memory.enrol_many(crowd)
            if batch == 2:
                large.forget("b0-3")
                memory.forget("b0-3")
        assert len(files(large)) == 3
        same(large, memory)
        assert large.verify() == []


def test_a_large_file_is_written_anew_only_if_something_is_left(
    both: tuple[EmbeddedGallery, MemoryGallery], monkeypatch: pytest.MonkeyPatch
) -> None:
    large, _ = both
    monkeypatch.setattr(embedded, "_REWRITTEN", 0)
    looked: list[bool] = []
    holds = store.holds

    def look(path: Path, traces: list[bytes]) -> bool:
        looked.append(holds(path, traces))
        return looked[-1]

    monkeypatch.setattr(store, "holds", look)
    for name in [f"b{batch}-{number}" for batch in range(4) for number in range(0, 25, 3)]:
        vectors = [one.template.vector.tobytes() for _, one in large.samples(name)]
        large.forget(name)
        content = Path(large.where).read_bytes()
        assert not any(vector[16:64] in content for vector in vectors)
    assert large.verify() == [] and looked


def test_a_copy_and_a_backup_need_no_codes(both: tuple[EmbeddedGallery, MemoryGallery], tmp_path: Path) -> None:
    large, memory = both
    large.backup(tmp_path / "copy.db")
    with EmbeddedGallery(tmp_path / "copy.db") as copy:
        same(copy, memory)
        assert copy.verify() == []


def test_readers_see_what_is_filed_meanwhile(both: tuple[EmbeddedGallery, MemoryGallery]) -> None:
    large, memory = both
    with EmbeddedGallery(large.where, read_only=True) as reader:
        for batch in range(5, 9):
            crowd = people(batch, 13, f"b{batch}-")
            large.enrol_many(crowd)
            memory.enrol_many(crowd)
            same(reader, memory)


def test_a_change_that_fails_leaves_everything_as_it_was(
    both: tuple[EmbeddedGallery, MemoryGallery], monkeypatch: pytest.MonkeyPatch
) -> None:
    large, memory = both

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf.segments, "write", full)
    crowd = people(9, 30, "b9-")
    large.enrol_many(crowd)  # derived files that cannot be written lose nobody
    memory.enrol_many(crowd)
    same(large, memory)
    monkeypatch.undo()
    with EmbeddedGallery(large.where) as again:
        same(again, memory)
        assert again.verify() == []


def test_damaged_rows_that_segments_cover_are_told(both: tuple[EmbeddedGallery, MemoryGallery]) -> None:
    import sqlite3

    large, _ = both
    large.close()
    with sqlite3.connect(large.where) as db:
        db.execute("DELETE FROM sample WHERE id = 3")
    db.close()
    with EmbeddedGallery(large.where, read_only=True) as gallery:
        assert any("missing or doubled" in fault for fault in gallery.verify())


def test_a_file_of_format_1_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    import sqlite3

    crowd = people(1, 30)
    with EmbeddedGallery(tmp_path / "people.db") as gallery, MemoryGallery() as memory:
        gallery.enrol_many(crowd[:10])
        memory.enrol_many(crowd[:10])
        gallery.close()
        with sqlite3.connect(tmp_path / "people.db") as db:
            db.execute("DROP TABLE covered")
            db.execute("DROP INDEX sample_subject")
            db.execute("PRAGMA user_version = 1")
        db.close()
        with EmbeddedGallery(tmp_path / "people.db", read_only=True) as old:
            same(old, memory)
        with EmbeddedGallery(tmp_path / "people.db") as now:
            same(now, memory)
            now.enrol_many(crowd[10:])
            memory.enrol_many(crowd[10:])
            same(now, memory)
            assert len(files(now)) == 1 and now.verify() == []


CRASHER = """
import sys
from mien.gallery import EmbeddedGallery
sys.path.insert(0, {here!r})
from test_large import people
EmbeddedGallery.FIRST = EmbeddedGallery.SEGMENT = 40
gallery = EmbeddedGallery({path!r})
for batch in range(1000):
    crowd = people(1000 + batch, 9, f"c{{batch}}-")
    gallery.enrol_many(crowd)
    print("enrolled", batch, flush=True)
    if batch % 3 == 2:
        gallery.forget(f"c{{batch - 1}}-4")
        print("forgot", batch - 1, flush=True)
"""


@pytest.mark.parametrize("seconds", [0.02, 0.05, 0.11, 0.19, 0.3, 0.42])
def test_a_writer_killed_at_any_point_loses_nothing_it_told(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "people.db"
    code = CRASHER.format(here=str(Path(__file__).parent), path=str(path))
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline()]  # the first batch is in
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    told += process.stdout.readlines()
    process.stdout.close()
    process.wait()
    enrolled = [int(line.split()[1]) for line in told if line.startswith("enrolled")]
    forgotten = {f"c{line.split()[1]}-4" for line in told if line.startswith("forgot")}
    with EmbeddedGallery(path) as gallery:
        assert gallery.verify() == []
        names = {person.subject: person.samples for person in gallery.people()}
        assert not forgotten & set(names)
        for batch in enrolled:
            for name, samples in people(1000 + batch, 9, f"c{batch}-"):
                last = batch == enrolled[-1]  # the forgetting that followed may be done though nobody was told
                assert (
                    name in forgotten
                    or names.get(name) == len(samples)
                    or (last and name.endswith("-4"))
                    or (name == f"c{batch}-4" and batch == enrolled[-1] - 1)
                )
        whole = {name.split("-")[0] for name in names}
        assert whole <= {f"c{batch}" for batch in [*enrolled, enrolled[-1] + 1]}
        with MemoryGallery() as memory:
            for person in gallery.people():
                memory.enrol(person.subject, [one for _, one in gallery.samples(person.subject)])
            same(gallery, memory)
