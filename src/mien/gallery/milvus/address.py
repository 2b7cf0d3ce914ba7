"""Where a gallery on a Milvus server is, and what is shown of that."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from mien.errors import UsageError

TOKEN = "MIEN_MILVUS_TOKEN"  # the environment's variable that holds user:secret, or a token
PORT = 19530
TIMEOUT = 60.0  # s; a server that was killed answers again after about 40
LEVELS = {"strong": "Strong", "session": "Session", "bounded": "Bounded"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_OPTIONS = {"token_env", "timeout", "consistency", "ca", "replicas", "shards"}
_FORM = "Write it as milvus://host:19530/collection, or milvus+tls://host/database/collection?token_env=NAME."


@dataclass(frozen=True, slots=True)
class Address:
    """A collection on a server. Secrets are in no text made of it."""

    uri: str  # of the server
    collection: str
    shown: str  # the address without its secrets
    database: str = ""
    token: str = field(default="", repr=False)
    consistency: str = "Session"
    timeout: float = TIMEOUT  # s that a call may take, retries included
    ca: str = ""  # file of the certificates that sign the server's
    shards: int = 1
    replicas: int = 1


def read_address(text: str) -> Address:
    """An address in words to one that can be used. Raises UsageError, without repeating a secret."""
    shown = _without_secrets(text)
    try:
        parts = urlsplit(text)
        port = parts.port or PORT
    except ValueError as error:
        raise UsageError(f"{shown} is no address: {_plain(error)}.", _FORM) from None
    path = [unquote(part) for part in parts.path.split("/") if part]
    if not parts.hostname or not 1 <= len(path) <= 2 or parts.fragment:
        raise UsageError(f"{shown} names no host and collection.", _FORM)
    for name in path:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name[:40]!r} cannot be the name of a collection or database.",
                "Use letters, digits and underscores, and no digit first.",
            )
    tls = parts.scheme.lower() == "milvus+tls"
    options = _options(parts, shown)
    token = _token(parts, options, shown)
    if token and not tls and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        _refuse_plain(shown)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(
        uri=f"{'https' if tls else 'http'}://{host}:{port}",
        collection=path[-1],
        shown=shown,
        database=path[0] if len(path) == 2 else "",
        token=token,
        consistency=_level(options.get("consistency", "session"), shown),
        timeout=_number(options, "timeout", TIMEOUT, shown),
        ca=_certificates(options.get("ca", ""), shown),
        shards=round(_number(options, "shards", 1, shown)),
        replicas=round(_number(options, "replicas", 1, shown)),
    )


def _without_secrets(text: str) -> str:
    """What may be printed: everything before the last @ of the authority is left out, and so are the options."""
    scheme, _, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path.rpartition('@')[2].partition('?')[0]}"


def _plain(error: ValueError) -> str:
    return "its port is no number" if "ort" in str(error) else "it cannot be read"


def _options(parts: SplitResult, shown: str) -> dict[str, str]:
    found = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    unknown = sorted(set(found) - _OPTIONS)
    if unknown:
        raise UsageError(
            f"{shown} has no option {unknown[0][:40]!r}.", f"There are {', '.join(sorted(_OPTIONS))}. {_FORM}"
        )
    return found


def _token(parts: SplitResult, options: dict[str, str], shown: str) -> str:
    if parts.username:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    name = options.get("token_env")
    if name is None:
        return os.environ.get(TOKEN, "")
    token = os.environ.get(name, "")
    if not token:
        raise UsageError(f"The environment variable {name[:80]} for {shown} is empty.", "Set it to user:secret.")
    return token


def _refuse_plain(shown: str) -> None:
    raise UsageError(
        f"A secret would go to {shown} unencrypted.", "Use milvus+tls://, or reach the server through a tunnel."
    )


def _level(word: str, shown: str) -> str:
    if word.lower() not in LEVELS:
        raise UsageError(f"{shown} has no consistency {word[:40]!r}.", f"Choose from {', '.join(LEVELS)}.")
    return LEVELS[word.lower()]


def _number(options: dict[str, str], name: str, usual: float, shown: str) -> float:
    try:
        number = float(options.get(name, usual))
    except ValueError:
        number = math.nan
    if not 1 <= number <= 3600:  # NaN fails too
        raise UsageError(f"The {name} of {shown} is not from 1 to 3600.", "Give a number, such as ?timeout=60.")
    return number


def _certificates(path: str, shown: str) -> str:
    if path and not Path(path).is_file():
        raise UsageError(f"There is no file {path} of certificates for {shown}.", "Give ?ca= the path of a PEM file.")
    return path
