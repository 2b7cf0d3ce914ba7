"""A judge from a training run that adapts to each clip it is shown; see `learn.adapt`. Needs torch.

Engine(judges=[AdaptingJudge("runs/expression")])
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mien.errors import UsageError
from mien.judge.onnx import F64, OnnxJudge
from mien.learn import runs
from mien.learn.adapt import Adaptation, Adapted
from mien.learn.catalogue import changed, recipe
from mien.learn.fit import BEST
from mien.learn.nets.deployed import Calibrated
from mien.types import U8

WINDOW = 16  # frames adapted to at once


class AdaptingJudge(OnnxJudge):
    """As the exported judge of a run, but its network moves a few weights for every clip of two frames or more.

    Not for several threads at once: a clip must be seen through before the next begins."""

    def __init__(self, folder: str | os.PathLike[str], how: Adaptation | None = None) -> None:
        """The folder of a finished run. Raises UsageError for another folder or recipe, ModelError in its kinds."""
        home = Path(folder)
        kept = runs.record(home) if home.is_dir() else None
        if kept is None or kept.get("state") != "finished":
            raise UsageError(
                f"{folder} is no finished training run.", "Give the folder that `mien learn` made with -o."
            )
        super().__init__(str(home / kept["card"]))
        asked = kept["asked"]
        made = changed(recipe(asked["recipe"]), {key: _word(value) for key, value in asked["settings"].items()})
        net = made.build()
        net.load_state_dict(torch.load(home / BEST, map_location="cpu", weights_only=True)["net"])
        deployed = Calibrated(made.deployed(net.eval()), float(kept["temperature"])).eval()
        self._adapted = Adapted(_Answers(deployed), how or Adaptation())

    def probabilities(self, crops: U8) -> F64:
        """(n, labels) of one person's crops in the order of time; the first frame of a clip is that of a new video."""
        if len(crops) < 2:
            return super().probabilities(crops)
        self._adapted.video()
        windows = [self._adapted.window(torch.from_numpy(part)) for part in _parts(crops)]
        return np.asarray(torch.cat(windows).double().numpy())


class _Answers(nn.Module):
    """Logarithms of a deployed network's probabilities, which a softmax turns back."""

    def __init__(self, deployed: nn.Module) -> None:
        super().__init__()
        self.deployed = deployed

    def forward(self, crops: Tensor) -> Tensor:
        """(n, h, w, 3) uint8 to (n, labels)."""
        return torch.log(self.deployed(crops).clamp_min(1e-12))


def _parts(crops: U8) -> list[U8]:
    return [np.ascontiguousarray(crops[start : start + WINDOW]) for start in range(0, len(crops), WINDOW)]


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
