"""Who signed, and that nothing was changed: against the vendor's own signer, and against everything that is not signed well."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import httpx2
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from mien.serve.rekognition.refusal import Refused
from mien.serve.rekognition.signature import WINDOW, check, claimed

BODY = b'{"MaxResults": 5}'
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def signed(
    monkeypatch: pytest.MonkeyPatch,
    when: datetime = NOW,
    secret: str = "s",
    service: str = "rekognition",
    **further: str,
) -> list[tuple[bytes, bytes]]:
    """Headers of a request that the vendor's signer signed at a time."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: when)
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "RekognitionService.ListCollections",
        **further,
    }
    request = AWSRequest("POST", "http://localhost:8080/", headers=headers, data=BODY)
    SigV4Auth(Credentials("abc", secret), service, "here").add_auth(request)
    found = {"host": "localhost:8080", **{name.lower(): value for name, value in request.headers.items()}}
    return [(name.encode(), str(value).encode()) for name, value in found.items()]


def verdict(headers: list[tuple[bytes, bytes]], secret: str = "s", body: bytes = BODY, now: datetime = NOW) -> str:
    try:
        check(claimed(headers), secret, headers, body, now)
    except Refused as error:
        return error.kind
    return "good"


def changed(headers: list[tuple[bytes, bytes]], name: bytes, value: bytes | None) -> list[tuple[bytes, bytes]]:
    rest = [(each, old) for each, old in headers if each != name]
    return rest if value is None else [*rest, (name, value)]


def test_the_vendors_signature_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(signed(monkeypatch)) == "good"
    assert verdict(signed(monkeypatch, **{"X-Amz-Meta": "  two   words  "})) == "good"


@pytest.mark.parametrize(
    ("minutes", "wanted"),
    [(-15, "good"), (15, "good"), (-15.02, "InvalidSignatureException"), (15.02, "InvalidSignatureException")],
)
def test_clocks_may_differ_by_a_quarter_of_an_hour(
    monkeypatch: pytest.MonkeyPatch, minutes: float, wanted: str
) -> None:
    assert timedelta(minutes=15) == WINDOW
    assert verdict(signed(monkeypatch, NOW + timedelta(minutes=minutes))) == wanted


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: (headers, "s", BODY + b" "),
        lambda headers: (headers, "other", BODY),
        lambda headers: (changed(headers, b"host", b"evil:8080"), "s", BODY),
        lambda headers: (changed(headers, b"x-amz-target", b"RekognitionService.DeleteCollection"), "s", BODY),
        lambda headers: (changed(headers, b"x-amz-date", b"20260301T120001Z"), "s", BODY),
        lambda headers: (changed(headers, b"x-amz-date", b"20260302T120000Z"), "s", BODY),
        lambda headers: (changed(headers, b"content-type", b"text/plain"), "s", BODY),
        lambda headers: ([*headers, (b"x-amz-date", b"20260301T120000Z")], "s", BODY),
        lambda headers: ([*headers, (b"x-amz-added", b"later")], "s", BODY),
        lambda headers: ([*headers, (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")], "s", BODY),
    ],
)
def test_nothing_can_be_changed(monkeypatch: pytest.MonkeyPatch, change: Callable[..., Any]) -> None:
    headers, secret, body = change(signed(monkeypatch))
    assert verdict(headers, secret, body) in ("InvalidSignatureException", "IncompleteSignatureException")


def test_an_unsigned_payload_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = signed(monkeypatch, **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert verdict(headers) == "InvalidSignatureException"


def test_the_target_must_be_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = signed(monkeypatch)
    claim = dict(headers)[b"authorization"]
    thinner = claim.replace(b";x-amz-target", b"")
    assert thinner != claim
    assert verdict(changed(headers, b"authorization", thinner)) == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("authorization", "wanted"),
    [
        (None, "MissingAuthenticationTokenException"),
        (b"Bearer mien_abc_s", "IncompleteSignatureException"),
        (b"AWS4-HMAC-SHA256 Credential=abc", "IncompleteSignatureException"),
        (b"AWS4-HMAC-SHA256 " + b"=" * 5000, "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=ä/a/b/c/d".encode(), "IncompleteSignatureException"),
    ],
)
def test_other_headers(monkeypatch: pytest.MonkeyPatch, authorization: bytes | None, wanted: str) -> None:
    assert verdict(changed(signed(monkeypatch), b"authorization", authorization)) == wanted


def test_other_services_and_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(signed(monkeypatch, service="s3")) == "InvalidSignatureException"
    assert verdict(signed(monkeypatch, **{"X-Amz-Security-Token": "t"})) == "UnrecognizedClientException"


def code(request: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        request()
    found: str = caught.value.response["Error"]["Code"]
    return found


def test_keys_that_are_not_in_force(live: Any) -> None:
    good = live.service.keys.make("soon gone", "admin", "default")
    assert live.client(key=good).list_collections()["CollectionIds"] is not None
    live.service.keys.revoke(good.split("_")[1])
    assert code(live.client(key=good).list_collections) == "UnrecognizedClientException"
    assert code(live.client(key="mien_ffffffffffff_secret").list_collections) == "UnrecognizedClientException"
    other = live.service.keys.make("wrong secret", "admin", "default")
    assert code(live.client(key=other[:-3] + "xyz").list_collections) == "InvalidSignatureException"


def test_a_program_is_pointed_here_by_its_environment_alone(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, number, secret = live.service.keys.make("program", "reader", "default").split("_", 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", live.address)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "anywhere")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", number)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    with warnings.catch_warnings():  # the client warns of old Pythons
        warnings.simplefilter("ignore")
        program = boto3.Session().client("rekognition")
    assert "CollectionIds" in program.list_collections()


def test_a_late_clock_is_told(live: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client = live.client()
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.now(UTC) - timedelta(minutes=16))
    with pytest.raises(ClientError, match=r"Signature expired: .* is now earlier than"):
        client.list_collections()


def test_a_key_that_asks_too_often(serving: Any, stubs: Any) -> None:
    client = serving(stubs.engine(), rate=0.01, burst=1).client()
    client.list_collections()
    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException) as caught:
        client.list_collections()
    assert int(caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"]) > 1


def posted(address: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    answer = httpx2.post(address, content=content, headers=headers)
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"
    assert answer.headers["x-amzn-requestid"] == answer.headers["x-request-id"]
    found: dict[str, str] = answer.json()
    return answer.status_code, found


JSON = "application/x-amz-json-1.1"


def sent(
    live: Any, body: bytes, target: str = "RekognitionService.ListCollections", kind: str = JSON
) -> tuple[int, str]:
    """What a well-signed request gets that the vendor's client would not send."""
    _, number, secret = live.service.keys.make("raw", "admin", "default").split("_", 2)
    request = AWSRequest("POST", live.address + "/", headers={"Content-Type": kind, "X-Amz-Target": target}, data=body)
    SigV4Auth(Credentials(number, secret), "rekognition", "here").add_auth(request)
    status, told = posted(live.address + "/", body, dict(request.headers.items()))
    return status, told.get("__type", "")


def test_what_the_client_would_not_send(live: Any) -> None:
    assert posted(live.address + "/", b"{}", {})[1]["__type"] == "MissingAuthenticationTokenException"
    assert sent(live, b"{}") == (200, "")
    assert sent(live, b"{}", "RekognitionService.StartFaceSearch") == (404, "UnknownOperationException")
    assert sent(live, b"{}", "DynamoDB.ListTables") == (404, "UnknownOperationException")
    for body in (b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000, b'{"MaxResults": "5"}', b'{"MaxResults": true}'):
        assert sent(live, body) == (400, "SerializationException")
    assert sent(live, b'{"Colour": "red"}') == (400, "InvalidParameterException")
    assert sent(live, b'{"NextToken": null}') == (200, "")
    assert sent(live, b"{}", kind="application/json") == (400, "SerializationException")
    assert sent(live, b"{}", "RekognitionService.DescribeCollection") == (400, "InvalidParameterException")
    for image in (3, {}, {"Bytes": "*"}, {"Bytes": ""}, {"Bytes": None}, {"File": "/etc/passwd"}):
        assert sent(live, json.dumps({"Image": image}).encode(), "RekognitionService.DetectFaces")[0] == 400


def test_what_goes_wrong_inside_is_not_told(live: Any, aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr(live.service.galleries, "names", broken)
    with pytest.raises(ClientError) as caught:
        aws.list_collections()
    assert caught.value.response["Error"]["Code"] == "InternalServerError"
    assert "secret" not in str(caught.value)
