"""What survives a process that is killed, a full disk and a file that may not be written."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mien.errors import GalleryError, GalleryFull, GalleryReadOnly
from mien.gallery import EmbeddedGallery, migrate_in_place, open_gallery
from mien.types import Face, Frame, Match, Sample, Template

SOURCE = Path(__file__).parents[2] / "src"

# Enrols two samples a person, forgets every third person again, and says so on stdout after each is acknowledged.
WRITER = """
import sys
import numpy as np
from mien.gallery import open_gallery
from mien.types import Sample, Template
path, start = sys.argv[1], int(sys.argv[2])
gallery = open_gallery(path)
for number in range(start, start + 100000):
    rows = np.random.default_rng(number).normal(size=(2, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    gallery.enrol(f"person {number:08d}", [Sample(Template(row, "space")) for row in rows])
    print("+", number, flush=True)
    if number % 3 == 0:
        print("?", number, flush=True)
        gallery.forget(f"person {number:08d}")
        print("-", number, flush=True)
"""


def rows_of(number: int) -> np.ndarray:
    rows = np.random.default_rng(number).normal(size=(2, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def write_and_kill(path: Path, start: int, seconds: float) -> list[tuple[str, int]]:
    """What the writer said before it was killed, whole lines only."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(start)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
    )
    assert writer.stdout is not None
    first = writer.stdout.readline()  # it is at work; what is timed is work, not its start
    time.sleep(seconds)
    writer.kill()
    said = first + writer.stdout.read()
    writer.stdout.close()
    writer.wait()
    lines = said.decode().split("\n")[:-1]
    return [(line[0], int(line[2:])) for line in lines]


def kill_often(path: Path, times: int) -> None:
    rng = random.Random(times)
    wanted: set[int] = set()
    open_question: set[int] = set()
    for trial in range(times):
        said = write_and_kill(path, 10_000 * trial, rng.uniform(0.0, 0.25))
        wanted |= {number for sign, number in said if sign == "+"}
        wanted -= {number for sign, number in said if sign in "?-"}
        open_question |= {number for sign, number in said if sign == "?"} - {n for sign, n in said if sign == "-"}
        with open_gallery(path, create=False) as gallery:
            people = {int(person.subject.split()[1]): person.samples for person in gallery.people()}
            assert set(people.values()) <= {2}  # all of an enrol or nothing of it
            assert wanted <= set(people)
            unsaid = set(people) - wanted - open_question
            assert len(unsaid) <= trial + 1  # at most one enrol a kill was done and not told yet
            assert gallery.verify() == []
            for number in rng.sample(sorted(wanted), min(5, len(wanted))):
                assert gallery.search(Template(rows_of(number)[1], "space"), 1)[0].subject == f"person {number:08d}"
        raw = path.read_bytes()
        for number in (n for sign, n in said if sign == "-"):
            assert f"person {number:08d}".encode() not in raw
            assert rows_of(number).tobytes()[:16] not in raw
        wanted |= unsaid


def test_acknowledged_people_survive_kill_9(tmp_path: Path) -> None:
    kill_often(tmp_path / "people.db", 4)


@pytest.mark.slow
def test_acknowledged_people_survive_many_kills(tmp_path: Path) -> None:
    kill_often(tmp_path / "people.db", 60)


def test_two_processes_write_in_turn_and_a_third_reads(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    script = WRITER.replace("start + 100000", "start + 12")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(start)], stdout=subprocess.DEVNULL, env=environment
        )
        for start in (0, 300)
    ]
    with open_gallery(path) as gallery:
        while any(writer.poll() is None for writer in writers):
            assert set(Counter(name for name, _ in gallery.samples()).values()) <= {2}
        assert [writer.wait() for writer in writers] == [0, 0]
        assert len(gallery) == 16
        assert gallery.verify() == []


def in_child(work: Callable[[], str]) -> str:
    """Run in a forked process, so that limits and a lesser user end with it; returns what it returned."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # native threads that hold no lock of ours
        child = os.fork()
    if child == 0:
        try:
            answer = work()
        except BaseException as error:  # noqa: BLE001  it must not come back as a second test run
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def bulky(number: int) -> Sample:
    """A sample with a crop that does not compress."""
    rng = np.random.default_rng(number)
    frame = Frame(rng.integers(0, 256, (96, 96, 3), np.uint8))
    face = Face(frame, np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return Sample(Template(rows_of(number)[0], "space"), face)


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    open_gallery(path).close()

    def fill() -> str:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
        gallery = open_gallery(path)
        done = 0
        try:
            for done in range(1000):
                gallery.enrol(f"p{done}", [bulky(done)])
        except GalleryFull:
            found = gallery.search(bulky(done - 1).template, 1)
            return f"{done} {found == [Match(f'p{done - 1}', found[0].score)]} {len(gallery)}"
        return "never full"

    done, found, count = in_child(fill).split()
    assert (int(done) > 3, found, count) == (True, "True", done)
    with open_gallery(path) as gallery:
        assert len(gallery) == int(done)
        assert gallery.verify() == []
        assert gallery.enrol("one more", [bulky(5000)]) == 1


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A folder that every user can reach, which the usual temporary folder is not."""
    folder = Path(tempfile.mkdtemp(prefix="mien-test-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def as_somebody_else(work: Callable[[], str]) -> str:
    """Run without the rights of root, to whom no file is read-only."""

    def lesser() -> str:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        return work()

    return in_child(lesser)


def read_and_try_to_write(path: Path) -> str:
    with open_gallery(path) as gallery:
        names = [match.subject for match in gallery.search(Template(rows_of(1)[0], "space"), 1)]
        try:
            gallery.enrol("bo", [bulky(2)])
        except GalleryReadOnly:
            return f"read {names}, {len(list(gallery.samples()))}, {gallery.verify()}"
        return "wrote"


@pytest.mark.parametrize(("file", "folder"), [(0o444, 0o755), (0o644, 0o555), (0o444, 0o555)])
def test_a_read_only_file_or_folder_can_be_searched(shelf: Path, file: int, folder: int) -> None:
    path = shelf / "people.db"
    with open_gallery(path) as gallery:
        gallery.enrol("ana", [Sample(Template(rows_of(1)[0], "space"))])
    path.chmod(file)
    shelf.chmod(folder)
    assert as_somebody_else(lambda: read_and_try_to_write(path)) == "read ['ana'], 1, []"
    assert [each.name for each in shelf.iterdir()] == ["people.db"]


def test_a_reader_without_rights_sees_what_a_writer_adds(shelf: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can be two users")
    path = shelf / "people.db"
    writer = open_gallery(path)
    writer.enrol("ana", [Sample(Template(rows_of(1)[0], "space"))])
    writer.close()
    asks, answers = os.pipe(), os.pipe()

    def read() -> str:
        counts = []
        with open_gallery(path) as gallery:
            for _ in range(4):
                counts.append(len(gallery))
                os.write(answers[1], b".")
                os.read(asks[0], 1)
        return str(counts)

    path.chmod(0o644)
    script: list[Callable[[], object]] = []
    writer = EmbeddedGallery(path)
    writer.close()
    script = [
        lambda: writer.enrol("bo", [bulky(2)]),
        lambda: writer.enrol("cy", [bulky(3)]),
        lambda: (writer.forget("ana"), writer.close()),
        lambda: None,
    ]
    child = os.fork()
    if child == 0:  # the writing side; the reading side is the child of in_child
        writer = EmbeddedGallery(path)
        for step in script:
            os.read(answers[0], 1)
            step()
            os.write(asks[1], b".")
        os._exit(0)
    assert as_somebody_else(read) == "[1, 2, 3, 2]"
    os.waitpid(child, 0)


def test_a_folder_that_may_not_be_written_gets_no_gallery(shelf: Path) -> None:
    shelf.chmod(0o555)

    def attempt() -> str:
        try:
            open_gallery(shelf / "people.db")
        except GalleryReadOnly:
            return "refused"
        return "made"

    assert as_somebody_else(attempt) == "refused"


def test_a_read_only_file_is_not_migrated_for_hours_first(shelf: Path) -> None:
    path = shelf / "people.db"
    with open_gallery(path) as gallery:
        gallery.enrol("ana", [bulky(1)])
    path.chmod(0o444)
    shelf.chmod(0o777)

    class Unasked:
        name = "unasked"
        space = "elsewhere"

        def embed(self, faces: Sequence[Face]) -> list[Template]:
            raise AssertionError("asked in vain")

    def attempt() -> str:
        try:
            migrate_in_place(path, Unasked())
        except GalleryReadOnly:
            return "refused"
        return "moved"

    assert as_somebody_else(attempt) == "refused"


def test_a_file_that_may_not_be_read_is_told(shelf: Path) -> None:
    path = shelf / "people.db"
    open_gallery(path).close()
    path.chmod(0)

    def attempt() -> str:
        try:
            open_gallery(path)
        except GalleryError as error:
            return error.message
        return "read"

    assert "may not be read" in as_somebody_else(attempt)
