"""What the training spine costs: examples a second of `mien learn`'s loop against a bare torch loop on the same model.

Both train the recipe of the shipped expression judge on the same pictures with the same augmentation, precision and number
of threads; the bare loop has no logs, checkpoints, averages or checks. They take turns, epoch by epoch. Times are of the
wall, medians over the rounds; loading is what fetching all batches of an epoch takes by itself.

    python benchmarks/train_speed.py --data ../shared/data
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from record import RESULTS, save

from mien.learn.data.layouts import read
from mien.learn.fit import Settings, fit, history
from mien.learn.order import Order
from mien.learn.recipe import Arrays
from mien.learn.recipes.expression_fer import ExpressionFer
from mien.learn.splits import thinned


def bare(recipe: ExpressionFer, data: Arrays, bf16: bool) -> float:
    """Examples a second of one epoch written by hand."""
    torch.manual_seed(0)
    net = recipe.build()
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    recipe.turned(net, data, 0)
    steps = len(data) // recipe.batch
    ((optimiser, schedule),) = recipe.optimisers(net, steps)
    pixels, truth = data.tensors["pixels"], data.tensors["truth"]
    order = torch.randperm(len(data))
    began = time.perf_counter()
    for step in range(steps):
        rows = order[step * recipe.batch : (step + 1) * recipe.batch]
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = recipe.losses(net, {"pixels": pixels[rows], "truth": truth[rows]}, 0)["loss"]
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        assert schedule is not None
        schedule.step()
    return steps * recipe.batch / (time.perf_counter() - began)


def spine(recipe: ExpressionFer, data: Arrays, dev: Arrays, bf16: bool) -> float:
    """Examples a second of one epoch of the spine, evaluation on dev not counted, as in the bare loop."""
    with tempfile.TemporaryDirectory() as folder:
        fit(
            recipe,
            {"train": data, "dev": dev},
            Path(folder),
            Settings(precision="bf16" if bf16 else "32", device="cpu"),
        )
        return history(Path(folder))[-1]["rate"]


def loading(recipe: ExpressionFer, data: Arrays) -> float:
    """Examples a second that can be fetched in batches."""
    began = time.perf_counter()
    count = sum(len(data.__getitems__(rows)["truth"]) for rows in Order(len(data), recipe.batch, 0))
    return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--each", type=int, default=250, help="pictures per class")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    source = thinned(read(given.data / "fer2013.zip", "fer2013"), given.each)
    recipe = ExpressionFer(epochs=1, early=(0.0, 40))
    train = recipe.data(source, "train")
    whole = recipe.data(source, "dev")
    dev = Arrays({"pixels": whole.tensors["pixels"][:32]}, whole.tensors["truth"][:32])
    found: dict[str, dict[str, float]] = {}
    for bf16 in (True, False):
        rates: dict[str, list[float]] = {"bare": [], "spine": [], "loading": []}
        for _ in range(given.rounds):
            rates["bare"].append(bare(recipe, train, bf16))
            rates["spine"].append(spine(recipe, train, dev, bf16))
            rates["loading"].append(loading(recipe, train))
        ratio = np.array(rates["bare"]) / np.array(rates["spine"])
        medians = {f"{name}, examples/s": float(np.median(values)) for name, values in rates.items()}
        spread = {"low": float(ratio.min()), "high": float(ratio.max())}
        found["bf16" if bf16 else "float32"] = medians | {"time of the spine / bare": float(np.median(ratio))} | spread
        print("bf16" if bf16 else "float32", found["bf16" if bf16 else "float32"], flush=True)
    save("train_speed", {"goal": 1.2, "rounds": given.rounds, "pictures": len(train), **found}, sys.argv, given.results)


if __name__ == "__main__":
    main()
