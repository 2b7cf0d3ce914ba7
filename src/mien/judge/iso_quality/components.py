"""The 28 components of ISO/IEC 29794-5: what each is, what is wanted of it, and what our value of it rests on.

Three kinds of value, never mixed up:

- *measured*: the standard's own formula, on our detector's boxes and points;
- *stand-in*: after the standard, where it wants 98 landmarks, a segmentation or a pose network and we have five points;
- *not at hand*: it needs a trained model that is not here. Nothing is guessed.

None of the values is a claim of conformance: the standard prescribes its landmark and segmentation networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Basis = Literal["measured", "stand-in", "not at hand"]

PHOTO = "ISO/IEC 39794-5"  # what that standard, and ICAO's rules for travel documents, ask of a photo
SCALE = "half of the scale"  # the standard sets no pass mark: where the score reaches 50 of 100
REGION = "after the standard, on a five-point face region"
CHIN = "after the standard; the chin is a mean head's, posed on five points"
POSE = "after the standard; the pose is a mean head's, fitted to five points"
CHEEKS = "after the standard; its cheek squares, placed by the five points"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The native values that are wanted, ends included, and who says so."""

    low: float
    high: float
    source: str = SCALE


@dataclass(frozen=True, slots=True)
class Component:
    """One component. `error` is how far a stand-in's native value may be off in 95 of 100 simulated
    heads that smile and speak (``benchmarks/iso_quality.py``)."""

    name: str
    standard: str  # the name in the reference software's output
    title: str  # in words
    basis: Basis
    how: str  # what our value rests on; of one that is not at hand: what it needs
    unit: str = ""  # of the native value
    wanted: Wanted | None = None
    error: float = 0.0  # in native units
    relative: bool = False  # the error is a share of the value

    def margin(self, native: float) -> float:
        """How far a native value may be off, in native units."""
        return self.error * abs(native) if self.relative else self.error

    def verdict(self, native: float) -> Literal["ok", "below", "cannot tell"]:
        """Whether a native value is as wanted, as surely as its error allows to say."""
        if self.wanted is None:
            return "cannot tell"
        margin = self.margin(native)
        if native < self.wanted.low - margin or native > self.wanted.high + margin:
            return "below"
        inside = self.wanted.low + margin <= native <= self.wanted.high - margin
        return "ok" if inside else "cannot tell"


_ENDLESS = float("inf")


def _absent(name: str, standard: str, title: str, needs: str) -> Component:
    return Component(name, standard, title, "not at hand", f"needs {needs}: not at hand")


def _at_least(value: float, source: str = SCALE) -> Wanted:
    return Wanted(value, _ENDLESS, source)


def _at_most(value: float, source: str = SCALE) -> Wanted:
    return Wanted(-_ENDLESS, value, source)


_LIST = (
    _absent("unified_quality", "UnifiedQualityScore", "unified quality", "the MagFace network (iResNet50)"),
    _absent(
        "background_uniformity", "BackgroundUniformity", "plain background", "a face-parsing network (BiSeNet, 400 px)"
    ),
    Component(
        "illumination_uniformity", "IlluminationUniformity", "even light", "stand-in", CHEEKS,
        "share of brightness levels that both cheeks have", _at_least(0.1),
    ),
    Component(
        "luminance_mean", "LuminanceMean", "brightness", "stand-in", REGION, "mean luminance, 0..1", Wanted(0.2, 0.8)
    ),
    Component(
        "luminance_variance", "LuminanceVariance", "contrast", "stand-in", REGION,
        "variance of luminance", Wanted(1 / 300, 1 / 12),
    ),
    Component(
        "under_exposure", "UnderExposurePrevention", "no black areas", "stand-in",
        REGION + "; what covers the face is not left out", "share at luminance 0..25 of 255", _at_most(0.9),
    ),
    Component(
        "over_exposure", "OverExposurePrevention", "no white areas", "stand-in",
        REGION + "; what covers the face is not left out", "share at luminance 247..255 of 255", _at_most(0.01),
    ),
    Component(
        "dynamic_range", "DynamicRange", "dynamic range", "stand-in", REGION, "entropy of luminance, bit", _at_least(4)
    ),
    _absent("sharpness", "Sharpness", "sharpness", "the standard's random forest and 98 landmarks (ADNet)"),
    _absent("compression", "CompressionArtifacts", "no compression artefacts", "the standard's network for artefacts"),
    Component(
        "natural_colour", "NaturalColour", "natural colour", "stand-in", CHEEKS,
        "distance from natural skin in CIELAB", _at_most(11),
    ),
    Component(
        "single_face", "SingleFacePresent", "one face only", "measured", "the standard's, with our detector",
        "area of the second largest face over the largest", _at_most(0.5),
    ),
    _absent("eyes_open", "EyesOpen", "eyes open", "98 landmarks (ADNet)"),
    _absent("mouth_closed", "MouthClosed", "mouth closed", "98 landmarks (ADNet)"),
    _absent("eyes_visible", "EyesVisible", "eyes visible", "98 landmarks (ADNet) and a face-occlusion network"),
    _absent(
        "mouth_occlusion", "MouthOcclusionPrevention", "mouth uncovered",
        "98 landmarks (ADNet) and a face-occlusion network",
    ),
    _absent(
        "face_occlusion", "FaceOcclusionPrevention", "face uncovered",
        "98 landmarks (ADNet) and a face-occlusion network",
    ),
    Component(
        "inter_eye_distance", "InterEyeDistance", "resolution", "measured",
        "the standard's, with our detector's eyes and the yaw of five points", "px between the eyes over cos(yaw)",
        _at_least(90, PHOTO),
    ),
    Component(
        "head_size", "HeadSize", "head size", "stand-in", CHIN, "eyes to chin over picture height",
        Wanted(0.395, 0.505), 0.13, relative=True,
    ),
    Component(
        "leftward_crop", "LeftwardCropOfTheFaceImage", "room at the left", "measured",
        "the standard's, with our detector's eyes", "left edge to the eye further from it, in eye distances",
        _at_least(0.9),
    ),
    Component(
        "rightward_crop", "RightwardCropOfTheFaceImage", "room at the right", "measured",
        "the standard's, with our detector's eyes", "right edge to the eye further from it, in eye distances",
        _at_least(0.9),
    ),
    Component(
        "margin_above", "MarginAboveOfTheFaceImage", "room above", "stand-in", CHIN,
        "upper edge to the eyes, in distances of eyes to chin", _at_least(1.4), 0.13, relative=True,
    ),
    Component(
        "margin_below", "MarginBelowOfTheFaceImage", "room below", "stand-in", CHIN,
        "lower edge to the eyes, in distances of eyes to chin", _at_least(1.8), 0.13, relative=True,
    ),
    Component(
        "head_yaw", "HeadPoseYaw", "not turned sideways", "stand-in", POSE, "degrees, to the subject's left",
        Wanted(-5, 5, PHOTO), 6.5,
    ),
    Component(
        "head_pitch", "HeadPosePitch", "not tilted up or down", "stand-in", POSE, "degrees, upwards",
        Wanted(-5, 5, PHOTO), 14.5,
    ),
    Component(
        "head_roll", "HeadPoseRoll", "upright", "stand-in", POSE, "degrees, clockwise in the picture",
        Wanted(-8, 8, PHOTO), 4,
    ),
    _absent(
        "expression_neutrality", "ExpressionNeutrality", "neutral expression",
        "two HSEmotion networks and the standard's AdaBoost",
    ),
    _absent("no_head_coverings", "NoHeadCoverings", "nothing on the head", "a face-parsing network (BiSeNet, 400 px)"),
)  # fmt: skip

COMPONENTS = {component.name: component for component in _LIST}
AT_HAND = tuple(name for name, component in COMPONENTS.items() if component.basis != "not at hand")
