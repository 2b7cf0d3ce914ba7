"""A face to the quality components of ISO/IEC 29794-5: what can be measured, what stands in, what needs a model."""

from __future__ import annotations

from mien.judge.iso_quality.components import AT_HAND, COMPONENTS, Component
from mien.judge.iso_quality.judge import IsoQuality
from mien.judge.iso_quality.mapping import FAILED, graded, score
from mien.judge.iso_quality.measures import Assessment, Value, assess, failed, measure, told

__all__ = [
    "AT_HAND",
    "COMPONENTS",
    "FAILED",
    "Assessment",
    "Component",
    "IsoQuality",
    "Value",
    "assess",
    "failed",
    "graded",
    "measure",
    "score",
    "told",
]
