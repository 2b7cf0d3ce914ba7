"""`sheet.png`: what a person looks at first. Made from the files that were written, not from what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from mien.learn.synth import sinks
from mien.learn.synth.manifest import Wanted, truths
from mien.learn.synth.truth import Truth
from mien.types import U8

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_TILE, _LINE, _PAD, _ACROSS, _DOWN = 128, 16, 4, 8, 8  # px, px, px, tiles, tiles
_T = TypeVar("_T")
_INK, _PALE, _BAR = (24, 24, 27), (113, 113, 122), (37, 99, 235)


def draw_sheet(wanted: Wanted, folder: Path, names: Sequence[str]) -> None:
    """Stills: up to 64, spread over all. Clips: up to 8, a row each, with the strongest unit as a bar under each frame."""
    from PIL import Image, ImageDraw

    from mien.media.text import draw_text, fitted

    rows: list[list[tuple[Truth, int, U8]]] = []
    for group in _groups(wanted, names):
        found = list(truths(folder, group))
        places = [[0]] * len(found) if wanted.kind == "stills" else [_moments(truth) for truth in found]
        rows.append(
            [(truth, *one) for truth, at in zip(found, places, strict=True) for one in _pixels(folder, truth, at)]
        )
    down = len(rows)
    cell = _TILE + 2 * _LINE + _PAD
    sheet = Image.new("RGB", (_ACROSS * (_TILE + _PAD) + _PAD, down * cell + _LINE + 3 * _PAD), "white")
    draw = ImageDraw.Draw(sheet)
    words = (
        f"Synthetic. {wanted.program.name}: {len(names)} {wanted.kind}, {wanted.subjects} subjects, seed {wanted.seed}"
    )
    draw_text(draw, (_PAD, _LINE), fitted(words, 13, sheet.width - 2 * _PAD), 13, _INK)
    tiles = [(row, column, tile) for row, found in enumerate(rows) for column, tile in enumerate(found)]
    for row, column, (truth, place, pixels) in tiles:
        left, top = _PAD + column * (_TILE + _PAD), _LINE + 3 * _PAD + row * cell
        tile = Image.fromarray(pixels).resize((_TILE, _TILE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (left, top))
        first, second = _captions(truth, place, wanted, column == 0)
        draw_text(draw, (left + 1, top + _TILE + 12), fitted(first, 11, _TILE - 2), 11, _INK)
        draw_text(draw, (left + 1, top + _TILE + _LINE + 11), fitted(second, 10, _TILE - 2), 10, _PALE)
        _bar(draw, truth, place, (left, top + _TILE + 2 * _LINE - 1))
    with sinks.whole(folder / "sheet.png") as part:
        sheet.save(part, "PNG")


def _captions(truth: Truth, place: int, wanted: Wanted, first: bool) -> tuple[str, str]:
    frame = truth.frames[place]
    groups = ", ".join(level for _, level in sorted(truth.group.items()))
    unit, strength = _strongest(truth, place)
    what = f"{unit} {strength:.2f}" if strength > 0.05 else ""
    label = truth.label + (f" (is {truth.true})" if truth.noisy else "")
    if wanted.kind == "stills":
        return f"{truth.subject} {label}", f"{what}  {groups}".strip()
    return (f"{truth.subject} {label}" if first else f"{frame.time:.2f} s"), (groups if first and not what else what)


def _bar(draw: ImageDraw, truth: Truth, place: int, at: tuple[int, int]) -> None:
    _, strength = _strongest(truth, place)
    draw.line((at[0], at[1], at[0] + _TILE, at[1]), fill=(228, 228, 231), width=2)
    if strength > 0.01:
        draw.line((at[0], at[1], at[0] + int(_TILE * strength), at[1]), fill=_BAR, width=2)


def _strongest(truth: Truth, place: int) -> tuple[str, float]:
    units = truth.frames[place].units
    name = max(units, key=lambda unit: max(units[unit]), default="")
    return name, max(units[name]) if name else 0.0


def _moments(truth: Truth) -> list[int]:
    """Eight frames spread over the clip; the nearest to each apex gives way to the apex itself."""
    count = len(truth.frames)
    found = [round(at) for at in np.linspace(0, count - 1, _ACROSS)]
    for one in truth.intervals[:_ACROSS]:
        nearest = min(range(len(found)), key=lambda at: abs(found[at] - one.frames[1]))
        found[nearest] = one.frames[1]
    return sorted(found)


def _pixels(folder: Path, truth: Truth, places: Sequence[int]) -> list[tuple[int, U8]]:
    """(place, (H, W, 3)) of some frames of a clip, from its file."""
    from mien.media import open_video, read_image

    kind, where = next(iter(truth.media.items()))
    path = folder / where
    if kind == "picture":
        return [(place, read_image(path).pixels) for place in places]
    if kind == "frames":
        files = sorted(path.iterdir(), key=lambda file: (len(file.name), file.name))
        return [(place, read_image(files[place]).pixels) for place in places]
    found: dict[int, U8] = {}
    with open_video(path) as video:
        for number, frame in enumerate(video.frames()):
            if number in places:
                found[number] = frame.pixels
    return [(place, found[place]) for place in places]


def _groups(wanted: Wanted, names: Sequence[str]) -> list[list[str]]:
    """Names of each row: a clip; a subject's stills, where a row holds them; any stills, where not."""
    if wanted.kind == "clips":
        return [[name] for name in _spread(names, _DOWN)]
    by_subject = [list(group) for _, group in groupby(names, lambda name: name.partition("-")[0])]
    if all(1 < len(group) <= _ACROSS for group in by_subject):
        return [by_subject[at] for at in _spread(range(len(by_subject)), _DOWN)]
    shown = _spread(names, _ACROSS * _DOWN)
    return [shown[at : at + _ACROSS] for at in range(0, len(shown), _ACROSS)]


def _spread(things: Sequence[_T], count: int) -> list[_T]:
    """Up to `count` drawn from all, in their order: steps of equal length could meet the same label each time."""
    if len(things) <= count:
        return list(things)
    return [things[int(at)] for at in sorted(np.random.default_rng(0).choice(len(things), count, replace=False))]
