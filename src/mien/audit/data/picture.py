"""The noun of every data set: a picture with a name, and whose it is said to be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mien.errors import UnreadableMedia, UsageError
from mien.types import F32, Frame

WIDEST = 2.0  # of `pad`: a picture five times as large as it was


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A labelled picture. Nothing is read before `read` or `content` is called; both raise MediaNotFound, UnreadableMedia."""

    name: str  # unique within its data set: its path there, with /
    subject: str  # whose picture it is said to be; "" where the data does not say
    read: Callable[[], Frame]
    content: Callable[[], bytes] | None = None  # the bytes of its file; None for a picture that is no file
    points: F32 | None = None  # (5, 2) where the data set says where the face is: then no detector looks
    pad: float = 0.0  # how much of each side `read` adds all round

    def digest(self) -> str:
        """SHA-256 of the file's bytes, or of the pixels where there is no file."""
        if self.content is not None:
            return hashlib.sha256(self.content()).hexdigest()
        pixels = self.read().pixels
        return hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()


def picture(
    name: str, subject: str, content: Callable[[], bytes], pad: float = 0.0, points: F32 | None = None
) -> Labelled:
    """A picture from the bytes of its file. Where `points` say where the face is, nothing is padded."""
    pad = 0.0 if points is not None else pad

    def read() -> Frame:
        from mien.media import read_image

        try:
            pixels = read_image(content()).pixels
        except UnreadableMedia as error:  # bytes have no name: say which picture
            words = error.message.replace("The given data", name).replace("the given data", name)
            raise UnreadableMedia(words, error.remedy) from error
        return padded(Frame(pixels, name), pad)

    return Labelled(name, subject, read, content, points, pad)


def padded(frame: Frame, pad: float) -> Frame:
    """A frame with `pad` of its width (height) added on either side by continuing its edges.

    Detectors look for a face with something around it; crops that a face fills are hardly ever found without."""
    if not pad:
        return frame
    high, wide = round(pad * frame.height), round(pad * frame.width)
    return Frame(np.pad(frame.pixels, ((high, high), (wide, wide), (0, 0)), mode="edge"), frame.source)


def check_pad(pad: float) -> None:
    """Raises UsageError for a share that is none."""
    if not 0 <= pad <= WIDEST:
        raise UsageError(f"Pictures cannot be padded by {pad:g} of their side.", f"Give 0 to {WIDEST:g}.")
