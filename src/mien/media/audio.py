"""Sound: any file's first audio stream as mono at 16 kHz."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from mien.errors import UnreadableMedia
from mien.media.door import shown
from mien.media.video import damage, open_container, reason, start_of
from mien.types import F32

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

RATE = 16_000  # Hz
MAX_SECONDS = 6 * 3600.0  # 1.4 GB of samples


def read_audio(source: str | os.PathLike[str] | bytes) -> F32:
    """(n,) mono, 16 kHz, -1..1, from the start of the source: silence stands where the sound begins later than the picture.
    Sound that is damaged or cut short later on ends there.

    Raises MediaNotFound; UnreadableMedia when there is no sound, when it is damaged from the start, or longer than 6 h."""
    import av

    name = shown(source)
    container = open_container(source)
    try:
        if not container.streams.audio:
            raise UnreadableMedia(f"{name} has no sound.", "Give a file with an audio stream.")
        stream = container.streams.audio[0]
        origin = start_of(container, stream)
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        parts: list[F32] = []
        count = 0
        for frame in _until_damaged(container.decode(stream)):
            if not parts and frame is not None and frame.time is not None:
                parts.append(np.zeros(max(0, round((frame.time - origin) * RATE)), np.float32))
            for piece in resampler.resample(frame):
                parts.append(np.asarray(piece.to_ndarray(), np.float32)[0])
                count += parts[-1].size
            if count > MAX_SECONDS * RATE:
                raise UnreadableMedia(f"{name} has more than 6 hours of sound.", "Cut it into parts.")
    except damage() as error:
        raise UnreadableMedia(
            f"The sound of {name} is damaged: {reason(error)}.", "Copy or record it again."
        ) from error
    finally:
        container.close()
    return np.clip(np.concatenate(parts), -1.0, 1.0) if parts else np.zeros(0, np.float32)


def _until_damaged(frames: Iterator[AudioFrame]) -> Iterator[AudioFrame | None]:
    """Frames up to the first that cannot be decoded, then None, which drains the resampler; damage at once is raised."""
    some = False
    try:
        for frame in frames:
            some = True
            yield frame
    except damage():
        if not some:
            raise
    yield None
