"""AWS Signature Version 4, checked: who signed a request, and that nothing in it was changed on the way.

After the signing process in the AWS General Reference, and the signer inside botocore as the other end. Only the header form
is taken, only for this service, and only with everything signed that the request hangs on. A signature is good for
`WINDOW`, within which whoever can read the request can send it again: serve over TLS."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mien.serve.rekognition.refusal import Refused

SERVICE = "rekognition"
WINDOW = timedelta(minutes=15)  # either side of our clock
_FORM = "%Y%m%dT%H%M%SZ"
_SCHEME = "AWS4-HMAC-SHA256"
_NEEDED = {b"host", b"x-amz-date", b"x-amz-target"}
_HEX = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(r"[A-Za-z0-9_.\-]{1,128}")

Headers = Sequence[tuple[bytes, bytes]]  # raw, names in lower case


@dataclass(frozen=True, slots=True)
class Claim:
    """What the Authorization header says; nothing of it is proven yet."""

    key: str  # id of the key
    date: str  # yyyymmdd
    region: str
    signed: tuple[bytes, ...]  # names of the headers that are signed, in order
    signature: str

    @property
    def scope(self) -> str:
        """What the signing key is good for."""
        return f"{self.date}/{self.region}/{SERVICE}/aws4_request"


def claimed(headers: Headers) -> Claim:
    """The claim in the Authorization header. Raises Refused with the protocol's code."""
    given = [value for name, value in headers if name == b"authorization"]
    if not given:
        raise Refused("MissingAuthenticationTokenException", "The request has no Authorization header.", _HOW)
    scheme, _, rest = given[0].decode("latin-1").partition(" ")
    if len(given) > 1 or scheme != _SCHEME:
        raise Refused("IncompleteSignatureException", f"The Authorization header is no {_SCHEME}.", _HOW)
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    key, *scope = parts.get("Credential", "").split("/")
    names = tuple(parts.get("SignedHeaders", "").encode("latin-1").split(b";"))
    signature = parts.get("Signature", "")
    if len(scope) != 4 or not _KEY.fullmatch(key) or not _HEX.fullmatch(signature) or names == (b"",):
        raise Refused("IncompleteSignatureException", "The Authorization header lacks a part or has one too many.")
    date, region, service, end = scope
    if service != SERVICE or end != "aws4_request":
        raise Refused("InvalidSignatureException", f"Credential should be scoped to the service {SERVICE!r}.")
    if any(name == b"x-amz-security-token" for name, _ in headers):
        raise Refused(
            "UnrecognizedClientException", "There are no session tokens here.", "Leave AWS_SESSION_TOKEN out."
        )
    return Claim(key, date, region, names, signature)


def check(claim: Claim, secret: str, headers: Headers, body: bytes, now: datetime | None = None) -> None:
    """Refuse what the owner of `secret` did not sign just now, as it arrived. Raises Refused with the protocol's code.

    The request is a POST to / without a query. now: UTC."""
    when = _signed_at(claim, headers)
    _all_signed(claim, headers)
    digest = hashlib.sha256(body).hexdigest()  # never "UNSIGNED-PAYLOAD": a body that nothing covers is not taken
    told = hashlib.sha256(_canonical(claim, headers, digest)).hexdigest()
    text = "\n".join((_SCHEME, when.strftime(_FORM), claim.scope, told))
    if not hmac.compare_digest(_sign(_signing_key(claim, secret), text).hex(), claim.signature):
        raise Refused(
            "InvalidSignatureException",
            "The signature is not the one that the key's secret gives for this request.",
            "Check the secret access key, and that no proxy changes the headers (Host above all).",
        )
    _timely(when, now or datetime.now(UTC))


_HOW = (
    "Sign with AWS Signature Version 4: the access key id and the secret are the two parts of a key mien_<id>_<secret>."
)


def _signed_at(claim: Claim, headers: Headers) -> datetime:
    values = [value for name, value in headers if name == b"x-amz-date"]
    try:
        (text,) = values
        when = datetime.strptime(text.decode("latin-1"), _FORM).replace(tzinfo=UTC)
    except ValueError:
        raise Refused("IncompleteSignatureException", "There is no X-Amz-Date of the form 20250131T235959Z.") from None
    if when.strftime("%Y%m%d") != claim.date:
        raise Refused("InvalidSignatureException", "The date in Credential is not the one in X-Amz-Date.")
    return when


def _all_signed(claim: Claim, headers: Headers) -> None:
    """The headers that a request hangs on, and all of the protocol's own, are among those signed, each once, in order."""
    needed = _NEEDED | {name for name, _ in headers if name.startswith(b"x-amz-")}
    missing = needed - set(claim.signed)
    if missing or list(claim.signed) != sorted(set(claim.signed)):
        told = b", ".join(sorted(missing)).decode("latin-1") or "they are not in order"
        raise Refused("InvalidSignatureException", f"SignedHeaders is not complete: {told}.")


def _canonical(claim: Claim, headers: Headers, digest: str) -> bytes:
    lines = [name + b":" + b",".join(_trimmed(headers, name)) for name in claim.signed]
    return b"\n".join((b"POST", b"/", b"", *lines, b"", b";".join(claim.signed), digest.encode()))


def _trimmed(headers: Headers, name: bytes) -> Iterable[bytes]:
    return (b" ".join(value.split()) for other, value in headers if other == name)


def _signing_key(claim: Claim, secret: str) -> bytes:
    made = b"AWS4" + secret.encode()
    for part in claim.scope.split("/"):
        made = _sign(made, part)
    return made


def _sign(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _timely(when: datetime, now: datetime) -> None:
    if abs(now - when) <= WINDOW:
        return
    late, ends = when < now, (now - WINDOW if when < now else now + WINDOW).strftime(_FORM)
    told = f"{when.strftime(_FORM)} is now {'earlier' if late else 'later'} than {ends}"
    raise Refused(
        "InvalidSignatureException",
        f"Signature {'expired' if late else 'not yet current'}: {told} (15 min.).",
        "Set the client's clock.",
    )
