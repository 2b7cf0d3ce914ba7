"""A classifier that adapts to the video it looks at, without labels; only the few weights that matter there move.

After FIESTA (arXiv 2503.23257; the paper's text was not at hand, so this is a reading of its abstract): the Fisher information
of the answers to one to three frames says which weights matter; only those are updated, to make answers surer (entropy, as
Tent, Wang et al. 2021) and alike from frame to frame. Three guards are ours: windows that are sure enough are left alone
(gate), every video starts from the weights that were trained (reset), and an adapted network that contradicts them too often is
dropped (roll-back). Without the guards the method collapses on streams in which one expression follows itself for long.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Method = Literal["none", "statistics", "tent", "fisher"]


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How a network adapts. A window is what `Adapted.window` is given at once, oldest frame first."""

    method: Method = "fisher"
    count: int = 22_000  # weights that may move, at most ("fisher")
    frames: int = 3  # from which their importance is estimated
    rate: float = 1e-3  # of Adam
    steps: int = 1  # updates per window
    agree: float = 1.0  # weight of the divergence between neighbouring frames
    gate: float = 0.0  # windows whose mean entropy is below this share of its maximum are left alone
    reset: bool = True  # each video starts anew
    trust: float = 0.5  # share of frames on which the adapted network must agree with the trained one; 0: never dropped


class Adapted:
    """A network, (n, …) to (n, classes) logits, with its adaptation. The network given is left as it is."""

    def __init__(self, net: nn.Module, how: Adaptation) -> None:
        self.how = how
        self.source = copy.deepcopy(net).eval().requires_grad_(False)
        self.net = copy.deepcopy(self.source)
        if how.method in ("statistics", "tent"):
            for module in self.net.modules():
                if isinstance(module, nn.BatchNorm2d):  # statistics of the window, not of training
                    module.train()
                    module.track_running_stats = False
                    module.running_mean = module.running_var = None
        self.touched = 0  # weights that may move
        self._before: Tensor | None = None  # the last answer of the window before
        self._begin()

    def video(self) -> None:
        """A new video begins."""
        if self.how.reset:
            self._begin()
        self._before = None

    def window(self, x: Tensor) -> Tensor:
        """(n, classes) probabilities of the frames x, once the network has looked at them."""
        if self.how.method == "none":
            with torch.no_grad():
                return torch.softmax(self.source(x), 1)
        if self.how.method != "statistics":
            self._learn(x)
        with torch.no_grad():
            found = torch.softmax(self.net(x), 1)
        if self.how.method == "fisher" and self.how.trust > 0:
            found = self._trusted(x, found)
        self._before = found[-1:].detach()
        return found

    def _begin(self) -> None:
        """The trained weights, and nothing that was learnt since."""
        with torch.no_grad():
            for mine, trained in zip(self.net.parameters(), self.source.parameters(), strict=True):
                mine.copy_(trained)
                mine.requires_grad_(False)
        self._before = None
        self._masks: dict[str, Tensor] = {}
        self._moving: list[nn.Parameter] = []
        if self.how.method == "tent":
            norms = [module for module in self.net.modules() if isinstance(module, nn.BatchNorm2d)]
            self._moving = [weight for module in norms for weight in module.parameters()]
            for weight in self._moving:
                weight.requires_grad_(True)
            self._start_optimiser()

    def _start_optimiser(self) -> None:
        self.touched = sum(int(mask.sum()) for mask in self._masks.values()) or sum(p.numel() for p in self._moving)
        self._optimiser = torch.optim.Adam(self._moving, self.how.rate)

    def _learn(self, x: Tensor) -> None:
        if self.how.method == "fisher" and not self._moving:
            self._choose(x[: self.how.frames])
        if self.how.gate > 0:
            with torch.no_grad():
                logits = self.net(x)
                if float(entropy(logits).mean()) < self.how.gate * math.log(logits.shape[1]):
                    return
        for _ in range(self.how.steps):
            logits = self.net(x)
            loss = entropy(logits).mean()
            if self.how.agree > 0:
                loss = loss + self.how.agree * self._unrest(logits)
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            for weight, mask in zip(self._moving, self._masks.values(), strict=False):
                if weight.grad is not None:
                    weight.grad.mul_(mask)
            self._optimiser.step()

    def _unrest(self, logits: Tensor) -> Tensor:
        """Mean divergence of each frame's answer from the one before it, which is held fixed."""
        now = torch.log_softmax(logits, 1)
        held = now.detach().exp()
        before = held[:-1] if self._before is None else torch.cat([self._before, held[:-1]])
        return torch.nn.functional.kl_div(now[len(now) - len(before) :], before, reduction="batchmean")

    def _choose(self, frames: Tensor) -> None:
        """The weights with the largest Fisher information of the network's own answers, at most `count`."""
        information = fisher(self.net, frames)
        every = torch.cat([value.flatten() for value in information.values()])
        keep = min(self.how.count, len(every))
        least = torch.topk(every, keep).values[-1]
        named = dict(self.net.named_parameters())
        for name, value in information.items():
            mask = value >= torch.clamp(least, min=torch.finfo(value.dtype).tiny)
            if bool(mask.any()):
                self._masks[name] = mask
                named[name].requires_grad_(True)
        self._moving = [named[name] for name in self._masks]
        self._start_optimiser()

    def _trusted(self, x: Tensor, found: Tensor) -> Tensor:
        with torch.no_grad():
            plain = torch.softmax(self.source(x), 1)
        if float((plain.argmax(1) == found.argmax(1)).float().mean()) >= self.how.trust:
            return found
        self._begin()
        return plain


def entropy(logits: Tensor) -> Tensor:
    """(n,) in nats, of (n, classes) logits."""
    log = torch.log_softmax(logits, 1)
    return -(log.exp() * log).sum(1)


def fisher(net: nn.Module, frames: Tensor) -> dict[str, Tensor]:
    """Per weight the mean over frames of (d log p(answer | frame) / d weight) squared, the answer being the network's own."""
    weights = dict(net.named_parameters())
    for weight in weights.values():
        weight.requires_grad_(True)
    found = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for frame in frames:
        log = torch.log_softmax(net(frame[None]), 1)[0]
        grads = torch.autograd.grad(log[log.argmax()], list(weights.values()), allow_unused=True)
        for name, grad in zip(weights, grads, strict=True):
            if grad is not None:
                found[name] += grad**2 / len(frames)
    for weight in weights.values():
        weight.requires_grad_(False)
    return found
