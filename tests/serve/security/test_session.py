"""Sessions of the console, and the headers that keep other sites out."""

from __future__ import annotations

from collections.abc import Callable
from http.cookies import SimpleCookie

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from mien.errors import MienError, NotAllowed, NotAuthenticated
from mien.serve.headers import ALWAYS
from mien.serve.keys import number
from mien.serve.service import Service
from mien.serve.sessions import COOKIE, TOKEN


@pytest.fixture
def browser(http: TestClient, service: Service) -> TestClient:
    """Signed in as an admin, without a key in its headers."""
    text = http.headers.pop("authorization").removeprefix("Bearer ")
    answer = http.post("/v1/session", json={"key": text})
    assert answer.status_code == 200
    http.headers["x-tests-key"] = text
    return http


def test_a_key_becomes_a_cookie_that_scripts_cannot_read(browser: TestClient) -> None:
    text = browser.headers["x-tests-key"]
    answer = browser.post("/v1/session", json={"key": text})
    cookies = SimpleCookie()
    for one in answer.headers.get_list("set-cookie"):
        cookies.load(one)
    session, token = cookies[COOKIE], cookies[TOKEN]
    assert session["httponly"] and not token["httponly"]
    assert {session["samesite"], token["samesite"]} == {"strict"}
    assert {session["path"], token["path"]} == {"/"}
    assert token.value == answer.json()["csrf"]
    assert text not in answer.text + str(answer.headers)
    assert not session["secure"]


def test_under_tls_the_cookie_is_for_tls_only(app: FastAPI, service: Service) -> None:
    text = service.keys.make("a", "reader", "default")
    with TestClient(app, base_url="https://testserver") as http:
        cookies = http.post("/v1/session", json={"key": text}).headers.get_list("set-cookie")
        assert all("Secure" in one for one in cookies)


def test_changes_by_cookie_need_the_token(browser: TestClient) -> None:
    who = browser.get("/v1/session").json()
    assert who["role"] == "admin"
    assert browser.post("/v1/keys", json={"name": "x"}).json()["type"] == "NotAllowed"
    wrong = {"x-csrf-token": "é" + who["csrf"][1:]}
    assert (
        browser.post("/v1/keys", json={"name": "x"}, headers={k: v.encode() for k, v in wrong.items()}).status_code
        == 403
    )
    assert browser.post("/v1/keys", json={"name": "x"}, headers={"x-csrf-token": who["csrf"]}).status_code == 201
    other = browser.post("/v1/session", json={"key": browser.headers["x-tests-key"]}).json()["csrf"]
    assert browser.post("/v1/keys", json={"name": "x"}, headers={"x-csrf-token": who["csrf"]}).status_code == 403
    assert browser.post("/v1/keys", json={"name": "x"}, headers={"x-csrf-token": other}).status_code == 201


def test_a_revoked_key_ends_its_session(browser: TestClient, service: Service) -> None:
    token = browser.get("/v1/session").json()["csrf"]
    service.keys.revoke(number(browser.headers["x-tests-key"]))
    assert browser.get("/v1/session").status_code == 401
    assert browser.delete("/v1/session", headers={"x-csrf-token": token}).status_code == 204


def test_signing_out_ends_the_session_on_this_side_too(browser: TestClient) -> None:
    cookie, token = browser.cookies[COOKIE], browser.get("/v1/session").json()["csrf"]
    assert browser.delete("/v1/session").status_code == 403
    assert browser.delete("/v1/session", headers={"x-csrf-token": token}).status_code == 204
    assert COOKIE not in browser.cookies
    assert browser.get("/v1/session", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401


def test_a_session_ends_with_its_time(service: Service) -> None:
    session = service.sessions.begin("0a", -1)
    with pytest.raises(NotAuthenticated, match="over"):
        service.sessions.read(service.sessions.cookie(session))


def test_no_session_without_a_key(http: TestClient, key: Callable[..., dict[str, str]]) -> None:
    assert http.post("/v1/session", json={"key": "mien_00_x"}).status_code == 401
    assert http.post("/v1/session", content=b"key=x", headers={"content-type": "text/plain"}).status_code == 422
    told = http.get("/v1/session", headers=key("reader", "acme")).json()
    assert (told["role"], told["tenant"], told["csrf"]) == ("reader", "acme", None)


@settings(max_examples=40, deadline=None)
@given(st.text(), st.data())
def test_a_cookie_made_up_or_altered_is_none(text: str, data: st.DataObject) -> None:
    from mien.serve.records import Records
    from mien.serve.sessions import Sessions

    class Nothing(Records):
        def keep(self, tables: str) -> None:
            pass

    sessions = Sessions(Nothing.__new__(Nothing), b"a master secret of the tests")
    good = sessions.cookie(sessions.begin("0a1b", 100))
    place = data.draw(st.integers(0, len(good) - 1))
    for wrong in (text, text + "." + good, good[:place] + ("x" if good[place] != "x" else "y") + good[place + 1 :]):
        with pytest.raises(MienError):
            sessions.read(wrong)


def test_every_answer_has_the_headers(app: FastAPI, http: TestClient) -> None:
    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("secret words")

    for path in ("/v1/session", "/nothing", "/broken", "/v1/openapi.json"):
        answer = http.get(path)
        assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS, path
    assert http.get("/broken").status_code == 500
    assert "secret words" not in http.get("/broken").text
    page = http.get("/console/")
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"


def test_other_sites_are_let_in_by_name_only_and_without_cookies(make_app: Callable[..., FastAPI]) -> None:
    app = make_app(origins=("https://desk.example",))
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    with TestClient(app) as http:
        for origin, good in (("https://desk.example", True), ("https://evil.example", False)):
            answer = http.options("/v1/detect", headers={"origin": origin} | asked)
            assert (answer.headers.get("access-control-allow-origin") == origin) is good
            assert "access-control-allow-credentials" not in answer.headers


def test_no_other_site_is_let_in_by_default(http: TestClient) -> None:
    answer = http.get("/v1/session", headers={"origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("origin", "good"),
    [
        ("http://testserver", True),
        ("https://desk.example", True),
        ("https://evil.example", False),
        ("", False),
        ("null", False),
    ],
)
def test_a_socket_with_a_cookie_comes_from_the_services_own_pages(
    make_app: Callable[..., FastAPI], origin: str, good: bool
) -> None:
    app = make_app(origins=("https://desk.example",))
    service = app.state.service
    session = service.sessions.begin(number(service.keys.make("a", "reader", "default")), 100)
    headers = [(b"cookie", f"{COOKIE}={service.sessions.cookie(session)}".encode()), (b"host", b"testserver")]
    headers += [(b"origin", origin.encode())] if origin else []
    connection = HTTPConnection({"type": "websocket", "headers": headers})
    if good:
        assert service.gate.caller(connection).role == "reader"
    else:
        with pytest.raises(NotAllowed):
            service.gate.caller(connection)
