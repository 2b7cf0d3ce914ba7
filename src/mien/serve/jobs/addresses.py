"""Addresses that jobs may read and hooks may be sent to: only what the operator listed, and never by a detour.

A prefix names scheme and host whole, so that rtsp://cam1 does not let in rtsp://cam1.evil.example; what follows the host is
compared as text, at a slash. A host that ends in a dot, as in rtsp://10.0.0., stands for all IP addresses that go on with
it, at any port. A name and password in the operator's prefix are used for what matches it, and taken from nobody else."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from mien.errors import NotAllowed, UsageError

PORTS = {"rtsp": 554, "http": 80, "https": 443}
# Stricter than the standard: what two parsers could take differently is no address here.
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z]+)://(?:(?P<user>[^\s/@:?#\\]+):(?P<password>[^\s/@?#\\]*)@)?"
    r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.\-]+)(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?][!\x22$-\[\]-~]*)?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A place on the network."""

    scheme: str
    host: str
    port: int
    rest: str  # path and query, as they are sent
    user: str = ""
    password: str = ""
    any_port: bool = False

    @property
    def bare(self) -> str:
        """The address without name and password."""
        return f"{self.scheme}://{self.host}:{self.port}{self.rest}"

    @property
    def login(self) -> dict[str, str]:
        """The header of HTTP with the operator's name and password, where there are any."""
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"} if self.user else {}

    def through(self, port: int) -> str:
        """The same by way of a port of this machine."""
        login = f"{quote(self.user)}:{quote(self.password)}@" if self.user else ""
        return f"{self.scheme}://{login}127.0.0.1:{port}{self.rest}"


def allowed(text: str, prefixes: Sequence[str], schemes: Sequence[str], what: str) -> Address:
    """The address in `text` if one of the operator's `prefixes` covers it. Raises UsageError, NotAllowed."""
    asked = _parsed(text)
    if asked is None or asked.scheme not in schemes or not 0 < asked.port < 65536:
        known = ", ".join(f"{one}://" for one in schemes)
        raise UsageError(f"{text[:80]!r} is no address that {what} can be at.", f"Write one that begins with {known}.")
    if asked.user:
        raise UsageError("An address with a name and password is not taken.", "The operator sets them.")
    for one in prefixes:
        prefix = _parsed(one)
        if prefix is not None and _covers(prefix, asked):
            return Address(asked.scheme, asked.host, asked.port, asked.rest, prefix.user, prefix.password)
    raise NotAllowed(
        f"{asked.bare[:80]} is none of the addresses that the operator allows for {what}.",
        "Ask for it to be listed in the settings.",
    )


def _parsed(text: str) -> Address | None:
    found = _ADDRESS.fullmatch(text)
    if found is None:
        return None
    scheme, host = found["scheme"], found["host"].lower()
    port = int(found["port"] or PORTS.get(scheme, 0))
    login = unquote(found["user"] or ""), unquote(found["password"] or "")
    return Address(scheme, host, port, found["rest"] or "", *login, any_port=found["port"] is None)


def _covers(prefix: Address, asked: Address) -> bool:
    if prefix.scheme != asked.scheme or _climbs(asked.rest):
        return False
    if prefix.host.endswith("."):
        if not asked.host.startswith(prefix.host) or not _is_ip(asked.host):
            return False
        return (prefix.any_port or prefix.port == asked.port) and not prefix.rest
    if prefix.host != asked.host or prefix.port != asked.port:
        return False
    return _under(prefix.rest, asked.rest)


def _under(prefix: str, rest: str) -> bool:
    if prefix in ("", "/"):
        return True
    return rest == prefix or rest.startswith(prefix if prefix.endswith("/") else (f"{prefix}/", f"{prefix}?"))


def _climbs(rest: str) -> bool:
    """Whether a path goes up, also where the dots are hidden by percent signs, once or twice."""
    path = unquote(unquote(rest.partition("?")[0]))
    return any(part in (".", "..") for part in re.split(r"[/\\]", path))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
