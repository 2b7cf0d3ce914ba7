"""The first start: there must be a key, or nobody could make one."""

from __future__ import annotations

from mien.serve.keys import Keys
from mien.serve.records import Records
from mien.serve.settings import Settings


def first_key(settings: Settings) -> str | None:
    """An admin's key when the service never had one, else None. Raises CannotWrite, Unavailable."""
    records = Records(settings.records)
    try:
        return Keys(records, settings.master()).first()
    finally:
        records.close()
