"""A photo to a simulated presentation of it: live, or by an instrument, before the same camera."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mien.errors import InputError, UsageError
from mien.learn.attacks import cut, printed, replay, scene
from mien.learn.attacks.attack import BONA_FIDE, KINDS, Attack, Kind, Value
from mien.learn.attacks.camera import capture
from mien.learn.attacks.draws import Draws
from mien.learn.attacks.scene import OVER, Canvas, Seen, View
from mien.types import F32, U8

SMALLEST, LARGEST = 16, 2000  # px, side of the delivered picture


def simulate(
    pixels: U8,
    kind: Kind,
    seed: int,
    points: F32 | None = None,
    size: tuple[int, int] | None = None,
    fixed: Mapping[str, Value] | None = None,
) -> Attack:
    """A presentation of the photo (H, W, 3) RGB. The same seed has the same view and camera, whatever the kind.

    points: (5, 2) px as `Face.points`, for "cut" and "partial"; without, a face that fills the photo is assumed. size:
    width, height in px of the delivered picture; the photo's own by default. fixed: values not left to chance, by the names
    that `Attack.parameters` shows. Raises UsageError for an unknown kind or name, InputError for what is no photo."""
    if kind not in KINDS:
        raise UsageError(f"There is no presentation of kind {kind!r}.", f"Choose among {', '.join(KINDS)}.")
    height, width = _checked(pixels, size)
    draws = Draws(seed, fixed)
    view = scene.look(draws.stream("view"), height, width)
    source = scene.shrunk(pixels, view)
    if kind == BONA_FIDE:
        none = np.zeros(view.u.shape, np.float32)
        seen = Seen(scene.photo(source, view.u, view.v), none, none)
    else:
        height, width = pixels.shape[:2]
        seen = _presented(source, kind, draws, view, (height / width, cut.shares(points, height, width)))
    delivered = capture(seen.light, view, draws.stream("camera"))
    draws.check()
    return Attack(delivered, kind, draws.truth, _labelled(seen))


def _checked(pixels: U8, size: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of what is delivered."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or min(pixels.shape) < 2:
        raise InputError(
            f"A photo is (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}.", "Read it with `read_image`."
        )
    width, height = size if size is not None else (pixels.shape[1], pixels.shape[0])
    if min(width, height) < SMALLEST or max(width, height) > LARGEST:
        raise UsageError(
            f"A picture of {width} x {height} px cannot be simulated.", f"Use {SMALLEST} to {LARGEST} px as `size`."
        )
    return height, width


def _presented(source: U8, kind: Kind, draws: Draws, view: View, face: tuple[float, F32]) -> Seen:
    """What an instrument sends to the sensor. face: height over width of the photo, its points as shares of both."""
    aspect, points = face
    if kind == "replay":
        stream = draws.stream("replay")
        shown = scene.photo(replay.prepare(source, stream), view.u, view.v)
        return replay.render(Canvas(view, shown, view.u, view.v, aspect), stream)
    stream = draws.stream("printed")
    u, v, shade = printed.bend(view, stream)
    canvas = Canvas(view, scene.photo(source, u, v), u, v, aspect)
    sheet = printed.render(canvas, shade, stream)
    if kind == "print":
        return sheet
    own = draws.stream(kind)
    away = cut.behind(canvas, own) if kind == "cut" else (view.u, view.v)
    if kind == "cut":
        cover = 1 - cut.holes(canvas, points, own)
    else:  # a piece of the sheet, as far as the sheet goes
        cover = cut.piece(canvas, points, own) * (sheet.picture + sheet.frame)
    light = cut.put(sheet.light, scene.photo(source, *away), cover, own)
    return Seen(light, sheet.picture * cover, sheet.frame * cover)


def _labelled(seen: Seen) -> U8:
    """(h / OVER, w / OVER) parts of `PARTS`, from what the sensor saw: the largest share wins."""
    height, width = seen.picture.shape[0] // OVER, seen.picture.shape[1] // OVER
    shares = [part.reshape(height, OVER, width, OVER).mean((1, 3)) for part in (seen.picture, seen.frame)]
    found: U8 = np.stack([1 - shares[0] - shares[1], *shares]).argmax(0).astype(np.uint8)
    return found
