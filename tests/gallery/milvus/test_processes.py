"""Several processes on the real server, and deaths: of a writer, of the server. Slow: it starts in 10 s or more."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.types import Sample, Template

pytestmark = pytest.mark.slow
SPACE = "space-a"

# Enrols everybody of a range, `size` at a time, and says after each who is in.
WRITER = """
import sys
import numpy as np
from mien.gallery.milvus import open_milvus
from mien.types import Sample, Template

address, first, last, size, prefix = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5]
gallery = open_milvus(address)
print("ready", flush=True)
sys.stdin.readline()
for start in range(first, last, size):
    people = []
    for number in range(start, start + size):
        vector = np.random.default_rng(number).normal(size=16)
        template = Template((vector / np.linalg.norm(vector)).astype(np.float32), "space-a")
        people.append((f"{prefix}{number}", [Sample(template)]))
    gallery.enrol_many(people)
    print(start, flush=True)
"""


def template(number: int) -> Template:
    vector = np.random.default_rng(number).normal(size=16)
    return Template((vector / np.linalg.norm(vector)).astype(np.float32), SPACE)


def writer(address: str, first: int, last: int, size: int, prefix: str = "p") -> subprocess.Popen[str]:
    """A process that waits for a line before it writes."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, address, str(first), str(last), str(size), prefix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def said(process: subprocess.Popen[str]) -> list[int]:
    """The batches that it got an answer for; waits for its end."""
    assert process.stdout is not None
    lines = [int(line) for line in process.stdout.read().split()]
    process.wait(300)
    process.stdout.close()
    if process.stdin is not None:
        process.stdin.close()
    return lines


@pytest.fixture
def shared(server: Any, milvus: Any) -> Iterator[Any]:
    made = milvus.Galleries(server.address)
    yield made
    made.drop()


def test_processes_enrol_the_same_people_at_once(shared: Any) -> None:
    address = shared.fresh()
    gallery = shared.open(address)
    gallery.enrol("anchor", [Sample(template(10_000))])
    processes = [writer(address, 0, 12, 3) for _ in range(2)] + [writer(address, 6, 18, 2)]
    for process in processes:
        go(process)
    for process in processes:
        said(process)
        assert process.returncode == 0
    assert {person.subject: person.samples for person in gallery.people()} == {
        "anchor": 1,
        **{f"p{number}": 1 for number in range(18)},
    }
    assert (len(gallery), gallery.templates, gallery.verify()) == (19, 19, [])


def test_others_see_what_was_enrolled_within_a_second_or_so(shared: Any) -> None:
    address = shared.fresh()
    gallery = shared.open(address)
    gallery.enrol("anchor", [Sample(template(10_000))])
    strong = shared.open(address + "?consistency=strong")
    late = []
    process = writer(address, 0, 8, 1)
    go(process)
    assert process.stdout is not None
    for line in process.stdout:
        began = time.monotonic()
        assert strong.search(template(int(line)), 1)[0].subject == f"p{int(line)}"
        while gallery.search(template(int(line)), 1)[0].subject != f"p{int(line)}":
            assert time.monotonic() - began < 10
        late.append(time.monotonic() - began)
    said(process)
    assert max(late) < 10


def test_a_killed_writer_loses_nothing_it_was_told(shared: Any) -> None:
    address, size = shared.fresh(), 5
    gallery = shared.open(address)
    gallery.enrol("anchor", [Sample(template(10_000))])
    dice, done = random.Random(4), []
    for turn in range(4):
        process = writer(address, 1_000 * turn, 1_000 * turn + 900, size, "p")
        go(process)
        time.sleep(dice.uniform(0.3, 3.0))
        process.kill()
        done += said(process)
        people = {person.subject for person in gallery.people()} - {"anchor"}
        batches = {int(name[1:]) // size * size for name in people}
        assert set(done) <= batches
        assert people == {f"p{start + step}" for start in batches for step in range(size)}  # whole batches only
        assert (len(gallery), gallery.templates) == (len(people) + 1, len(people) + 1)
    gallery._writer.sweep(lease=0)
    assert gallery.verify() == []
    assert not gallery._batches.open()
    assert (len(gallery), gallery.templates) == (len(people) + 1, len(people) + 1)


@pytest.fixture
def own(server: Any) -> Any:
    """A server that a test may kill: there can be only one, so it is the one that all tests share."""
    if server.process is None:
        pytest.skip("the running server that MIEN_TEST_MILVUS names is not to be killed")
    return server


def test_a_killed_and_restarted_server_loses_nothing_it_acknowledged(own: Any, shared: Any) -> None:
    address = shared.fresh() + "?timeout=180"
    gallery = shared.open(address)
    gallery.enrol("anchor", [Sample(template(10_000))])
    gallery.forget("anchor")
    gallery.enrol("anchor", [Sample(template(10_001))], {"badge": 7})
    done: list[int] = []
    for turn in range(2):
        process = writer(address, 1_000 * turn, 1_000 * turn + 100, 5)
        go(process)
        assert process.stdout is not None
        done += [int(process.stdout.readline()) for _ in range(3)]
        own.kill(signal.SIGKILL)
        own.start()
        done += said(process)  # it went on by itself when the server was back
        assert process.returncode == 0
    people = {person.subject: person for person in gallery.people()}
    assert sorted(people) == sorted(["anchor", *(f"p{start + step}" for start in done for step in range(5))])
    assert (people["anchor"].metadata, people["anchor"].samples) == ({"badge": 7}, 1)
    assert len(done) == 40
    for number in (0, 99, 1_000, 1_099):
        assert gallery.search(template(number), 1)[0].subject == f"p{number}"
    assert (len(gallery), gallery.templates, gallery.verify()) == (201, 201, [])


def test_when_the_bytes_of_the_erased_leave_the_disk(own: Any, shared: Any) -> None:
    """They are out of every answer at once, but not off the disk: the log and the files before compaction hold them on."""
    gallery = shared.open()
    gallery.enrol_many([(f"p{number}", [Sample(template(number))]) for number in range(50)])
    needle = template(7).vector.tobytes()
    assert gallery.erase("p7").samples == 1
    assert gallery.search(template(7), 1)[0].subject != "p7"
    assert "p7" not in gallery
    # The day this fails, the guide can promise more.
    assert {_kind(path) for path in _holding(own.folder, needle)} == {"data/insert_log", "data/rocksmq"}


def _holding(folder: Path, needle: bytes) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path.relative_to(folder) for path in files if needle in path.read_bytes()]


def _kind(path: Path) -> str:
    return "/".join(path.parts[:2])
