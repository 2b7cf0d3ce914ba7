"""mien: who is in this photo or video, how sure, and why you may believe it.

The dozen public names. Importing this module loads numpy and nothing heavier; models, decoders and stores load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.errors import MienError
from mien.types import Clip, Decision, Face, Frame, Match, OperatingPoint, Person, Reading, Report, Sample, Template

if TYPE_CHECKING:
    from mien.audit.calibration import calibrate
    from mien.decide import Policy
    from mien.engine import Engine
    from mien.gallery import migrate, open_gallery
    from mien.media import read_image

__version__ = "0.1.0"

__all__ = [
    "Clip",
    "Decision",
    "Engine",
    "Face",
    "Frame",
    "Match",
    "MienError",
    "OperatingPoint",
    "Person",
    "Policy",
    "Reading",
    "Report",
    "Sample",
    "Template",
    "calibrate",
    "migrate",
    "open_gallery",
    "read_image",
]

_LAZY = {
    "Engine": "mien.engine",
    "Policy": "mien.decide",
    "calibrate": "mien.audit.calibration",
    "migrate": "mien.gallery",
    "open_gallery": "mien.gallery",
    "read_image": "mien.media",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
