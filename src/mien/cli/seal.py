"""`mien seal`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from mien import wire
from mien.cli.group import verb
from mien.cli.options import gallery_at, key_warnings, with_keys
from mien.cli.output import Output, Step, answers
from mien.errors import UsageError

LOSSES = 4  # sentences for people; --json has all


@verb("seal")
@click.argument("gallery", metavar="GALLERY")
@click.option("--out", "target", metavar="NAME", required=True, help="Where to put it, such as people.sealed.")
@with_keys
@click.option(
    "--profile",
    type=click.Choice(["standard", "exact", "open-probe"]),
    default="standard",
    help="standard: 128 bits also against quantum computers; exact: scores of rounded templates without error; "
    "open-probe: the matcher sees the probe, not the gallery and not the scores.",
)
@click.option(
    "--backend",
    type=click.Choice(["own", "seal"]),
    default="own",
    help="seal: keys, encryption and decryption by Microsoft SEAL (needs mien[tenseal]); slower, see the guide.",
)
@click.option(
    "--quota", type=click.IntRange(1), metavar="N", help="Searches a day that these keys answer (default 100)."
)
@click.option(
    "--preselect",
    type=click.IntRange(1),
    metavar="M",
    help="Make `identify --shortlist` possible, by M principal components (64, 128 …); says what it loses.",
)
@click.option(
    "--remove-plain", is_flag=True, help="Overwrite and remove the plain gallery when the sealed one is checked."
)
@answers
def command(  # noqa: PLR0913 - one parameter per option
    gallery: str,
    target: str,
    keys: str | None,
    profile: str,
    backend: str,
    quota: int | None,
    preselect: int | None,
    remove_plain: bool,
    out: Output,
) -> None:
    """Templates, crops, names and metadata are encrypted; keys are made in --keys if there are none yet. The sealed gallery
    appears whole, after it was read back and checked, or not at all.

    \b
      mien seal people.db --out people.sealed --keys /safe/keys
      mien identify people.sealed door.jpg --keys /safe/keys

    With the keys on the machine that searches this is encryption at rest: it protects disks, copies and backups. To keep
    templates from the machine that searches, run mien serve-matcher there and keep the keys elsewhere. Whoever loses the
    keys loses the gallery."""
    from mien.gallery.sealed import life
    from mien.gallery.sealed.ledger import Ledger
    from mien.gallery.sealed.opening import check_place, keys_at, make_keys, warn_permissions

    at = keys_at(keys)
    if not isinstance(at, Path):
        raise UsageError("Keys are kept in a folder.", "Name one with --keys.")
    if backend == "seal":
        if profile != "standard":
            raise UsageError(f"SEAL has no profile {profile}.", "Leave --profile, or leave --backend.")
        profile = "seal"
    with key_warnings(out), gallery_at(gallery, read_only=True) as people:
        check_place(at, Path(target))
        warn_permissions(at)
        made_keys = make_keys(at, profile)
        if quota is not None:
            Ledger(at).allow(quota)
        with out.progress("sealing", None, "templates") as step:
            made = life.seal(people, target, made_keys, told(step), preselect)
    older = life.remove_plain(gallery) if remove_plain else []
    lines = [
        ("sealed", f"{made.people} people, {made.templates} templates, {made.images} crops"),
        ("gallery", target),
        ("bytes", f"{made.bytes:,}"),
        ("keys", f"{at} ({made.identity})"),
        ("profile", made.profile),
        *(("preselection", words) for words in made.preselection[:LOSSES]),
        ("plain gallery", f"{gallery} was removed" if remove_plain else f"{gallery} is still there (--remove-plain)"),
    ]
    record = wire.encode(made) | {
        "gallery": target,
        "keys": str(at),
        "plain_removed": remove_plain,
        "older_copies": older,
    }
    out.answer(record, lines)
    for path in older:
        out.warn(f"{path} is an older plain copy of this gallery: remove it too.")


def told(step: Step) -> Callable[[int, int], None]:
    """A bar for what counts (done, in all)."""
    seen = 0

    def progress(done: int, total: int) -> None:
        nonlocal seen
        step(done - seen, total)
        seen = done

    return progress
