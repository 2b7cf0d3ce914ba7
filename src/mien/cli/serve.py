"""`mien serve`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from mien.cli.group import verb
from mien.cli.output import Output, answers
from mien.errors import UsageError

if TYPE_CHECKING:
    import socket

    from mien.serve.settings import Settings

NEEDS = ("fastapi", "uvicorn", "pydantic_settings", "multipart", "prometheus_client", "structlog", "websockets")
FILE = click.Path(dir_okay=False, path_type=Path)


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The settings that are options too; the rest come from the environment or a file."""
    for each in reversed(
        (
            click.option("--data", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help=_DATA),
            click.option("--host", help="Address to listen at (default: 127.0.0.1)."),
            click.option("--port", type=click.IntRange(0, 65535), help="Port (default: 8080; 0: any that is free)."),
            click.option("--processes", type=click.IntRange(1, 256), help="Worker processes; each loads the models."),
            click.option(
                "--threads",
                type=click.IntRange(1),
                help="Pictures at once per process (default: its share of the cores).",
            ),
            click.option("--device", metavar="NAME", help="cpu, cuda, tensorrt, openvino, coreml or directml."),
            click.option("--detector", metavar="NAME", help="Model that finds faces (see `mien models`)."),
            click.option("--embedder", metavar="NAME", help="Model that turns faces into templates."),
            click.option("--tls-certificate", metavar="FILE", type=FILE, help="PEM file; with --tls-key it is HTTPS."),
            click.option("--tls-key", metavar="FILE", type=FILE, help="PEM file of the private key, without password."),
            click.option("--behind-proxy", is_flag=True, default=None, help="A proxy in front does TLS."),
            click.option("--config", metavar="FILE", type=FILE, help="TOML file with any of the settings."),
        )
    ):
        function = each(function)
    return function


_DATA = "What the service keeps: keys, log, jobs, galleries made by request (default: mien-service)."


@verb("serve")
@click.argument("galleries", metavar="[GALLERY]...", nargs=-1)
@options
@answers
def command(galleries: tuple[str, ...], config: Path | None, out: Output, **given: Any) -> None:
    """GALLERY is a file or an address, such as people.db; clients call it by its name without .db. At the first start the
    admin's key is shown, once. Everything else is in docs/reference/service-settings.md.

    \b
      mien serve people.db
      mien serve people.db --host 0.0.0.0 --tls-certificate chain.pem --tls-key key.pem --processes 4

    Ctrl-C (or SIGTERM) ends it when requests that were taken are answered; a second one at once."""
    absent = [name for name in NEEDS if find_spec(name) is None]
    if absent:
        raise UsageError(f"The service needs {', '.join(absent)}.", 'Run: pip install "mien[serve]"')
    for each in galleries:
        if "@" in each.partition("://")[2].partition("/")[0]:
            raise UsageError(
                "The address holds a password, which the list of processes would show.",
                "Set MIEN_MILVUS_TOKEN to user:password, and leave it out of the address.",
            )
    if config is not None:
        os.environ["MIEN_SERVE_CONFIG"] = str(config)
    from mien.serve.settings import settings

    serve(settings(galleries=galleries or None, **given), out)
    out.note("mien: stopped; what was taken was answered.")


def serve(chosen: Settings, out: Output) -> None:
    """Serve until a signal. Raises UsageError, Unavailable, and what keeps models and galleries from being opened."""
    from mien.serve import logs
    from mien.serve.first import first_key
    from mien.serve.server import address, bound, secured

    secured(chosen)
    listener = bound(chosen)
    with listener:
        logs.install(chosen)
        where = address(chosen, listener)
        _run(chosen, listener, lambda: _tell(out, where, first_key(chosen)))  # no key that nobody is shown


def _run(chosen: Settings, listener: socket.socket, began: Callable[[], None]) -> None:
    if chosen.processes > 1:
        from mien.serve.processes import Family

        Family(chosen, listener, began).run()
        return
    from mien.serve.app import build
    from mien.serve.server import Server

    with _ending_early():
        server = Server(build(chosen), chosen, began)
        server.open()
    server.run([listener])


@contextmanager
def _ending_early() -> Iterator[None]:
    """SIGTERM ends what only loads models yet, also where this is a container's first process, whose default is to live on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(out: Output, where: str, key: str | None) -> None:
    record = {"address": where, "console": f"{where}/console/"} | ({"admin_key": key} if key else {})
    lines = [("serving", where), ("console", record["console"])]
    if key:
        lines.append(("admin key", key))
    out.answer(record, lines)
    if key:
        out.note("The key is shown this once and kept nowhere: keep it where you keep passwords.")
    sys.stdout.flush()
