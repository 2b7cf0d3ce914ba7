"""The log: who did what, unbroken."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import CannotWrite, UsageError
from mien.serve import chain
from mien.serve.access import Caller
from mien.serve.log import GATHER, Log, Only, opened
from mien.serve.records import Records

MASTER = b"a master secret of the tests"
ANNA = Caller("0a", "anna", "admin", "default")
BEN = Caller("0b", "ben", "admin", "elsewhere")


@pytest.fixture
def make_log(tmp_path: Path) -> Iterator[Callable[..., Log]]:
    made: list[Log] = []

    def make(master: bytes = MASTER) -> Log:
        made.append(Log(Records(tmp_path / "log.db"), master))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def filled(make_log: Callable[..., Log]) -> Log:
    log = make_log()
    for number in range(1, 10):
        log.add(ANNA, "subject.enrol", gallery="people", subject=f"person {number}", durable=number == 9)
    return log


def tamper(path: Path, *words: str) -> None:
    """Change the file as somebody with the rights of the service could."""
    db = sqlite3.connect(path / "log.db")
    db.executescript("DROP TRIGGER log_stays; DROP TRIGGER log_is_so;" + ";".join(words))
    db.close()


def test_what_was_done_is_told_newest_first_by_tenant(filled: Log) -> None:
    filled.add(BEN, "verify", verdict="accept", durable=True)
    found = filled.entries("default", limit=2)
    assert [one["facts"]["subject"] for one in found] == ["person 9", "person 8"]
    assert found[0] | {"at": ""} == {
        "number": 9, "at": "", "tenant": "default", "key": "0a", "action": "subject.enrol",
        "facts": {"gallery": "people", "subject": "person 9"},
    }  # fmt: skip
    assert [one["number"] for one in filled.entries("default", before=8, limit=2)] == [7, 6]
    assert [one["number"] for one in filled.entries("elsewhere")] == [10]
    assert filled.verify() == chain.Verdict(10, filled.verify().head, None)


@pytest.mark.parametrize(
    ("words", "entry"),
    [
        ("UPDATE log SET entry = replace(entry, 'person 4', 'person 5') WHERE number = 4", None),
        ("UPDATE log SET entry = replace(entry, 'enrol', 'forget') WHERE number = 4", 4),
        ("UPDATE log SET hash = randomblob(32) WHERE number = 4", 4),
        ("DELETE FROM log WHERE number = 4", 4),
        ("DELETE FROM log WHERE number = 1", 1),
        ("DELETE FROM log WHERE number = 4; UPDATE log SET number = number - 1 WHERE number > 4", 4),
        ("UPDATE log SET number = 99 WHERE number = 4; UPDATE log SET number = 4 WHERE number = 5;"
         "UPDATE log SET number = 5 WHERE number = 99", 4),
        ("DELETE FROM log WHERE number > 6", 7),
        ("DELETE FROM log", 1),
        ("DELETE FROM log WHERE number > 6; UPDATE head SET number = 6, hash = (SELECT hash FROM log WHERE number = 6)", 7),
        ("DELETE FROM head", 10),
        ("DELETE FROM log WHERE number > 6; DELETE FROM head", 7),
    ],
)  # fmt: skip
def test_what_was_done_to_the_file_is_found(filled: Log, tmp_path: Path, words: str, entry: int | None) -> None:
    tamper(tmp_path, words)
    found = filled.verify()
    assert found.broken == entry
    assert (found.fault is None) == (entry is None)


def test_a_chain_written_anew_needs_the_secret(filled: Log, tmp_path: Path) -> None:
    head = filled.verify().head
    (tmp_path / "log.db").rename(tmp_path / "old.db")
    forged = Log(Records(tmp_path / "log.db"), b"a guess")
    for number in range(1, 10):
        forged.add(ANNA, "identify", count=number)
    forged.close()
    mine = Log(Records(tmp_path / "log.db"), MASTER)
    assert "not made with this service's secret" in str(mine.verify().fault)
    assert mine.verify(sealed=False).fault is None
    assert mine.verify(head, sealed=False).broken == 9
    mine.close()


def test_a_tail_cut_off_stays_seen_when_the_log_goes_on(filled: Log, tmp_path: Path) -> None:
    tamper(tmp_path, "DELETE FROM log WHERE number > 6")
    filled.add(ANNA, "verify", durable=True)
    assert filled.verify().fault == "Entry 7 is missing: after 6 comes 10."


def test_a_tail_cut_off_with_its_head_stays_seen_when_the_log_goes_on(
    make_log: Callable[..., Log], filled: Log, tmp_path: Path
) -> None:
    tamper(tmp_path, "DELETE FROM log WHERE number > 6; DELETE FROM head")
    other = make_log()
    other.add(ANNA, "verify", durable=True)
    assert other.verify().fault == "Entry 7 is missing: after 6 comes 8."
    assert "log.broken" in [one["action"] for one in other.entries(None)]


def test_a_file_put_back_is_seen_by_the_process_that_wrote_more(filled: Log, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "log.db") as db:
        kept = db.execute("SELECT number, hash, seal FROM head").fetchone()
    filled.add(ANNA, "verify", durable=True)
    tamper(tmp_path, "DELETE FROM log WHERE number > 9")
    with sqlite3.connect(tmp_path / "log.db") as db:
        db.execute("UPDATE head SET number = ?, hash = ?, seal = ?", kept)
    assert filled.verify().fault is None  # by itself the older state is whole
    filled.add(ANNA, "verify", durable=True)
    assert filled.verify().broken == 10


def test_names_go_and_the_chain_stays(filled: Log) -> None:
    alias = filled.alias("default", "people", "person 4")
    filled.add(ANNA, "identify", gallery="people", subject="person 4")
    filled.flush()
    filled.forget(alias)
    filled.add(ANNA, "identify", gallery="people", subject="person 4")  # in another process before, written after
    filled.flush()
    told = [one["facts"]["subject"] for one in filled.entries("default", only=Only(alias))]
    assert told == [alias] * 3
    assert filled.verify().fault is None
    filled.add(ANNA, "subject.enrol", gallery="people", subject="person 4", durable=True)
    assert filled.entries("default", limit=1)[0]["facts"]["subject"] == "person 4"


def test_nothing_is_lost_on_a_stop(make_log: Callable[..., Log]) -> None:
    log = make_log()
    for number in range(500):
        log.add(ANNA, "identify", count=number)
    log.close()
    assert make_log().verify().entries == 500


def test_reads_are_on_the_disk_soon(make_log: Callable[..., Log]) -> None:
    log, other = make_log(), make_log()
    log.add(ANNA, "identify")
    time.sleep(GATHER * 3)
    assert other.verify().entries == 1


def test_two_processes_make_one_chain(make_log: Callable[..., Log]) -> None:
    one, other = make_log(), make_log()
    for number in range(40):
        (one, other)[number % 2].add(ANNA, "identify", count=number, durable=number % 8 == 0)
    one.flush()
    other.flush()
    assert one.verify() == chain.Verdict(40, one.verify().head, None)


def test_time_does_not_go_backwards_and_a_jump_is_told(filled: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    import mien.serve.log as module

    real = time.time
    monkeypatch.setattr(module.time, "time", lambda: real() - 3600)
    monkeypatch.setattr(module, "_now", lambda: "2001-01-01T00:00:00.000000+00:00")
    filled.add(ANNA, "verify", durable=True)
    newest = filled.entries(None, limit=3)
    assert [one["action"] for one in newest] == ["verify", "clock.jump", "subject.enrol"]
    assert newest[1]["facts"]["seconds"] == pytest.approx(-3600, abs=1)
    assert newest[0]["at"] == newest[2]["at"]
    assert filled.verify().fault is None


def test_a_log_that_cannot_be_written_refuses_changes_and_keeps_them(
    make_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, full = make_log(), [True]
    real = log._append

    def append(batch: object) -> None:
        if full[0]:
            raise CannotWrite("No room.", "")
        real(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(log, "_append", append)
    with pytest.raises(CannotWrite):
        log.add(ANNA, "subject.enrol", subject="a", durable=True)
    full[0] = False
    log.close()
    assert [one["action"] for one in log.entries(None)] == ["subject.enrol"]


def test_what_is_no_json_is_refused_at_once(filled: Log) -> None:
    with pytest.raises((TypeError, ValueError)):
        filled.add(ANNA, "verify", score=float("nan"))
    with pytest.raises(UsageError, match="no head of a log"):
        filled.verify("12:zz")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.text() | st.integers() | st.none()), min_size=1), st.data())
def test_any_change_of_any_entry_is_found_at_its_place(entries: list[dict[str, object]], data: st.DataObject) -> None:
    rows, before = [], chain.START
    for number, entry in enumerate(entries, 1):
        text = chain.canonical(entry | {"at": f"{number:09}"})
        before = chain.linked(before, text)
        rows.append((number, text, before))
    head = (len(rows), before, chain.seal(MASTER, len(rows), before))
    assert chain.check(rows, head, MASTER).fault is None
    at = data.draw(st.integers(0, len(rows) - 1))
    number, text, hash_ = rows[at]
    place = data.draw(st.integers(0, len(text) - 1))
    rows[at] = (number, text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :], hash_)
    assert chain.check(rows, head, MASTER).broken == number
    rows.pop(at)
    assert chain.check(rows, head, MASTER).broken == number


def anchored(path: Path) -> Log:
    records = Records(path / "service.db")
    return opened(path, records, MASTER)


@pytest.mark.parametrize("how", ["gone", "older"])
def test_a_log_taken_away_or_put_back_is_seen_by_the_note_beside_the_records(tmp_path: Path, how: str) -> None:
    log = anchored(tmp_path)
    for number in range(1, 7):
        log.add(ANNA, "verify", count=number)
        if number == 3:
            log.flush()
            with (
                closing(sqlite3.connect(tmp_path / "log.db")) as db,
                closing(sqlite3.connect(tmp_path / "old")) as copy,
            ):
                db.backup(copy)
    log.close()
    for path in tmp_path.glob("log.db*"):
        path.unlink()
    if how == "older":
        (tmp_path / "old").rename(tmp_path / "log.db")
    log = anchored(tmp_path)
    assert log.verify().fault == "Entry 6 was noted earlier and is gone."
    log.add(ANNA, "verify", durable=True)
    found = log.verify()
    assert found.broken == (4 if how == "older" else 1)
    head = found.head
    log.close()  # the note goes on, and what was lost stays seen
    log = anchored(tmp_path)
    assert log.verify().head == head
    assert log.verify(after=8).fault is None
    log.close()


KILLED = """
import sys, time
from pathlib import Path
from mien.serve.access import Caller
from mien.serve.log import Log
from mien.serve.records import Records
log, anna = Log(Records(Path(sys.argv[1])), sys.argv[2].encode()), Caller("0a", "anna", "admin", "default")
for one in range(1000):
    log.add(anna, "subject.enrol", durable=True, count=one)
    print(one, flush=True)
    log.add(anna, "identify", count=one)
"""


def test_a_kill_loses_no_change_that_was_told(make_log: Callable[..., Log], tmp_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path / "log.db"), MASTER.decode()]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(5)]
        process.kill()
        told += process.stdout.readlines()
    log = make_log()
    assert log.verify().fault is None
    kept = [one["facts"]["count"] for one in log.entries(None, limit=5000) if one["action"] == "subject.enrol"]
    assert set(range(len(told))) <= set(kept)


FULL = """
import resource, signal, sys
from pathlib import Path
from mien.errors import CannotWrite
from mien.serve.access import Caller
from mien.serve.log import Log
from mien.serve.records import Records
log, anna = Log(Records(Path(sys.argv[1])), sys.argv[2].encode()), Caller("0a", "anna", "admin", "default")
log.add(anna, "subject.enrol", durable=True, count=1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
log.add(anna, "identify", count=2)
try:
    log.add(anna, "subject.enrol", durable=True, count=3)
except CannotWrite:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    log.add(anna, "subject.enrol", durable=True, count=4)
    log.close()
    print("told")
"""


def test_what_a_full_disk_refused_is_written_when_there_is_room(make_log: Callable[..., Log], tmp_path: Path) -> None:
    words = [sys.executable, "-c", FULL, str(tmp_path / "log.db"), MASTER.decode()]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "told\n"
    log = make_log()
    assert [one["facts"]["count"] for one in log.entries(None)] == [4, 3, 2, 1]
    assert log.verify().fault is None
