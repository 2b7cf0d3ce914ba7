"""A video at an HTTP address to a file: no redirects, no proxy, no more bytes than allowed."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mien.errors import CannotWrite, TooLarge, UnreadableMedia
from mien.serve.jobs.addresses import Address

PATIENCE = 10.0  # s to connect, and for the next bytes
_CHUNK = 1 << 18


def fetch(address: Address, path: Path, most: int, step: Callable[[], None]) -> None:
    """Save what `address` answers with; `step` is called between pieces and may raise.

    Raises UnreadableMedia, TooLarge, CannotWrite."""
    connection = connect(address, PATIENCE)
    try:
        connection.request(
            "GET", address.rest or "/", headers={"Accept": "video/*", "User-Agent": "mien"} | address.login
        )
        answer = connection.getresponse()
        if answer.status != 200:
            moved = ", which points elsewhere and is not followed" if 300 <= answer.status < 400 else ""
            raise UnreadableMedia(f"{address.bare} answers {answer.status}{moved}.", "Check the address.")
        _save(answer, path, most, step)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise UnreadableMedia(
            f"{address.bare} cannot be read: {error or type(error).__name__}.", "Try again."
        ) from error
    finally:
        connection.close()


def connect(address: Address, timeout: float) -> http.client.HTTPConnection:
    """A connection to that host and to no other; nothing is sent yet."""
    host = address.host.strip("[]")
    if address.scheme == "https":
        return http.client.HTTPSConnection(host, address.port, timeout=timeout, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, address.port, timeout=timeout)


def _save(answer: http.client.HTTPResponse, path: Path, most: int, step: Callable[[], None]) -> None:
    held = 0
    with _opened(path) as file:
        while piece := answer.read(_CHUNK):
            held += len(piece)
            if held > most:
                raise TooLarge(f"The video is longer than the {most / 1e6:.0f} MB allowed.", "Cut it.")
            try:
                file.write(piece)
            except OSError as error:
                raise CannotWrite(f"The video cannot be saved: {error.strerror}.", "Make room on the disk.") from error
            step()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise CannotWrite(f"The video cannot be saved: {error.strerror}.", "Make room on the disk.") from error
