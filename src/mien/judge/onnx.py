"""Any classifier of faces that is an ONNX graph and a card with `labels`: expression, liveness, one's own.

Crops. The card's `template` says which part of the picture the graph sees, its `size` how many px that has:

    dlib150, arcface112   the aligned chip of `mien.align`, scaled to `size`
    square                the upright square around the detector's box: centred on it, its side the longer side of the
                          box; what lies outside of the picture is black. FER2013's crops are cut about like that:
                          the default detector's box is 1.05 of their side, its centre at .49, .50 of them (medians of
                          172 of 200 in which it found the face)

A picture that is a crop already goes in as it is (`crops_of`), scaled to `size`. A graph whose input is uint8 takes raw
RGB crops with channels last and does the rest itself, as those that mien builds do.

Not enough evidence. Faces below the limits of the card's [abstain] are left out; when none is left, or the most
probable label is below `least_probability`, the reading has no scores and says why (`mien.judge.evidence`).

A classifier of expressions whose labels are known words gives a second reading, `valence_arousal`, where it gave the
first: derived from the probabilities, not measured (`mien.judge.circumplex`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien import align, models
from mien.errors import ModelCorrupt, UsageError
from mien.judge.circumplex import position
from mien.judge.evidence import lacking, unclear
from mien.models import Card
from mien.protocols import Needs
from mien.types import U8, Clip, Face, Reading

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, NodeArg

F64 = NDArray[np.float64]

_BATCH = 64  # crops per run: more gain nothing and hold memory
_SLACK = 1e-3  # by which probabilities may miss the sum of 1
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601; grey stays what it is
_DERIVED = "derived from the probabilities of the expressions, not measured"
_REMEDY = "Run `mien models verify`; a graph of your own must fit its card."


class OnnxJudge:
    """Clips to a reading of probabilities: the mean over the clip's faces. May be called from several threads."""

    needs = Needs()

    def __init__(self, card: Card | str, threads: int = 1) -> None:
        """Load the graph of a classifier's card; the file's digest is checked as for any model.

        Raises UsageError for a card that is not a classifier's, ModelError in its kinds."""
        card = models.card(card) if isinstance(card, str) else card
        if not is_classifier(card):
            raise UsageError(
                f"The card {card.name} is not one of a classifier of faces.",
                "It needs two `labels` or more, and an [input] with a size and a template other than none.",
            )
        (path,) = models.ready(card).values()
        self._start(card, models.session(path, threads))

    @classmethod
    def from_session(cls, card: Card, session: InferenceSession) -> OnnxJudge:
        """The judge of a card on another graph, such as one whose weights were drawn anew. Raises as the constructor."""
        made = cls.__new__(cls)
        made._start(card, session)
        return made

    def _start(self, card: Card, session: InferenceSession) -> None:
        assert card.input is not None and card.input.size is not None
        self.card = card
        self.name = card.name
        self.kind = card.task
        self.labels = card.labels
        self.size = card.input.size  # width, height in px
        self._input = card.input
        self._session = session
        entry = self._mouth(session)
        self._entry: str = entry.name
        self._takes_bytes = entry.type == "tensor(uint8)"
        self._batch = entry.shape[0] if isinstance(entry.shape[0], int) else _BATCH

    def _mouth(self, session: InferenceSession) -> NodeArg:
        """The graph's input. Raises ModelCorrupt when it is not the one picture per face that the card promises."""
        entries = session.get_inputs()
        shape = entries[0].shape if entries else []
        if len(entries) != 1 or len(shape) != 4:
            told = f"The graph of {self.name} takes {len(entries)} inputs, the first with {len(shape)} dimensions."
            raise ModelCorrupt(told, "A classifier of faces takes one input: pictures, with 4 dimensions.")
        last = entries[0].type == "tensor(uint8)" or self._input.layout == "NHWC"
        height, width = (shape[1], shape[2]) if last else (shape[2], shape[3])
        if any(isinstance(had, int) and had != want for had, want in ((width, self.size[0]), (height, self.size[1]))):
            told = f"The graph of {self.name} takes {width} x {height} px and its card says {self.size[0]} x {self.size[1]}."
            raise ModelCorrupt(told, _REMEDY)
        return entries[0]

    def judge(self, clip: Clip) -> list[Reading]:
        """Each label's probability, mean over the faces that show enough; of expressions valence and arousal too.

        Raises InputError for points that fit no face."""
        span = clip.span if clip.fps > 0 else None
        lacks = {index: why for index, face in enumerate(clip.faces) if (why := lacking(face, self.card.abstain))}
        faces = [face for index, face in enumerate(clip.faces) if index not in lacks]
        if not faces:
            best = clip.faces.index(clip.best)
            return [Reading(self.kind, {}, self.name, span=span, reasons=lacks[best])]
        found = self.probabilities(self.crops(faces)).mean(0)
        scores = {label: float(value) for label, value in zip(self.labels, found, strict=True)}
        if doubt := unclear(scores, self.card.abstain):
            return [Reading(self.kind, {}, self.name, span=span, reasons=(doubt,))]
        readings = [Reading(self.kind, scores, self.name, span=span)]
        if self.kind == "expression" and (placed := position(scores)) is not None:
            readings.append(Reading("valence_arousal", placed, self.name, "-1..1", span, (_DERIVED,)))
        return readings

    def crops(self, faces: Sequence[Face]) -> U8:
        """(n, h, w, 3) what the graph sees of each face, RGB."""
        width, height = self.size
        side = max(width, height)
        cut = [align.warp(face.frame.pixels, self._matrix(face, side), side) for face in faces]
        stacked = np.stack(cut) if cut else np.empty((0, side, side, 3), np.uint8)
        return _fitted(stacked, width, height)

    def crops_of(self, pictures: Sequence[U8]) -> U8:
        """(n, h, w, 3) pictures (H, W, 3) that are crops of faces already, scaled to what the graph wants."""
        return _fitted(pictures, *self.size)

    def probabilities(self, crops: U8) -> F64:
        """(n, h, w, 3) uint8 RGB crops to (n, labels) probabilities.

        Raises ModelCorrupt when the graph gives another number of values than the card has labels, or no probabilities."""
        steps = range(0, len(crops), self._batch)
        parts = [self._run(crops[start : start + self._batch]) for start in steps]
        return np.concatenate(parts) if parts else np.empty((0, len(self.labels)))

    def _matrix(self, face: Face, side: int) -> F64:
        template = self._input.template
        if template != "square":
            return align.chip_matrix(face.points, template) * (side / align.template(template).size)
        x0, y0, x1, y1 = (float(value) for value in face.box)
        scale = side / max(x1 - x0, y1 - y0, 1e-3)
        move = [side / 2 - scale * (x0 + x1) / 2, side / 2 - scale * (y0 + y1) / 2]
        return np.array([[scale, 0, move[0]], [0, scale, move[1]]])

    def _run(self, crops: U8) -> F64:
        short = self._batch - len(crops) if isinstance(self._session.get_inputs()[0].shape[0], int) else 0
        filled = np.concatenate([crops, np.repeat(crops[-1:], short, axis=0)]) if short else crops
        found = np.asarray(self._session.run(None, {self._entry: self._pixels(filled)})[0], np.float64)
        values = found.reshape(len(filled), -1)[: len(crops)]
        if values.shape[1] != len(self.labels):
            told = f"{self.name} gave {values.shape[1]} numbers per face and its card has {len(self.labels)} labels."
            raise ModelCorrupt(told, _REMEDY)
        if not np.isfinite(values).all():
            raise ModelCorrupt(f"{self.name} gave values that are no numbers.", _REMEDY)
        if self.card.output == "logits":
            raised = np.exp(values - values.max(1, keepdims=True))
            return np.asarray(raised / raised.sum(1, keepdims=True))
        sums = values.sum(1, keepdims=True)
        if (values < -_SLACK).any() or (np.abs(sums - 1) > _SLACK).any():
            told = f"{self.name} gave values that are no probabilities (they sum to {float(sums.flat[0]):.4g})."
            raise ModelCorrupt(told, 'If they are logits, write output = "logits" into the card.')
        return np.asarray(np.clip(values, 0, None) / np.clip(values, 0, None).sum(1, keepdims=True))

    def _pixels(self, crops: U8) -> NDArray[np.generic]:
        """Crops as the graph wants them."""
        if self._takes_bytes:
            return np.ascontiguousarray(crops)
        mean, std = (np.asarray(values, np.float32) for values in (self._input.mean, self._input.std))
        pixels = crops.astype(np.float32)
        if self._input.colour == "grey":
            pixels, mean, std = (pixels @ _LUMA)[..., None], mean[:1], std[:1]
        elif self._input.colour == "bgr":
            pixels = pixels[..., ::-1]
        pixels = (pixels - mean) / std
        return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) if self._input.layout == "NCHW" else pixels)


def is_classifier(card: Card) -> bool:
    """Whether a card is one that this judge can run."""
    entry = card.input
    return len(card.labels) > 1 and entry is not None and entry.size is not None and entry.template != "none"


def _fitted(pictures: Sequence[U8] | U8, width: int, height: int) -> U8:
    """(n, height, width, 3); smaller by area, larger by lines."""
    import cv2

    out = np.empty((len(pictures), height, width, 3), np.uint8)
    for index, picture in enumerate(pictures):
        if picture.shape[:2] == (height, width):
            out[index] = picture
            continue
        how = cv2.INTER_AREA if picture.shape[0] > height or picture.shape[1] > width else cv2.INTER_LINEAR
        out[index] = cv2.resize(picture, (width, height), interpolation=how)
    return out
