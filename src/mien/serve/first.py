"""The first start: there must be a key, or nobody could make one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mien.errors import InputError, UsageError
from mien.serve.keys import Keys
from mien.serve.records import Records
from mien.serve.settings import Settings


def first_key(settings: Settings) -> str | None:
    """An admin's key when the service never had one, else None. Raises CannotWrite, Unavailable, UsageError."""
    records = Records(settings.records)
    try:
        keys = Keys(records, settings.master())
        if settings.keys_file is not None:
            adopt(keys, settings.keys_file)
        return keys.first()
    finally:
        records.close()


def adopt(keys: Keys, path: Path) -> int:
    """Take the keys that replicas share; returns how many the file has. Raises UsageError with the line that is amiss."""
    try:
        lines = path.read_text(encoding="utf8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The keys in {path} cannot be read: {error}.", "Mend its path or its rights.") from error
    wanted = [
        (number, line.split(maxsplit=3)) for number, line in enumerate(lines, 1) if line.partition("#")[0].strip()
    ]
    for number, words in wanted:
        try:
            key, role, tenant, *name = words
            given: Any = role
            keys.adopt(key, name[0].strip() if name else role, given, tenant)
        except (ValueError, InputError) as error:
            told = f"Line {number} of {path} is no key: {error}"
            raise UsageError(told, "Write ID ROLE TENANT NAME.") from error
    return len(wanted)
