"""Readings of a video in the order of time.

Clips come when their person's window is complete, and that of somebody who left comes a little later than those of who
stayed. Here they wait until nobody can add to their window, which takes as long as a tracker is patient.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mien.errors import MienError
from mien.types import Clip, Reading

Seen = tuple[Clip, list[Reading]]


def in_order(found: Iterable[Seen], every: float) -> Iterator[list[Seen]]:
    """Everybody of one window of `every` s (0: of one frame) at a time, each by track. What is held when `found` fails
    is handed over first."""
    from mien.detect.clips import window_of
    from mien.detect.track import TrackerOptions

    patience = TrackerOptions().patience + 2  # frames
    held: dict[float, list[Seen]] = {}
    failure: MienError | KeyboardInterrupt | None = None
    walk = iter(found)
    while True:
        try:
            seen = next(walk)
        except StopIteration:
            break
        except (MienError, KeyboardInterrupt) as error:
            failure = error
            break
        first, last = seen[0].span
        key = window_of(first, every) if every else first
        held.setdefault(key, []).append(seen)
        settled = last - (patience / seen[0].fps if seen[0].fps > 0 else 1.0)
        for done in sorted(key for key in held if ((key + 1) * every if every else key) <= settled):
            yield _by_track(held.pop(done))
    for done in sorted(held):
        yield _by_track(held.pop(done))
    if failure is not None:
        raise failure


def _by_track(window: list[Seen]) -> list[Seen]:
    return sorted(window, key=lambda seen: seen[0].faces[0].track)
