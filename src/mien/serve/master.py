"""The master secret, which keys, sessions, cursors and the log's seal are derived from."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from mien.errors import CannotWrite, UsageError

LEAST = 16  # bytes


def read(path: Path) -> bytes:
    """The secret in a file. Raises UsageError for a file that is absent, too short, or readable by everybody."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            found = file.read(10_000).strip()
    except OSError as error:
        raise UsageError(
            f"The secret {path} cannot be read: {error.strerror}.", "Mend its path or its rights."
        ) from error
    if os.name == "posix" and mode & stat.S_IRWXO:
        raise UsageError(
            f"The secret {path} can be read by every user of this machine.",
            f"Run: chmod 600 {path} — and if others may have read it, make a new secret and new keys.",
        )
    return strong(found, str(path))


def strong(secret: bytes, where: str) -> bytes:
    """The secret when it has a length that makes guessing hopeless. Raises UsageError."""
    if len(secret) < LEAST:
        remedy = 'Make one with: python -c "import secrets; print(secrets.token_urlsafe(32))"'
        raise UsageError(f"The secret of {where} has {len(secret)} bytes, and at least {LEAST} are needed.", remedy)
    return secret


def made(path: Path) -> bytes:
    """The secret in `path`, made there at first need: whole and readable by its owner only, or not at all.

    Of several processes that start at once one makes it and all read that one. Raises UsageError, CannotWrite."""
    if not path.exists():
        temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        try:
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            _written(temporary)
            _linked(temporary, path)
        except OSError as error:
            told = f"The secret {path} cannot be made: {error.strerror}."
            raise CannotWrite(told, "Check the disk and the rights of the folder.") from error
    return read(path)


def _written(path: Path) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32))
        file.flush()
        os.fsync(file.fileno())


def _linked(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        return  # another process was quicker
    finally:
        temporary.unlink()
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
