"""Which audits there are, and on which data sets."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from mien.audit.listing import AUDITS, missing
from mien.serve.access import Caller, needs
from mien.serve.jobs import datasets
from mien.serve.service import Here

router = APIRouter(prefix="/v1/audits", tags=["jobs"])
Reader: Any = needs("reader")


@router.get("")
def listed(service: Here, who: Caller = Reader) -> dict[str, Any]:
    """All audits; those with `job` run here on a data set, the others from the command line: mien audit NAME."""
    items = [
        {"name": name, "about": about, "job": name in datasets.AUDITS, "command": f"mien audit {name}"}
        for name, about in AUDITS.items()
    ]
    return {"items": items, "datasets": datasets.names(service.settings.datasets), "missing": missing(), "next": None}
