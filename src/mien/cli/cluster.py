"""`mien cluster`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien import wire
from mien.cli import options
from mien.cli.group import verb
from mien.cli.options import gallery_at, rate, with_engine
from mien.cli.output import Column, Output, answers
from mien.cli.sources import Found, gather, is_still
from mien.errors import UsageError

if TYPE_CHECKING:
    from mien.cluster import Album, Grouped
    from mien.engine import Engine

GROUPS = (
    Column("group", lambda one: one["number"]),
    Column("name", lambda one: one["name"]),
    Column("faces", lambda one: one["faces"]),
    Column("photos", lambda one: one["photos"]),
    Column("likeness", lambda one: one["likeness"]),
    Column("best face", lambda one: f"f{one['best']}"),
    Column("hidden", lambda one: one["hidden"]),
)
FACES = (
    Column("face", lambda one: f"f{one['face']}"),
    Column("group", lambda one: one["group"]),
    Column("state", lambda one: one["state"]),
    Column("quality", lambda one: one["quality"]),
    Column("photo", lambda one: one["source"]),
    Column("box", lambda one: [round(value) for value in one["box"]], only="csv"),
)
REFUSED = 65  # exit code when a photo could not be used, though the rest went in
TILES = 24  # faces of a group on the sheet, the best first


@verb("cluster")
@click.argument("words", metavar="PHOTOS... | ALBUM", nargs=-1, required=True)
@click.option("-o", "album", metavar="ALBUM", help="The album that the photos go into, such as people.cluster.")
@click.option("--allow-twice", is_flag=True, help="These photos may show one person twice: mirrors, collages.")
@click.option(
    "--fmr", type=rate, metavar="RATE", help="False-match rate at which two single faces merge (default: 3e-5)."
)
@click.option("--again", is_flag=True, help="Group anew all that has no name, after a change of --fmr.")
@click.option("--faces", is_flag=True, help="List faces, not groups; with --group those of one.")
@click.option("--group", metavar="GROUP", help="The group that --faces lists.")
@click.option("--all", "everything", is_flag=True, help="List hidden groups too.")
@click.option("--draw", metavar="FOLDER", help="Write a page with the faces of each group there.")
@click.option(
    "--merge", multiple=True, nargs=2, metavar="A B", help="Two groups (or a group and a face) are one person."
)
@click.option("--split", metavar="GROUP", help="A group is two persons: the part least like the rest leaves.")
@click.option(
    "--face", "leaving", multiple=True, metavar="FACE", help="With --split: the faces that leave; repeatable."
)
@click.option("--not", "no", nargs=2, metavar="FACE GROUP", help="A face is not the person of a group.")
@click.option("--name", nargs=2, metavar="GROUP NAME", help="Name a group.")
@click.option("--hide", metavar="GROUP", help="Leave a group out of listings.")
@click.option("--show", metavar="GROUP", help="Hidden no more.")
@click.option("--undo", is_flag=True, help="Take back the last of these commands.")
@click.option("--forget", metavar="GROUP", help="Erase the faces of a group for good.")
@click.option("--enrol", metavar="GALLERY", help="Enrol named groups, or the one just named, into a gallery.")
@click.option("--keep-images", is_flag=True, help="With --enrol: keep crops in the gallery.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@with_engine()
@answers
def command(words: tuple[str, ...], album: str | None, engine: Engine, out: Output, **said: Any) -> int:
    """\b
      mien cluster photos/ -o people.cluster          find faces, group them; again later: only what is new
      mien cluster people.cluster                     list the groups
      mien cluster people.cluster --draw people       and show them
      mien cluster people.cluster --name 3 Ana --enrol people.db

    Faces are called f1, f2 ..., groups 1, 2 ...; a group can be called by its name too. What you say (--merge, --split,
    --not, --name, --hide) binds all later runs; --undo takes back the last. Two faces of one photo are two people.
    A face too poor to say stays unsure and in no group; the original photos are never changed."""
    from mien.cluster import open_album

    if album is not None:
        found = gather(words)
        with open_album(album) as book:
            return _add(book, album, found, engine, said, out)
    if len(words) != 1 or Path(words[0]).is_dir():
        raise UsageError("No album is named for these photos.", "Give it with -o, such as -o people.cluster.")
    changes = _changes(said)
    with open_album(words[0], create=False, read_only=not changes and not said["again"]) as book:
        if said["again"]:
            out.note(_told(book.group(_bar(engine, said), anew=True)))
        for line in _apply(book, words[0], changes, said, out):
            out.note(line)
        _list(book, words[0], said, engine, out)
    return 0


def _add(book: Album, path: str, found: Found, engine: Engine, said: dict[str, Any], out: Output) -> int:
    if _changes(said):
        raise UsageError(
            "Photos are added by one command and groups changed by another.", f"Use: mien cluster {path} ..."
        )
    stills = [source for source in found.sources if is_still(source)]
    with out.progress("looking", len(stills), "photos") as step:
        added, grouped = book.add(
            engine, stills, allow_twice=said["allow_twice"], fmr=said["fmr"] or _fmr(), step=lambda done: step(done)
        )
    refused = [*found.refused, *added.refused]
    _list(book, path, said, engine, out, added=wire.encode(added) | {"refused": out.problems(added.refused)},
          grouped=wire.encode(grouped), failures=out.problems(refused))  # fmt: skip
    out.note(
        f"{added.photos:,} new photos ({added.without:,} without a face), {added.known:,} seen before, {added.faces:,} faces."
    )
    out.note(_told(grouped))
    videos = len(found.sources) - len(stills)
    if videos:
        out.note(f"{videos} {'video was' if videos == 1 else 'videos were'} not looked at: only photos are grouped.")
    out.passed(found.passed)
    out.failures(refused)
    return REFUSED if refused else 0


def _told(grouped: Grouped) -> str:
    words = f"{grouped.joined:,} faces found a group; {len(grouped.new):,} groups are new."
    return words + "".join(f" Group {old} is part of {into} now." for old, into in grouped.merged[:20])


def _changes(said: dict[str, Any]) -> list[str]:
    return [key for key in ("merge", "split", "no", "name", "hide", "show", "undo", "forget", "enrol") if said[key]]


def _apply(book: Album, path: str, changes: Sequence[str], said: dict[str, Any], out: Output) -> list[str]:
    """Do what was asked for; what to say about each."""
    told: list[str] = []
    for one, other in said["merge"]:
        told.append(f"They are group {book.merge(one, other, allow_twice=said['allow_twice'])} now.")
    if said["split"]:
        told.append(f"What left is group {book.split(said['split'], said['leaving'])}.")
    if said["no"]:
        book.separate(*said["no"])
    if said["name"]:
        book.name(*said["name"])
    for key in ("hide", "show"):
        if said[key]:
            book.hide(said[key], key == "hide")
    if said["undo"]:
        told.append(f"Taken back: {book.undo()}")
    if said["forget"]:
        if not said["yes"] and options.on_terminal():
            click.confirm(f"Erase the faces of group {said['forget']} from {path} for good?", abort=True, err=True)
        told.append(f"{book.forget(said['forget'])} faces are erased.")
    if said["enrol"]:
        told += _enrol(book, said)
    return told


def _enrol(book: Album, said: dict[str, Any]) -> list[str]:
    from mien.cluster import enrol

    with gallery_at(said["enrol"], create=True) as gallery:
        chosen = [said["name"][0]] if said["name"] else []
        done = enrol(book, gallery, chosen, keep_images=said["keep_images"])
    return [f"{name}: {count} new pictures in {said['enrol']}." for name, count in done] or ["No group has a name yet."]


def _list(book: Album, path: str, said: dict[str, Any], engine: Engine, out: Output, **rest: Any) -> None:
    groups = book.groups(hidden=said["everything"])
    sheet = _sheet(book, path, groups, Path(said["draw"])) if said["draw"] else None
    seen = book.faces(said["group"])
    counts = {state: sum(1 for one in seen if one.state == state) for state in ("grouped", "alone", "unsure")}
    common = {"album": path, "counts": counts, "sheet": sheet, **rest}
    if said["faces"] or said["group"]:
        out.table("faces", FACES, [wire.encode(one) for one in seen], **common)
    else:
        out.table("groups", GROUPS, [wire.encode(one) for one in groups], **common)
    out.note(f"{len(groups):,} groups; {counts['grouped']:,} faces in groups, {counts['alone']:,} like nobody else, "
             f"{counts['unsure']:,} too poor to say.")  # fmt: skip
    if sheet:
        out.note(f"{sheet} shows them.")
        for pair in book.alike(_bar(engine, said))[:5]:
            merging = f"mien cluster {path} --merge {pair.one} {pair.other}"
            out.note(f"One person? {pair.one} and {pair.other} ({pair.likeness:.3f}). If so: {merging}")


def _sheet(book: Album, path: str, groups: Sequence[Any], folder: Path) -> str:
    from mien.media.contact import Row, Tile, write_sheet

    def tile(face: int) -> Tile:
        sample = book.face(face)
        assert sample.face is not None
        return Tile(sample.face.frame.pixels, f"f{face} {Path(sample.source).name}")

    rows = []
    for group in groups:
        seen = sorted(book.faces(group.number), key=lambda one: (one.face != group.best, -one.quality))
        note = f"{group.faces} faces in {group.photos} photos, mean likeness {group.likeness:.3f}"
        note += f"; {TILES} are shown" if len(seen) > TILES else ""
        title = f"{group.number} {group.name}".strip()
        rows.append(Row(title, note, [tile(one.face) for one in seen[:TILES]]))
    left = [one for one in book.faces() if one.state == "unsure"]
    if left:
        rows.append(Row("Unsure", f"{len(left)} faces too poor to say", [tile(one.face) for one in left[:TILES]]))
    target = folder / "index.html"
    write_sheet(target, f"People of {Path(path).name}", [f"{len(groups)} groups."], rows)
    return str(target)


def _bar(engine: Engine, said: dict[str, Any]) -> Any:
    from mien.cluster import bar_at

    return bar_at(engine.points, said["fmr"] or _fmr())


def _fmr() -> float:
    from mien.cluster import FMR

    return FMR
