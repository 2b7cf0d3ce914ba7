"""What a network says about examples, and how good that is."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.audit.metrics import affect
from mien.learn.recipe import Arrays, Recipe

F64 = NDArray[np.float64]


def predict(
    recipe: Recipe, net: nn.Module, data: Arrays, device: Any = "cpu", trainer: Any = None, batch: int = 256
) -> F64:
    """(n, labels) probabilities of the deployed network over all examples, in their order.

    In the precision of the trainer where one is given, otherwise in float32."""
    was = net.training
    deployed = recipe.deployed(net).to(device).eval()
    context = trainer.precision_plugin.forward_context() if trainer is not None else nullcontext()
    parts = []
    with torch.inference_mode(), context:
        for start in range(0, len(data), batch):
            rows = data.__getitems__(list(range(start, min(start + batch, len(data)))))
            parts.append(deployed(recipe.crops(rows).to(device)).float().cpu().numpy())
    net.train(was)
    return np.concatenate(parts).astype(np.float64)


def score(recipe: Recipe, probabilities: F64, data: Arrays) -> float:
    """The measure that an epoch is chosen by: "UAR" or "accuracy"."""
    truth = data.tensors["truth"].numpy()
    there = truth >= 0
    table = affect.counts(truth[there], probabilities[there].argmax(1), len(recipe.labels))
    measure = affect.uar if recipe.select == "UAR" else affect.war
    return float(measure(table))
