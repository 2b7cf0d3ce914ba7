"""`mien rotate`."""

from __future__ import annotations

from pathlib import Path

import click

from mien import wire
from mien.cli.group import verb
from mien.cli.options import key_warnings, with_keys
from mien.cli.output import Output, answers
from mien.cli.seal import told
from mien.errors import UsageError


@verb("rotate")
@click.argument("gallery", metavar="GALLERY")
@with_keys
@click.option("--quota", type=click.IntRange(1), metavar="N", help="Searches a day that the keys answer from now on.")
@answers
def command(gallery: str, keys: str | None, quota: int | None, out: Output) -> None:
    """Everything is encrypted anew with new keys, the gallery switches to it as a whole, then old keys and old bytes are
    overwritten. Stopped half-way, the old gallery and the old keys are still good; run it again to go on.

    Rotate when keys may have leaked, when somebody who had them leaves, and after forgetting people of whom older backups
    exist: those open with the old keys only. It also tidies: noise of templates enrolled elsewhere goes, free places close."""
    from mien.gallery.sealed import life
    from mien.gallery.sealed.ledger import Ledger
    from mien.gallery.sealed.opening import keys_at
    from mien.gallery.store import is_sealed

    at = keys_at(keys)
    if not isinstance(at, Path) or "://" in gallery or not is_sealed(gallery):
        raise UsageError(f"{gallery} is no folder of a sealed gallery.", "Rotate where the gallery itself lies.")
    with key_warnings(out), out.progress("sealing", None, "templates") as step:
        made = life.rotate(gallery, at, told(step))
    if quota is not None:
        Ledger(at).allow(quota)
    lines = [
        ("sealed anew", f"{made.people} people, {made.templates} templates, {made.images} crops"),
        ("gallery", gallery),
        ("keys", f"{at} ({made.identity}); the old ones are erased"),
    ]
    out.answer(wire.encode(made) | {"gallery": gallery, "keys": str(at)}, lines)
