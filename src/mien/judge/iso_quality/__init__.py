"""A face to the quality components of ISO/IEC 29794-5: what can be measured, what stands in, what needs a model."""

from __future__ import annotations

from mien.judge.iso_quality.components import COMPONENTS, Component
from mien.judge.iso_quality.judge import IsoQuality
from mien.judge.iso_quality.mapping import FAILED, score
from mien.judge.iso_quality.measures import Assessment, Value, assess, failed

__all__ = ["COMPONENTS", "FAILED", "Assessment", "Component", "IsoQuality", "Value", "assess", "failed", "score"]
