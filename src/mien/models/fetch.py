"""A file from the web: resumed where it was cut, checked before it gets its name, never half there.

What has arrived lies in ``NAME.part`` beside the target and survives a cut, a crash or Ctrl-C; the next try asks the
server to go on from there. Only a file of the right size and SHA-256 is moved to the target's name. Two processes that
want the same file wait for each other.
"""

from __future__ import annotations

import errno
import http.client
import logging
import os
import ssl
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from mien.errors import ModelCorrupt, ModelUnavailable
from mien.locks import lock
from mien.models.card import Pack, Url
from mien.models.places import put, sha256

Progress = Callable[[str, int, "int | None"], None]
"""Called with a file's name, the bytes that are here, and the bytes there will be (None: the server does not say)."""

TRIES = 5  # in a row without a new byte, per address
PAUSE = 0.5  # s before the second try; doubles each time
TIMEOUT = 30.0  # s without a byte
CHUNK = 1 << 20
LARGEST = 8 << 30  # bytes; where a card gives no size, a server must not fill the disk

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to tell that a file is the right one."""

    name: str
    model: str  # the card's name, for messages
    sha256: str
    size: int | None = None  # bytes


class _Gone(Exception):
    """This address will not give the file; the next one may."""


class _Other(Exception):
    """This address gives other bytes than the card names."""


class _Cut(Exception):
    """The transfer broke; the same address may go on."""


class _Body(Protocol):
    def read(self, amount: int, /) -> bytes: ...


def download(sources: Sequence[Url | Pack], wanted: Wanted, target: Path, progress: Progress | None = None) -> Path:
    """Bring the file from the first address that gives the right one; returns `target`. A zip is thrown away after use.

    Raises ModelCorrupt when an address gave other bytes and none gave the right ones, ModelUnavailable when none can be
    reached or the disk does not take the file."""
    try:
        with lock(target.with_name(f"{target.name}.lock")):
            if not _is_it(target, wanted):
                _download(sources, wanted, target, progress)
    except OSError as error:
        raise no_room(target.parent, wanted.name, error) from error
    return target


def no_room(folder: Path, name: str, error: OSError) -> ModelUnavailable:
    """The sentence for a folder that does not take a file."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelUnavailable(
            f"{name} cannot be kept in {folder}: the disk is full.", "Make room, or set MIEN_CACHE to another disk."
        )
    return ModelUnavailable(
        f"{name} cannot be kept in {folder}: {error.strerror or error}.",
        "Set MIEN_CACHE to a folder you may write, or MIEN_MODELS to one that holds the file.",
    )


def _download(sources: Sequence[Url | Pack], wanted: Wanted, target: Path, progress: Progress | None) -> None:
    part = target.with_name(f"{target.name}.part")
    said: list[str] = []
    wrong = False
    for source in sources:
        try:
            if isinstance(source, Pack):
                _from_pack(source, wanted, part, progress)
            else:
                _from(source.url, wanted, part, progress)
        except (_Gone, _Other) as error:
            said.append(f"{urlsplit(source.url).netloc} {error}")
            wrong = wrong or isinstance(error, _Other)
            log.info("%s: %s", wanted.name, said[-1])
            continue
        put(part, target)
        return
    told = f"{wanted.name} of model {wanted.model} cannot be had: {'; '.join(said)}."
    if wrong:
        raise ModelCorrupt(told, "Do not use that file; the card or the server is wrong.")
    by_hand = f"Put {wanted.name} into a folder and set MIEN_MODELS to it"
    raise ModelUnavailable(told, f"{by_hand}, or run `mien models pull {wanted.model}` when online.")


def _from_pack(pack: Pack, wanted: Wanted, part: Path, progress: Progress | None) -> None:
    """Fill `part` with a member of a zip. The lock is held until the zip is gone: another member may be wanted too."""
    name = unquote(PurePosixPath(urlsplit(pack.url).path).name)
    archive = part.with_name(f"{pack.sha256[:16]}-{name}.part")
    with lock(archive.with_name(f"{archive.name}.lock")):
        _from(pack.url, Wanted(name, wanted.model, pack.sha256, pack.size), archive, progress)
        try:
            _unpack(archive, pack.member, wanted, part)
        except (zipfile.BadZipFile, EOFError) as error:
            raise _Other(f"gave a zip that cannot be read ({error})") from error
        finally:
            archive.unlink()


def _unpack(archive: Path, member: str, wanted: Wanted, part: Path) -> None:
    """Take one member out of a zip, found by its path or else by its file name."""
    with zipfile.ZipFile(archive) as pack:
        names = [name for name in pack.namelist() if name == member or name.endswith(f"/{member}")]
        if not names:
            raise _Other(f"gave a zip without {member}")
        with pack.open(names[0]) as body, part.open("wb") as out:
            _copy(body, out, wanted, wanted.size, None)
            out.flush()
            os.fsync(out.fileno())
    if not _is_it(part, wanted):
        part.unlink()
        raise _Other(f"gave a zip whose {member} is not the one on the card")


def _from(url: str, wanted: Wanted, part: Path, progress: Progress | None) -> None:
    """Fill `part` with the right bytes from one address. One that was begun earlier and is wrong is begun anew once."""
    begun = part.exists()
    left = TRIES
    while True:
        before = _size(part)
        try:
            _go_on(url, wanted, part, progress)
        except _Cut as error:
            left = TRIES - 1 if _size(part) > before else left - 1
            if left == 0:
                raise _Gone(str(error)) from error
            wait = PAUSE * 2 ** (TRIES - 1 - left)
            log.info("%s: %s %s, trying again in %.1f s", wanted.name, urlsplit(url).netloc, error, wait)
            time.sleep(wait)
            continue
        if _is_it(part, wanted):
            return
        part.unlink(missing_ok=True)
        if not begun:
            raise _Other("gave other bytes than the card names")
        begun = False


def _go_on(url: str, wanted: Wanted, part: Path, progress: Progress | None) -> None:
    """One request: the rest of `part`, or all of it where the server cannot resume."""
    have = _size(part)
    if have and have == wanted.size:
        return
    headers = {"User-Agent": "mien", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with _open(Request(url, headers=headers)) as answer:
            if answer.status != 206 or not (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length and length.isdigit() else wanted.size
            if wanted.size is not None and total != wanted.size:
                raise _Other(f"offers {total} bytes where the card says {wanted.size}")
            with part.open("ab" if have else "wb") as out:
                got = _copy(answer, out, wanted, total, progress)
                out.flush()
                os.fsync(out.fileno())
    except HTTPError as error:
        _judge_status(error, part)
    except (TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException) as error:
        raise _Cut(f"broke off ({type(error).__name__})") from error
    except URLError as error:
        raise (_Cut if isinstance(error.reason, TimeoutError) else _Gone)(
            f"cannot be reached ({error.reason})"
        ) from error
    else:
        if total is not None and got < total:
            raise _Cut(f"broke off after {got} of {total} bytes")


def _copy(body: _Body, out: BinaryIO, wanted: Wanted, total: int | None, progress: Progress | None) -> int:
    """Append `body` to `out`; returns the bytes now there. Raises _Other when they are more than they may be."""
    done = out.seek(0, os.SEEK_END)
    most = wanted.size if wanted.size is not None else LARGEST
    if progress:
        progress(wanted.name, done, total)
    while chunk := body.read(CHUNK):
        done += len(chunk)
        if done > most:
            raise _Other(f"gave more than {most} bytes")
        out.write(chunk)
        if progress:
            progress(wanted.name, done, total)
    return done


def _judge_status(error: HTTPError, part: Path) -> None:
    with error:
        if error.code == 416:  # the part is longer than the file there: it belongs to something else
            part.unlink(missing_ok=True)
            raise _Cut("could not resume") from error
        if error.code in (408, 429) or error.code >= 500:
            raise _Cut(f"answered {error.code} {error.reason}") from error
        raise _Gone(f"answered {error.code} {error.reason}") from error


def _open(request: Request) -> http.client.HTTPResponse:
    """Only http and https, also after a redirect; proxies from the environment are used."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        HTTPRedirectHandler(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    return cast(http.client.HTTPResponse, opener.open(request, timeout=TIMEOUT))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _is_it(path: Path, wanted: Wanted) -> bool:
    if not path.is_file() or (wanted.size is not None and path.stat().st_size != wanted.size):
        return False
    return sha256(path) == wanted.sha256
