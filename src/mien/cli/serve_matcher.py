"""`mien serve-matcher`."""

from __future__ import annotations

import ipaddress
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

import click

from mien.cli.group import verb
from mien.cli.output import Output, answers

if TYPE_CHECKING:
    from mien.gallery.sealed.server import MatcherServer


@verb("serve-matcher")
@click.argument("gallery", metavar="GALLERY")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any that is free.")
@click.option("--threads", type=click.IntRange(1), help="For one search (default: all cores).")
@click.option("--read-only", is_flag=True, help="Refuse every change.")
@click.option("--trust-key-holder", is_flag=True, help="Send answers as they are; see below.")
@answers
def command(  # noqa: PLR0913 - one parameter per option
    gallery: str, host: str, port: int, threads: int | None, read_only: bool, trust_key_holder: bool, out: Output
) -> None:
    """It stores and compares ciphertexts and holds no key: it learns neither templates nor probes, scores or names (but it
    sees the probes of a gallery of the profile open-probe). Clients open its address in place of a gallery, with their keys:

    \b
      mien serve-matcher people.sealed
      mien identify sealed+http://127.0.0.1:8765 door.jpg --keys keys/

    An answer as it is computed would let whoever decrypts it solve for the templates, so it is sanitised first, at some
    milliseconds and 0.0005 of precision; not with --trust-key-holder. There is no TLS: to serve other machines put a
    proxy in front that has it. Ends with Ctrl-C."""
    from mien.gallery.sealed.matcher import Matcher
    from mien.gallery.sealed.profiles import OpenProfile, profile
    from mien.gallery.sealed.server import MatcherServer
    from mien.gallery.sealed.store import Store

    matcher = Matcher(Store(gallery, read_only=read_only), sanitise=not trust_key_holder, threads=threads)
    try:
        matcher.ready()
        with MatcherServer(matcher, host, port) as server:
            if isinstance(profile(matcher.head().profile), OpenProfile):
                out.note(f"{gallery}: its profile is open-probe, so whoever runs this sees every probe.")
            if not _loopback(host):
                out.warn(f"{host} can be reached from other machines, and there is no TLS here.")
            out.answer(
                {"address": server.address, "gallery": gallery}, [("serving", server.address), ("gallery", gallery)]
            )
            sys.stdout.flush()
            _until_stopped(server)
    finally:
        matcher.close()
    out.note("mien: stopped.")


def _until_stopped(server: MatcherServer) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    if threading.current_thread() is threading.main_thread():
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, stop)
    server.serve_forever(poll_interval=0.2)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
