"""One route per engine call."""

from __future__ import annotations

import importlib

from fastapi import FastAPI

# Each module has a `router`; order is that of the reference.
ROOMS = (
    "see",
    "galleries",
    "subjects",
    "review",
    "console",
    "session",
    "keys",
    "log",
    "receipts",
    "jobs",
    "audits",
    "rekognition",
    "thresholds",
    "models",
    "health",
    "live",
)


def install(app: FastAPI) -> None:
    """Put all routes into `app`."""
    for name in ROOMS:
        app.include_router(importlib.import_module(f"mien.serve.routes.{name}").router)
