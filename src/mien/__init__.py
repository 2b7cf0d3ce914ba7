"""mien: who is in this photo or video, how sure, and why you may believe it.

The dozen public names. Each loads what it needs on first use: importing this module loads nothing at all, using a noun
loads numpy, and models, decoders and stores come with the verb that wants them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.audit.calibration import calibrate
    from mien.decide import Policy
    from mien.engine import Engine
    from mien.errors import MienError
    from mien.gallery import migrate, open_gallery
    from mien.media import read_image
    from mien.report import Report
    from mien.types import Clip, Decision, Face, Frame, Match, OperatingPoint, Person, Reading, Sample, Template

__version__ = "0.1.0"

_HOME = {
    "Clip": "mien.types",
    "Decision": "mien.types",
    "Engine": "mien.engine",
    "Face": "mien.types",
    "Frame": "mien.types",
    "Match": "mien.types",
    "MienError": "mien.errors",
    "OperatingPoint": "mien.types",
    "Person": "mien.types",
    "Policy": "mien.decide",
    "Reading": "mien.types",
    "Report": "mien.report",
    "Sample": "mien.types",
    "Template": "mien.types",
    "calibrate": "mien.audit.calibration",
    "migrate": "mien.gallery",
    "open_gallery": "mien.gallery",
    "read_image": "mien.media",
}
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


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mien' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
