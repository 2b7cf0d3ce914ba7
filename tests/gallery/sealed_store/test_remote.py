"""The matcher behind an address: the same answers, no keys on its side, and no way to wear it out."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien.errors import GalleryCorrupt, GalleryError, GalleryNotFound, InputError, UsageError
from mien.gallery import open_gallery
from mien.gallery.sealed import bodies, server
from mien.gallery.sealed.gallery import SealedGallery
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.matcher import Matcher
from mien.gallery.sealed.opening import open_sealed
from mien.gallery.sealed.probe_device import Probe
from mien.gallery.sealed.profiles import profile
from mien.gallery.sealed.remote import RemoteEnroller, RemoteMatcher
from mien.gallery.sealed.server import MatcherServer
from mien.gallery.sealed.store import Store
from mien.types import Face, Frame, OperatingPoint, Sample

Of = Callable[..., list[Sample]]
SECONDS = 1.0


@pytest.fixture
def serving(people: Path) -> Iterator[MatcherServer]:
    """A matcher of five people on a free port of this machine."""
    matcher = Matcher(Store(people), sanitise=True, threads=1)
    with MatcherServer(matcher, seconds=SECONDS) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield one
        one.shutdown()
        thread.join()
    matcher.close()


@pytest.fixture
def gallery(serving: MatcherServer, keys: Keys) -> Iterator[SealedGallery]:
    with open_gallery(serving.address, keys=keys) as one:
        assert isinstance(one, SealedGallery)
        yield one


def ask(
    serving: MatcherServer, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, str, bytes]:
    host, port = serving.server_address[:2]
    line = http.client.HTTPConnection(str(host), int(port), timeout=10)
    try:
        line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = line.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read()
    finally:
        line.close()


def refused(answer: tuple[int, str, bytes], status: int) -> dict[str, Any]:
    assert (answer[0], answer[1]) == (status, "application/problem+json")
    problem: dict[str, Any] = json.loads(answer[2])
    assert set(problem) == {"type", "title", "status", "detail", "remedy"}
    assert "Traceback" not in problem["detail"]
    return problem


def test_a_gallery_behind_an_address_is_a_gallery(gallery: SealedGallery, people: Path, keys: Keys, of: Of) -> None:
    assert not gallery.in_process
    assert [person.subject for person in gallery.people()] == [f"p{number}" for number in range(5)]
    with open_sealed(people, keys, read_only=True) as local:
        for number in range(5):
            probe = of(number)[0].template
            here, there = local.search(probe, 5), gallery.search(probe, 5)
            near = {match.subject: match.score for match in here}
            assert here[0].subject == there[0].subject == f"p{number}"
            # It was sanitised: people as alike as the noise may change places, and no score moves further than that.
            assert {match.subject for match in there} == set(near)
            assert all(abs(near[match.subject] - match.score) < 1.2e-3 for match in there)
    frame = Frame(np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8), "é.jpg")
    face = Face(frame, np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    sample = Sample(of(40)[0].template, face, "é.jpg")
    assert gallery.enrol("zoë", [sample], {"badge": 1}) == 1
    (_, kept) = next(gallery.samples("zoë"))
    assert kept.face is not None
    np.testing.assert_array_equal(kept.face.frame.pixels, frame.pixels)
    assert kept.template.vector.tobytes() == sample.template.vector.tobytes()
    point = OperatingPoint(0.5, fmr=1e-2, space="space")
    gallery.keep_points([point])
    assert gallery.points == (point,)
    receipt = gallery.erase("zoë")
    assert (receipt.samples, receipt.images) == (1, 1)
    assert gallery.verify() == []


def test_people_are_taken_in_without_a_secret_key(
    serving: MatcherServer, gallery: SealedGallery, keys: Keys, of: Of, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The matcher gets public-key ciphertexts, places and adds them; the key holder then finds everybody."""
    sent: list[bool] = []
    apply = RemoteMatcher.apply

    def seen(self: RemoteMatcher, change: Any, token: bytes) -> bool:
        sent.extend(write.whole is None and len(write.rows) > 0 for write in change.groups)
        return apply(self, change, token)

    monkeypatch.setattr(RemoteMatcher, "apply", seen)
    keys.save(tmp_path / "enroller")
    (tmp_path / "enroller" / "secret.key").unlink()
    door = RemoteEnroller(serving.address, tmp_path / "enroller")
    assert door.enrol("zoë", of(60, 3), {"badge": 1}) == 3
    assert door.enrol("zoë", of(60, 4)) == 1
    assert door.enrol("many", of(61, 30)) == 30
    assert len(sent) >= 3 and all(sent)
    assert gallery.verify() == []
    for number, count, name in ((60, 4, "zoë"), (61, 30, "many"), (3, 2, "p3")):
        (best,) = gallery.search(of(number, count)[1].template, 1)
        assert (best.subject, best.score) == (name, pytest.approx(1, abs=5e-3))
    gallery.forget("many")  # writes anew what is left
    assert gallery.search(of(3)[1].template, 1)[0].score == pytest.approx(1, abs=1e-3)
    with pytest.raises(InputError):
        door.enrol("nobody", [])


def test_two_clients_write_in_turn(serving: MatcherServer, keys: Keys, of: Of) -> None:
    """Enrolling and forgetting at once: whoever was slower makes the change anew."""

    def work(worker: int) -> None:
        with open_gallery(serving.address, keys=keys) as one:
            for number in range(4):
                one.enrol(f"w{worker}-{number}", of(100 * worker + number))
                if number % 2:
                    one.forget(f"w{worker}-{number - 1}")

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(work, worker) for worker in range(3)]:
            done.result()
    with open_gallery(serving.address, keys=keys) as one:
        assert len(one) == 5 + 3 * 2
        assert one.verify() == []


def test_reading_only_refuses_changes(serving: MatcherServer, keys: Keys, of: Of) -> None:
    with open_gallery(serving.address, keys=keys, read_only=True) as one:
        assert len(one) == 5
        with pytest.raises(GalleryError, match="only be read"):
            one.enrol("x", of(50))


def test_wrong_keys_and_no_matcher_are_told(serving: MatcherServer, other_keys: Keys, keys: Keys) -> None:
    with pytest.raises(GalleryError, match="sealed with"):
        open_gallery(serving.address, keys=other_keys)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(GalleryNotFound, match="No matcher answers"):
        open_gallery(f"sealed+http://127.0.0.1:{port}", keys=keys)
    for address in ("sealed+http://", "sealed+http://x:99999", "sealed+http://h/path"):
        with pytest.raises(UsageError, match="no address"):
            open_gallery(address, keys=keys)


def test_what_is_no_request_is_refused_with_a_problem(serving: MatcherServer, people: Path) -> None:
    assert "Nothing is served" in refused(ask(serving, "GET", "/etc/passwd"), 404)["detail"]
    refused(ask(serving, "GET", "/v1/search"), 404)
    refused(ask(serving, "DELETE", "/v1/head"), 501)
    for query in ("", "?revision=x&epoch=0", "?revision=1", "?revision=1;DROP&epoch=0"):
        refused(ask(serving, "GET", "/v1/state" + query), 422)
    refused(ask(serving, "GET", "/v1/details?pictures=1&numbers=" + ",".join(["1"] * 300)), 422)
    assert "body is not" in refused(ask(serving, "POST", "/v1/search", b"{}", Content_Type="text/plain"), 422)["detail"]
    assert (
        "how long"
        in refused(ask(serving, "POST", "/v1/search", None, Content_Type=bodies.TYPE, Content_Length="-5"), 422)[
            "detail"
        ]
    )
    for body in (b"", b"x" * 100, b"mien-sealed\n" + bytes(100)):
        answer = ask(serving, "POST", "/v1/search", body, Content_Type=bodies.TYPE)
        assert refused(answer, answer[0])["status"] in (400, 422)


def probe_of(serving: MatcherServer, identity: str | None = None, shape: tuple[int, ...] | None = None) -> bytes:
    head = serving.matcher.head()
    shape = shape or profile(head.profile).probe_shape(head.layout)
    return bodies.pack_probe(Probe(identity or head.identity, np.zeros(shape, np.uint32)))


def test_probes_that_do_not_fit_are_refused(serving: MatcherServer) -> None:
    def post(body: bytes) -> tuple[int, str, bytes]:
        return ask(serving, "POST", "/v1/search", body, Content_Type=bodies.TYPE)

    assert post(probe_of(serving))[0] == 200
    assert "sealed with" in refused(post(probe_of(serving, "0123-4567")), 500)["detail"]
    refused(post(probe_of(serving, shape=(1, 1, 2, 2048))), 422)
    good = probe_of(serving)
    for broken in (good[:-1], good[:200], good[:-1] + bytes([good[-1] ^ 1]), good[:500] + b"\1" + good[501:]):
        refused(post(broken), 422)
    newer = good[:12] + (99).to_bytes(4, "little") + good[16:]
    assert "format 99" in refused(post(newer), 400)["detail"]
    assert "is the most here" in refused(post(good + bytes(1 << 20)), 413)["detail"]
    head = serving.matcher.head()
    wild = np.full(profile(head.profile).probe_shape(head.layout), 2**32 - 1, np.uint32)
    refused(post(bodies.pack_probe(Probe(head.identity, wild))), 422)


def test_a_change_needs_the_token_and_must_fit(serving: MatcherServer, gallery: SealedGallery, of: Of) -> None:
    index = gallery._index
    change = gallery._hand.erase(index, [index.kept[index.ids["p1"]][0]])
    body = bodies.pack_change(change)

    def post(body: bytes, token: str) -> tuple[int, str, bytes]:
        return ask(serving, "POST", "/v1/change", body, Content_Type=bodies.TYPE, Authorization=f"Bearer {token}")

    for token in ("", "00" * 32, "zz" * 32, "00"):
        assert "MAC key" in refused(post(body, token), 403)["detail"]
    token = gallery._marker.token().hex()
    refused(post(body[:-40], token), 422)
    from dataclasses import replace

    for misfit in (
        replace(change, head=replace(change.head, identity="x")),
        replace(change, head=replace(change.head, mark=b"")),
        replace(change, head=replace(change.head, block=3)),
        replace(change, head=replace(change.head, last_group=-5)),
        replace(change, gone_groups=(0,)),
        replace(change, gone_samples=(999,), groups=(replace(change.groups[0], whole=np.zeros((1, 1), np.uint32)),)),
    ):
        answer = post(bodies.pack_change(misfit), token)
        assert refused(answer, answer[0])["status"] >= 400
    assert gallery.verify() == []
    assert post(body, token)[0] == 200
    assert bodies.unpack(post(body, token)[2], "done")[0]["done"] is False  # of an older revision by now
    assert gallery.people()[1].samples == 1


def test_a_slow_client_is_cut_off(serving: MatcherServer) -> None:
    for first in (b"", b"GET /v1/head HTTP/1.1\r\n", b"POST /v1/search HTTP/1.1\r\nContent-Type: x\r\n"):
        with socket.create_connection(serving.server_address[:2], timeout=10) as line:
            start = time.monotonic()
            line.sendall(first)
            try:
                while time.monotonic() - start < 8:
                    line.sendall(b"X" if first else b"G")
                    time.sleep(0.1)
            except OSError:
                pass
            assert time.monotonic() - start < 5 * SECONDS
    header = f"POST /v1/search HTTP/1.1\r\nContent-Type: {bodies.TYPE}\r\nContent-Length: 1000\r\n\r\n".encode()
    with socket.create_connection(serving.server_address[:2], timeout=10) as line:
        line.sendall(header + b"mien")
        answer = line.makefile("rb").read()
    assert b" 408 " in answer.split(b"\r\n")[0]
    assert ask(serving, "GET", "/v1/head")[0] == 200


def test_too_many_at_once_are_told_to_come_again(serving: MatcherServer) -> None:
    idle = [socket.create_connection(serving.server_address[:2]) for _ in range(server.CONNECTIONS)]
    try:
        time.sleep(0.2)
        refused(ask(serving, "GET", "/v1/head"), 503)
    finally:
        for line in idle:
            line.close()
    time.sleep(0.2)
    assert ask(serving, "GET", "/v1/head")[0] == 200


def test_a_matcher_that_changes_what_it_stores_is_caught(
    gallery: SealedGallery, monkeypatch: pytest.MonkeyPatch, of: Of
) -> None:
    groups = RemoteMatcher.groups

    def lying(self: RemoteMatcher, numbers: Any) -> Any:
        return {number: (row, body ^ np.uint32(1)) for number, (row, body) in groups(self, numbers).items()}

    monkeypatch.setattr(RemoteMatcher, "groups", lying)
    with pytest.raises(GalleryCorrupt, match="does not match its mark"):
        gallery.enrol("x", of(50))


@pytest.mark.parametrize("what", ["magic", "html", "huge"])
def test_what_is_no_matcher_is_told(keys: Keys, what: str) -> None:
    replies = {
        "magic": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        "html": b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\n<html>",
        "huge": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    }
    with socket.create_server(("127.0.0.1", 0)) as door:

        def answer() -> None:
            line, _ = door.accept()
            with line:
                line.recv(4096)
                line.sendall(replies[what])

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises((GalleryError, InputError)):
            open_gallery(f"sealed+http://127.0.0.1:{door.getsockname()[1]}", keys=keys)
        thread.join()
