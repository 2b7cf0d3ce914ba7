"""What happens, to lines on stderr: for each request its id, its key's id, its tenant, its route, its status and its time.

Never in them: pictures, vectors, names of people or galleries, keys, query strings, addresses as the client wrote them (names
are part of those), and what errors say (names are part of that, too): of a failure its type and where it was raised."""

from __future__ import annotations

import logging
import logging.config
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from mien.serve.settings import Settings

Event = MutableMapping[str, Any]
FIELDS = ("id", "key", "tenant", "method", "route", "status", "ms")  # that a line may have beside its words
SERVERS = (
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
)  # loggers that the server gives handlers of its own, unless told
FRAMES = 12  # of a failure's trace


def install(settings: Settings) -> None:
    """Send what mien, the server and other packages log to stderr, in the form that was set."""
    last: Any = structlog.processors.JSONRenderer() if settings.log_format == "json" else _plain
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.stdlib.ExtraAdder(FIELDS),
        without_words,
    ]
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
                    "foreign_pre_chain": shared,
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {"mien": {"level": "INFO"}}
            | {name: {"level": "WARNING", "propagate": True} for name in SERVERS},
        }
    )


def without_words(logger: Any, method: str, event: Event) -> Event:
    """Put the type of a failure and where it was raised in place of what it says."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["failure"] = type(error).__name__
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
        event["at"] = [f"{one.filename.rpartition('site-packages/')[2]}:{one.lineno} {one.name}" for one in frames]
    if method == "error" and "\n" in str(event.get("event")):  # a trace that somebody made text
        event["event"] = str(event["event"]).splitlines()[0]
    return event


def _plain(logger: Any, method: str, event: Event) -> str:
    rest = " ".join(f"{key}={value}" for key, value in event.items() if key not in ("time", "level", "event", "logger"))
    return f"{event.get('time')} {event.get('level', '').upper():7} {event.get('event')} {rest}".rstrip()
