"""Every photo exactly once: whatever ends a worker, a run, or a batch between its commits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien.bulk import Options, Outcome, Photos, enrol, writer
from mien.bulk.items import Entry, Item
from mien.bulk.journal import Journal
from mien.errors import GalleryBusy, MienError, ModelError, SpaceMismatch, UsageError
from mien.gallery import BaseGallery, open_gallery
from mien.types import Sample, Template

Write = Callable[[Mapping[str, bytes | str]], Path]
HERE = Path(__file__).parent
PROCESSES = Options(workers=2, small=0)


def many(people: int, each: int = 2) -> dict[str, bytes | str]:
    return {f"p{person:03d}/{number}.jpg": f"{person} {number}" for person in range(people) for number in range(each)}


def stub(delay: float = 0.0, noise: bool = False):  # type: ignore[no-untyped-def]
    from bulk_stub import Stub  # found through `stub_at_hand`

    return Stub(delay, noise)


def run(gallery: Path, source: Path, options: Options | None = None, **more: object) -> tuple[Outcome, dict[str, str]]:
    """The outcome, and {name of the file: why it failed}."""
    refused: dict[str, str] = {}
    with open_gallery(gallery) as people:
        outcome = enrol(
            people,
            str(source),
            plan=more.get("plan") or stub(),  # type: ignore[arg-type]
            options=options,
            refused=lambda name, error: refused.update({Path(name).name: str(error)}),
        )
    return outcome, refused


def held(gallery: Path) -> Counter[tuple[str, str]]:
    """How many templates each (subject, file) has."""
    with open_gallery(gallery) as people:
        return Counter((subject, Path(sample.source).name) for subject, sample in people.samples())


def expected(files: Mapping[str, object]) -> Counter[tuple[str, str]]:
    return Counter((str(Path(name).parent), Path(name).name) for name in files)


@pytest.mark.parametrize(
    "options", [Options(workers=1), Options(workers=2), PROCESSES], ids=["one", "threads", "processes"]
)
def test_everybody_in_the_order_of_the_source(photos: Write, tmp_path: Path, options: Options) -> None:
    files = many(20)
    outcome, refused = run(tmp_path / "people.db", photos(files), options)
    assert (outcome.samples, outcome.added, outcome.failed, refused) == (40, 40, 0, {})
    assert held(tmp_path / "people.db") == expected(files)
    again, _ = run(tmp_path / "people.db", tmp_path / "photos", options)
    assert (again.samples, again.before, again.looked) == (0, 40, 0)


def test_small_work_starts_no_process(photos: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mien.bulk.run.Processes", None)
    outcome, _ = run(tmp_path / "people.db", photos(many(5)), Options(workers="auto"))
    assert outcome.samples == 10


def test_what_ends_a_worker_costs_itself_alone(photos: Write, tmp_path: Path) -> None:
    files = many(15) | {
        "p003/die.jpg": "die",
        "p007/odd.jpg": "die once",
        "p009/none.jpg": "none",
        "p011/x.jpg": "crash",
    }
    outcome, refused = run(tmp_path / "people.db", photos(files), PROCESSES)
    assert set(refused) == {"die.jpg", "none.jpg", "x.jpg"}
    assert "signal 9" in refused["die.jpg"]
    assert "ZeroDivisionError" in refused["x.jpg"]
    assert held(tmp_path / "people.db") == expected({k: v for k, v in files.items() if Path(k).name not in refused})
    assert (outcome.samples, outcome.failed) == (31, 3)
    again, still = run(tmp_path / "people.db", tmp_path / "photos", PROCESSES)
    assert (again.looked, again.before, again.failed) == (0, 31, 3)
    assert still == refused, "failures are told again, and not tried again"
    (tmp_path / "photos" / "p003" / "die.jpg").write_text("mended")
    (tmp_path / "photos" / "p009" / "none.jpg").write_text("none")
    mended, _ = run(tmp_path / "people.db", tmp_path / "photos", PROCESSES)
    assert (mended.samples, mended.failed) == (1, 2), "a file that was changed is a new one"
    retried, _ = run(tmp_path / "people.db", tmp_path / "photos", Options(retry=True))
    assert retried.looked == 2


def test_a_worker_that_hangs_is_replaced(photos: Write, tmp_path: Path) -> None:
    files = many(4) | {"p002/h.jpg": "hang"}
    _, refused = run(tmp_path / "people.db", photos(files), Options(workers=2, small=0, patience=3))
    assert list(refused) == ["h.jpg"]
    assert "no sign of life" in refused["h.jpg"]


def test_models_that_cannot_be_loaded_end_the_run(photos: Write, tmp_path: Path) -> None:
    source = photos(many(3))
    with pytest.raises(ModelError):
        run(tmp_path / "people.db", source, Options(workers=2, small=0), plan=Photos(embedder="nobody's"))
    assert not held(tmp_path / "people.db")


def test_templates_of_another_space_are_refused_before_the_work(photos: Write, tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people.db") as people:
        people.enrol("ana", [Sample(Template(np.eye(1, 16, dtype=np.float32)[0], "other"))])
    with pytest.raises(SpaceMismatch):
        run(tmp_path / "people.db", photos(many(3)))


def test_one_run_at_a_time(photos: Write, tmp_path: Path) -> None:
    source = photos(many(3))
    run(tmp_path / "people.db", source)
    with closing(Journal(tmp_path / "people.db.bulk")), pytest.raises(GalleryBusy, match="Another bulk run"):
        run(tmp_path / "people.db", source)


def test_a_picture_named_twice_is_taken_once(tmp_path: Path, photos: Write) -> None:
    photos({"a.jpg": "a", "b.jpg": "b"})
    (tmp_path / "list.csv").write_text("subject,path\nana,photos/a.jpg\nana,photos/a.jpg\nben,photos/a.jpg\n")
    outcome, _ = run(tmp_path / "people.db", tmp_path / "list.csv")
    assert (outcome.samples, outcome.before) == (2, 1)
    assert held(tmp_path / "people.db") == Counter([("ana", "a.jpg"), ("ben", "a.jpg")])


# --- stopped ----------------------------------------------------------------------------------------------------------


def stopping(method: Callable[..., object], call: int, after: bool) -> Callable[..., object]:
    """The method, which stops everything before or after its n-th call."""
    calls = 0

    def stop(*given: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise InterruptedError
        result = method(*given)
        if calls == call:
            raise InterruptedError
        return result

    return stop


@pytest.mark.parametrize("where", ["intend", "enrol_many", "settle"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [1, 2])
def test_stopped_between_any_two_commits(
    photos: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, after: bool, call: int
) -> None:
    """The embedder gives other bits each time, so that the gallery's own check of bytes saves nobody."""
    files = many(30) | {"p001/none.jpg": "none"}
    source = photos(files)
    monkeypatch.setattr(writer, "BATCH", 16)
    owner = BaseGallery if where == "enrol_many" else Journal
    with monkeypatch.context() as patch:
        patch.setattr(owner, where, stopping(getattr(owner, where), call, after))
        with pytest.raises(InterruptedError):
            run(tmp_path / "people.db", source, plan=stub(noise=True))
    outcome, _ = run(tmp_path / "people.db", source, plan=stub(noise=True))
    del files["p001/none.jpg"]
    assert held(tmp_path / "people.db") == expected(files)
    assert outcome.failed == 1
    assert outcome.samples + outcome.before == 60
    with closing(Journal(tmp_path / "people.db.bulk")) as journal:
        assert [journal.count(state) for state in ("open", "done", "failed", "doubtful")] == [0, 60, 1, 0]


def test_who_is_erased_stays_erased_unless_asked(photos: Write, tmp_path: Path) -> None:
    source = photos(many(5))
    run(tmp_path / "people.db", source)
    with open_gallery(tmp_path / "people.db") as people:
        people.forget("p002")
    outcome, _ = run(tmp_path / "people.db", source)
    assert (outcome.before, outcome.looked) == (10, 0)
    again, _ = run(tmp_path / "people.db", source, Options(again=True))
    assert (again.samples, again.added, again.known) == (10, 2, 8)


@pytest.mark.parametrize("erased", [None, "p000", "p009"])
def test_erased_between_the_kill_and_the_next_run(
    photos: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, erased: str | None
) -> None:
    """Whether p000 was enrolled or not cannot be told after an erasure: neither lost in silence nor brought back."""
    source = photos(many(10))
    with open_gallery(tmp_path / "people.db") as people:
        people.enrol("p009", [Sample(Template(np.eye(1, 16, dtype=np.float32)[0], "stub"))])
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "settle", stopping(Journal.settle, 1, after=False))
        with pytest.raises(InterruptedError):
            run(tmp_path / "people.db", source)
    if erased is not None:
        with open_gallery(tmp_path / "people.db") as people:
            people.forget(erased)
    outcome, refused = run(tmp_path / "people.db", source)
    gone = expected({name: 0 for name in many(10) if name.startswith(f"{erased}/")})
    kept = held(tmp_path / "people.db")
    kept.pop(("p009", ""), None)
    assert kept == expected(many(10)) - gone
    assert (outcome.before, outcome.failed) == (20 - gone.total(), gone.total())
    assert all("people were erased since" in told for told in refused.values())
    once_more, _ = run(tmp_path / "people.db", source)
    assert once_more.failed == gone.total()
    run(tmp_path / "people.db", source, Options(retry=True))
    assert held(tmp_path / "people.db") - Counter([("p009", "")]) == expected(many(10))


def test_a_new_gallery_under_an_old_journal_is_refused(photos: Write, tmp_path: Path) -> None:
    source, path = photos(many(3)), tmp_path / "people.db"
    run(path, source)
    path.unlink()
    with pytest.raises(UsageError, match="knows more"):
        run(path, source)
    outcome, _ = run(path, source, Options(again=True))
    assert outcome.added == 6


def test_an_older_copy_under_a_newer_journal_is_refused(photos: Write, tmp_path: Path) -> None:
    source, path = photos(many(3)), tmp_path / "people.db"
    run(path, source)
    with open_gallery(path) as people:
        people.backup(tmp_path / "older.db")
    run(path, photos(many(6)))
    (tmp_path / "older.db").replace(path)
    with pytest.raises(UsageError, match="older copy"):
        run(path, source)


def test_the_journal_holds_no_name_no_path_and_no_template(photos: Write, tmp_path: Path) -> None:
    source = photos({"anastasia/portrait.jpg": "a", "anastasia/empty.jpg": "none"})
    run(tmp_path / "people.db", source)
    content = (tmp_path / "people.db.bulk").read_bytes()
    with open_gallery(tmp_path / "people.db") as people:
        template = next(people.samples())[1].template.vector.tobytes()
    for secret in (b"anastasia", b"portrait", b"empty.jpg", str(tmp_path).encode(), template[:16]):
        assert secret not in content
    assert b"No face was found" in content


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be taken for one" * 20, b"SQLite format 3\0"]
)
def test_a_journal_that_is_none_is_refused(photos: Write, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "people.db.bulk").write_bytes(content)
    with pytest.raises(MienError, match="journal"):
        run(tmp_path / "people.db", photos(many(1)))


def killed_and_resumed(tmp_path: Path, files: Mapping[str, object], kills: Iterator[float], *more: str) -> int:
    """Kill a real process so many s after its first photos, until one lives to its end; how many were killed."""
    words = [sys.executable, str(HERE / "bulk_stub.py"), "people.db", "photos", "batch=8", "noise=yes", *more]
    killed = 0
    for after in kills:
        with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                assert process.stdout is not None
                process.stdout.readline()
                _, errors = process.communicate(timeout=after)
                assert process.returncode == 0, errors.decode()
                break
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()
                killed += 1
        seen = held(tmp_path / "people.db") if (tmp_path / "people.db").exists() else Counter()
        assert not seen - expected(files), "nothing twice at any time"
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    assert held(tmp_path / "people.db") == expected(files)
    return killed


def test_killed_at_random_points(photos: Write, tmp_path: Path) -> None:
    files = many(60, 5)
    photos(files)
    times = iter(np.random.default_rng(1).uniform(0, 0.2, 12))
    assert killed_and_resumed(tmp_path, files, times, "delay=0.005") >= 6


@pytest.mark.slow
def test_killed_at_random_points_with_worker_processes(photos: Write, tmp_path: Path) -> None:
    files = many(400, 5)
    photos(files)
    times = iter(np.random.default_rng(2).uniform(0, 1, 60))
    killed_and_resumed(tmp_path, files, times, "delay=0.01", "workers=2", "small=0")


def test_workers_end_with_their_parent(photos: Write, tmp_path: Path) -> None:
    import psutil

    photos(many(200))
    words = [sys.executable, str(HERE / "bulk_stub.py"), "people.db", "photos", "workers=2", "small=0", "delay=0.05"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        children: list[psutil.Process] = []
        deadline = time.monotonic() + 30
        while len(children) < 2 and time.monotonic() < deadline:
            children = [
                one for one in psutil.Process(process.pid).children() if "spawn_main" in " ".join(one.cmdline())
            ]
            time.sleep(0.05)
        process.kill()
        process.wait()
    assert len(children) == 2
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive


def test_ctrl_c_keeps_what_is_finished(photos: Write, tmp_path: Path) -> None:
    def interrupt(outcome: Outcome) -> None:
        if outcome.looked >= 16:
            raise KeyboardInterrupt

    files = many(40)
    source = photos(files)
    with open_gallery(tmp_path / "people.db") as people, pytest.raises(KeyboardInterrupt):
        enrol(people, str(source), plan=stub(), options=Options(workers=1), progress=interrupt)
    first = held(tmp_path / "people.db").total()
    assert 16 <= first < 80
    outcome, _ = run(tmp_path / "people.db", source)
    assert (outcome.before, outcome.samples) == (first, 80 - first)


# --- bounded ----------------------------------------------------------------------------------------------------------


def test_the_source_is_read_no_further_than_there_is_room(tmp_path: Path) -> None:
    ahead: list[int] = []
    done = 0

    def entries() -> Iterator[Entry]:
        for number in range(2000):
            (tmp_path / "x.jpg").write_text("x") if not number else None
            ahead.append(number - done)
            yield Item(f"p{number}", str(tmp_path / "x.jpg"))

    def progress(outcome: Outcome) -> None:
        nonlocal done
        done = outcome.looked

    source = SimpleNamespace(entries=entries, passed=0)
    with open_gallery() as people:
        outcome = enrol(people, source, plan=stub(), options=Options(workers=1), progress=progress)  # type: ignore[arg-type]
    assert outcome.samples == 2000
    assert max(ahead) < 200
