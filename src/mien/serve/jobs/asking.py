"""What a request for a job may ask, checked before the job is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mien import media
from mien.errors import InputError, MienError, UnreadableMedia, UsageError
from mien.media.door import shown
from mien.serve.jobs import hooks, video
from mien.serve.jobs.addresses import allowed
from mien.serve.jobs.bodies import UPLOAD, VIDEO, Body
from mien.serve.policies import FILTER, RATES, number, policy, where

if TYPE_CHECKING:
    from pathlib import Path

    from mien.serve.service import Service

Asked = tuple[dict[str, Any], bool]  # what the job is to know, and whether it is live
_COMMON = ("kind", "hook")


def asked(service: Service, tenant: str, body: Body, folder: Path) -> tuple[str, dict[str, Any], bool]:
    """Kind, what is asked, and whether the job is live. Raises UsageError, InputError, NotAllowed, GalleryNotFound."""
    fields = body.fields
    kind = fields.get("kind") or (VIDEO if body.saved else "")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise UsageError(f"There is no kind of job {str(kind)[:40]!r}.", f"Choose among {', '.join(_KINDS)}.")
    known, check = _KINDS[kind]
    unknown = sorted(set(fields) - {*known, *_COMMON})
    if unknown:
        raise UsageError(f"A job of kind {kind} has no field {unknown[0][:40]!r}.", f"It has {', '.join(known)}, hook.")
    if body.saved and kind != VIDEO:
        raise UsageError(f"A job of kind {kind} takes no video.", "Leave it out.")
    found, live = check(service, tenant, body, folder)
    hook = fields.get("hook")
    if hook not in (None, ""):
        allowed(text(hook, "hook"), service.settings.hooks, hooks.SCHEMES, "a webhook")
        found["hook"] = hook
    return kind, found, live


def _video(service: Service, tenant: str, body: Body, folder: Path) -> Asked:
    fields = body.fields
    gallery = text(fields.get("gallery"), "gallery")
    held = service.galleries.open(tenant, gallery)
    service.engine.search_point(held, policy(fields, service.policies.of(tenant, gallery).policy))
    where(fields)
    kept = {name: fields[name] for name in (*RATES, *FILTER) if fields.get(name) not in (None, "")}
    found: dict[str, Any] = {"gallery": gallery, **kept}
    source = fields.get("source")
    if bool(body.saved) == bool(source):
        raise UsageError("A video is wanted: a file in 'video', or an address in 'source'.", "Send one of them.")
    if source:
        address = allowed(text(source, "source"), service.settings.sources, (*video.LIVE, *video.FILES), "a video")
        return found | {"source": address.bare}, address.scheme in video.LIVE
    try:
        if media.kind(folder / UPLOAD) != "video":
            raise UnreadableMedia("What came is a picture, not a video.", "Ask at once: POST …/identify.")
        media.open_video(folder / UPLOAD).close()
    except MienError as error:
        error.message = error.message.replace(shown(folder / UPLOAD), "What came")
        raise
    return found | {UPLOAD: UPLOAD, "name": body.name, "bytes": body.saved}, False


def _audit(service: Service, tenant: str, body: Body, folder: Path) -> Asked:
    from mien.serve.jobs import datasets

    fields = body.fields
    name = text(fields.get("audit"), "audit")
    if name not in datasets.AUDITS:
        raise UsageError(f"There is no audit {name[:40]!r} to run here.", f"Choose among {', '.join(datasets.AUDITS)}.")
    data = text(fields.get("data"), "data")
    datasets.place(service.settings.datasets, data)
    datasets.need_extra()
    given = {one: _count(fields[one], one, low, high) for one, (low, high) in COUNTS.items() if one in fields}
    pad = number(fields.get("pad", 0.0), "pad")
    if not 0 <= pad <= 2:
        raise UsageError(f"pad is a share of a side, not {pad:g}.", "Send one from 0 to 2.")
    return {"audit": name, "data": data, "pad": pad, **given}, False


COUNTS = {"rounds": (20, 10_000), "seed": (0, 2**31)}


def _calibrate(service: Service, tenant: str, body: Body, folder: Path) -> Asked:
    from mien.serve.jobs import datasets

    fields = body.fields
    gallery = text(fields.get("gallery"), "gallery")
    service.galleries.open(tenant, gallery)
    datasets.need_extra()
    rates = {name: _rates(fields[name], name) for name in ("fmr", "fpir") if fields.get(name)}
    sizes = fields.get("sizes")
    if sizes:
        rates["sizes"] = [_count(one, "sizes", 1, 100_000_000) for one in _list(sizes)]
    keep = fields.get("keep", False)
    if keep not in (True, False, "true", "false"):
        raise UsageError("keep is true or false.", "Send one of them.")
    return {"gallery": gallery, "keep": keep in (True, "true"), **rates}, False


_KINDS: Mapping[str, tuple[tuple[str, ...], Callable[[Service, str, Body, Path], Asked]]] = {
    VIDEO: (("gallery", "source", *RATES, *FILTER), _video),
    "audit": (("audit", "data", "pad", *COUNTS), _audit),
    "calibrate": (("gallery", "fmr", "fpir", "sizes", "keep"), _calibrate),
}


def text(value: Any, name: str) -> str:
    """A field that is text. Raises InputError."""
    if not isinstance(value, str) or not value:
        raise InputError(f"{name!r} is wanted, as text.", "Send it.")
    return value


def _list(value: Any) -> list[Any]:
    many = value if isinstance(value, list) else str(value).split(",") if isinstance(value, str) else [value]
    if len(many) > 20:
        raise UsageError("More than 20 values in one list.", "Send fewer.")
    return many


def _rates(value: Any, name: str) -> list[float]:
    found = [number(one, name) for one in _list(value)]
    wrong = [one for one in found if not 0 < one < 1]
    if wrong:
        raise UsageError(f"{name} is a rate between 0 and 1, not {wrong[0]:g}.", "For 1 in 1,000 send 0.001.")
    return found


def _count(value: Any, name: str, low: int, high: int) -> int:
    found = number(value, name)
    if not low <= found <= high or found != int(found):
        raise UsageError(f"{name} is a whole number from {low} to {high}, not {value}.", "Send one.")
    return int(found)
