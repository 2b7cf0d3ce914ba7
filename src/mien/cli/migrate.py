"""`mien migrate`."""

from __future__ import annotations

import click

from mien import wire
from mien.cli.group import verb
from mien.cli.output import Output, answers


@verb("migrate")
@click.argument("gallery", metavar="GALLERY")
@click.option("--embedder", metavar="NAME", required=True, help="Model to move to (see `mien models`).")
@click.option("--allow-loss", is_flag=True, help="Go on although some pictures kept no crop and will be gone.")
@click.option("--no-backup", is_flag=True, help="Do not keep the gallery as it was beside it.")
@answers
def command(gallery: str, embedder: str, allow_loss: bool, no_backup: bool, out: Output) -> None:
    """Templates of one model mean nothing to another, so they are made again from the crops that
    `enrol --keep-images` kept. All of the gallery moves or nothing does; it can be read meanwhile."""
    from mien import embed
    from mien.gallery import migrate_in_place

    with out.progress("migrating", None, "pictures") as step:
        seen = 0

        def told(done: int, total: int) -> None:
            nonlocal seen
            step(done - seen, total)
            seen = done

        moved = migrate_in_place(
            gallery, embed.load(embedder), allow_loss=allow_loss, keep_backup=not no_backup, progress=told
        )
    lines = [
        ("moved", f"{moved.moved} pictures"),
        ("left behind", f"{moved.left} pictures without a crop"),
        ("nobody left of", list(moved.without_crop)),
        ("space", moved.space),
        ("as it was", moved.backup),
        ("from now on", f"use {gallery} with --embedder {embedder}"),
    ]
    out.answer(wire.encode(moved), [(title, words) for title, words in lines if words])
