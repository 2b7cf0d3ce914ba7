"""Bytes to frames, and back.

Pictures, video, cameras, streams and sound come in; `Frame` and mono sound go on; annotated pictures come out. Nothing
heavier than numpy is loaded until one of these is called. Only this room and the mouths of models know BGR.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.media.audio import read_audio
    from mien.media.draw import draw_faces
    from mien.media.image import encoded, read_image, write_image
    from mien.media.marks import read_mark
    from mien.media.panels import Band, Panel, bands, draw_panels
    from mien.media.recorder import write_video
    from mien.media.source import find, folder_per_person, frames_of, kind
    from mien.media.timelines import TimelineRow, timeline
    from mien.media.video import Video, open_video

_HOME = {
    "Band": "panels",
    "Panel": "panels",
    "TimelineRow": "timelines",
    "Video": "video",
    "bands": "panels",
    "draw_faces": "draw",
    "draw_panels": "panels",
    "find": "source",
    "folder_per_person": "source",
    "frames_of": "source",
    "kind": "source",
    "open_video": "video",
    "read_audio": "audio",
    "read_image": "image",
    "read_mark": "marks",
    "timeline": "timelines",
    "encoded": "image",
    "write_image": "image",
    "write_video": "recorder",
}
__all__ = [
    "Band",
    "Panel",
    "TimelineRow",
    "Video",
    "bands",
    "draw_faces",
    "draw_panels",
    "encoded",
    "find",
    "folder_per_person",
    "frames_of",
    "kind",
    "open_video",
    "read_audio",
    "read_image",
    "read_mark",
    "timeline",
    "write_image",
    "write_video",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
