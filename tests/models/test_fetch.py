"""Downloads against a real server on loopback that cuts, lies, forgets and redirects."""

from __future__ import annotations

import hashlib
import io
import os
import random
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mien
from mien.errors import ModelCorrupt, ModelUnavailable
from mien.models import fetch
from mien.models.card import Pack, Url
from mien.models.fetch import Wanted, download

CONTENT = random.Random(1).randbytes(300_000)
NAME = "model.onnx"


@dataclass
class Site:
    """What the server holds and how it misbehaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    resumes: bool = True
    cuts: list[int] = field(default_factory=list)  # bytes sent before the connection is cut, one per request
    answers: list[int] = field(default_factory=list)  # statuses to answer with instead, one per request
    delay: float = 0.0  # s before a body
    silent: bool = False  # no Content-Length
    redirect: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list)  # (path, Range header)
    url: str = ""

    def at(self, path: str) -> Url:
        return Url(f"{self.url}/{path}")


@pytest.fixture
def site() -> Iterator[Site]:
    held = Site(files={NAME: CONTENT})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, wish = self.path.lstrip("/"), self.headers.get("Range", "")
            held.seen.append((path, wish))
            if held.answers:
                self.send_error(held.answers.pop(0))
            elif held.redirect:
                self.send_response(302)
                self.send_header("Location", held.redirect)
                self.end_headers()
            elif path not in held.files:
                self.send_error(404)
            else:
                self.give(held.files[path], wish)

        def give(self, content: bytes, wish: str) -> None:
            start = int(wish.removeprefix("bytes=").rstrip("-")) if wish and held.resumes else 0
            if start and start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if not held.silent:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            time.sleep(held.delay)
            body = content[start:]
            self.wfile.write(body[: held.cuts.pop(0)] if held.cuts else body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}"
    yield held
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def wanted(content: bytes = CONTENT, size: int | None = -1) -> Wanted:
    return Wanted(NAME, "some_model", hashlib.sha256(content).hexdigest(), len(content) if size == -1 else size)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_whole_file_with_progress(site: Site, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    path = download([site.at(NAME)], wanted(), tmp_path / NAME, lambda *step: told.append(step))
    assert path.read_bytes() == CONTENT
    assert leftovers(tmp_path) == [NAME]
    steps = [done for _, done, _ in told]
    assert steps == sorted(steps) and steps[0] == 0 and steps[-1] == len(CONTENT)
    assert {(name, total) for name, _, total in told} == {(NAME, len(CONTENT))}


def test_a_file_that_is_there_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CONTENT)
    download([site.at(NAME)], wanted(), tmp_path / NAME)
    assert site.seen == []


def test_a_cut_is_resumed_where_it_was(site: Site, tmp_path: Path) -> None:
    site.cuts = [100_000, 50_000]
    assert download([site.at(NAME)], wanted(), tmp_path / NAME).read_bytes() == CONTENT
    assert [wish for _, wish in site.seen] == ["", "bytes=100000-", "bytes=150000-"]


def test_a_line_that_is_cut_again_and_again_gets_there(site: Site, tmp_path: Path) -> None:
    site.cuts = [20_000] * 14
    assert download([site.at(NAME)], wanted(), tmp_path / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("size", [-1, None])
def test_what_an_earlier_run_left_is_used(site: Site, tmp_path: Path, size: int | None) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CONTENT[:200_000])
    assert download([site.at(NAME)], wanted(size=size), tmp_path / NAME).read_bytes() == CONTENT
    assert site.seen == [(NAME, "bytes=200000-")]


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
@pytest.mark.parametrize("size", [-1, None])
def test_what_an_earlier_run_left_is_wrong(site: Site, tmp_path: Path, left: bytes, size: int | None) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(left)
    assert download([site.at(NAME)], wanted(size=size), tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_that_cannot_resume(site: Site, tmp_path: Path) -> None:
    site.resumes = False
    site.cuts = [100_000]
    assert download([site.at(NAME)], wanted(), tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_that_does_not_say_how_long_it_will_be(site: Site, tmp_path: Path) -> None:
    site.silent = True
    assert download([site.at(NAME)], wanted(size=None), tmp_path / NAME).read_bytes() == CONTENT


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 299_999), max_size=6), resumes=st.booleans())
def test_no_series_of_cuts_gives_other_bytes(site: Site, tmp_path: Path, cuts: list[int], resumes: bool) -> None:
    site.cuts, site.resumes = list(cuts), resumes
    target = tmp_path / f"{random.random()}.onnx"
    try:
        assert download([site.at(NAME)], wanted(), target).read_bytes() == CONTENT
    except ModelUnavailable:  # a server that cannot resume and is cut too often at the same place
        assert not resumes and not target.exists()


def test_other_bytes_are_refused_and_not_kept(site: Site, tmp_path: Path) -> None:
    site.files[NAME] = CONTENT[:-1] + b"!"
    with pytest.raises(ModelCorrupt, match=r"model\.onnx of model some_model .* 127\.0\.0\.1.* other bytes"):
        download([site.at(NAME)], wanted(), tmp_path / NAME)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("silent", [False, True])
def test_a_longer_file_is_refused_before_it_fills_the_disk(site: Site, tmp_path: Path, silent: bool) -> None:
    site.silent = silent
    site.files[NAME] = CONTENT * 2
    with pytest.raises(ModelCorrupt, match="offers 600000 bytes" if not silent else "more than 300000 bytes"):
        download([site.at(NAME)], wanted(), tmp_path / NAME)
    assert not (tmp_path / NAME).exists()


def test_the_next_address_is_tried(site: Site, tmp_path: Path) -> None:
    site.files["bad"] = b"?" * len(CONTENT)
    told = [site.at("gone"), site.at("bad"), site.at(NAME)]
    assert download(told, wanted(), tmp_path / NAME).read_bytes() == CONTENT
    assert [path for path, _ in site.seen] == ["gone", "bad", NAME]


def test_not_found_is_not_tried_again(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="answered 404"):
        download([site.at("gone")], wanted(), tmp_path / NAME)
    assert len(site.seen) == 1


def test_a_busy_server_is_tried_again(site: Site, tmp_path: Path) -> None:
    site.answers = [503, 429, 500]
    assert download([site.at(NAME)], wanted(), tmp_path / NAME).read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_given_up(site: Site, tmp_path: Path) -> None:
    site.answers = [503] * 100
    with pytest.raises(ModelUnavailable, match="answered 503"):
        download([site.at(NAME)], wanted(), tmp_path / NAME)
    assert len(site.seen) == fetch.TRIES


@pytest.mark.parametrize("to", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_a_redirect_may_not_leave_the_web(site: Site, tmp_path: Path, to: str) -> None:
    site.redirect = to
    with pytest.raises(ModelUnavailable):
        download([site.at(NAME)], wanted(), tmp_path / NAME)
    assert leftovers(tmp_path) == []


def test_offline_is_said_at_once_and_with_a_remedy(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(ModelUnavailable) as caught:
        download([Url(f"http://127.0.0.1:{port}/{NAME}")], wanted(), tmp_path / NAME)
    assert time.monotonic() - start < 3
    for piece in (NAME, f"127.0.0.1:{port}", "MIEN_MODELS", "mien models pull some_model"):
        assert piece in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_processes_fetch_once(site: Site, tmp_path: Path) -> None:
    site.delay = 0.5
    script = (
        "import sys; from pathlib import Path; from mien.models.fetch import Wanted, download; "
        "from mien.models.card import Url; url, digest, size, target = sys.argv[1:]; "
        "download([Url(url)], Wanted('model.onnx', 'some_model', digest, int(size)), Path(target))"
    )
    target = tmp_path / NAME
    arguments = [f"{site.url}/{NAME}", wanted().sha256, str(len(CONTENT)), str(target)]
    environment = os.environ | {"PYTHONPATH": str(Path(mien.__file__).parent.parent)}
    both = [subprocess.Popen([sys.executable, "-c", script, *arguments], env=environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert target.read_bytes() == CONTENT
    assert len(site.seen) == 1


def zipped(site: Site, members: dict[str, bytes], name: str = "pack.zip") -> Pack:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as pack:
        for member, content in members.items():
            pack.writestr(member, content)
    site.files[name] = held.getvalue()
    return Pack(f"{site.url}/{name}", NAME, hashlib.sha256(held.getvalue()).hexdigest(), len(held.getvalue()))


@pytest.mark.parametrize("folder", ["", "buffalo/"])
def test_a_member_of_a_zip(site: Site, tmp_path: Path, folder: str) -> None:
    pack = zipped(site, {"readme.txt": b"hello", f"{folder}{NAME}": CONTENT})
    site.cuts = [1000]
    assert download([pack], wanted(), tmp_path / NAME).read_bytes() == CONTENT
    assert leftovers(tmp_path) == [NAME]
    assert site.seen[1] == ("pack.zip", "bytes=1000-")


def test_a_zip_with_another_member(site: Site, tmp_path: Path) -> None:
    for members, problem in (
        ({NAME: CONTENT[::-1]}, "not the one on the card"),
        ({"other": CONTENT}, f"without {NAME}"),
        ({NAME: CONTENT + b"x"}, "more than 300000 bytes"),
    ):
        with pytest.raises(ModelCorrupt, match=problem):
            download([zipped(site, members)], wanted(), tmp_path / NAME)
        assert not (tmp_path / NAME).exists()


def test_a_zip_that_is_none(site: Site, tmp_path: Path) -> None:
    site.files["pack.zip"] = b"PK\x03\x04 and nothing else"
    digest = hashlib.sha256(site.files["pack.zip"]).hexdigest()
    with pytest.raises(ModelCorrupt, match="zip that cannot be read"):
        download([Pack(f"{site.url}/pack.zip", NAME, digest)], wanted(), tmp_path / NAME)
    assert leftovers(tmp_path) == []


def test_a_folder_that_cannot_be_written(site: Site, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelUnavailable, match="cannot be kept") as caught:
        download([site.at(NAME)], wanted(), tmp_path / "file" / NAME)
    assert "MIEN_CACHE" in caught.value.remedy


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to stand for a full disk")
def test_a_full_disk(site: Site, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").symlink_to("/dev/full")
    with pytest.raises(ModelUnavailable, match="the disk is full"):
        download([site.at(NAME)], wanted(), tmp_path / NAME)
