"""Keys: made, listed, rotated, revoked, limited."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import CannotWrite, InputError, NotAuthenticated, NotFound, Overloaded
from mien.serve import rates
from mien.serve.keys import Keys, Terms, number
from mien.serve.rates import Bucket, Rates
from mien.serve.records import Records
from mien.serve.service import Service
from mien.serve.settings import Settings

MASTER = b"a master secret of the tests"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(Records(tmp_path / "service.db"), MASTER)


def test_only_the_very_text_is_a_key(keys: Keys) -> None:
    text = keys.make("door", "operator", "acme")
    assert keys.caller(text).role == "operator"
    for wrong in (
        text[:-1],
        text + "A",
        text.replace("mien_", "mine_"),
        "",
        "mien",
        "mien__",
        text.split("_")[2],
        "\0",
    ):
        with pytest.raises(NotAuthenticated):
            keys.caller(wrong)
    with pytest.raises(NotAuthenticated):
        Keys(Records(keys._records.path), b"another master secret").caller(
            f"mien_{number(text)}_{Keys(keys._records, b'another master secret').secret(number(text))}"
        )


def test_the_file_holds_no_secret(keys: Keys) -> None:
    secret = keys.make("door", "reader", "acme").split("_")[2]
    assert all(secret.encode() not in path.read_bytes() for path in keys._records.path.parent.glob("service.db*"))


def test_a_revoked_key_is_refused_at_once_by_another_process(keys: Keys) -> None:
    other = Keys(Records(keys._records.path), MASTER)
    text = keys.make("door", "reader", "acme")
    caller = other.caller(text)
    other.again(caller)
    keys.revoke(number(text))
    with pytest.raises(NotAuthenticated, match="revoked"):
        other.caller(text)
    with pytest.raises(NotAuthenticated, match="Nothing was changed"):
        other.again(caller)
    with pytest.raises(NotFound):
        keys.revoke(number(text))


def test_a_tenant_touches_its_own_keys_only(keys: Keys) -> None:
    text = keys.make("door", "reader", "acme")
    for change in (keys.revoke, lambda one, tenant: keys.rotate(one, 0, tenant)):
        with pytest.raises(NotFound):
            change(number(text), "elsewhere")
    assert keys.listed("elsewhere") == []
    assert [one.name for one in keys.listed("acme")] == ["door"]


def test_a_key_is_over_after_its_day(keys: Keys) -> None:
    assert keys.caller(keys.make("a", "reader", "acme", Terms(expires="2999-12-31"))).name == "a"
    for past in ("2020-01-01", "2020-01-01T10:00:00+02:00"):
        with pytest.raises(NotAuthenticated, match="expired"):
            keys.caller(keys.make("b", "reader", "acme", Terms(expires=past)))
    assert keys.listed()[1].expires == "2020-01-02T00:00:00+00:00"
    assert keys.listed()[2].expires == "2020-01-01T08:00:00+00:00"


@pytest.mark.parametrize(
    "terms",
    [
        Terms(rate=0),
        Terms(rate=float("nan")),
        Terms(burst=0),
        Terms(quota=-1),
        Terms(expires="soon"),
        Terms(quota=10**12),
    ],
)
def test_terms_that_mean_nothing_are_refused(keys: Keys, terms: Terms) -> None:
    with pytest.raises(InputError):
        keys.make("door", "reader", "acme", terms)
    assert keys.listed() == []


def test_a_rotated_key_works_on_for_its_hours(keys: Keys) -> None:
    old = keys.make("door", "operator", "acme", Terms(quota=5))
    new = keys.rotate(number(old), hours=1)
    assert keys.caller(old).name == keys.caller(new).name == "door"
    assert keys.key(new).quota == 5
    newest = keys.rotate(number(new))
    keys.caller(newest)
    with pytest.raises(NotAuthenticated, match="revoked"):
        keys.caller(new)


def test_the_first_key_is_made_once_however_many_start(keys: Keys) -> None:
    others = [Keys(Records(keys._records.path), MASTER) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = [text for text in pool.map(Keys.first, others) if text]
    assert len(made) == 1
    assert keys.caller(made[0]).role == "admin"
    keys.revoke(number(made[0]))
    assert keys.first() is None


def test_the_day_of_use_is_kept(keys: Keys, service: Service) -> None:
    text = service.keys.make("door", "reader", "acme")
    assert service.keys.key(text).used is None
    service.gate.admitted(service.keys.key(text))
    assert service.keys.key(text).used is not None


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.1, 100), st.integers(1, 20), st.lists(st.floats(0, 5, allow_subnormal=False), min_size=1, max_size=60)
)
def test_a_bucket_never_gives_more_than_its_rate_and_burst(rate: float, most: int, waits: list[float]) -> None:
    now = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates.time, "monotonic", lambda: now[0])
        bucket, given_ = Bucket(most), 0
        for wait in waits:
            now[0] += wait
            after = bucket.take(rate, most)
            given_ += after == 0
            assert 0 <= after <= 1 / rate + 1e-9
            assert given_ <= most + rate * now[0] + 1e-6
        now[0] += 1 / rate + 1e-6
        assert bucket.take(rate, most) == 0


def _rates(keys: Keys, **given_: Any) -> Rates:
    return Rates(Records(keys._records.path), Settings(data=keys._records.path.parent, **given_))


def test_a_key_that_asks_too_much_is_told_when_to_come_back(keys: Keys) -> None:
    key = keys.key(keys.make("door", "reader", "acme", Terms(rate=0.5, burst=3)))
    counted = _rates(keys)
    for _ in range(3):
        counted.take(key)
    with pytest.raises(Overloaded) as refused:
        counted.take(key)
    assert 1.5 < refused.value.after <= 2.0
    counted.take(keys.key(keys.make("other", "reader", "acme")))  # nobody else is held up


def test_processes_share_a_rate(keys: Keys) -> None:
    key = keys.key(keys.make("door", "reader", "acme", Terms(rate=0.001, burst=8)))
    counted = _rates(keys, processes=4)
    counted.take(key)
    counted.take(key)
    with pytest.raises(Overloaded):
        counted.take(key)


@pytest.mark.parametrize("quota", [1, 7, 120])
def test_a_quota_holds_over_processes_and_nothing_of_it_is_lost_on_a_stop(keys: Keys, quota: int) -> None:
    key = keys.key(keys.make("door", "reader", "acme", Terms(rate=1e6, burst=10**6, quota=quota)))
    processes, taken, lock = [_rates(keys) for _ in range(3)], [0], threading.Lock()

    def ask(one: Rates) -> None:
        for _ in range(quota):
            try:
                one.take(key)
            except Overloaded as error:
                assert 0 < error.after <= 86_400
                return
            with lock:
                taken[0] += 1

    ask(processes[0]) if quota == 1 else None
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(ask, processes))
    for one in processes:
        one.close()
    last = _rates(keys)
    ask(last)
    assert taken[0] == quota
    assert last.used(key) == quota


def test_keys_over_http(http: TestClient, key: Callable[..., dict[str, str]]) -> None:
    made = http.post("/v1/keys", json={"name": "door <b>", "role": "operator", "quota": 2, "expires": "2999-01-01"})
    assert made.status_code == 201
    told = made.json()
    assert told["key"].startswith("mien_" + told["id"])
    mine = {"authorization": "Bearer " + told["key"]}
    assert http.get("/v1/session", headers=mine).json()["role"] == "operator"
    assert http.get("/v1/keys", headers=mine).status_code == 403
    used_up = http.get("/v1/session", headers=mine)
    assert (used_up.status_code, used_up.json()["type"]) == (429, "Overloaded")
    assert int(used_up.headers["retry-after"]) > 0
    listed = http.get("/v1/keys").json()["items"]
    assert [one["name"] for one in listed] == ["tests", "door <b>"]
    assert "key" not in listed[1]
    assert listed[1]["used_today"] == 2
    assert http.delete(f"/v1/keys/{told['id']}").status_code == 204
    assert http.get("/v1/session", headers=mine).status_code == 401
    assert http.delete(f"/v1/keys/{told['id']}").status_code == 404
    assert http.delete(f"/v1/keys/{listed[0]['id']}", headers=key("admin", "elsewhere")).status_code == 404
    done = [one["action"] for one in http.get("/v1/log").json()["items"]]
    assert done[-3:] == ["key.revoke", "key.list", "key.make"]


def test_rotation_over_http(http: TestClient, app: FastAPI) -> None:
    old = http.post("/v1/keys", json={"name": "door"}).json()
    new = http.post(f"/v1/keys/{old['id']}/rotate", json={"hours": 2}).json()
    assert {new["name"], old["name"]} == {"door"}
    for one in (old, new):
        assert http.get("/v1/session", headers={"x-api-key": one["key"]}).status_code == 200
    assert http.post("/v1/keys", json={"name": "x", "role": "root"}).status_code == 422
    assert http.post("/v1/keys", json={"name": "x", "expires": "soon"}).json()["type"] == "InputError"


def test_a_change_under_a_key_for_once_counts_once(http: TestClient, service: Service) -> None:
    mine = {"authorization": "Bearer " + service.keys.make("a", "admin", "default", Terms(quota=2))}
    for number_ in range(2):
        answer = http.post(
            "/v1/galleries", json={"name": f"g{number_}"}, headers=mine | {"idempotency-key": str(number_)}
        )
        assert answer.status_code == 201
    assert http.get("/v1/galleries", headers=mine).status_code == 429


def test_a_revoked_key_is_not_even_told_what_it_was_told_before(http: TestClient, service: Service) -> None:
    text = service.keys.make("a", "admin", "default")
    mine = {"authorization": f"Bearer {text}", "idempotency-key": "once"}
    assert http.post("/v1/galleries", json={"name": "doors"}, headers=mine).status_code == 201
    service.keys.revoke(number(text))
    assert http.post("/v1/galleries", json={"name": "doors"}, headers=mine).status_code == 401


def test_a_key_revoked_while_the_models_run_enrols_nobody(
    http: TestClient, service: Service, stubs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = service.keys.make("a", "admin", "default")
    mine = {"authorization": f"Bearer {text}"}
    assert http.post("/v1/galleries", json={"name": "doors"}, headers=mine).status_code == 201
    real = service.engine.detector.detect

    def detect(frames: Any) -> Any:
        service.keys.revoke(number(text))
        return real(frames)

    monkeypatch.setattr(service.engine.detector, "detect", detect)
    picture = {"image": stubs.picture(stubs.RED)}
    answer = http.post("/v1/galleries/doors/subjects/ann/samples", files=picture, headers=mine)
    assert answer.status_code == 401
    assert "Nothing was changed" in answer.json()["detail"]
    assert len(service.galleries.open("default", "doors")) == 0


def test_a_quota_that_is_used_up_costs_no_write_to_refuse(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    key = keys.key(keys.make("door", "reader", "acme", Terms(rate=1e6, burst=10**6, quota=1)))
    counted, looks, real = _rates(keys), [0], Rates._part

    def part(self: Rates, *words: Any) -> int:
        looks[0] += 1
        return real(self, *words)

    monkeypatch.setattr(Rates, "_part", part)
    counted.take(key)
    for _ in range(20):
        with pytest.raises(Overloaded):
            counted.take(key)
    assert looks[0] == 2
    monkeypatch.setattr(rates, "_today", lambda: "2999-01-01")
    monkeypatch.setattr(rates, "_SURE", 0.0)
    counted._none.clear()
    counted.take(key)


def test_a_full_disk_turns_no_reader_away(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise CannotWrite("No room.", "")

    text = service.keys.make("door", "reader", "acme")
    monkeypatch.setattr(service.keys, "use", full)
    assert service.gate.admitted(service.keys.key(text)).name == "door"


def test_a_stop_gives_back_what_was_not_used(keys: Keys) -> None:
    key = keys.key(keys.make("door", "reader", "acme", Terms(quota=500)))
    counted = _rates(keys)
    counted.take(key)
    assert counted.used(key) == 10  # a fiftieth
    counted.close()
    assert counted.used(key) == 1
