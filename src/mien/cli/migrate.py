"""`mien migrate`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from mien.cli.group import verb
from mien.cli.migration import moved, show, tell
from mien.cli.options import gallery_at, rate
from mien.cli.output import Output, answers
from mien.errors import EvidenceError, ModelError, UsageError

if TYPE_CHECKING:
    from mien.gallery.moving.compare import Comparison
    from mien.gallery.moving.state import State
    from mien.protocols import Embedder
    from mien.types import Face, OperatingPoint, Template

_STEPS = {
    "prepare": "Make the second index beside the gallery, or bring it up to date; may be stopped and run again.",
    "compare": "Report who would be taken for whom. Exit code 0 safe, 1 look at people, 2 cannot tell.",
    "switch": "Use the new index from now on; the old one is kept beside it.",
    "roll-back": "Use the old index again, with what changed since.",
    "status": "Show how far it is.",
    "drop": "Erase the index that is not in use: gives up a migration, or accepts it.",
}


def _steps(function: Callable[..., Any]) -> Callable[..., Any]:
    for name, words in reversed(_STEPS.items()):
        function = click.option(f"--{name}", "step", flag_value=name, help=words)(function)
    return function


@verb("migrate")
@click.argument("gallery", metavar="GALLERY")
@click.option("--embedder", metavar="NAME", help="Model to move to (see `mien models`); later steps know it.")
@_steps
@click.option("--to", "target", metavar="GALLERY", help="Move people into that gallery, of any engine, instead.")
@click.option("--allow-loss", is_flag=True, help="Go on although some pictures kept no crop and will be gone.")
@click.option("--no-backup", is_flag=True, help="Do not keep the gallery as it was beside it.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Threads that embed.")
@click.option("--probes", type=click.IntRange(1), default=5000, show_default=True, help="Most crops to compare.")
@click.option("--fmr", type=rate, metavar="RATE", help="Compare at this false-match rate (default: as identify).")
@click.option("-o", "--out", "picture", metavar="PICTURE", help="Draw the crops that the spaces disagree about there.")
@answers
def command(gallery: str, step: str | None, out: Output, **asked: Any) -> int:
    """Templates of one model mean nothing to another, so they are made again from the crops that `enrol --keep-images` kept.

    Without a step it does everything: makes the second index, compares, switches, and keeps the way back. For a large
    gallery, or one in use, take the steps one by one; people enrolled or forgotten meanwhile come along."""
    from mien.gallery.moving import steps

    if asked["target"] is not None:
        return _into(gallery, asked["target"], asked["embedder"], step, out)
    if step == "status":
        return tell(steps.status(gallery), gallery, out)
    if step == "drop":
        gone = steps.drop(gallery)
        out.answer({"erased": gone}, [("erased", gone or "nothing was left to erase")])
        return 0
    if step == "compare":
        return show(_compared(gallery, asked, out), out)
    state = _state(gallery)
    how = {"allow_loss": asked["allow_loss"], "workers": asked["workers"]}
    if step == "roll-back":
        with _pictures("migrating", out) as told:
            done = steps.roll_back(gallery, _old(state, asked["embedder"]), **how, progress=told)
        return moved(done, gallery, step, out)
    model = _wanted(asked["embedder"] or (state.embedder if state else None))
    if step == "switch":
        with _pictures("migrating", out) as told:
            done = steps.switch(gallery, model, **how, progress=told)
        return moved(done, gallery, step, out)
    with _pictures("migrating", out) as told:
        found = steps.prepare(gallery, model, **how, progress=told)
    return tell(found, gallery, out) if step == "prepare" else _all(gallery, model, asked, out)


def _all(gallery: str, model: Embedder, asked: dict[str, Any], out: Output) -> int:
    """The rest of the one-command way: compare, switch, and drop the old where it is not to be kept."""
    from mien.gallery.moving import steps

    compared = _compared(gallery, asked, out)
    with _pictures("switching", out) as told:
        done = steps.switch(gallery, model, allow_loss=asked["allow_loss"], workers=asked["workers"], progress=told)
    if asked["no_backup"]:
        steps.drop(gallery)
        done = replace(done, backup="")
    return moved(done, gallery, "", out, compared)


def _into(gallery: str, target: str, name: str | None, step: str | None, out: Output) -> int:
    from mien.gallery import migrate, open_gallery

    if step is not None:
        raise UsageError(f"--to moves people at once, so --{step} has nothing to do.", "Leave one of them out.")
    model = _wanted(name)
    with (
        gallery_at(gallery, read_only=True, out=out) as source,
        open_gallery(target) as fresh,
        _pictures("migrating", out) as told,
    ):
        done = migrate(source, model, fresh, told)
    return moved(done, target, "to", out)


def _state(gallery: str) -> State | None:
    from pathlib import Path

    from mien.gallery.moving.state import Ledger, state_path

    home = Path(gallery).absolute()
    if "://" in gallery or not state_path(home).exists():
        return None
    with Ledger(home) as ledger:
        return ledger.state


def _wanted(name: str | None) -> Embedder:
    if name is None:
        raise UsageError("No model to move to is named.", "Give --embedder NAME; `mien models` lists them.")
    from mien import embed

    return embed.load(name)


class _Later:
    """An embedder of a card that is loaded when it is first used; its space is known before."""

    def __init__(self, name: str, space: str) -> None:
        self.name, self.space = name, space
        self._loaded: Embedder | None = None

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        """One template per face."""
        from mien import embed

        self._loaded = self._loaded or embed.load(self.name)
        return self._loaded.embed(faces)


def _old(state: State | None, name: str | None) -> Embedder | None:
    """The model of the old space, for people enrolled since the switch."""
    if name is not None:
        return _wanted(name)
    return None if state is None else _of_space(state.old)


def _of_space(space: str) -> Embedder | None:
    """The model that makes a space, by the cards; None where none does."""
    from mien import embed, models

    for card in models.catalogue("embedder"):
        try:
            if embed.space(card) == space:
                return _Later(card.name, space)
        except (ModelError, UsageError):
            continue  # a card without digests or input makes no space
    return None


def _compared(gallery: str, asked: dict[str, Any], out: Output) -> Comparison:
    from mien.gallery.moving.prepared import both, compare_prepared, disagreements
    from mien.media import write_image

    with both(gallery) as (before, after):
        size, spaces = max(1, before.templates), (before.space or "", after.space or "")
    one, other = (_usable(_of_space(space)) for space in spaces)
    points = (_point(one, size, asked["fmr"]), _point(other, size, asked["fmr"]))
    with _pictures("comparing", out) as told:
        found = compare_prepared(gallery, embedders=(one, other), points=points, probes=asked["probes"], progress=told)
    if asked["picture"] is not None:
        with both(gallery) as (before, after):
            write_image(disagreements(found, before, after), asked["picture"])
    return found


def _usable(embedder: Embedder | None) -> Embedder | None:
    """The model, unless its files cannot be had or its terms were not accepted: then people with one crop are told apart."""
    from mien import models

    if embedder is None:
        return None
    try:
        models.ready(models.card(embedder.name))
    except ModelError:
        return None
    return embedder


def _point(embedder: Embedder | None, size: int, fmr: float | None) -> OperatingPoint | None:
    """Where `mien identify` would accept in a gallery of this size, by the model's card."""
    from mien import models
    from mien.decide import Policy

    if embedder is None:
        return None
    points = [one for one in models.card(embedder.name).operating_points if one.space == embedder.space]
    try:
        return Policy(fmr=fmr).point(points, size)
    except EvidenceError:
        if fmr is not None:
            raise
        return None


@contextmanager
def _pictures(doing: str, out: Output) -> Iterator[Callable[[int, int], None]]:
    """A bar of pictures, and without a terminal a line now and then; both with rate and time left."""
    began, seen, last = time.monotonic(), -1, time.monotonic()
    start = 0

    with out.progress(doing, None, "pictures") as step:

        def told(done: int, total: int) -> None:
            nonlocal seen, last, start
            if seen < 0:
                start = seen = done
            step(done - seen, total)
            seen, now = done, time.monotonic()
            if now - last >= 30 and now > began and done > start:
                last, speed = now, (done - start) / (now - began)
                out.note(
                    f"{doing}: {done} of {total} pictures, {speed:.1f}/s, about {(total - done) / speed:.0f} s left"
                )

        yield told
