"""A video, or a camera, to who was seen in it and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mien import media
from mien.errors import MienError, UnreadableMedia
from mien.media.door import shown
from mien.media.video import public_name
from mien.serve.access import Caller
from mien.serve.jobs import timeline
from mien.serve.jobs.addresses import allowed
from mien.serve.jobs.fetching import fetch
from mien.serve.jobs.relay import Relay
from mien.serve.jobs.watching import watched
from mien.serve.jobs.work import Work
from mien.serve.policies import policy, where

LIVE, FILES = ("rtsp",), ("http", "https")


def run(work: Work) -> Mapping[str, Any]:
    """Identify everybody in the video of a job; what is seen stands in the timeline at once.

    A live source ends by being cancelled. Raises as `Engine.identify`, after what was there."""
    asked, tenant = work.job.asked, work.job.tenant
    gallery = work.service.galleries.open(tenant, asked["gallery"])
    standing = work.service.policies.of(tenant, asked["gallery"])
    wanted, only = policy(asked, standing.policy), where(asked)
    told = timeline.Timeline(work.fresh(timeline.part(work.job)), work.job)
    who = Caller(work.job.key, "", "operator", tenant)
    found = work.so_far
    found |= {"seen": 0, "accept": 0, "reject": 0, "abstain": 0, "seconds": 0.0}

    def seen(time: float | None, duration: float | None = None) -> None:
        found["seconds"] = found["seconds"] if time is None else round(time, 2)
        work.step(time / duration if time is not None and duration else None)

    try:
        with _source(work) as source:
            if work.job.live:
                decisions = watched(work.engine, source, (gallery, wanted, only), seen)
            else:
                decisions = work.engine.identify(source, gallery, wanted, seen, only)
            for decision in decisions:
                told.add(decision)
                found["seen"] += 1
                found[decision.verdict] += 1
                facts = {"gallery": asked["gallery"], "verdict": decision.verdict, "subject": decision.subject}
                work.service.log.add(who, "identify", job=work.job.id, **facts)
                if standing.rules.review:
                    work.service.review.note(tenant, asked["gallery"], [decision], standing.rules.close)
    except MienError:
        if not work.cancelled.is_set():
            raise
    return found


@contextmanager
def _source(work: Work) -> Iterator[str]:
    """What the engine is to read: a file of the job's, or an address of this machine behind which one camera is."""
    asked, settings = work.job.asked, work.service.settings
    if "upload" in asked:
        path = work.home / str(asked["upload"])
        with _nameless(str(path), "The video"):
            yield str(path)
        return
    address = allowed(asked["source"], settings.sources, (*LIVE, *FILES), "a video")  # anew: settings may have changed
    if address.scheme in LIVE:
        with Relay(address) as relay, _nameless(public_name(address.through(relay.port)), address.bare):
            try:
                yield address.through(relay.port)
            except UnreadableMedia as error:
                if not relay.redirected:
                    raise
                told = f"{address.bare} points elsewhere, which is not followed."
                raise UnreadableMedia(told, "Name the address itself.") from error
        return
    path = work.home / "fetched"
    try:
        fetch(address, path, settings.max_video_bytes, work.step)
        with _nameless(str(path), address.bare):
            if media.kind(path) != "video":
                raise UnreadableMedia(f"{address.bare} is a picture, not a video.", "Ask at once: POST …/identify.")
            yield str(path)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _nameless(inside: str, outside: str) -> Iterator[None]:
    """Errors name the source as whoever asked knows it, and no file or port of this machine."""
    try:
        yield
    except MienError as error:
        error.message = error.message.replace(shown(inside), outside)
        raise
