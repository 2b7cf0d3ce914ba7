"""Named groups of an album into a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mien.cluster.album import Album
from mien.cluster.state import GOOD
from mien.errors import UsageError
from mien.protocols import Gallery
from mien.types import Sample

MOST = 20  # faces of one group that are enrolled, the best ones: more make strangers match, not the person


def enrol(
    album: Album, gallery: Gallery, groups: Sequence[int | str] = (), *, keep_images: bool = False
) -> list[tuple[str, int]]:
    """Enrol named groups, all of them or the ones given, under their names; (name, new templates) of each.

    Each group is durable when its turn is over; the same again adds only what is new. Raises UsageError for a group
    without a name or without a face good enough, SpaceMismatch, GalleryError."""
    named = {group.number: group.name for group in album.groups(least=1, hidden=True) if group.name}
    chosen = [album.number(group) for group in groups] or list(named)
    nameless = [number for number in chosen if number not in named]
    if nameless:
        raise UsageError(f"Group {nameless[0]} has no name to enrol it under.", f"Give one: --name {nameless[0]} NAME.")
    done = []
    for number in chosen:
        best = sorted((face for face in album.faces(number) if face.quality >= GOOD), key=lambda face: -face.quality)
        samples = [_sample(album, face.face, keep_images) for face in best[:MOST]]
        if not samples:
            raise UsageError(f"{named[number]} has no face good enough to be known by.", "Add better photos.")
        done.append((named[number], gallery.enrol(named[number], samples)))
    return done


def _sample(album: Album, face: int, keep_image: bool) -> Sample:
    sample = album.face(face)
    return sample if keep_image else replace(sample, face=None)
