"""Training under a budget of processor seconds: whoever is slower sees fewer pictures."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mien.audit.metrics import attacks
from mien.learn.attacks.pool import Pool
from mien.learn.presentations import arrays
from mien.learn.recipes.spoof_backbones import SpoofBackbones, scaled, shape
from mien.types import U8

F64 = NDArray[np.float64]
LOOKS = 6  # at the dev split, evenly over the budget


@dataclass(frozen=True, slots=True)
class Look:
    """What the dev split said at one moment of a training."""

    seconds: float  # of the processor, spent on training alone
    seen: int  # pictures trained on
    auc: float


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """A training from its start to the end of its budget."""

    net: nn.Module  # with the weights of the best look
    looks: tuple[Look, ...]
    threshold: float  # where APCER and BPCER are equal on dev

    @property
    def seen(self) -> int:
        """Pictures trained on in all."""
        return self.looks[-1].seen

    @property
    def mean(self) -> float:
        """Mean dev AUC over the budget: the area under the learning curve, which starts at chance."""
        x = np.array([0.0, *(look.seconds for look in self.looks)])
        y = np.array([0.5, *(look.auc for look in self.looks)])
        return float(np.trapezoid(y, x) / x[-1])

    def reached(self, auc: float) -> float | None:
        """Processor seconds until the dev AUC first was so high; None: never."""
        return next((look.seconds for look in self.looks if look.auc >= auc), None)


def course(recipe: SpoofBackbones, train: Pool, dev: Pool, budget: float, seed: int) -> Course:
    """Train for `budget` processor seconds; the learning rate falls with the share of it that is spent.

    Looking at the dev split is not charged. The best look's weights are kept, by AUC on dev."""
    torch.manual_seed(seed)
    net = recipe.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ((optimiser, _),) = recipe.optimisers(net, 1)
    held = arrays(train)
    order = _order(len(held), recipe.batch, np.random.default_rng([seed, 11]))
    looks: list[Look] = []
    best, kept = -1.0, net.state_dict()
    spent, seen = 0.0, 0
    while spent < budget:
        began = time.process_time()
        net.train()
        for group in optimiser.param_groups:
            group["lr"] = recipe.rate * shape(spent / budget)
        batch = held.__getitems__(next(order))
        loss = recipe.losses(net, batch, 0)["loss"]
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        spent += time.process_time() - began
        seen += len(batch["truth"])
        if spent >= budget * (len(looks) + 1) / LOOKS:
            said = live(net, dev.pixels)
            looks.append(Look(spent, seen, attacks.auc(said[dev.live], said[~dev.live])))
            if looks[-1].auc > best:
                best, kept = looks[-1].auc, copy.deepcopy(net.state_dict())
    net.load_state_dict(kept)
    said = live(net, dev.pixels)
    threshold = attacks.threshold_at_eer(said[dev.live], said[~dev.live])
    return Course(net, tuple(looks), threshold)


def _order(count: int, batch: int, random: np.random.Generator) -> Iterator[list[int]]:
    """Batches of shuffled rows, round after round."""
    while True:
        rows = random.permutation(count)
        for start in range(0, count - batch + 1, batch):
            yield rows[start : start + batch].tolist()


def live(net: nn.Module, pixels: U8) -> F64:
    """(n,) probability of being live of (n, h, w, 1): the bare network, since mirror images would cost as much again."""
    net.eval()
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    with torch.inference_mode():
        parts = [torch.softmax(net(scaled(x[at : at + 256].float())).double(), 1)[:, 0] for at in range(0, len(x), 256)]
    found: F64 = torch.cat(parts).numpy()
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """So that processor seconds are seconds of one core, whatever the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def parameters(net: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(one.numel() for one in net.parameters())
