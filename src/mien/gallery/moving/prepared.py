"""Both indexes of a gallery that is being migrated, held against each other, and a picture of where they disagree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from mien.errors import UsageError
from mien.gallery.base import BaseGallery
from mien.gallery.embedded import EmbeddedGallery
from mien.gallery.moving.beside import held
from mien.gallery.moving.compare import Comparison, Confused, Probe, compare
from mien.gallery.moving.follow import Progress
from mien.gallery.moving.state import Ledger, state_path
from mien.protocols import Embedder
from mien.types import F32, U8, Face, Frame, OperatingPoint

_SIDE, _GAP, _TEXT = 128, 10, 15  # px of a crop, between crops, of letters
_INK, _PAPER = (20, 20, 20), 255


@contextmanager
def both(path: str | os.PathLike[str]) -> Iterator[tuple[EmbeddedGallery, EmbeddedGallery]]:
    """(index in the old space, index in the new space) of a gallery under migration, to read.

    Raises UsageError where none is under way."""
    home = Path(path).absolute()
    if not state_path(home).exists():
        raise UsageError(
            f"No migration of {path} is under way.", f"Begin one with: mien migrate {path} --prepare --embedder NAME"
        )
    with Ledger(home) as ledger:
        second, phase = ledger.second, ledger.state.phase
    with ExitStack() as stack:
        one = stack.enter_context(EmbeddedGallery(path, create=False, read_only=True))
        other = stack.enter_context(EmbeddedGallery(second, create=False, read_only=True))
        yield (one, other) if phase == "preparing" else (other, one)


def compare_prepared(
    path: str | os.PathLike[str],
    *,
    embedders: tuple[Embedder | None, Embedder | None] = (None, None),
    points: tuple[OperatingPoint | None, OperatingPoint | None] = (None, None),
    probes: int = 5000,
    progress: Progress | None = None,
) -> Comparison:
    """`compare` the two indexes of a gallery under migration, before the switch or after it; the verdict is written down."""
    with both(path) as (before, after):
        found = compare(before, after, embedders=embedders, points=points, probes=probes, progress=progress)
    home = Path(path).absolute()
    if os.access(home.parent, os.W_OK):
        with held(home), Ledger(home) as ledger:
            ledger.write(replace(ledger.state, compared=found.words))
    return found


def disagreements(found: Comparison, before: BaseGallery, after: BaseGallery, most: int = 24) -> Frame:
    """A picture with one line for each crop whose name changed and for each pair newly confused, the lost first.

    Left the crop, then the crop nearest to it of whoever it is taken for before, and of whoever after."""
    from PIL import Image, ImageDraw

    from mien.media.text import draw_text, fitted

    lines = _lines(found)[:most]
    width = 3 * (_SIDE + _GAP) + 420
    sheet = np.full((max(1, len(lines)) * (_SIDE + _GAP) + _GAP, width, 3), _PAPER, np.uint8)
    texts: list[tuple[int, list[str]]] = []
    for number, (subject, at, first, last, words) in enumerate(lines):
        top = _GAP + number * (_SIDE + _GAP)
        probe = [sample for _, sample in before.samples(subject)][at]
        crops = [probe.face, *_nearest(before, after, (first, last), (subject, at))]
        for place, face in enumerate(crops):
            if face is not None:
                left = _GAP + place * (_SIDE + _GAP)
                sheet[top : top + _SIDE, left : left + _SIDE] = _small(face)
        texts.append((top, words))
    picture = Image.fromarray(sheet)
    draw = ImageDraw.Draw(picture)
    for top, words in texts:
        for row, text in enumerate(words):
            corner = (3 * (_SIDE + _GAP) + _GAP, top + (row + 1) * (_TEXT + 7))
            draw_text(draw, corner, fitted(text, _TEXT, 400), _TEXT, _INK)
    if not lines:
        draw_text(draw, (_GAP, _SIDE // 2), "No crop changes its name, and nobody is newly confused.", _TEXT, _INK)
    return Frame(np.asarray(picture), "disagreements")


def _lines(found: Comparison) -> list[tuple[str, int, str, str, list[str]]]:
    """(subject, crop, name before, name after, words) of what is to be shown."""
    order = {"lost": 0, "other": 1, "mended": 2, "same": 3}
    changed: list[Probe] = sorted(found.changed, key=lambda probe: order[probe.change])
    lines = [
        (
            probe.subject,
            probe.number,
            probe.before.first,
            probe.after.first,
            [
                f"{probe.subject}: {probe.change}" + (" (changed copy of the only crop)" if probe.augmented else ""),
                f"before: {probe.before.first} (own {probe.before.own:.3f}, next {probe.before.other:.3f})",
                f"after: {probe.after.first} (own {probe.after.own:.3f}, next {probe.after.other:.3f})",
            ],
        )
        for probe in changed
    ]
    shown = {(probe.subject, probe.number) for probe in changed}
    pairs: list[Confused] = [pair for pair in found.confused if (pair.subject, pair.number) not in shown]
    return lines + [
        (
            pair.subject,
            pair.number,
            pair.subject,
            pair.rival,
            [f"{pair.subject}: newly confused", f"after: with {pair.rival} at {pair.score:.3f}"],
        )
        for pair in pairs
    ]


def _nearest(
    before: BaseGallery, after: BaseGallery, names: tuple[str, str], probe: tuple[str, int]
) -> Iterator[Face | None]:
    """In each gallery the crop of the person named that is nearest to the probe, other than itself; None where none is."""
    subject, number = probe
    olds = [sample for _, sample in before.samples(subject)]
    source = olds[number].face
    for gallery, name in zip((before, after), names, strict=True):
        mine = [sample for _, sample in gallery.samples(subject)]
        like: F32 | None = next((one.template.vector for one in mine if _same_crop(one.face, source)), None)
        rows = [sample for _, sample in gallery.samples(name) if not _same_crop(sample.face, source)]
        rows = [sample for sample in rows if sample.face is not None]
        if not rows or like is None:
            yield None
        else:
            yield max(rows, key=lambda sample: float(sample.template.vector @ like)).face


def _same_crop(one: Face | None, other: Face | None) -> bool:
    return one is not None and other is not None and np.array_equal(one.frame.pixels, other.frame.pixels)


def _small(face: Face) -> U8:
    """(S, S, 3) the crop, as large as a place of the sheet."""
    from PIL import Image

    return np.asarray(Image.fromarray(face.frame.pixels).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))
