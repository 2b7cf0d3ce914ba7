"""What verbs beside `mien serve` share: the service's folder, and its records, log and keys without its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.errors import NotFound, UsageError

if TYPE_CHECKING:
    from mien.serve.access import Caller
    from mien.serve.erasing import Receipts
    from mien.serve.keys import Keys
    from mien.serve.log import Log
    from mien.serve.settings import Settings

NEEDS = ("fastapi", "pydantic_settings")
FOLDER = click.Path(file_okay=False, path_type=Path)


def with_data(function: Callable[..., Any]) -> Callable[..., Any]:
    """--data: the folder of a service."""
    told = "Folder of the service (default: mien-service, or MIEN_SERVE_DATA)."
    return click.option("--data", metavar="DIR", type=FOLDER, help=told)(function)


@dataclass(frozen=True, slots=True)
class Desk:
    """The service's records, for whoever sits at the machine."""

    settings: Settings
    keys: Keys
    log: Log
    receipts: Receipts

    def caller(self, tenant: str) -> Caller:
        """What the log names for what is done from the command line."""
        from mien.serve.access import Caller

        return Caller("", "command line", "admin", tenant)


def chosen(data: Path | None, galleries: tuple[str, ...] = (), *, there: bool = True) -> Settings:
    """The settings with this folder. there: it must hold a service already. Raises UsageError, NotFound."""
    absent = [name for name in NEEDS if find_spec(name) is None]
    if absent:
        raise UsageError(f"This needs {', '.join(absent)}.", 'Run: pip install "mien[serve]"')
    from mien.serve.settings import settings

    found = settings(data=data, galleries=galleries or None)
    if there and not found.records.is_file():
        raise NotFound(f"There is no service in {found.data}.", "Name its folder with --data, or start it: mien serve")
    return found


@contextmanager
def desk(settings: Settings) -> Iterator[Desk]:
    """Open records and log; a service that runs meanwhile is not disturbed. Raises UsageError, CannotWrite, Unavailable."""
    from mien.serve.erasing import Receipts
    from mien.serve.keys import Keys
    from mien.serve.log import opened
    from mien.serve.records import Records

    master, records = settings.master(), Records(settings.records)
    log = opened(settings.data, records, master)
    try:
        yield Desk(settings, Keys(records, master), log, Receipts(records))
    finally:
        log.close()
        records.close()
